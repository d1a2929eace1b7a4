"""Right uses, and the types that they have, on SQLAlchemy 2.0 and 2.1."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, assert_type

from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update
from sqlalchemy.engine import ScalarResult, TupleResult
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncScalarResult
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    mapped_column,
    relationship,
    with_loader_criteria,
)

from naked_sqla import (
    AsyncNotifications,
    AsyncSession,
    AsyncSessionFactory,
    KeysetPage,
    Notification,
    Notifications,
    Pagination,
    Recovery,
    Relinked,
    Session,
    SessionFactory,
    SyncKeysetPage,
    SyncPagination,
    ViolatedConstraint,
    Write,
    constraint_of,
    to_naked,
    to_orm,
)
from naked_sqla.ext.fastapi import PageParams, first_or_404, get_or_404, one_or_404
from naked_sqla.testing import Statements, count_statements, expect_statements, sandbox


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    age: Mapped[int | None]
    friends: Mapped[list[User]] = relationship(secondary="friend")


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    size: Mapped[tuple[int, int]]
    tags: Mapped[tuple[str, ...]]


async def asynchronous(db: AsyncSessionFactory) -> None:
    async with db.begin(isolation_level="SERIALIZABLE", postgresql_readonly=True) as session:
        assert_type(session, AsyncSession)
        assert_type(session.conn, AsyncConnection)
        assert_type(db.engine, AsyncEngine)
        assert_type(db.auto_commit, bool)

        users = await session.scalars(select(User))
        assert_type(users, ScalarResult[User])
        user = (await session.scalars(select(User).where(User.id == 1))).one()
        assert_type(user, User)
        assert_type(user.name, str)
        assert_type(user.age, int | None)
        assert_type(await session.scalars(select(User.name)), ScalarResult[str])
        assert_type(await session.scalars(select(User, Post.id)), ScalarResult[User])
        assert_type(await session.scalars(select(func.count(User.id))), ScalarResult[int])

        pairs = await session.tuples(select(User, Post.id))
        assert_type(pairs, TupleResult[tuple[User, int]])
        for owner, post_id in pairs:
            assert_type(owner, User)
            assert_type(post_id, int)

        other = aliased(User)
        assert_type(await session.scalars(select(other)), ScalarResult[User])

        returned = await session.scalars(insert(User).returning(User), [{"name": "a"}])
        assert_type(returned, ScalarResult[User])
        changed = await session.tuples(update(User).values(age=1).returning(User.id, User.age))
        assert_type(changed, TupleResult[tuple[int, int | None]])
        await session.execute(delete(User).where(User.id == 1))
        await session.execute(insert(User), {"name": "a"})
        await session.execute(insert(User), [{"name": "a"}, {"name": "b"}])
        await session.execute(text("select :a"), {"a": 1}, execution_options={"mine": 1})
        assert_type(await session.scalars(text("select 1")), ScalarResult[Any])
        assert_type(await session.commit(), None)
        assert_type(await session.rollback(), None)


def synchronous(engine: Engine) -> None:
    db = SessionFactory(engine, auto_commit=False)
    with db.begin() as session:
        assert_type(session, Session)
        assert_type(session.scalars(select(User)), ScalarResult[User])
        assert_type(session.tuples(select(User, Post.id)), TupleResult[tuple[User, int]])
        session.commit()


@dataclass
class Out:
    id: int


async def methods(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        assert_type(await session.scalar(select(User)), User | None)
        assert_type(await session.scalar(select(User.name, User.id)), str | None)
        assert_type(await session.scalar(text("select 1")), Any)
        assert_type(await session.get(User, 1, with_for_update=True), User | None)
        assert_type(await session.get_one(User, {"id": 1}), User)

        assert_type(await session.exec(select(User)), ScalarResult[User])
        assert_type(await session.exec(select(User.id, User.name)), TupleResult[tuple[int, str]])
        returned = await session.exec(insert(User).returning(User.id))
        assert_type(returned, ScalarResult[int])

        assert_type(await session.into(Out, select(User.id)), ScalarResult[Out])
        assert_type(await session.preload([], User.name, (User.name, Post.title)), None)

        assert_type(await session.stream_scalars(select(User)), AsyncScalarResult[User])
        assert_type(await session.stream_into(Out, text("x")), AsyncScalarResult[Out])
        assert_type(await session.json(select(User), into=Out), bytes)
        assert_type(await session.stream_json(select(User)), AsyncScalarResult[bytes])
        async with session.stream_scalars(select(User)) as users:
            assert_type(users, AsyncScalarResult[User])
            async for user in users:
                assert_type(user, User)
        async with session.begin_nested():
            assert_type(session.in_transaction(), bool)
            assert_type(await session.connection(), AsyncConnection)


async def one_shots(db: AsyncSessionFactory) -> None:
    assert_type(await db.scalars(select(User)), ScalarResult[User])
    assert_type(await db.tuples(select(User, Post.id)), TupleResult[tuple[User, int]])
    assert_type(await db.scalar(select(User.name)), str | None)
    assert_type(await db.get(User, 1), User | None)
    assert_type(await db.get_one(User, 1), User)
    assert_type(await db.explain(select(User)), str)
    assert_type(await db.explain(select(User), format="json"), list[dict[str, Any]])
    assert_type(await db.exec(select(User)), ScalarResult[User])
    assert_type(await db.into(Out, select(User)), ScalarResult[Out])
    assert_type(await db.into(Out, select(User), strategy="json"), ScalarResult[Out])
    assert_type(await db.json(select(User)), bytes)
    assert_type(await db.read().json(select(User), into=None), bytes)
    assert_type(await db.read().scalars(select(User, Post.id)), ScalarResult[User])
    assert_type(await db.read().paginate(select(User)), Pagination[User])
    assert_type(db.eager, Literal["mapped", "explicit"])
    assert_type(await db.recover_prepared(older_than=dt.timedelta(hours=1)), Recovery)
    assert_type(db.begin().outcome, Literal["open", "committed", "rolled_back", "unknown"])


def methods_sync(engine: Engine) -> None:
    db = SessionFactory(engine, eager="explicit")
    assert_type(db.scalars(select(User)), ScalarResult[User])
    assert_type(db.recover_prepared(older_than=60.0, timeout=1), Recovery)
    assert_type(db.get_one(User, 1), User)
    assert_type(db.exec(select(User.id, User.name)), TupleResult[tuple[int, str]])
    with db.begin() as session, session.begin_nested():
        assert_type(session.scalar(select(User)), User | None)
        assert_type(session.stream_scalars(select(User)), ScalarResult[User])
        assert_type(session.stream_into(Out, select(User)), ScalarResult[Out])
        assert_type(session.stream_into(Out, select(User), strategy="json"), ScalarResult[Out])
        assert_type(session.json(select(User), {"a": 1}, into=Out), bytes)
        assert_type(session.stream_json(select(User), validate=False), ScalarResult[bytes])
        assert_type(session.connection(), Connection)


async def many(db: AsyncSessionFactory, sync_db: SessionFactory) -> None:
    assert_type(await db.get_many(User, [1, 2]), list[User])
    assert_type(await db.get_many(User, (1,), missing="skip", options=[]), list[User])
    assert_type(await db.read().get_many(User, {1, 2}, missing="none"), list[User | None])
    assert_type(sync_db.get_many(User, [1]), list[User])
    loader = db.loader(User)
    assert_type(await loader.load(1), User | None)
    assert_type(await loader.load_many([1, 2]), list[User | None])
    posts = db.loader(Post, Post.title, many=True, order_by=Post.id)
    assert_type(await posts.load("a"), list[Post])
    assert_type(posts.prime("a", []), None)


def derived(db: AsyncSessionFactory, sync_db: SessionFactory) -> None:
    alive = with_loader_criteria(User, lambda cls: cls.age.is_not(None), include_aliases=True)
    assert_type(db.with_options(alive), AsyncSessionFactory)
    assert_type(db.with_options(without=User), AsyncSessionFactory)
    assert_type(db.with_options(without=["User", Post]), AsyncSessionFactory)
    assert_type(db.with_options(execution_options={"x": 1}), AsyncSessionFactory)
    assert_type(sync_db.with_options(alive), SessionFactory)
    AsyncSessionFactory(db.engine, options=[alive])


async def shortcuts(db: AsyncSessionFactory, sync_db: SessionFactory) -> None:
    users = select(User)
    assert_type(await db.one(users), User)
    assert_type(await db.one(select(User.age)), int | None)
    assert_type(await db.one_or_none(users), User | None)
    assert_type(await db.first(users), User | None)
    assert_type(await db.all(users), list[User])
    assert_type(await db.all(select(Post.size)), list[tuple[int, int]])
    assert_type(await db.first(select(Post.tags), {"a": 1}), tuple[str, ...] | None)
    assert_type(await db.exists(users), bool)
    assert_type(await db.count(select(User.id, User.name), {"a": 1}), int)
    assert_type(await db.one(insert(User).returning(User), {"name": "a"}), User)
    assert_type(await db.one(text("select 1")), Any)
    assert_type(await db.read().all(select(func.count(User.id))), list[int])
    async with db.begin(resolve_commit=True) as session:
        assert_type(session.outcome, Literal["open", "committed", "rolled_back", "unknown"])
        assert_type(await session.one(users, execution_options={"x": 1}), User)
        assert_type(await session.count(users), int)
    assert_type(sync_db.one(users), User)
    assert_type(sync_db.first(users), User | None)
    assert_type(sync_db.all(users), list[User])
    assert_type(sync_db.exists(users), bool)
    assert_type(sync_db.read().count(users), int)


async def rows() -> AsyncIterator[tuple[int, str]]:
    yield 1, "a"


class Patch(TypedDict, total=False):
    name: str
    age: int | None


async def writes(db: AsyncSessionFactory, user: User, out: Out, patch: Patch) -> None:
    async with db.begin() as session:
        assert_type(await session.insert(user), User)
        assert_type(await session.insert({"name": "a"}, model=User), User)
        assert_type(await session.insert(out, model=User), User)
        assert_type(await session.insert_all([user, user]), list[User])
        assert_type(await session.insert_all((user,), batch_size=2), list[User])
        assert_type(await session.insert_all([{"name": "a"}], model=User), list[User])
        assert_type(
            await session.insert_all([out, {"id": 1}], model=User, batch_size=1), list[User]
        )

        assert_type(await session.update(user), User)
        assert_type(await session.update(user, "name", User.age), User)
        assert_type(await session.update(user, User.name, returning=False), int)
        assert_type(await session.update(out, model=User), User)
        assert_type(await session.update({"id": 1}, "id", model=User, returning=False), int)
        assert_type(await session.update(User, 1, age=User.age + 1), User)
        assert_type(await session.update(User, (1,), name=func.upper("a")), User)
        assert_type(await session.update(User, 1, age=2, returning=False), int)
        assert_type(await session.update(User, 1, {"name": "a"}), User)
        assert_type(await session.update(User, 1, {User.name: "a", User.age: 1}, age=2), User)
        assert_type(await session.update(User, 1, {User.name: "a"}, age=1, version=3), User)
        assert_type(await session.update(User, 1, patch, execution_options={"x": 1}), User)
        assert_type(await session.update(User, 1, patch, returning=False), int)
        assert_type(await session.update_all([user]), list[User])
        assert_type(await session.update_all([user], User.age, "name"), list[User])
        assert_type(await session.update_all([user], returning=False), int)
        assert_type(await session.update_all([{"id": 1}], model=User), list[User])
        assert_type(await session.update_all([out], model=User, returning=False), int)

        assert_type(await session.upsert(user), User)
        assert_type(await session.upsert(user, on="name", update=[]), User)
        assert_type(await session.upsert(user, on=[User.name, "age"], update=User.age), User)
        assert_type(await session.upsert({"id": 1}, model=User), User)
        assert_type(await session.upsert_all([user], on=User.name), list[User])
        assert_type(await session.upsert_all([out], update=["name"], model=User), list[User])

        assert_type(await session.delete(user), bool)
        assert_type(await session.delete(User, 1, missing_ok=True), bool)
        assert_type(await session.delete(out, model=User), bool)
        assert_type(await session.delete_all([user, Post()]), int)
        assert_type(await session.delete_all([out], model=User, missing_ok=True), int)

        assert_type(await session.insert(user, User.friends), User)
        assert_type(await session.insert_all([user], User.friends, batch_size=2), list[User])
        assert_type(await session.link(user, User.friends, [user, 2]), int)
        assert_type(await session.unlink((1,), User.friends, {2}), int)
        assert_type(await session.relink(user, User.friends, []), Relinked)

        assert_type(session.after_commit(lambda: None), None)
        assert_type(session.after_commit(session.rollback), None)

        assert_type(await session.copy_in(User, [user, {"id": 1}, (1, "a")]), int)
        assert_type(await session.copy_in(User, rows(), columns=["id", User.name]), int)
    options = {"schema_translate_map": {None: "other"}}
    assert_type(await db.insert(user, execution_options=options), User)
    assert_type(await db.insert_all([out], model=User, execution_options=options), list[User])
    assert_type(await db.insert_all([patch], model=User), list[User])
    assert_type(await db.update(user, "name", execution_options=options), User)
    assert_type(await db.update(user, returning=False, execution_options=options), int)
    assert_type(await db.update_all([user], execution_options=options), list[User])
    assert_type(await db.update_all([patch], model=User, returning=False), int)
    assert_type(await db.upsert(patch, model=User, execution_options=options), User)
    assert_type(await db.upsert_all([patch], model=User, execution_options=options), list[User])
    assert_type(await db.delete(User, 1, execution_options=options), bool)
    assert_type(await db.delete_all([user], execution_options=options), int)
    assert_type(await db.copy_in(User, [user], execution_options=options), int)
    assert_type(await db.insert(user), User)
    assert_type(await db.update(User, 1, age=None), User)
    assert_type(await db.upsert_all([user]), list[User])
    assert_type(await db.delete(user), bool)
    assert_type(await db.copy_in(User, rows()), int)
    assert_type(to_orm(user), User)
    assert_type(to_naked(user), User)


def writes_sync(db: SessionFactory, user: User, out: Out) -> None:
    with db.begin() as session:
        assert_type(session.insert(user), User)
        assert_type(session.insert(out, model=User), User)
        assert_type(session.insert_all([user], batch_size=2), list[User])
        assert_type(session.update(user, "name"), User)
        assert_type(session.update(user, "name", returning=False), int)
        assert_type(session.update(User, 1, age=User.age + 1), User)
        assert_type(session.update(User, 1, age=2, returning=False), int)
        assert_type(session.update(User, 1, {"name": "x"}, version=1), User)
        assert_type(session.update(User, 1, {User.name: "x"}, returning=False), int)
        assert_type(session.delete(user, execution_options={"x": 1}), bool)
        assert_type(session.update_all([out], model=User), list[User])
        assert_type(session.update_all([user], returning=False), int)
        assert_type(session.upsert(out, model=User, on=["id"]), User)
        assert_type(session.upsert_all([user]), list[User])
        assert_type(session.delete(user), bool)
        assert_type(session.delete_all([user]), int)
        assert_type(session.copy_in(User, [(1, "a")], columns=[User.id, "name"]), int)
    assert_type(db.insert(user, User.friends), User)
    assert_type(db.insert_all([user], User.friends), list[User])

    def wrote(session: Session, writes: Sequence[Write]) -> None:
        assert_type(writes[0].keys, tuple[Any, ...])
        assert_type(writes[0].model, type[Any])

    with db.on_write(wrote), db.begin() as session:
        assert_type(session.after_commit(print), None)
    assert_type(db.link(user, User.friends, [1], execution_options={"mine": 1}), int)
    assert_type(db.relink(user, User.friends, [1]).added, int)
    assert_type(db.insert_all([user]), list[User])
    assert_type(db.delete(User, 1), bool)


async def tuples_as_values(db: AsyncSessionFactory) -> None:
    size, tags = select(Post.size), select(Post.tags)
    assert_type(await db.scalars(size), ScalarResult[tuple[int, int]])
    assert_type(await db.scalar(tags), tuple[str, ...] | None)
    assert_type(await db.tuples(size), TupleResult[tuple[tuple[int, int]]])
    assert_type(await db.exec(size), ScalarResult[tuple[int, int]])
    assert_type(await db.exec(tags), ScalarResult[tuple[str, ...]])
    assert_type(await db.paginate(size), Pagination[tuple[int, int]])
    assert_type(await db.keyset(tags), KeysetPage[tuple[str, ...]])
    assert_type(await one_or_404(db, size), tuple[int, int])
    async with db.begin() as session:
        assert_type(await session.stream_scalars(size), AsyncScalarResult[tuple[int, int]])


async def in_a_service(db: AsyncSessionFactory) -> None:
    assert_type(await get_or_404(db, User, 1, with_for_update=True), User)
    async with db.begin() as session:
        assert_type(await get_or_404(session, User, 1), User)
        assert_type(await first_or_404(session, select(User)), User)
        assert_type(await one_or_404(session, select(User.id, User.name)), tuple[int, str])
        assert_type(await one_or_404(session, text("select 1")), Any)
    pages = PageParams(page=2)
    assert_type(pages.page, int)
    assert_type(pages.arguments["max_per_page"], int)


async def in_tests(db: AsyncSessionFactory, sync_db: SessionFactory) -> None:
    async with sandbox(db, isolation_level="SERIALIZABLE") as boxed:
        assert_type(boxed, AsyncSessionFactory)
    with sandbox(sync_db, patience=1) as sync_boxed:
        assert_type(sync_boxed, SessionFactory)
    with count_statements(db) as seen, expect_statements(sync_db, max=2):
        assert_type(seen, Statements)
    assert_type(seen[0].parameters, int)


async def pages(db: AsyncSessionFactory) -> None:
    page = await db.paginate(select(User), page=2, per_page=50, max_per_page=None, count=False)
    assert_type(page, Pagination[User])
    assert_type(page.items, list[User])
    assert_type(page.total, int | None)
    assert_type(page.next_num, int | None)
    assert_type(list(page.iter_pages(left_edge=1)), list[int | None])
    assert_type(await page.next(), Pagination[User])
    assert_type(await db.paginate(select(User.name)), Pagination[str])
    async with db.begin() as session:
        keyed = await session.keyset(select(User).order_by(User.name), after=None, per_page=5)
        assert_type(keyed, KeysetPage[User])
        assert_type(keyed.next_cursor, str | None)
        assert_type(keyed.has_prev, bool)
        assert_type(await keyed.prev(), KeysetPage[User])


def pages_sync(db: SessionFactory) -> None:
    assert_type(db.paginate(select(User)), SyncPagination[User])
    assert_type(db.paginate(select(User)).prev(), SyncPagination[User])
    assert_type(db.keyset(select(User.name)), SyncKeysetPage[str])
    with db.begin() as session:
        assert_type(session.keyset(select(User), before="x").next(), SyncKeysetPage[User])
        for user in session.paginate(select(User)):
            assert_type(user, User)


async def all_pages(db: AsyncSessionFactory) -> list[str]:
    names: list[str] = []
    page = await db.paginate(select(User).order_by(User.id), page=1, per_page=10)
    while page.has_next:
        names += [user.name for user in page]
        page = await page.next()
    cursor: str | None = None
    async with db.begin() as session:
        keyed = await session.keyset(select(User).order_by(User.name), after=cursor)
        cursor = keyed.next_cursor
        names += [user.name for user in keyed.items]
    return names


async def work(session: AsyncSession, name: str, age: int) -> User:
    return await session.get_one(User, age)


def sync_work(session: Session, name: str) -> int:
    return len(name)


async def runs(db: AsyncSessionFactory) -> None:
    assert_type(await db.run(work, "a", 1), User)
    assert_type(await db.run(work, "a", 1, attempts=3, deadline=0.5, retry_on=OSError), User)
    assert_type(await db.run(work, "a", 1, retry_on=db.is_connect_error, idempotent=True), User)
    assert_type(await db.run(work, "a", 1, isolation_level="SERIALIZABLE"), User)

    @db.transaction(attempts=3, retry_on=(OSError, KeyError), isolation_level="SERIALIZABLE")
    async def decorated(session: AsyncSession, name: str, *, age: int = 0) -> list[str]:
        return [name] * age

    assert_type(await decorated("a"), list[str])
    assert_type(await decorated(name="a", age=2), list[str])
    assert_type(db.is_retryable(ValueError()), bool)


def sync_runs(db: SessionFactory) -> None:
    assert_type(db.run(sync_work, "a", attempts=3), int)

    @db.transaction()
    def decorated(session: Session, name: str) -> str:
        return name

    assert_type(decorated("a"), str)


async def limits(db: AsyncSessionFactory, async_engine: AsyncEngine, engine: Engine) -> None:
    AsyncSessionFactory(async_engine, timeout=1.5, statement_timeout=1, lock_timeout=0)
    SessionFactory(engine, timeout=1.5, settings={"app.tenant": "42"})
    async with db.begin(timeout=1, settings={"app.tenant": "42"}) as session:
        assert_type(session, AsyncSession)
    assert_type(await db.read(statement_timeout=0.5).scalar(select(User.name)), str | None)
    assert_type(await db.run(work, "a", 1, lock_timeout=0.5), User)


async def notifications(db: AsyncSessionFactory, session: AsyncSession) -> None:
    assert_type(db.listen("jobs"), AsyncNotifications)
    async with db.listen("jobs", "mails", heartbeat=None) as found:
        async for one in found:
            assert_type(one, Notification)
            assert_type(one.payload, str)
            assert_type(one.missed, bool)
        assert_type(await found.get(timeout=1.5), Notification | None)
    await session.notify("jobs", "1")
    await db.notify("jobs", bind_key="queue")


def sync_notifications(db: SessionFactory) -> None:
    with db.listen("jobs", heartbeat=5) as found:
        assert_type(found, Notifications)
        assert_type(next(found), Notification)
        assert_type(found.get(), Notification | None)
    db.notify("jobs", "1")


def constraints(error: Exception) -> None:
    found = constraint_of(error, Base.metadata)
    assert_type(found, ViolatedConstraint | None)
    if found is not None:
        assert_type(found.columns, tuple[str, ...])
        assert_type(found.attributes, tuple[str, ...])
