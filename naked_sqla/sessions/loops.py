"""Event loops that share a pool: one at a time, or several where no connection is kept.

A pool that keeps connections wakes the tasks that wait for one in the loop of the task that gives
one back.  A task of another loop, in another thread, would sleep on; and most drivers bind a
connection to a loop.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from sqlalchemy.pool import Pool, QueuePool

from naked_sqla._sqlalchemy.greenlets import await_only
from naked_sqla.exception import InvalidSessionState
from naked_sqla.sessions.connection_queue import ConnectionQueue

_KEY = "_naked_sqla_loop"


class OneLoop:
    """The event loop that has sessions open on a pool, and their number."""

    __slots__ = ("_lock", "_loop", "_open")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: Any = None
        self._open = 0

    def enter(self) -> None:
        """Note that the running loop opens a session.

        :raises InvalidSessionState: when another loop that runs has one open.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._loop is not loop:
                if self._open and self._loop.is_running():
                    raise InvalidSessionState(
                        "a session on an engine on which another event loop, which runs in another "
                        "thread, has sessions open: a pool of connections works in one loop at a "
                        "time. Give each of the loops an engine and a factory of its own."
                    )
                # sessions of a loop that has stopped are never given back
                self._loop, self._open = loop, 0
            self._open += 1

    def leave(self) -> None:
        """Note that a session has ended, in the loop that opened it."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._loop is loop:
                self._open -= 1


class LoopsMutex:
    """A mutex for tasks of several event loops, entered in SQLAlchemy's greenlet."""

    __slots__ = ("_queue",)

    def __init__(self) -> None:
        self._queue = ConnectionQueue()

    def __enter__(self) -> None:
        await_only(self._queue.take_in_task())

    def __exit__(self, *error: object) -> None:
        self._queue.release()


def loop_of(pool: Pool) -> OneLoop | None:
    """The guard that keeps a pool to one loop; ``None`` for a pool in which nobody waits."""
    if not isinstance(pool, QueuePool):
        return None
    found: OneLoop | None = vars(pool).get(_KEY)
    # setdefault(), since two threads may be here at once
    return found or vars(pool).setdefault(_KEY, OneLoop())
