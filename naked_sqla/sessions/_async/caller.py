"""The base of all that has the methods of a session: an ``AsyncSession``, a factory, a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from naked_sqla.sessions.calls.base import Call


class AsyncCaller:
    """Runs calls, each in its own way."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _call(self, call: Call) -> Coroutine[Any, Any, Any]:
            """Run a call where this object runs its statements."""
            ...
