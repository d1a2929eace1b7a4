"""Right uses: nothing to say about them, on SQLAlchemy 2.0 and 2.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypedDict

from sqlalchemy import Engine, delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from naked_sqla import AsyncSession, AsyncSessionFactory, NotLoadedError, Session, SessionFactory
from naked_sqla.view import CreateView, DropView, refresh_materialized_view, view_table


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    friends: Mapped[list[User]] = relationship(secondary="friend")


@dataclass
class UserRow:
    id: int
    name: str


class UserTuple(NamedTuple):
    id: int
    name: str


class UserEntry(TypedDict):
    id: int
    name: str


async def asynchronous(db: AsyncSessionFactory, conn: AsyncConnection) -> User:
    async with db.begin(isolation_level="SERIALIZABLE") as session:
        users = await session.scalars(select(User))
        for user in users:
            print(user.name.upper())
        result = await session.execute(select(User.id, User.name))
        for row in result:
            print(row.id, row[1])
        pairs = await session.tuples(select(User, User.id))
        for owner, number in pairs:
            print(owner.name, number + 1)
        await session.execute(insert(User), [{"name": "a"}, {"name": "b"}])
        await session.execute(insert(User), {"name": "a"})
        await session.execute(delete(User), execution_options={"mine": 1})
        print((await session.scalars(text("select 1"))).one())
        await session.commit()
    joined = AsyncSession(conn)
    try:
        loaded: User = (await joined.scalars(select(User))).one()
        return loaded
    except NotLoadedError:
        await joined.rollback()
        raise


def synchronous(engine: Engine) -> str:
    with SessionFactory(engine, auto_commit=False).begin() as session:
        user: User = session.scalars(select(User)).one()
        session.commit()
        return user.name


async def into_classes(db: AsyncSessionFactory) -> UserRow:
    async with db.begin() as session:
        for row in await session.into(UserRow, select(User)):
            print(row.name.upper())
        pair: UserTuple = (await session.into(UserTuple, text("select 1"), {"a": 1})).one()
        entry: UserEntry = (await session.into(UserEntry, select(User), validate=False)).one()
        print(pair.id + entry["id"])
        await session.into(UserRow, select(User), strategy=None)
        async with session.stream_into(UserRow, select(User), strategy="json") as stream:
            async for row in stream:
                print(row.name.upper())
    return (await db.into(UserRow, insert(User).returning(User))).one()


async def rows_as_json(db: AsyncSessionFactory) -> bytes:
    async with db.begin() as session:
        async with session.stream_json(select(User), into=UserEntry) as lines:
            async for line in lines:
                print(line.decode())
        print((await session.json(text("select 1"), {"a": 1}, into=UserTuple)).decode())
    return await db.json(select(User), into=UserRow, validate=False)


def into_classes_synchronous(db: SessionFactory) -> UserRow | None:
    with db.begin() as session:
        return session.into(UserRow, select(User)).first()


async def writes(db: AsyncSessionFactory, entry: UserEntry) -> User:
    async with db.begin() as session:
        user: User = await session.insert(User(name="a"))
        users: list[User] = await session.insert_all([entry, {"name": "b"}], model=User)
        count: int = await session.update_all(users, User.name, returning=False)
        user.name = "c"
        stored: User = await session.update(user, "name")
        found: bool = await session.delete(User, count, missing_ok=True)
        print(stored.name, found, (await session.upsert_all(users, on=User.name))[0].name)
        linked: int = await session.link(user, User.friends, users)
        linked += await session.unlink(1, User.friends, (friend.id for friend in users))
        added, removed = await session.relink(user, User.friends, {1, 2})
        print(linked + added - removed)
    return await db.update(User, 1, name=User.name + "x")


def writes_synchronous(db: SessionFactory) -> int:
    with db.begin() as session:
        session.delete(session.insert(UserRow(1, "a"), model=User))
        return session.copy_in(User, ({"id": i, "name": "a"} for i in range(3)))


async def several_databases(engine: AsyncEngine, db: AsyncSessionFactory) -> User:
    both = AsyncSessionFactory(engine, binds={"logs": engine}, two_phase=True, reader=engine)
    AsyncSessionFactory(engine, secret="new")
    with both.observe(print):
        pass
    AsyncSessionFactory(engine, secret=["new", b"old"])
    bound: AsyncEngine = both.get_bind(User)
    async with both.read(isolation_level="REPEATABLE READ") as session:
        current: AsyncSession = both.current_session()
        print(current.get_bind(clause=select(User)), (await session.connection("logs")).closed)
        number: int | None = await session.scalar(select(User.id))
        print(number, bound)
    return await db.read().get_one(User, 1)


def several_databases_synchronous(engine: Engine) -> User:
    db = SessionFactory(engine, binds={"logs": engine}, reader=engine)
    with db.read() as session:
        current: Session = db.current_session()
        print(current.get_bind(User).url, session.connection("logs").closed)
    user: User = db.read().scalars(select(User)).one()
    return user


class Name(Base):
    __table__ = view_table("names", Base.metadata, select(User.name), materialized=True)

    name: Mapped[str]


async def views(session: AsyncSession) -> list[str]:
    await session.execute(CreateView(Name))
    await session.execute(refresh_materialized_view(Name.__table__, concurrently=True))
    names = await session.scalars(select(Name))
    await session.execute(DropView("names", if_exists=True, materialized=True))
    return [found.name for found in names]
