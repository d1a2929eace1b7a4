"""The direct way of an INSERT of many objects of one class, which gives them back.

As in :mod:`naked_sqla.write.direct`, nothing of the statement is looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

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

__all__ = ("remember_many", "write_many")


class _Way:
    """The way of one INSERT: how its rows are sent, put in order and loaded."""

    __slots__ = ("_kept", "_loader", "_metadata", "_processors")

    def __init__(self, kept: KeptReturning, loader: KnownLoader, result: CursorResult[Any]) -> None:
        self._kept = kept
        self._loader = loader
        self._metadata = results.metadata_of(result)
        self._processors = results.processors_of(self._metadata, results.sentinels_of(result))

    @classmethod
    def of(cls, result: CursorResult[Any], names: Sequence[str], own: bool) -> _Way | None:
        """The way of the statement of a result, whose rows have been loaded.

        :param own: it is always the same statement.
        """
        kept = KeptReturning.of_list(result, frozenset(names), own)
        loader = known_loader(result)
        return None if kept is None or loader is None else cls(kept, loader, result)

    def objects(
        self, conn: Connection, statement: Any, rows: Rows, values: Any, table: Any, order: Any
    ) -> list[Any] | None:
        """Send the statement in hand, and load what it returns."""
        loader = self._loader.of(statement, lambda: loading_on(conn, None))
        if loader is None or loader.multiplied or not loader.scalar:
            return None
        kept, options = self._kept, statements.orm_options(None)
        bound, sent = kept.values(conn, statement, rows, values, options)
        found = send(conn, kept, sent)
        if table is None:
            return loader.load(found)
        returned = Returned(found, self._metadata, self._processors, bound, (kept.keys, sent))
        return loader.load(in_order(conn, table, order, returned))


class _Found(NamedTuple):
    """Where the way of some rows is kept.

    :ivar values: in the statement.
    :ivar own: SQLAlchemy compiles the statement each time.
    """

    cache: Any
    key: Any
    values: Sequence[Any]
    order: Order | None
    own: bool


def _find(conn: Connection, form: RowStatement, table: Any, rows: Rows) -> _Found | None:
    if len(rows) < 2 or not is_unobserved(conn, form.statement):
        return None
    cache, names = direct.cache_of(conn), direct.names_of(rows[0])
    if cache is None or not names:
        return None
    known = direct.known(conn, form.statement)
    order = None if table is None else order_of(conn, table, rows)
    key = form, conn.dialect, names, order
    return _Found(cache, key, () if known is None else known[2], order, known is None)


def write_many(
    conn: Connection, form: RowStatement, rows: Rows, table: Any = None
) -> list[Any] | None:
    """Write rows with plain values and the same keys the direct way, and load what was stored.

    :param form: the statement, kept for its class.
    :param table: what they are inserted into, to have them in their order; None: in any.
    :return: None where they have to go SQLAlchemy's way: nothing was sent.
    """
    found = _find(conn, form, table, rows)
    if found is None or not backend_of(conn.dialect).can_fetch(conn):
        return None
    way: _Way | None = found.cache.get(found.key)
    if not way:
        return None
    return way.objects(conn, form.statement, rows, found.values, table, found.order)


def remember_many(
    conn: Connection,
    form: RowStatement,
    rows: Rows,
    result: CursorResult[Any],
    table: Any = None,
) -> None:
    """Keep the direct way of rows with the same keys, if they have one.

    :param result: of the statement that was sent for them, whose rows have been loaded.
    """
    found = _find(conn, form, table, rows)
    if found is None or found.cache.get(found.key) is not None:
        return
    known = has_statement_values(result, found.values)
    way = _Way.of(result, list(rows[0]), found.own) if known else None
    # False: they have none, and need not be looked at again
    found.cache[found.key] = way or False
