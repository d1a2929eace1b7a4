"""DELETE of rows named by their primary keys, from one table or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete

from naked_sqla._sqlalchemy import mappings
from naked_sqla.write.changing import Change
from naked_sqla.write.direct import RowStatement
from naked_sqla.write.finding import (
    Identity,
    bound,
    class_values,
    find,
    look,
    raise_stale,
    raise_unmatched,
    row_criteria,
    within,
)
from naked_sqla.write.keys import among, are_exact
from naked_sqla.write.rows import Rows
from naked_sqla.write.tables import Part, Written, written_of

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Mapper

__all__ = ("delete_rows",)

# keys in one statement
_CHUNK = 500


def delete_rows(conn: Connection, written: Written, rows: Rows, missing_ok: bool) -> int:
    """DELETE rows from each table of a class, children first.

    :param rows: keys, and versions to be checked where they are there, by attribute.
    :return: how many there were.
    :raises RowGone: a row is not there, unless ``missing_ok``.
    :raises VersionConflict: a row has another version.
    """
    written = within(conn, written)
    changes = [Change(written, row, {}) for row in rows]
    pending = list({(change.identity, change.version): change for change in changes}.values())
    below = _tables_below(written)
    known = _is_looked_at(conn, written, pending, missing_ok, bool(below))
    if known:
        pending = _present(conn, written, pending, missing_ok)
    pending.sort(key=lambda row: row.version is None)
    deleted = start = 0
    while start < len(pending):
        chunk = pending[start : start + _CHUNK]
        versioned = sum(row.version is not None for row in chunk)
        chunk = chunk[: versioned or None]
        start += len(chunk)
        count, missed = _delete_chunk(conn, written, chunk, below, known or not missing_ok)
        if missed:
            _check_missed(conn, written, missed, pending[start:], missing_ok)
        deleted += count
    return deleted


def _delete_chunk(
    conn: Connection,
    written: Written,
    rows: Sequence[Change],
    below: Sequence[tuple[Written, Part]],
    named: bool,
) -> tuple[int, Sequence[Change]]:
    """Delete rows, all with versions or none.

    :param named: the database has the keys in the form of ``rows``.
    :return: how many there were, and those that were not; without ``named`` these among them.
    """
    root = written.parts[0]
    for sub, part in below:
        keys = [Change(sub, row.key, {}).key for row in rows]
        conn.execute(delete(part.table).where(_among(part, keys)))
    for part in reversed(written.parts[1:]):
        conn.execute(_statement(written, part, rows))
    if len(rows) == 1:
        count = _delete_one(conn, written, root, rows[0])
        return count, rows if count != 1 else ()
    statement = _statement(written, root, rows)
    if not named or not conn.dialect.delete_returning:
        count = int(conn.execute(statement).rowcount)
        return count, rows if count != len(rows) else ()
    names = [root.columns[key] for key in root.keys]
    gone = set(map(tuple, conn.execute(statement.returning(*names))))
    return len(gone), [row for row in rows if tuple(map(row.key.get, root.keys)) not in gone]


def _delete_one(conn: Connection, written: Written, root: Part, row: Change) -> int:
    """Delete one row from the first table of a class; how many there were."""
    versioned = row.version is not None and written.version in root.columns
    form: RowStatement | None = written.forms.get(("delete", versioned))
    if form is None:
        names = [*root.keys, *([str(written.version)] if versioned else [])]
        found_by = bound([root.columns[name] for name in names], "naked_key_")
        own = row_criteria(written) if len(written.parts) == 1 else []
        statement = delete(root.table).where(*found_by, *own)
        form = RowStatement(statement, once=bool(written.criteria))
        written.forms["delete", versioned] = form
    values = [row.key[name] for name in root.keys]
    if versioned:
        values.append(row.version)
    return form.matched(conn, {f"naked_key_{i}": value for i, value in enumerate(values)})


def _is_looked_at(
    conn: Connection,
    written: Written,
    rows: Sequence[Change],
    missing_ok: bool,
    has_subclasses: bool,
) -> bool:
    """True where the DELETE itself could not tell which rows there were, or of which class."""
    if len(written.parts) > 1 or (has_subclasses and class_values(written) is not None):
        return True
    if has_subclasses and written.criteria:
        return True
    if len(rows) < 2:
        return False
    columns = [written.columns[key] for key in written.keys]
    keys = [row.identity for row in rows]
    if len(set(keys)) < len(keys):
        # a key with two versions: one of them is wrong
        return True
    exact = are_exact(conn, columns, keys)
    if missing_ok:
        # two keys that are one for the database may have two versions, too
        return not exact and any(row.version is not None for row in rows)
    return not exact or not conn.dialect.delete_returning


def _present(
    conn: Connection, written: Written, rows: Sequence[Change], missing_ok: bool
) -> list[Change]:
    """Lock rows; give those that are there, by the keys that they are stored under."""
    wanted = [(row.identity, row.version) for row in rows]
    found, gone, moved = look(conn, written, wanted, lock=True)
    if moved or (gone and not missing_ok):
        raise_stale(written, [] if missing_ok else gone, moved)
    present: dict[Identity, Change] = {}
    for row in rows:
        stored = found.get(row.identity)
        if stored is not None and (row.version is not None or stored.key not in present):
            row.key = Change(written, dict(zip(written.keys, stored.key, strict=True)), {}).key
            present[stored.key] = row
    return list(present.values())


def _tables_below(written: Written) -> list[tuple[Written, Part]]:
    """The tables of subclasses, children first: any row may be one of a subclass."""
    found: dict[Any, tuple[Written, Part]] = {}
    for mapper in _inheriting_mappers(written.mapper):
        sub = written_of(mapper)
        for part in sub.parts:
            found.setdefault(part.table, (sub, part))
    own = {part.table for part in written.parts}
    tables = reversed(mappings.sorted_tables(written.mapper))
    return [found[table] for table in tables if table in found and table not in own]


def _statement(written: Written, part: Part, rows: Sequence[Change]) -> Any:
    version = written.version if rows[0].version is not None else None
    if version not in part.columns:
        version = None
    keys = [row.key if version is None else {**row.key, version: row.version} for row in rows]
    statement = delete(part.table).where(_among(part, keys, version))
    if len(written.parts) == 1:
        statement = statement.where(*row_criteria(written))
    return statement


def _among(part: Part, keys: Sequence[dict[str, Any]], version: str | None = None) -> Any:
    names = [*part.keys, *([] if version is None else [version])]
    columns = [part.columns[name] for name in names]
    return among(columns, [tuple(key[name] for name in names) for key in keys])


def _check_missed(
    conn: Connection,
    written: Written,
    rows: Sequence[Change],
    rest: Sequence[Change],
    missing_ok: bool,
) -> None:
    """Raise for rows that a DELETE has not found, if it should have.

    :param rest: what was to be deleted after them: the error tells these, too.
    """
    found = find(conn, written, [row.identity for row in rows])
    there = [row.identity for row in rows if row.identity in found]
    gone = [row.identity for row in rows if row.identity not in found]
    if there and rows[0].version is None:
        raise_unmatched(conn, written, there)
    if there or (gone and not missing_ok):
        _, more, moved = look(conn, written, [(row.identity, row.version) for row in rest])
        raise_stale(written, [] if missing_ok else [*gone, *more], [*there, *moved])


def _inheriting_mappers(mapper: Mapper[Any]) -> list[Mapper[Any]]:
    """Subclasses whose rows are rows of a class too, parents first: not those of a table alone."""
    found: list[Mapper[Any]] = []
    for sub in mapper.self_and_descendants:
        # a concrete class has its own rows, and so have the classes that inherit from it
        if not sub.concrete and (sub.inherits is mapper or sub.inherits in found):
            found.append(sub)
    return found
