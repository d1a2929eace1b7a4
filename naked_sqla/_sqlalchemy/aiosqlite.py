"""SQLAlchemy's adapters of aiosqlite, with one job of the driver's thread for each statement.

The adapter that an engine makes takes four jobs: a cursor, the statement, its rows, the end of the
cursor.  Each is a way into the driver's thread and back through the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from sqlalchemy.dialects.sqlite import aiosqlite as _adapters

from naked_sqla._sqlalchemy.greenlets import await_only

__all__ = ("can_fetch", "fetch", "one_job_per_statement")

_Adapter: Any = _adapters.AsyncAdapt_aiosqlite_connection
_Cursor: Any = _adapters.AsyncAdapt_aiosqlite_cursor

# 2.0 has no mutex; and where a statement returns rows, it has neither rowcount nor lastrowid.
_IS_2_0 = not hasattr(_Adapter, "_execute_mutex")


def one_job_per_statement(conn: Any) -> None:
    """Let a connection run each statement in one job, until it goes back to its pool.

    The pool keeps its own adapter, and the driver's connection stays as it is.
    """
    fairy = conn.connection
    adapter = fairy.dbapi_connection
    if type(adapter) is _Adapter and _is_plain(adapter):
        fairy.dbapi_connection = _OneJobAdapter(adapter)


def _is_plain(adapter: Any) -> bool:
    """False for a driver's connection of somebody's own, which may do something else."""
    return type(adapter._connection) is adapter.dbapi.aiosqlite.Connection


def can_fetch(conn: Any) -> bool:
    """False for a dialect, an adapter or a driver's connection of somebody's own."""
    adapter = conn._dbapi_connection.dbapi_connection
    return (
        type(conn.dialect) is _adapters.SQLiteDialect_aiosqlite
        and (type(adapter) is _OneJobAdapter or type(adapter) is _Adapter)
        and _is_plain(adapter)
    )


async def fetch(
    conn: Any, sql: str, arguments: tuple[Any, ...]
) -> tuple[Sequence[Any], int | None]:
    """All rows of a statement and its ``lastrowid``, in one job; the errors are the adapter's."""
    adapter = conn._dbapi_connection.dbapi_connection
    try:
        job = await _run(adapter, _Job(adapter, sql, arguments, many=False))
    except Exception as error:
        adapter._handle_exception(error)
        raise
    rows: Sequence[Any] = job.rows
    job.rows = ()
    return rows, -1 if _IS_2_0 else job.lastrowid


class _Job:
    """One statement for the driver's thread: a cursor, the statement, its rows.

    The thread holds on to the last thing that it did: this is emptied once it is done.
    """

    __slots__ = (
        "description",
        "ended",
        "failed",
        "lastrowid",
        "many",
        "parameters",
        "raw",
        "rowcount",
        "rows",
        "sql",
    )

    def __init__(self, adapter: Any, sql: str, parameters: Any, many: bool) -> None:
        # raises for a connection that is closed, as the driver's cursor does
        self.raw = adapter._connection._conn
        self.sql = sql
        self.parameters = parameters
        self.many = many
        self.rows: Any = ()
        self.ended = self.failed = False

    def __call__(self) -> None:
        try:
            self._run()
        except BaseException:
            self.failed = True
            raise
        finally:
            self.ended = True

    def _run(self) -> None:
        parameters, self.parameters = self.parameters, None
        cursor = self.raw.cursor()
        try:
            (cursor.executemany if self.many else cursor.execute)(self.sql, parameters)
            self.description = cursor.description
            if self.description and not self.many:
                self.rows = cursor.fetchall()
            self.lastrowid = cursor.lastrowid
            self.rowcount = cursor.rowcount
        finally:
            cursor.close()

    def __repr__(self) -> str:
        return f"<one job: {self.sql}>"


async def _run(adapter: Any, job: _Job) -> _Job:
    """Have the driver's thread do a job, after what the adapter has it do already."""
    if isinstance(adapter, _OneJobAdapter):
        adapter.job = job
    if _IS_2_0:
        return await _done(adapter._connection, job)
    async with adapter._execute_mutex:
        return await _done(adapter._connection, job)


async def _done(raw: Any, job: _Job) -> _Job:
    if not getattr(raw, "_running", True):
        # as the driver says it; its thread would never come to the job
        raise ValueError("Connection closed")
    future = asyncio.get_running_loop().create_future()
    # SQLAlchemy's adapter gives its own jobs to the thread in this way
    raw._tx.put_nowait((future, job))
    await future
    return job


class _OneJobCursor(_Cursor):  # type: ignore[misc]
    """Has its rows when its statement has run; there is nothing to be closed."""

    # 2.1 asks the driver's cursor, which is gone by then
    arraysize: Any = 1
    description: Any = None
    lastrowid: Any = None
    rowcount: Any = -1

    def __init__(self, adapter: Any) -> None:
        self._adapt_connection = adapter
        self._connection = adapter._connection
        self._rows: Any = deque()

    def execute(self, operation: Any, parameters: Any = None) -> None:
        self._run(operation, () if parameters is None else parameters, many=False)

    def executemany(self, operation: Any, seq_of_parameters: Any) -> None:
        self._run(operation, seq_of_parameters, many=True)

    def _run(self, sql: str, parameters: Any, many: bool) -> None:
        adapter = self._adapt_connection
        try:
            job = await_only(_run(adapter, _Job(adapter, sql, parameters, many)))
        except Exception as error:
            adapter._handle_exception(error)
            raise
        rows, job.rows = job.rows, ()
        self._rows = deque(rows)
        self.description = None if many else job.description
        self.lastrowid, self.rowcount = job.lastrowid, job.rowcount
        if _IS_2_0 and self.description:
            self.lastrowid = self.rowcount = -1

    def close(self) -> None:
        self._rows.clear()

    async def _async_soft_close(self) -> None:
        return


class _OneJobAdapter(_Adapter):  # type: ignore[misc]
    """The adapter of one checkout: on the connection of the pool's own."""

    def __init__(self, adapter: Any) -> None:
        self.dbapi = adapter.dbapi
        self._connection = adapter._connection
        if not _IS_2_0:
            self._execute_mutex = adapter._execute_mutex
        self.job: _Job | None = None
        self._runs_others = False

    def cursor(self, server_side: bool = False) -> Any:
        if server_side:
            self._runs_others = True
            return super().cursor(server_side=True)
        return _OneJobCursor(self)

    def commit(self) -> None:
        if not self._has_nothing_to_end():
            self.job = None
            super().commit()

    def rollback(self) -> None:
        if not self._has_nothing_to_end():
            self.job = None
            super().rollback()

    def _has_nothing_to_end(self) -> bool:
        """True while no transaction is open, and nothing that may open one is under way.

        After a failure the thread holds the error, and with it all its frames: it is told once
        more to do something.
        """
        job, raw = self.job, self._connection
        if self._runs_others or (job is not None and (job.failed or not job.ended)):
            return False
        return raw._connection is not None and raw._tx.empty() and not raw.in_transaction
