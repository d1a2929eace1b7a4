# Generated from naked_sqla/sessions/_async/session.py by tools/async_to_sync.py: do not edit.
"""A session on a synchronous engine: one transaction, plain objects, nothing tracked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from sqlalchemy import Connection, Engine

from naked_sqla.read.statement import stream
from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.calls import SyncCalls
from naked_sqla.sessions._sync.documents import ClassStreams
from naked_sqla.sessions._sync.hooks import CommitHooks, Hooks
from naked_sqla.sessions._sync.pages import SyncPages
from naked_sqla.sessions._sync.savepoint import Savepoint
from naked_sqla.sessions._sync.writes import SyncWrites
from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.calls.statement import StatementCall
from naked_sqla.sessions.guard import ThreadGuard
from naked_sqla.sessions.misuse import NotCallable
from naked_sqla.sessions.outcome import OutcomeOfSession
from naked_sqla.sessions.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy import Executable, Result, ScalarResult
    from sqlalchemy.sql.selectable import TypedReturnsRows

    from naked_sqla.sessions.types import Options, Parameters, T, Ts, TupleRows


class Session(
    SyncCalls,
    SyncPages,
    SyncWrites,
    ClassStreams,
    CommitHooks,
    OutcomeOfSession,
    NotCallable,
):
    """One transaction on one connection. Its statements return plain objects.

    Get a session from :meth:`SessionFactory.begin`. A session that you make yourself joins the
    transaction of its connection, or begins one with its first statement. ``commit()`` and
    ``rollback()`` end that transaction. You close the connection yourself.

    :param conn: an open connection that is not in AUTOCOMMIT mode.
    :raises TypeError: ``conn`` is not a ``Connection``.
    :raises InvalidSessionState: ``conn`` is not open, or is in AUTOCOMMIT mode.
    """

    _CALLED = ("session", "`session.scalars(statement)`: it is open already")

    __slots__ = (
        "__weakref__",
        "_engine",
        "_guard",
        "_hooks",
        "_transaction",
    )

    _hooks: Hooks | None

    def __init__(self, conn: Connection) -> None:
        checks.session_connection(type(self), conn, Connection)
        checks.open_connection(conn)
        self._fill(conn.engine, Transaction(conn))

    def _fill(self, engine: Engine, transaction: Transaction) -> None:
        self._engine = engine
        self._transaction = transaction
        self._guard, self._secrets, self._hooks = ThreadGuard(), (), None

    @classmethod
    def _begun(cls, engine: Engine, transaction: Transaction) -> Session:
        session = cls.__new__(cls)
        session._fill(engine, transaction)
        return session

    @property
    def conn(self) -> Connection:
        """The connection, for methods that a session does not have."""
        return self._transaction.conn

    @overload
    def stream(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Result[tuple[T, *Ts]]: ...

    @overload
    def stream(
        self,
        statement: TypedReturnsRows[*tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Result[*tuple[T, *Ts]]: ...

    @overload
    def stream(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Result[*tuple[Any, ...]]: ...

    def stream(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Result[*tuple[Any, ...]]:
        """Run a statement with a server-side cursor, and read its rows chunk by chunk.

        Write ``with session.stream(...) as result:``, which closes the result at the end of the
        block, or ``result = session.stream(...)``. The session closes a result that is still open.

        :param execution_options: ``yield_per`` is the number of rows in a chunk.
        :raises InvalidSessionState: the session is closed; also when you read the result.
        :raises ConcurrentSessionUse: another thread is inside the session; also when you read the
            result.
        :raises InvalidRequestError: a joined collection, which chunks would split.

        And the errors of :meth:`execute`.
        """
        if execution_options is not None:
            checks.stream_options(execution_options)
        call = StatementCall("stream", statement, parameters, execution_options, function=stream)
        streaming: Result[*tuple[Any, ...]] = self._streaming(self._stream, call)
        return streaming

    @overload
    def stream_scalars(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> ScalarResult[T]: ...

    @overload
    def stream_scalars(
        self,
        statement: TypedReturnsRows[*tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> ScalarResult[T]: ...

    @overload
    def stream_scalars(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> ScalarResult[Any]: ...

    def stream_scalars(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> ScalarResult[Any]:
        """Stream the first item of each row; arguments, use and errors as in :meth:`stream`."""
        if execution_options is not None:
            checks.stream_options(execution_options)
        options = execution_options
        call = StatementCall("stream_scalars", statement, parameters, options, function=stream)
        streaming: ScalarResult[Any] = self._streaming(self._stream_scalars, call)
        return streaming

    def begin_nested(self) -> Savepoint:
        """Return a savepoint, as a block: ``with session.begin_nested():``.

        If the block ends without an error, its changes are kept. An exception rolls back to the
        savepoint and leaves the block. After that, you can continue with the session.

        :raises InvalidSessionState: the session is closed, or you enter the block a second time.
        :raises ConcurrentSessionUse: another thread is inside the session.
        :raises TransactionRolledBack: at the end of the block: the database had rolled back its
            changes.
        """
        return Savepoint(self)

    def in_transaction(self) -> bool:
        """Return True while there is a transaction to commit; False on a closed session."""
        return self._transaction.in_transaction()

    def get_bind(self, mapper: Any = None, clause: Any = None) -> Engine:
        """Return the engine to which the statements for a model, a table or a column go.

        :param mapper: a mapped class or its mapper; without it and ``clause``, the default.
        :raises InvalidBind: on a factory with ``binds``: for a subject in two databases, or with
            an unknown bind key.
        """
        return self._engine

    def connection(self, bind_key: str | None = None) -> Connection:
        """Return the connection, to use SQLAlchemy Core in the same transaction.

        :param bind_key: the database, on a factory with ``binds``.
        :raises InvalidSessionState: the session is closed.
        :raises InvalidBind: the bind key is not configured.
        """
        self._transaction.check_open("connection")
        if bind_key is not None:
            checks.no_such_bind(bind_key)
        return self.conn

    def commit(self) -> None:
        """Commit the transaction, and close the session in every case.

        :raises InvalidSessionState: the session is closed.
        :raises ConcurrentSessionUse: another thread is inside the session.
        :raises TransactionRolledBack: the database had rolled back the transaction.
        :raises CommitOutcomeUnknown: COMMIT was sent, and no answer came.
        """
        if self._hooks is not None and not self._hooks.ending:
            self._hooks.commit(self)
            return
        self._enter("commit")
        self._end(self._transaction.commit)

    def rollback(self) -> None:
        """Roll back the transaction, and close the session in every case.

        :raises InvalidSessionState: the session is closed.
        :raises ConcurrentSessionUse: another thread is inside the session.
        """
        self._enter("rollback")
        self._end(self._transaction.rollback)

    def _call(self, call: Call) -> Any:
        self._enter(call.name)
        try:
            return self._transaction.call(call)
        finally:
            self._guard.leave()

    def _end(self, how: Callable[[], None]) -> None:
        try:
            how()
        finally:
            self._guard.leave()

    def _streaming(self, read: Callable[[Call], Any], call: Call) -> Any:
        return read(call)

    def _stream(self, call: Call) -> Any:
        from naked_sqla.sessions.calls.opening import OpeningCall

        result = self._call(OpeningCall(call))
        from naked_sqla.sessions.stream import stream_of

        return stream_of(self, result)

    def _stream_scalars(self, call: Call) -> Any:
        return self._stream(call).scalars()

    def _run_inside(self, what: str, fn: Callable[..., Any], *args: Any) -> Any:
        """Run a function that reads a stream."""
        self._enter(what)
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
