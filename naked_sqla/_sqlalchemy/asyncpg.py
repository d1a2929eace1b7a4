"""SQLAlchemy's adapter of asyncpg."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.postgresql import asyncpg as _asyncpg

from naked_sqla._sqlalchemy import connections

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

__all__ = ("can_fetch", "fetch", "lost")

_Adapter: Any = _asyncpg.AsyncAdapt_asyncpg_connection
_Dialect: Any = _asyncpg.PGDialect_asyncpg


def can_fetch(conn: Any) -> bool:
    """False for a dialect or an adapter of somebody's own, which may do something else."""
    adapter = conn._dbapi_connection.dbapi_connection
    return type(adapter) is _Adapter and type(conn.dialect) is _Dialect


async def fetch(conn: Any, sql: str, arguments: Sequence[Any], alone: bool) -> list[Any]:
    """All rows of a statement, as the adapter's cursor fetches them, without what it tells of them.

    It begins a transaction where the next statement has to, prepares a statement again that DDL has
    invalidated, and keeps to the settings for prepared statements.

    :param alone: without a transaction; a pooler such as pgbouncer needs one all the same, see
        :func:`~.connections.prepares_in_transactions_only`.
    """
    adapter = conn._dbapi_connection.dbapi_connection
    alone = alone and adapter._prepared_statement_cache is not None
    async with adapter._execute_mutex:
        if adapter._transaction is None and not alone:
            await adapter._start_transaction()
        try:
            prepared, _ = await adapter._prepare(sql, conn.dialect._invalidate_schema_cache_asof)
            rows: list[Any] = await prepared.fetch(*arguments)
            return rows
        except Exception as error:
            adapter._handle_exception(error)
            raise


def lost(conn: Any, error: BaseException) -> DBAPIError:
    """SQLAlchemy's error of a lost connection, for one of asyncpg's own state.

    SQLAlchemy 2.0 does not wrap these; 2.1 does.
    """
    interface_error = conn.dialect.loaded_dbapi.InterfaceError
    said = f"the connection is closed, since asyncpg lost its place: {error}"
    return connections.wrapped(conn, None, interface_error(said), lost=True)
