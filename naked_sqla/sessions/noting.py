"""Calls that write by object are noted, for the functions of ``db.on_write()``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from naked_sqla.sessions.calls.write import WriteCall
from naked_sqla.sessions.listeners import Listener, Listeners
from naked_sqla.write.reports import Write, writes_of

if TYPE_CHECKING:
    from naked_sqla.sessions.calls.base import Call
    from naked_sqla.sessions.current import Current


class Writers(Listeners):
    """The functions that a factory tells of what was written."""

    __slots__ = ()

    name = "writers"


class WriteListener(Listener):
    """A function of ``db.on_write()`` at work, until :meth:`stop` or the end of ``with``."""

    __slots__ = ("fn",)

    def __init__(self, writers: Writers, fn: Callable[..., object]) -> None:
        self.fn = fn
        super().__init__(writers)


def listen(current: Current, fn: Callable[..., object]) -> WriteListener:
    """Begin to tell a function."""
    writers = current.writers
    if writers is None or not writers.all:
        writers = Writers(current)
    return WriteListener(writers, fn)


def check_function(fn: object, method: str, takes: str, *, may_be_awaited: bool) -> None:
    """Raise ``TypeError`` for what is no function, or is one that nobody would await."""
    is_awaited = inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(
        getattr(fn, "__call__", None)  # noqa: B004 - it is looked at, not called
    )
    if not callable(fn) or (is_awaited and not may_be_awaited):
        what = "a function" if may_be_awaited else "a function that is not asynchronous"
        raise TypeError(f"{method}() takes {what}, of {takes}; not {fn!r}.")


class Notes:
    """What a session has written, and not told yet.

    :ivar paused: nothing is noted: the functions themselves are at work.
    """

    __slots__ = ("paused", "writes")

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self.paused = False


def noting(kind: Any, notes: Notes) -> Callable[..., Any]:
    """The class of transactions, or what makes them, that notes what calls write."""
    if isinstance(kind, partial):
        return partial(_noting(kind.func), *kind.args, notes=notes, **kind.keywords)
    return partial(_noting(kind), notes=notes)


@cache
def _noting(base: Any) -> Any:
    class NotingTransaction(base):  # type: ignore[misc]
        __slots__ = ("notes",)

        def __init__(self, *args: Any, notes: Notes, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.notes = notes

        def call(self, call: Call) -> Any:
            if not isinstance(call, WriteCall) or self.notes.paused:
                return super().call(call)
            noted: list[Any] = []
            call = call.noted_in(noted)
            result = super().call(call)
            self.notes.writes += writes_of(call, result, noted)
            return result

    return NotingTransaction
