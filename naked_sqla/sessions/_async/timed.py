"""Blocks with a clock: the block of a session that keeps to time limits."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from naked_sqla.exception import CommitOutcomeUnknown
from naked_sqla.sessions import checks
from naked_sqla.sessions._async.block import AsyncSessionBlock
from naked_sqla.sessions.committing import NO_ANSWER
from naked_sqla.sessions.limits import Clock
from naked_sqla.sessions.terms import Terms
from naked_sqla.sessions.timers import TaskTimer

if TYPE_CHECKING:
    from naked_sqla.sessions._async.session import AsyncSession


class AsyncTimed(AsyncSessionBlock):
    """A block with a clock: a base in front of any other block."""

    __slots__ = ()

    async def __aenter__(self) -> AsyncSession:
        if self._entered:
            checks.entered_twice()
        terms = self._terms or Terms()
        if True:  # ASYNC
            timer = TaskTimer()
            await timer.enter()
            self._terms = terms._replace(clock=Clock(terms, timer))
            try:
                return await super().__aenter__()
            except BaseException as error:
                await self._leave(error)
                raise
        else:
            self._terms = terms._replace(clock=Clock(terms, None))
            return super().__aenter__()

    if True:  # ASYNC

        async def _end(
            self,
            exc_type: type[BaseException] | None,
            exc: BaseException | None,
            traceback: TracebackType | None,
        ) -> None:
            # what comes after COMMIT is outside of the limit
            clock: Any = self._terms and self._terms.clock
            if exc is None and not clock.expired:
                try:
                    await super()._end(exc_type, exc, traceback)
                except BaseException as error:
                    if not await self._leave(error):
                        raise
                else:
                    await self._leave(None)
                return
            timed_out = await clock.leave(exc)
            # a clock that was left, or has run out, can't end a ROLLBACK
            limit = asyncio.timeout(clock.to_roll_back)
            try:
                async with limit:
                    await super()._end(exc_type, exc, traceback)
            except TimeoutError:
                if not limit.expired():
                    raise
            if timed_out:
                self._refuse(clock, exc)

        async def _leave(self, error: BaseException | None) -> bool:
            """Leave the clock; raise where it has cancelled the block, and that is not committed.

            :return: True where it has cancelled the block.
            """
            clock: Any = self._terms and self._terms.clock
            timed_out: bool = await clock.leave(error)
            if timed_out and self.outcome != "committed":
                self._refuse(clock, error)
            return timed_out

        def _refuse(self, clock: Clock, error: BaseException | None) -> NoReturn:
            timeout = clock.cancelled()
            timeout.__cause__ = error
            if self.outcome == "unknown":
                raise CommitOutcomeUnknown(NO_ANSWER) from timeout
            raise timeout
