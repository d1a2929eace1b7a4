"""What the drivers need when a task is cancelled in the middle of their work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import Pool, QueuePool, StaticPool

from .. import _compat

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ._hop import Stopper
    from ._work import Work


class StatementInterrupted(Exception):
    """Put into the work of a cancelled statement, in place of a ``CancelledError``.

    SQLAlchemy throws the connection away for a ``CancelledError``, and with it an in-memory
    database.  Never reaches a caller, who gets the ``CancelledError``.
    """


class _SQLiteStopper:
    """Ends a statement on aiosqlite, whose thread goes on with it when nobody waits any more."""

    __slots__ = ("_work",)

    def __init__(self, work: Work) -> None:
        self._work = work

    async def stop(self, waits: Any) -> BaseException | None:
        """Interrupt the statement that the driver's thread is in."""
        if getattr(waits, "__name__", "") == "close":
            # The thread closes the cursor in any case: there is nothing to stop.
            return None
        raw = self._raw()
        if raw is not None:
            await raw.interrupt()
        return StatementInterrupted("the task that ran this was cancelled")

    async def stopped(self) -> None:
        """Give the thread something else to do: it holds on to its last cursor, and its lock."""
        raw = self._raw()
        if raw is not None:
            await (await raw.cursor()).close()

    def _raw(self) -> Any:
        if not self._work.connected or self._work.conn.closed or self._work.conn.invalidated:
            return None
        return self._work.conn.connection.driver_connection


def stopper(work: Work, engine: Engine | None = None) -> Stopper | None:
    """How cancelled work ends on this driver; ``None`` for: with a ``CancelledError``."""
    dialect = engine.dialect if engine is not None else work.conn.dialect
    return _SQLiteStopper(work) if dialect.driver == "aiosqlite" else None


def needs_connecting(pool: Pool) -> bool:
    """True when a checkout is going to make a connection, rather than hand out or wait for one."""
    if isinstance(pool, QueuePool):
        return pool.checkedin() == 0 and not _compat.pool_is_exhausted(pool)
    if isinstance(pool, StaticPool):
        return "connection" not in vars(pool)
    return True
