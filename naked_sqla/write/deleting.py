"""DELETE of rows named by their primary keys, from one table or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete

from naked_sqla._sqlalchemy import mappings
from naked_sqla.write.changing import Change
from naked_sqla.write.finding import (
    Identity,
    class_criteria,
    class_values,
    find,
    look,
    raise_stale,
    raise_unmatched,
)
from naked_sqla.write.keys import are_exact
from naked_sqla.write.tables import Part, Rows, Written, among, written_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("delete_rows",)

# keys in one statement
_CHUNK = 500


class _Row:
    """A row that is to be deleted.

    :ivar given: its primary key, as it was passed.
    :ivar key: its keys in all tables, by attribute.
    :ivar version: the version that it is expected to have; None: any.
    """

    __slots__ = ("given", "key", "version")

    def __init__(self, given: Identity, key: dict[str, Any], version: Any) -> None:
        self.given = given
        self.key = key
        self.version = version


def delete_rows(conn: Connection, written: Written, rows: Rows, missing_ok: bool = False) -> int:
    """DELETE rows from each table of a class, children first.

    :param rows: keys, and versions to be checked where they are there, by attribute.
    :return: how many there were.
    :raises RowGone: a row is not there, unless ``missing_ok``.
    :raises VersionConflict: a row has another version.
    """
    wanted: dict[Identity, _Row] = {}
    for row in rows:
        change = Change(written, row, {})
        given = tuple(change.key[key] for key in written.keys)
        wanted[given] = _Row(given, change.key, change.version)
    deleted = 0
    for versioned in (True, False):
        same = [row for row in wanted.values() if (row.version is not None) is versioned]
        for start in range(0, len(same), _CHUNK):
            deleted += _delete_chunk(conn, written, same[start : start + _CHUNK], missing_ok)
    return deleted


def _delete_chunk(
    conn: Connection, written: Written, rows: Sequence[_Row], missing_ok: bool
) -> int:
    root = written.parts[0]
    below = _tables_below(written)
    known = _is_looked_at(conn, written, rows, missing_ok, bool(below))
    if known:
        rows = _present(conn, written, rows, missing_ok)
    if not rows:
        return 0
    for sub, part in below:
        keys = [Change(sub, row.key, {}).key for row in rows]
        conn.execute(delete(part.table).where(_among(part, keys)))
    for part in reversed(written.parts[1:]):
        conn.execute(_statement(written, part, rows))
    statement = _statement(written, root, rows)
    if conn.dialect.delete_returning and len(rows) > 1 and (known or not missing_ok):
        names = [root.columns[key] for key in root.keys]
        gone = set(map(tuple, conn.execute(statement.returning(*names))))
        missed = [row for row in rows if tuple(map(row.key.get, root.keys)) not in gone]
        count = len(gone)
    else:
        count = int(conn.execute(statement).rowcount)
        missed = [] if count == len(rows) else list(rows)
    if missed:
        _check_missed(conn, written, missed, missing_ok)
    return count


def _is_looked_at(
    conn: Connection, written: Written, rows: Sequence[_Row], missing_ok: bool, has_subclasses: bool
) -> bool:
    """True where the DELETE itself could not tell which rows there were, or of which class."""
    if len(written.parts) > 1 or (has_subclasses and class_values(written) is not None):
        return True
    if len(rows) == 1 or missing_ok:
        return False
    columns = [written.columns[key] for key in written.keys]
    exact = are_exact(conn, columns, [row.given for row in rows])
    return not exact or not conn.dialect.delete_returning


def _present(
    conn: Connection, written: Written, rows: Sequence[_Row], missing_ok: bool
) -> list[_Row]:
    """Lock rows; give those that are there, by the keys that they are stored under."""
    wanted = [(row.given, row.version) for row in rows]
    found, gone, moved = look(conn, written, wanted, lock=True)
    if moved or (gone and not missing_ok):
        raise_stale(written, [] if missing_ok else gone, moved)
    present: dict[Identity, _Row] = {}
    for row in rows:
        stored = found.get(row.given)
        if stored is not None:
            key = Change(written, dict(zip(written.keys, stored.key, strict=True)), {}).key
            present[stored.key] = _Row(row.given, key, row.version)
    return list(present.values())


def _tables_below(written: Written) -> list[tuple[Written, Part]]:
    """The tables of subclasses, children first: any row may be one of a subclass."""
    found: dict[Any, tuple[Written, Part]] = {}
    for mapper in mappings.inheriting_mappers(written.mapper):
        sub = written_of(mapper)
        for part in sub.parts:
            found.setdefault(part.table, (sub, part))
    own = {part.table for part in written.parts}
    tables = reversed(mappings.sorted_tables(written.mapper))
    return [found[table] for table in tables if table in found and table not in own]


def _statement(written: Written, part: Part, rows: Sequence[_Row]) -> Any:
    version = written.version if rows[0].version is not None else None
    if version not in part.columns:
        version = None
    keys = [row.key if version is None else {**row.key, version: row.version} for row in rows]
    statement = delete(part.table).where(_among(part, keys, version))
    if len(written.parts) == 1:
        statement = statement.where(*class_criteria(written))
    return statement


def _among(part: Part, keys: Sequence[dict[str, Any]], version: str | None = None) -> Any:
    names = [*part.keys, *([] if version is None else [version])]
    columns = [part.columns[name] for name in names]
    return among(columns, [tuple(key[name] for name in names) for key in keys])


def _check_missed(
    conn: Connection, written: Written, rows: Sequence[_Row], missing_ok: bool
) -> None:
    """Raise for rows that a DELETE has not found, if it should have."""
    found = find(conn, written, [row.given for row in rows])
    there = [row.given for row in rows if row.given in found]
    gone = [row.given for row in rows if row.given not in found]
    if there and rows[0].version is None:
        raise_unmatched(conn, written, there)
    if there or (gone and not missing_ok):
        raise_stale(written, [] if missing_ok else gone, there)
