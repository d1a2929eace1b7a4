"""The call that loads an object by its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import NoResultFound

from naked_sqla.hiding import shown
from naked_sqla.read import lookup
from naked_sqla.read.facts import keep, kept
from naked_sqla.sessions import checks
from naked_sqla.sessions.calls.base import Effects, SlotsCall, effects_of, effects_of_facts

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.sessions.routing.routes import Routes
    from naked_sqla.sessions.routing.tables import Key

__all__ = ("LookupCall",)


class LookupCall(SlotsCall):
    """Load one object by its primary key.

    :ivar loads: loader options.
    :ivar required: raise where there is no such row.
    """

    __slots__ = ("ident", "loads", "model", "name", "options", "required", "with_for_update")

    def __init__(
        self,
        name: str,
        model: Any,
        ident: Any,
        loads: Any,
        options: Mapping[str, Any] | None,
        with_for_update: Any,
        required: bool = False,
    ) -> None:
        self.name = name
        self.model = model
        self.ident = ident
        self.loads = loads
        self.options = options
        self.with_for_update = with_for_update
        self.required = required

    @property
    def goes_directly(self) -> bool:
        return not self.options

    def run(self, conn: Connection, eager: bool) -> Any:
        if self.options:
            checks.statement_options(None, self.options)
        found = lookup.get(
            conn,
            self.model,
            self.ident,
            options=self.loads,
            execution_options=self.options,
            with_for_update=self.with_for_update,
            eager=eager,
        )
        if found is None and self.required:
            raise NoResultFound(
                f"No row was found for the primary key {shown(self.ident)} of "
                f"{self.model.__name__}. Use get() where there may be none."
            )
        return found

    def effects(self, eager: bool) -> Effects:
        model = self.model
        if self.loads or self.with_for_update or not isinstance(model, type):
            statement, _ = lookup.get_statement(model, self.ident, self.loads, self.with_for_update)
            return effects_of(statement, eager)
        facts = kept(model) or keep(model, lookup.get_statement(model, self.ident)[0])
        return effects_of_facts(facts, eager)

    def database(self, routes: Routes, eager: bool) -> Key:
        # its loader options may lead to other databases
        return routes.of_statement(self.model, self.loads or (), eager)
