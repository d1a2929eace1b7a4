# Generated from naked_sqla/sessions/_async/host.py by tools/async_to_sync.py: do not edit.
"""The part of a session that its savepoints and streams use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from naked_sqla.sessions.stream import StreamHost

if TYPE_CHECKING:
    from naked_sqla.sessions._sync.hooks import Hooks
    from naked_sqla.sessions.guard import ThreadGuard


class Host(StreamHost, Protocol):
    """The session of a savepoint, or of a stream."""

    @property
    def _hooks(self) -> Hooks | None: ...
    @property
    def _guard(self) -> ThreadGuard: ...
