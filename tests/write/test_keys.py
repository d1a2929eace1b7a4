"""Keys that come back in another form than they were given: the stored rows keep the order."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
    CHAR,
    REAL,
    Connection,
    DateTime,
    ForeignKey,
    Integer,
    Numeric,
    String,
    TypeDecorator,
    Uuid,
    text,
)
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSessionFactory, InvalidStatement
from naked_sqla.write import objects as writing

from .._examples import examples
from ..oracle import Oracle


class Base(DeclarativeBase):
    pass


class Upper(TypeDecorator[str]):
    """Stores capitals, and reads what is stored."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value.upper()


def models(name: str, type_: Any) -> tuple[Any, Any]:
    """Make a class with a key of a type, and a joined one."""
    key = {"primary_key": True, "autoincrement": False}
    note = {"__annotations__": {"note": Mapped[str | None]}}
    alone = {"__tablename__": f"key_{name}", "key": mapped_column(type_, **key), **note}
    parent = type(
        f"Parent{name}",
        (Base,),
        {
            "__tablename__": f"parent_{name}",
            "key": mapped_column(type_, **key),
            "kind": mapped_column(String(9)),
            "__mapper_args__": {"polymorphic_on": "kind", "polymorphic_identity": "parent"},
        },
    )
    child = {
        "__tablename__": f"child_{name}",
        "key": mapped_column(type_, ForeignKey(f"parent_{name}.key"), **key),
        "__mapper_args__": {"polymorphic_identity": "child"},
        **note,
    }
    return type(f"Key{name}", (Base,), alone), type(f"Child{name}", (parent,), child)


_utc = dt.UTC
_far = dt.timezone(dt.timedelta(hours=5))
EVERYWHERE: dict[str, tuple[Any, list[Any]]] = {
    "char": (CHAR(5), ["a", "b", "cde", "", "xxxxx"]),
    "real": (REAL(), [0.1, 2.7, 1, 16777217.0]),
    "upper": (Upper(), ["b", "A", "c"]),
    "numeric": (
        Numeric(6, 2),
        [decimal.Decimal("1.005"), decimal.Decimal("2"), decimal.Decimal(1)],
    ),
    "uuid": (
        Uuid(as_uuid=False),
        ["22345678-1234-5678-1234-567812345678", "12345678123456781234567812345678"],
    ),
    "integer": (Integer(), [3, 1, 2]),
}
POSTGRESQL: dict[str, tuple[Any, list[Any]]] = {
    "inet": (pg.INET(), ["10.0.0.3", "10.0.0.2/24", "::1", "10.0.0.1/32"]),
    "cidr": (pg.CIDR(), ["10.0.0.2/32", "10.0.0.0/24"]),
    "macaddr": (pg.MACADDR(), ["08-00-2b-01-02-03", "08002b:010202"]),
    "zoned": (
        DateTime(timezone=True),
        [dt.datetime(2021, 1, 1, tzinfo=_far), dt.datetime(2020, 1, 1, tzinfo=_utc)],
    ),
    "rounded": (
        pg.TIMESTAMP(precision=0),
        [dt.datetime(2021, 1, 1, 1, 1, 1, 600000), dt.datetime(2020, 1, 1)],
    ),
    "array": (ARRAY(String), [["b"], ["a", "c"]]),
}
KEYS = {**EVERYWHERE, **POSTGRESQL}
MODELS = {name: models(name, type_) for name, (type_, _) in KEYS.items()}


def make(conn: Connection, *classes: Any) -> None:
    tables = [table for model in classes for table in model.__mapper__.tables]
    Base.metadata.create_all(conn, tables=tables)


def checked(conn: Connection, name: str, values: list[Any]) -> None:
    """Insert, and upsert twice; each time the rows are those that were given, in their order."""
    alone, child = MODELS[name]
    for model in (alone, child):
        rows = [{"key": value, "note": f"n{n}"} for n, value in enumerate(values)]
        stored = writing.insert_all(conn, rows, model=model)
        assert [obj.note for obj in stored] == [row["note"] for row in rows], (model, values)
        assert [obj.__class__ for obj in stored] == [model] * len(rows)
    if any(type(value).__hash__ is None for value in values):
        return
    for note, kept, update in (("x", "x", None), ("y", "x", [])):
        rows = [{"key": value, "note": f"{note}{n}"} for n, value in enumerate(values)]
        stored = writing.upsert_all(conn, rows, model=alone, update=update)
        assert [obj.note for obj in stored] == [f"{kept}{n}" for n in range(len(rows))]


@pytest.mark.parametrize("name", KEYS)
async def test_order(engine: AsyncEngine, name: str) -> None:
    if name in POSTGRESQL and engine.dialect.name != "postgresql":
        return
    async with engine.begin() as conn:
        await conn.run_sync(make, *MODELS[name])
        await conn.run_sync(checked, name, KEYS[name][1])
        if engine.dialect.name == "sqlite":
            engine.sync_engine.echo = "debug"  # type: ignore[assignment]
            await conn.run_sync(checked, "upper", ["q", "P"]) if name == "upper" else None
            engine.sync_engine.echo = False


class Made(Base):
    __tablename__ = "key_made"

    key: Mapped[str] = mapped_column(CHAR(40), primary_key=True, default=lambda: uuid.uuid4().hex)
    note: Mapped[int]


class Moved(Base):
    """A trigger stores another key than is given."""

    __tablename__ = "key_moved"

    key: Mapped[str] = mapped_column(primary_key=True)
    note: Mapped[int]


async def test_keys_that_the_client_makes(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(make, Made)
    db = AsyncSessionFactory(engine)
    stored = await db.insert_all([Made(note=n) for n in range(40)])
    assert [m.note for m in stored] == list(range(40))
    rows = [Made(key=f"{n * 7919 % 2500}", note=n) for n in range(2500)]
    if engine.dialect.name == "sqlite":
        assert [m.note for m in await db.insert_all(rows)] == list(range(2500))
    else:
        few = rows[:300]
        assert [m.note for m in await db.insert_all(few)] == list(range(300))
        full = [Made(key=f"{n * 7919 % 2500:040}", note=n) for n in range(2500)]
        assert [m.note for m in await db.insert_all(full)] == list(range(2500))


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_a_trigger_that_changes_keys(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(make, Moved)
        await conn.execute(
            text(
                "CREATE FUNCTION key_moves() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN NEW.key = NEW.key || '!'; RETURN NEW; END $$"
            )
        )
        await conn.execute(
            text(
                "CREATE TRIGGER t BEFORE INSERT ON key_moved "
                "FOR EACH ROW EXECUTE FUNCTION key_moves()"
            )
        )
    db = AsyncSessionFactory(engine)
    rows = [Moved(key="b", note=1), Moved(key="a", note=2)]
    with pytest.raises(InvalidStatement, match="batch_size=1"):
        await db.insert_all(rows)
    stored = await db.insert_all(rows, batch_size=1)
    assert [(m.key, m.note) for m in stored] == [("b!", 1), ("a!", 2)]


def _unique(values: Any, stored: Callable[[Any], Any]) -> Any:
    return st.lists(values, min_size=1, max_size=6, unique_by=stored)


_cents = st.decimals(-999, 999, places=4)
_short = st.text("abAB ", max_size=5)
DRAWN = {
    "char": _unique(_short, lambda value: value.rstrip(" ")),
    "upper": _unique(_short, str.upper),
    "numeric": _unique(
        _cents, lambda d: d.quantize(decimal.Decimal("0.01"), decimal.ROUND_HALF_UP)
    ),
    "real": _unique(
        st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False), float
    )
    | _unique(st.integers(-9999, 9999).map(lambda n: n / 7), float),
    "integer": _unique(st.integers(-5, 5), int),
}


@examples(25)
@given(
    drawn=st.sampled_from(list(DRAWN)).flatmap(lambda name: st.tuples(st.just(name), DRAWN[name]))
)
def test_drawn_keys(oracle: Oracle, drawn: tuple[str, list[Any]]) -> None:
    name, values = drawn

    async def main() -> None:
        async with oracle.engine.connect() as conn:
            await conn.run_sync(make, *MODELS[name])
            for model in MODELS[name]:
                for table in reversed(model.__mapper__.tables):
                    await conn.execute(table.delete())
            await conn.run_sync(checked, name, values)

    oracle.run(main())
