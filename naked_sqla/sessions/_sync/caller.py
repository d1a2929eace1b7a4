# Generated from naked_sqla/sessions/_async/caller.py by tools/async_to_sync.py: do not edit.
"""The base of all that has the methods of a session: a ``Session``, a factory, a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from naked_sqla.sessions.calls.base import Call


class Caller:
    """Runs calls, each in its own way."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _call(self, call: Call) -> Any:
            """Run a call where this object runs its statements."""
            ...
