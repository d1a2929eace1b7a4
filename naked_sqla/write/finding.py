"""Which rows are there: of which class, under which key, with which version.

The database decides which keys are equal.  Python may find the passed key and the stored key
different (another case, padding, ``"5"`` for 5).  For keys that Python does not find among the
stored ones, the database is asked again, one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from sqlalchemy import bindparam, select
from sqlalchemy.orm.exc import StaleDataError

from naked_sqla.exception import RowExcluded, RowGone, VersionConflict
from naked_sqla.hiding import shown
from naked_sqla.read.criteria import criteria_of, criteria_of_rows, lifting
from naked_sqla.write.keys import are_exact, criteria_for
from naked_sqla.write.tables import Written

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = (
    "Identity",
    "StoredRow",
    "bound",
    "class_criteria",
    "equal",
    "find",
    "look",
    "raise_excluded",
    "raise_gone",
    "raise_stale",
    "raise_unmatched",
    "row_criteria",
    "within",
)

# keys in one message
_SHOWN = 10

Identity = tuple[Any, ...]


class StoredRow(NamedTuple):
    """A row that is there: its key and its version (or None), as they are stored."""

    key: Identity
    version: Any


def class_values(written: Written) -> tuple[Any, tuple[Any, ...]] | None:
    """The discriminator of a single-table subclass, and its values in rows of it; or None."""
    mapper = written.mapper
    if not mapper.single or mapper.inherits is None or mapper.polymorphic_on is None:
        return None
    below = (m for m in mapper.self_and_descendants if not m.polymorphic_abstract)
    return mapper.polymorphic_on, tuple(m.polymorphic_identity for m in below)


def class_criteria(written: Written) -> list[Any]:
    """The criteria that a row belongs to a class of single-table inheritance; empty for others.

    Their parameters are ``naked_class_0`` and so on: an executemany takes no list for an IN.
    """
    chosen = class_values(written)
    if chosen is None:
        return []
    of, kinds = chosen
    return [of.in_([bindparam(f"naked_class_{i}", k, type_=of.type) for i, k in enumerate(kinds)])]


def row_criteria(written: Written) -> list[Any]:
    """:func:`class_criteria`, and the criteria of the factory.  These may have a list for an IN."""
    return [*class_criteria(written), *written.criteria]


def within(conn: Connection, written: Written) -> Written:
    """How a class is written on a connection: where the factory has criteria, within these."""
    criteria = criteria_of_rows(conn, written.mapper) if criteria_of(conn) else ()
    if not criteria:
        return written
    found = copy(written)
    found.criteria = criteria
    # those of the class have no criteria
    found.forms = {}
    return found


def equal(columns: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """The criteria that columns have values, compared by the database.

    Their parameters are ``naked_key_0`` and so on: SQLAlchemy's own names may be those of columns.
    """
    return [
        column == bindparam(f"naked_key_{i}", value, type_=column.type)
        for i, (column, value) in enumerate(zip(columns, values, strict=True))
    ]


def find(
    conn: Connection,
    written: Written,
    identities: Iterable[Identity],
    lock: bool = False,
    names: Sequence[str] | None = None,
) -> dict[Identity, StoredRow]:
    """The rows of a class, by the keys that were passed; missing rows are left out.

    :param lock: lock them, where the database can.
    :param names: the attributes that the keys are of; None: the primary key.
    """
    columns = [written.columns[key] for key in names or written.keys]
    version = None if written.version is None else written.columns[written.version]
    read = columns if version is None else [*columns, version]
    statement = select(*read).select_from(written.mapper.persist_selectable)
    statement = statement.where(*row_criteria(written))
    if lock:
        statement = statement.with_for_update(of=read)
    size = len(columns)

    def rows(*criteria: Any) -> list[StoredRow]:
        found = conn.execute(statement.where(*criteria)).all()
        if version is None:
            return [StoredRow(row[:size], None) for row in found]
        return [StoredRow(row[:size], row[size]) for row in found]

    def among(keys: Sequence[Identity]) -> dict[Identity, StoredRow]:
        criteria = criteria_for(conn, columns, keys)
        return {found.key: found for criterion in criteria for found in rows(criterion)}

    wanted = list(dict.fromkeys(identities))
    stored = among(wanted)
    rest = [key for key in wanted if key not in stored]
    if rest and not are_exact(conn, columns, rest):
        others = among(rest) if len(rest) < len(wanted) else stored
        for key in rest if others else ():
            for found in rows(*equal(columns, key)):
                stored[key] = found
    return {key: stored[key] for key in wanted if key in stored}


def has_row(conn: Connection, written: Written, key: Mapping[str, Any]) -> bool:
    """True when one row of a class has a key in all of its tables."""
    pairs = [(part.columns[name], key[name]) for part in written.parts for name in part.keys]
    columns, values = zip(*pairs, strict=True)
    statement = select(columns[0]).select_from(written.mapper.persist_selectable)
    return conn.execute(statement.where(*equal(columns, values))).first() is not None


def look(
    conn: Connection,
    written: Written,
    wanted: Sequence[tuple[Identity, Any]],
    lock: bool = False,
) -> tuple[dict[Identity, StoredRow], list[Identity], list[Identity]]:
    """Read rows before they are written.

    :param wanted: keys, each with the version that its row is to have, or None.
    :return: the rows that are there; the keys of those that are not; the keys of those that have
        another version.
    """
    found = find(conn, written, (key for key, _ in wanted), lock)
    gone = [key for key, _ in wanted if key not in found]
    moved = [
        key
        for key, version in wanted
        if version is not None
        and key in found
        and not _has_version(conn, written, found[key], version)
    ]
    return found, gone, moved


def _has_version(conn: Connection, written: Written, row: StoredRow, version: Any) -> bool:
    if row.version == version:
        return True
    column = written.columns[str(written.version)]
    if are_exact(conn, [column], [(version,)]):
        return False
    keys = [written.columns[key] for key in written.keys]
    statement = select(column).select_from(written.mapper.persist_selectable)
    statement = statement.where(*equal([*keys, column], [*row.key, version]))
    return conn.execute(statement).first() is not None


def bound(columns: Sequence[Any], prefix: str = "naked_pk_") -> list[Any]:
    """The criteria that columns have the values of parameters: ``naked_pk_0`` and so on."""
    return [
        column == bindparam(f"{prefix}{i}", type_=column.type) for i, column in enumerate(columns)
    ]


def raise_gone(conn: Connection, written: Written, identities: Sequence[Identity]) -> None:
    """Raise ``RowGone`` if any of these rows is missing."""
    found = find(conn, written, identities)
    gone = [key for key in identities if key not in found]
    if gone:
        raise_stale(written, gone, [])


def raise_unmatched(conn: Connection, written: Written, identities: Sequence[Identity]) -> NoReturn:
    """Raise for rows that a statement has not matched: missing, or left out by the database."""
    raise_gone(conn, written, identities)
    raise StaleDataError(
        f"{written.name}: the statement has left out rows that are there, of those with primary "
        f"key {_shown(identities)}. Look for a trigger, a rule or a policy of the database; what "
        f"this call has written before is rolled back with the transaction."
    )


def raise_stale(
    written: Written,
    gone: Sequence[Identity],
    moved: Sequence[Identity],
    names: Sequence[str] | None = None,
) -> NoReturn:
    """Raise ``VersionConflict`` if a row has another version, otherwise ``RowGone``.

    :param gone: the keys of rows that are not there.
    :param moved: the keys of rows with another version.
    :param names: the attributes that the keys are of; None: the primary key.
    """
    gone, moved = list(dict.fromkeys(gone)), list(dict.fromkeys(moved))
    facts = []
    if gone:
        facts.append(f"{_shown(gone)} is gone")
    if moved:
        facts.append(f"{_shown(moved)} has another version by now")
    row = f"the row with {'primary key' if names in (None, written.keys) else ', '.join(names)}"
    message = (
        f"{written.name}: {row} {f', {row} '.join(facts)}. "
        f"Load what is stored now, and decide again; what this call has written before is rolled "
        f"back with the transaction."
    )
    model = written.mapper.class_
    if moved:
        raise VersionConflict(message, model, map(_plain, moved), map(_plain, gone))
    raise RowGone(message, model, map(_plain, gone))


def raise_excluded(conn: Connection, written: Written, excluded: Sequence[Identity]) -> NoReturn:
    """Raise ``RowExcluded`` for rows that a call can neither store nor change.

    :param excluded: their keys.
    """
    raise RowExcluded(
        f"{written.name}: the row with primary key {_shown(excluded)} is there, outside of the "
        "criteria of this factory. It can't be stored again, and is not changed; what this call "
        f"has written before is rolled back with the transaction. Give the object another key, or "
        f"upsert it by a factory without these criteria: {lifting(conn, written.mapper)}.",
        written.mapper.class_,
        map(_plain, excluded),
    )


def _plain(key: Identity) -> Any:
    return key[0] if len(key) == 1 else key


def _shown(identities: Sequence[Identity]) -> str:
    keys = [shown(_plain(key)) for key in identities[:_SHOWN]]
    more = len(identities) - len(keys)
    return ", ".join(keys) + (f" and {more} more" if more else "")
