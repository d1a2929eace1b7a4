"""UPDATE of many rows on PostgreSQL by one statement: each column's values are one array.

``UPDATE t SET a = given.v1 FROM unnest($1, $2) AS given (v0, v1) WHERE t.id = given.v0``.  A batch
sends each row by itself, which takes most of its time; on asyncpg it does not tell how many rows it
has matched.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    Float,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Text,
    Unicode,
    UnicodeText,
    Uuid,
    bindparam,
    column,
    func,
    update,
)
from sqlalchemy.dialects import postgresql

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import mappings
from naked_sqla.backends import backend_of
from naked_sqla.write.direct import RowStatement
from naked_sqla.write.finding import class_criteria
from naked_sqla.write.tables import Written

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.types import TypeEngine

__all__ = ("update_by_arrays",)

# Statements that are kept for a class: each set of columns has its own.
_FORMS = 32

# The values that an array takes as a single parameter takes them, and the type of its elements.
# Without length and precision: the cast of an array would cut values that the column refuses.
_FITTING: dict[type[TypeEngine[Any]], tuple[type, TypeEngine[Any]]] = {
    BigInteger: (int, BigInteger()),
    Boolean: (bool, Boolean()),
    Date: (dt.date, Date()),
    Double: (float, Double()),
    Float: (float, Double()),
    Integer: (int, BigInteger()),
    Numeric: (decimal.Decimal, Numeric()),
    SmallInteger: (int, BigInteger()),
    String: (str, Text()),
    Text: (str, Text()),
    Unicode: (str, Text()),
    UnicodeText: (str, Text()),
    Uuid: (uuid.UUID, Uuid()),
}


def update_by_arrays(
    conn: Connection,
    written: Written,
    keys: Mapping[str, str],
    changed: Mapping[str, str],
    values: Mapping[str, Sequence[Any]],
    types: Mapping[str, set[type]],
) -> int | None:
    """Update rows of a class with one table by their keys.

    :param keys: the name of a parameter -> the key of a column of the primary key.
    :param changed: the name of a parameter -> the key of a column that is stored.
    :param values: the values of each parameter, one for each row.
    :param types: the types of the values of each parameter.
    :return: the number of matched rows; None if a batch has to do it, and nothing was sent.
    """
    backend, table = backend_of(conn.dialect), written.parts[0].table
    if not backend.updates_from_arrays:
        return None
    columns = {name: table.c[key] for name, key in {**keys, **changed}.items()}
    if any(_is_called(c) and c.key not in changed.values() for c in table.columns):
        return None
    elements: list[TypeEngine[Any]] = []
    for name, of in columns.items():
        element = _element(mappings.type_on(backend.name, of.type), types[name], values[name])
        if element is None:
            return None
        elements.append(element)
    found = list(zip(*(values[name] for name in keys), strict=True))
    # of two updates of one row the database would apply either
    if len(found) < 2 or len(set(found)) < len(found):
        return None
    forms: BoundedCache[Any, RowStatement]
    forms = written.forms.setdefault("arrays", BoundedCache(_FORMS))
    # the types of the columns on this database are those of the elements
    kind = backend.name, tuple(changed.values())
    form = forms.get(kind)
    if form is None:
        statement = _statement(written, list(columns.values()), elements, len(keys))
        form = forms[kind] = RowStatement(statement)
    return form.matched(conn, {f"naked_{i}": values[n] for i, n in enumerate(columns)})


def _statement(
    written: Written, columns: Sequence[Any], elements: Sequence[TypeEngine[Any]], keys: int
) -> Any:
    """The UPDATE of rows by their keys, which has an array for each column.

    :param keys: how many of the columns, the first ones, are the primary key.
    """
    given = func.unnest(
        *(
            bindparam(f"naked_{i}", type_=postgresql.ARRAY(element))
            for i, element in enumerate(elements)
        )
    ).table_valued(*(column(f"v{i}", element) for i, element in enumerate(elements)))
    rows = given.render_derived(name="naked_given")
    pairs = [(of, rows.c[f"v{i}"]) for i, of in enumerate(columns)]
    return (
        update(written.parts[0].table)
        .where(*(of == value for of, value in pairs[:keys]), *class_criteria(written))
        .values(dict(pairs[keys:]))
    )


def _is_called(of: Any) -> bool:
    """True for a column whose ``onupdate`` is a function, called for each row by itself."""
    made = of.onupdate
    return made is not None and not (made.is_scalar or made.is_clause_element)


def _element(
    type_: TypeEngine[Any], types: set[type], values: Sequence[Any]
) -> TypeEngine[Any] | None:
    """The type of the elements of an array; None where an array may store something else.

    :param type_: the type of the column on this database.
    """
    nothing = type(None)
    if type(type_) is DateTime:
        zones = {value.tzinfo is None for value in values if isinstance(value, dt.datetime)}
        fits = types <= {dt.datetime, nothing} and len(zones) < 2
        return DateTime(timezone=type_.timezone) if fits else None
    wanted = _FITTING.get(type(type_))
    if wanted is None or not types <= {wanted[0], nothing}:
        return None
    if isinstance(type_, Numeric) and not isinstance(type_, Float) and not type_.asdecimal:
        return None
    if isinstance(type_, Uuid) and not (type_.as_uuid and type_.native_uuid):
        return None
    return wanted[1]
