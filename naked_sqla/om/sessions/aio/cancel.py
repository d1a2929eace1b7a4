"""What the drivers need when a task is cancelled in the middle of their work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import Pool, QueuePool, StaticPool

from naked_sqla import _compat

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from naked_sqla.om.sessions.aio.hop import Stop
    from naked_sqla.om.sessions.work import Work


# Seconds between two interrupts.
_AGAIN = 0.02


def stopper(work: Work, engine: Engine | None = None) -> Stop | None:
    """How cancelled work is stopped on this driver; ``None`` for: by a ``CancelledError`` in it.

    SQLAlchemy throws a connection away when a ``CancelledError`` comes out of it, and with it an
    in-memory database; and aiosqlite's thread would go on with a statement nobody waits for.
    """
    dialect = engine.dialect if engine is not None else work.conn.dialect
    return Interrupt(work) if dialect.driver == "aiosqlite" else None


class Interrupt:
    """Interrupts what SQLite does for a piece of work."""

    __slots__ = ("_work",)

    def __init__(self, work: Work) -> None:
        self._work = work

    def applies(self) -> bool:
        """False while the work waits for the pool, whose timeout comes as a cancellation too."""
        return self._work.connected

    async def __call__(self, waits: Any) -> BaseException | None:
        conn: Any = self._work.conn
        if not self._work.connected or conn.closed or conn.invalidated:
            return asyncio.CancelledError()
        raw: Any = conn.connection.driver_connection
        stopping = asyncio.get_running_loop().create_task(_keep_interrupting(raw))
        try:
            # The driver's thread comes to this when the statement has ended; and it holds on to
            # the last thing that it did, which is not to be the statement's cursor.
            await (await raw.cursor()).close()
        finally:
            stopping.cancel()
        # A cursor that was being closed is closed by now: nothing was interrupted.
        closed = getattr(waits, "__name__", "") == "close"
        # imported where it is needed: a service on PostgreSQL never loads it
        import sqlite3

        return None if closed else sqlite3.OperationalError("interrupted")


async def _keep_interrupting(raw: Any) -> None:
    """Interrupt again and again: the first time may be a moment before the statement begins."""
    while True:
        await raw.interrupt()
        await asyncio.sleep(_AGAIN)


def needs_connecting(pool: Pool) -> bool:
    """True when a checkout is going to make a connection, rather than hand out or wait for one."""
    if isinstance(pool, QueuePool):
        return pool.checkedin() == 0 and not _compat.pool_is_exhausted(pool)
    if isinstance(pool, StaticPool):
        return "connection" not in vars(pool)
    return True
