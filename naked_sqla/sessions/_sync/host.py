# Generated from naked_sqla/sessions/_async/host.py by tools/async_to_sync.py: do not edit.
"""What a savepoint, or a stream, needs of the session that it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from naked_sqla.sessions.stream import StreamHost

if TYPE_CHECKING:
    from naked_sqla.sessions.guard import ThreadGuard


class Host(StreamHost, Protocol):
    """The session of a savepoint, or of a stream."""

    @property
    def _guard(self) -> ThreadGuard: ...
