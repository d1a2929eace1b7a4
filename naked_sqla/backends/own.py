"""Statements that the library sends for itself; counters and observers leave them out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("OPTIONS", "is_own", "run", "send")

_OPTION = "naked_sqla_own"
#: Execution options of such a statement.
OPTIONS = {_OPTION: True}


def send(conn: Connection, sql: str) -> None:
    """Send a statement that begins, ends or probes a transaction, and ignore its result."""
    conn.exec_driver_sql(sql, execution_options=OPTIONS).close()


def run(conn: Connection, sql: str, parameters: Mapping[str, str]) -> None:
    """Send a statement with parameters, and look at no result."""
    conn.execute(text(sql), parameters, execution_options=OPTIONS).close()


def is_own(context: Any) -> bool:
    """True when a statement was sent by :func:`send`.

    :param context: as SQLAlchemy's events have it.
    """
    return context is not None and bool(context.execution_options.get(_OPTION))
