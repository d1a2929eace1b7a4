"""Synchronous work run for a task, in a greenlet, and what a cancellation does to it.

A statement runs in the caller's own task (:func:`hop`): nothing is spawned.  When that task is
cancelled meanwhile, the rest of the work, which is clean-up by then, moves to a task of its own and
sees one cancellation and no more, however often the caller is cancelled (anyio's scopes cancel at
every await).  What must not be torn at all, a COMMIT or the opening of a connection, runs in a task
of its own from the start (:func:`shielded`).  In both cases the caller waits until the work has
ended, for a grace of about a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from .._compat import AsyncIoGreenlet, current_greenlet

_T = TypeVar("_T")

logger = logging.getLogger("naked_sqla")

# How long a cancelled task waits for its clean-up, and then for each push that is to end it.
GRACE = 1.0
_PUSH = 0.25
_PUSHES = 3

# Tasks that outlived the grace; the event loop itself holds tasks weakly.
_leftover: set[asyncio.Task[Any]] = set()


class Stopper(Protocol):
    """How the work of a cancelled task ends, where a ``CancelledError`` would cost too much."""

    async def stop(self, waits: Any) -> BaseException | None:
        """From what the work waited for to the error to end it with; None lets it go on."""

    async def stopped(self) -> None:
        """Called when the work has ended."""


async def hop(
    done: Callable[[], object], stopper: Stopper | None, fn: Callable[..., _T], *args: Any
) -> _T:
    """Run ``fn(*args)`` in a greenlet of the calling task, and return what it returns.

    :param done: called once, when the work has really ended; this may be after the caller was
        cancelled and went on.
    :param stopper: asked when the caller is cancelled.
    """
    worker = AsyncIoGreenlet(fn, current_greenlet())
    moved = False
    try:
        waits = worker.switch(*args)
        while not worker.dead:
            try:
                value = await waits
            except asyncio.CancelledError as cancelled:
                rest = asyncio.get_running_loop().create_task(
                    _rest(worker, waits, stopper, cancelled)
                )
                rest.add_done_callback(lambda _: done())
                moved = True
                await settle(rest)
                raise
            except BaseException as error:  # noqa: BLE001
                # All errors go on in the worker, from where they come out again.
                waits = worker.throw(error)
            else:
                waits = worker.switch(value)
        return waits  # type: ignore[no-any-return]
    finally:
        if not moved:
            done()


def start(
    coro: Coroutine[Any, Any, _T], done: Callable[[], object] | None = None
) -> asyncio.Task[_T]:
    """Run a coroutine in a task of its own, that goes by the caller's name.

    :param done: called once, when the work has really ended.
    """
    caller = asyncio.current_task()
    # The name that a ConcurrentSessionUse tells, and a debugger shows.
    name = None if caller is None else caller.get_name()
    task = asyncio.get_running_loop().create_task(coro, name=name)
    if done is not None:
        task.add_done_callback(lambda _: done())
    return task


async def shielded(task: asyncio.Task[_T], *, patient: bool = False, push: bool = True) -> _T:
    """Wait for a task that goes on to its end whatever happens to the caller.

    A cancelled caller waits on, see :func:`settle`, and is cancelled then.
    """
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await settle(task, patient=patient, push=push)
        raise


async def spawn(fn: Callable[..., _T], *args: Any) -> _T:
    """Run ``fn(*args)`` in a greenlet of whatever task awaits it, and leave cancellations alone."""
    worker = AsyncIoGreenlet(fn, current_greenlet())
    return await _run_on(worker, worker.switch(*args))  # type: ignore[no-any-return]


async def settle(task: asyncio.Task[Any], *, patient: bool = False, push: bool = True) -> None:
    """Wait until a task has ended, however often the caller is cancelled meanwhile.

    After a grace the task is pushed: cancelled, up to three times.  One that ignores even this is
    left to itself.  Its error, which nobody else would see, is logged.

    :param patient: wait for the end without a limit, and never push.
    :param push: when False, leave the task to itself after the grace.
    """
    loop = asyncio.get_running_loop()
    limit = loop.time() + GRACE
    pushes = 0
    with _no_anyio_cancellation():
        while not task.done():
            timeout = None if patient else max(limit - loop.time(), 0)
            try:
                await asyncio.wait((task,), timeout=timeout)
            except asyncio.CancelledError:
                # Asked once more for what is under way.
                continue
            if task.done() or patient or loop.time() < limit:
                continue
            if not push or pushes == _PUSHES:
                break
            task.cancel()
            pushes += 1
            limit = loop.time() + _PUSH
    _leftover.add(task)
    task.add_done_callback(_settled)


def _settled(task: asyncio.Task[Any]) -> None:
    _leftover.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        logger.info("the clean-up of a cancelled task ended with %r", error, exc_info=error)


def _no_anyio_cancellation() -> contextlib.AbstractContextManager[Any]:
    """A shield from anyio's scopes, where anyio is in use: they cancel at every await."""
    anyio = sys.modules.get("anyio")
    if anyio is None or asyncio.current_task() is None:
        return contextlib.nullcontext()
    shield: contextlib.AbstractContextManager[Any] = anyio.CancelScope(shield=True)
    return shield


async def _rest(
    worker: Any, waits: Any, stopper: Stopper | None, cancelled: BaseException | None
) -> None:
    """Put the error of a cancellation into the work, and run what is left of it.

    How that ends is of no interest: the caller gets its ``CancelledError``.
    """
    error = cancelled
    try:
        if stopper is not None:
            error = await stopper.stop(waits)
        await _run_on(worker, worker.switch(None) if error is None else worker.throw(error))
    except BaseException as ended:  # noqa: BLE001
        logger.debug("the work of a cancelled task ended with %r", ended)
        # SQLAlchemy's frames are cycles with the error they raised; a driver's cursor in one of
        # them would hold its lock until the garbage collector comes.
        _forget_frames(ended)
    finally:
        error = cancelled = None
    if stopper is not None:
        await stopper.stopped()


def _forget_frames(error: BaseException | None) -> None:
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


async def _run_on(worker: Any, waits: Any) -> Any:
    """Run a worker from what it waits for to its end."""
    while not worker.dead:
        try:
            value = await waits
        except BaseException as error:  # noqa: BLE001
            # All errors go on in the worker, from where they come out again.
            waits = worker.throw(error)
        else:
            waits = worker.switch(value)
    return waits
