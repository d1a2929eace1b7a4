"""The direct way of a list of dictionaries: for an INSERT, UPDATE or DELETE that returns nothing.

As in :mod:`naked_sqla.write.direct`, nothing of the statement is looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import direct, dml, statements
from naked_sqla._sqlalchemy.direct_batches import KeptBatch
from naked_sqla.backends import backend_of
from naked_sqla.write.direct import WRITES, Asked, has_statement_values, is_unobserved
from naked_sqla.write.parameters import Sent
from naked_sqla.write.rows import Rows, has_expressions, types_by_key

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result

__all__ = ("remember", "run")


class _Way:
    """The way of one statement: how its list is sent."""

    __slots__ = ("_kept", "_options", "_sent")

    def __init__(self, kept: KeptBatch, options: Any, sent: Sent) -> None:
        self._kept = kept
        self._options = options
        self._sent = sent

    @classmethod
    def of(cls, result: Any, names: Sequence[str], sent: Sent) -> _Way | None:
        """The way of the statement of a result.

        :param names: of the parameters, as the caller passes them.
        """
        given = {*(names if sent.names is None else sent.names), *sent.added}
        kept = KeptBatch.of_list(result, given)
        if kept is None:
            return None
        orm = dml.subject_mapper(result.context.invoked_statement) is not None
        return cls(kept, statements.orm_options(None) if orm else {}, sent)

    def run(
        self, conn: Connection, statement: Any, rows: Rows, silent: set[str], values: Any
    ) -> Result[Any] | None:
        """Send the statement in hand.

        :param rows: as the caller passed them.
        :param silent: the names that have None in a row.
        :return: None where it has to go SQLAlchemy's way: nothing was sent.
        """
        sent = self._sent
        if not silent.isdisjoint(sent.silent):
            return None
        if sent.names is not None:
            names = sent.names
            rows = [{name: row[key] for name, key in names.items()} for row in rows]
        if sent.added:
            rows = [{**row, **{name: make() for name, make in sent.added.items()}} for row in rows]
        result: Result[Any] = self._kept.result(conn, statement, rows, values, self._options)
        return result


def run(conn: Connection, statement: Any, rows: Any) -> Result[Any] | None:
    """Run a statement of the caller's without execution options the direct way.

    :return: None where it has to go SQLAlchemy's way: nothing was sent.
    """
    if not isinstance(statement, WRITES) or not is_unobserved(conn, statement):
        return None
    if len(rows) < 2 or set(map(type, rows)) != {dict}:
        return None
    found, names = direct.known(conn, statement), direct.names_of(rows[0])
    if found is None or not names or not backend_of(conn.dialect).can_fetch(conn):
        return None
    cache, key, values = found
    way: _Way | None = cache.get((_Way, conn.dialect, key, names))
    types = types_by_key(rows) if way else None
    if not way or types is None or has_expressions(set().union(*types.values())):
        return None
    silent = {name for name, kinds in types.items() if type(None) in kinds}
    return way.run(conn, statement, rows, silent, values)


def remember(conn: Connection, asked: Asked, sent: Sent | None, result: Any) -> None:
    """Keep the direct way of a statement of the caller's, if it has one.

    :param sent: how its list became the one that was sent.
    :param result: of the statement that was sent for it.
    """
    statement, rows, _ = asked
    if sent is None or len(rows) < 2 or not isinstance(statement, WRITES):
        return
    if dml.returning_columns(statement) or not is_unobserved(conn, statement):
        return
    found, names = direct.known(conn, statement), direct.names_of(rows[0])
    if found is None or not names:
        return
    cache, key, values = found
    if cache.get((_Way, conn.dialect, key, names)) is None:
        way = _Way.of(result, names, sent) if has_statement_values(result, values) else None
        # False: it has none, and need not be looked at again
        cache[_Way, conn.dialect, key, names] = way or False
