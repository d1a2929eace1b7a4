"""SQLite behind any driver."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Time,
    Uuid,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects import sqlite

from naked_sqla._sqlalchemy import connections
from naked_sqla.backends import own
from naked_sqla.backends.base import Backend
from naked_sqla.backends.documents_sqlite import SQLiteDocuments
from naked_sqla.backends.trees_sqlite import SQLiteTrees
from naked_sqla.exception import UnsupportedOption

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.types import TypeEngine

    from naked_sqla.backends.terms import Terms

__all__ = ("SQLite",)

# SQLite has json_each() unless it was built without it.
_HAS_JSON = (3, 38)

# SQLITE_BUSY: another connection has the lock; SQLITE_LOCKED: one with the same cache has it.
_BUSY = 5
_LOCKED = 6
_INTERRUPT = 9


class SQLite(Backend):
    """Transactions begin with the first write, a file has one writer, types are advice."""

    has_row_values = True
    documents = SQLiteDocuments()
    trees = SQLiteTrees()
    nulls_sort = "as_smallest"
    has_on_conflict = True
    returns_in_any_order = True
    terms = frozenset({"timeout", "statement_timeout", "lock_timeout"})

    def begin_now(self, conn: Connection, to_write: bool = False) -> None:
        raw: Any = conn.connection.driver_connection
        if not raw.in_transaction:
            own.send(conn, "BEGIN IMMEDIATE" if to_write else "BEGIN")

    def before_read_only(self, conn: Connection) -> Mapping[str, Any]:
        connections.at_return(conn, lambda raw: _pragma(raw, "query_only", "OFF"))
        _pragma(conn.connection, "query_only", "ON")
        return super().before_read_only(conn)

    def has_lost_transaction(self, conn: Connection, failure: BaseException | None) -> bool:
        # A statement that fails leaves the transaction as it was, or ends it: see watch().
        return False

    def watch(self, conn: Connection) -> Callable[[], bool] | None:
        # An interrupted write, a full disk, ON CONFLICT ROLLBACK and RAISE(ROLLBACK) end it.
        raw = connections.of_the_driver(conn)
        return lambda: self._in_transaction(raw)

    @staticmethod
    def _in_transaction(raw: Any) -> bool:
        try:
            return bool(raw.in_transaction)
        except Exception:  # noqa: BLE001 - a closed one has none, and is of no use
            return False

    def begin_on(self, conn: Connection, terms: Terms, snapshot: bool) -> None:
        limits = [
            limit
            for limit in (terms.lock_timeout, terms.statement_timeout, terms.timeout)
            if limit is not None
        ]
        if limits:
            # An interrupt does not end the wait for a lock.
            before = _busy_timeout(conn.connection)
            connections.at_return(conn, lambda raw: _pragma(raw, "busy_timeout", str(before)))
            _pragma(conn.connection, "busy_timeout", str(math.ceil(min(limits) * 1000)))
        super().begin_on(conn, terms, snapshot)

    def limit_behind(self, error: BaseException) -> str | None:
        code = _kind_of(error)
        if code in (_BUSY, _LOCKED):
            return "lock_timeout"
        return "statement_timeout" if code == _INTERRUPT else None

    def interrupt(self, raw: Any, times: int) -> None:
        raw.interrupt()

    def is_transient(self, error: BaseException) -> bool:
        return _kind_of(error) in (_BUSY, _LOCKED)

    def is_idle(self, raw: Any) -> bool:
        try:
            return not raw.in_transaction
        except Exception:  # noqa: BLE001 - a closed one has no transaction, and is of no use
            return False

    def insert(self, entity: Any) -> Any:
        return sqlite.insert(entity)

    def explain(self, analyze: bool, as_json: bool) -> str:
        if analyze:
            raise UnsupportedOption(
                "explain(analyze=True): SQLite tells the plan of a statement, and not what it "
                "took. Leave analyze out."
            )
        return "EXPLAIN QUERY PLAN "

    def plan(self, rows: Sequence[Any], as_json: bool) -> Any:
        if as_json:
            return [{"id": row[0], "parent": row[1], "detail": row[3]} for row in rows]
        depths: dict[int, int] = {}
        for number, parent, *_ in rows:
            depths[number] = depths.get(parent, -1) + 1
        return "\n".join("  " * depths[row[0]] + str(row[3]) for row in rows)

    def takes_position(self, value: Any, of: TypeEngine[Any] | None) -> bool:
        if isinstance(value, int) and value.bit_length() > 63:
            return False
        kinds: tuple[type, ...] = (int, float, str, bytes)
        if isinstance(of, Integer | Numeric | Float | Boolean):
            kinds = (int, float)
        elif isinstance(of, String | Uuid | Date | DateTime | Time | Interval):
            kinds = (str,)
        elif isinstance(of, LargeBinary):
            kinds = (bytes,)
        return isinstance(value, kinds) and not isinstance(value, bool)

    def with_keys(
        self, column: ColumnElement[Any], keys: Sequence[Any], version: tuple[Any, ...] | None
    ) -> ColumnElement[bool] | None:
        # A number in JSON needs no conversion to be compared.
        if not isinstance(column.type, Integer) or set(map(type, keys)) != {int}:
            return None
        if version is None or version < _HAS_JSON:
            return None
        given = bindparam(None, json.dumps(keys), type_=String())
        return column.in_(select(func.json_each(given).table_valued("value").c.value))


def _pragma(raw: Any, name: str, value: str) -> None:
    cursor = raw.cursor()
    try:
        cursor.execute(f"PRAGMA {name} = {value}")
    finally:
        cursor.close()


def _busy_timeout(raw: Any) -> int:
    """The milliseconds that SQLite waits for a lock."""
    cursor = raw.cursor()
    try:
        cursor.execute("PRAGMA busy_timeout")
        return int(cursor.fetchone()[0])
    finally:
        cursor.close()


def _kind_of(error: BaseException) -> int | None:
    """SQLite's code of an error; the lowest byte is the kind: BUSY_SNAPSHOT is BUSY."""
    code = getattr(getattr(error, "orig", None) or error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
