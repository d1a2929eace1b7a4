"""Timers that end what a session waits for: they cancel its task, or interrupt its driver."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from time import monotonic

__all__ = ("TaskTimer", "Watch")

# Seconds between two attempts to interrupt a driver: the first may come a moment too early.
_AGAIN = 0.1


class TaskTimer:
    """Cancels the task that has entered it, as ``asyncio.timeout()`` does."""

    __slots__ = ("_left", "_timeout")

    def __init__(self) -> None:
        self._timeout = asyncio.timeout(None)
        self._left = False

    async def enter(self) -> None:
        """Let the running task be the one that is cancelled."""
        await self._timeout.__aenter__()

    @property
    def expired(self) -> bool:
        """True when it has cancelled the task."""
        return self._timeout.expired()

    def set(self, due: float | None) -> bool:
        """Set the time, by ``monotonic()``; ``None``: never.

        :return: False when it is too late for that.
        """
        if self._left or self._timeout.expired():
            return False
        # not every loop has the same clock
        when = None if due is None else asyncio.get_running_loop().time() + due - monotonic()
        self._timeout.reschedule(when)
        return True

    async def leave(self, error: BaseException | None) -> bool:
        """Leave it, with the error that is on its way.

        :return: True when the error is the cancellation of this timer, and of nobody else.
        """
        self._left = True
        kind = None if error is None else type(error)
        try:
            await self._timeout.__aexit__(kind, error, None)
        except TimeoutError:
            return True
        return False


class Watch:
    """Interrupts a driver, in a thread of its own, again and again until it is set to ``None``.

    :param interrupt: called with how often it was called before.
    """

    __slots__ = ("_changed", "_due", "_interrupt", "_runs", "_times")

    def __init__(self, interrupt: Callable[[int], None]) -> None:
        self._changed = threading.Condition()
        self._interrupt = interrupt
        self._due: float | None = None
        self._times = 0
        self._runs = False

    def set(self, due: float | None) -> None:
        """Set the time, by ``monotonic()``; once this has returned, nothing earlier interrupts."""
        with self._changed:
            self._due, self._times = due, 0
            if due is None or self._runs:
                self._changed.notify()
            else:
                self._runs = True
                threading.Thread(target=self._run, name="naked_sqla limits", daemon=True).start()

    def _run(self) -> None:
        with self._changed:
            while self._due is not None:
                left = self._due - monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                self._interrupt(self._times)
                self._times += 1
                self._changed.wait(_AGAIN)
            self._runs = False
