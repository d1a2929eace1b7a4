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
    """One transaction on one connection, in which statements give plain objects.

    Sessions come from :meth:`SessionFactory.begin`.  One built by hand joins the transaction that
    its connection is in, or begins one with its first statement; ``commit()`` and ``rollback()``
    end that transaction, and the connection stays the caller's to close.

    :param conn: a connection that is open, and not in AUTOCOMMIT.
    :raises TypeError: when ``conn`` is no ``Connection``.
    :raises InvalidSessionState: when ``conn`` is not open, or in AUTOCOMMIT.
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

        ``result = session.stream(...)``, or ``with session.stream(...) as result:``, which closes
        it at the end of the block.  A result that is left half-way is closed with the session.

        :param execution_options: ``yield_per`` says how many rows make a chunk.
        :raises InvalidSessionState: on a closed session; also by the result, when it is read after
            the session was closed.
        :raises ConcurrentSessionUse: when another thread is inside the session; also by the result.
        :raises InvalidRequestError: for joined collections, which chunks would tear.

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

        If the block ends without an error, its changes are kept.  An exception rolls back to the
        savepoint and leaves the block, and you can go on with the session.

        :raises InvalidSessionState: on entering it in a closed session, or a second time.
        :raises ConcurrentSessionUse: when another thread is inside the session.
        :raises TransactionRolledBack: at a clean end, when the database had given up what was done.
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
        """Return the connection, for Core work in the same transaction.

        :param bind_key: of a factory with ``binds``: the connection to this database.
        :raises InvalidSessionState: on a closed session.
        :raises InvalidBind: for a bind key that is not configured.
        """
        self._transaction.check_open("connection")
        if bind_key is not None:
            checks.no_such_bind(bind_key)
        return self.conn

    def commit(self) -> None:
        """Commit the transaction and close the session, whatever comes of it.

        :raises InvalidSessionState: on a closed session.
        :raises ConcurrentSessionUse: when another thread is inside the session.
        :raises TransactionRolledBack: when the database had given the transaction up.
        :raises CommitOutcomeUnknown: when COMMIT was sent, and no answer came.
        """
        if self._hooks is not None and not self._hooks.ending:
            self._hooks.commit(self)
            return
        self._enter("commit")
        self._end(self._transaction.commit)

    def rollback(self) -> None:
        """Roll the transaction back and close the session, whatever comes of it.

        :raises InvalidSessionState: on a closed session.
        :raises ConcurrentSessionUse: when another thread is inside the session.
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
