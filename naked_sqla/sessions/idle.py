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


def discard_torn(conn: Connection, error: BaseException) -> BaseException:
    """Give a connection up whose driver is in the middle of an exchange; gives the error to raise.

    SQLAlchemy gives it up for a cancellation or Ctrl-C, and for no error that the driver has made
    of one, as psycopg's pipeline does, nor for one of the driver's own disorder.
    """
    if conn.closed or conn.invalidated:
        return error
    told = backend_of(conn.dialect).torn(conn, error)
    if told is None:
        return error
    conn.invalidate(error)
    return told


def raise_instead(error: BaseException, told: BaseException) -> None:
    """Raise the error to tell, unless it is the one that is raised already."""
    if told is not error:
        raise told from error
