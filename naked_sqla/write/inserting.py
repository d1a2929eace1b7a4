"""INSERT of rows given by attribute keys: into one table or several, with the rows back or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select
from sqlalchemy.orm import lazyload

from naked_sqla._sqlalchemy import dml, statements
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidStatement
from naked_sqla.read import direct
from naked_sqla.read.fetching import loading_on
from naked_sqla.read.loader import entity_result, loader_of
from naked_sqla.write.direct import RowStatement, has_values_only
from naked_sqla.write.direct_objects import remember_many, write_many
from naked_sqla.write.keys import by_key, criteria_for, has_key, keys_of_objects
from naked_sqla.write.ordering import check_inserted, insert_in_order, keys_of
from naked_sqla.write.rows import Rows, has_expressions, runs, types_by_key
from naked_sqla.write.tables import Part, Written

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = (
    "insert_into_tables",
    "insert_objects",
    "returns_whole_rows",
    "runs_of",
    "stored_rows",
)

_Identity = tuple[Any, ...]


def insert_objects(conn: Connection, written: Written, rows: Rows) -> list[Any]:
    """Insert rows and load what was stored.

    :param rows: dictionaries by attribute key.
    :return: a naked object for each row, in their order.
    """
    if not conn.dialect.insert_returning:
        raise InvalidStatement(
            f"{backend_of(conn.dialect)} does not return the rows of an INSERT, so that they "
            f"can't be given back. Use execute(insert({written.name}), rows)."
        )
    if not returns_whole_rows(written):
        identities = insert_into_tables(conn, written, rows)
        stored = stored_rows(conn, written, identities)
        if any(obj is None for obj in stored):
            raise InvalidStatement(
                f"insert({written.name}): the discriminator of a stored row is that of another "
                f"class. Insert an object of that class."
            )
        return stored
    part = written.parts[0]
    form: RowStatement | None = written.forms.get("insert")
    if form is None:
        statement = dml.as_orm_insert(insert(written.mapper.class_)).options(lazyload("*"))
        form = written.forms["insert"] = RowStatement(statement)
    if len(rows) == 1:
        given = part.values(rows[0])
        loaded = form.objects(conn, given) if has_values_only(given.values()) else None
        if loaded is not None:
            check_inserted(part.table, 1, len(loaded))
            return loaded
    statement, options = form.statement, statements.orm_options(None)
    loading = loading_on(conn, None)
    objects: list[Any] = []
    for expressions, group in runs_of(part, rows, types_by_key(rows)):
        loaded = None if expressions else write_many(conn, form, group, part.table)
        if loaded is not None:
            objects += loaded
            continue
        writes = part.with_values(statement, expressions)
        entity = (written.mapper.class_,)
        result, returned = insert_in_order(conn, writes, entity, part.table, group, options)
        loader = loader_of(result, writes, loading)
        if loader is None:
            raise InvalidStatement(f"{written.name} has no columns that an INSERT could return.")
        objects += loader.load(returned.found)
        if not expressions:
            remember_many(conn, form, group, result, part.table)
        if len(rows) == 1 and not expressions:
            form.remember(conn, group[0], result)
    return objects


def returns_whole_rows(written: Written) -> bool:
    """False for a class whose rows the RETURNING of one INSERT can't give."""
    discriminator = written.mapper.polymorphic_on
    return (
        len(written.parts) == 1
        and written.mapper.selectable is written.mapper.local_table
        and (discriminator is None or discriminator in written.columns.values())
    )


def runs_of(
    part: Part, rows: Rows, types: Mapping[str, set[type]] | None
) -> Iterable[tuple[Mapping[str, Any], Rows]]:
    """Rows by attribute key as rows by column key, in runs that one statement can store.

    :param types: the types of their values; None where their keys differ.
    """
    if types is not None and types and not has_expressions(set().union(*types.values())):
        nothing = type(None)
        plain = not part.added and all(part.names.get(key) == key for key in types)
        if plain and not any(nothing in types[key] for key in part.omitted if key in types):
            # attributes and columns have the same names: the rows are what the statement takes
            return [({}, rows)]
    return runs(map(part.values, rows))


def insert_into_tables(
    conn: Connection,
    written: Written,
    rows: Rows,
    options: Mapping[str, Any] | None = None,
    values: Mapping[str, Any] | None = None,
    render_nulls: bool = False,
) -> list[_Identity]:
    """Insert rows into each table of a class, parents first.

    :param rows: dictionaries by attribute key; they stay as they are.
    :param values: what all rows have besides, SQL expressions too, by attribute key.
    :return: the primary key of each row, in their order.
    """
    kept = [dict(row) for row in rows]
    for part in written.parts:
        if values:
            common = {key: value for key, value in values.items() if key in part.columns}
            filled = [{**common, **row} for row in kept]
        else:
            filled = kept
        _insert_into(conn, part, kept, [part.values(r, render_nulls) for r in filled], options)
        for row in kept:
            for parent, child in part.inherited:
                if row.get(child) is None:
                    row[child] = row.get(parent)
    return [written.identity(row) for row in kept]


def _insert_into(
    conn: Connection,
    part: Part,
    rows: list[dict[str, Any]],
    params: list[dict[str, Any]],
    options: Mapping[str, Any] | None,
) -> None:
    """Insert rows into one table, and note the keys that it generates."""
    columns = [part.columns[key] for key in part.keys]
    names = [part.names[key] for key in part.keys]
    start = 0
    for expressions, group in runs(params):
        statement = part.with_values(insert(part.table), expressions)
        taken = rows[start : start + len(group)]
        start += len(group)
        if all(name in group[0] for name in names):
            conn.execute(statement, group, execution_options=options)
            continue
        if not conn.dialect.insert_returning:
            raise InvalidStatement(
                f"{backend_of(conn.dialect)} does not return the keys of an INSERT into "
                f"{part.table}. Give the primary key with each row."
            )
        _, returned = insert_in_order(conn, statement, columns, part.table, group, options)
        for row, key in zip(taken, keys_of(returned, columns), strict=True):
            row.update(zip(part.keys, key, strict=True))


def _selected(conn: Connection, written: Written, *criteria: Any) -> Sequence[Any]:
    wanted = select(written.mapper.class_).options(lazyload("*")).where(*criteria)
    found = direct.run(conn, wanted, None)
    if found is None:
        result = conn.execute(wanted, execution_options=statements.orm_options(None))
        found = entity_result(result, wanted, loading_on(conn, None))
        direct.remember(result, wanted)
    objects: Sequence[Any] = found.scalars().all()
    return objects


def stored_rows(
    conn: Connection, written: Written, identities: Sequence[_Identity]
) -> list[Any | None]:
    """The stored objects with some primary keys, in their order; None for what is not there."""
    if len(identities) == 1:
        return [_one(conn, written, identities[0])]
    stored: list[Any] = []
    for criterion in criteria_for(conn, written.mapper.primary_key, identities):
        stored += _selected(conn, written, criterion)
    keys = keys_of_objects(stored, written.keys)
    if keys == identities:
        return stored
    found = by_key(stored, keys, identities)
    if found is None:
        return [_one(conn, written, identity) for identity in identities]
    # a row that is named twice is two objects
    return [
        found.pop(identity) if identity in found else _one(conn, written, identity)
        for identity in identities
    ]


def _one(conn: Connection, written: Written, identity: _Identity) -> Any | None:
    criteria = has_key(conn, written.mapper.primary_key, identity)
    return next(iter(_selected(conn, written, *criteria)), None)
