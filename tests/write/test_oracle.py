"""Rows written by object and by statement, next to the ORM session: the tables are equal."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, inspect, select, update
from sqlalchemy.orm import Session, lazyload, undefer

from naked_sqla.read import statement as statements
from naked_sqla.write import objects as writing

from ..models import data
from ..oracle import Oracle
from ._writing import (
    Rows,
    by_unit_of_work,
    column_attributes,
    instance_of,
    outcome,
    stored_dictionaries,
    tables_of,
)

# The ORM stores only one of two attributes of one column, and so do we.
SHADOWED = {"columns.Doubled"}
# Of another class as soon as their columns say so.
SELF_DEFINED = {"inheritance.Square"}
# Mapped to a SELECT: there is nothing to write to.
READ_ONLY = {"inheritance.NameCount", "inheritance.Document"}
MODELS = sorted(data.models("postgresql").keys() - READ_ONLY - SELF_DEFINED)


def model_of(oracle: Oracle, name: str) -> Any:
    return data.models("postgresql" if oracle.postgresql else "sqlite").get(name)


def by_bulk_insert(model: Any, rows: Rows) -> Any:
    def work(conn: Connection) -> None:
        with Session(conn) as session:
            session.execute(insert(model), [dict(row) for row in rows])

    return work


def same(oracle: Oracle, model: Any, theirs: Any, ours: Any, empty: bool = True) -> Any:
    """Run both; fail where an error or the tables differ, else give what ours returned."""
    expected, their_tables = outcome(oracle, model, theirs, empty)
    value, our_tables = outcome(oracle, model, ours, empty)
    if isinstance(expected, Exception) or isinstance(value, Exception):
        assert type(expected) is type(value), f"{expected!r} is not {value!r}"
    assert their_tables == our_tables
    return value


def variants(model: Any, rows: Rows) -> dict[str, Rows]:
    """Rows whole, without what may be left out, without keys, each with other attributes."""
    columns = column_attributes(model)
    keys = {
        key
        for key, c in columns.items()
        if any(t.primary_key.contains_column(c) for t in tables_of(model))
    }
    needed = {k for k, c in columns.items() if not (c.nullable or c.default or c.server_default)}
    found = {
        "whole": rows,
        "needed": [{k: v for k, v in row.items() if k in needed | keys} for row in rows],
        "uneven": [
            {k: v for i, (k, v) in enumerate(row.items()) if k in needed | keys or (i + n) % 3}
            for n, row in enumerate(rows)
        ],
    }
    if tables_of(model)[0].autoincrement_column is not None:
        found["no keys"] = [{k: v for k, v in row.items() if k not in keys} for row in rows]
    return found


@pytest.mark.parametrize("name", MODELS)
def test_inserts(oracle: Oracle, name: str) -> None:
    model = model_of(oracle, name)
    if model is None:
        return
    stored = stored_dictionaries(oracle, model)
    for rows in variants(model, stored).values():
        if not rows:
            continue
        orm = by_unit_of_work(model, rows)
        instances = [instance_of(model, row) for row in rows]
        loaded = same(oracle, model, orm, lambda conn, x=instances: writing.insert_all(conn, x))
        if name not in SHADOWED:
            check_loaded(model, rows, loaded)
        if name in SHADOWED:
            continue
        bulk = by_bulk_insert(model, rows)
        if isinstance(outcome(oracle, model, bulk)[0], AttributeError):
            # the ORM can't: the class is mapped to a join, for itself or for its queries
            bulk = orm
        same(
            oracle,
            model,
            # a unit of work asks for rows too, and fails where SQLAlchemy can't give them
            orm if isinstance(loaded, Exception) else bulk,
            lambda conn, x=rows: writing.insert_all(conn, x, model=model),
        )
        same(
            oracle,
            model,
            bulk,
            lambda conn, x=rows: statements.execute(conn, insert(model), list(x)) and None,
        )


@pytest.mark.parametrize("module", sorted({name.partition(".")[0] for name in MODELS}))
def test_updates_of_loaded_objects(oracle: Oracle, module: str) -> None:
    for name in MODELS:
        model = model_of(oracle, name)
        if model is not None and name.startswith(f"{module}.") and name not in SHADOWED:
            check_updates(oracle, model, name)


def check_updates(oracle: Oracle, model: Any, name: str) -> None:
    """Write all columns of all rows again: through the ORM's bulk UPDATE, and through ours, with
    and without a listener, in whose presence each statement goes SQLAlchemy's own way.  What has
    an ``onupdate`` is not named."""
    renewed = {key for key, column in column_attributes(model).items() if column.onupdate}
    rows = [
        {key: value for key, value in row.items() if key not in renewed}
        for row in stored_dictionaries(oracle, model)
    ]
    if not rows:
        return

    def objects(conn: Connection) -> list[Any]:
        statement = select(model).options(undefer("*"), lazyload("*"))
        found = statements.execute(conn, statement).scalars().unique().all()
        return [obj for obj in found if obj.__class__ is model]

    def by_orm(conn: Connection) -> None:
        if not conn.in_transaction():
            # the session would begin one, and roll it back
            conn.begin()
        with Session(conn) as session:
            session.execute(update(model), [dict(row) for row in rows])

    def ours(conn: Connection) -> None:
        assert writing.update_all(conn, objects(conn), returning=False) == len(rows)

    def ours_returning(conn: Connection) -> None:
        given = objects(conn)
        stored = writing.update_all(conn, given)
        columns = written_keys(model)
        assert [[getattr(s, k) for k in columns] for s in stored] == [
            [getattr(g, k) for k in columns] for g in given
        ]

    def ours_listening(conn: Connection) -> None:
        event.listen(conn, "before_execute", lambda *args: None)
        ours(conn)

    expected, _ = outcome(oracle, model, by_orm, empty=False)
    # a pickle says whether its set was tracked
    differs = isinstance(expected, Exception) or name == "types.Mutables"
    first = ours_listening if differs else by_orm
    for way in (ours, ours_returning, ours_listening):
        same(oracle, model, first, way, empty=False)


def written_keys(model: Any) -> list[str]:
    return [attribute.key for attribute in map(inspect(model).get_property_by_column, keys(model))]


def keys(model: Any) -> Any:
    return inspect(model).primary_key


def check_loaded(model: Any, rows: Rows, loaded: Any) -> None:
    if isinstance(loaded, Exception):
        return
    assert len(loaded) == len(rows)
    columns = column_attributes(model)
    for row, obj in zip(rows, loaded, strict=True):
        assert obj.__class__ is model
        values = vars(obj)
        for key, value in row.items():
            column = columns[key]
            given = value is not None or not (column.default or column.server_default)
            if key in values and given and column is not inspect(model).version_id_col:
                assert values[key] == value, key
