"""Sessions that share one connection take turns, first come first served.

An in-memory SQLite database lives in its one connection, which the pool hands to everybody.  Two
sessions on it would be in one transaction: the first commit stores the other's rows.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.pool import Pool, SingletonThreadPool, StaticPool

from naked_sqla.exception import InvalidSessionState

_lock = threading.Lock()
_by_pool: WeakKeyDictionary[Pool, Any] = WeakKeyDictionary()


class ConnectionQueue:
    """The queue for one shared connection: its holder, and the callers that wait."""

    __slots__ = ("__weakref__", "_holder", "_lock", "_waiting")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: object = None
        self._waiting: deque[tuple[object, Any]] = deque()

    async def take_in_task(self) -> None:
        """Wait for the turn of the running task.

        :raises InvalidSessionState: when the task has it already, and would wait for itself.
        """
        me = asyncio.current_task() or object()
        ticket = asyncio.get_running_loop().create_future()
        if self._ask(me, ticket):
            return
        try:
            await ticket
        except BaseException:
            self._withdraw(ticket)
            raise

    def take_in_thread(self) -> None:
        """Wait for the turn of the running thread.

        :raises InvalidSessionState: when the thread has it already, and would wait for itself.
        """
        ticket = threading.Event()
        if self._ask(threading.current_thread(), ticket):
            return
        try:
            ticket.wait()
        except BaseException:
            self._withdraw(ticket)
            raise

    def release(self) -> None:
        """Pass the turn to the next in the queue."""
        with self._lock:
            self._holder = None
            while self._waiting:
                owner, ticket = self._waiting.popleft()
                if _grant(ticket):
                    self._holder = owner
                    return

    def _ask(self, me: object, ticket: Any) -> bool:
        with self._lock:
            if self._holder is me:
                raise InvalidSessionState(
                    "a second session on a database that has one connection, which the first "
                    "session holds: it would wait for itself. Use the first session, end it "
                    "before, or use a database that gives each session a connection of its own: a "
                    "file, or 'file::memory:?cache=shared&uri=true'."
                )
            if self._holder is None:
                self._holder = me
                return True
            self._waiting.append((me, ticket))
            return False

    def _withdraw(self, ticket: Any) -> None:
        """Leave the queue; a turn that came too late goes to the next."""
        with self._lock:
            others = deque(item for item in self._waiting if item[1] is not ticket)
            granted = len(others) == len(self._waiting)
            self._waiting = others
        if granted:
            self.release()


def queue_of(pool: Pool) -> ConnectionQueue | None:
    """The queue for a pool's one connection, ``None`` for a pool that has more."""
    if isinstance(pool, StaticPool):
        with _lock:
            queue: ConnectionQueue | None = _by_pool.get(pool)
            if queue is None:
                queue = _by_pool[pool] = ConnectionQueue()
            return queue
    if isinstance(pool, SingletonThreadPool):
        # One connection for each thread: a thread can only get in its own way.
        with _lock:
            threads = _by_pool.get(pool)
            if threads is None:
                threads = _by_pool[pool] = threading.local()
        if not hasattr(threads, "queue"):
            threads.queue = ConnectionQueue()
        own: ConnectionQueue = threads.queue
        return own
    return None


def _grant(ticket: Any) -> bool:
    if isinstance(ticket, threading.Event):
        ticket.set()
        return True
    try:
        # the caller that waits may be in another event loop, in another thread
        ticket.get_loop().call_soon_threadsafe(_wake, ticket)
    except RuntimeError:
        # that loop is closed, and nobody waits any more
        return False
    return True


def _wake(ticket: asyncio.Future[None]) -> None:
    if not ticket.done():
        ticket.set_result(None)
