"""Right uses, and the types that they have on SQLAlchemy 2.1."""

from __future__ import annotations

from typing import Any, assert_type

from sqlalchemy import Engine, Row, delete, func, insert, select, text, update
from sqlalchemy.engine import Result, ScalarResult, TupleResult
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column

from naked_sqla import AsyncSession, AsyncSessionFactory, Session, SessionFactory


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    age: Mapped[int | None]


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


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

        rows = await session.execute(select(User.id, User.name))
        assert_type(rows, Result[int, str])
        assert_type(rows.one(), Row[int, str])
        number, name = rows.one()
        assert_type(number, int)
        assert_type(name, str)

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
        assert_type(session.execute(select(User, Post.title)), Result[User, str])
        session.commit()
