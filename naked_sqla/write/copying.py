"""PostgreSQL's COPY: rows from any iterable, at the speed of the driver, in the transaction.

Values go through the bind processors of their columns, as those of an INSERT do.  Rows are read one
by one and sent as they come, so that memory stays the same however many there are.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from naked_sqla._sqlalchemy import dml, greenlets
from naked_sqla.backends import backend_of, own
from naked_sqla.exception import BaseNakedSQLAException, InvalidStatement
from naked_sqla.hiding import shown
from naked_sqla.write.copyrows import Records
from naked_sqla.write.values import written_class

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("copy_in",)


def copy_in(
    conn: Connection,
    model: Any,
    rows: Iterable[Any] | AsyncIterable[Any],
    *,
    columns: Iterable[Any] | None = None,
) -> int:
    """Store rows with COPY, inside the transaction of the connection.

    :param rows: dictionaries, objects as ``insert_all()`` takes them, or tuples in the order of
        ``columns``; from any iterable, or in an async session from an async one.
    :param columns: the attributes that are stored; left out: those of the first row, or for tuples
        all columns of the table.  A column that is not among them gets its default.
    :return: the number of rows.
    :raises InvalidStatement: the driver has no COPY, the class has several tables, a row lacks a
        column, or a column needs an SQL expression, which COPY can't evaluate.
    :raises UnknownAttribute: for a name that the class does not have.

    :raises StatementError: a value can't be stored: the driver's error, as an INSERT raises it.

    An error of ``rows`` itself is raised unchanged.  After any error nothing of the call is stored.
    """
    written = written_class(model)
    backend = backend_of(conn.dialect)
    if not backend.has_copy:
        raise InvalidStatement(
            f"copy_in() is PostgreSQL's COPY, through asyncpg or psycopg; this connection is "
            f"{backend}. Use insert_all()."
        )
    written.only_part(f"copy_in({written.name})", "COPY writes", "Use insert_all().")
    records = Records(conn, written, columns)
    watched = _Watched()
    try:
        return _copied(conn, records, rows, watched)
    except (BaseNakedSQLAException, SQLAlchemyError):
        raise
    except Exception as error:
        if error is not watched.failure:
            # here, since it may have to close the connection, which waits for the driver
            dml.raise_from_driver(conn, error, records.sql())
        raise


class _Watched:
    """Remembers an error of the caller's own iterable, which is raised unchanged.

    :ivar failure: the error.
    """

    def __init__(self) -> None:
        self.failure: Exception | None = None

    def rows(self, rows: Iterable[Any]) -> Iterator[Any]:
        """The rows of an iterable."""
        try:
            yield from rows
        except Exception as error:
            self.failure = error
            raise

    async def arows(self, rows: AsyncIterable[Any]) -> AsyncIterator[Any]:
        """The rows of an async iterable."""
        try:
            async for row in rows:
                yield row
        except Exception as error:
            self.failure = error
            raise


def _copied(conn: Connection, records: Records, rows: Any, watched: _Watched) -> int:
    dialect = conn.dialect
    if isinstance(rows, AsyncIterable):
        if not dialect.is_async:
            raise InvalidStatement(
                "copy_in() was given an async iterable in a synchronous session. Pass a plain "
                "iterable, or use an AsyncSession."
            )
        return int(greenlets.await_only(_copy_async(conn, records, watched.arows(rows))))
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise InvalidStatement(
            f"copy_in() takes an iterable of rows, got {shown(rows)}. Pass a list."
        )
    waiting = watched.rows(rows)
    for first in waiting:
        records.begin(first)
        # asyncpg's adapter begins the transaction with a first statement, and does not see COPY
        own.send(conn, "SELECT 1")
        converted = records.convert_all(chain((first,), waiting))
        return backend_of(conn.dialect).copy(conn, records, converted)
    return 0


async def _copy_async(conn: Connection, records: Records, waiting: AsyncIterator[Any]) -> int:
    """COPY from an async iterable: both run in the event loop."""
    try:
        first = await anext(waiting)
    except StopAsyncIteration:
        return 0
    records.begin(first)
    await greenlets.greenlet_spawn(own.send, conn, "SELECT 1")

    async def converted() -> AsyncIterator[Any]:
        yield records.convert(first)
        async for row in waiting:
            yield records.convert(row)

    return await backend_of(conn.dialect).copy_async(conn, records, converted())
