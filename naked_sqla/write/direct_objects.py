"""The direct way of an INSERT of many objects of one class, which gives them back in their order.

As in :mod:`naked_sqla.write.direct`, nothing of the statement is looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import direct, results, statements
from naked_sqla._sqlalchemy.direct_returning import KeptReturning
from naked_sqla.backends import backend_of
from naked_sqla.read.fetching import loading_on
from naked_sqla.read.loader import KnownLoader, known_loader
from naked_sqla.write.direct import RowStatement, has_statement_values, is_unobserved
from naked_sqla.write.direct_batches import send
from naked_sqla.write.ordering import Order, Returned, in_order, order_of
from naked_sqla.write.rows import Rows

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import CursorResult

__all__ = ("insert_many", "remember_many")


class _Way:
    """The way of one INSERT: how its rows are sent, put in order and loaded."""

    __slots__ = ("_kept", "_loader", "_metadata", "_processors")

    def __init__(self, kept: KeptReturning, loader: KnownLoader, result: CursorResult[Any]) -> None:
        self._kept = kept
        self._loader = loader
        self._metadata = results.metadata_of(result)
        self._processors = results.processors_of(self._metadata, results.sentinels_of(result))

    @classmethod
    def of(cls, result: CursorResult[Any], names: Sequence[str]) -> _Way | None:
        """The way of the statement of a result, whose rows have been loaded."""
        kept = KeptReturning.of_list(result, frozenset(names))
        loader = known_loader(result)
        return None if kept is None or loader is None else cls(kept, loader, result)

    def objects(
        self, conn: Connection, statement: Any, table: Any, order: Order, rows: Rows, values: Any
    ) -> list[Any] | None:
        """Send the statement in hand, and load what it returns."""
        loader = self._loader.of(statement, lambda: loading_on(conn, None))
        if loader is None or loader.multiplied or not loader.scalar:
            return None
        kept, options = self._kept, statements.orm_options(None)
        bound, sent = kept.values(conn, statement, rows, values, options)
        returned = Returned(
            send(conn, kept, sent), self._metadata, self._processors, bound, (kept.keys, sent)
        )
        return loader.load(in_order(conn, table, order, returned))


def insert_many(conn: Connection, form: RowStatement, table: Any, rows: Rows) -> list[Any] | None:
    """Insert rows with plain values and the same keys the direct way, and load what was stored.

    :param form: the INSERT, without RETURNING.
    :return: None where they have to go SQLAlchemy's way: nothing was sent.
    """
    if len(rows) < 2 or not is_unobserved(conn, form.statement):
        return None
    found, names = direct.known(conn, form.statement), direct.names_of(rows[0])
    if found is None or not names or not backend_of(conn.dialect).can_fetch(conn):
        return None
    cache, _, values = found
    order = order_of(conn, table, rows)
    way: _Way | None = cache.get((form, conn.dialect, names, order))
    return way.objects(conn, form.statement, table, order, rows, values) if way else None


def remember_many(
    conn: Connection, form: RowStatement, table: Any, rows: Rows, result: CursorResult[Any]
) -> None:
    """Keep the direct way of rows with the same keys, if they have one.

    :param result: of the statement that was sent for them, whose rows have been loaded.
    """
    if len(rows) < 2 or not is_unobserved(conn, form.statement):
        return
    found, names = direct.known(conn, form.statement), direct.names_of(rows[0])
    if found is None or not names:
        return
    cache, _, values = found
    key = form, conn.dialect, names, order_of(conn, table, rows)
    if cache.get(key) is None:
        way = _Way.of(result, names) if has_statement_values(result, values) else None
        # False: they have none, and need not be looked at again
        cache[key] = way or False
