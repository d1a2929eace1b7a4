"""Results that read from the connection while they are read.

All reading goes through a gate: one caller at a time, only while the session is open, and in an
async session cancelled as any other work of it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.ext.asyncio import AsyncResult, AsyncScalarResult

from naked_sqla import _compat
from naked_sqla.om.sessions import checks
from naked_sqla.om.sessions.aio.hop import hop, shielded, spawn, start

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from naked_sqla.om.sessions.aio.session import AsyncSession
    from naked_sqla.om.sessions.sync.session import Session

logger = logging.getLogger("naked_sqla")

_R = TypeVar("_R")

# Rows of a chunk where yield_per does not say.
_CHUNK = 1000

# What a closed session is told to have been asked for.
_READING = "reading a stream"


class Stream(_compat.IteratorResult):  # type: ignore[misc]
    """A synchronous result that reads chunk by chunk.

    :param session: whose transaction it reads in.
    :param chunks: given a number of rows, or ``None``, an iterator over lists of rows or objects.
    :param size: how many rows make a chunk, ``None`` for the default.
    :param scalars: ``chunks`` gives the single item of each row, not rows.
    :param raw: the cursor result underneath.
    """

    def __init__(
        self,
        session: Session | AsyncSession,
        metadata: Any,
        chunks: Callable[[int | None], Iterator[Any]],
        size: int | None,
        scalars: bool,
        raw: Any,
    ) -> None:
        super().__init__(metadata, iter(()), raw, _source_supports_scalars=scalars)
        self._hard_closed: bool = False
        self._session = session
        self._work = session._work
        self._make_chunks = chunks
        self._chunks = chunks(size or _CHUNK)
        self._ahead: deque[Any] = deque()
        self._is_read = False
        # A cancellation may tear the result's own closing, which then takes the cursor for closed.
        self._cursor = raw.cursor
        self._work.streams[self] = self._close
        self._yield_per: int | None = size

    # ---- for the async face

    @property
    def is_read(self) -> bool:
        """True when there is nothing left in the database."""
        return self._is_read

    @property
    def in_hand(self) -> bool:
        """True when the next row needs no database; checks that it may be read."""
        self._check()
        return bool(self._ahead)

    def take(self) -> Any:
        """The next row, which is in hand."""
        return self._ahead.popleft()

    @property
    def next_is_none(self) -> bool:
        """True when the next thing in hand is None, which SQLAlchemy takes for the end."""
        return self._ahead[0] is None

    def read(self) -> None:
        """Read the next chunk, on the connection's own ground."""
        rows = next(self._chunks, None)
        if rows:
            self._ahead.extend(rows)
        else:
            self._ended()

    async def read_in_task(self) -> None:
        """Read the next chunk in the running task."""
        if not self._is_read:
            session: Any = self._session
            session._enter(_READING)
            await hop(session._guard.leave, session._stop, self._work.watched, self.read)

    # ---- what SQLAlchemy's results ask of one another

    def _check(self) -> None:
        if self._hard_closed:
            self._raise_hard_closed()
        if not self._work.open or self._session._guard.holder is not None:
            self._session._enter(_READING)
            self._session._guard.leave()

    def _fill(self) -> bool:
        """Have a row in hand; False at the end."""
        if not self._ahead and not self._is_read:
            self._session._run_inside(_READING, self.read)
        return bool(self._ahead)

    def _fetchone_impl(self, hard_close: bool = False) -> Any:
        self._check()
        if self._fill():
            return self._ahead.popleft()
        self._soft_close(hard=hard_close)
        return None

    def _fetchmany_impl(self, size: int | None = None) -> list[Any]:
        self._check()
        wanted: int | None = size or self._yield_per
        rows: list[Any] = []
        if wanted is None:
            # SQLAlchemy leaves the number to the result: what a chunk gives.
            rows = list(self._ahead) if self._fill() else []
            self._ahead.clear()
            return rows
        while len(rows) < wanted and self._fill():
            ahead = self._ahead
            rows += [ahead.popleft() for _ in range(min(wanted - len(rows), len(ahead)))]
        return rows

    def _fetchall_impl(self) -> list[Any]:
        self._check()
        rows: list[Any] = []
        while self._fill():
            rows += self._ahead
            self._ahead.clear()
        self._soft_close()
        return rows

    def _fetchiter_impl(self) -> Iterator[Any]:
        self._check()
        while self._fill():
            yield self._ahead.popleft()
            self._check()

    def _raw_row_iterator(self) -> Iterator[Any]:
        return self._fetchiter_impl()

    def yield_per(self, num: int) -> Stream:
        """Read this many rows at a time from now on."""
        self._yield_per = num
        if not self._is_read:
            self._chunks = self._make_chunks(num)
        return self

    def _soft_close(self, hard: bool = False, **_: Any) -> None:
        if not self._is_read and self._work.open:
            self._session._run_inside(_READING, self._close)
        self._ended()
        self._ahead.clear()
        if hard:
            self._hard_closed = True

    def _raise_hard_closed(self) -> NoReturn:
        raise ResourceClosedError("This result object is closed.")

    def close_now(self) -> None:
        """Close it, on the connection's own ground; what is in hand goes too."""
        self._ahead.clear()
        self._hard_closed = True
        if not self._is_read and self._work.open:
            self._close()
            self._ended()

    def _close(self) -> None:
        self.raw.close()
        if self._cursor is not None:
            self._cursor.close()

    def _ended(self) -> None:
        self._is_read = True
        self._work.streams.pop(self, None)


def stream_of(session: Session | AsyncSession, result: Any) -> Stream:
    """A result of ``statement.stream()`` as one that is read through the session's gate."""

    def make(metadata: Any, chunks: Any, size: Any, scalars: Any, raw: Any) -> Stream:
        return Stream(session, metadata, chunks, size, scalars, raw)

    stream: Stream = _compat.as_stream(result, make)
    return stream


class AsyncStream(AsyncResult[Any]):
    """An ``AsyncResult`` whose iteration waits for chunks, and not for each row."""

    __slots__ = ()

    # On 2.0 what scalars() and mappings() give asks for both, which only a Result has.
    _row_logging_fn: Any = None

    @property
    def _yield_per(self) -> int | None:  # type: ignore[override]
        size: int | None = _compat.sync_result(self)._yield_per
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
    source: Stream = _compat.sync_result(result)
    while not source.in_hand:
        if source.is_read:
            raise StopAsyncIteration
        await source.read_in_task()
    if _compat.is_unique(result):
        return await fallback()
    return source.take() if source.next_is_none else _compat.next_item(result)


class AsyncStreaming(Generic[_R]):
    """What ``stream()`` returns: to be awaited, or entered with ``async with``, once."""

    __slots__ = ("_make", "_result", "_session", "_used")

    _result: _R

    def __init__(self, session: AsyncSession, make: Callable[[], Coroutine[Any, Any, _R]]) -> None:
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
        source: Stream = _compat.sync_result(self._result)
        session = self._session
        if source.is_read or not session._work.open:
            return
        try:
            await shielded(start(self._close(source)), patient=session._patient)
        except Exception:
            if exc_type is None:
                raise
            logger.warning("a stream could not be closed", exc_info=True)
        except asyncio.CancelledError:
            # One cancellation is on its way out already.
            if not isinstance(exc, asyncio.CancelledError):
                raise

    async def _close(self, source: Stream) -> None:
        guard = self._session._guard
        await guard.wait_and_enter()
        try:
            await spawn(source.close_now)
        finally:
            guard.leave()
