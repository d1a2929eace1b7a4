"""SQLite through the sqlite3 module of the standard library."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import pysqlite
from naked_sqla.backends.sqlite import SQLite

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla._sqlalchemy.unopened import Unopened
    from naked_sqla.backends.contracts import Fetched

__all__ = ("Pysqlite",)


class Pysqlite(SQLite):
    """Nothing but the direct way sets it apart."""

    def can_fetch(self, conn: Connection | Unopened) -> bool:
        return pysqlite.can_fetch(conn)

    def fetch(
        self, conn: Connection | Unopened, sql: str, arguments: Any, alone: bool = False
    ) -> Iterable[Any]:
        return pysqlite.fetch(conn, sql, arguments)[0]

    def fetch_told(
        self, conn: Connection | Unopened, sql: str, arguments: Any, alone: bool = False
    ) -> Fetched:
        rows, lastrowid = pysqlite.fetch(conn, sql, arguments)
        return rows, -1, lastrowid
