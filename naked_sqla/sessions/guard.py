"""One caller at a time inside a session: a second one is refused before it reaches the database."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, NoReturn

from naked_sqla.exception import ConcurrentSessionUse

# Stands for a caller that is no task, e.g. a coroutine that is driven by hand.
_NO_TASK: Any = object()


def refuse(kind: str, mine: str, holder: str) -> NoReturn:
    """Raise ``ConcurrentSessionUse``, naming both callers."""
    raise ConcurrentSessionUse(
        f"{kind} {mine} used a session while {kind} {holder} is inside it. A session is one "
        f"transaction on one connection, for one {kind} at a time: let each call end before "
        f"the next, or open one session for each {kind} with begin()."
    )


class TaskGuard:
    """The guard of an ``AsyncSession``.  It belongs to one event loop and needs no lock."""

    __slots__ = ("_idle", "_owner")

    def __init__(self) -> None:
        self._owner: Any = None
        self._idle: asyncio.Future[None] | None = None

    def enter(self) -> None:
        """Take the session for the running task.

        :raises ConcurrentSessionUse: when a task is inside already.
        """
        if self._owner is not None:
            refuse("task", self._name(asyncio.current_task()), self.holder or "")
        self._owner = asyncio.current_task() or _NO_TASK

    def leave(self, _done: object = None) -> None:
        """Give the session back, and wake a caller that waits for it."""
        self._owner = None
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    @property
    def holder(self) -> str | None:
        """The name of the task that is inside, ``None`` when there is none."""
        return None if self._owner is None else self._name(self._owner)

    async def wait_and_enter(self) -> None:
        """Take the session as soon as the task inside has left it."""
        while self._owner is not None:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle
        self._owner = asyncio.current_task() or _NO_TASK

    @staticmethod
    def _name(owner: Any) -> str:
        return repr(owner.get_name()) if isinstance(owner, asyncio.Task) else "(no task)"


class ThreadGuard:
    """The guard of a ``Session``."""

    __slots__ = ("_lock", "_owner")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: threading.Thread | None = None

    def enter(self) -> None:
        """Take the session for the running thread.

        :raises ConcurrentSessionUse: when a thread is inside already.
        """
        if not self._lock.acquire(blocking=False):
            refuse("thread", repr(threading.current_thread().name), self.holder or "(leaving)")
        self._owner = threading.current_thread()

    def leave(self) -> None:
        """Give the session back."""
        self._owner = None
        self._lock.release()

    @property
    def holder(self) -> str | None:
        """The name of the thread that is inside, ``None`` when there is none."""
        owner = self._owner
        return None if owner is None else repr(owner.name)

    def wait_and_enter(self) -> None:
        """Take the session as soon as the thread inside has left it."""
        self._lock.acquire()
        self._owner = threading.current_thread()
