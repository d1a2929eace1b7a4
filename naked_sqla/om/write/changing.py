"""UPDATE and DELETE of rows named by their primary keys, in one table or several.

Each row is checked: one that is gone, or whose version moved on, is a ``StaleDataError`` that names
its key.  Where a driver tells how many rows a batch has matched, that is the check; where it does
not (asyncpg), the rows are locked and looked at before they are written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import and_, bindparam, delete, func, literal_column, select, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import lazyload
from sqlalchemy.orm.exc import StaleDataError

from naked_sqla import _compat
from naked_sqla.om.loading import entity_result, loading_on
from naked_sqla.om.write.keys import criteria_for
from naked_sqla.om.write.tables import Part, Rows, Written, among, runs, written_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = (
    "Change",
    "delete_rows",
    "next_version",
    "raise_unmatched",
    "stale",
    "update_one",
    "update_rows",
)

# keys in one statement, and in one message
_CHUNK = 500
_SHOWN = 10

_Identity = tuple[Any, ...]


class Change:
    """An UPDATE of one row.

    :ivar key: its primary key, by attribute.
    :ivar values: what is to be stored, by attribute; no part of the key.
    :ivar version: the version that the row is expected to have; None: any.
    """

    __slots__ = ("key", "values", "version")

    def __init__(self, written: Written, row: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        self.key = _whole_key(written, row)
        self.version = None if written.version is None else row.get(written.version)
        self.values = dict(values)
        if written.version is not None and written.generated:
            self.values[written.version] = next_version(written, self.version)


def _whole_key(written: Written, row: Mapping[str, Any]) -> dict[str, Any]:
    """The key of a row in each of its tables."""
    key = {name: row.get(name) for part in written.parts for name in part.keys}
    for part in written.parts:
        for parent, child in part.inherited:
            if child in key and key[child] is None:
                key[child] = row.get(parent) if key.get(parent) is None else key[parent]
    missing = [name for name, value in key.items() if value is None]
    if missing:
        raise InvalidRequestError(
            f"No primary key value supplied for {', '.join(missing)} of {written.name}: a row is "
            f"found by its whole key. Load it first, or write a statement with where()."
        )
    unhashable = [name for name, value in key.items() if type(value).__hash__ is None]
    if unhashable:
        raise InvalidRequestError(
            f"{key[unhashable[0]]!r} can't be {written.name}.{unhashable[0]}, which is part of the "
            f"primary key. Pass the key of one row; for several there are update_all() and "
            f"delete_all()."
        )
    return key


def next_version(written: Written, version: Any) -> Any:
    """The version after one, or an expression for it where that is not known."""
    generate: Any = written.mapper.version_id_generator
    if version is None and _compat.counts_versions(written.mapper):
        return func.coalesce(written.mapper.version_id_col, literal_column("0")) + 1
    return generate(version)


def stale(
    written: Written, identities: Sequence[_Identity], moved: Sequence[_Identity]
) -> NoReturn:
    """Raise ``StaleDataError`` for rows that are gone, and rows whose version has moved on."""
    facts = []
    if identities:
        facts.append(f"{_shown(identities)} is gone")
    if moved:
        facts.append(f"{_shown(moved)} has another version by now")
    raise StaleDataError(
        f"{written.name}: the row with primary key {', the row with primary key '.join(facts)}. "
        f"Load what is stored now, and decide again; what this call has written before is rolled "
        f"back with the transaction."
    )


def _shown(identities: Sequence[_Identity]) -> str:
    keys = [repr(key[0] if len(key) == 1 else key) for key in identities[:_SHOWN]]
    more = len(identities) - len(keys)
    return ", ".join(keys) + (f" and {more} more" if more else "")


# ---------------------------------------------------------------- UPDATE


def update_one(conn: Connection, written: Written, change: Change) -> Any:
    """UPDATE one row of a class with one table, and load what is stored now.

    :raises StaleDataError: it is gone, or its version has moved on.
    """
    part = written.parts[0]
    statement = update(written.mapper.class_).where(*_criteria(written, part, change))
    statement = statement.values({part.columns[key]: v for key, v in change.values.items()})
    statement = statement.returning(written.mapper.class_).options(lazyload("*"))
    result = conn.execute(statement, execution_options=_compat.orm_options(None))
    found = entity_result(result, statement, loading_on(conn, None)).scalars().all()
    if not found:
        _raise_stale(conn, written, [change])
    return found[0]


def _criteria(written: Written, part: Part, change: Change) -> list[Any]:
    criteria = [
        column == bindparam(None, change.key[key], type_=column.type)
        for key, column in ((key, part.columns[key]) for key in part.keys)
    ]
    if change.version is not None and written.version in part.columns:
        column = part.columns[written.version]
        criteria.append(column == bindparam(None, change.version, type_=column.type))
    return criteria


def update_rows(
    conn: Connection,
    written: Written,
    changes: Sequence[Change],
    options: Mapping[str, Any] | None = None,
    criteria: Sequence[Any] = (),
    strict: bool = True,
) -> int:
    """UPDATE rows in each table of a class, one batch for each run of rows with the same columns.

    :param criteria: more for the WHERE of each UPDATE; then a row that none matches is no error.
    :param strict: look at the rows where the driver does not tell how many a batch has matched;
        False: only where there are versions to be checked, as the ORM session does.
    :return: how many rows were matched, or -1 where nobody can tell.
    :raises StaleDataError: a row is gone, or its version has moved on.
    """
    checked = not criteria
    counted = conn.dialect.supports_sane_multi_rowcount
    versioned = any(change.version is not None for change in changes)
    # the version that an UPDATE missed may be the very one that it would have made, and then
    # nothing tells afterwards which row it was
    looked = checked and len(changes) > 1 and (versioned or (strict and not counted))
    if checked and versioned and len(changes) > 1:
        _refuse_repeated(written, changes)
    if looked or (checked and not any(change.values for change in changes)):
        _lock(conn, written, changes)
    matched: int | None = None
    for part in written.parts:
        rows = [_parameters(written, part, change) for change in changes]
        found = _update_part(
            conn,
            written,
            part,
            list(zip(changes, rows, strict=True)),
            (options, criteria, checked and (counted or not looked)),
        )
        matched = found if matched is None else matched
    return len(changes) if checked else (matched or 0)


def _refuse_repeated(written: Written, changes: Sequence[Change]) -> None:
    """Raise for a row that is changed twice from the same version: the first change moves it on."""
    counts = Counter(_identity(written, c) for c in changes if c.version is not None)
    moved = [identity for identity, count in counts.items() if count > 1]
    if moved:
        stale(written, [], moved)


def _parameters(written: Written, part: Part, change: Change) -> dict[str, Any]:
    """The parameters of one UPDATE; without values there is none."""
    values = {part.names[k]: v for k, v in change.values.items() if k in part.columns}
    if not values:
        return {}
    values.update((f"naked_pk_{i}", change.key[key]) for i, key in enumerate(part.keys))
    if change.version is not None and written.version in part.columns:
        values["naked_version"] = change.version
    return values


def _update_part(
    conn: Connection,
    written: Written,
    part: Part,
    pairs: Sequence[tuple[Change, dict[str, Any]]],
    how: tuple[Any, Sequence[Any], bool],
) -> int:
    options, criteria, checked = how
    pairs = [pair for pair in pairs if pair[1]]
    start = matched = 0
    for expressions, group in runs(row for _, row in pairs):
        changes = [change for change, _ in pairs[start : start + len(group)]]
        start += len(group)
        columns = [part.columns[key] for key in part.keys]
        statement = update(part.table).where(
            *criteria,
            *(c == bindparam(f"naked_pk_{i}", type_=c.type) for i, c in enumerate(columns)),
        )
        if "naked_version" in group[0] and written.version is not None:
            version = part.columns[written.version]
            statement = statement.where(version == bindparam("naked_version", type_=version.type))
        if expressions:
            statement = statement.values({part.table.c[k]: v for k, v in expressions.items()})
        result = conn.execute(statement, group, execution_options=options)
        matched += result.rowcount
        if checked and 0 <= result.rowcount != len(group):
            _raise_stale(conn, written, changes)
    return matched


def raise_unmatched(
    conn: Connection, written: Written, identities: Sequence[_Identity]
) -> NoReturn:
    """Raise ``StaleDataError`` for those of some rows that an UPDATE has not found."""
    rows = [dict(zip(written.keys, identity, strict=True)) for identity in identities]
    _raise_stale(conn, written, [Change(written, row, {}) for row in rows])


def _lock(conn: Connection, written: Written, changes: Sequence[Change]) -> None:
    """Lock the rows of some changes where the database can, and look whether they are there."""
    gone, moved = _compare(conn, written, changes, [change.version for change in changes], True)
    if gone or moved:
        stale(written, gone, moved)


def _raise_stale(conn: Connection, written: Written, changes: Sequence[Change]) -> NoReturn:
    """Find out which of some rows were not matched, and raise."""
    versions: list[Any] = [None] * len(changes)
    if written.version is not None:
        expected = written.version if written.generated else ""
        versions = [
            None if c.version is None else c.values.get(expected, c.version) for c in changes
        ]
    if len(changes) == 1:
        # it was not matched, so that whatever version it has is another one
        versions = [None]
    gone, moved = _compare(conn, written, changes, versions, False)
    if not gone and not moved:
        moved = [_identity(written, change) for change in changes]
    stale(written, gone, moved)


def _compare(
    conn: Connection,
    written: Written,
    changes: Sequence[Change],
    versions: Sequence[Any],
    lock: bool,
) -> tuple[list[_Identity], list[_Identity]]:
    """The keys of rows that are not there, and of those that have another version."""
    found = _stored_versions(conn, written, [_identity(written, c) for c in changes], lock)
    gone, moved = [], []
    for change, version in zip(changes, versions, strict=True):
        identity = _identity(written, change)
        if identity not in found:
            gone.append(identity)
        elif version is not None and found[identity] != version:
            moved.append(identity)
    return gone, moved


def _identity(written: Written, change: Change) -> _Identity:
    return tuple(change.key[key] for key in written.keys)


def _stored_versions(
    conn: Connection, written: Written, identities: Sequence[_Identity], lock: bool = False
) -> dict[_Identity, Any]:
    """Key -> version (or None) of the rows that are there."""
    columns = [written.columns[key] for key in written.keys]
    version = None if written.version is None else written.columns[written.version]
    statement = select(*columns, *([] if version is None else [version]))
    if lock:
        statement = statement.with_for_update()
    found: dict[_Identity, Any] = {}
    for criterion in criteria_for(conn, columns, list(dict.fromkeys(identities))):
        for row in conn.execute(statement.where(criterion)):
            found[tuple(row[: len(columns)])] = None if version is None else row[-1]
    return found


# ---------------------------------------------------------------- DELETE


def delete_rows(conn: Connection, written: Written, rows: Rows, missing_ok: bool = False) -> int:
    """DELETE rows from each table of a class, children first.

    :param rows: keys, and versions to be checked where they are there, by attribute.
    :return: how many there were.
    :raises StaleDataError: a row is gone (unless ``missing_ok``), or has another version.
    """
    changes = [Change(written, row, {}) for row in rows]
    by_identity = {_identity(written, change): change for change in changes}
    changes = list(by_identity.values())
    deleted = 0
    for start in range(0, len(changes), _CHUNK):
        deleted += _delete_chunk(conn, written, changes[start : start + _CHUNK], missing_ok)
    return deleted


def _delete_chunk(
    conn: Connection, written: Written, changes: Sequence[Change], missing_ok: bool
) -> int:
    known = [c for c in changes if c.version is not None]
    if known and len(known) < len(changes):
        rest = [c for c in changes if c.version is None]
        return sum(_delete_chunk(conn, written, part, missing_ok) for part in (known, rest))
    root = written.parts[0]
    if known and root.version is None and len(written.parts) > 1:
        # the counter is in a table whose rows go before those of the first one
        _lock_versions(conn, written, changes, missing_ok)
    _delete_from_subclasses(conn, written, changes)
    for part in reversed(written.parts[1:]):
        _delete_from(conn, written, part, changes)
    return _deleted(conn, written, root, changes, missing_ok)


def _lock_versions(
    conn: Connection, written: Written, changes: Sequence[Change], missing_ok: bool
) -> None:
    gone, moved = _compare(conn, written, changes, [c.version for c in changes], True)
    if moved or (gone and not missing_ok):
        stale(written, [] if missing_ok else gone, moved)


def _delete_from_subclasses(conn: Connection, written: Written, changes: Sequence[Change]) -> None:
    """Delete what the rows have in tables of subclasses: any of them may be a row of one."""
    done = {part.table for part in written.parts}
    for mapper in reversed(_compat.inheriting_mappers(written.mapper)):
        sub = written_of(mapper)
        for part in reversed(sub.parts):
            if part.table not in done:
                done.add(part.table)
                _delete_from(conn, sub, part, [Change(sub, c.key, {}) for c in changes])


def _delete_from(conn: Connection, written: Written, part: Part, changes: Sequence[Change]) -> Any:
    keys = list(part.keys)
    columns = [part.columns[key] for key in keys]
    wanted = [tuple(change.key[key] for key in keys) for change in changes]
    if changes[0].version is not None and written.version in part.columns:
        columns.append(part.columns[written.version])
        wanted = [(*key, c.version) for key, c in zip(wanted, changes, strict=True)]
    statement = delete(part.table).where(and_(among(columns, wanted)))
    if part is written.parts[0] and conn.dialect.delete_returning:
        return conn.execute(statement.returning(*columns[: len(keys)]))
    return conn.execute(statement)


def _deleted(
    conn: Connection, written: Written, root: Part, changes: Sequence[Change], missing_ok: bool
) -> int:
    """Delete the rows of the first table, and tell how many there were."""
    result = _delete_from(conn, written, root, changes)
    if not result.returns_rows:
        gone = [] if result.rowcount == len(changes) else changes
        count = int(result.rowcount)
    else:
        found = {tuple(row) for row in result}
        gone = [c for c in changes if tuple(c.key[key] for key in root.keys) not in found]
        count = len(found)
    if not gone:
        return count
    there = _stored_versions(conn, written, [_identity(written, c) for c in gone])
    moved = [identity for c in gone if (identity := _identity(written, c)) in there]
    missing = [identity for c in gone if (identity := _identity(written, c)) not in there]
    if moved or not missing_ok:
        stale(written, [] if missing_ok else missing, moved)
    return count
