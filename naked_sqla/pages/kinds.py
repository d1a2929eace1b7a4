"""Whether a row of a statement can have had a value that a client's cursor has."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import REAL, Column, Float, Numeric, Table, TypeDecorator

from naked_sqla.pages.expressions import unwrapped

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

    from naked_sqla.backends.base import Backend
    from naked_sqla.pages.order import Key

__all__ = ("fits",)

# The digits of PostgreSQL's numeric before and after its point, which are the most there are.
_MOST_DIGITS, _LEAST_EXPONENT = 131_072, -16_383
# A day has 24 hours, and no zone is further away than 15:59.
_FURTHEST = dt.timedelta(hours=16)
_FLOAT = re.compile("FLOAT|DOUBLE|REAL")
# of four bytes
_SINGLE = re.compile(r"REAL|FLOAT4|FLOAT\((1?\d|2[0-4])\)")


def fits(key: Key, value: Any, backend: Backend, dialect: Dialect) -> bool:
    """True for a value that a row may have for a key, as the driver gives it.

    It asks no database and builds nothing: the value comes from a client.
    """
    if value is None:
        return key.nullable
    if not _is_bounded(value) or backend.refuses_position(value) is not None:
        return False
    return backend.takes_position(value, _stored_as(key.expression, dialect))


def _stored_as(expression: Any, dialect: Dialect) -> TypeEngine[Any] | None:
    """The type of the column that an expression is; None for what only the database can tell."""
    columns: Any = getattr(unwrapped(expression), "base_columns", ())
    if len(columns) != 1:
        return None
    (column,) = columns
    if not isinstance(column, Column) or not isinstance(column.table, Table):
        return None
    found: Any = column.type.dialect_impl(dialect)
    while isinstance(found, TypeDecorator):
        found = found.impl_instance
    if isinstance(found, Float | Numeric):
        # what implements it need not say whether it is a float, and how wide
        name = column.type.compile(dialect=dialect)
        found = REAL() if _SINGLE.fullmatch(name) else Float() if _FLOAT.match(name) else found
    of: TypeEngine[Any] = found
    return of


def _is_bounded(value: Any) -> bool:
    """False for a value that no driver gives, or that takes long to convert."""
    if isinstance(value, int):
        return value.bit_length() <= 64
    if isinstance(value, str):
        # lone surrogates have no UTF-8
        return value.isascii() or value.encode("utf-8", "ignore").decode() == value
    if isinstance(value, Decimal):
        return _is_bounded_decimal(value)
    if isinstance(value, dt.datetime | dt.time):
        return _has_usual_zone(value)
    return True


def _is_bounded_decimal(value: Decimal) -> bool:
    if not value.is_finite():
        return str(value) in ("NaN", "Infinity", "-Infinity")
    exponent = value.as_tuple().exponent
    return value.adjusted() < _MOST_DIGITS and int(exponent) >= _LEAST_EXPONENT


def _has_usual_zone(value: dt.datetime | dt.time) -> bool:
    offset = value.utcoffset()
    if offset is None:
        return True
    if abs(offset) >= _FURTHEST or offset.microseconds:
        return False
    if isinstance(value, dt.datetime):
        try:
            value.astimezone(dt.UTC)
        except OverflowError:
            return False
    return True
