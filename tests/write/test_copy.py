"""COPY: what it stores is what an INSERT stores, and what it refuses."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, exc, func, insert, inspect, select, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.asyncio import AsyncEngine

from naked_sqla.exception import InvalidStatement, UnknownAttribute
from naked_sqla.read import statement as statements
from naked_sqla.write.copying import copy_in

from ..models import data
from ..models.blog import Stamped, Tag, User, Versioned
from ..models.inheritance import AnimalKind, Cat, Engineer
from ..models.types import Sample
from ..oracle import Oracle
from ._writing import column_attributes, outcome, stored_dictionaries

on_postgresql = pytest.mark.parametrize("oracle", ["asyncpg", "psycopg"], indirect=True)

# Mapped to a SELECT.
READ_ONLY = {"inheritance.NameCount", "inheritance.Document"}
# One column under two attributes, which can't both be given.
READ_ONLY |= {"columns.Doubled"}
# COPY stores the version of a row where it is given; an INSERT begins with the first.
READ_ONLY |= {"blog.Versioned"}
MODELS = sorted(data.models("postgresql").keys() - READ_ONLY)


def is_copied(model: Any) -> bool:
    """Whether COPY can write the class: it has one table."""
    return len(inspect(model).tables) == 1


def is_sent(oracle: Oracle, type_: Any) -> bool:
    """Whether values of a type can be sent; asyncpg has no binary form of a few."""
    if oracle.backend == "asyncpg" and isinstance(type_, TSVECTOR):
        return False
    return not type_._has_bind_expression


@on_postgresql
@pytest.mark.parametrize("name", MODELS)
def test_copies_what_an_insert_stores(oracle: Oracle, name: str) -> None:
    model = data.models("postgresql")[name]
    if not is_copied(model):
        return
    columns = column_attributes(model)
    rows = [
        # a type with an SQL expression is refused, see below
        {key: value for key, value in row.items() if is_sent(oracle, columns[key].type)}
        for row in stored_dictionaries(oracle, model)
    ]
    if not rows:
        return

    def by_insert(conn: Connection) -> int:
        statements.execute(conn, insert(model), rows, {"render_nulls": True})
        return len(rows)

    expected = outcome(oracle, model, by_insert)
    assert expected[1] is not None, expected[0]
    assert outcome(oracle, model, lambda conn: copy_in(conn, model, rows)) == expected
    names = list(rows[0])
    tuples = [tuple(row.values()) for row in rows]
    copied = outcome(oracle, model, lambda conn: copy_in(conn, model, tuples, columns=names))
    assert copied == expected


@dataclasses.dataclass
class NewTag:
    id: int
    label: str


LabelFirst = namedtuple("LabelFirst", ["label", "id"])


@on_postgresql
def test_kinds_of_rows(oracle: Oracle) -> None:
    """Dictionaries, tuples, lists, objects of all kinds, from any iterable."""

    def kinds() -> Iterator[tuple[Any, dict[str, Any]]]:
        yield [{"id": 50, "label": "a"}, {"label": "b", "id": 51}], {}
        yield ((50, "a"), (51, "b")), {}
        yield ([50, "a"], [51, "b"]), {"columns": ["id", "label"]}
        yield [("a", 50), ("b", 51)], {"columns": [Tag.label, Tag.id]}
        yield [LabelFirst("a", 50), LabelFirst("b", 51)], {}
        yield [LabelFirst("a", 50), LabelFirst("b", 51)], {"columns": (Tag.label, "id")}
        yield iter([NewTag(50, "a"), NewTag(51, "b")]), {}
        yield [Tag(id=50, label="a"), Tag(id=51, label="b")], {}
        yield (
            [
                Tag(id=50, label="a"),
                {"id": 51, "label": "b"},
            ],
            {},
        )
        yield (NewTag(i, chr(i + 47)) for i in (50, 51)), {"columns": ("label", "id")}
        yield [{"id": 50, "label": "a"}, {"label": "b", "id": 51}], {"columns": ["label", "id"]}

    for given, options in kinds():
        rows = list(given)
        count, tables = outcome(oracle, Tag, lambda c, r=rows, o=options: copy_in(c, Tag, r, **o))
        assert count == 2, count
        assert tables == {"tags": [("50", "'a'"), ("51", "'b'")]}, (rows, options)


@on_postgresql
@pytest.mark.parametrize("place", [3, 500, 501, 1203])
def test_the_row_that_is_refused_is_named(oracle: Oracle, place: int) -> None:
    """Also where rows of one kind are looked at together."""
    good: list[tuple[Any, Any, str]] = [
        ((1, "x"), (1,), f"row {place} has 1 values for 2"),
        ({"id": 1, "label": "x"}, {"id": 1}, f"row {place} has no value for label"),
        ({"id": 1, "label": "x"}, {"id": 1, "x": 1}, "has no attribute 'x'"),
    ]
    for row, bad, message in good:
        rows = [row] * (place - 1) + [bad] + [row] * 10
        error, _ = outcome(oracle, Tag, lambda conn, r=rows: copy_in(conn, Tag, r))
        assert message in str(error)


@on_postgresql
def test_generators_are_read_as_they_come(oracle: Oracle) -> None:
    """No more than a bounded number of rows is waiting to be sent."""
    total = 20_000

    def rows() -> Iterator[tuple[int, str]]:
        for i in range(total):
            yield i, f"label {i}"

    def work(conn: Connection) -> tuple[int, Any]:
        count = copy_in(conn, Tag, rows())
        return count, conn.scalar(select(func.count()).select_from(Tag))

    assert outcome(oracle, Tag, work)[0] == (total, total)


@on_postgresql
def test_async_iterables(oracle: Oracle) -> None:
    async def rows() -> AsyncIterator[dict[str, Any]]:
        for i in range(3):
            yield {"id": i, "label": f"label {i}"}

    async def none() -> AsyncIterator[dict[str, Any]]:
        for i in range(0):
            yield {"id": i}

    count, tables = outcome(oracle, Tag, lambda conn: copy_in(conn, Tag, rows()))
    assert count == 3
    assert tables == {"tags": [(str(i), f"'label {i}'") for i in range(3)]}
    assert outcome(oracle, Tag, lambda conn: copy_in(conn, Tag, none())) == (0, {"tags": []})
    assert outcome(oracle, Tag, lambda conn: copy_in(conn, Tag, [])) == (0, {"tags": []})


@on_postgresql
def test_defaults(oracle: Oracle) -> None:
    """What an INSERT fills in, COPY fills in: defaults, discriminators, versions."""
    _, tables = outcome(oracle, Versioned, lambda c: copy_in(c, Versioned, [{"id": 1}]))
    assert tables == {"versioned": [("1", "None", "1")]}
    _, tables = outcome(oracle, Cat, lambda c: copy_in(c, Cat, [{"id": 1, "lives": 9}]))
    assert [row[2] for row in tables["animals"]] == [repr(AnimalKind.CAT.name)]
    rows = [{"id": i, "label": f"x{i}", "by_expression": 4} for i in (1, 2)]
    given = outcome(oracle, Stamped, lambda c: copy_in(c, Stamped, rows))
    expected = outcome(oracle, Stamped, lambda c: c.execute(insert(Stamped), rows) and 2)
    assert given == expected


@on_postgresql
def test_inside_the_transaction(oracle: Oracle) -> None:
    """A roll back takes it away, also when it was the first statement of its transaction."""

    def work(conn: Connection) -> None:
        copy_in(conn, Tag, [(50, "fifty")])
        assert conn.in_transaction()
        conn.rollback()
        assert conn.scalar(select(Tag.id).where(Tag.id == 50)) is None

    async def main() -> None:
        async with oracle.engine.connect() as conn:
            await conn.run_sync(work)

    oracle.run(main())


REFUSALS: dict[str, tuple[Any, Any, dict[str, Any], type[Exception], str]] = {
    "unknown column": (Tag, [{"id": 1, "lable": "x"}], {}, UnknownAttribute, "lable.*'label'"),
    "unknown in columns": (Tag, [(1,)], {"columns": ["i"]}, UnknownAttribute, "'i'"),
    "unknown later": (
        Tag,
        [{"id": 1, "label": "x"}, {"id": 2, "lable": "x"}],
        {},
        UnknownAttribute,
        "lable",
    ),
    "missing": (
        Tag,
        [{"id": 1, "label": "x"}, {"id": 2}],
        {},
        InvalidStatement,
        "row 2 has no value for label",
    ),
    "one more": (
        User,
        [{"id": 1, "name": "x"}, {"id": 2, "name": "x", "age": 3}],
        {},
        InvalidStatement,
        "row 2 has a value for age",
    ),
    "tuple too short": (Tag, [(1, "x"), (2,)], {}, InvalidStatement, "row 2 has 1 values for 2"),
    "tuple too long": (Tag, [(1, "x", 3)], {}, InvalidStatement, "row 1 has 3 values for 2"),
    "no columns": (Tag, [{}], {}, InvalidStatement, "no column"),
    "several tables": (Engineer, [{"id": 1}], {}, InvalidStatement, "persons, engineers"),
    "an SQL default": (Stamped, [{"id": 1}], {}, InvalidStatement, "Stamped.by_expression"),
    "an SQL expression of a type": (Sample, [{"upper": "x"}], {}, InvalidStatement, "Sample.upper"),
    "no class": ("tags", [{"id": 1}], {}, InvalidStatement, "not a mapped class"),
    "no rows": (Tag, 7, {}, InvalidStatement, "iterable"),
    "text": (Tag, "1\tx", {}, InvalidStatement, "iterable"),
    "other objects": (Tag, [object()], {}, InvalidStatement, "object"),
    "twice": (Tag, [(1, 1)], {"columns": ["id", Tag.id]}, InvalidStatement, "id is named twice"),
    "null": (Tag, [{"id": 1, "label": None}], {}, exc.IntegrityError, "label"),
    "duplicate": (Tag, [(1, "x"), (1, "y")], {}, exc.IntegrityError, "tags_pkey"),
    "wrong type": (Tag, [("one", "x")], {}, exc.StatementError, "interpreted|invalid"),
}


@on_postgresql
@pytest.mark.parametrize("name", REFUSALS)
def test_refused(oracle: Oracle, name: str) -> None:
    model, rows, options, kind, message = REFUSALS[name]
    error, _ = outcome(oracle, Tag, lambda conn: copy_in(conn, model, rows, **options))
    assert isinstance(error, kind), error
    with pytest.raises(kind, match=message):
        raise error


@on_postgresql
def test_an_error_of_the_rows_comes_out(oracle: Oracle) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield 50, "x"
        raise LookupError("no more rows")

    error, _ = outcome(oracle, Tag, lambda conn: copy_in(conn, Tag, rows()))
    assert isinstance(error, LookupError)


@pytest.mark.parametrize("oracle", ["sqlite"], indirect=True)
def test_other_databases(oracle: Oracle) -> None:
    error, _ = outcome(oracle, Tag, lambda conn: copy_in(conn, Tag, [(1, "x")]))
    assert isinstance(error, InvalidStatement)
    assert "insert_all()" in str(error)


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_quoted_names_and_schemas(engine: AsyncEngine) -> None:
    from ..models.columns import Renamed

    rows = [{"key": 1, "name": "n", "a": "A", "percent": 5, "klass": "K"}]
    async with engine.begin() as conn:
        await conn.execute(text('CREATE SCHEMA IF NOT EXISTS "od d""s"'))
        other = await conn.execution_options(schema_translate_map={None: 'od d"s'})
        try:
            await other.run_sync(Renamed.__table__.create)
            assert await other.run_sync(lambda c: copy_in(c, Renamed, rows)) == 1
            found = (await other.execute(select(Renamed.__table__))).one()
            assert tuple(found) == (1, "n", "A", None, "K", 5, None)
        finally:
            await conn.execute(text('DROP SCHEMA "od d""s" CASCADE'))


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
def test_synchronous(sync_engine: Any) -> None:
    async def rows() -> AsyncIterator[tuple[int, str]]:
        yield 1, "x"

    with sync_engine.begin() as conn:
        Tag.__table__.create(conn)
        assert copy_in(conn, Tag, [(1, "x"), (2, "y")]) == 2
        assert conn.execute(select(Tag.__table__)).all() == [(1, "x"), (2, "y")]
        with pytest.raises(InvalidStatement, match="AsyncSession"):
            copy_in(conn, Tag, rows())
        savepoint = conn.begin_nested()
        with pytest.raises(exc.IntegrityError):
            copy_in(conn, Tag, [(3, "z"), (1, "x")])
        savepoint.rollback()
        assert conn.scalar(select(func.count()).select_from(Tag)) == 2
