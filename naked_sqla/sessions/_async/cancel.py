# ASYNC: nobody cancels a thread.
"""Stop a driver whose task is cancelled, and leave its connection usable."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import Pool, QueuePool, StaticPool

from naked_sqla._sqlalchemy import connections
from naked_sqla.backends import backend_of
from naked_sqla.sessions._async.greenlet import postponed

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from naked_sqla.backends.contracts import Stop, Stoppable
    from naked_sqla.sessions.routing.databases import Transactions


def stopper(transaction: Stoppable, engine: Engine | None = None) -> Stop | None:
    """What stops the statement of a cancelled task; ``None``: a ``CancelledError`` in it."""
    dialect = engine.dialect if engine is not None else transaction.conn.dialect
    return backend_of(dialect).stop(transaction)


class StopActive:
    """Stops a call that goes through all databases, in the database that it waits for."""

    __slots__ = ("_transactions",)

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def applies(self) -> bool:
        stop = self._stop()
        return stop is not None and stop.applies()

    async def end(self, waits: Any) -> BaseException | None:
        stop = self._stop()
        return asyncio.CancelledError() if stop is None else await stop.end(waits)

    def asking(self) -> AbstractContextManager[Any]:
        stop = self._stop()
        return nullcontext() if stop is None else stop.asking()

    def _stop(self) -> Stop | None:
        transaction = self._transactions.active
        return None if transaction is None else stopper(transaction)


def ended_well(task: asyncio.Task[Any]) -> bool:
    """True when a task has ended without an error."""
    return task.done() and not task.cancelled() and task.exception() is None


def postpone(cancelled: asyncio.CancelledError, asked: int) -> None:
    """Cancel the running task at an await that comes later.

    A block that has done what it was for does not fail.  Where the timeout or scope that asked for
    it ends before, nothing is left to be cancelled.

    :param asked: how often the task had been cancelled before.
    """
    task = asyncio.current_task()
    if task is None:
        return

    def again() -> None:
        postponed.discard(task)
        if not task.done() and task.cancelling() > asked:
            # the same request again, which counts once
            task.uncancel()
            task.cancel(*cancelled.args)

    postponed.add(task)
    asyncio.get_running_loop().call_soon(again)


def needs_connecting(pool: Pool) -> bool:
    """True when a checkout is going to make a connection, rather than hand out or wait for one."""
    if isinstance(pool, QueuePool):
        if pool.checkedin():
            return not connections.next_is_ready(pool)
        return not connections.pool_is_exhausted(pool)
    if isinstance(pool, StaticPool):
        return "connection" not in vars(pool)
    return True
