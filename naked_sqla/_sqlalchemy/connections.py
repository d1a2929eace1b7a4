"""Connections, their pools, and SAVEPOINTs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import elements as _elements

from naked_sqla._sqlalchemy import greenlets

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SAVEPOINTS = (
    _elements.SavepointClause,
    _elements.RollbackToSavepointClause,
    _elements.ReleaseSavepointClause,
)


def engine_isolation_level(dialect: Any) -> Any:
    """The ``isolation_level`` of ``create_engine()``; SQLAlchemy has no public reader."""
    return getattr(dialect, "_on_connect_isolation_level", None)


def most_of(pool: Any) -> int | None:
    """The most connections that a pool opens at a time; None for as many as are asked for.

    SQLAlchemy has no public reader for ``max_overflow``.
    """
    extra = getattr(pool, "_max_overflow", -1)
    return None if extra < 0 else int(pool.size()) + int(extra)


# What ``connection.driver_connection`` asks three others for.
def of_the_driver(conn: Any) -> Any:
    """The driver's own connection of a Connection that is open."""
    fairy = conn._dbapi_connection or conn.connection
    return conn.dialect.get_driver_connection(fairy.dbapi_connection)


class WayBack:
    """The way of a connection back to its pool, which a cancellation may tear.

    What comes out of ``Connection.close()`` then leaves the pool's record checked out for good.

    :param last: called with the pool's record when all else is set back.
    """

    __slots__ = ("_last", "_pool", "_record", "_ref", "_torn")

    def __init__(self, conn: Any, last: Callable[[Any], None]) -> None:
        self._last = last
        self._pool = conn.engine.pool
        self._record = getattr(getattr(conn, "_dbapi_connection", None), "_connection_record", None)
        self._torn = False
        # the record refers to its user: to another one, or to none, after it was returned
        self._ref = getattr(self._record, "fairy_ref", None)
        if self._record is not None:
            # the finalizers run from the right: this one is the last thing before the return
            self._record.finalize_callback.appendleft(self._arrived)

    def _arrived(self, _connection: Any) -> None:
        self._torn = True
        self._last(self._record)
        self._torn = False

    def give_up(self) -> None:
        """Throw the connection away, unless it has arrived, and free its place in the pool."""
        record = self._record
        if record is None:
            return
        # a record whose connection is gone has no finalizers any more, and calls none
        kept = self._ref is not None and record.fairy_ref is self._ref
        if not (kept or self._torn or self._arrived in record.finalize_callback):
            return
        record.finalize_callback.clear()
        if record.dbapi_connection is not None:
            record.invalidate()
        if record.fairy_ref is not None:
            record.checkin()
        else:
            self._pool._return_conn(record)


# A ping that fails closes the connection first; torn there, the pool's own code leaves the record
# checked out until the garbage collector comes, and only a local variable of it refers to that.
def check_out(take: Callable[[], Any]) -> Any:
    """Check a connection out; a checkout that is torn gives its place in the pool back.

    :param take: a method of an engine, which takes one from the pool.
    """
    try:
        return take()
    except BaseException as error:
        at = error.__traceback__
        while at is not None:
            if at.tb_frame.f_code.co_name == "_checkout":
                fairy = at.tb_frame.f_locals.get("fairy")
                record = getattr(fairy, "_connection_record", None)
                if record is not None and record.fairy_ref and record.fairy_ref() is fairy:
                    record._checkin_failed(error)
            at = at.tb_next
        raise


def prepares_in_transactions_only(conn: Any) -> bool:
    """True for an asyncpg connection without prepared statements that are kept.

    They are switched off for a pooler such as pgbouncer, which may send PREPARE and the statement
    to two servers, unless a transaction is open.
    """
    return getattr(conn.connection.dbapi_connection, "_prepared_statement_cache", True) is None


def at_return(conn: Any, reset: Callable[[Any], None]) -> None:
    """Reset a pooled connection when it returns to its pool.

    If this fails, the connection is thrown away.  SQLAlchemy resets the isolation level in the same
    place.
    """
    record = conn._dbapi_connection._connection_record

    def back(raw: Any) -> None:
        try:
            reset(raw)
        except Exception:  # noqa: BLE001
            # no other session may get it
            record.invalidate()

    record.finalize_callback.append(back)


# The connections of a pool, and its next one, are in no public attribute.
def next_is_ready(pool: Any) -> bool:
    """True when a checkout will hand out an open connection.

    A record in the pool may have lost its connection, or have one that is due to be renewed.
    """
    queue = pool._pool
    records = getattr(queue, "_queue", queue)
    records = getattr(records, "_queue", records)
    try:
        record = records[-1 if queue.use_lifo else 0]
    except (IndexError, TypeError):
        return False
    if record._is_hard_or_soft_invalidated():
        return False
    return bool(pool._recycle < 0 or time.time() - record.starttime <= pool._recycle)


# A pool makes a connection with what create_engine() gave it, the listeners of do_connect included.
def open_outside(engine: Any) -> Any:
    """Open a connection that is in no pool; gives the driver's."""
    return engine.dialect.get_driver_connection(engine.pool._invoke_creator(None))


def run_outside(engine: Any, sql: str, autocommit: bool = False) -> list[Any]:
    """Run a statement on a connection of its own, which is in no pool; gives its rows.

    :param autocommit: for one that can't run in a transaction.
    """
    adapter = engine.pool._invoke_creator(None)
    try:
        if autocommit:
            engine.dialect.set_isolation_level(adapter, "AUTOCOMMIT")
        cursor = adapter.cursor()
        cursor.execute(sql)
        rows = list(cursor.fetchall()) if cursor.description else []
        cursor.close()
        adapter.commit()
    except BaseException:
        # one that does not answer would not answer to a farewell either
        engine.dialect.do_terminate(adapter)
        raise
    adapter.close()
    return rows


def select_one(dialect: Any) -> str:
    """The smallest SELECT of a database."""
    sql: str = dialect._dialect_specific_select_one
    return sql


# How many wait for a connection is in no public attribute: of asyncio's queue, or of a condition.
def waiting(pool: Any) -> int:
    """How many tasks or threads wait for a connection of a pool."""
    queue = getattr(pool, "_pool", None)
    getters: Any = getattr(getattr(queue, "_queue", None), "_getters", None)
    if getters is None:
        getters = getattr(getattr(queue, "not_empty", None), "_waiters", ())
    return sum(not getattr(one, "done", bool)() for one in getters)


def checked_out(pool: Any) -> int:
    """How many connections of a pool are in use; 0 for a pool that does not count them."""
    count = getattr(pool, "checkedout", None)
    return 0 if count is None else count()


# asyncpg asks the server by itself when a task is cancelled, but only once.
async def ask_to_cancel(raw: Any) -> None:
    """Send the server of an asyncpg connection a request to cancel what it does."""
    ask = getattr(raw, "_cancel_current_command", None)
    if ask is not None:
        sent = asyncio.get_running_loop().create_future()
        ask(sent)
        await sent


def pool_is_exhausted(pool: Any) -> bool:
    """True when a checkout would wait for a connection to come back rather than make one."""
    limit: int = getattr(pool, "_max_overflow", -1)
    return limit > -1 and pool.checkedin() == 0 and pool.overflow() >= limit


@contextmanager
def options_meanwhile(conn: Connection, options: Mapping[str, Any]) -> Iterator[None]:
    """Have all statements of a connection run with execution options, and then as before.

    ``Connection.execution_options()`` only adds some, and takes none away.
    """
    before = conn._execution_options
    conn._execution_options = before.union(options)
    try:
        yield
    finally:
        conn._execution_options = before


# A connection's execution options can be added to, but not taken away, in public.
def set_back_options(conn: Any, options: Any) -> None:
    """Give a connection the execution options that it had before."""
    conn._execution_options = options


# The statements that SQLAlchemy makes of savepoints are internal to its dialects.
def is_savepoint(context: Any) -> bool:
    """True for the execution of SAVEPOINT, and of the statements that end one."""
    statement = getattr(getattr(context, "compiled", None), "statement", None)
    return isinstance(statement, _SAVEPOINTS)


def was_sent(error: BaseException) -> bool:
    """True for an error out of the driver's COMMIT, or out of SQLAlchemy's handling of one.

    Listeners for "commit" run before, and nothing but the traceback tells them apart.
    """
    at = error.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_name in _OF_THE_DRIVER:
            return True
        at = at.tb_next
    return False


_OF_THE_DRIVER = ("do_commit", "_handle_dbapi_exception")


@contextmanager
def wrapping_errors(conn: Connection, sql: str) -> Iterator[None]:
    """Wrap what the driver raises as SQLAlchemy does when it runs a statement itself."""
    try:
        yield
    except Exception as error:
        dialect: Any = conn.dialect
        if not isinstance(error, dialect.loaded_dbapi.Error):
            raise
        lost = dialect.is_disconnect(error, conn.connection.dbapi_connection, None)
        if lost:
            conn.invalidate(error)
        raise wrapped(conn, sql, error, lost) from error


def wrapped(conn: Any, sql: str | None, error: Exception, lost: bool) -> DBAPIError:
    """SQLAlchemy's error for one of the driver's.

    :param lost: the connection is.
    """
    told: Any = DBAPIError.instance(
        sql,
        None,
        error,
        conn.dialect.loaded_dbapi.Error,
        hide_parameters=conn.engine.hide_parameters,
        connection_invalidated=lost,
        dialect=conn.dialect,
    )
    return cast("DBAPIError", told)


class _WithMore:
    """An asyncpg connection that sends more with the BEGIN of its next transaction."""

    def __init__(self, raw: Any, sql: str) -> None:
        vars(self).update(raw=raw, sql=sql, made=None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.raw, name, value)

    def transaction(self, **options: Any) -> Any:
        made = self.raw.transaction(**options)
        made._connection = self
        vars(self)["made"] = made
        return made

    async def execute(self, query: str) -> Any:
        return await self.raw.execute(f"{query} {self.sql}")


# SQLAlchemy sends BEGIN by itself, with the first statement, and asyncpg has no way to add to it.
def begin_with(conn: Connection, sql: str) -> None:
    """Begin a transaction on an asyncpg connection, with statements in the same round trip.

    :param sql: one or several, with nothing of a caller in them.
    """
    adapter: Any = conn.connection.dbapi_connection
    raw = adapter._connection
    more = _WithMore(raw, sql)
    adapter._connection = more
    try:
        greenlets.await_only(adapter._start_transaction())
    finally:
        adapter._connection = raw
        if more.made is not None:
            more.made._connection = raw
