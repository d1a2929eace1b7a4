"""What the application does when an asynchronous session commits: before it, and after it."""

from __future__ import annotations

import inspect  # ASYNC
import logging
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from naked_sqla.sessions.noting import Writers
    from naked_sqla.sessions.transaction import Transaction

logger = logging.getLogger("naked_sqla")


class AsyncHooks:
    """The functions that wait for the commit of one session.

    :ivar ending: the session is ending, and these functions know of it.
    :ivar notes: what was written, for the functions of ``db.on_write()``.
    """

    __slots__ = ("_after", "_writers", "ending", "notes")

    def __init__(self, writers: Writers | None = None) -> None:
        from naked_sqla.sessions.noting import Notes

        self._writers = writers
        self._after: list[Callable[[], object]] = []
        self.notes = Notes()
        self.ending = False

    def add(self, fn: Callable[[], object]) -> None:
        """Have a function wait for the commit."""
        self._after.append(fn)

    def mark(self) -> tuple[int, int]:
        """How much there is, for :meth:`cut`."""
        return len(self._after), len(self.notes.writes)

    def cut(self, mark: tuple[int, int]) -> None:
        """Forget what came after a mark: it was rolled back."""
        del self._after[mark[0] :], self.notes.writes[mark[1] :]

    async def commit(self, session: Any) -> None:
        """Commit a session by hand."""
        session._transaction.check_open("commit")
        self.ending = True
        try:
            await self._tell(session)
            if session.state == "open":
                await session.commit()
        finally:
            self.ending = False
            if session.outcome == "committed":
                await self._run()

    async def leave(
        self,
        block: Any,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the block of a session."""
        session = block._session
        self.ending = True
        try:
            if exc_type is None and block._auto_commit and session.state == "open":
                try:
                    if session._guard.holder is None:
                        await self._tell(session)
                except BaseException as error:
                    await block._end(type(error), error, error.__traceback__)
                    raise
            await block._end(exc_type, exc, traceback)
        finally:
            if session.outcome == "committed":
                await self._run()

    async def _tell(self, session: Any) -> None:
        """Tell what was written.  What the functions write is not told."""
        notes = self.notes
        if self._writers is None or not notes.writes:
            return
        writes, notes.paused = tuple(notes.writes), True
        try:
            for listener in self._writers.all:
                if True:  # ASYNC
                    result = listener.fn(session, writes)
                    if inspect.isawaitable(result):
                        await result
                else:
                    listener.fn(session, writes)
            notes.writes.clear()
        finally:
            notes.paused = False

    async def _run(self) -> None:
        """Call the functions of ``after_commit()``; what one raises is logged: all is stored."""
        functions, self._after = self._after, []
        for fn in functions:
            try:
                if True:  # ASYNC
                    result = fn()
                    if inspect.isawaitable(result):
                        await result
                else:
                    fn()
            except Exception:
                logger.exception("a function of after_commit() failed, after COMMIT: %r", fn)


class AsyncCommitHooks:
    """The method of a session that has functions wait for its commit."""

    __slots__ = ()

    if TYPE_CHECKING:
        _transaction: Transaction

    def after_commit(self, fn: Callable[[], object]) -> None:
        """Call a function once the rows of this session are known to be stored.

        The functions run in the order in which you add them, after the session has closed: in
        ``commit()``, or once the block has given its connection back. They do not run after a
        rollback, and not if the outcome of COMMIT is unknown. If a savepoint is rolled back, the
        functions that were added in it do not run.

        If a function raises an exception, it is logged (ERROR, logger ``naked_sqla``), and the next
        function runs, because the rows are stored. A cancellation leaves the block, and the
        remaining functions do not run.

        The result of an ``async def`` is awaited.

        :param fn: a function without arguments.
        :raises InvalidSessionState: the session is closed.
        :raises TypeError: ``fn`` is not a function.
        """
        from naked_sqla.sessions.noting import check_function

        if True:  # ASYNC
            check_function(fn, "after_commit", "no arguments", may_be_awaited=True)
        else:
            check_function(fn, "after_commit", "no arguments", may_be_awaited=False)
        self._transaction.check_open("after_commit")
        session: Any = self
        if session._hooks is None:
            session._hooks = AsyncHooks()
        session._hooks.add(fn)
