"""PostgreSQL through psycopg 3, which has an asynchronous and a synchronous face."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import connections, greenlets
from naked_sqla._sqlalchemy import psycopg as adapter
from naked_sqla.backends.asking import AskAgain
from naked_sqla.backends.notifications import AsyncPsycopgListener, PsycopgListener
from naked_sqla.backends.postgresql import END_PROCESS, PostgreSQL, keys_in_array, set_config
from naked_sqla.backends.trees import PsycopgTrees

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.sql.elements import ColumnElement

    from naked_sqla._sqlalchemy.unopened import Unopened
    from naked_sqla.backends.contracts import Copied, Stop, Stoppable

__all__ = ("Psycopg",)

# libpq's PQTRANS_IDLE, _ACTIVE, _INERROR and _UNKNOWN, and its PQ_PIPELINE_OFF.
_IDLE = 0
_ACTIVE = 1
_IN_ERROR = 3
_UNKNOWN = 4
_OFF = 0
# and its CONNECTION_BAD
_BAD = 1

# Seconds for a request to cancel and its effect, and tries of interrupt() in a second.
_CANCEL = 0.5
_TRIES = 0.1


class Psycopg(PostgreSQL):
    """libpq knows the state of its transaction at any time, without asking the server."""

    gives_up_connecting = True
    updates_from_arrays = True
    has_copy = True
    can_listen = True
    trees = PsycopgTrees()

    def before_read_only(self, conn: Connection) -> Mapping[str, Any]:
        raw: Any = conn.connection.driver_connection
        before = raw.read_only
        # SQLAlchemy would set it back to False: READ WRITE, which a replica refuses.
        connections.at_return(conn, lambda adapter: adapter.set_read_only(before))
        conn.connection.set_read_only(True)
        return {}

    def has_lost_transaction(self, conn: Connection, failure: BaseException | None) -> bool:
        # libpq also knows of what failed through session.conn.
        raw = connections.of_the_driver(conn)
        return bool(raw.pgconn.transaction_status == _IN_ERROR)

    def set_local(self, conn: Connection, settings: Mapping[str, str]) -> None:
        sql, given = set_config(settings, "%({})s")
        with connections.wrapping_errors(conn, sql):
            if conn.dialect.is_async:
                greenlets.await_only(self._set_local_async(conn, sql, given))
                return
            raw: Any = conn.connection.driver_connection
            with adapter.begin_by_hand(raw) as begin, _pipeline(raw):
                if begin is not None:
                    raw.execute(begin, prepare=False)
                raw.execute(sql, given)

    async def _set_local_async(self, conn: Connection, sql: str, given: Mapping[str, str]) -> None:
        raw: Any = conn.connection.driver_connection
        with adapter.begin_by_hand(raw) as begin:
            async with _pipeline(raw):
                if begin is not None:
                    await raw.execute(begin, prepare=False)
                await raw.execute(sql, given)

    def interrupt(self, raw: Any, times: int) -> None:
        if not times:
            with contextlib.suppress(Exception):
                raw.cancel_safe(timeout=_CANCEL)
        elif times * _TRIES > _CANCEL:
            _hang_up(raw)

    def is_transient(self, error: BaseException) -> bool:
        return super().is_transient(error) or (
            _is_of_libpq(error) and error.pgconn is None  # type: ignore[attr-defined]
        )

    def is_connect_error(self, error: BaseException) -> bool:
        return super().is_connect_error(error) or (
            _is_of_libpq(error) and error.pgconn is not None  # type: ignore[attr-defined]
        )

    def is_cut(self, conn: Connection) -> bool:
        # libpq learns it when it reads, and it reads when it has sent
        pgconn = connections.of_the_driver(conn).pgconn
        try:
            pgconn.consume_input()
        except conn.dialect.loaded_dbapi.Error:
            return True
        return bool(pgconn.status == _BAD)

    def is_idle(self, raw: Any) -> bool:
        return bool(raw.pgconn.transaction_status == _IDLE and raw.pgconn.pipeline_status == _OFF)

    def listener(self, raw: Any, is_async: bool) -> Any:
        return AsyncPsycopgListener(raw) if is_async else PsycopgListener(raw)

    def torn(self, conn: Connection, error: BaseException) -> BaseException | None:
        pgconn: Any = conn.connection.driver_connection.pgconn  # type: ignore[union-attr]
        # A list of parameters goes through a pipeline, which stays open when it is torn.
        if pgconn.pipeline_status == _OFF and pgconn.transaction_status not in (_ACTIVE, _UNKNOWN):
            return None
        return error

    def stop(self, transaction: Stoppable) -> Stop | None:
        return AskAgain(transaction, _pid, _ask, END_PROCESS)

    def can_fetch(self, conn: Connection | Unopened) -> bool:
        return adapter.can_fetch(conn)

    def fetch(
        self, conn: Connection | Unopened, sql: str, arguments: Any, alone: bool = False
    ) -> Iterable[Any]:
        if not conn.dialect.is_async:
            return adapter.fetch(conn, sql, arguments, alone)
        rows: list[Any] = greenlets.await_only(adapter.fetch_async(conn, sql, arguments, alone))
        return rows

    def with_keys(
        self, column: ColumnElement[Any], keys: Sequence[Any], version: tuple[Any, ...] | None
    ) -> ColumnElement[bool] | None:
        return keys_in_array(column, keys)

    def position(self, value: Any) -> Any:
        # A float is sent as double precision, and a REAL compares in another precision.
        return repr(value) if isinstance(value, float) else value

    def copy(self, conn: Connection, records: Copied, rows: Iterator[Any]) -> int:
        if conn.dialect.is_async:
            return int(greenlets.await_only(self.copy_async(conn, records, rows)))
        raw: Any = conn.connection.driver_connection
        with raw.cursor() as cursor:
            with cursor.copy(records.sql()) as copy:
                for row in rows:
                    copy.write_row(row)
            return int(cursor.rowcount)

    async def copy_async(
        self, conn: Connection, records: Copied, rows: Iterable[Any] | AsyncIterable[Any]
    ) -> int:
        raw: Any = conn.connection.driver_connection
        async with raw.cursor() as cursor:
            async with cursor.copy(records.sql()) as copy:
                if isinstance(rows, AsyncIterable):
                    async for row in rows:
                        await copy.write_row(row)
                else:
                    for row in rows:
                        await copy.write_row(row)
            return int(cursor.rowcount)


def _is_of_libpq(error: BaseException) -> bool:
    """True for an error of the connection, and not of a statement: the server has said nothing.

    Its ``pgconn`` is set where the connection could not be made.
    """
    # imported by whoever raised it
    psycopg: Any = sys.modules.get("psycopg")
    return (
        psycopg is not None
        and isinstance(error, psycopg.OperationalError)
        and getattr(error, "sqlstate", "") is None
    )


def _pid(raw: Any) -> int:
    pid: int = raw.info.backend_pid
    return pid


async def _ask(raw: Any) -> None:
    await raw.cancel_safe(timeout=1.0)


def _pipeline(raw: Any) -> Any:
    """A pipeline of a connection; nothing for a libpq before version 14, which has none."""
    psycopg: Any = sys.modules["psycopg"]
    return raw.pipeline() if psycopg.Pipeline.is_supported() else contextlib.nullcontext()


def _hang_up(raw: Any) -> None:
    """Cut a connection whose server does not answer: whoever waits for it is told."""
    with contextlib.suppress(Exception), socket.socket(fileno=os.dup(raw.fileno())) as own:
        own.shutdown(socket.SHUT_RDWR)
