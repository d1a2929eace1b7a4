"""The block that ``begin_nested()`` returns: a savepoint."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from naked_sqla.exception import ConcurrentSessionUse
from naked_sqla.sessions import checks
from naked_sqla.sessions._async.greenlet import end_block, run_in_greenlet, run_to_end
from naked_sqla.sessions.misuse import AsyncBlock

if TYPE_CHECKING:
    from naked_sqla.sessions._async.host import AsyncHost


class AsyncSavepoint(AsyncBlock):
    """A part of a transaction that can be undone on its own; it is entered once.

    A clean end keeps what was done; an exception rolls back to the savepoint and comes out, and the
    session goes on.
    """

    __slots__ = ("_before", "_entered", "_point", "_session")

    _WRITTEN = ("session.begin_nested()", "a savepoint", "session.begin_nested()")

    _point: Any
    _before: BaseException | None

    def __init__(self, session: AsyncHost) -> None:
        self._session = session
        self._entered = False

    async def __aenter__(self) -> AsyncSavepoint:
        if self._entered:
            checks.entered_twice("begin_nested")
        self._entered = True
        session = self._session
        session._enter("begin_nested")
        if True:  # ASYNC
            self._point, self._before = await run_in_greenlet(
                session._guard.leave, session._stop, session._transaction.savepoint
            )
        else:
            try:
                self._point, self._before = session._transaction.savepoint()
            finally:
                session._guard.leave()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session, failed = self._session, exc_type is not None
        inside = session._guard.holder
        keep = not failed and inside is None
        if True:  # ASYNC
            end = self._end(keep, failed)
            await end_block(end, exc, patient=session._patient, push=inside is None)
        else:
            self._end(keep, failed)
        if inside is not None and not failed:
            raise ConcurrentSessionUse(checks.left_while_inside("task", inside, "begin_nested"))

    async def _end(self, keep: bool, failed: bool) -> None:
        session = self._session
        await session._guard.wait_and_enter()
        try:
            transaction = session._transaction
            await run_to_end(transaction.end_savepoint, self._point, self._before, keep, failed)
        finally:
            session._guard.leave()
