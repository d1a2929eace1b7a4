"""Calls that give the rows of a statement themselves: one, all, how many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Sequence, UpdateBase

from naked_sqla._sqlalchemy import results, statements
from naked_sqla.exception import InvalidStatement
from naked_sqla.sessions.calls.base import Effects, effects_of
from naked_sqla.sessions.calls.statement import StatementCall, items, returns_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result

    from naked_sqla.sessions.routing.routes import Routes
    from naked_sqla.sessions.routing.tables import Key

__all__ = ("CountCall", "FirstCall", "RowsCall", "every", "one", "one_or_none")


class RowsCall(StatementCall):
    """Run a statement, and give its rows."""

    __slots__ = ()

    def run(self, conn: Connection, eager: bool) -> Any:
        _check_rows(self.name, self.statement)
        return super().run(conn, eager)


class FirstCall(RowsCall):
    """Give the first row of a statement, which reads no other where that can be said in SQL."""

    __slots__ = ()

    def run(self, conn: Connection, eager: bool) -> Any:
        # imported when it is first used: few services need all of the calls
        from naked_sqla.read import shortcuts

        statement = shortcuts.first_of(self.statement, self.parameters)
        return super(FirstCall, self._replace(statement=statement, take=_first)).run(conn, eager)


class CountCall(StatementCall):
    """Count the rows of a statement; its eager loads do not run."""

    __slots__ = ()

    def effects(self, eager: bool) -> Effects:
        return effects_of(self.statement, False)._replace(further=False)

    def database(self, routes: Routes, eager: bool) -> Key:
        statement = statements.resolved(self.statement)
        if statements.has_options(statement):
            # what its loader options load is left out
            statement = statements.without_options(statement)
        return routes.of_statement(statement, (), False)


def one(result: Result[Any], statement: Any) -> Any:
    """The only row."""
    return _merged(result, statement).one()


def one_or_none(result: Result[Any], statement: Any) -> Any:
    """The only row, or None."""
    return _merged(result, statement).one_or_none()


def every(result: Result[Any], statement: Any) -> list[Any]:
    """All rows."""
    return list(_merged(result, statement))


def _first(result: Result[Any], statement: Any) -> Any:
    return _merged(result, statement).first()


def _merged(result: Result[Any], statement: Any) -> Any:
    """The items or rows; one for each object whose collection several rows fill."""
    return items(result.unique() if results.has_unique_filter(result) else result, statement)


def _check_rows(name: str, statement: Any) -> None:
    """Refuse a statement that is known to return no rows, before it is sent."""
    if isinstance(statement, UpdateBase) and not returns_rows(statement):
        raise InvalidStatement(
            f"{name}() gives rows, and this {statement.__visit_name__.upper()} returns none. Add "
            f"returning(...), or run it with execute()."
        )
    if isinstance(statement, Sequence):
        raise InvalidStatement(
            f"{name}() gives rows, and a sequence has none. Select its next value: "
            f"select({statement.name}.next_value())."
        )
