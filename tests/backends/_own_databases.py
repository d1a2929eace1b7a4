"""Two databases that the library has never heard of: SQLite underneath, by another name.

``plaindb`` has no room in ``naked_sqla.backends``, and gets the cautious defaults.  ``roomydb`` has
one, the class at the end of this file: facts and hooks, and nothing else.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import registry, sqlite
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite

from naked_sqla import backends
from naked_sqla.backends.base import Backend

_DRIVER = "underneath"


class PlainDialect(SQLiteDialect_aiosqlite):
    name = "plaindb"
    driver = _DRIVER
    supports_statement_cache = True


class RoomyDialect(SQLiteDialect_aiosqlite):
    name = "roomydb"
    driver = _DRIVER
    supports_statement_cache = True


class Roomy(Backend):
    has_row_values = True
    nulls_sort = "as_smallest"

    def insert(self, entity: Any) -> Any:
        return sqlite.insert(entity)

    def begin_now(self, conn: Connection) -> None:
        raw: Any = conn.connection.driver_connection
        if not raw.in_transaction:
            conn.exec_driver_sql("BEGIN")


registry.register(f"plaindb.{_DRIVER}", __name__, "PlainDialect")
registry.register(f"roomydb.{_DRIVER}", __name__, "RoomyDialect")
backends.register(f"{__name__}:Roomy", "roomydb")
