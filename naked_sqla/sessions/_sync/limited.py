# Generated from naked_sqla/sessions/_async/limited.py by tools/async_to_sync.py: do not edit.
"""Blocks that keep to time limits and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.block import SessionBlock
from naked_sqla.sessions.limits import Clock, limited
from naked_sqla.sessions.single_call import manner_of
from naked_sqla.sessions.terms import Terms
from naked_sqla.sessions.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from naked_sqla.sessions._sync.session import Session
    from naked_sqla.sessions.calls.base import Call
    from naked_sqla.sessions.observed import Observed


class Limited(SessionBlock):
    """A block with a clock: a base in front of any other block."""

    __slots__ = ()

    def __enter__(self) -> Session:
        if self._entered:
            checks.entered_twice()
        terms = self._terms or Terms()
        self._terms = replace(terms, clock=Clock(terms, None))
        return super().__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(exc_type, exc, traceback)


B = TypeVar("B", bound=SessionBlock)

_blocks: dict[type[Any], type[Any]] = {}


def _limited_block(make: type[Any]) -> type[Any]:
    found = _blocks.get(make)
    if found is None:
        name = f"Limited{make.__name__}"
        found = _blocks[make] = type(name, (Limited, make), {"__slots__": ()})
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


def run_on_terms(
    terms: Terms,
    engine: Engine,
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
    manner = manner_of(engine, auto_commit, eager, call)
    # what is read alone may be read in AUTOCOMMIT, where terms would not last
    given = {} if manner.alone else manner.options
    given = {**given, **(options or {})}
    block = on_terms(
        SessionBlock, terms, kind, engine, manner.commit, given, eager, manner.snapshot
    )
    if observed is not None:
        block._observe(observed)
    with block as session:
        return session._call(call)
