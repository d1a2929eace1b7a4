"""psycopg, and SQLAlchemy's adapter of its asynchronous face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.dialects.postgresql import psycopg as _psycopg

from naked_sqla._sqlalchemy.connections import at_return

__all__ = ("begin_by_hand", "can_fetch", "fetch", "fetch_async")

# libpq's PQTRANS_IDLE
_IDLE = 0

_Adapter: Any = _psycopg.AsyncAdapt_psycopg_connection
_Dialect: Any = _psycopg.PGDialect_psycopg
_AsyncDialect: Any = _psycopg.PGDialectAsync_psycopg


def can_fetch(conn: Any) -> bool:
    """False for a dialect, an adapter or a connection of somebody's own, which may differ."""
    adapter, dialect = conn._dbapi_connection.dbapi_connection, type(conn.dialect)
    if dialect is _Dialect:
        return type(adapter) is conn.dialect.loaded_dbapi.Connection
    return type(adapter) is _Adapter and dialect is _AsyncDialect


# psycopg waits for the answer to its own BEGIN, in a pipeline too; what is sent by hand it has to
# take for a statement in autocommit, and which BEGIN it would send is in no public attribute.
@contextmanager
def begin_by_hand(raw: Any) -> Iterator[bytes | None]:
    """Give the BEGIN that is to be sent by hand within; ``None`` where psycopg sends none."""
    begin = getattr(raw, "_get_tx_start_command", None)
    if begin is None or raw.autocommit or raw.pgconn.transaction_status != _IDLE:
        yield None
        return
    vars(raw).update(_autocommit=True)
    try:
        yield begin()
    finally:
        vars(raw).update(_autocommit=False)


def fetch(conn: Any, sql: str, arguments: Mapping[str, Any], alone: bool) -> list[Any]:
    """All rows of a statement on the synchronous face."""
    raw = conn._dbapi_connection.dbapi_connection
    to_set_back = alone and not raw.autocommit
    if to_set_back:
        raw.autocommit = True
    try:
        with raw.cursor() as cursor:
            rows: list[Any] = cursor.execute(sql, arguments).fetchall()
    except BaseException:
        if to_set_back:
            _set_back_at_return(conn)
        raise
    if to_set_back:
        raw.autocommit = False
    return rows


async def fetch_async(conn: Any, sql: str, arguments: Mapping[str, Any], alone: bool) -> list[Any]:
    """All rows of a statement, as the adapter's cursor fetches them."""
    raw = conn._dbapi_connection.dbapi_connection._connection
    to_set_back = alone and not raw.autocommit
    if to_set_back:
        await raw.set_autocommit(True)
    cursor: Any = raw.cursor()
    try:
        await cursor.execute(sql, arguments)
        rows: list[Any] = await cursor.fetchall()
    except BaseException:
        if to_set_back:
            _set_back_at_return(conn)
        raise
    finally:
        # as the adapter closes it: nothing is awaited
        cursor._close()
    if to_set_back:
        await raw.set_autocommit(False)
    return rows


def _set_back_at_return(conn: Any) -> None:
    """After a failure, which may have ended the connection: it goes, if it can't be set back."""
    at_return(conn, lambda adapter: adapter.set_autocommit(False))
