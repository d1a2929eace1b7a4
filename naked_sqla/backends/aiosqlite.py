"""SQLite through aiosqlite, whose connection lives in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import aiosqlite as adapter
from naked_sqla._sqlalchemy import greenlets
from naked_sqla.backends.sqlite import SQLite

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla._sqlalchemy.unopened import Unopened
    from naked_sqla.backends.contracts import Fetched, Stop, Stoppable

__all__ = ("Aiosqlite",)

# Seconds between two interrupts.
_AGAIN = 0.02


class Aiosqlite(SQLite):
    """The driver's thread goes on with a statement that nobody waits for, unless interrupted."""

    def checked_out(self, conn: Connection) -> None:
        adapter.one_job_per_statement(conn)

    def can_fetch(self, conn: Connection | Unopened) -> bool:
        return adapter.can_fetch(conn)

    def fetch(
        self, conn: Connection | Unopened, sql: str, arguments: Any, alone: bool = False
    ) -> Iterable[Any]:
        rows: Iterable[Any] = greenlets.await_only(adapter.fetch(conn, sql, arguments))[0]
        return rows

    def fetch_told(
        self, conn: Connection | Unopened, sql: str, arguments: Any, alone: bool = False
    ) -> Fetched:
        rows, lastrowid = greenlets.await_only(adapter.fetch(conn, sql, arguments))
        return rows, -1, lastrowid

    def interrupt(self, raw: Any, times: int) -> None:
        # a coroutine that waits for nothing, for the sake of its event loop
        with contextlib.suppress(StopIteration):
            raw.interrupt().send(None)

    def stop(self, transaction: Stoppable) -> Stop | None:
        # After a CancelledError SQLAlchemy throws the connection away, and an in-memory database
        # with it.
        return Interrupt(transaction)


class Interrupt:
    """Interrupts the statement that SQLite runs for a session."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Stoppable) -> None:
        self._transaction = transaction

    def applies(self) -> bool:
        """False while the work waits for the pool, whose timeout comes as a cancellation too."""
        return self._transaction.connected

    def asking(self) -> AbstractContextManager[Any]:
        return nullcontext()

    async def end(self, waits: Any) -> BaseException | None:
        conn: Any = self._transaction.conn
        if not self._transaction.connected or conn.closed or conn.invalidated:
            return asyncio.CancelledError()
        raw: Any = conn.connection.driver_connection
        stopping = asyncio.get_running_loop().create_task(_keep_interrupting(raw))
        try:
            # The driver's thread runs this after the statement.  It keeps a reference to the last
            # thing that it did: an empty cursor now, and not the statement's.
            await (await raw.cursor()).close()
        finally:
            stopping.cancel()
        # The call was the close() of a cursor, which has run: nothing was interrupted.
        closed = getattr(waits, "__name__", "") == "close"
        # imported where it is needed: a service on PostgreSQL never loads it
        import sqlite3

        return None if closed else sqlite3.OperationalError("interrupted")


async def _keep_interrupting(raw: Any) -> None:
    """Interrupt repeatedly: the first interrupt may come before the statement begins."""
    while True:
        await raw.interrupt()
        await asyncio.sleep(_AGAIN)
