"""A fast path for ``update_all()``: UPDATE of loaded objects of one kind, in one batch.

Most of the time of a batch goes into the parameters, one dictionary for each row.  Here the values
go from the objects to the driver as they are, column by column where a type has to convert them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
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
    within,
)
from naked_sqla.write.keys import criteria_for
from naked_sqla.write.names import names_of_attributes
from naked_sqla.write.related import related_of
from naked_sqla.write.rows import has_expressions
from naked_sqla.write.tables import Written
from naked_sqla.write.values import written_class

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("update_loaded",)


def update_loaded(
    conn: Connection, objs: Sequence[Any], fields: Sequence[Any], model: Any
) -> tuple[Written, list[Identity]] | None:
    """UPDATE the rows of loaded objects of one class with one table and no version.

    :return: how the class is written, and the keys of the objects in their order; None if the
        objects need the general way, and nothing was written.
    :raises RowGone: a row is not there.
    """
    chosen = _chosen(objs, fields, model)
    if chosen is None:
        return None
    written, names = chosen
    if within(conn, written).criteria:
        return None
    part = written.parts[0]
    keys = {f"naked_pk_{i}": key for i, key in enumerate(written.keys)}
    # in the order in which an UPDATE has its parameters
    attributes = {**{part.names[name]: name for name in names}, **keys}
    columns = [part.columns[key] for key in written.keys]
    try:
        rows = list(map(attrgetter(*attributes.values()), objs))
    except AttributeError:
        # a value was deleted
        return None
    by_name: dict[str, Sequence[Any]] = dict(zip(attributes, zip(*rows, strict=True), strict=True))
    types = {name: set(map(type, values)) for name, values in by_name.items()}
    if has_expressions(set().union(*types.values())) or any(type(None) in types[k] for k in keys):
        return None
    identities = list(zip(*(by_name[key] for key in keys), strict=True))
    changed = {part.names[name]: part.columns[name].key for name in names}
    made = _made(part.table, changed, len(rows))
    if made:
        by_name |= made
        types |= {name: set(map(type, values)) for name, values in made.items()}
        changed |= {name: name for name in made}
        rows = list(zip(*by_name.values(), strict=True))
    by_key = {name: column.key for name, column in zip(keys, columns, strict=True)}
    criteria = class_criteria(written)
    matched = update_by_arrays(conn, part.table, by_key, changed, by_name, types, criteria)
    if matched is not None and matched != len(rows):
        # the database takes two of the keys for one, and has applied one update
        raise_gone(conn, written, identities)
        matched = None
    if matched is None:
        if len(rows) > 1 and not conn.dialect.supports_sane_multi_rowcount:
            _lock(conn, written, columns, identities)
        matched = _update_by_batch(conn, written, columns, by_name, rows)
    if 0 <= matched != len(rows):
        raise_unmatched(conn, written, identities)
    return written, identities


# not an execution context: a function that reads its row fails
_NO_CONTEXT = object()


def _made(table: Any, changed: Mapping[str, str], count: int) -> dict[str, list[Any]]:
    """The values that ``onupdate`` functions make for each row, by column key; not those that read
    their row.

    If SQLAlchemy called them, it would make the parameters of each row one by one.
    """
    found = {}
    for column in table.columns:
        default = column.onupdate
        if default is None or not default.is_callable or column.key in changed.values():
            continue
        try:
            values = [default.arg(_NO_CONTEXT) for _ in range(count)]
        except Exception:  # noqa: BLE001 - SQLAlchemy calls it again, and raises
            continue
        if not has_expressions(set(map(type, values))):
            found[column.key] = values
    return found


def _update_by_batch(
    conn: Connection,
    written: Written,
    columns: Sequence[Any],
    values: Mapping[str, Sequence[Any]],
    rows: list[tuple[Any, ...]],
) -> int:
    """Update rows by their keys with an executemany; how many it has matched, or -1.

    :param columns: of the primary key.
    :param values: the values of each parameter, one for each row.
    :param rows: the same by row, in the order of ``values``.
    """
    statement = update(written.parts[0].table).where(*bound(columns))
    chosen = class_values(written)
    if chosen is not None:
        # a batch has only parameters of its rows
        statement = statement.where(*class_criteria(written))
        kinds = enumerate(chosen[1])
        values = {**values, **{f"naked_class_{i}": [kind] * len(rows) for i, kind in kinds}}
        rows = [(*row, *chosen[1]) for row in rows]
    batch = dml.Batch.of(conn, statement, values)
    if batch is None:
        return conn.execute(
            statement, [dict(zip(values, row, strict=True)) for row in rows]
        ).rowcount
    if batch.order != tuple(values):
        rows = list(zip(*(values[name] for name in batch.order), strict=True))
    return batch.run(conn, rows)


def _chosen(
    objs: Sequence[Any], fields: Sequence[Any], model: Any
) -> tuple[Written, Sequence[str]] | None:
    """How the objects are written, and the attributes that are stored."""
    naked = getattr(type(objs[0]), "__naked__", None)
    if naked is None or not naked.slots or model is not None or len(set(map(type, objs))) != 1:
        return None
    written = written_class(naked.model)
    if len(written.parts) > 1 or written.version is not None:
        return None
    if not fields and not _says_no_more(written, naked, objs):
        return None
    names = names_of_attributes(written, fields) if fields else naked.loaded
    fixed = written.key_attributes()
    fixed |= written.computed
    if not fields:
        name = "" if written.kind is None else written.kind[0]
        kinds = [getattr(obj, name, None) for obj in objs] if name in naked.loaded else [None]
        if any(kind != kinds[0] for kind in kinds):
            return None
        fixed |= written.unsaid({name: kinds[0]})
    kept = [name for name in dict.fromkeys(names) if name in written.columns and name not in fixed]
    if not kept or (fields and len(kept) != len(fields)):
        return None
    return (written, kept) if {*written.keys, *kept} <= set(naked.loaded) else None


def _says_no_more(written: Written, naked: Any, objs: Sequence[Any]) -> bool:
    """True when the objects have no values besides the columns that were loaded.

    :raises InvalidStatement: for a relationship that the rows can't hold.
    """
    related = related_of(written)
    if related is None and written.columns.keys() <= set(naked.loaded):
        return True
    # a value may be set that no statement has loaded
    others = any(map(naked.variables, objs))
    if others and any(not written.columns.keys().isdisjoint(naked.variables(o)) for o in objs):
        return False
    if related is None or (not others and related.keys.isdisjoint(naked.loaded)):
        return True
    columns = dict.fromkeys(written.columns)
    for values in map(vars, objs):
        row = {key: value for key, value in values.items() if key in columns}
        found = related.completed("update_all", row, values, "loaded", loaded=naked.loaded)
        if found is not row:
            return False
    return True


def _lock(
    conn: Connection, written: Written, columns: Sequence[Any], identities: Sequence[Identity]
) -> None:
    """Lock the rows, and count them: this driver does not tell how many a batch has matched."""
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
        raise_gone(conn, written, identities)
