"""The types of rows, as SQLAlchemy 2.0 names them."""

from __future__ import annotations

from typing import Any, assert_type

from sqlalchemy import Result, Row, delete, select, text, union
from sqlalchemy.ext.asyncio import AsyncResult
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSessionFactory, KeysetPage, Pagination, SessionFactory, SyncKeysetPage


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    age: Mapped[int | None]
    size: Mapped[tuple[int, int]]


async def asynchronous(db: AsyncSessionFactory) -> None:
    pair = select(User.id, User.name)
    assert_type(await db.execute(pair), Result[tuple[int, str]])
    assert_type(await db.execute(select(User)), Result[tuple[User]])
    assert_type(await db.execute(select(User.size)), Result[tuple[tuple[int, int]]])
    assert_type(await db.read().execute(union(pair, pair)), Result[tuple[int, str]])
    assert_type((await db.exec(delete(User))).one()[0], Any)
    assert_type((await db.execute(text("select 1"))).one()[0], Any)
    assert_type(await db.one(pair), Row[tuple[int, str]])
    assert_type(await db.one_or_none(pair), Row[tuple[int, str]] | None)
    assert_type(await db.first(pair), Row[tuple[int, str]] | None)
    assert_type(await db.read().all(pair), list[Row[tuple[int, str]]])
    page = await db.paginate(select(User, User.age))
    assert_type(page, Pagination[Row[tuple[User, int | None]]])
    assert_type(await db.keyset(pair), KeysetPage[Row[tuple[int, str]]])
    async with db.begin() as session:
        rows = await session.execute(pair)
        assert_type(rows.one(), Row[tuple[int, str]])
        assert_type(rows.first(), Row[tuple[int, str]] | None)
        number, name = rows.one().t
        assert_type(number, int)
        assert_type(name, str)
        assert_type(await session.stream(pair), AsyncResult[tuple[int, str]])
        async with session.stream(select(User, User.id)) as streamed:
            async for row in streamed:
                assert_type(row, Row[tuple[User, int]])


def synchronous(db: SessionFactory) -> None:
    assert_type(db.all(select(User.id, User.name)), list[Row[tuple[int, str]]])
    assert_type(db.keyset(select(User.id, User.age)), SyncKeysetPage[Row[tuple[int, int | None]]])
    with db.begin() as session:
        assert_type(session.execute(select(User, User.name)), Result[tuple[User, str]])
        assert_type(session.stream(select(User.id, User.name)), Result[tuple[int, str]])
