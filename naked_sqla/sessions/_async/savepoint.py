"""The block that ``begin_nested()`` returns: a savepoint."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any

from naked_sqla.exception import ConcurrentSessionUse
from naked_sqla.sessions import checks
from naked_sqla.sessions._async.cancel import ended_well, postpone
from naked_sqla.sessions._async.greenlet import (
    run_in_greenlet,
    run_to_end,
    shielded,
    start,
    times_cancelled,
)
from naked_sqla.sessions.misuse import AsyncBlock

if TYPE_CHECKING:
    from naked_sqla.sessions._async.host import AsyncHost


class AsyncSavepoint(AsyncBlock):
    """A part of a transaction that can be undone on its own; it is entered once.

    A clean end keeps what was done; an exception rolls back to the savepoint and comes out, and the
    session goes on.
    """

    __slots__ = ("_before", "_entered", "_mark", "_point", "_session")

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
            transaction = session._transaction
            self._point, self._before = await run_in_greenlet(
                session._guard.leave, transaction.stopper, transaction.savepoint
            )
        else:
            try:
                self._point, self._before = session._transaction.savepoint()
            finally:
                session._guard.leave()
        hooks = session._hooks
        self._mark = (0, 0) if hooks is None else hooks.mark()
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
            asked, end = times_cancelled(), start(self._end(keep, failed))
            try:
                await shielded(end, patient=session._patient, push=inside is None)
            except asyncio.CancelledError as cancelled:
                if not keep or not ended_well(end):
                    raise
                # it was released: the block does not fail, what comes after it does
                postpone(cancelled, asked)
        else:
            self._end(keep, failed)
        if inside is not None and not failed:
            raise ConcurrentSessionUse(checks.left_while_inside("task", inside, "begin_nested"))

    async def _end(self, keep: bool, failed: bool) -> None:
        session = self._session
        await session._guard.wait_and_enter()
        kept = False
        try:
            transaction = session._transaction
            await run_to_end(transaction.end_savepoint, self._point, self._before, keep, failed)
            kept = keep
        finally:
            if session._hooks is not None and not kept:
                session._hooks.cut(self._mark)
            session._guard.leave()
