"""SQLAlchemy's adapter of psycopg's asynchronous face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects.postgresql import psycopg as _psycopg

__all__ = ("can_fetch", "fetch")

_Adapter: Any = _psycopg.AsyncAdapt_psycopg_connection
_Dialect: Any = _psycopg.PGDialectAsync_psycopg


def can_fetch(conn: Any) -> bool:
    """False for a dialect or an adapter of somebody's own, which may do something else."""
    adapter = conn._dbapi_connection.dbapi_connection
    return type(adapter) is _Adapter and type(conn.dialect) is _Dialect


async def fetch(conn: Any, sql: str, arguments: Mapping[str, Any]) -> list[Any]:
    """All rows of a statement, as the adapter's cursor fetches them."""
    cursor: Any = conn._dbapi_connection.dbapi_connection._connection.cursor()
    try:
        await cursor.execute(sql, arguments)
        rows: list[Any] = await cursor.fetchall()
        return rows
    finally:
        # as the adapter closes it: nothing is awaited
        cursor._close()
