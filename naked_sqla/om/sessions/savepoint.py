"""A savepoint as a block: what ``begin_nested()`` returns."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any

from naked_sqla.exception import ConcurrentSessionUse
from naked_sqla.om.sessions import checks
from naked_sqla.om.sessions.aio.hop import hop, shielded, spawn, start

if TYPE_CHECKING:
    from naked_sqla.om.sessions.aio.session import AsyncSession
    from naked_sqla.om.sessions.sync.session import Session


_WRITE = ("a savepoint", "session.begin_nested()")


class AsyncSavepoint:
    """A part of a transaction that can be undone on its own; to be entered once.

    A clean end keeps what was done; an exception rolls back to the savepoint and comes out, and the
    session goes on.
    """

    __slots__ = ("_before", "_entered", "_point", "_session")

    _point: Any
    _before: BaseException | None

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._entered = False

    async def __aenter__(self) -> AsyncSavepoint:
        if self._entered:
            checks.entered_twice("begin_nested")
        self._entered = True
        session = self._session
        session._enter("begin_nested")
        self._point, self._before = await hop(
            session._guard.leave, session._stop, session._work.savepoint
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session, failed = self._session, exc_type is not None
        inside = session._guard.holder
        try:
            await shielded(
                start(self._end(not failed and inside is None, failed)),
                patient=session._patient,
                push=inside is None,
            )
        except asyncio.CancelledError:
            # One cancellation is on its way out already.
            if not isinstance(exc, asyncio.CancelledError):
                raise
        if inside is not None and not failed:
            raise ConcurrentSessionUse(checks.left_while_inside("task", inside, "begin_nested"))

    async def _end(self, keep: bool, failed: bool) -> None:
        session = self._session
        await session._guard.wait_and_enter()
        try:
            work = session._work
            await spawn(work.end_savepoint, self._point, self._before, keep, failed)
        finally:
            session._guard.leave()

    if not TYPE_CHECKING:
        # Only here to say what to write: a type checker is not to find them.

        def __enter__(self):
            checks.not_async_with("with session.begin_nested()", *_WRITE)

        def __exit__(self, *_):
            return None

        def __await__(self):
            checks.not_async_with("await session.begin_nested()", *_WRITE)


class Savepoint:
    """A part of a transaction that can be undone on its own; to be entered once.

    A clean end keeps what was done; an exception rolls back to the savepoint and comes out, and the
    session goes on.
    """

    __slots__ = ("_before", "_entered", "_point", "_session")

    _point: Any
    _before: BaseException | None

    def __init__(self, session: Session) -> None:
        self._session = session
        self._entered = False

    def __enter__(self) -> Savepoint:
        if self._entered:
            checks.entered_twice("begin_nested")
        self._entered = True
        session = self._session
        session._enter("begin_nested")
        try:
            self._point, self._before = session._work.savepoint()
        finally:
            session._guard.leave()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session, failed = self._session, exc_type is not None
        inside = session._guard.holder
        session._guard.wait_and_enter()
        try:
            keep = not failed and inside is None
            session._work.end_savepoint(self._point, self._before, keep, failed)
        finally:
            session._guard.leave()
        if inside is not None and not failed:
            raise ConcurrentSessionUse(checks.left_while_inside("thread", inside, "begin_nested"))
