"""The direct way of a list of dictionaries: for an INSERT, and what returns nothing.

As in :mod:`naked_sqla.write.direct`, nothing of the statement is looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import direct, dml, statements
from naked_sqla._sqlalchemy.direct_batches import KeptBatch
from naked_sqla._sqlalchemy.direct_returning import KeptReturning, raise_for_batch
from naked_sqla.backends import backend_of
from naked_sqla.read.fetching import loading_on
from naked_sqla.read.loader import KnownLoader, known_loader
from naked_sqla.read.result import to_loaded_result
from naked_sqla.write.direct import WRITES, Asked, has_statement_values, is_unobserved
from naked_sqla.write.parameters import Sent
from naked_sqla.write.rows import Rows, has_expressions, types_by_key

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result

__all__ = ("remember", "run", "send")


class _Way:
    """The way of one statement: how its list is sent, and how its rows are loaded.

    :ivar loader: None where nothing is returned.
    """

    __slots__ = ("_kept", "_loader", "_options", "_sent")

    def __init__(
        self, kept: KeptBatch, loader: KnownLoader | None, options: Any, sent: Sent
    ) -> None:
        self._kept = kept
        self._loader = loader
        self._options = options
        self._sent = sent

    @classmethod
    def of(cls, result: Any, names: Sequence[str], sent: Sent) -> _Way | None:
        """The way of the statement of a result.

        :param names: of the parameters, as the caller passes them.
        """
        given = {*(names if sent.names is None else sent.names), *sent.added}
        statement = result.context.invoked_statement
        returns = bool(dml.returning_columns(statement))
        kept = (KeptReturning if returns else KeptBatch).of_list(result, given)
        loader = known_loader(result) if returns else None
        if kept is None or (returns and loader is None):
            return None
        orm = dml.subject_mapper(statement) is not None
        return cls(kept, loader, statements.orm_options(None) if orm else {}, sent)

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
        if isinstance(self._kept, KeptReturning):
            return self._loaded(self._kept, conn, statement, rows, values)
        result: Result[Any] = self._kept.result(conn, statement, rows, values, self._options)
        return result

    def _loaded(
        self, kept: KeptReturning, conn: Connection, statement: Any, rows: Rows, values: Any
    ) -> Result[Any] | None:
        known = self._loader
        loader = known and known.of(statement, lambda: loading_on(conn, None))
        if loader is None:
            return None
        _, sent = kept.values(conn, statement, rows, values, self._options)
        return to_loaded_result(loader, send(conn, kept, sent))


def send(conn: Connection, kept: KeptReturning, values: Sequence[Any]) -> Sequence[Any]:
    """Send an INSERT with the values of some rows, and give the rows that it returns."""
    fetch = backend_of(conn.dialect).fetch
    found: list[Any] = []
    direct.begin(conn)
    for sql, arguments in kept.batches(values):
        try:
            rows = fetch(conn, sql, arguments)
        except BaseException as error:  # noqa: BLE001 - it comes out again
            raise_for_batch(conn, error, sql, arguments)
        found += kept.in_order(rows)
    return found


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


def remember(conn: Connection, asked: Asked, result: Any) -> None:
    """Keep the direct way of a statement of the caller's, if it has one.

    :param result: of the statement that was sent for it, whose rows have been loaded.
    """
    statement, rows, sent = asked
    if len(rows) < 2 or not isinstance(statement, WRITES) or not is_unobserved(conn, statement):
        return
    found, names = direct.known(conn, statement), direct.names_of(rows[0])
    if found is None or not names:
        return
    cache, key, values = found
    if cache.get((_Way, conn.dialect, key, names)) is None:
        way = _Way.of(result, names, sent) if has_statement_values(result, values) else None
        # False: it has none, and need not be looked at again
        cache[_Way, conn.dialect, key, names] = way or False
