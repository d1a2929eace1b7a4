# ASYNC: a synchronous session calls its work where it is.
"""Synchronous work run for a task, in a greenlet, and what a cancellation does to it.

A statement runs in the caller's own task (:func:`run_in_greenlet`).  When that task is cancelled
meanwhile, the rest of the work, which is clean-up by then, moves to a task of its own and sees one
cancellation and no more, however often the caller is cancelled (anyio's scopes cancel at
every await).  The opening of a connection runs in a task of its own from the start
(:func:`shielded`); what else must not be torn, such as a COMMIT, is :mod:`.whole`.  In each case
the caller waits until the work has ended, for a grace of about a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import traceback
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, TypeVar

from naked_sqla._sqlalchemy.greenlets import Worker

if TYPE_CHECKING:
    from naked_sqla.backends.contracts import Stop

_T = TypeVar("_T")

logger = logging.getLogger("naked_sqla")

# How long a cancelled task waits for its clean-up, and then for each push that is to end it.
GRACE = 1.0
_PUSH = 0.25
_PUSHES = 3

# Tasks with a cancellation that a block which is over has put off, see ``cancel.postpone()``.
postponed: set[asyncio.Task[Any]] = set()

# Tasks that outlived the grace; the event loop itself holds tasks weakly.
_leftover: set[asyncio.Task[Any]] = set()


# a generator rather than a coroutine: only that sees a cancellation before the driver does
@types.coroutine
def run_in_greenlet(
    done: Callable[[], object],
    stopper: Callable[[], Stop | None] | None,
    fn: Callable[..., Any],
    *args: Any,
) -> Generator[Any, Any, Any]:
    """Run ``fn(*args)`` in a greenlet of the task that awaits this, and give what it returns.

    :param done: called once, when the work has really ended; this may be after the caller was
        cancelled and went on.
    :param stopper: gives what the database is told when the task is cancelled.
    """
    asked = times_cancelled()
    stop: Stop | None = None
    held = moved = False
    pending: Any
    cancelled: BaseException | None = None
    try:
        worker, waits = Worker.start(fn, args)
        while not worker.dead:
            steps = waits.__await__()
            first: Awaitable[Any] | None = None
            try:
                pending = next(steps)
                while True:
                    try:
                        yield pending
                    except asyncio.CancelledError as error:
                        stop = None if stopper is None else stopper()
                        held = stop is not None and stop.applies()
                        if held:
                            raise
                        pending = steps.throw(error)
                        if times_cancelled() > asked:
                            # the driver cleans up, and would do so for as long as it likes
                            first = going_on(steps, pending)
                            raise
                    except BaseException as error:  # noqa: BLE001
                        # What it waited for failed: a task throws that in.
                        pending = steps.throw(error)
                    else:
                        pending = next(steps)
            except StopIteration as end:
                pending = None
                waits = worker.switch(end.value)
                continue
            except BaseException as error:  # noqa: BLE001
                # The frames of an error live long, and what came last may be a driver's cursor.
                pending = None
                cancelled = _cancellation(error, asked)
                if cancelled is None:
                    # All errors go on in the worker, from where they come out again.
                    waits = worker.throw(error)
                    continue
            stop = stop or (None if stopper is None else stopper())
            first = first or _left(stop if held else None, waits, steps, cancelled)
            rest = moved_on(_rest(worker, first, stop, held), done)
            moved = True
            yield from settle(rest, push=not held).__await__()
            raise cancelled
        return worker.end()
    finally:
        # an error in a frame of its own traceback is a cycle
        del cancelled
        if not moved:
            done()


def times_cancelled() -> int:
    """How often the running task was asked to end, and has not been told otherwise.

    A cancellation that is postponed has not come yet.
    """
    task = asyncio.current_task()
    if task is None:
        return 0
    return task.cancelling() - (1 if postponed and task in postponed else 0)


def _cancellation(error: BaseException, asked: int) -> BaseException | None:
    """The cancellation of the running task that an error is, or has replaced; else ``None``.

    psycopg's pipeline raises an AssertionError while it is being cancelled.

    :param asked: how often the task had been cancelled before.
    """
    if isinstance(error, asyncio.CancelledError):
        return error
    if times_cancelled() <= asked:
        return None
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, asyncio.CancelledError):
        behind = behind.__cause__ or behind.__context__
    return behind


def moved_on(rest: Coroutine[Any, Any, None], done: Callable[[], object]) -> asyncio.Task[None]:
    """Run the rest of a cancelled caller's work in a task of its own."""
    task = asyncio.get_running_loop().create_task(rest)
    task.add_done_callback(lambda _: done())
    return task


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


async def shielded(
    task: asyncio.Task[_T], *, patient: bool = False, push: bool | Callable[[], bool] = True
) -> _T:
    """Wait for a task that goes on to its end whatever happens to the caller.

    A cancelled caller waits on, see :func:`settle`, and is cancelled then: also at the end of a
    block that was left with a cancellation, since a scope of anyio takes only its own back.
    """
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await settle(task, patient=patient, push=push)
        raise


def nothing() -> None:
    """For :func:`run_in_greenlet`, where the caller holds nothing that is to be given back."""


async def run_to_end(fn: Callable[..., _T], *args: Any) -> _T:
    """Run ``fn(*args)`` in a greenlet of the task that awaits it; a cancellation goes into it."""
    return await run_on(*Worker.start(fn, args))  # type: ignore[no-any-return]


async def settle(
    task: asyncio.Task[Any], *, patient: bool = False, push: bool | Callable[[], bool] = True
) -> None:
    """Wait until a task has ended, however often the caller is cancelled meanwhile.

    After a grace the task is pushed: cancelled, up to three times.  One that ignores even this is
    left to itself.  Its error, which nobody else would see, is logged.

    :param patient: wait for the end without a limit, and never push.
    :param push: when False, or while it gives False, leave the task to itself after the grace.
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
                # A further cancellation asks for what is under way already.
                continue
            if task.done() or patient or loop.time() < limit:
                continue
            if not (push() if callable(push) else push) or pushes == _PUSHES:
                break
            task.cancel()
            pushes += 1
            limit = loop.time() + _PUSH
    _leftover.add(task)
    task.add_done_callback(_settled)


def notice_cancellation(asked: int) -> None:
    """Raise ``CancelledError`` when the task was cancelled, and nothing came of it.

    ``wait_for()``, in which the pool waits, can lose a cancellation on Python 3.11.

    :param asked: how often the task had been cancelled before.
    """
    if times_cancelled() > asked:
        raise asyncio.CancelledError


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


async def _rest(worker: Worker, first: Awaitable[Any], stop: Stop | None, held: bool) -> None:
    """Run what is left of the work, and ignore its end: the caller gets its ``CancelledError``.

    :param first: what the work goes on with.
    :param held: nothing of this has come to the caller, whose frames are left alone.
    """
    try:
        with contextlib.nullcontext() if stop is None else stop.asking():
            try:
                value = await first
            except BaseException as raised:  # noqa: BLE001
                waits = worker.throw(raised)
            else:
                waits = worker.switch(value)
            await run_on(worker, waits)
    except BaseException as ended:  # noqa: BLE001
        # SQLAlchemy's frames are in cycles with their error; a driver's cursor in one of them would
        # hold its lock on the database until the garbage collector has come.
        lost: BaseException | None = ended if held else None
        while lost is not None:
            traceback.clear_frames(lost.__traceback__)
            lost = lost.__cause__ or lost.__context__


def _left(stop: Stop | None, waits: Any, steps: Any, cancelled: BaseException) -> Awaitable[Any]:
    """What a worker goes on with; ``stop`` where the cancellation was kept from what it awaits."""
    return _raising(cancelled) if stop is None else _stopped(stop, waits, steps)


async def _raising(error: BaseException) -> None:
    try:
        raise error
    finally:
        del error


async def _stopped(stop: Stop, waits: Any, steps: Any) -> Any:
    """Stop what held work awaits."""
    error = await stop.end(waits)
    if error is None:
        return None
    try:
        return await going_on(steps, error=error)
    finally:
        del error


@types.coroutine
def going_on(
    steps: Any, pending: Any = None, error: BaseException | None = None
) -> Generator[Any, Any, Any]:
    """Await the end of what has been awaited up to a point.

    :param pending: what it waits for there.
    :param error: raised there, in place of that.
    """
    try:
        if error is not None:
            pending = steps.throw(error)
        while True:
            try:
                yield pending
            except BaseException as raised:  # noqa: BLE001
                pending = steps.throw(raised)
            else:
                pending = next(steps)
    except StopIteration as end:
        return end.value
    finally:
        del error


async def run_on(worker: Worker, waits: Any) -> Any:
    """Run a worker from what it waits for to its end."""
    while not worker.dead:
        try:
            value = await waits
        except BaseException as error:  # noqa: BLE001
            # All errors go on in the worker, from where they come out again.
            waits = worker.throw(error)
        else:
            waits = worker.switch(value)
    return worker.end()
