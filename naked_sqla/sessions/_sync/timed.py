# Generated from naked_sqla/sessions/_async/timed.py by tools/async_to_sync.py: do not edit.
"""Blocks with a clock: the block of a session that keeps to time limits."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.block import SessionBlock
from naked_sqla.sessions.limits import Clock
from naked_sqla.sessions.terms import Terms

if TYPE_CHECKING:
    from naked_sqla.sessions._sync.session import Session


class Timed(SessionBlock):
    """A block with a clock: a base in front of any other block."""

    __slots__ = ()

    def __enter__(self) -> Session:
        if self._entered:
            checks.entered_twice()
        terms = self._terms or Terms()
        self._terms = terms._replace(clock=Clock(terms, None))
        return super().__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        hooks = self._session._hooks
        if hooks is not None and not hooks.ending:
            # what comes after COMMIT is outside of the limit
            hooks.leave(self, exc_type, exc, traceback)
            return
        super().__exit__(exc_type, exc, traceback)
