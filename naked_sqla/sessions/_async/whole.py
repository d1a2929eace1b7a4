# ASYNC: nobody cancels a thread.
"""Work that is not to be torn, such as a COMMIT, in the caller's own task.

It costs the event loop a turn for each round trip and no more: while it goes well there is neither
a second task nor a shield.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Generator
from typing import Any

from naked_sqla._sqlalchemy.greenlets import Worker
from naked_sqla.sessions._async.greenlet import going_on, moved_on, run_on, settle, times_cancelled


class _Wait:
    """Stands for a future that a task waits for, which a cancellation of the task leaves whole.

    A task cancels what it waits for.  This ends the wait with a ``CancelledError``, and the future
    goes on.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_cancelled",
        "_context",
        "_future",
        "_message",
        "_wake",
        "get_loop",
    )

    def __init__(self, future: Any) -> None:
        # the protocol of asyncio: what is True here is awaited, and not only yielded
        future._asyncio_future_blocking = False
        self._asyncio_future_blocking = True
        self._future = future
        # asked by each task that waits: the future's own method, and no call of Python
        self.get_loop: Callable[[], asyncio.AbstractEventLoop] = future.get_loop
        self._cancelled = False
        self._wake: Any = None
        self._context: Any = None
        # by which a scope of anyio knows its own cancellations
        self._message: Any = None

    def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
        self._wake, self._context = fn, context
        self._future.add_done_callback(fn, context=context)

    def cancel(self, msg: Any = None) -> bool:
        if self._cancelled or self._future.done():
            # the task raises it itself when it is resumed
            return False
        self._cancelled, self._message = True, msg
        self._future.remove_done_callback(self._wake)
        self.get_loop().call_soon(self._wake, self, context=self._context)
        return True

    def done(self) -> bool:
        return self._cancelled or bool(self._future.done())

    def result(self) -> Any:
        raise asyncio.CancelledError(*(() if self._message is None else (self._message,)))


@types.coroutine
def run_whole(
    done: Callable[[], object],
    fn: Callable[..., Any],
    *args: Any,
    patient: bool = False,
    push: bool | Callable[[], bool] = True,
) -> Generator[Any, Any, Any]:
    """Run ``fn(*args)`` in a greenlet of the running task, to its end, whatever happens to that.

    A task that is cancelled meanwhile waits on, see :func:`~.greenlet.settle`, and is cancelled
    then.

    :param done: called once, when the work has really ended.
    :param patient: wait for the end without a limit.
    :param push: False, or what says so then: leave the work to itself after the grace.
    """
    asked = times_cancelled()
    moved = False
    try:
        worker, waits = Worker.start(fn, args)
        while not worker.dead:
            steps = waits.__await__()
            try:
                pending = next(steps)
                while (cancelled := (yield from _wait(pending, asked))) is None:
                    pending = next(steps)
            except StopIteration as end:
                waits = worker.switch(end.value)
                continue
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001
                # All errors go on in the worker, from where they come out again.
                waits = worker.throw(error)
                continue
            times = times_cancelled()
            rest = moved_on(_rest(worker, steps, pending), done)
            moved = True
            yield from settle(rest, patient=patient, push=push).__await__()
            if rest.done() and times_cancelled() < times:
                # it was a time limit of the driver's own, which has taken its request back
                return rest.result()
            raise cancelled
        return worker.end()
    finally:
        if not moved:
            done()


def _wait(pending: Any, asked: int) -> Generator[Any, Any, asyncio.CancelledError | None]:
    """Wait for a future; gives the cancellation of the task that came instead."""
    try:
        yield None if pending is None else _Wait(pending)
    except asyncio.CancelledError as error:
        # else it is the future's own, which raises it again
        if pending is None or not pending.cancelled() or times_cancelled() > asked:
            return error
    except GeneratorExit:
        raise
    except BaseException:  # noqa: BLE001 - the future raises it where it is awaited
        pass
    return None


async def _rest(worker: Worker, steps: Any, pending: Any) -> Any:
    if pending is not None:
        pending._asyncio_future_blocking = True
    try:
        value = await going_on(steps, pending)
    except BaseException as error:  # noqa: BLE001
        waits = worker.throw(error)
    else:
        waits = worker.switch(value)
    return await run_on(worker, waits)
