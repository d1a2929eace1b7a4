"""``strategy="json"``: whatever a column holds, its value is that of the row-by-row way."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import math
import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    composite,
    deferred,
    mapped_column,
    relationship,
    selectinload,
)

from naked_sqla import into
from naked_sqla.exception import ConversionError, UnsupportedOption
from naked_sqla.into import tree

from .._examples import examples
from ..models.types import EmptyForNull, Level, LevelType, Money, MoneyType, TagKey, Upper


class Base(DeclarativeBase):
    pass


class Mood(enum.Enum):
    FINE = "f"
    SAD = "s"


def values_of(kind: Any) -> list[str]:
    return [member.value for member in kind]


@dataclasses.dataclass
class Pair:
    big: int | None
    small: int | None


class Box(Base):
    __tablename__ = "tree_box"

    id: Mapped[int] = mapped_column(primary_key=True)
    things: Mapped[list[Thing]] = relationship(order_by="Thing.id", viewonly=True)
    others: Mapped[list[Other]] = relationship(viewonly=True)
    arrays: Mapped[list[Arrays]] = relationship(order_by="Arrays.id", viewonly=True)


class Thing(Base):
    __tablename__ = "tree_thing"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    box_id: Mapped[int] = mapped_column(sa.ForeignKey(Box.id), index=True)
    box: Mapped[Box] = relationship(viewonly=True)
    big: Mapped[int | None] = mapped_column(sa.BigInteger)
    small: Mapped[int | None] = mapped_column(sa.SmallInteger)
    word: Mapped[str | None]
    char: Mapped[str | None] = mapped_column(sa.CHAR(6))
    flag: Mapped[bool | None]
    real: Mapped[float | None]
    double: Mapped[float | None] = mapped_column(sa.Double)
    single: Mapped[float | None] = mapped_column(sa.REAL)
    number: Mapped[decimal.Decimal | None] = mapped_column(sa.Numeric(20, 6))
    free: Mapped[decimal.Decimal | None] = mapped_column(sa.Numeric)
    number_float: Mapped[float | None] = mapped_column(sa.Numeric(12, 4, asdecimal=False))
    float_decimal: Mapped[decimal.Decimal | None] = mapped_column(
        sa.Float(asdecimal=True, decimal_return_scale=4)
    )
    day: Mapped[dt.date | None]
    hour: Mapped[dt.time | None]
    moment: Mapped[dt.datetime | None]
    aware: Mapped[dt.datetime | None] = mapped_column(sa.DateTime(timezone=True))
    span: Mapped[dt.timedelta | None]
    emulated: Mapped[dt.timedelta | None] = mapped_column(sa.Interval(native=False))
    uid: Mapped[uuid.UUID | None]
    uid_text: Mapped[str | None] = mapped_column(sa.Uuid(as_uuid=False))
    uid_char: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid(native_uuid=False))
    mood: Mapped[Mood | None] = mapped_column(sa.Enum(Mood, name="tree_mood"))
    mood_value: Mapped[Mood | None] = mapped_column(
        sa.Enum(Mood, native_enum=False, length=10, values_callable=values_of)
    )
    blob: Mapped[bytes | None]
    pickled: Mapped[Any] = mapped_column(sa.PickleType, nullable=True)
    json: Mapped[Any] = mapped_column(sa.JSON, nullable=True)
    json_null: Mapped[Any] = mapped_column(sa.JSON(none_as_null=True), nullable=True)
    level: Mapped[Level | None] = mapped_column(LevelType)
    money: Mapped[Money | None] = mapped_column(MoneyType)
    never_null: Mapped[str] = mapped_column(EmptyForNull, nullable=True)
    mapping: Mapped[dict[str, Any] | None] = mapped_column(MutableDict.as_mutable(sa.JSON()))
    pair: Mapped[Pair] = composite("big", "small")


class Other(Base):
    """What does not come back from JSON as it was."""

    __tablename__ = "tree_other"

    id: Mapped[int] = mapped_column(primary_key=True)
    box_id: Mapped[int] = mapped_column(sa.ForeignKey(Box.id))
    upper: Mapped[str | None] = mapped_column(Upper)
    address: Mapped[Any] = mapped_column(pg.INET)
    numbers: Mapped[Any] = mapped_column(pg.ARRAY(sa.Numeric))
    ranges: Mapped[Any] = mapped_column(pg.INT4RANGE)
    own: Mapped[Any] = mapped_column(TagKey)
    total: Mapped[int] = column_property(box_id + 1)
    later: Mapped[int] = deferred(mapped_column())


class Arrays(Base):
    """What only PostgreSQL has."""

    __tablename__ = "tree_arrays"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    box_id: Mapped[int] = mapped_column(sa.ForeignKey(Box.id), index=True)
    ints: Mapped[list[int] | None] = mapped_column(sa.ARRAY(sa.BigInteger))
    matrix: Mapped[list[list[int]] | None] = mapped_column(pg.ARRAY(sa.Integer, dimensions=2))
    texts: Mapped[tuple[str, ...] | None] = mapped_column(pg.ARRAY(sa.Text, as_tuple=True))
    flags: Mapped[list[bool] | None] = mapped_column(pg.ARRAY(sa.Boolean))
    moneys: Mapped[list[Any] | None] = mapped_column(pg.ARRAY(MoneyType))
    jsonb: Mapped[Any] = mapped_column(pg.JSONB, nullable=True)
    zoned: Mapped[dt.time | None] = mapped_column(sa.Time(timezone=True))
    citext_like: Mapped[str | None] = mapped_column(pg.VARCHAR(20))
    precise: Mapped[float | None] = mapped_column(pg.DOUBLE_PRECISION)
    span: Mapped[dt.timedelta | None] = mapped_column(pg.INTERVAL)
    raw: Mapped[bytes | None] = mapped_column(pg.BYTEA)


def target(model: Any, *names: str) -> Any:
    keys = names or [prop.key for prop in model.__mapper__.column_attrs]
    child = dataclasses.make_dataclass("Child", [(key, Any) for key in keys])
    relation = LOADED[model].key
    return dataclasses.make_dataclass("Parent", [("id", int), (relation, list[child])])  # type: ignore[valid-type]


def shown(value: Any) -> Any:
    """A value with its type, which NaN has too."""
    if isinstance(value, dict):
        return type(value), {key: shown(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [shown(each) for each in value]
    if dataclasses.is_dataclass(value):
        return {
            field.name: shown(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    return type(value), repr(value)


def both(conn: Connection, cls: Any, statement: Any) -> list[Any]:
    """The objects of a statement, which both ways give."""
    expected = into.execute(conn, cls, statement).all()
    found = [*tree.execute(conn, cls, statement)]
    assert [shown(each) for each in found] == [shown(each) for each in expected]
    return found


# no NUL, which PostgreSQL does not store, and no half of a pair
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXT
    | st.floats(-1e9, 1e9).filter(lambda x: x == 0 or abs(x) > 1e-60),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
MOMENTS = st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(9998, 1, 1))
SPANS = st.timedeltas(dt.timedelta(days=-90000), dt.timedelta(days=90000))


def floats(sqlite: bool, **limits: Any) -> Any:
    if not sqlite:
        return st.floats(**limits)
    # SQLite has no NaN, and what is smaller is refused
    return st.floats(allow_nan=False, **limits).filter(
        lambda x: x == 0 or 1e-60 < abs(x) < 1e60 or math.isinf(x)
    ) | st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-60)


def things(sqlite: bool) -> dict[str, Any]:
    number = st.decimals(-(10**9), 10**9, places=6)
    wide = st.decimals(allow_nan=not sqlite, allow_infinity=False, places=5)
    wide = wide.map(lambda x: decimal.Decimal("NaN") if x.is_nan() else x)
    # asyncpg has other digits for whole numbers that end with four zeros
    wide |= st.integers(-12000, 12000).map(lambda x: decimal.Decimal(x * 10**8))
    return {
        "big": st.integers(-(2**63), 2**63 - 1),
        "small": st.integers(-(2**15), 2**15 - 1),
        "word": TEXT,
        "char": st.text("ab é", max_size=6),
        "flag": st.booleans(),
        "real": floats(sqlite),
        "double": floats(sqlite),
        "single": floats(sqlite, width=32),
        "number": number,
        "free": number if sqlite else wide,
        "number_float": st.decimals(-(10**7), 10**7, places=4).map(float),
        "float_decimal": st.floats(-1e6, 1e6).map(lambda x: round(x, 3)).map(decimal.Decimal),
        "day": st.dates(),
        "hour": st.times(),
        "moment": MOMENTS,
        "aware": MOMENTS.map(lambda moment: moment.replace(tzinfo=dt.UTC)),
        "span": SPANS if not sqlite else SPANS.map(abs),
        "emulated": SPANS.map(abs),
        "uid": st.uuids(),
        "uid_text": st.uuids().map(str),
        "uid_char": st.uuids(),
        "mood": st.sampled_from(Mood),
        "mood_value": st.sampled_from(Mood),
        "blob": st.binary(max_size=9),
        "pickled": st.lists(st.binary(max_size=3), max_size=2),
        "json": JSON,
        "json_null": JSON,
        "level": st.sampled_from(Level),
        "money": st.integers(0, 2**31 - 1).map(Money),
        "never_null": TEXT,
        "mapping": st.dictionaries(TEXT, JSON, max_size=2),
    }


def arrays(sqlite: bool) -> dict[str, Any]:
    return {
        "ints": st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=3),
        "matrix": st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(list), max_size=3),
        "texts": st.lists(st.none() | TEXT, max_size=3),
        "flags": st.lists(st.none() | st.booleans(), max_size=3),
        "moneys": st.lists(st.integers(0, 9).map(Money), max_size=2),
        "jsonb": JSON.filter(lambda value: "\\u0000" not in repr(value)),
        "zoned": st.times().map(lambda t: t.replace(tzinfo=dt.timezone(dt.timedelta(hours=-3)))),
        "citext_like": TEXT.map(lambda text: text[:9]),
        "precise": st.floats(),
        "span": SPANS,
        "raw": st.binary(max_size=9),
    }


@pytest.fixture
async def conn(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with engine.connect() as opened:
        tables: list[Any] = [Box.__table__, Thing.__table__]
        if engine.dialect.name != "sqlite":
            tables.append(Arrays.__table__)
        await opened.run_sync(lambda sync: Base.metadata.create_all(sync, tables=tables))
        await opened.execute(insert(Box), [{"id": 1}, {"id": 2}])
        yield opened


def stored(conn: Connection, model: Any, rows: list[dict[str, Any]]) -> None:
    table: Any = model.__table__
    conn.execute(table.delete())
    numbered = [{"id": n, "box_id": 1 + n % 2, **row} for n, row in enumerate(rows)]
    for row in numbered:
        conn.execute(insert(table), row)


LOADED: dict[Any, Any] = {Thing: Box.things, Arrays: Box.arrays, Other: Box.others}


def check_any(conn: Connection, model: Any, columns: dict[str, Any], few: int) -> None:
    statement = select(Box).order_by(Box.id).options(selectinload(LOADED[model]))
    cls = target(model)
    row = st.fixed_dictionaries({key: st.none() | values for key, values in columns.items()})

    @examples(few)
    @given(st.lists(row, min_size=1, max_size=4))
    def read(rows: list[dict[str, Any]]) -> None:
        stored(conn, model, rows)
        both(conn, cls, statement)

    read()


async def test_any_value(conn: AsyncConnection) -> None:
    sqlite = conn.dialect.name == "sqlite"
    await conn.run_sync(check_any, Thing, things(sqlite), 10)
    if not sqlite:
        await conn.run_sync(check_any, Arrays, arrays(sqlite), 10)


# ---------------------------------------------------------------- edges, one by one

POSTGRES = ["asyncpg", "psycopg"]


async def test_what_does_not_come_back_exactly_is_refused(conn: AsyncConnection) -> None:
    """The error names the column; nothing is sent, and the table is not even there."""
    for name in ("upper", "address", "numbers", "ranges", "own", "total"):
        only = selectinload(Box.others).load_only(Other.id, getattr(Other, name))
        cls = target(Other, "id", name)
        with pytest.raises(UnsupportedOption, match=rf"Box\.others\.{name} .* leave strategy out"):
            await conn.run_sync(tree.execute, cls, select(Box).options(only))
    # columns without a field are not asked for, and not refused
    await conn.run_sync(
        lambda sync: sync.execute(sa.text("CREATE TABLE tree_other (id int, box_id int)"))
    )
    await conn.execute(sa.text("INSERT INTO tree_other VALUES (5, 1)"))
    await conn.execute(sa.text("DELETE FROM tree_box WHERE id = 2"))
    child = msgspec.defstruct("Child", [("id", int)])
    parent = msgspec.defstruct("Parent", [("others", list[child])])  # type: ignore[valid-type]
    statement = select(Box).options(selectinload(Box.others))
    found = await conn.run_sync(lambda sync: tree.execute(sync, parent, statement).all())
    assert found == [parent([child(5)])]


@pytest.mark.parametrize("backend", POSTGRES)
async def test_settings_of_the_session(conn: AsyncConnection) -> None:
    """Time zone, styles and digits change the text that the server writes of a value."""
    row = {
        "real": 0.1 + 0.2,
        "single": 0.1,
        "double": -0.0,
        "number": decimal.Decimal("0.000000"),
        "day": dt.date(2026, 7, 1),
        "moment": dt.datetime(2026, 7, 1, 12, 30, 0, 120000),
        "aware": dt.datetime(2026, 7, 1, 12, 30, tzinfo=dt.UTC),
        "blob": b"\\x00",
    }
    await conn.run_sync(stored, Thing, [row])
    statement = select(Box).order_by(Box.id).options(selectinload(Box.things))
    for setting in (
        "TimeZone = 'America/New_York'",
        "TimeZone = 'UTC'",
        "extra_float_digits = 0",
        "extra_float_digits = -10",
        "bytea_output = 'escape'",
    ):
        await conn.execute(sa.text(f"SET LOCAL {setting}"))
        await conn.run_sync(both, target(Thing), statement)


MOMENT = dt.datetime(2026, 7, 1, 12, 30)
SPECIAL = [
    "-13 months 3 days -04:05:06.7",
    "1 year -1 month",
    "25 months",
    "-1 microsecond",
]


async def put(conn: AsyncConnection, column: str, *values: str) -> None:
    await conn.execute(Thing.__table__.delete())  # type: ignore[attr-defined]
    for number, value in enumerate(values):
        row = f"INSERT INTO tree_thing (id, box_id, {column}) VALUES ({number}, 1, '{value}')"
        await conn.execute(sa.text(row))


@pytest.mark.parametrize("backend", POSTGRES)
async def test_dates_at_the_edge(conn: AsyncConnection) -> None:
    statement = select(Box).order_by(Box.id).options(selectinload(Box.things))
    await put(conn, "span", *SPECIAL)
    await conn.run_sync(both, target(Thing), statement)
    # an error in both ways
    await put(conn, "moment", "0044-03-15 BC")
    for way in (into, tree):
        with pytest.raises(Exception, match=r"(?i)year|BC|range|isoformat"):
            await conn.run_sync(way.execute, target(Thing), statement)
    if conn.dialect.driver != "asyncpg":
        return
    # psycopg refuses these itself
    for column in ("day", "moment", "aware"):
        await put(conn, column, "infinity", "-infinity")
        found = await conn.run_sync(both, target(Thing), statement)
        assert getattr(found[0].things[0], column).year == 9999
    await conn.run_sync(
        stored, Thing, [{"day": dt.date(2026, 7, 1), "span": dt.timedelta(-3, 5), "moment": MOMENT}]
    )
    await conn.execute(sa.text("SET LOCAL DateStyle = 'German'"))
    await conn.execute(sa.text("SET LOCAL IntervalStyle = 'iso_8601'"))
    await conn.run_sync(both, target(Thing), statement)


@pytest.mark.parametrize("backend", POSTGRES)
async def test_whole_numbers_that_end_with_zeros(conn: AsyncConnection) -> None:
    """asyncpg gives 10000 as Decimal("1E+4"), which is another text."""
    statement = select(Box).order_by(Box.id).options(selectinload(Box.things))
    numbers = "0 10 10000 -40000 1000000 1e8 12345e26 1e131000 10000.0 100000.5 0.00010000 Infinity"
    await put(conn, "free", *numbers.split())
    await conn.run_sync(both, target(Thing), statement)


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_sqlite_stores_anything(conn: AsyncConnection) -> None:
    for value in (1e-300, 5e-324, 1.7e308, -1e200):
        await conn.run_sync(stored, Thing, [{"real": value}])
        few = select(Box).options(selectinload(Box.things))
        with pytest.raises(ConversionError, match=r"Child\.real.*leave strategy out"):
            await conn.run_sync(tree.execute, target(Thing), few)
    await conn.execute(Thing.__table__.delete())  # type: ignore[attr-defined]
    await conn.execute(
        sa.text(
            "INSERT INTO tree_thing (id, box_id, word, number, json, real) VALUES "
            "(1, 1, 'a' || char(0) || 'b', 9007199254740993, '5', 3), "
            "(2, 1, '', -0.0, '2.5', 9e999), (3, 1, 7, 1e15, '[1e400]', -9e999)"
        )
    )
    statement = select(Box).order_by(Box.id).options(selectinload(Box.things))
    await conn.run_sync(
        both,
        target(Thing, "word", "number", "json", "real", "id"),
        statement.options(
            selectinload(Box.things).load_only(Thing.word, Thing.number, Thing.json, Thing.real)
        ),
    )


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_composites_and_the_rows_themselves(conn: AsyncConnection) -> None:
    """Below the rows, and in them: the values of the statement's own rows are wrapped too."""
    await conn.run_sync(
        stored, Thing, [{"big": 2**53 + 1, "small": 1, "mapping": {"a": 1}}, {"small": 2}]
    )
    few = selectinload(Box.things).load_only(Thing.big, Thing.small)
    statement = select(Box).order_by(Box.id).options(few)
    found = await conn.run_sync(both, target(Thing, "pair", "id"), statement)
    assert found[0].things[0].pair == Pair(2**53 + 1, 1)
    parent = dataclasses.make_dataclass("BoxOut", [("id", int)])
    thing = msgspec.defstruct("ThingOut", [("mapping", Any), ("pair", Any), ("box", parent)])
    up = select(Thing).order_by(Thing.id).options(selectinload(Thing.box))

    def read(conn: Connection) -> list[list[Any]]:
        return [way.execute(conn, thing, up).all() for way in (into, tree)]

    for one, other in await conn.run_sync(read):
        assert (one.mapping, one.pair, one.box.id) == ({"a": 1}, Pair(2**53 + 1, 1), 1)
        assert type(one.mapping) is MutableDict
        assert (other.mapping, other.pair, other.box.id) == (None, Pair(None, 2), 2)


async def test_a_deserializer_of_the_engine(database_url: sa.URL) -> None:
    """It reads JSON columns, and not the tree."""
    engine = create_async_engine(database_url, json_deserializer=lambda text: ("mine", text))
    async with engine.connect() as opened:
        tables: list[Any] = [Box.__table__, Thing.__table__]
        await opened.run_sync(lambda sync: Base.metadata.create_all(sync, tables=tables))
        await opened.execute(insert(Box), [{"id": 1}, {"id": 2}])
        await opened.run_sync(stored, Thing, [{}, {"json": [1], "mapping": {}}])
        cls = target(Thing, "json", "id")
        only = selectinload(Box.things).load_only(Thing.json)
        statement = select(Box).order_by(Box.id).options(only)
        found = await opened.run_sync(both, cls, statement)
        assert found[1].things[0].json[0] == "mine"
    await engine.dispose()
