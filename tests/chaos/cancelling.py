"""Five ways to cancel a coroutine a moment after it began, and how long it takes to return."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field

import anyio

Make = Callable[[], Coroutine[object, object, None]]


@dataclass
class Cancelled:
    """What the cancellations of a campaign came to."""

    # From each cancellation to the return, in seconds.
    seconds: list[float] = field(default_factory=list)

    async def timed(self, make: Make, moments: list[float]) -> None:
        """Run a coroutine, and note how long it took after the first of the moments."""
        try:
            await make()
        finally:
            now = time.perf_counter()
            passed = [moment for moment in moments if moment <= now]
            if passed:
                self.seconds.append(now - min(passed))


async def cancelled(make: Make, rng: random.Random, delay: float, seen: Cancelled) -> None:
    """Run coroutines, and cancel them in one of five ways after ``delay`` seconds.

    Some are done before.  No ``CancelledError`` comes out.
    """
    await rng.choice(_WAYS)(make, delay, seen)


async def _by_task(make: Make, delay: float, seen: Cancelled) -> None:
    at: list[float] = []
    task = asyncio.create_task(seen.timed(make, at))

    def cancel() -> None:
        if task.cancel():
            at.append(time.perf_counter())

    timer = asyncio.get_running_loop().call_later(delay, cancel)
    await asyncio.wait([task])
    timer.cancel()
    _ended(task)


async def _by_timeout(make: Make, delay: float, seen: Cancelled) -> None:
    try:
        async with asyncio.timeout(delay):
            await seen.timed(make, [time.perf_counter() + delay])
    except TimeoutError:
        pass


async def _by_scope(make: Make, delay: float, seen: Cancelled) -> None:
    with anyio.move_on_after(delay):
        await seen.timed(make, [time.perf_counter() + delay])


async def _by_group(make: Make, delay: float, seen: Cancelled) -> None:
    """A task of a group fails, and the others are cancelled."""

    at: list[float] = []
    loop = asyncio.get_running_loop()
    failure: asyncio.Future[None] = loop.create_future()

    def fail() -> None:
        at.append(time.perf_counter())
        failure.set_exception(LookupError("the sibling failed"))

    timer = loop.call_later(delay, fail)
    try:
        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(seen.timed(make, at)) for _ in range(2)]
            sibling = group.create_task(_wait(failure))
            await asyncio.wait(jobs)
            timer.cancel()
            sibling.cancel()
    except* LookupError:
        pass


async def _by_several(make: Make, delay: float, seen: Cancelled) -> None:
    """A time limit, a scope, and the task itself is cancelled twice."""
    at = [time.perf_counter() + delay]

    async def limited() -> None:
        with anyio.move_on_after(delay * 1.02 + 0.001):
            async with asyncio.timeout(delay):
                await seen.timed(make, at)

    task = asyncio.create_task(limited())
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(delay * factor, task.cancel) for factor in (1.01, 1.1)]
    await asyncio.wait([task])
    for timer in timers:
        timer.cancel()
    _ended(task)


async def _wait(failure: asyncio.Future[None]) -> None:
    await failure


def _ended(task: asyncio.Task[None]) -> None:
    """Raise what a task ended with, but for what ended it on purpose."""
    if not task.cancelled() and not isinstance(task.exception(), TimeoutError):
        task.result()


_WAYS: list[Callable[[Make, float, Cancelled], Awaitable[None]]] = [
    _by_task,
    _by_timeout,
    _by_scope,
    _by_group,
    _by_several,
]
