"""Results that read from the connection while they are read.

All reading goes through a gate: one caller at a time, only while the session is open, and in an
async session cancelled as any other work of it is.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from sqlalchemy.exc import ResourceClosedError

from naked_sqla._sqlalchemy import results

if TYPE_CHECKING:
    from naked_sqla.sessions.guard import TaskGuard, ThreadGuard
    from naked_sqla.sessions.transaction import Transaction

# Rows of a chunk where yield_per does not say.
_CHUNK = 1000

# What the errors of a closed session call it, as in "reading a stream on a closed session".
READING = "reading a stream"


class StreamHost(Protocol):
    """The part of a session that its streams use."""

    @property
    def _guard(self) -> TaskGuard | ThreadGuard: ...
    @property
    def _transaction(self) -> Transaction: ...
    def _enter(self, what: str) -> None: ...
    def _run_inside(self, what: str, fn: Callable[..., Any], *args: Any) -> Any: ...


class Stream(results.IteratorResult):  # type: ignore[misc]
    """A synchronous result that reads chunk by chunk.

    :param session: whose transaction it reads in.
    :param chunks: given a number of rows, or ``None``, an iterator over lists of rows or objects.
    :param size: how many rows make a chunk, ``None`` for the default.
    :param scalars: ``chunks`` gives the single item of each row, not rows.
    :param raw: the cursor result underneath.
    """

    def __init__(
        self,
        session: StreamHost,
        metadata: Any,
        chunks: Callable[[int | None], Iterator[Any]],
        size: int | None,
        scalars: bool,
        raw: Any,
    ) -> None:
        super().__init__(metadata, iter(()), raw, _source_supports_scalars=scalars)
        self._hard_closed: bool = False
        self._session = session
        self._transaction = session._transaction
        self._make_chunks = chunks
        self._chunks = chunks(size or _CHUNK)
        self._ahead: deque[Any] = deque()
        self._is_read = False
        # A cancellation may tear the result's own closing, which then takes the cursor for closed.
        self._cursor = raw.cursor
        self._transaction.streams[self] = self._close
        self._yield_per: int | None = size

    # ---- for the async face

    @property
    def is_read(self) -> bool:
        """True when all rows were read from the database."""
        return self._is_read

    @property
    def in_hand(self) -> bool:
        """True when the next row needs no database; checks that it may be read."""
        self._check()
        return bool(self._ahead)

    def take(self) -> Any:
        """Take the next row, which is in hand."""
        return self._ahead.popleft()

    @property
    def next_is_none(self) -> bool:
        """True when the next thing in hand is None, which SQLAlchemy takes for the end."""
        return self._ahead[0] is None

    def read(self) -> None:
        """Read the next chunk; the caller is inside the session already."""
        self._transaction.check_not_lost()
        try:
            rows = next(self._chunks, None)
        except Exception:
            with contextlib.suppress(Exception):
                self._close_cursor()
            raise
        if rows:
            self._ahead.extend(rows)
        else:
            self._close_cursor()
            self._ended()

    # ---- methods that SQLAlchemy's results call on one another

    def _check(self) -> None:
        if self._hard_closed:
            self._raise_hard_closed()
        if not self._transaction.open or self._session._guard.holder is not None:
            self._session._enter(READING)
            self._session._guard.leave()

    def _fill(self) -> bool:
        """Have a row in hand; False at the end."""
        if not self._ahead and not self._is_read:
            self._session._run_inside(READING, self.read)
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
        if not self._is_read and self._transaction.open:
            self._session._run_inside(READING, self._close)
        self._ended()
        self._ahead.clear()
        if hard:
            self._hard_closed = True

    def _raise_hard_closed(self) -> NoReturn:
        raise ResourceClosedError("This result object is closed.")

    def close_now(self) -> None:
        """Close the stream and drop its rows; the caller is inside the session already."""
        self._ahead.clear()
        self._hard_closed = True
        if not self._is_read and self._transaction.open:
            self._close()
            self._ended()

    def _close(self) -> None:
        self.raw.close()
        self._close_cursor()

    def _close_cursor(self) -> None:
        """Close what stayed open when the result's own closing met the loss of the connection.

        psycopg warns of a cursor that is freed and was never closed.
        """
        if self._cursor is not None:
            self._cursor.close()

    def _ended(self) -> None:
        self._is_read = True
        self._transaction.streams.pop(self, None)


def stream_of(session: StreamHost, result: Any) -> Stream:
    """A result of ``statement.stream()`` as one that is read through the session's gate."""

    def make(metadata: Any, chunks: Any, size: Any, scalars: Any, raw: Any) -> Stream:
        return Stream(session, metadata, chunks, size, scalars, raw)

    stream: Stream = results.as_stream(result, make)
    return stream
