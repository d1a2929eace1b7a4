"""Rows that the database itself writes as JSON, as Python would write them."""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import Text, case, cast, func, literal_column, select
from sqlalchemy import types as sqltypes

from naked_sqla.backends.trees import PLAIN

__all__ = ("BEYOND", "SAME", "Documents", "PostgreSQLDocuments")

# types whose values the database writes as Python's are written
SAME: frozenset[type[Any]] = frozenset(
    (
        sqltypes.Integer,
        sqltypes.BigInteger,
        sqltypes.SmallInteger,
        sqltypes.INTEGER,
        sqltypes.BIGINT,
        sqltypes.SMALLINT,
        sqltypes.String,
        sqltypes.Text,
        sqltypes.Unicode,
        sqltypes.UnicodeText,
        sqltypes.VARCHAR,
        sqltypes.TEXT,
        sqltypes.Boolean,
        sqltypes.BOOLEAN,
        sqltypes.Uuid,
        sqltypes.UUID,
    )
)
_DATES = frozenset((sqltypes.Date, sqltypes.DATE))
_TIMES = frozenset((sqltypes.DateTime, sqltypes.TIMESTAMP, sqltypes.DATETIME))
_DATE, _TIMESTAMP, _UUID = frozenset((1082,)), frozenset((1114,)), frozenset((2950,))

# written for a date that Python does not have, infinity for one: what a driver makes of it differs
BEYOND = "<beyond 0001 to 9999>"


class Documents(Protocol):
    """How a database writes rows as JSON.

    :ivar width: the number of columns of a row.
    """

    width: int

    def value(self, expression: Any) -> Any:
        """A column as it is written; None where Python writes it otherwise."""

    def kinds(self, expression: Any) -> frozenset[int]:
        """The types in the database for which :meth:`value` holds; none where any value says its
        own."""
        ...

    def array(self, rows: Any) -> Any:
        """An array of an object for each row of a subquery."""

    def one(self, rows: Any) -> Any:
        """The object of the first row of a subquery."""

    def within(self, document: Any) -> Any:
        """A document as a column of a row around it; NULL for no object."""

    def text(self, document: Any) -> Any:
        """A document as it is sent."""


class PostgreSQLDocuments:
    """``json_agg()`` and ``row_to_json()``."""

    width = 1000

    def value(self, expression: Any) -> Any:
        """A column as the database writes it in JSON; None where Python writes it otherwise."""
        type_: Any = getattr(expression, "type", None)
        if type(type_) in SAME and getattr(type_, "as_uuid", True):
            return expression
        if type(type_) in _DATES:
            return _in_range(expression, "date", func.to_json(expression))
        if type(type_) not in _TIMES or type_.timezone:
            return None
        # the database leaves zeros at the end of a fraction out
        whole = func.date_trunc(literal_column("'second'"), expression) == expression
        long = func.to_char(expression, literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US'"""))
        written = case((whole, func.to_json(expression)), else_=func.to_json(long))
        return _in_range(expression, "timestamp", written)

    def kinds(self, expression: Any) -> frozenset[int]:
        type_ = expression.type
        if type(type_) in _DATES:
            return _DATE
        if type(type_) in _TIMES:
            return _TIMESTAMP
        return _UUID if isinstance(type_, sqltypes.Uuid) else PLAIN

    def array(self, rows: Any) -> Any:
        return func.json_agg(rows.table_valued())

    def one(self, rows: Any) -> Any:
        return func.row_to_json(rows.table_valued())

    def within(self, document: Any) -> Any:
        found = select(document).scalar_subquery()
        if document.name == "row_to_json":
            return found
        return func.coalesce(found, literal_column("json '[]'"))

    def text(self, document: Any) -> Any:
        return func.coalesce(cast(document, Text), literal_column("'[]'"))


def _in_range(expression: Any, kind: str, written: Any) -> Any:
    """A date that Python has; the mark for any other."""
    first: Any = literal_column(f"{kind} '0001-01-01'")
    last: Any = literal_column(f"{kind} '10000-01-01'")
    has = (expression >= first) & (expression < last)
    beyond = func.to_json(literal_column(f"text '{BEYOND}'"))
    return case((has, written), (expression.is_not(None), beyond))
