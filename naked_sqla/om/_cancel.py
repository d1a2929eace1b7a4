"""What the drivers need when a task is cancelled in the middle of their work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import Pool, QueuePool, StaticPool

from .. import _compat

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ._hop import Stop
    from ._work import Work


class StatementInterrupted(Exception):
    """Put into the work of a cancelled statement, in place of a ``CancelledError``.

    SQLAlchemy throws the connection away for a ``CancelledError``, and with it an in-memory
    database.  Never reaches a caller, who gets the ``CancelledError``.
    """


def stopper(work: Work, engine: Engine | None = None) -> Stop | None:
    """How a cancelled statement ends on this driver; ``None`` for with a ``CancelledError``."""
    dialect = engine.dialect if engine is not None else work.conn.dialect
    if dialect.driver != "aiosqlite":
        return None

    async def interrupt() -> BaseException | None:
        conn = work.conn
        if conn is not None and not conn.closed and not conn.invalidated:
            raw: Any = conn.connection.driver_connection
            # Ends the statement that the driver's thread is in.
            await raw.interrupt()
        return StatementInterrupted("the task that ran this was cancelled")

    return interrupt


def needs_connecting(pool: Pool) -> bool:
    """True when a checkout is going to make a connection, rather than hand out or wait for one."""
    if isinstance(pool, QueuePool):
        return pool.checkedin() == 0 and not _compat.pool_is_exhausted(pool)
    if isinstance(pool, StaticPool):
        return "connection" not in vars(pool)
    return True
