"""Whether anybody could tell that a SELECT goes past SQLAlchemy; sending it to the driver."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import direct
from naked_sqla.backends import backend_of
from naked_sqla.read.criteria import CRITERIA

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.backends.contracts import Fetched

__all__ = ("CRITERIA_ONLY", "is_quiet", "rows_of", "told_of")

# the option of a connection that its statements have in them by now
CRITERIA_ONLY = frozenset({CRITERIA})


def is_quiet(conn: Connection, statement: Any) -> bool:
    """True where nobody could tell which way a SELECT goes."""
    return direct.is_unobserved(conn, statement, CRITERIA_ONLY) and (
        backend_of(conn.dialect).can_fetch(conn)
    )


def rows_of(conn: Connection, sql: str, arguments: Any) -> Iterable[Any]:
    """Send a statement, and give its rows; errors are SQLAlchemy's."""
    direct.begin(conn)
    try:
        return backend_of(conn.dialect).fetch(conn, sql, arguments)
    except BaseException as error:  # noqa: BLE001 - it comes out again
        direct.raise_as_sqlalchemy(conn, error, sql, arguments)


def told_of(conn: Connection, sql: str, arguments: Any) -> Fetched:
    """The same, with what a cursor would tell of the rows."""
    direct.begin(conn)
    try:
        return backend_of(conn.dialect).fetch_told(conn, sql, arguments)
    except BaseException as error:  # noqa: BLE001 - it comes out again
        direct.raise_as_sqlalchemy(conn, error, sql, arguments)
