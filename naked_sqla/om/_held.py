"""An awaitable that a cancellation of its task interrupts, but does not tear."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Generator
from typing import Any


class Held:
    """Awaits another awaitable, and keeps it as it is when the awaiting task is cancelled.

    The cancellation is raised where this is awaited, and not inside the awaitable, which
    :meth:`end` can then bring to an end with another error, in another task.
    """

    __slots__ = ("_steps",)

    def __init__(self, waits: Awaitable[Any]) -> None:
        self._steps: Generator[Any, Any, Any] = waits.__await__()

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._steps
        try:
            pending = next(steps)
            while True:
                try:
                    yield pending
                except asyncio.CancelledError:
                    # Its result may be a cursor; the frames of an error live long.
                    pending = None
                    raise
                except BaseException as error:  # noqa: BLE001
                    # What it waited for failed: a task throws that in.
                    pending = steps.throw(error)
                else:
                    pending = next(steps)
        except StopIteration as end:
            return end.value

    @types.coroutine
    def end(self, error: BaseException) -> Generator[Any, Any, Any]:
        """Raise an error where the awaitable waits, and await what it does then."""
        try:
            pending = self._steps.throw(error)
            while True:
                try:
                    yield pending
                except BaseException as raised:  # noqa: BLE001
                    pending = self._steps.throw(raised)
                else:
                    pending = next(self._steps)
        except StopIteration as end:
            return end.value
