"""A session on an asynchronous engine: one transaction, plain objects, nothing tracked."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, overload

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import await_only

from naked_sqla.read.statement import stream
from naked_sqla.sessions import checks
from naked_sqla.sessions._async.calls import AsyncCalls
from naked_sqla.sessions._async.documents import AsyncClassStreams
from naked_sqla.sessions._async.greenlet import run_in_greenlet
from naked_sqla.sessions._async.hooks import AsyncCommitHooks, AsyncHooks
from naked_sqla.sessions._async.pages import AsyncPages
from naked_sqla.sessions._async.savepoint import AsyncSavepoint
from naked_sqla.sessions._async.whole import run_whole
from naked_sqla.sessions._async.writes import AsyncWrites
from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.calls.statement import StatementCall
from naked_sqla.sessions.connection_queue import queue_of
from naked_sqla.sessions.guard import TaskGuard
from naked_sqla.sessions.misuse import NotCallable
from naked_sqla.sessions.outcome import OutcomeOfSession
from naked_sqla.sessions.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy import Executable
    from sqlalchemy.ext.asyncio import AsyncResult, AsyncScalarResult
    from sqlalchemy.sql.selectable import TypedReturnsRows

    from naked_sqla.sessions._async.stream import AsyncStreaming
    from naked_sqla.sessions.types import Options, Parameters, T, Ts, TupleRows


class AsyncSession(
    AsyncCalls,
    AsyncPages,
    AsyncWrites,
    AsyncClassStreams,
    AsyncCommitHooks,
    OutcomeOfSession,
    NotCallable,
):
    """One transaction on one connection. Its statements return plain objects.

    Get a session from :meth:`AsyncSessionFactory.begin`. A session that you make yourself joins the
    transaction of its connection, or begins one with its first statement. ``commit()`` and
    ``rollback()`` end that transaction. You close the connection yourself.

    :param conn: an open connection that is not in AUTOCOMMIT mode.
    :raises TypeError: ``conn`` is not an ``AsyncConnection``.
    :raises InvalidSessionState: ``conn`` is not open, or is in AUTOCOMMIT mode.
    """

    _CALLED = ("session", "`await session.scalars(statement)`: it is open already")

    __slots__ = (
        "__weakref__",
        "_conn",  # ASYNC
        "_engine",
        "_guard",
        "_hooks",
        "_patient",  # ASYNC
        "_transaction",
    )

    _conn: AsyncConnection | None  # ASYNC
    _hooks: AsyncHooks | None

    def __init__(self, conn: AsyncConnection) -> None:
        checks.session_connection(type(self), conn, AsyncConnection)
        checks.open_connection(conn.sync_connection)
        self._fill(conn.engine, Transaction(conn.sync_connection))
        self._conn = conn  # ASYNC
        self._patient = queue_of(conn.sync_engine.pool) is not None  # ASYNC

    def _fill(self, engine: AsyncEngine, transaction: Transaction) -> None:
        self._engine = engine
        self._transaction = transaction
        self._guard, self._secrets, self._hooks = TaskGuard(), (), None
        self._conn, self._patient = None, False  # ASYNC

    @classmethod
    def _begun(cls, engine: AsyncEngine, transaction: Transaction) -> AsyncSession:
        session = cls.__new__(cls)
        session._fill(engine, transaction)
        return session

    @property
    def conn(self) -> AsyncConnection:
        """The connection, for methods that a session does not have.

        On asyncpg, :meth:`commit` does not know of a statement that fails on this connection, or in
        ``conn.run_sync()``.
        """
        if True:  # ASYNC
            if self._conn is None:
                self._conn = AsyncConnection(self._engine, self._transaction.conn)
            return self._conn
        else:
            return self._transaction.conn

    @overload
    def stream(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> AsyncStreaming[AsyncResult[tuple[T, *Ts]]]: ...

    @overload
    def stream(
        self,
        statement: TypedReturnsRows[*tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> AsyncStreaming[AsyncResult[*tuple[T, *Ts]]]: ...

    @overload
    def stream(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> AsyncStreaming[AsyncResult[*tuple[Any, ...]]]: ...

    def stream(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> AsyncStreaming[AsyncResult[*tuple[Any, ...]]]:
        """Run a statement with a server-side cursor, and read its rows chunk by chunk.

        Write ``async with session.stream(...) as result:``, which closes the result at the end of
        the block, or ``result = await session.stream(...)``. The session closes a result that is
        still open.

        :param execution_options: ``yield_per`` is the number of rows in a chunk.
        :raises InvalidSessionState: the session is closed; also when you read the result.
        :raises ConcurrentSessionUse: another task is inside the session; also when you read the
            result.
        :raises InvalidRequestError: a joined collection, which chunks would split.

        And the errors of :meth:`execute`.
        """
        if execution_options is not None:
            checks.stream_options(execution_options)
        call = StatementCall("stream", statement, parameters, execution_options, function=stream)
        streaming: AsyncStreaming[AsyncResult[*tuple[Any, ...]]] = self._streaming(
            self._stream, call
        )
        return streaming

    @overload
    def stream_scalars(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> AsyncStreaming[AsyncScalarResult[T]]: ...

    @overload
    def stream_scalars(
        self,
        statement: TypedReturnsRows[*tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> AsyncStreaming[AsyncScalarResult[T]]: ...

    @overload
    def stream_scalars(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> AsyncStreaming[AsyncScalarResult[Any]]: ...

    def stream_scalars(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> AsyncStreaming[AsyncScalarResult[Any]]:
        """Stream the first item of each row; arguments, use and errors as in :meth:`stream`."""
        if execution_options is not None:
            checks.stream_options(execution_options)
        options = execution_options
        call = StatementCall("stream_scalars", statement, parameters, options, function=stream)
        streaming: AsyncStreaming[AsyncScalarResult[Any]] = self._streaming(
            self._stream_scalars, call
        )
        return streaming

    def begin_nested(self) -> AsyncSavepoint:
        """Return a savepoint, as a block: ``async with session.begin_nested():``.

        If the block ends without an error, its changes are kept. An exception rolls back to the
        savepoint and leaves the block. After that, you can continue with the session.

        :raises InvalidSessionState: the session is closed, or you enter the block a second time.
        :raises ConcurrentSessionUse: another task is inside the session.
        :raises TransactionRolledBack: at the end of the block: the database had rolled back its
            changes.
        """
        return AsyncSavepoint(self)

    def in_transaction(self) -> bool:
        """Return True while there is a transaction to commit; False on a closed session."""
        return self._transaction.in_transaction()

    def get_bind(self, mapper: Any = None, clause: Any = None) -> AsyncEngine:
        """Return the engine to which the statements for a model, a table or a column go.

        :param mapper: a mapped class or its mapper; without it and ``clause``, the default.
        :raises InvalidBind: on a factory with ``binds``: for a subject in two databases, or with
            an unknown bind key.
        """
        return self._engine

    async def connection(self, bind_key: str | None = None) -> AsyncConnection:
        """Return the connection, to use SQLAlchemy Core in the same transaction.

        On asyncpg, :meth:`commit` does not know of a statement that fails on this connection.

        :param bind_key: the database, on a factory with ``binds``.
        :raises InvalidSessionState: the session is closed.
        :raises InvalidBind: the bind key is not configured.
        """
        self._transaction.check_open("connection")
        if bind_key is not None:
            checks.no_such_bind(bind_key)
        return self.conn

    async def commit(self) -> None:
        """Commit the transaction, and close the session in every case.

        :raises InvalidSessionState: the session is closed.
        :raises ConcurrentSessionUse: another task is inside the session.
        :raises TransactionRolledBack: the database had rolled back the transaction.
        :raises CommitOutcomeUnknown: COMMIT was sent, and no answer came.
        """
        if self._hooks is not None and not self._hooks.ending:
            await self._hooks.commit(self)
            return
        self._enter("commit")
        await self._end(self._transaction.commit)

    async def rollback(self) -> None:
        """Roll back the transaction, and close the session in every case.

        :raises InvalidSessionState: the session is closed.
        :raises ConcurrentSessionUse: another task is inside the session.
        """
        self._enter("rollback")
        await self._end(self._transaction.rollback)

    def _call(self, call: Call) -> Coroutine[Any, Any, Any]:
        self._enter(call.name)
        if True:  # ASYNC
            transaction = self._transaction
            ran: Any = run_in_greenlet(
                self._guard.leave, transaction.stopper, transaction.call, call
            )
            found: Coroutine[Any, Any, Any] = ran
            return found
        else:
            try:
                return self._transaction.call(call)
            finally:
                self._guard.leave()

    async def _end(self, how: Callable[[], None]) -> None:
        if True:  # ASYNC
            self._transaction.open = False
            push = self._transaction.may_be_torn
            await run_whole(self._guard.leave, how, patient=self._patient, push=push)
        else:
            try:
                how()
            finally:
                self._guard.leave()

    def _streaming(
        self, read: Callable[[Call], Coroutine[Any, Any, Any]], call: Call
    ) -> AsyncStreaming[Any]:
        if True:  # ASYNC
            from naked_sqla.sessions._async.stream import AsyncStreaming

            return AsyncStreaming(self, lambda: read(call))
        else:
            return read(call)

    async def _stream(self, call: Call) -> Any:
        from naked_sqla.sessions.calls.opening import OpeningCall

        result = await self._call(OpeningCall(call))
        if True:  # ASYNC
            from naked_sqla.sessions._async.stream import async_stream_of

            return async_stream_of(self, result)
        else:
            from naked_sqla.sessions.stream import stream_of

            return stream_of(self, result)

    async def _stream_scalars(self, call: Call) -> Any:
        return (await self._stream(call)).scalars()

    def _run_inside(self, what: str, fn: Callable[..., Any], *args: Any) -> Any:
        """Run a function that reads a stream."""
        self._enter(what)
        if True:  # ASYNC
            # It is called from within a greenlet of SQLAlchemy's.
            transaction = self._transaction
            return await_only(
                run_in_greenlet(
                    self._guard.leave, transaction.stopper, transaction.watched, fn, *args
                )
            )
        else:
            try:
                return self._transaction.watched(fn, *args)
            finally:
                self._guard.leave()

    def _enter(self, what: str) -> None:
        self._guard.enter()
        if not self._transaction.open:
            self._guard.leave()
            self._transaction.check_open(what)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state}>"

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            checks.no_such_attribute(self, name)
