"""Cancels a coroutine at its k-th suspension point, for every k, without a clock."""

from __future__ import annotations

import asyncio
import gc
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import anyio

# Of the future that the task waits for, when the cancellation comes.
Moment = Literal["pending", "done"]
# task.cancel(), or a cancel scope of anyio, which cancels again at each further await.
Kind = Literal["task", "scope"]

VARIANTS: list[tuple[Kind, Moment]] = [
    ("task", "pending"),
    ("task", "done"),
    ("scope", "pending"),
    ("scope", "done"),
]


@dataclass
class Run:
    """What became of a coroutine that was cancelled at one of its suspension points."""

    point: int
    kind: Kind = "task"
    moment: Moment = "pending"
    reached: bool = False
    cancelled: bool = False
    # How often it was suspended.
    points: int = 0

    @property
    def as_asked(self) -> bool:
        """Whether it was cancelled exactly when that was asked for.

        A scope does not cancel a task that waits for nothing any more: where the future of its last
        point is done, there is nothing left to be cancelled.
        """
        over = self.kind == "scope" and self.moment == "done" and self.points == self.point
        return self.cancelled is self.reached or over


@types.coroutine
def _stepped(
    coro: Coroutine[Any, Any, Any], run: Run, reached: Callable[[Any], None]
) -> Generator[Any, Any, Any]:
    """Run a coroutine by hand, and call back when it is about to suspend for the k-th time."""
    error: BaseException | None = None
    while True:
        try:
            pending = coro.send(None) if error is None else coro.throw(error)
        except StopIteration as stop:
            return stop.value
        error = None
        run.points += 1
        if run.points == run.point:
            reached(pending)
        try:
            yield pending
        except BaseException as raised:  # noqa: BLE001
            error = raised


async def cancelled_at(
    point: int, kind: Kind, moment: Moment, make: Callable[[], Coroutine[Any, Any, Any]]
) -> Run:
    """Run ``make()`` in a task of its own and cancel it at its k-th suspension point.

    In the moment "pending" the future that the task waits for has no result yet; in "done" it has,
    and the task has not been resumed.
    """
    loop = asyncio.get_running_loop()
    run = Run(point, kind, moment)
    scope = anyio.CancelScope()

    def cancel(_: Any = None) -> None:
        if kind == "task":
            task.cancel()
        else:
            scope.cancel()

    def reached(pending: Any) -> None:
        run.reached = True
        if moment == "pending":
            cancel()
        elif pending is None:
            loop.call_soon(cancel)
        else:
            # Before the task's own callback: the future is done, the task is not resumed.
            pending.add_done_callback(cancel)

    async def in_scope() -> None:
        with scope:
            await _stepped(make(), run, reached)
        run.cancelled = scope.cancelled_caught

    task = asyncio.create_task(in_scope())
    try:
        await task
    except asyncio.CancelledError:
        run.cancelled = True
    return run


async def cancelled_everywhere(
    make: Callable[[], Coroutine[Any, Any, Any]],
    kind: Kind,
    moment: Moment,
    check: Callable[[Run], Awaitable[None]],
    before: Callable[[], Awaitable[None]] | None = None,
) -> int:
    """Cancel at point 1, 2, 3... until there is no such point, and check after each; how many."""
    point = 0
    # what the tests before left behind is not looked through again at each point
    gc.freeze()
    try:
        while True:
            point += 1
            if before is not None:
                await before()
            with no_gc():
                run = await cancelled_at(point, kind, moment, make)
                await check(run)
            if not run.reached:
                return point - 1
    finally:
        gc.unfreeze()


@contextmanager
def no_gc() -> Any:
    """Without the garbage collector: a cycle can't hide a leak."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


Check = Callable[[Run], Awaitable[None]]
Checks = AsyncIterator[Check]
