"""Trees of SQLite, where the value, not the column, says of what kind it is."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, cast, func, literal_column, type_coerce
from sqlalchemy import types as sqltypes

from naked_sqla.backends.trees import Coding

__all__ = ("SQLiteTrees",)

# types whose values are whole numbers and text
_EXACT = (
    sqltypes.Boolean,
    sqltypes.Integer,
    sqltypes.String,
    sqltypes.Uuid,
    sqltypes.Date,
    sqltypes.DateTime,
    sqltypes.Time,
)
_DATES = (sqltypes.Date, sqltypes.DateTime)
_ANY = (sqltypes.Numeric, sqltypes.Float, sqltypes.Double, sqltypes.JSON)


class SQLiteTrees:
    """``json_array()`` and ``json_group_array()``; JSON of SQLite cuts fractions to 15 digits."""

    # SQLite takes 127 arguments of a function, later versions 1000
    width = 100
    odd: str | None = '{"'

    def row(self, values: Sequence[Any]) -> Any:
        return func.json_array(*values)

    def rows(self, row: Any) -> Any:
        return func.json_group_array(row)

    def within(self, tree: Any) -> Any:
        # what comes from a subquery is text again
        return func.json(tree)

    def text(self, tree: Any) -> Any:
        return type_coerce(tree, sqltypes.Text)

    def zone(self, conn: Any) -> dt.tzinfo | None:
        return None

    def odd_value(self, found: dict[str, str]) -> Any:
        ((kind, written),) = found.items()
        value = bytes.fromhex(written)
        if kind == "blob":
            return value
        raise ValueError(
            f"{value.decode()}, a fraction in a column of another type: strategy='json' can't read "
            f"it exactly; leave strategy out"
        )

    def kind(self, column: Any) -> Any:
        return None

    def name_of_other(self, kinds: frozenset[int], found: Any) -> str | None:
        return None

    def coding(self, of: Any, dialect: Any, zone: dt.tzinfo | None) -> Coding | None:
        if getattr(dialect, "native_datetime", False) and isinstance(of, _DATES):
            # the driver reads them
            return None
        if isinstance(of, _EXACT):
            return Coding(_whole_or_text)
        if isinstance(of, sqltypes.LargeBinary):
            return Coding(_tagged_bytes, _untagged)
        return Coding(_tagged, _untagged) if isinstance(of, _ANY) else None


# Two integers hold a fraction exactly whose size is within these powers of 2: what is before the
# point, and 2 ** _LARGE of what is behind it.
_SMALL, _LARGE = -10, 62
_SPAN = _LARGE - _SMALL
# how often a fraction is moved there: from about 1e-67 to 1e62
_DOWN, _UP = 3, 2


def _power(of: int) -> Any:
    """2 to a power, in SQL; SQLite does not read numbers of many digits exactly."""
    if of < 0:
        return literal_column(f"(1.0/{_power(-of)})")
    big, small = divmod(of, 31)
    return literal_column(f"({'*'.join(['2147483648.0'] * big + [f'{2**small}.0'])})")


def _fraction(column: Any) -> list[tuple[Any, Any]]:
    """The cases of a fraction: as whole numbers, and the power of 2 by which it was moved."""
    size = func.abs(column)

    def parts(value: Any, moved: int) -> Any:
        whole = cast(value, sqltypes.Integer)
        rest = cast((value - whole) * _power(_LARGE), sqltypes.Integer)
        return func.printf(literal_column(f"'r%d:%d:{moved}'"), whole, rest)

    found = [
        (column == literal_column("0.0"), literal_column("'r0:0:0'")),
        ((size >= _power(_SMALL)) & (size < _power(_LARGE)), parts(column, 0)),
    ]
    for step in (*range(-1, -_DOWN - 1, -1), *range(1, _UP + 1)):
        low, high = _SMALL + step * _SPAN, _LARGE + step * _SPAN
        within = (size >= _power(low)) & (size < _power(high))
        found.append((within, parts(column * _power(-step * _SPAN), step * _SPAN)))
    # of all numbers, only what is infinite is its own half
    endless = size * literal_column("0.5") == size
    return [*found, (endless, case((column > 0, literal_column("'rinf'")), else_=_MINUS))]


_MINUS: Any = literal_column("'r-inf'")
_BEYOND: Any = literal_column("'rbeyond'")


def _whole_or_text(column: Any) -> Any:
    """Whole numbers and text as they are, all others as an object."""
    kind = func.typeof(column)
    other = func.json_object(kind, func.hex(type_coerce(column, sqltypes.Text)))
    is_odd = kind.in_([literal_column("'real'"), literal_column("'blob'")])
    return case((is_odd, other), else_=column)


def _tagged(column: Any) -> Any:
    """Whole numbers as they are, all others as text with a letter for the kind."""
    number = type_coerce(column, sqltypes.Float)
    fraction = case(*_fraction(number), else_=_BEYOND)
    return case(
        (_is(column, "real"), fraction),
        (_is(column, "integer"), type_coerce(column, sqltypes.Integer)),
        else_=_tagged_bytes(column),
    )


def _tagged_bytes(column: Any) -> Any:
    text = type_coerce(column, sqltypes.Text)
    return case(
        (_is(column, "blob"), literal_column("'b'").op("||")(func.hex(text))),
        (_is(column, "text"), literal_column("'t'").op("||")(text)),
        (_is(column, "null"), None),
        else_=_BEYOND,
    )


def _is(column: Any, kind: str) -> Any:
    return func.typeof(column) == literal_column(f"'{kind}'")


def _untagged(value: Any) -> Any:
    if type(value) is int:
        return value
    tag, value = value[0], value[1:]
    if tag == "t":
        return value
    if tag == "b":
        return bytes.fromhex(value)
    if value in ("inf", "-inf"):
        return float(value)
    if value == "beyond":
        raise ValueError("strategy='json' can't read it exactly; leave strategy out")
    whole, rest, moved = map(int, value.split(":"))
    return math.ldexp(whole + math.ldexp(rest, -_LARGE), moved)
