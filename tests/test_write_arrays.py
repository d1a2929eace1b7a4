"""``update_all()`` on PostgreSQL: one statement where arrays take what parameters take."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import math
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import JSON, Enum, Numeric, SmallInteger, String, event, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.orm.exc import StaleDataError

from naked_sqla import AsyncSessionFactory

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True),
]

UTC = dt.UTC


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "array_things"

    id: Mapped[int] = mapped_column(primary_key=True)
    short: Mapped[str | None] = mapped_column(String(3))
    small: Mapped[int | None] = mapped_column(SmallInteger)
    real: Mapped[float | None]
    price: Mapped[decimal.Decimal | None] = mapped_column(Numeric(6, 2))
    flag: Mapped[bool | None]
    day: Mapped[dt.date | None]
    naive: Mapped[dt.datetime | None]
    token: Mapped[uuid.UUID | None]
    colour: Mapped[Colour | None] = mapped_column(Enum(Colour))
    data: Mapped[Any] = mapped_column(JSON, nullable=True)


class Touched(Base):
    __tablename__ = "array_touched"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    by_call: Mapped[str | None] = mapped_column(onupdate=lambda: uuid.uuid4().hex)
    by_sql: Mapped[str | None] = mapped_column(onupdate=func.lower("NOW"))


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    await db.insert_all([Thing(id=i) for i in range(1, 5)])
    await db.insert_all([Touched(id=i, name="x") for i in range(1, 4)])
    return db


@contextmanager
def updates(db: AsyncSessionFactory) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(
        conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any
    ) -> None:
        if statement.startswith("UPDATE"):
            seen.append("many" if many else "unnest" if "unnest" in statement else "one")

    event.listen(db.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine.sync_engine, "before_cursor_execute", note)


async def things(db: AsyncSessionFactory) -> list[Thing]:
    return list((await db.scalars(select(Thing).order_by(Thing.id))).all())


VALUES: dict[str, list[Any]] = {
    "short": ["abc", None, "", "ä☃𝄞"],
    "small": [1, None, -32768, 32767],
    "real": [1.5, None, 1e300, math.inf],
    "price": [decimal.Decimal("1.005"), None, decimal.Decimal("-9999.99"), decimal.Decimal("NaN")],
    "flag": [True, None, False, True],
    "day": [dt.date(1, 1, 1), None, dt.date(9999, 12, 31), dt.date(2024, 2, 29)],
    "naive": [dt.datetime(2024, 1, 1, 1, 2, 3, 456789), None, dt.datetime.min, dt.datetime.max],
    "token": [uuid.UUID(int=1), None, uuid.UUID(int=2**128 - 1), uuid.UUID(int=0)],
}


@pytest.mark.parametrize("name", VALUES)
async def test_values_are_those_of_single_updates(db: AsyncSessionFactory, name: str) -> None:
    objs = await things(db)
    for obj, value in zip(objs, VALUES[name], strict=True):
        setattr(obj, name, value)
    for obj in objs:
        await db.update(obj, name)
    expected = [repr(getattr(obj, name)) for obj in await things(db)]
    await db.update_all(await cleared(db, name), name)
    with updates(db) as seen:
        assert await db.update_all(objs, name, returning=False) == 4
    assert seen == ["unnest"]
    assert [repr(getattr(obj, name)) for obj in await things(db)] == expected


async def cleared(db: AsyncSessionFactory, name: str) -> list[Thing]:
    objs = await things(db)
    for obj in objs:
        setattr(obj, name, None)
    return objs


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("colour", [Colour.RED, Colour.BLUE, None, Colour.RED]),
        ("data", [{"a": 1}, [1, 2], None, "x"]),
    ],
)
async def test_other_types_go_by_batch(
    db: AsyncSessionFactory, name: str, values: list[Any]
) -> None:
    objs = await things(db)
    for obj, value in zip(objs, values, strict=True):
        setattr(obj, name, value)
    with updates(db) as seen:
        await db.update_all(objs, name)
    assert seen == ["many"]
    assert [getattr(obj, name) for obj in await things(db)] == values


REFUSED: dict[str, tuple[str, Any]] = {
    "too long": ("short", "abcd"),
    "too large": ("small", 2**15),
    "too many digits": ("price", decimal.Decimal("10000")),
    "a zone where there is none": ("naive", dt.datetime(2024, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_a_column_refuses_is_not_cut_to_fit(
    db: AsyncSessionFactory, case: str, backend: str
) -> None:
    name, value = REFUSED[case]
    objs = await things(db)
    before = [repr(vars(obj)) for obj in objs]
    for obj in objs:
        setattr(obj, name, value)
    if case == "a zone where there is none" and backend == "psycopg":
        # psycopg's server takes it, as it does from a single update
        await db.update(objs[0], name)
        await db.update_all(objs, name)
        stored = {obj.naive for obj in await things(db)}
        assert len(stored) == 1
        return
    with pytest.raises(DBAPIError):
        await db.update_all(objs, name)
    assert [repr(vars(obj)) for obj in await things(db)] == before


@pytest.mark.parametrize("change", [lambda objs: [*objs, objs[0]], lambda objs: objs[:1]])
async def test_rows_that_come_twice_or_alone_go_by_batch(
    db: AsyncSessionFactory, change: Callable[[list[Thing]], list[Thing]]
) -> None:
    objs = await things(db)
    for obj in objs:
        obj.short = f"s{obj.id}"
    with updates(db) as seen:
        await db.update_all(change(objs), "short")
    assert "unnest" not in seen
    assert (await db.get_one(Thing, 1)).short == "s1"


async def test_a_row_that_is_gone(db: AsyncSessionFactory) -> None:
    objs = await things(db)
    await db.delete(Thing, 2)
    for obj in objs:
        obj.short = "new"
    with pytest.raises(StaleDataError, match="2"):
        await db.update_all(objs, "short")
    assert {obj.short for obj in await things(db)} == {None}


async def test_onupdate_is_called_for_each_row(db: AsyncSessionFactory) -> None:
    objs = list((await db.scalars(select(Touched).order_by(Touched.id))).all())
    with updates(db) as seen:
        stored = await db.update_all(objs, "name")
    assert seen == ["many"]
    assert len({obj.by_call for obj in stored}) == 3
    assert {obj.by_sql for obj in stored} == {"now"}
    with updates(db) as seen:
        stored = await db.update_all(stored, "by_call")
    assert seen == ["unnest"]
    assert {obj.by_sql for obj in stored} == {"now"}
