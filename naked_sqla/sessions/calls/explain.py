"""The call that asks for the plan of a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from naked_sqla.sessions.calls.base import Call, Effects, effects_of
from naked_sqla.sessions.calls.statement import named_by_statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.sessions.routing.routes import Routes
    from naked_sqla.sessions.routing.tables import Key

__all__ = ("ExplainCall",)


class _ExplainFields(NamedTuple):
    name: str
    statement: Any
    parameters: Any
    analyze: bool
    as_json: bool
    options: None = None


class ExplainCall(_ExplainFields, Call):
    """Ask for the plan of a statement.

    :ivar analyze: run the statement.
    """

    __slots__ = ()

    def run(self, conn: Connection, eager: bool) -> Any:
        # imported when it is first used: services ask for no plans
        from naked_sqla.read.explain import explain

        return explain(conn, eager, self.statement, self.parameters, self.analyze, self.as_json)

    def effects(self, eager: bool) -> Effects:
        if self.analyze:
            # a savepoint needs a transaction
            return effects_of(self.statement, False)._replace(further=True)
        return Effects(reads=True, further=False, writes=False)

    def sent(self) -> Any:
        # without analyze a write is not run either
        return self.statement if self.analyze else None

    def database(self, routes: Routes, eager: bool) -> Key:
        return routes.of_statement(self.statement, (), False)

    def named_database(self) -> tuple[Key, Any]:
        return named_by_statement(self)
