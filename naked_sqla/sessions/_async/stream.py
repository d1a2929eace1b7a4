# ASYNC: a synchronous stream is a result of SQLAlchemy's own.
"""Streams that are awaited: results that wait for chunks, and the block that closes them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncResult, AsyncScalarResult

from naked_sqla._sqlalchemy import results
from naked_sqla.sessions import checks
from naked_sqla.sessions._async.greenlet import (
    run_in_greenlet,
    run_to_end,
    shielded,
    start,
)
from naked_sqla.sessions.stream import READING, Stream, stream_of

if TYPE_CHECKING:
    from naked_sqla.sessions._async.host import AsyncHost

logger = logging.getLogger("naked_sqla")

_R = TypeVar("_R")


class AsyncStream(AsyncResult[Any]):
    """An ``AsyncResult`` whose iteration waits for chunks, and not for each row."""

    __slots__ = ()

    # On 2.0 the results of scalars() and mappings() ask for both, which only a Result has.
    _row_logging_fn: Any = None

    @property
    def _yield_per(self) -> int | None:  # type: ignore[override]
        size: int | None = results.sync_result(self)._yield_per
        return size

    async def __anext__(self) -> Any:
        return await _next_of(self, super().__anext__)

    def scalars(self, index: Any = 0) -> AsyncScalarStream:
        """One item of each row."""
        return AsyncScalarStream(self, index)


class AsyncScalarStream(AsyncScalarResult[Any]):
    """An ``AsyncScalarResult`` whose iteration waits for chunks, and not for each item."""

    __slots__ = ()

    async def __anext__(self) -> Any:
        return await _next_of(self, super().__anext__)


async def _next_of(result: Any, fallback: Callable[[], Any]) -> Any:
    source: Stream = results.sync_result(result)
    while not source.in_hand:
        if source.is_read:
            raise StopAsyncIteration
        await _read(source)
    if results.has_unique_filter(result):
        return await fallback()
    return source.take() if source.next_is_none else results.next_item(result)


async def _read(source: Stream) -> None:
    """Read the next chunk in the running task."""
    if not source.is_read:
        session: Any = source._session
        session._enter(READING)
        transaction = session._transaction
        await run_in_greenlet(
            session._guard.leave, transaction.stopper, transaction.watched, source.read
        )


def async_stream_of(session: AsyncHost, result: Any) -> AsyncStream:
    """The result that a session has opened, read on the event loop."""
    return AsyncStream(stream_of(session, result))


class AsyncStreaming(Generic[_R]):
    """The value of ``stream()``, which is awaited or entered with ``async with``, once."""

    __slots__ = ("_make", "_result", "_session", "_used")

    _result: _R

    def __init__(self, session: AsyncHost, make: Callable[[], Coroutine[Any, Any, _R]]) -> None:
        self._session = session
        self._make = make
        self._used = False

    def __await__(self) -> Generator[Any, Any, _R]:
        return self._start().__await__()

    async def _start(self) -> _R:
        if self._used:
            checks.entered_twice("stream")
        self._used = True
        return await self._make()

    async def __aenter__(self) -> _R:
        self._result = await self._start()
        return self._result

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        source: Stream = results.sync_result(self._result)
        session = self._session
        if source.is_read or not session._transaction.open:
            return
        try:
            await shielded(start(self._close(source)), patient=session._patient)
        except Exception:
            if exc_type is None:
                raise
            logger.warning("a stream could not be closed", exc_info=True)

    async def _close(self, source: Stream) -> None:
        guard = self._session._guard
        await guard.wait_and_enter()
        try:
            await run_to_end(source.close_now)
        finally:
            guard.leave()
