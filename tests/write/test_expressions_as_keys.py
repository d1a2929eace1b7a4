"""An SQL expression where only a value can stand is refused before anything is sent."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import Date, bindparam, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSessionFactory, InvalidStatement


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int]


class Day(Base):
    __tablename__ = "days"

    day: Mapped[dt.date] = mapped_column(Date, primary_key=True)


class Counted(Base):
    __tablename__ = "counted"

    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    await db.insert_all([Item(id=1, n=1), Item(id=2, n=2)])
    return db


NN = bindparam("nn")
BY_K = Item.id == bindparam("k")
STATEMENTS: dict[str, tuple[Any, Any]] = {
    "insert": (insert(Item).values(n=NN), [{"id": 3, "nn": func.abs(-1)}, {"id": 4, "nn": 3}]),
    "insert one": (insert(Item).values(n=NN), {"id": 3, "nn": func.abs(-1)}),
    "update": (
        update(Item).where(BY_K).values(n=NN),
        [{"k": 1, "nn": 5}, {"k": 2, "nn": func.abs(3)}],
    ),
    "where": (update(Item).where(BY_K).values(n=3), {"k": func.abs(1)}),
    "delete": (delete(Item).where(BY_K), [{"k": func.abs(1)}, {"k": 2}]),
    "by key": (update(Item), [{"id": func.abs(1), "n": 1}, {"id": 2, "n": 2}]),
    "by key, versions": (update(Counted), [{"id": func.abs(1), "n": 1, "version": 1}]),
}


async def stored(db: AsyncSessionFactory) -> list[tuple[int, int]]:
    rows = await db.execute(select(Item.id, Item.n).order_by(Item.id))
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_parameter_of_a_statement(db: AsyncSessionFactory, name: str) -> None:
    with pytest.raises(InvalidStatement, match="SQL expression"):
        await db.execute(*STATEMENTS[name])
    assert await stored(db) == [(1, 1), (2, 2)]


async def test_the_key_of_a_row_by_object(db: AsyncSessionFactory) -> None:
    key: Any = literal(1)
    for call in (
        db.update_all([{"id": key, "n": 3}], model=Item),
        db.update_all([{"id": key, "n": 3}, {"id": 2, "n": 4}], model=Item, returning=False),
        db.delete_all([{"id": key}], model=Item, missing_ok=True),
        db.delete(Item(id=key)),
    ):
        with pytest.raises(InvalidStatement, match=r"Item.id is part of the key .* SQL expression"):
            await call
    assert await stored(db) == [(1, 1), (2, 2)]


async def test_a_key_of_another_type_is_the_columns(db: AsyncSessionFactory) -> None:
    """DELETE types the key as ``get()`` and ``update()`` do: by the column."""
    await db.insert(Day(day=dt.date(2020, 1, 1)))
    noon: Any = dt.datetime(2020, 1, 1, 12)
    assert (await db.get_one(Day, noon)).day == dt.date(2020, 1, 1)
    assert await db.delete_all([{"day": noon}], model=Day) == 1
    assert await db.get(Day, noon) is None


@pytest.mark.parametrize("backend", ["sqlite", "psycopg"], indirect=True)
async def test_a_number_as_text(db: AsyncSessionFactory) -> None:
    number: Any = "1"
    assert (await db.get_one(Item, number)).n == 1
    assert await db.delete(Item, number)
    assert await db.delete_all([{"id": "2"}], model=Item) == 1


async def test_a_version_that_is_no_number(db: AsyncSessionFactory) -> None:
    await db.insert(Counted(id=1, n=1))
    with pytest.raises(InvalidStatement, match=r"Counted\.version is '1', and the mapping can't"):
        await db.update(Counted, 1, {"n": 2, "version": "1"})
    with pytest.raises(InvalidStatement, match=r"Counted\.version is '1'"):
        await db.update_all([{"id": 1, "n": 2, "version": "1"}], model=Counted)
    assert (await db.get_one(Counted, 1)).n == 1
