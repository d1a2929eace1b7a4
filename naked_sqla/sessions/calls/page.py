"""Calls that read one page of a statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import CompoundSelect, Select

from naked_sqla._sqlalchemy import statements
from naked_sqla.read.facts import facts_of
from naked_sqla.sessions.calls.base import SEVERAL_READS, Call, Effects, effects_of_facts
from naked_sqla.sessions.calls.statement import named_by_statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.sessions.routing.routes import Routes
    from naked_sqla.sessions.routing.tables import Key

__all__ = ("PageCall",)


class _PageFields(NamedTuple):
    name: str
    function: Callable[..., Any]
    statement: Any
    arguments: tuple[Any, ...]
    has_several: Callable[[Any], bool] | None
    options: None = None


class PageCall(_PageFields, Call):
    """Read one page of a statement.

    :ivar has_several: whether a page of a statement may take several statements; None: it may.
    """

    __slots__ = ()

    def run(self, conn: Connection, eager: bool) -> Any:
        return self.function(conn, eager, self.statement, *self.arguments)

    def effects(self, eager: bool) -> Effects:
        statement = statements.resolved(self.statement)
        if not isinstance(statement, Select | CompoundSelect):
            # refused when it is run
            return SEVERAL_READS
        facts = facts_of(statement)
        found = effects_of_facts(facts, eager)
        if self.has_several is None or self.has_several(statement):
            return found._replace(further=True, steady=not facts.locks)
        return found

    def sent(self) -> Any:
        return self.statement

    def database(self, routes: Routes, eager: bool) -> Key:
        return routes.of_statement(self.statement, (), eager)

    def named_database(self) -> tuple[Key, Any]:
        return named_by_statement(self)
