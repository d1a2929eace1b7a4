# ASYNC: nobody cancels a thread.
"""What a cancellation is put off for, and what must not meet one."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy.pool import Pool, QueuePool, StaticPool

from naked_sqla._sqlalchemy import connections
from naked_sqla.sessions._async.greenlet import postponed


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
        if connections.next_is_ready(pool):
            return False
        return bool(pool.checkedin()) or not connections.pool_is_exhausted(pool)
    if isinstance(pool, StaticPool):
        return "connection" not in vars(pool)
    return True
