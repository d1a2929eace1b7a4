"""SQLAlchemy's dialect of the sqlite3 module."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.dialects.sqlite import pysqlite as _pysqlite

__all__ = ("can_fetch", "fetch")


def can_fetch(conn: Any) -> bool:
    """False for a dialect or a connection of somebody's own, which may do something else."""
    raw = conn._dbapi_connection.dbapi_connection
    return type(conn.dialect) is _pysqlite.SQLiteDialect_pysqlite and (
        type(raw) is sqlite3.Connection
    )


def fetch(conn: Any, sql: str, arguments: tuple[Any, ...]) -> tuple[list[Any], int | None]:
    """All rows of a statement, and its ``lastrowid``."""
    cursor: Any = conn._dbapi_connection.dbapi_connection.cursor()
    try:
        cursor.execute(sql, arguments)
        return cursor.fetchall(), cursor.lastrowid
    finally:
        cursor.close()
