"""UPDATE of rows named by their primary keys, in one table or several.

A missing row, or one of another class, raises ``RowGone``, and a row with another version
``VersionConflict``; both name its key.  Where the driver tells how many rows a batch has matched,
that number is the check.  Where it does not (asyncpg), the rows are locked and read before they are
written.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import bindparam, exists, func, literal_column, update
from sqlalchemy.exc import InvalidRequestError

from naked_sqla._sqlalchemy import dml, mappings
from naked_sqla.exception import InvalidStatement
from naked_sqla.hiding import shown
from naked_sqla.read.criteria import criteria_of, refuse_by_key
from naked_sqla.write.finding import (
    Identity,
    bound,
    class_criteria,
    class_values,
    find,
    has_row,
    look,
    raise_stale,
    raise_unmatched,
    within,
)
from naked_sqla.write.rows import has_expressions, runs
from naked_sqla.write.tables import Part, Written

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = (
    "Change",
    "expected_version",
    "next_version",
    "raise_missed",
    "update_rows",
)


# types of values that can be keys: not None, no SQL expressions, with a hash
_KEYS = frozenset({bytes, dt.date, dt.datetime, int, str, uuid.UUID})


class Change:
    """An UPDATE of one row.

    :ivar key: its keys in all tables, by attribute.
    :ivar identity: its primary key, as it was passed.
    :ivar values: the values to store, by attribute; no part of the key.
    :ivar linked: False where its keys in two tables differ in Python.
    :ivar version: the version that the row is expected to have; None: any.
    """

    __slots__ = ("identity", "key", "linked", "values", "version")

    def __init__(self, written: Written, row: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        key = self.key = _whole_key(written, row)
        self.identity: Identity = written.identity(key)
        self.linked = len(written.parts) == 1 or all(
            key.get(parent, key[child]) == key[child]
            for part in written.parts
            for parent, child in part.inherited
            if child in key
        )
        self.values = dict(values)
        self.version: Any = None
        if written.version is None:
            return
        self.version = expected_version(written, row)
        if written.generated:
            self.values[written.version] = next_version(written, self.version)
        elif self.version is None and row.get(written.version) is not None:
            self.values[written.version] = row[written.version]


def expected_version(written: Written, row: Mapping[str, Any]) -> Any:
    """The version that the stored row is expected to have; None: any.

    An SQL expression is not an expected version; where the mapping makes no versions, it is stored.

    :raises InvalidStatement: an SQL expression where the mapping makes the next version.
    """
    name = written.version
    version = None if name is None else row.get(name)
    if type(version) in _KEYS or version is None or not has_expressions((type(version),)):
        return version
    if written.generated:
        raise InvalidStatement(
            f"{written.name}.{name} is the version that the row is expected to have, not an SQL "
            f"expression: the mapping makes the next version. Pass the version that was loaded, or "
            f"leave it out."
        )
    return None


def _whole_key(written: Written, row: Mapping[str, Any]) -> dict[str, Any]:
    """The key of a row in each of its tables."""
    key = {name: row.get(name) for part in written.parts for name in part.keys}
    for part in written.parts:
        for parent, child in part.inherited:
            if child in key and key[child] is None:
                key[child] = row.get(parent) if key.get(parent) is None else key[parent]
    if _KEYS.issuperset(map(type, key.values())):
        return key
    missing = [name for name, value in key.items() if value is None]
    if missing:
        raise InvalidRequestError(
            f"No primary key value supplied for {', '.join(missing)} of {written.name}: a row is "
            f"found by its whole key. Load it first, or write a statement with where()."
        )
    unhashable = [name for name, value in key.items() if type(value).__hash__ is None]
    if unhashable:
        raise InvalidRequestError(
            f"{shown(key[unhashable[0]])} can't be {written.name}.{unhashable[0]}, which is part "
            f"of the primary key. Pass the key of one row; for several there are update_all() and "
            f"delete_all()."
        )
    sql = [name for name, value in key.items() if has_expressions((type(value),))]
    if sql:
        raise InvalidStatement(
            f"{written.name}.{sql[0]} is part of the key by which a row is found, and was given an "
            f"SQL expression. Pass its value, or write a statement with where()."
        )
    return key


def next_version(written: Written, version: Any) -> Any:
    """The version after one, or an expression for it where that is not known."""
    generate: Any = written.mapper.version_id_generator
    if version is None and mappings.counts_versions(written.mapper):
        return func.coalesce(written.mapper.version_id_col, literal_column("0")) + 1
    try:
        return generate(version)
    except TypeError as error:
        raise InvalidStatement(
            f"{written.name}.{written.version} is {shown(version)}, and the mapping can't make the "
            f"next version from it. Pass the version as it was loaded."
        ) from error


def update_rows(
    conn: Connection,
    written: Written,
    changes: Sequence[Change],
    options: Mapping[str, Any] | None = None,
    criteria: Sequence[Any] = (),
    strict: bool = True,
) -> int:
    """UPDATE rows in each table of a class, one batch for each run of rows with the same columns.

    :param criteria: further criteria of each UPDATE; then an unmatched row is no error.
    :param strict: read the rows first where the driver does not tell how many a batch has matched;
        False: only to check versions, as the ORM session does.
    :return: the number of matched rows, or -1 if it is unknown.
    :raises RowGone: a row is not there.
    :raises VersionConflict: the version of a row has moved on.
    """
    written, checked = within(conn, written), not criteria
    if written.criteria and not checked:
        refuse_by_key(criteria_of(conn), written.mapper.class_, "update() with where() and a list")
    counted = conn.dialect.supports_sane_multi_rowcount
    versioned = any(change.version is not None for change in changes)
    # look first: a row may already have the version that its UPDATE would make, and then nothing
    # tells afterwards which row was missed
    looked = checked and len(changes) > 1 and (versioned or (strict and not counted))
    # a batch takes no list for an IN, and criteria may be about another table
    looked = looked or bool(written.criteria)
    # no UPDATE runs for a row without values, so none tells whether it is there
    idle = checked and strict and not all(change.values for change in changes)
    if looked or idle:
        _lock(conn, written, changes)
    apart = [c for c in changes if not c.linked and not has_row(conn, written, c.key)]
    if apart:
        raise_stale(written, [change.identity for change in apart], [])
    alone = not looked and not (checked and counted)
    # changes with values for the same attributes have them for the same tables
    known: dict[tuple[str, ...], list[Part]] = {}
    touched = [known.get(tuple(c.values)) or _touched(written, c, known) for c in changes]
    matched: int | None = None
    for part in written.parts:
        read = _reader(written, part, alone)
        found = _update_part(
            conn,
            written,
            part,
            [(change, read(change, parts)) for change, parts in zip(changes, touched, strict=True)],
            (options, criteria, checked and (counted or not looked)),
        )
        matched = found if matched is None else matched
    if checked:
        return len(changes) if strict else sum(bool(change.values) for change in changes)
    return matched or 0


def _touched(
    written: Written, change: Change, known: dict[tuple[str, ...], list[Part]]
) -> list[Part]:
    """The tables that an UPDATE of a row has values for."""
    found = [part for part in written.parts if not part.columns.keys().isdisjoint(change.values)]
    known[tuple(change.values)] = found
    return found


def _reader(
    written: Written, part: Part, alone: bool
) -> Callable[[Change, Sequence[Part]], dict[str, Any]]:
    """What gives the parameters of the UPDATE of a row in one table; an empty dictionary where
    there is nothing to set.

    :param alone: no other UPDATE of the row tells whether it is of the class.
    """
    names, last = part.names, written.parts[-1]
    found_by = [(f"naked_pk_{i}", key) for i, key in enumerate(part.keys)]
    versioned = written.version in part.columns
    within_others = len(written.parts) > 1 and written.mapper.inherits is not None
    chosen = class_values(written) is not None
    rows = [(f"naked_row_{i}", k) for i, k in enumerate(written.keys if chosen else last.keys)]

    def read(change: Change, touched: Sequence[Part]) -> dict[str, Any]:
        if part not in touched:
            return {}
        values = {names[k]: v for k, v in change.values.items() if k in names}
        key = change.key
        for name, attribute in found_by:
            values[name] = key[attribute]
        if versioned and change.version is not None:
            values["naked_version"] = change.version
        if within_others:
            told = alone or (part is touched[0] and last not in touched)
            if (chosen and (alone or part is touched[0])) or (told and part is not last):
                for name, attribute in rows:
                    values[name] = key[attribute]
        return values

    return read


def _membership(written: Written) -> Any:
    """The criterion that the row with the key ``naked_row_`` is one of this class."""
    last, criteria = written.parts[-1], class_criteria(written)
    source = written.mapper.persist_selectable if criteria else last.table
    columns = [written.columns[key] for key in written.keys]
    columns = columns if criteria else [last.columns[key] for key in last.keys]
    keys = bound(columns, "naked_row_")
    return exists().select_from(source).where(*keys, *criteria).correlate(None)


def _update_part(
    conn: Connection,
    written: Written,
    part: Part,
    pairs: Sequence[tuple[Change, dict[str, Any]]],
    how: tuple[Any, Sequence[Any], bool],
) -> int:
    options, criteria, checked = how
    everything = [change for change, _ in pairs]
    pairs = [pair for pair in pairs if pair[1]]
    own = class_criteria(written) if len(written.parts) == 1 else []
    start = matched = 0
    for expressions, group in runs(row for _, row in pairs):
        changes = [change for change, _ in pairs[start : start + len(group)]]
        start += len(group)
        columns = [part.columns[key] for key in part.keys]
        statement = update(part.table).where(
            *criteria,
            *own,
            *bound(columns),
        )
        if "naked_row_0" in group[0]:
            statement = statement.where(_membership(written))
        if "naked_version" in group[0] and written.version is not None:
            version = part.columns[written.version]
            statement = statement.where(version == bindparam("naked_version", type_=version.type))
        statement = part.with_values(statement, expressions)
        count = _send(conn, statement, group, options)
        matched += count
        if checked and 0 <= count != len(group):
            versioned = any(change.version is not None for change in changes)
            # without versions the error names all missing rows, those of later groups too
            raise_missed(conn, written, changes if versioned else everything)
    return matched


def _send(conn: Connection, statement: Any, rows: Sequence[dict[str, Any]], options: Any) -> int:
    """UPDATE rows with the same parameters; how many the database has matched, or -1."""
    batch = None if options or len(rows) == 1 else dml.Batch.of(conn, statement, rows[0])
    if batch is None:
        return conn.execute(statement, rows, execution_options=options).rowcount
    order = batch.order
    return batch.run(conn, [tuple([row[name] for name in order]) for row in rows])


def _lock(conn: Connection, written: Written, changes: Sequence[Change]) -> None:
    """Lock the rows of some changes where the database can, and check that they are there."""
    wanted = [(change.identity, change.version) for change in changes]
    found, gone, moved = look(conn, written, wanted, lock=True)
    seen: set[Identity] = set()
    for key, version in wanted:
        row = found.get(key)
        if row is not None and version is not None and row.key in seen and key not in moved:
            # an earlier change gives it another version
            moved.append(key)
        if row is not None:
            seen.add(row.key)
    if gone or moved:
        raise_stale(written, gone, moved)


def raise_missed(conn: Connection, written: Written, changes: Sequence[Change]) -> NoReturn:
    """Find out which of some rows an UPDATE has not matched, and raise."""
    identities = [change.identity for change in changes]
    found = find(conn, written, identities)
    gone = [key for key in identities if key not in found]
    made = str(written.version) if written.generated else ""
    moved = [
        key
        for key, change in zip(identities, changes, strict=True)
        if change.version is not None
        and key in found
        # a single row that was not matched has another version
        and (len(changes) == 1 or found[key].version != change.values.get(made, change.version))
    ]
    if gone or moved:
        raise_stale(written, gone, moved)
    raise_unmatched(conn, written, identities)
