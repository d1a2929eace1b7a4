# Generated from naked_sqla/sessions/_async/timed.py by tools/async_to_sync.py: do not edit.
"""Blocks with a clock: the block of a session that keeps to time limits."""

from __future__ import annotations

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
