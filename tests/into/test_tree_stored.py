"""``strategy="json"`` where the database stores something else than the mapping says."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, create_engine, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.orm import declarative_base, relationship, selectinload

from naked_sqla import into
from naked_sqla.exception import ConversionError, UnsupportedOption
from naked_sqla.into import tree

from .._examples import ASKED
from .test_tree_values import Box, Thing, shown, target

# ---------------------------------------------------------------- SQLite: any value in any column

STORED = [
    *("NULL", "0", "1", "-7", "2", "9223372036854775807", "20260102", "1234567890"),
    *("0.0", "1.5", "2.0", "-1e-9", "0.1", "1e300", "9e999", "20260102.5"),
    *("''", "'abc'", "'1.5'", "'7'", "'t'", "'2026-01-02'", "'2026-01-02 03:04:05'", "'null'"),
    *('\'{"blob":"61"}\'', "'ends with {'", "'03:04:05'", "'FINE'", "'f'", "'1e5'", "'[1, 2.5]'"),
    *("'a' || char(0) || 'b'", "'rbeyond'", "CAST(x'ff61' AS TEXT)", "'" + "ab" * 16 + "'"),
    # the third is JSON in the binary form of SQLite
    *("x''", "x'6162'", "x'1331'", "x'ff00'", "x'" + "ab" * 16 + "'"),
]
COLUMNS = [prop.key for prop in Thing.__mapper__.column_attrs if prop.key not in ("id", "box_id")]


@pytest.fixture(scope="module")
def sqlite() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as conn:
        # without types no value is converted when it is stored
        names = ", ".join(COLUMNS)
        for table in (
            "tree_box (id INTEGER PRIMARY KEY)",
            f"tree_thing (id INTEGER PRIMARY KEY, box_id INTEGER, {names})",
        ):
            conn.execute(sa.text(f"CREATE TABLE {table}"))
        conn.execute(sa.text("INSERT INTO tree_box VALUES (1)"))
        conn.execute(sa.text("INSERT INTO tree_thing (id, box_id) VALUES (1, 1)"))
        yield conn
    engine.dispose()


def outcome(way: Any, conn: Connection, cls: Any, statement: Any) -> Any:
    try:
        with conn.begin_nested():
            return [shown(each) for each in way.execute(conn, cls, statement)]
    except Exception as error:  # noqa: BLE001 - compared below
        return error


@pytest.mark.parametrize("column", COLUMNS)
def test_whatever_sqlite_stores(sqlite: Connection, column: str) -> None:
    """Equal to the row-by-row way, or an error that names the column."""
    only = selectinload(Box.things).load_only(getattr(Thing, column))
    statement = select(Box).options(only)
    cls = target(Thing, column, "id")
    for value in STORED:
        sqlite.exec_driver_sql(f"UPDATE tree_thing SET {column} = {value}")
        expected, found = (outcome(way, sqlite, cls, statement) for way in (into, tree))
        if not isinstance(found, Exception):
            assert found == expected, value
        elif "ff61" in value and isinstance(found, sa.exc.OperationalError):
            # the driver can't decode it
            assert isinstance(expected, sa.exc.OperationalError)
        else:
            assert isinstance(found, ConversionError), value
            assert found.attribute == column
            # text and bytes come back wherever the row-by-row way reads them
            assert isinstance(expected, Exception) or "'" not in value, value


# ---------------------------------------------------------------- PostgreSQL: other types

IN_THE_DATABASE = {
    "smallint": "7",
    "integer": "7",
    "bigint": "9007199254740993",
    "numeric(9,2)": "1.50",
    "numeric": "7",
    "real": "0.1",
    "double precision": "0.1",
    "money": "1.5",
    "oid": "7",
    "boolean": "true",
    "text": "abc",
    "varchar(9)": "7",
    "char(5)": "ab",
    "name": "abc",
    '"char"': "a",
    "date": "2026-07-01",
    "time": "01:02:03",
    "timetz": "01:02:03+05",
    "timestamp": "2026-07-01 12:30:00.5",
    "timestamptz": "2026-07-01 12:30:00+05",
    "interval": "1 day 01:02:03",
    "uuid": "12345678-1234-5678-1234-567812345678",
    "bytea": "\\x6162",
    "json": '{"a": 1.50}',
    "jsonb": "[1]",
    "inet": "10.0.0.1",
    "int4range": "[1,5)",
    "integer[]": "{1,2}",
    "numeric[]": "{1.50}",
    "text[]": "{a}",
    "stored_mood": "FINE",
    "stored_word": "abc",
    "stored_pair": "(1,a)",
    "stored_amount": "1.50",
    "stored_mood[]": "{FINE}",
}
MAPPED: dict[str, Any] = {
    "integer": sa.Integer,
    "boolean": sa.Boolean,
    "text": sa.String,
    "enum": sa.Enum("FINE", "SAD", native_enum=False),
    "numeric": sa.Numeric(9, 2),
    "numeric as float": sa.Numeric(asdecimal=False),
    "float": sa.Float,
    "float as decimal": sa.Float(asdecimal=True),
    "double": sa.Double,
    "date": sa.Date,
    "time": sa.Time,
    "moment": sa.DateTime,
    "aware": sa.DateTime(timezone=True),
    "interval": sa.Interval,
    "uuid": sa.Uuid,
    "uuid as text": sa.Uuid(as_uuid=False),
    "uuid in text": sa.Uuid(native_uuid=False),
    "bytes": sa.LargeBinary,
    "json": sa.JSON,
    "integers": sa.ARRAY(sa.Integer),
    "texts": sa.ARRAY(sa.Text),
}


# all pairs take a minute
PAIRS: dict[str, list[str]] = {
    "integer": ["integer", "bigint", "numeric", "text", "real", "boolean"],
    "boolean": ["integer", "numeric"],
    "text": [
        *("integer", "char(5)", "numeric", "uuid", "date", "json", "text[]", '"char"'),
        *("stored_mood", "stored_word", "stored_pair", "stored_amount", "stored_mood[]"),
    ],
    "numeric": ["integer", "stored_amount", "double precision", "money"],
    "float": ["numeric", "real", "integer"],
    "date": ["timestamp"],
    "moment": ["timestamptz", "date"],
    "aware": ["timestamp", "date"],
    "time": ["timetz"],
    "uuid in text": ["uuid", "text"],
    "bytes": ["text"],
    "json": ["jsonb", "text"],
    "integers": ["numeric[]", "text[]"],
}
if ASKED:
    PAIRS = {kind: list(IN_THE_DATABASE) for kind in MAPPED}


def mapped_as(kind: str) -> tuple[Any, Any]:
    """A class, and one of its relationships whose columns, of all types, are mapped as this one."""
    base: Any = declarative_base()

    class Child(base):  # type: ignore[misc]
        __tablename__ = "stored"
        id = sa.Column(sa.Integer, primary_key=True)
        box_id: Any = sa.Column(sa.ForeignKey("stored_box.id"))

    class Parent(base):  # type: ignore[misc]
        __tablename__ = "stored_box"
        id = sa.Column(sa.Integer, primary_key=True)
        children = relationship(Child)

    for number in range(len(IN_THE_DATABASE)):
        setattr(Child, f"c{number}", sa.Column(MAPPED[kind]))
    return Parent, Child


@pytest.fixture
async def stored(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with engine.connect() as conn:
        columns = ", ".join(f"c{number} {each}" for number, each in enumerate(IN_THE_DATABASE))
        values = ", ".join(f"'{each}'" for each in IN_THE_DATABASE.values())
        for statement in (
            "CREATE TYPE stored_mood AS ENUM ('FINE', 'SAD')",
            "CREATE DOMAIN stored_word AS text",
            "CREATE DOMAIN stored_amount AS numeric",
            "CREATE TYPE stored_pair AS (a int, b text)",
            "CREATE TABLE stored_box (id int)",
            "INSERT INTO stored_box VALUES (1)",
            f"CREATE TABLE stored (id int, box_id int, {columns})",
            f"INSERT INTO stored VALUES (1, 1, {values})",
        ):
            await conn.exec_driver_sql(statement)
        yield conn


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"])
async def test_whatever_type_the_column_has(stored: AsyncConnection) -> None:
    """Equal to the row-by-row way, or an error."""

    def check(conn: Connection) -> None:
        equal = 0
        for kind, types in PAIRS.items():
            parent, child = mapped_as(kind)
            for stored_as in types:
                name = f"c{list(IN_THE_DATABASE).index(stored_as)}"
                out = dataclasses.make_dataclass("Out", [(name, Any)])
                cls = dataclasses.make_dataclass("ParentOut", [("children", list[out])])  # type: ignore[valid-type]
                only = selectinload(parent.children).load_only(getattr(child, name))
                expected, found = (
                    outcome(way, conn, cls, select(parent).options(only)) for way in (into, tree)
                )
                pair = f"{kind} mapped, {stored_as} stored"
                if isinstance(found, ConversionError):
                    assert isinstance(expected, Exception), pair
                elif isinstance(found, Exception):
                    # where the database has no such function, it says so
                    assert isinstance(found, UnsupportedOption | sa.exc.DBAPIError), pair
                else:
                    assert found == expected, pair
                    equal += 1
        assert equal > 10

    await stored.run_sync(check)


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"])
async def test_types_are_asked_for_once(stored: AsyncConnection) -> None:
    """By the first call with rows; the error names the column and both types."""
    parent, child = mapped_as("text")
    name, text = (f"c{list(IN_THE_DATABASE).index(each)}" for each in ("numeric", "text"))
    seen: list[str] = []
    classes: dict[str, Any] = {}
    for column in (name, text):
        out = dataclasses.make_dataclass("Out", [(column, Any)])
        classes[column] = dataclasses.make_dataclass("ParentOut", [("children", list[out])])  # type: ignore[valid-type]

    def run(conn: Connection, column: str, way: Any = tree.execute) -> Any:
        cls = classes[column]
        only = selectinload(parent.children).load_only(getattr(child, column))
        return way(conn, cls, select(parent).options(only)).all()

    for way in (tree.execute, tree.stream):
        for _ in range(2):
            with pytest.raises(
                UnsupportedOption, match=r"type numeric .* String.* leave strat"
            ) as e:
                await stored.run_sync(run, name, way)
            assert f"Parent.children.{name} is" in str(e.value)

    def watched(conn: Connection) -> None:
        sa.event.listen(conn, "before_cursor_execute", lambda *args: seen.append(args[2]))
        run(conn, text)

    await stored.run_sync(watched)
    await stored.run_sync(run, text)
    await stored.run_sync(run, text, tree.stream)
    assert ["pg_type" in each for each in seen] == [True, False, False]
