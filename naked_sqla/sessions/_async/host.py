"""The part of a session that its savepoints and streams use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from naked_sqla.sessions.stream import StreamHost

if TYPE_CHECKING:
    from naked_sqla.sessions._async.hooks import AsyncHooks
    from naked_sqla.sessions.guard import TaskGuard


class AsyncHost(StreamHost, Protocol):
    """The session of a savepoint, or of a stream."""

    @property
    def _hooks(self) -> AsyncHooks | None: ...
    @property
    def _guard(self) -> TaskGuard: ...
    @property  # ASYNC
    def _patient(self) -> bool: ...  # ASYNC
