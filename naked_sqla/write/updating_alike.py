"""UPDATE of many objects of one class that store the same attributes.

The values go from the objects to the driver as they are, column by column where a type has to
convert them: by arrays where the database takes them, otherwise as one batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, literal_column, select, update

from naked_sqla._sqlalchemy import dml
from naked_sqla.write.arrays import update_by_arrays
from naked_sqla.write.finding import (
    Identity,
    bound,
    class_criteria,
    class_values,
    raise_gone,
    raise_unmatched,
)
from naked_sqla.write.keys import criteria_for
from naked_sqla.write.rows import has_expressions
from naked_sqla.write.tables import Written
from naked_sqla.write.updates import Alike

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("update_alike",)


def update_alike(conn: Connection, runs: Sequence[Alike]) -> list[Identity]:
    """UPDATE the rows of some objects of one class; their keys in their order.

    :raises RowGone: a row is not there; it names those of all runs.
    """
    identities = [identity for alike in runs for identity in _identities(alike)]
    for alike in runs:
        _update_run(conn, alike, identities)
    return identities


def _identities(alike: Alike) -> list[Identity]:
    return list(zip(*(alike.values[key] for key in alike.written.keys), strict=True))


def _update_run(conn: Connection, alike: Alike, everything: Sequence[Identity]) -> None:
    """UPDATE the rows of objects that store the same attributes.

    :param everything: the keys of all objects.
    """
    written, names = alike.written, alike.names
    part = written.parts[0]
    keys = {f"naked_pk_{i}": key for i, key in enumerate(written.keys)}
    # in the order in which an UPDATE has its parameters
    attributes = {**{part.names[name]: name for name in names}, **keys}
    columns = [part.columns[key] for key in written.keys]
    values = {name: alike.values[key] for name, key in attributes.items()}
    types = {name: alike.types[key] for name, key in attributes.items()}
    count = len(values["naked_pk_0"])
    changed = {part.names[name]: part.columns[name].key for name in names}
    made = _made(part.table, changed, count)
    if made:
        values |= made
        types |= {name: set(map(type, of)) for name, of in made.items()}
        changed |= {name: name for name in made}
    by_key = {name: column.key for name, column in zip(keys, columns, strict=True)}
    matched = update_by_arrays(conn, written, by_key, changed, values, types)
    if matched is not None and matched != count:
        # the database takes two of the keys for one, and has applied one update
        raise_gone(conn, written, everything)
        matched = None
    if matched is None:
        if count > 1 and not conn.dialect.supports_sane_multi_rowcount:
            _lock(conn, written, columns, _identities(alike), everything)
        matched = _update_by_batch(conn, written, columns, values)
    if 0 <= matched != count:
        raise_unmatched(conn, written, everything)


def _made(table: Any, changed: Mapping[str, str], count: int) -> dict[str, list[Any]]:
    """The values that ``onupdate`` functions make for each row, by column key; not those that may
    look at their row.

    If SQLAlchemy called them, it would make the parameters of each row one by one.
    """
    found = {}
    for column in table.columns:
        default = column.onupdate
        if default is None or not default.is_callable or column.key in changed.values():
            continue
        if not dml.looks_at_no_row(default):
            continue
        try:
            values = [default.arg(None) for _ in range(count)]
        except Exception:  # noqa: BLE001 - SQLAlchemy calls it again, and raises
            continue
        if not has_expressions(set(map(type, values))):
            found[column.key] = values
    return found


def _update_by_batch(
    conn: Connection, written: Written, columns: Sequence[Any], values: Mapping[str, Sequence[Any]]
) -> int:
    """Update rows by their keys with an executemany; how many it has matched, or -1.

    :param columns: of the primary key.
    :param values: the values of each parameter, one for each row.
    """
    statement = update(written.parts[0].table).where(*bound(columns))
    chosen = class_values(written)
    if chosen is not None:
        # a batch has only parameters of its rows
        statement = statement.where(*class_criteria(written))
        count = len(values["naked_pk_0"])
        kinds = enumerate(chosen[1])
        values = {**values, **{f"naked_class_{i}": [kind] * count for i, kind in kinds}}
    batch = dml.Batch.of(conn, statement, values)
    if batch is None:
        rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
        return conn.execute(statement, rows).rowcount
    return batch.run(conn, list(zip(*(values[name] for name in batch.order), strict=True)))


def _lock(
    conn: Connection,
    written: Written,
    columns: Sequence[Any],
    identities: Sequence[Identity],
    everything: Sequence[Identity],
) -> None:
    """Lock the rows, and count them: this driver does not tell how many a batch has matched.

    :param everything: the keys of all rows, to name those that are missing.
    """
    wanted = list(dict.fromkeys(identities))
    own = class_criteria(written)
    found = 0
    for criterion in criteria_for(conn, columns, wanted):
        locked: Any = (
            select(literal_column("1")).select_from(columns[0].table).where(criterion, *own)
        )
        counted = select(func.count()).select_from(locked.with_for_update().subquery())
        found += conn.scalar(counted) or 0
    if found != len(wanted):
        raise_gone(conn, written, everything)
