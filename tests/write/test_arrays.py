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
from sqlalchemy import (
    CHAR,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    TypeDecorator,
    Uuid,
    cast,
    event,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, load_only, mapped_column
from sqlalchemy.orm.exc import StaleDataError

from naked_sqla import AsyncSessionFactory, RowGone

pytestmark = [
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


class Exclaimed(TypeDecorator[str]):
    """Stored with an exclamation mark, in a column of a type of its own choice."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else f"{value}!"


class Short(Base):
    __tablename__ = "array_short"

    id: Mapped[str] = mapped_column(String(3), primary_key=True)
    colour: Mapped[Colour | None] = mapped_column(Enum(Colour))


class Hexed(TypeDecorator[uuid.UUID]):
    """A UUID where there is one, and text elsewhere."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(postgresql.UUID(as_uuid=False))

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else str(value)


WORDS = ["abc", None, "", "x y"]
UUIDS = [uuid.UUID(int=1), None, uuid.UUID(int=2**128 - 1), uuid.UUID(int=0)]
NUMBERS = [1, None, -1, 32767]
DATES = [dt.datetime(2024, 1, 1, 1, 2, 3, 456789), None, dt.datetime.min, dt.datetime(1999, 9, 9)]
ZONED = [value and value.replace(tzinfo=UTC, year=2000) for value in DATES]

# Type, values; and what the column is where the application has made it otherwise.
TYPES: dict[str, tuple[Any, list[Any], str | None]] = {
    "uuid": (Uuid(), UUIDS, None),
    "uuid in text": (Uuid(native_uuid=False), UUIDS, "VARCHAR(36)"),
    "uuid in char": (Uuid(native_uuid=False), UUIDS, None),
    "uuid as text": (Uuid(as_uuid=False), [u and str(u) for u in UUIDS], None),
    "uuid of postgresql": (postgresql.UUID(), UUIDS, None),
    "native in text": (Uuid(), UUIDS, "VARCHAR(36)"),
    "char": (CHAR(32), WORDS, None),
    "string in char": (String(32), WORDS, "CHAR(32)"),
    "inet": (
        String().with_variant(postgresql.INET(), "postgresql"),
        ["::1", None, "10.0.0.1", "::2"],
        None,
    ),
    "uuid variant": (
        String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql"),
        [u and str(u) for u in UUIDS],
        None,
    ),
    "uuid, else text": (Uuid().with_variant(String(36), "sqlite"), UUIDS, None),
    "text variant": (Uuid().with_variant(Text(), "postgresql"), ["a", None, "b", ""], None),
    "number in text": (Integer().with_variant(String(9), "postgresql"), WORDS, None),
    "decorated": (Exclaimed(), WORDS, None),
    "decorated uuid": (Hexed(), UUIDS, None),
    "enum": (Enum(Colour), [Colour.RED, None, Colour.BLUE, Colour.RED], None),
    "enum in text": (
        Enum(Colour, native_enum=False),
        [Colour.RED, None, Colour.BLUE, Colour.RED],
        None,
    ),
    "words": (Enum("a", "b", native_enum=False), ["a", None, "b", "a"], None),
    "json": (JSON(), [{"a": [1]}, None, "x", 1], None),
    "jsonb": (
        JSON().with_variant(postgresql.JSONB(), "postgresql"),
        [{"b": 1, "a": 2}, None, [], 1],
        None,
    ),
    "json without none": (JSON(none_as_null=True), [{"a": 1}, None, "x", 1], None),
    "array": (postgresql.ARRAY(Integer), [[1, 2], None, [], [3]], None),
    "bytes": (LargeBinary(), [b"a", None, b"", b"\x00"], None),
    "number": (Integer(), NUMBERS, None),
    "number in numeric": (Integer(), NUMBERS, "NUMERIC"),
    "big": (BigInteger().with_variant(Integer(), "sqlite"), NUMBERS, None),
    "small": (SmallInteger(), NUMBERS, None),
    "numeric": (
        Numeric(10, 3),
        [decimal.Decimal("1.0005"), None, decimal.Decimal("NaN"), decimal.Decimal(0)],
        None,
    ),
    "floats": (Float(), [1.1, None, 1e-300, math.nan], None),
    "real": (Float(24), [1.1, None, 3.4, 0.0], None),
    "flag": (Boolean(), [True, None, False, True], None),
    "date": (Date(), [dt.date.min, None, dt.date.max, dt.date(2024, 2, 29)], None),
    "time": (Time(), [dt.time(1, 2, 3, 4), None, dt.time.min, dt.time.max], None),
    "interval": (
        Interval(),
        [dt.timedelta(days=1, seconds=1), None, dt.timedelta(0), dt.timedelta(-1)],
        None,
    ),
    "naive": (DateTime(), DATES, None),
    "rounded": (postgresql.TIMESTAMP(precision=0), DATES, None),
    "zoned": (DateTime(timezone=True), ZONED, None),
    "zoned of postgresql": (postgresql.TIMESTAMP(timezone=True), ZONED, None),
    "text": (Text(), WORDS, None),
    "collated": (String(collation="C"), WORDS, None),
}

typed = Table(
    "array_typed",
    Base.metadata,
    Column("id", Integer, primary_key=True),
    *(Column(f"c{i}", of, nullable=True) for i, (of, *_) in enumerate(TYPES.values())),
)


class Typed(Base):
    __table__ = typed


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


async def test_each_type_is_stored_as_by_single_updates(db: AsyncSessionFactory) -> None:
    """The type that counts is the one of the column on this database, as in its DDL."""
    await db.insert_all([Typed(id=i) for i in range(1, 5)])
    for index, (name, (_, values, made)) in enumerate(TYPES.items()):
        column = f"c{index}"
        if made is not None:
            change = f"ALTER TABLE array_typed ALTER {column} TYPE {made} USING NULL"
            await db.execute(text(change))
        as_text = select(cast(typed.c[column], Text)).order_by(typed.c.id)
        only = select(Typed).options(load_only(Typed.id, getattr(Typed, column)))
        objs = list((await db.scalars(only.order_by(Typed.id))).all())
        for obj, value in zip(objs, values, strict=True):
            setattr(obj, column, value)
        for obj in objs:
            await db.update(obj, column, returning=False)
        expected = list(await db.scalars(as_text))
        assert expected.count(None) < 3, name
        await db.execute(typed.update().values({column: None}))
        assert await db.update_all(objs, column, returning=False) == 4
        assert list(await db.scalars(as_text)) == expected, name


async def test_a_key_is_not_cut_to_the_length_of_its_column(db: AsyncSessionFactory) -> None:
    """Neither by arrays of keys, nor where the rows are counted before a batch."""
    await db.insert_all([Short(id="abc"), Short(id="x")])
    objs = list((await db.scalars(select(Short).order_by(Short.id))).all())
    objs[0].id = "abcd"
    for obj in objs:
        obj.colour = Colour.RED
    with pytest.raises(RowGone, match="'abcd' is gone"):
        await db.update_all(objs, "colour", returning=False)
    assert set(await db.scalars(select(Short.colour))) == {None}


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
    assert seen == ["unnest"]
    assert len({obj.by_call for obj in stored}) == 3
    assert {obj.by_sql for obj in stored} == {"now"}
    with updates(db) as seen:
        stored = await db.update_all(stored, "by_call")
    assert seen == ["unnest"]
    assert {obj.by_sql for obj in stored} == {"now"}
