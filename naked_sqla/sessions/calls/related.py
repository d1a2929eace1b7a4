"""Calls that write objects with their relationships."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.calls.write import WriteCall

if TYPE_CHECKING:
    from naked_sqla.sessions.routing.routes import Routes
    from naked_sqla.sessions.routing.tables import Key

__all__ = ("LinkCall",)


class LinkCall(WriteCall):
    """Write rows of a table in between: the relationship is the first of the arguments."""

    __slots__ = ()

    def database(self, routes: Routes, eager: bool) -> Key:
        return routes.of(self.arguments[0].table)

    def named_database(self) -> tuple[Key, Any]:
        # the object may be a key, and nothing is looked at before it is written
        return Call.named_database(self)

    def _about(self) -> list[Any]:
        between = self.arguments[0]
        return [between.own.model, between.theirs.model]
