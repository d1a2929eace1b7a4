"""Calls that write rows by object."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy.sql import ClauseElement

from naked_sqla._sqlalchemy import connections
from naked_sqla.objects.classes import mapper_of
from naked_sqla.sessions import checks
from naked_sqla.sessions.calls.base import Call

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.sessions.routing.routes import Routes
    from naked_sqla.sessions.routing.tables import Key

__all__ = ("WriteCall", "seen_twice")


class _WriteFields(NamedTuple):
    name: str
    function: Callable[..., Any]
    subject: Any
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    options: Mapping[str, Any] | None


class WriteCall(_WriteFields, Call):
    """Write rows by object.

    :ivar function: a function of :mod:`~naked_sqla.write`, called with the rest.
    :ivar subject: a mapped class, an object, or several.
    """

    __slots__ = ()

    def run(self, conn: Connection, eager: bool) -> Any:
        options = self.options
        meanwhile: Any = contextlib.nullcontext()
        if options:
            checks.statement_options(None, options)
            meanwhile = connections.options_meanwhile(conn, options)
        with meanwhile:
            return self.function(conn, self.subject, *self.arguments, **self.named)

    def noted_in(self, noted: list[Any]) -> WriteCall:
        """The call, whose objects can be looked at once more when it has run.

        :param noted: takes the stored objects that the result does not have.
        """
        if not self.name.endswith("_all"):
            return self
        return self._replace(subject=seen_twice(self.subject))

    def is_write(self) -> bool:
        return True

    def database(self, routes: Routes, eager: bool) -> Key:
        about = list(self._about())
        if len(about) == 1:
            return routes.of_statement(about[0], (), eager=False)
        return routes.of(*about)

    def named_database(self) -> tuple[Key, Any]:
        key, found = super().named_database()
        # they are looked at once for their database, and once more to be written
        return key, found._replace(subject=seen_twice(found.subject))

    def _about(self) -> Iterable[Any]:
        """The mapped classes that it writes, and the SQL among its values."""
        for part in (self.subject, self.subject.__class__, *self.arguments, *self.named.values()):
            if mapper_of(part) is not None:
                yield part
            elif isinstance(part, Mapping):
                yield from (value for value in part.values() if isinstance(value, ClauseElement))
        yield from (value for value in self.named.values() if isinstance(value, ClauseElement))
        if isinstance(self.subject, list):
            yield from {
                kind for obj in self.subject if mapper_of(kind := obj.__class__) is not None
            }


def seen_twice(objects: Any) -> Any:
    """Objects that can be looked at twice."""
    if isinstance(objects, Iterable) and not isinstance(objects, type | list | str | Mapping):
        return list(objects)
    return objects
