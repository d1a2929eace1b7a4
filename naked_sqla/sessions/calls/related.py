"""Calls that write objects with their relationships."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import RelationshipProperty

from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.calls.write import WriteCall, seen_twice

if TYPE_CHECKING:
    from naked_sqla.sessions.routing.routes import Routes
    from naked_sqla.sessions.routing.tables import Key

__all__ = ("GraphCall", "LinkCall")


class LinkCall(WriteCall):
    """Write rows of a table in between: the relationship is the first of the arguments."""

    __slots__ = ()

    def database(self, routes: Routes, eager: bool) -> Key:
        return routes.of(self.arguments[0].table)

    def named_database(self) -> tuple[Key, Any]:
        # the object may be a key, and nothing is looked at before it is written
        return Call.named_database(self)

    def noted_in(self, noted: list[Any]) -> WriteCall:
        between, objs = self.arguments
        return self._replace(arguments=(between, seen_twice(objs)))


class GraphCall(WriteCall):
    """Write objects with the relationships that are its arguments."""

    __slots__ = ()

    def noted_in(self, noted: list[Any]) -> WriteCall:
        named = {**self.named, "noted": noted}
        return self._replace(subject=seen_twice(self.subject), named=named)

    def _about(self) -> Iterable[Any]:
        yield from super()._about()
        for attribute in self.arguments:
            prop = getattr(attribute, "property", None)
            if isinstance(prop, RelationshipProperty):
                yield from (prop.parent.class_, prop.mapper.class_)
