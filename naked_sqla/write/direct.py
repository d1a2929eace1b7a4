"""The direct way of INSERT, UPDATE and DELETE: one that ran before, with one set of parameters.

No execution of SQLAlchemy's in between, and nothing of the statement is looked at again: the names
of its parameters are the same.  It is taken where nobody could tell, as in
:mod:`naked_sqla.read.direct`.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Delete, Insert, Update

from naked_sqla._sqlalchemy import direct, dml, statements
from naked_sqla._sqlalchemy.direct_writes import KeptWrite
from naked_sqla.backends import backend_of
from naked_sqla.read.fetching import loading_on
from naked_sqla.read.loader import KnownLoader, known_loader
from naked_sqla.read.quiet import CRITERIA_ONLY
from naked_sqla.read.result import to_loaded_result
from naked_sqla.write.parameters import Sent
from naked_sqla.write.rows import has_expressions

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result
    from sqlalchemy.engine import CursorResult

__all__ = (
    "WRITES",
    "Asked",
    "RowStatement",
    "has_statement_values",
    "has_values_only",
    "is_unobserved",
    "remember",
    "run",
)

# dialects have subclasses of Insert, which are as constant
WRITES = (Insert, Update, Delete)

# types of values that are no SQL expressions
_PLAIN = frozenset(
    {
        bool,
        bytes,
        dict,
        dt.date,
        dt.datetime,
        dt.time,
        dt.timedelta,
        decimal.Decimal,
        float,
        int,
        list,
        str,
        type(None),
        uuid.UUID,
    }
)


def is_unobserved(conn: Connection, statement: Any) -> bool:
    """True where nobody could tell which way a statement goes.

    The criteria of a factory are in its statements by now.
    """
    return direct.is_unobserved(conn, statement, CRITERIA_ONLY)


def has_values_only(values: Iterable[Any]) -> bool:
    """True when none of some values is an SQL expression."""
    return all(type(v) in _PLAIN or not has_expressions((type(v),)) for v in values)


class Asked(NamedTuple):
    """What a caller has asked for.

    :ivar sent: how the parameters became those of the statement that was sent.
    """

    statement: Any
    parameters: Any
    sent: Sent = Sent()


class Way:
    """The way of one statement: how it is sent, and how its rows are loaded.

    :ivar loader: None where nothing is returned.
    """

    __slots__ = ("_kept", "_loader", "_options", "_sent")

    def __init__(
        self, kept: KeptWrite, loader: KnownLoader | None, options: Any, sent: Sent
    ) -> None:
        self._kept = kept
        self._loader = loader
        self._options = options
        self._sent = sent

    @classmethod
    def of(
        cls, result: CursorResult[Any], names: Sequence[str], sent: Sent, own: bool = False
    ) -> Way | None:
        """The way of the statement of a result, whose rows have been loaded.

        :param names: of the parameters, as the caller passes them.
        :param own: it is always the same statement.
        """
        given = {*(names if sent.names is None else sent.names), *sent.added}
        kept = KeptWrite.of(result, given, own)
        context: Any = result.context
        loader = None
        if dml.returning_columns(context.invoked_statement):
            loader = known_loader(result)
            if loader is None:
                return None
        if kept is None:
            return None
        orm = dml.subject_mapper(context.invoked_statement) is not None
        return cls(kept, loader, statements.orm_options(None) if orm else {}, sent)

    def run(self, conn: Connection, statement: Any, given: Any, values: Any) -> Result[Any] | None:
        """Send the statement in hand.

        :param given: the parameters as the caller passed them.
        :return: None where it has to go SQLAlchemy's way: nothing was sent.
        """
        sent = self._sent
        for name in sent.silent:
            if given[name] is None:
                return None
        if sent.names is not None:
            given = {name: given[key] for name, key in sent.names.items()}
        if sent.added:
            given = {**given, **{name: make() for name, make in sent.added.items()}}
        if self._loader is None:
            result: Result[Any] = self._kept.result(conn, statement, given, values, self._options)
            return result
        loader = self._loader.of(statement, lambda: loading_on(conn, None, given))
        if loader is None:
            return None
        return to_loaded_result(loader, self._rows(conn, statement, given, values))

    def objects(
        self, conn: Connection, statement: Any, given: Any, values: Any
    ) -> list[Any] | None:
        """Send the statement in hand, and load what it returns."""
        loader = None
        if self._loader is not None:
            loader = self._loader.of(statement, lambda: loading_on(conn, None))
        if loader is None or loader.multiplied or not loader.scalar:
            return None
        return loader.load(self._rows(conn, statement, given, values))

    def matched(self, conn: Connection, statement: Any, given: Any, values: Any) -> int:
        """Send the statement in hand, which returns nothing, and give how many rows it matched."""
        return self._kept.matched(conn, statement, given, values, self._options)

    def _rows(self, conn: Connection, statement: Any, given: Any, values: Any) -> Iterable[Any]:
        kept = self._kept
        if kept.has_defaults:
            return kept.rows(conn, statement, given, values, self._options)
        arguments = kept.arguments(conn, given, values)
        direct.begin(conn)
        try:
            return backend_of(conn.dialect).fetch(conn, kept.sql, arguments)
        except BaseException as error:  # noqa: BLE001 - it comes out again
            direct.raise_as_sqlalchemy(conn, error, kept.sql, arguments)


class RowStatement:
    """A statement of this library's own, for one class: it is made once, and what differs between
    rows are parameters.

    :param once: it is made for one connection, whose factory has criteria, and has no direct way.
    """

    __slots__ = ("_once", "_values", "statement")

    def __init__(self, statement: Any, once: bool = False) -> None:
        self.statement = statement
        self._once = once
        # SQLAlchemy has compiled it for another class, which has other values (discriminators)
        self._values: Sequence[Any] = ()

    def objects(self, conn: Connection, given: Mapping[str, Any]) -> list[Any] | None:
        """Send it the direct way, and load what it returns.

        :return: None where it has to go SQLAlchemy's way: nothing was sent.
        """
        way = self._way(conn, given)
        return None if way is None else way.objects(conn, self.statement, given, self._values)

    def matched(self, conn: Connection, given: Mapping[str, Any]) -> int:
        """Send it, and give how many rows it has matched, or -1."""
        way = self._way(conn, given)
        if way is not None:
            return way.matched(conn, self.statement, given, self._values)
        result = conn.execute(self.statement, given)
        self.remember(conn, given, result)
        return result.rowcount

    def remember(
        self, conn: Connection, given: Mapping[str, Any], result: CursorResult[Any]
    ) -> None:
        """Keep its direct way for parameters with the same names, if it has one."""
        if self._once or not is_unobserved(conn, self.statement):
            return
        cache, names = direct.cache_of(conn), direct.names_of(given)
        if cache is None or names is None:
            return
        # ON CONFLICT has no key on SQLAlchemy 2.0, which compiles it each time
        found = direct.known(conn, self.statement)
        self._values = () if found is None else found[2]
        if cache.get((self, conn.dialect, names)) is None:
            has_values = has_statement_values(result, self._values)
            way = Way.of(result, names, Sent(), found is None) if has_values else None
            # False: it has none, and need not be looked at again
            cache[self, conn.dialect, names] = way or False

    def _way(self, conn: Connection, given: Mapping[str, Any]) -> Way | None:
        if self._once or not is_unobserved(conn, self.statement):
            return None
        if not backend_of(conn.dialect).can_fetch(conn):
            return None
        cache, names = direct.cache_of(conn), direct.names_of(given)
        return None if cache is None else cache.get((self, conn.dialect, names)) or None


def run(conn: Connection, statement: Any, parameters: Any) -> Result[Any] | None:
    """Run a statement of the caller's without execution options the direct way.

    :return: None where it has to go SQLAlchemy's way: nothing was sent.
    """
    if not isinstance(statement, WRITES) or not is_unobserved(conn, statement):
        return None
    if parameters is not None and not parameters:
        return None
    found, names = direct.known(conn, statement), direct.names_of(parameters)
    if found is None or names is None or not backend_of(conn.dialect).can_fetch(conn):
        return None
    cache, key, values = found
    way: Way | None = cache.get((Way, conn.dialect, key, names))
    if not way or (parameters and not has_values_only(parameters.values())):
        return None
    return way.run(conn, statement, parameters, values)


def remember(conn: Connection, asked: Asked, result: CursorResult[Any]) -> None:
    """Keep the direct way of a statement of the caller's, if it has one.

    :param result: of the statement that was sent for it, whose rows have been loaded.
    """
    statement, parameters, sent = asked
    if not isinstance(statement, WRITES) or not is_unobserved(conn, statement):
        return
    found, names = direct.known(conn, statement), direct.names_of(parameters)
    if found is None or names is None or (parameters is not None and not parameters):
        return
    cache, key, values = found
    if cache.get((Way, conn.dialect, key, names)) is not None:
        return
    way = Way.of(result, names, sent) if has_statement_values(result, values) else None
    # False: it has none, and need not be looked at again
    cache[Way, conn.dialect, key, names] = way or False


def has_statement_values(result: Any, values: Sequence[Any]) -> bool:
    """True when the statement that was sent has just these values, in this order."""
    return list(map(id, values)) == list(map(id, result.context.extracted_parameters or ()))
