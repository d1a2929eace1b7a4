"""Blocks that keep to time limits and settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from naked_sqla.exception import CommitOutcomeUnknown
from naked_sqla.sessions import checks
from naked_sqla.sessions._async.block import AsyncSessionBlock
from naked_sqla.sessions.committing import NO_ANSWER
from naked_sqla.sessions.limits import Clock, limited
from naked_sqla.sessions.single_call import manner_of
from naked_sqla.sessions.terms import Terms
from naked_sqla.sessions.timers import TaskTimer
from naked_sqla.sessions.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from naked_sqla.sessions._async.session import AsyncSession
    from naked_sqla.sessions.calls.base import Call
    from naked_sqla.sessions.observed import Observed


class AsyncLimited(AsyncSessionBlock):
    """A block with a clock: a base in front of any other block."""

    __slots__ = ()

    async def __aenter__(self) -> AsyncSession:
        if self._entered:
            checks.entered_twice()
        terms = self._terms or Terms()
        if True:  # ASYNC
            timer = TaskTimer()
            await timer.enter()
            self._terms = replace(terms, clock=Clock(terms, timer))
            try:
                return await super().__aenter__()
            except BaseException as error:
                await self._leave(error)
                raise
        else:
            self._terms = replace(terms, clock=Clock(terms, None))
            return super().__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if True:  # ASYNC
            clock: Any = self._terms and self._terms.clock
            if exc is None and not clock.expired:
                try:
                    await super().__aexit__(exc_type, exc, traceback)
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
                    await super().__aexit__(exc_type, exc, traceback)
            except TimeoutError:
                if not limit.expired():
                    raise
            if timed_out:
                self._refuse(clock, exc)
        else:
            super().__aexit__(exc_type, exc, traceback)

    if True:  # ASYNC

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


B = TypeVar("B", bound=AsyncSessionBlock)

_blocks: dict[type[Any], type[Any]] = {}


def _limited_block(make: type[Any]) -> type[Any]:
    found = _blocks.get(make)
    if found is None:
        name = f"Limited{make.__name__}"
        found = _blocks[make] = type(name, (AsyncLimited, make), {"__slots__": ()})
    return found


def on_terms(make: type[B], terms: Terms | None, kind: type[Any], *args: Any, **more: Any) -> B:
    """A block that keeps to terms, where there are any.

    :param make: the class of the block; its arguments follow.
    :param kind: of its transaction.
    """
    if terms is None:
        return make(*args, kind=kind, **more)
    chosen: Any = make
    if terms.limited:
        chosen, kind = _limited_block(make), limited(kind)
    block: B = chosen(*args, kind=kind, **more)
    block._terms = terms
    return block


async def run_on_terms(
    terms: Terms,
    engine: AsyncEngine,
    auto_commit: bool,
    eager: bool,
    call: Call,
    options: Mapping[str, Any] | None = None,
    kind: type[Transaction] = Transaction,
    observed: Observed | None = None,
) -> Any:
    """Run a call as a transaction of its own, which terms need.

    :param options: for the connection.
    """
    manner = manner_of(engine.sync_engine, auto_commit, eager, call)
    # what is read alone may be read in AUTOCOMMIT, where terms would not last
    given = {} if manner.alone else manner.options
    given = {**given, **(options or {})}
    block = on_terms(
        AsyncSessionBlock, terms, kind, engine, manner.commit, given, eager, manner.snapshot
    )
    if observed is not None:
        block._observe(observed)
    async with block as session:
        return await session._call(call)
