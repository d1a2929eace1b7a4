"""The rule for every way back to the pool: a connection that is not idle is thrown away.

The next session would read the answers that are still due, or write in a transaction of others.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import SingletonThreadPool, StaticPool

from naked_sqla._sqlalchemy import connections
from naked_sqla.backends import backend_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla._sqlalchemy.unopened import Unopened

logger = logging.getLogger("naked_sqla")


def give_back(conn: Connection) -> None:
    """Close a connection: it goes back to its pool, or is thrown away and leaves its place free."""
    backend, pool = backend_of(conn.dialect), conn.engine.pool

    def last(record: Any) -> None:
        if backend.is_idle(record.driver_connection):
            return
        if isinstance(pool, StaticPool | SingletonThreadPool):
            # an in-memory database lives in this connection
            record.dbapi_connection.rollback()
        else:
            record.invalidate()

    way = connections.WayBack(conn, last)
    try:
        conn.close()
    except BaseException:
        # torn while it went back: its place in the pool would be taken for good
        way.give_up()
        raise


def gave_back_idle(unopened: Unopened) -> bool:
    """Give back an idle connection that no ``Connection`` was made of; False for any other one."""
    fairy = unopened.fairy
    if fairy is None:
        return not unopened.connected
    if unopened.has_conn or not backend_of(unopened.dialect).is_idle(fairy.driver_connection):
        return False
    try:
        unopened.give_back()
    except Exception:
        logger.warning("a session's connection could not be given back", exc_info=True)
    return True


def discard_torn(conn: Connection, error: BaseException) -> None:
    """Give a connection up whose driver was interrupted in the middle of an exchange.

    SQLAlchemy does so for a cancellation or Ctrl-C, and can't see one that the driver has replaced
    by an error of its own, as psycopg's pipeline does.
    """
    if conn.closed or conn.invalidated:
        return
    if backend_of(conn.dialect).is_torn(conn.connection.driver_connection, error):
        conn.invalidate(error)
