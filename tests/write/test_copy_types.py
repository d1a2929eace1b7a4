"""Types of PostgreSQL through COPY: stored as ``insert_all()`` does it, or refused by name."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import ipaddress
import uuid
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    CHAR,
    JSON,
    REAL,
    BigInteger,
    Boolean,
    Connection,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    PickleType,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    TypeDecorator,
    Uuid,
    text,
)
from sqlalchemy import Column as Col
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import registry
from sqlalchemy.types import UserDefinedType

from naked_sqla import AsyncSessionFactory, InvalidStatement
from naked_sqla.write import objects as writing
from naked_sqla.write.copying import copy_in

pytestmark = [
    pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True),
]


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


class Named(UserDefinedType[Any]):
    """A type that SQLAlchemy does not have."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self) -> str:
        return self.name


class Price(TypeDecorator[str]):
    impl = pg.MONEY
    cache_ok = True


D = decimal.Decimal
_utc = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_uuid = uuid.UUID(int=5)
# names, types and values; as arrays, too
ITEMS: dict[str, tuple[Any, list[Any]]] = {
    "inet": (pg.INET(), ["10.0.0.1", "10.0.0.0/8", ipaddress.ip_address("::1")]),
    "cidr": (pg.CIDR(), ["10.0.0.0/8", ipaddress.ip_network("10.0.0.0/8")]),
    "int4range": (pg.INT4RANGE(), [Range(1, 5), Range(1, 5, bounds="(]"), Range(empty=True)]),
    "numrange": (pg.NUMRANGE(), [Range(D(1), D("5.5"))]),
    "daterange": (pg.DATERANGE(), [Range(dt.date(2020, 1, 1), None)]),
    "tsrange": (pg.TSRANGE(), [Range(dt.datetime(2020, 1, 1), None)]),
    "tstzrange": (pg.TSTZRANGE(), [Range(_utc, None)]),
    "json": (JSON(), [{"a": 1}, [1], "s"]),
    "jsonb": (pg.JSONB(), [{"a": 1}, [1], "s"]),
    "jsonpath": (pg.JSONPATH(), ["$.a"]),
    "oid": (pg.OID(), [42]),
    "interval": (Interval(), [dt.timedelta(days=3, seconds=5, microseconds=7)]),
    "uuid": (Uuid(), [_uuid]),
    "uuid_text": (Uuid(as_uuid=False), [str(_uuid)]),
    "uuid_char": (Uuid(native_uuid=False), [_uuid]),
    "enum": (Enum(Colour), [Colour.RED, Colour.BLUE]),
    "enum_words": (Enum("x", "y", name="copied_words"), ["x", "y"]),
    "enum_char": (Enum(Colour, native_enum=False), [Colour.BLUE]),
    "domain": (pg.DOMAIN("copied_positive", Integer, check="VALUE > 0"), [5]),
    "char": (CHAR(5), ["a"]),
    "string": (String(), ["a\tb\n\\N", "", 'q"']),
    "smallint": (SmallInteger(), [5]),
    "bigint": (BigInteger(), [2**40]),
    "real": (REAL(), [0.1]),
    "double": (Double(), [0.1]),
    "float": (Float(), [1.5]),
    "numeric": (Numeric(6, 2), [D("1.005"), 5]),
    "boolean": (Boolean(), [True, False]),
    "bytes": (LargeBinary(), [b"\x00\xff"]),
    "date": (Date(), [dt.date(2020, 1, 1)]),
    "time": (Time(), [dt.time(1, 2, 3)]),
    "zoned": (DateTime(timezone=True), [_utc]),
    "macaddr": (pg.MACADDR(), ["08:00:2b:01:02:03"]),
    "macaddr8": (pg.MACADDR8(), ["08:00:2b:01:02:03:04:05"]),
    "money": (pg.MONEY(), ["$1,234.50", "12.34"]),
    "tsvector": (pg.TSVECTOR(), ["a fat cat"]),
    "tsquery": (pg.TSQUERY(), ["'a' & 'b'"]),
    "regclass": (pg.REGCLASS(), ["pg_class"]),
    "regconfig": (pg.REGCONFIG(), ["english"]),
}
ALONE: dict[str, tuple[Any, list[Any]]] = {
    "multirange": (pg.INT4MULTIRANGE(), [[Range(1, 5), Range(7, 9)], []]),
    "date_multirange": (pg.DATEMULTIRANGE(), [[Range(dt.date(2020, 1, 1), None)]]),
    "seconds": (pg.INTERVAL(precision=0), [dt.timedelta(seconds=5, microseconds=700000)]),
    "rounded": (pg.TIMESTAMP(precision=0), [dt.datetime(2020, 1, 1, 1, 1, 1, 600000)]),
    "pickle": (PickleType(), [{"a": 1}]),
    "text": (Text(), ["x"]),
    "matrix": (pg.ARRAY(Integer, dimensions=2), [[[1, 2], [3, 4]]]),
    "price": (Price(), ["12.34"]),
    "address": (pg.DOMAIN("copied_address", pg.MACADDR), ["08:00:2b:01:02:03"]),
}
# known to asyncpg as text, and its COPY is binary
AS_TEXT = {
    *("macaddr", "macaddr8", "money", "tsvector", "tsquery", "regclass", "regconfig"),
    *("price", "address"),
}
# PostgreSQL has no arrays of these here, or SQLAlchemy has not
NO_ARRAYS = {"enum_char", "uuid_char"}


def _alike(values: list[Any]) -> list[Any]:
    """Give the values of one type: psycopg sends no others in an array."""
    return [value for value in values if type(value) is type(values[0])]


KINDS = {
    name: (name, type_, [*values, *([] if name == "jsonpath" else [None])])
    for name, (type_, values) in {**ITEMS, **ALONE}.items()
}
KINDS |= {
    f"{name}[]": (name, ARRAY(type_), [_alike(values), [], None])
    for name, (type_, values) in ITEMS.items()
    if name not in NO_ARRAYS
}


def model_of(name: str, type_: Any) -> Any:
    """Map a class with a column of a type."""
    model = type("Copied", (), {})
    columns = (Col("id", Integer, primary_key=True), Col("value", type_))
    registry().map_imperatively(model, Table(f"copied {name}", MetaData(), *columns))
    return model


@pytest.mark.parametrize("name", KINDS)
async def test_as_insert_all(engine: AsyncEngine, name: str) -> None:
    item, type_, values = KINDS[name]
    model = model_of(name, type_)
    table = model.__table__ if hasattr(model, "__table__") else model.__mapper__.local_table
    rows = [{"id": n, "value": value} for n, value in enumerate(values)]
    look = text(f'SELECT id, value::text FROM "{table.name}" ORDER BY id')

    def work(conn: Connection) -> None:
        table.create(conn)
        writing.insert_all(conn, rows, model=model)
        expected = conn.execute(look).all()
        for given, columns in ((rows, None), ([tuple(r.values()) for r in rows], ["id", "value"])):
            conn.execute(table.delete())
            if engine.dialect.driver == "asyncpg" and item in AS_TEXT:
                with pytest.raises(InvalidStatement, match=r"Copied\.value is a .*insert_all"):
                    copy_in(conn, model, given, columns=columns)
                assert copy_in(conn, model, [{"id": 1}]) == 1
            else:
                assert copy_in(conn, model, given, columns=columns) == len(rows)
                assert conn.execute(look).all() == expected

    async with engine.begin() as conn:
        await conn.run_sync(work)


@pytest.mark.parametrize("type_", [pg.HSTORE(), pg.CITEXT()], ids=["hstore", "citext"])
async def test_types_of_extensions(engine: AsyncEngine, type_: Any) -> None:
    """They are refused before anything is sent: the table is not even there."""
    if engine.dialect.driver == "psycopg":
        # an extension is there or it is not: psycopg sends text
        return
    async with AsyncSessionFactory(engine).begin() as session:
        with pytest.raises(InvalidStatement, match=r"Copied\.value is a .*insert_all"):
            await session.copy_in(model_of("extension", type_), [{"id": 1, "value": None}])


async def test_a_type_that_nobody_knows(engine: AsyncEngine) -> None:
    """It works, or the error says what asyncpg can't do; and the connection stays in order."""
    model = model_of("unknown", Named("REGTYPE"))
    db = AsyncSessionFactory(engine)
    async with engine.begin() as conn:
        await conn.run_sync(model.__mapper__.local_table.create)
    rows = [{"id": 1, "value": "integer"}]
    if engine.dialect.driver == "psycopg":
        async with db.begin() as session:
            assert await session.copy_in(model, rows) == 1
        return
    with pytest.raises(InvalidStatement, match=r"type regtype .*Use insert_all"):
        async with db.begin() as session:
            await session.copy_in(model, rows)
    stored = await db.insert_all(rows, model=model)
    assert [row.value for row in stored] == ["integer"]
