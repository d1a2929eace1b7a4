"""Calls that run a statement of the caller's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Result

from naked_sqla._sqlalchemy import results
from naked_sqla._sqlalchemy.tuples import as_tuples
from naked_sqla.read import statement as _statement
from naked_sqla.sessions import checks
from naked_sqla.sessions.calls.base import Call, Effects, SlotsCall, effects_of
from naked_sqla.sessions.routing import BIND_KEY

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.sessions.routing.routes import Routes
    from naked_sqla.sessions.routing.tables import Key

__all__ = (
    "IntoCall",
    "StatementCall",
    "items",
    "named_by_statement",
    "returns_rows",
    "scalar",
    "scalars",
    "tuples",
)


class StatementCall(SlotsCall):
    """Run a statement.

    :ivar take: gives a part of the result; None: the result itself.
    :ivar function: ``execute`` or ``stream`` of :mod:`~naked_sqla.read.statement`.
    """

    __slots__ = ("function", "name", "options", "parameters", "statement", "take")

    def __init__(
        self,
        name: str,
        statement: Any,
        parameters: Any,
        options: Mapping[str, Any] | None,
        take: Callable[[Result[Any], Any], Any] | None = None,
        function: Callable[..., Any] = _statement.execute,
    ) -> None:
        self.name = name
        self.statement = statement
        self.parameters = parameters
        self.options = options
        self.take = take
        self.function = function

    @property
    def goes_directly(self) -> bool:
        return self.function is _statement.execute and not self.options

    def run(self, conn: Connection, eager: bool) -> Any:
        statement = self.statement
        checks.statement_options(statement, self.options)
        result = self.function(conn, statement, self.parameters, self.options, eager=eager)
        return result if self.take is None else self.take(result, statement)

    def effects(self, eager: bool) -> Effects:
        return effects_of(self.statement, eager)

    def sent(self) -> Any:
        return self.statement

    def database(self, routes: Routes, eager: bool) -> Key:
        return routes.of_statement(self.statement, (), eager)

    def named_database(self) -> tuple[Key, Any]:
        return named_by_statement(self)


def tuples(result: Result[Any], _: Any) -> Any:
    """The rows as tuples, which have the attributes of rows."""
    return as_tuples(result)


def scalars(result: Result[Any], _: Any) -> Any:
    """The first item of each row."""
    return result.scalars()


def scalar(result: Result[Any], _: Any) -> Any:
    """The first item of the first row, or None."""
    return result.scalar()


def items(result: Result[Any], statement: Any) -> Any:
    """Scalars of one selected item, rows of several, and the result itself where there are none."""
    if getattr(statement, "is_dml", False) and not returns_rows(statement):
        # PostgreSQL may return the keys it has made, which nobody has selected
        return result
    if getattr(result, "returns_rows", True) and results.width_of(result) == 1:
        return result.scalars()
    return result


def returns_rows(statement: Any) -> bool:
    """True for an INSERT, UPDATE or DELETE with RETURNING."""
    # imported when it is first used: a service that only reads starts faster
    from naked_sqla._sqlalchemy import dml

    return bool(dml.returning_columns(statement))


class IntoCall(SlotsCall):
    """Run a statement, and fill an object of a class from each row.

    :ivar streams: give a result that reads from the connection while it is read.
    :ivar strategy: ``"json"``: all that it loads by the one statement.
    """

    __slots__ = (
        "cls",
        "name",
        "options",
        "parameters",
        "statement",
        "strategy",
        "streams",
        "validate",
    )

    def __init__(
        self,
        name: str,
        cls: Any,
        statement: Any,
        parameters: Any,
        validate: bool,
        options: Mapping[str, Any] | None,
        streams: bool = False,
        strategy: str | None = None,
    ) -> None:
        self.strategy = _known_strategy(strategy)
        self.name = name
        self.cls = cls
        self.statement = statement
        self.parameters = parameters
        self.validate = validate
        self.options = options
        self.streams = streams

    @property
    def goes_directly(self) -> bool:
        return not (self.streams or self.options or self.strategy)

    def _way(self) -> Any:
        """The module whose ``execute()`` and ``stream()`` run the call."""
        # imported when it is first used: services that load entities never pay for it
        if self.strategy == "json":
            from naked_sqla.into import tree

            return tree
        from naked_sqla import into

        return into

    def run(self, conn: Connection, eager: bool) -> Any:
        checks.statement_options(self.statement, self.options)
        way = self._way()
        found: Any = (way.stream if self.streams else way.execute)(
            conn,
            self.cls,
            self.statement,
            self.parameters,
            validate=self.validate,
            execution_options=self.options,
        )
        # a stream is a result of one item
        return results.sync_result(found) if self.streams else found

    def effects(self, eager: bool) -> Effects:
        # rows into other classes never lead to further statements
        return effects_of(self.statement, False)

    def sent(self) -> Any:
        return self.statement

    def database(self, routes: Routes, eager: bool) -> Key:
        return routes.of_statement(self.statement, (), False)

    def named_database(self) -> tuple[Key, Any]:
        return named_by_statement(self)


def _known_strategy(given: object) -> Literal["json"] | None:
    if given is None:
        return None
    if given == "json":
        return "json"
    error = ValueError if isinstance(given, str) else TypeError
    raise error(
        f"into(strategy=...) takes 'json' (one statement brings all relationships), or nothing "
        f"(a further statement for each of them), not {given!r}."
    )


def named_by_statement(call: Any) -> tuple[Key, Any]:
    """:meth:`Call.named_database`; the statement's own options may name a database too."""
    named, found = Call.named_database(call)
    statement = call.statement
    own = None
    if not isinstance(statement, type):
        read: Any = getattr(statement, "get_execution_options", None)
        own = None if read is None else read().get(BIND_KEY)
    if own is not None:
        found = found._replace(statement=statement.execution_options(**{BIND_KEY: None}))
    return (own if named is None else named), found
