"""Calls that load the objects of many keys, or relationships of objects in hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from naked_sqla.backends.base import Backend
from naked_sqla.read import many, preload
from naked_sqla.sessions import checks
from naked_sqla.sessions.calls.base import SEVERAL_READS, Call, Effects, effects_of
from naked_sqla.sessions.routing.tables import of_paths

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.sessions.routing.routes import Routes
    from naked_sqla.sessions.routing.tables import Key

__all__ = ("KeyedCall", "ManyCall", "PreloadCall")


class _ManyFields(NamedTuple):
    name: str
    model: Any
    idents: list[Any]
    loads: Any
    options: Mapping[str, Any] | None
    missing: Any


class ManyCall(_ManyFields, Call):
    """Load objects by their primary keys.

    :ivar loads: loader options.
    """

    __slots__ = ()

    def run(self, conn: Connection, eager: bool) -> Any:
        if self.options:
            checks.statement_options(None, self.options)
        return many.get_many(
            conn,
            self.model,
            self.idents,
            options=self.loads,
            missing=self.missing,
            execution_options=self.options,
            eager=eager,
        )

    def effects(self, eager: bool) -> Effects:
        how = many.by_primary_key(self.model, self.loads, self.name)
        return _several(effects_of(how.statement(), eager), len(self.idents))

    def database(self, routes: Routes, eager: bool) -> Key:
        return routes.of_statement(self.model, self.loads or (), eager)


class _KeyedFields(NamedTuple):
    name: str
    how: many.ManyByKey
    keys: list[tuple[Any, ...]]
    options: Mapping[str, Any] | None


class KeyedCall(_KeyedFields, Call):
    """Load the objects of some keys; the call of a loader."""

    __slots__ = ()

    def run(self, conn: Connection, eager: bool) -> Any:
        if self.options:
            checks.statement_options(None, self.options)
        return self.how.find(conn, self.keys, self.options, eager)

    def effects(self, eager: bool) -> Effects:
        return _several(effects_of(self.how.statement(), eager), len(self.keys))

    def database(self, routes: Routes, eager: bool) -> Key:
        return routes.of_statement(self.how.statement(), (), eager)


def _several(effects: Effects, keys: int) -> Effects:
    """The effects of a statement that is sent once for each part of some keys."""
    return effects._replace(further=effects.further or keys > Backend.keys_per_statement)


class _PreloadFields(NamedTuple):
    name: str
    objects: Any
    paths: Any
    force: bool
    options: None = None


class PreloadCall(_PreloadFields, Call):
    """Load relationships of objects in hand."""

    __slots__ = ()

    def run(self, conn: Connection, eager: bool) -> None:
        preload.preload(conn, self.objects, self.paths, force=self.force, eager=eager)

    def effects(self, eager: bool) -> Effects:
        return SEVERAL_READS

    def database(self, routes: Routes, eager: bool) -> Key:
        return routes.one(of_paths(self.paths, eager))
