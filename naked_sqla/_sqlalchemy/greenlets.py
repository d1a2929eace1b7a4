"""The greenlets in which SQLAlchemy's drivers may await; they are used again and again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy.util

# 2.1 imports greenlet on first use only.
_concurrency: Any = getattr(sqlalchemy.util.concurrency, "_concurrency_shim", None) or getattr(
    sqlalchemy.util, "_concurrency_py3k", None
)

current_greenlet: Any = _concurrency.getcurrent

# COPY speaks to the driver, which has to be awaited inside of SQLAlchemy's greenlet.
await_only: Any = sqlalchemy.util.await_only

greenlet_spawn: Any = sqlalchemy.util.greenlet_spawn

_GreenletExit: Any = _concurrency.greenlet.GreenletExit

# Workers that a thread keeps: about as many as tasks wait for the database at a time.
_SPARE = 64


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.spare: list[Worker] = []


_of_thread = _OfThread()


class Worker(_concurrency._AsyncIoGreenlet):  # type: ignore[misc]
    """Runs a function that may await, and later another one.

    The memory for the frames of a new greenlet comes from the operating system and goes back to
    it, which takes ten times as long as a switch to one that is there.

    :ivar dead: the function has ended: :meth:`end` tells how.
    """

    # hides the greenlet's own, which goes on
    dead = False
    value: Any = None
    error: BaseException | None = None

    @classmethod
    def start(cls, fn: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Worker, Any]:
        """Run ``fn(*args)`` until it awaits or ends.

        :return: the worker, and what it awaits: ``switch()`` takes its value, ``throw()`` its
            error, and both give what comes next.
        """
        spare, parent = _of_thread.spare, current_greenlet()
        if spare:
            worker = spare.pop()
            worker.dead = False
            worker.parent, worker.gr_context = parent, parent.gr_context
        else:
            worker = cls(_work, parent)
            worker.switch()
        return worker, worker.switch(fn, args)

    def end(self) -> Any:
        """Give what the function returned, or raise its error, and be free for another one."""
        value, error = self.value, self.error
        self.value = self.error = self.gr_context = None
        spare = _of_thread.spare
        if len(spare) < _SPARE:
            spare.append(self)
        if error is None:
            return value
        try:
            raise error
        finally:
            # an error in a frame of its own traceback is a cycle
            del error


# While a worker waits, its frames hold nothing: not what it has run, and not itself.
def _work() -> None:
    while True:
        _run(*current_greenlet().parent.switch())


def _run(fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        current_greenlet().value = fn(*args)
    except _GreenletExit:
        # nobody is left who would end it
        raise
    except BaseException as error:  # noqa: BLE001 - end() raises it
        current_greenlet().error = error
    current_greenlet().dead = True


def sleep(engine: Any, seconds: float) -> None:
    """Sleep in synchronous code, which on an asynchronous engine runs in a greenlet of a task."""
    if engine.dialect.is_async:
        await_only(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)
