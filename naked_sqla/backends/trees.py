"""Rows and the rows below them as one JSON value, and the way back from it to the driver's values.

Only what comes back exactly has a :class:`Coding`.  What JSON, or its parser, can't hold exactly is
written as text: fractions, what is not a number, bytes.
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Text, cast, column, func, literal_column, select, table
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import postgresql

from naked_sqla._sqlalchemy import column_types

__all__ = ("PLAIN", "AsyncpgTrees", "Coding", "PostgresTrees", "PsycopgTrees", "Trees")

Read = Callable[[Any], Any]


class Coding(NamedTuple):
    """How the values of a column go through JSON.

    :ivar write: an expression -> the one that is written; None: as it is.
    :ivar read: what came, never None -> what the driver would have given; None: the same.
    :ivar code: the column's type, as the driver's cursor would have told it.
    :ivar kinds: the types in the database for which this holds; none where any value says its own.
    """

    write: Callable[[Any], Any] | None = None
    read: Read | None = None
    code: Any = None
    kinds: frozenset[int] = frozenset()


class Trees(Protocol):
    """How a database writes trees.

    :ivar width: how many values one row takes.
    :ivar odd: is in the JSON where a value is written as an object, since it is not of the kind
        that its column takes; None: there are no such values.
    """

    width: int
    odd: str | None

    def row(self, values: Sequence[Any]) -> Any:
        """A row: an array of its values."""
        ...

    def rows(self, row: Any) -> Any:
        """All rows: the array of what :meth:`row` gives for each; NULL, or empty, for none."""
        ...

    def within(self, tree: Any) -> Any:
        """Rows of a subquery, as a value of a row."""
        ...

    def text(self, tree: Any) -> Any:
        """The same as a column of the result."""
        ...

    def zone(self, conn: Any) -> dt.tzinfo | None:
        """The time zone in which the driver gives points in time; None where it is always UTC."""
        ...

    def odd_value(self, found: dict[str, str]) -> Any:
        """The driver's value of an object in the JSON.

        :raises ValueError: it does not come back exactly.
        """
        ...

    def kind(self, column: Any) -> Any:
        """The type of a column in the database, to be told by :meth:`name_of_other`."""
        ...

    def name_of_other(self, kinds: frozenset[int], found: Any) -> str | None:
        """The name of a type that is none of these; None for one of them.

        :param found: what :meth:`kind` gave.
        """
        ...

    def coding(self, of: Any, dialect: Any, zone: dt.tzinfo | None) -> Coding | None:
        """How the values of a type go through JSON; None where they don't come back exactly.

        :param of: one of SQLAlchemy's own types, as the dialect implements it.
        :param zone: of :meth:`zone`.
        """
        ...


# whole numbers, booleans and text, each of which JSON and the driver give alike
_BOOL, _NAME, _TEXT, _VARCHAR, _CHAR = 16, 19, 25, 1043, 1042
PLAIN = frozenset((_BOOL, _NAME, _TEXT, _VARCHAR, _CHAR, 20, 21, 23))
_PLAIN_ARRAYS = frozenset((1000, 1005, 1007, 1009, 1014, 1015, 1016))
# from here on types are not PostgreSQL's own; of them, strings and enumerations are text
_OWN_TYPES = 16384
_TEXT_CATEGORIES = "SE"

_AS_IT_IS = Coding(kinds=PLAIN)
_UTC: Any = literal_column("'UTC'")
_HEX: Any = literal_column("'hex'")
_NUMERIC, _FLOAT, _REAL = 1700, 701, 700
_FLOATS = frozenset((_FLOAT, _REAL))

_pg_type: Any = table(
    "pg_type",
    *(column(name) for name in ("oid", "typbasetype", "typcategory")),
    schema="pg_catalog",
)


class PostgresTrees:
    """``json_build_array()`` and ``json_agg()``: dates are ISO there, whatever the settings are."""

    width = 100
    odd: str | None = None

    def row(self, values: Sequence[Any]) -> Any:
        return func.json_build_array(*values)

    def rows(self, row: Any) -> Any:
        return func.json_agg(row)

    def within(self, tree: Any) -> Any:
        return tree

    def text(self, tree: Any) -> Any:
        return cast(tree, Text)

    def zone(self, conn: Any) -> dt.tzinfo | None:
        return None

    def odd_value(self, found: dict[str, str]) -> Any:
        raise ValueError(found)

    def kind(self, column: Any) -> Any:
        types = _pg_type.alias()
        # the driver gives the values of a domain as those of its base
        base = func.coalesce(func.nullif(types.c.typbasetype, 0), types.c.oid)
        told = func.json_build_array(base, types.c.typcategory, func.format_type(base, None))
        # correlated with whatever has the column
        return select(told).where(types.c.oid == func.pg_typeof(column)).scalar_subquery()

    def name_of_other(self, kinds: frozenset[int], found: Any) -> str | None:
        number, category, name = int(found[0]), found[1], found[2]
        own_text = number >= _OWN_TYPES and category in _TEXT_CATEGORIES
        return None if number in kinds or (own_text and kinds is PLAIN) else str(name)

    def coding(self, of: Any, dialect: Any, zone: dt.tzinfo | None) -> Coding | None:
        if isinstance(of, sqltypes.ARRAY):
            return self._array(of, dialect)
        if column_types.is_float(of):
            return self.float_coding()
        if isinstance(of, sqltypes.DateTime):
            return self._datetime(bool(of.timezone), zone)
        if isinstance(of, sqltypes.JSON):
            # the drivers read it, as the dialect tells them
            loads = self.json_reader(column_types.json_loads(dialect))
            return Coding(_as_text, loads, kinds=frozenset((114, 3802)))
        if isinstance(of, sqltypes.Uuid):
            # one that is not native is text
            native = Coding(None, self.uuid_type(), kinds=frozenset((2950,)))
            return native if of.native_uuid else _AS_IT_IS
        for kind, coding in self._codings():
            if isinstance(of, kind):
                return coding
        return None

    def _codings(self) -> Sequence[tuple[Any, Coding]]:
        return (
            (sqltypes.Boolean, _AS_IT_IS),
            (sqltypes.Integer, _AS_IT_IS),
            (sqltypes.String, _AS_IT_IS),
            (sqltypes.Numeric, Coding(_as_text, self.decimal, _NUMERIC, frozenset((_NUMERIC,)))),
            (sqltypes.Date, Coding(None, partial(self.date, dt.date), kinds=frozenset((1082,)))),
            (sqltypes.Time, Coding(None, dt.time.fromisoformat, kinds=frozenset((1083, 1266)))),
            (postgresql.INTERVAL, Coding(_as_parts, _interval, kinds=frozenset((1186,)))),
            (sqltypes.LargeBinary, Coding(_as_hex, bytes.fromhex, kinds=frozenset((17,)))),
        )

    def _datetime(self, aware: bool, zone: dt.tzinfo | None) -> Coding:
        if not aware:
            return Coding(None, partial(self.date, dt.datetime), kinds=frozenset((1114,)))

        def read(value: str) -> dt.datetime:
            try:
                found = dt.datetime.fromisoformat(value).replace(tzinfo=dt.UTC)
            except ValueError:
                # what has no end has no zone either
                return self.date(dt.datetime, value)  # type: ignore[no-any-return]
            return found if zone is None else found.astimezone(zone)

        return Coding(lambda column: func.timezone(_UTC, column), read, kinds=frozenset((1184,)))

    def _array(self, of: Any, dialect: Any) -> Coding | None:
        item = column_types.innermost(of.item_type, dialect)
        if isinstance(item, sqltypes.Enum) or not column_types.is_stock(item):
            return None
        if not isinstance(item, sqltypes.Integer | sqltypes.String | sqltypes.Boolean):
            return None
        return Coding(kinds=_PLAIN_ARRAYS)

    # ------------------------------------------------------------ what differs between drivers

    def float_coding(self) -> Coding:
        # the server's own text, of which the driver makes a float too
        return Coding(_as_text, float, _FLOAT, _FLOATS)

    def json_reader(self, loads: Read) -> Read:
        return loads

    def uuid_type(self) -> Any:
        return uuid.UUID

    def date(self, kind: Any, value: str) -> Any:
        """A date, or a date and a time, of its ISO form."""
        return kind.fromisoformat(value)

    def decimal(self, value: str) -> Decimal:
        """A number of the server's own text."""
        return Decimal(value)


class PsycopgTrees(PostgresTrees):
    """psycopg reads the text that the server writes."""

    def zone(self, conn: Any) -> dt.tzinfo | None:
        found: dt.tzinfo = conn.connection.driver_connection.info.timezone
        return found

    def json_reader(self, loads: Read) -> Read:
        # it gives what it has received
        return lambda value: loads(value.encode())


class AsyncpgTrees(PostgresTrees):
    """asyncpg reads what the server sends in binary form."""

    def float_coding(self) -> Coding:
        # the text of a float has fewer digits where extra_float_digits says so
        def written(column: Any) -> Any:
            return func.encode(func.float8send(cast(column, postgresql.DOUBLE_PRECISION)), _HEX)

        return Coding(written, _of_hex, _FLOAT, _FLOATS)

    def uuid_type(self) -> Any:
        # imported where a driver is in use already
        from asyncpg.pgproto import pgproto  # type: ignore[import-untyped]

        return pgproto.UUID

    def date(self, kind: Any, value: str) -> Any:
        try:
            return kind.fromisoformat(value)
        except ValueError:
            if value not in ("infinity", "-infinity"):
                raise
            return kind.max if value == "infinity" else kind.min

    def decimal(self, value: str) -> Decimal:
        # the server sends digits by fours: 40000 is 4 and an exponent
        if not value.endswith("0000") or "." in value:
            return Decimal(value)
        digits = value.rstrip("0")
        fours = (len(value) - len(digits)) // 4
        return Decimal(f"{value[: -4 * fours]}E{4 * fours}")


def _as_text(column: Any) -> Any:
    return cast(column, Text)


def _as_hex(column: Any) -> Any:
    return func.encode(column, _HEX)


_double = struct.Struct(">d").unpack


def _of_hex(value: str) -> float:
    found: float = _double(bytes.fromhex(value))[0]
    return found


_PARTS = ("year", "month", "day", "hour", "minute", "microseconds")
_NO_PARTS: Any = literal_column("'[null, null, null, null, null, null]'")


def _as_parts(column: Any) -> Any:
    parts = [func.date_part(literal_column(f"'{part}'"), column) for part in _PARTS]
    array = func.json_build_array(*(cast(part, sqltypes.BigInteger) for part in parts))
    # of NULL there are no parts
    return func.nullif(cast(array, Text), _NO_PARTS)


def _interval(value: str) -> dt.timedelta:
    years, months, days, hours, minutes, microseconds = map(int, value[1:-1].split(","))
    return dt.timedelta(
        days=365 * years + 30 * months + days,
        hours=hours,
        minutes=minutes,
        microseconds=microseconds,
    )
