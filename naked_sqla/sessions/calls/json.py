"""The call that gives rows as JSON."""

from __future__ import annotations

from typing import Any

from naked_sqla.sessions.calls.statement import IntoCall

__all__ = ("JsonCall",)


class JsonCall(IntoCall):
    """Run a statement, and give the JSON of its rows.

    :ivar cls: the class whose fields they have, or None.
    :ivar streams: give a result of lines that reads from the connection while it is read.
    """

    __slots__ = ()

    def _way(self) -> Any:
        # imported when it is first used: services that load entities never pay for it
        from naked_sqla.into import as_json

        return as_json
