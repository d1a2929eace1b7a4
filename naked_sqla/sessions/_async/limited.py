"""Blocks that keep to time limits and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from naked_sqla.sessions._async.block import AsyncSessionBlock
from naked_sqla.sessions.single_call import manner_of
from naked_sqla.sessions.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from naked_sqla.sessions.calls.base import Call
    from naked_sqla.sessions.noting import Writers
    from naked_sqla.sessions.observed import Observed
    from naked_sqla.sessions.terms import Terms


B = TypeVar("B", bound=AsyncSessionBlock)

_blocks: dict[type[Any], type[Any]] = {}


def _timed_block(make: type[Any]) -> type[Any]:
    found = _blocks.get(make)
    if found is None:
        # imported when it is first used: without time limits nobody pays for them
        from naked_sqla.sessions._async.timed import AsyncTimed

        name = f"Limited{make.__name__}"
        found = _blocks[make] = type(name, (AsyncTimed, make), {"__slots__": ()})
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
        from naked_sqla.sessions.limits import limited

        chosen, kind = _timed_block(make), limited(kind)
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
    writers: Writers | None = None,
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
    if writers is not None:
        block._tell(writers)
    async with block as session:
        return await session._call(call)
