"""The types of rows, as SQLAlchemy 2.1 names them."""

from __future__ import annotations

from typing import Any, assert_type

import sqlmodel
from sqlalchemy import Result, Row, delete, select, text, union
from sqlalchemy.engine import ScalarResult, TupleResult
from sqlalchemy.ext.asyncio import AsyncResult
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSessionFactory, KeysetPage, Pagination, SessionFactory, SyncKeysetPage
from naked_sqla.ext.fastapi import first_or_404


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
    assert_type(await db.execute(pair), Result[int, str])
    assert_type(await db.execute(select(User)), Result[User])
    assert_type(await db.execute(select(User.size)), Result[tuple[int, int]])
    assert_type(await db.read().execute(union(pair, pair)), Result[int, str])
    assert_type(await db.exec(delete(User)), Result[*tuple[Any, ...]])
    assert_type(await db.execute(text("select 1")), Result[*tuple[Any, ...]])
    assert_type(await db.one(pair), Row[int, str])
    assert_type(await db.one_or_none(pair), Row[int, str] | None)
    assert_type(await db.first(pair), Row[int, str] | None)
    assert_type(await db.read().all(pair), list[Row[int, str]])
    page = await db.paginate(select(User, User.age))
    assert_type(page, Pagination[Row[User, int | None]])
    assert_type(await db.keyset(pair), KeysetPage[Row[int, str]])
    async with db.begin() as session:
        rows = await session.execute(pair)
        assert_type(rows.one(), Row[int, str])
        assert_type(rows.first(), Row[int, str] | None)
        number, name = rows.one()
        assert_type(number, int)
        assert_type(name, str)
        assert_type(await session.stream(pair), AsyncResult[int, str])
        async with session.stream(select(User, User.id)) as streamed:
            async for row in streamed:
                assert_type(row, Row[User, int])


def synchronous(db: SessionFactory) -> None:
    assert_type(db.all(select(User.id, User.name)), list[Row[int, str]])
    assert_type(db.keyset(select(User.id, User.age)), SyncKeysetPage[Row[int, int | None]])
    with db.begin() as session:
        assert_type(session.execute(select(User, User.name)), Result[User, str])
        assert_type(session.stream(select(User.id, User.name)), Result[int, str])


async def of_sqlmodel(db: AsyncSessionFactory) -> None:
    one, two = sqlmodel.select(User), sqlmodel.select(User, User.id)
    assert_type(await db.exec(one), ScalarResult[User])
    assert_type(await db.exec(two), TupleResult[tuple[User, int]])
    assert_type(await db.scalars(one), ScalarResult[User])
    assert_type(await db.one(one), User)
    assert_type(await db.all(two), list[Row[User, int]])
    assert_type(await db.paginate(one), Pagination[User])
    assert_type(await first_or_404(db, one), User)
