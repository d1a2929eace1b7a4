"""Wrong uses: a type checker has something to say on each line that ends in ``# wrong``."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

from fastapi import FastAPI
from sqlalchemy import Engine, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSession, AsyncSessionFactory, Session, SessionFactory, to_orm
from naked_sqla.ext.fastapi import (
    PageParams,
    first_or_404,
    get_or_404,
    install,
    one_or_404,
    session_dependency,
)
from naked_sqla.read.plan import Value
from naked_sqla.testing import count_statements, expect_statements, sandbox


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def engines(engine: Engine, async_engine: AsyncEngine, conn: AsyncConnection) -> None:
    AsyncSessionFactory(engine)  # wrong
    AsyncSessionFactory("sqlite+aiosqlite://")  # wrong
    AsyncSessionFactory(conn)  # wrong
    AsyncSessionFactory(async_engine, auto_commit="no")  # wrong
    AsyncSessionFactory(async_engine, False)  # wrong
    SessionFactory(async_engine)  # wrong
    AsyncSession(async_engine)  # wrong
    AsyncSessionFactory(async_engine, binds={"logs": engine})  # wrong
    AsyncSessionFactory(async_engine, binds=[async_engine])  # wrong
    AsyncSessionFactory(async_engine, reader=engine)  # wrong
    AsyncSessionFactory(async_engine, two_phase="yes")  # wrong
    AsyncSessionFactory(async_engine, secret=7)  # wrong
    AsyncSessionFactory(async_engine).observe(7)  # wrong
    AsyncSessionFactory(async_engine).explain("SELECT 1")  # wrong
    SessionFactory(engine, reader=async_engine)  # wrong


def not_async(db: AsyncSessionFactory) -> None:
    with db.begin() as session:  # wrong
        print(session)
    with db.read() as session:  # wrong
        print(session)


async def several_databases(db: AsyncSessionFactory, user: User) -> None:
    await db.read()  # wrong
    await db.current_session()  # wrong
    await db.read().insert(user)  # wrong
    async with db.read() as session:
        await session.connection(1)  # wrong


async def statements(db: AsyncSessionFactory) -> None:
    await db.begin()  # wrong
    async with db.begin() as session:
        await session.execute("select 1")  # wrong
        await session.execute(User)  # wrong
        await session.execute(None)  # wrong
        await session.scalars("select 1")  # wrong
        await session.tuples(User)  # wrong
        await session.execute(select(User), "x")  # wrong
        await session.execute(select(User), execution_options="x")  # wrong
        session.add(User(id=1, name="a"))  # wrong
        await session.flush()  # wrong
        session.state = "open"  # wrong
        session.outcome = "committed"  # wrong
        session.outcome.done()  # wrong
        db.begin(resolve_commit="yes")  # wrong
        name: int = (await session.scalars(select(User.name))).one()  # wrong
        pair = (await session.tuples(select(User.id, User.name))).one()
        user_id, user_name, more = pair  # wrong
        user = (await session.scalars(select(User))).one()
        print(name, user_id, user_name, more, user.nmae)  # wrong


class UserRow:
    def __init__(self, id: int) -> None:
        self.id = id


async def into_classes(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        (await session.into(UserRow, select(User))).one().age.bit_length()  # wrong
        await session.into(UserRow, "select 1")  # wrong
        await session.into(UserRow, select(User), strategy="jsonb")  # wrong
        session.stream_into(UserRow, select(User), strategy=True)  # wrong
        await session.into(UserRow(1), select(User))  # wrong
        await session.json(UserRow, select(User))  # wrong
        await session.json(select(User), into=UserRow(1))  # wrong
        (await session.json(select(User))).encode()  # wrong


async def methods(db: AsyncSessionFactory, async_engine: AsyncEngine) -> None:
    AsyncSessionFactory(async_engine, eager="implicit")  # wrong
    AsyncSessionFactory(async_engine, eager=True)  # wrong
    await db.scalars("select 1")  # wrong
    await db.get(User(id=1, name="a"), 1)  # wrong
    db.stream(select(User))  # wrong
    db.begin_nested()  # wrong
    async with db.begin() as session:
        await session.get("User", 1)  # wrong
        await session.get(User, 1, lock=True)  # wrong
        print((await session.get(User, 1)).name)  # wrong
        print((await session.get_one(User, 1)).nmae)  # wrong
        await session.into(User(id=1, name="a"), select(User))  # wrong
        await session.into(select(User), User)  # wrong
        await session.preload([], "posts")  # wrong
        await session.exec("select 1")  # wrong
        await session.begin_nested()  # wrong
        with session.begin_nested():  # wrong
            pass
        with session.stream(select(User)):  # wrong
            pass
        async for user in session.stream_scalars(select(User)):  # wrong
            print(user)
        number: int = await session.scalar(select(User.name))  # wrong
        selected = (await session.exec(select(User))).one()
        print(number, selected.nmae)  # wrong


async def many(db: AsyncSessionFactory, sync_db: SessionFactory) -> None:
    await db.get_many(User(id=1, name="a"), [1])  # wrong
    await db.get_many(User, 1)  # wrong
    await db.get_many(User, [1], missing="ignore")  # wrong
    print((await db.get_many(User, [1], missing="none"))[0].name)  # wrong
    print((await db.loader(User).load(1)).name)  # wrong
    db.loader(User, many="yes")  # wrong
    db.loader(User, User.name, many=True).prime("a", None)  # wrong
    sync_db.loader(User)  # wrong


def derived(db: AsyncSessionFactory) -> None:
    db.with_options("User")  # wrong
    db.with_options(without=1)  # wrong
    db.with_options(execution_options="x")  # wrong
    AsyncSessionFactory(db.engine, options=User)  # wrong


async def shortcuts(db: AsyncSessionFactory) -> None:
    await db.one("select 1")  # wrong
    await db.first(User)  # wrong
    await db.count(User)  # wrong
    await db.exists(select(User), User.id == 1)  # wrong
    print((await db.first(select(User))).name)  # wrong
    print((await db.one(select(User))).nmae)  # wrong
    (await db.one(select(User.id))).upper()  # wrong
    (await db.all(select(User.id)))[0].upper()  # wrong
    (await db.all(select(User))).one()  # wrong
    print(await db.count(select(User)) + "")  # wrong


async def rows() -> AsyncIterator[tuple[int, str]]:
    yield 1, "a"


async def writes(db: AsyncSessionFactory, sync_db: SessionFactory, user: User) -> None:
    await db.insert(user, User)  # wrong
    await db.insert()  # wrong
    await db.insert(user, model="User")  # wrong
    await db.insert_all(user)  # wrong
    await db.insert_all([user], batch_size="many")  # wrong
    await db.upsert(user, on=3)  # wrong
    await db.upsert(user, update=[None])  # wrong
    await db.delete(User, 1, 2)  # wrong
    await db.delete(user, missing_ok="yes")  # wrong
    await db.delete_all(user)  # wrong
    await db.copy_in(user, [user])  # wrong
    await db.copy_in(User, 3)  # wrong
    sync_db.copy_in(User, rows())  # wrong
    await db.update(user, 3)  # wrong
    await db.update(user, ["name"])  # wrong
    await db.update(user, name="x")  # wrong
    await db.update(user, {"name": "x"})  # wrong
    await db.update(user, "name", version=1)  # wrong
    await db.update(User, 1, {1: "x"})  # wrong
    await db.update(User, 1, "name")  # wrong
    await db.update(User, 1, values={"name": "x"}, returning=1)  # wrong
    await db.update(User, 1, {"name": "x"}, execution_options="x")  # wrong
    print((await db.update(User, 1, {"name": "x"})).nmae)  # wrong
    print((await db.update(User, 1, {"name": "x"}, returning=False)).name)  # wrong
    await db.insert(user, execution_options="x")  # wrong
    await db.delete_all([user], {"mine": 1})  # wrong
    await db.update_all([user], ["name"])  # wrong
    await db.update_all([user], User.name == "x")  # wrong
    print((await db.insert(user)).nmae)  # wrong
    print((await db.insert({"name": "a"}, model=User)).nmae)  # wrong
    print((await db.update(User, 1, name="x")).nmae)  # wrong
    print((await db.update(user, returning=False)).name)  # wrong
    print((await db.update_all([user]))[0].nmae)  # wrong
    print((await db.upsert_all([user]))[0].nmae)  # wrong
    print(sync_db.insert(user).nmae)  # wrong
    db.on_write(lambda: None)  # wrong
    db.on_write(print, 1)  # wrong
    db.after_commit(print)  # wrong
    async with db.begin() as hooked:
        hooked.after_commit(lambda session: None)  # wrong
        hooked.after_commit("print")  # wrong
        hooked.on_write(print)  # wrong
    await db.insert(user, "friends")  # wrong
    await db.insert(user, (User.name, User.name))  # wrong
    await db.insert_all([user], "friends")  # wrong
    await db.insert({"name": "a"}, User.name, model=User)  # wrong
    await db.link(user, "friends", [user])  # wrong
    await db.link(user, User, [user])  # wrong
    await db.link(user, User.name, user)  # wrong
    await db.link(user, User.name)  # wrong
    await db.unlink(user, User.name, [user], missing_ok=True)  # wrong
    print((await db.link(user, User.name, [user])).added)  # wrong
    print((await db.relink(user, User.name, [user])).gone)  # wrong
    db.add(user)  # wrong
    await db.commit()  # wrong
    async with sync_db.begin() as session:  # wrong
        print(session)
    print(to_orm(user).nmae)  # wrong


async def in_a_service(db: AsyncSessionFactory, engine: AsyncEngine) -> None:
    session_dependency(engine)  # wrong
    print((await get_or_404(db, User, 1)).nmae)  # wrong
    await get_or_404(engine, User, 1)  # wrong
    await one_or_404(db, "select 1")  # wrong
    number: int = (await first_or_404(db, select(User))).id + ""  # wrong
    print(number, PageParams(page="1"))  # wrong
    install(db, db)  # wrong
    install(FastAPI(), db, metadata=User)  # wrong


async def in_tests(db: AsyncSessionFactory, sync_db: SessionFactory) -> None:
    with sandbox(db):  # wrong
        pass
    async with sandbox(sync_db):  # wrong
        pass
    with expect_statements(db, min=2):  # wrong
        pass
    with count_statements("sqlite://"):  # wrong
        pass


async def pages(db: AsyncSessionFactory, sync_db: SessionFactory) -> None:
    await db.paginate("select 1")  # wrong
    await db.paginate(User)  # wrong
    await db.paginate(select(User), 2)  # wrong
    await db.paginate(select(User), page="2")  # wrong
    await db.paginate(select(User), per_page=None)  # wrong
    await db.keyset(select(User), after=1)  # wrong
    await db.keyset(select(User), "cursor")  # wrong
    await db.keyset(select(User), page=1)  # wrong
    page = await db.paginate(select(User))
    print(page.next().items)  # wrong
    print(page.total + 1)  # wrong
    print(page.next_cursor)  # wrong
    print(page.items[0].nmae)  # wrong
    for user in db.paginate(select(User)):  # wrong
        print(user)
    await sync_db.paginate(select(User))  # wrong
    print((await db.keyset(select(User))).total)  # wrong
    print((await db.keyset(select(User.name))).items[0].bit_length())  # wrong


async def work(session: AsyncSession, name: str) -> int:
    return len(name)


def sync_work(session: Session, name: str) -> int:
    return len(name)


async def runs(db: AsyncSessionFactory, sync_db: SessionFactory) -> None:
    await db.run(work)  # wrong
    await db.run(work, 1)  # wrong
    await db.run(work, "a", "b")  # wrong
    await db.run(sync_work, "a")  # wrong
    await db.run(work, "a", attempts="3")  # wrong
    await db.run(work, "a", retry_on="OSError")  # wrong
    await db.run(work, "a", deadline="1")  # wrong
    name: str = await db.run(work, "a")  # wrong
    print(name)
    sync_db.run(work, "a")  # wrong
    db.transaction(work)  # wrong

    @db.transaction()
    async def decorated(session: AsyncSession, name: str) -> int:
        return len(name)

    await decorated(1)  # wrong
    await decorated()  # wrong
    db.transaction()(sync_work)  # wrong


def limits(db: AsyncSessionFactory, engine: AsyncEngine) -> None:
    AsyncSessionFactory(engine, timeout="1")  # wrong
    db.begin(timeout="1")  # wrong
    db.begin(5)  # wrong
    db.begin(settings={"app.tenant": 42})  # wrong
    db.read(lock_timeout=[])  # wrong


async def notifications(db: AsyncSessionFactory) -> None:
    db.listen(1)  # wrong
    db.listen("jobs", heartbeat="5")  # wrong
    await db.notify("jobs", {"id": 1})  # wrong
    await db.notify(b"jobs")  # wrong
    async with db.listen("jobs") as found:
        print((await found.get()).payload)  # wrong


async def recovers(db: AsyncSessionFactory, sync_db: SessionFactory) -> None:
    await db.recover_prepared()  # wrong
    await db.recover_prepared(60)  # wrong
    await db.recover_prepared(older_than="60")  # wrong
    sync_db.recover_prepared(older_than=None)  # wrong


def values(key: Value) -> None:
    dataclasses.replace(key, name="b")  # wrong for pyright
