"""Sessions on a synchronous engine: one transaction, plain objects, nothing tracked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

from sqlalchemy import Connection, Engine

from ..exception import ConcurrentSessionUse, InvalidSessionState
from . import _calls, _checks, _oneshot
from ._guard import ThreadGuard
from ._savepoint import Savepoint
from ._stream import stream_of
from ._sync_calls import SyncCalls
from ._turns import Turns, turns_of
from ._work import Work

if TYPE_CHECKING:
    from sqlalchemy import Executable, Result, ScalarResult
    from sqlalchemy.sql.selectable import TypedReturnsRows

    from ._types import C, Options, Parameters, T, Ts

__all__ = ("InvalidSessionState", "Session", "SessionFactory")


class Session(SyncCalls):
    """One transaction on one connection, in which statements give plain objects.

    Sessions come from :meth:`SessionFactory.begin`.  One built by hand joins the transaction that
    its connection is in, or begins one with its first statement; ``commit()`` and ``rollback()``
    end that transaction, and the connection stays the caller's to close.

    :raises TypeError: when ``conn`` is no ``Connection``.
    :raises InvalidSessionState: when ``conn`` is closed, or in AUTOCOMMIT.
    """

    __slots__ = ("__weakref__", "_guard", "_work")

    def __init__(self, conn: Connection) -> None:
        _checks.session_connection(type(self), conn, Connection)
        _checks.open_connection(conn)
        self._work = Work(conn)
        self._guard = ThreadGuard()

    @classmethod
    def _begun(cls, work: Work) -> Session:
        session = cls.__new__(cls)
        session._work = work
        session._guard = ThreadGuard()
        return session

    @property
    def conn(self) -> Connection:
        """The connection, for what a session does not do, such as ``run_sync()``.

        On asyncpg a failure of a statement that runs here, and not through the session, is not
        known to :meth:`commit`.
        """
        return self._work.conn

    @property
    def state(self) -> Literal["open", "closed"]:
        """``"open"`` until commit, rollback, or the end of the block."""
        return self._work.state

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

        ``with session.stream(...) as result:`` closes it at the end of the block.  A result that is
        left half-way is closed with the session.

        :param execution_options: ``yield_per`` says how many rows make a chunk.
        :raises InvalidSessionState: on a closed session; also by the result, when it is read after
            the session was closed.
        :raises ConcurrentSessionUse: when another thread is inside the session; also by the result.
        :raises InvalidRequestError: for joined collections, which chunks would tear.

        And the errors of :meth:`execute`.
        """
        if execution_options is not None:
            _checks.stream_options(execution_options)
        result: Result[*tuple[Any, ...]] = self._stream(
            _calls.stream, statement, parameters, execution_options
        )
        return result

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
        """The first item of each row; arguments, use and errors as in :meth:`stream`."""
        if execution_options is not None:
            _checks.stream_options(execution_options)
        args = (statement, parameters, execution_options)
        result: ScalarResult[Any] = self._stream(_calls.stream, *args).scalars()
        return result

    def stream_into(
        self,
        cls: type[C],
        statement: Executable,
        parameters: Parameters = None,
        *,
        validate: bool = True,
        execution_options: Options = None,
    ) -> ScalarResult[C]:
        """As :meth:`into`, read chunk by chunk; used as :meth:`stream`."""
        if execution_options is not None:
            _checks.stream_options(execution_options)
        args = (cls, statement, parameters, validate, execution_options)
        result: ScalarResult[C] = self._stream(_calls.stream_into, *args).scalars()
        return result

    def begin_nested(self) -> Savepoint:
        """A savepoint, as a block: ``with session.begin_nested():``.

        A clean end keeps what was done; an exception rolls back to the savepoint and comes out, and
        the session goes on.

        :raises InvalidSessionState: on entering it in a closed session, or a second time.
        :raises ConcurrentSessionUse: when another thread is inside the session.
        :raises TransactionRolledBack: at a clean end, when the database had given up what was done.
        """
        return Savepoint(self)

    def in_transaction(self) -> bool:
        """True while there is a transaction to commit; False on a closed session."""
        return self._work.in_transaction()

    def connection(self) -> Connection:
        """The connection, for Core work in the same transaction.

        On asyncpg a failure of a statement that runs there, and not through the session, is not
        known to :meth:`commit`.

        :raises InvalidSessionState: on a closed session.
        """
        self._work.check_open("connection")
        return self.conn

    def commit(self) -> None:
        """Commit the transaction and close the session, whatever comes of it.

        :raises InvalidSessionState: on a closed session.
        :raises ConcurrentSessionUse: when another thread is inside the session.
        :raises TransactionRolledBack: when the database had given the transaction up.
        """
        self._enter("commit")
        try:
            self._work.commit()
        finally:
            self._guard.leave()

    def rollback(self) -> None:
        """Roll the transaction back and close the session, whatever comes of it.

        :raises InvalidSessionState: on a closed session.
        :raises ConcurrentSessionUse: when another thread is inside the session.
        """
        self._enter("rollback")
        try:
            self._work.rollback()
        finally:
            self._guard.leave()

    def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        return self._run_inside(fn.__name__.strip("_"), self._work.call, fn, *args)

    def _stream(self, fn: Callable[..., Any], *args: Any) -> Any:
        return stream_of(self, self._call(fn, *args))

    def _run_inside(self, what: str, fn: Callable[..., Any], *args: Any) -> Any:
        self._enter(what)
        try:
            return fn(*args)
        finally:
            self._guard.leave()

    def _enter(self, what: str) -> None:
        self._guard.enter()
        if not self._work.open:
            self._guard.leave()
            self._work.check_open(what)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state}>"

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            _checks.no_such_attribute(self, name)


class SessionFactory(SyncCalls):
    """Opens sessions on an engine.  One for an application; it holds no connection.

    :param engine: of ``sqlalchemy.create_engine()``.
    :param auto_commit: commit at the end of a block that was left without an exception.
    :param eager: ``"mapped"`` loads the relationships that are mapped to be loaded eagerly
        (``lazy="selectin"`` and its kin); ``"explicit"`` only those that a statement asks for.
    :raises TypeError: for anything else as engine, or an ``auto_commit`` that is no bool.
    :raises ValueError: for another word as ``eager``.

    A call such as ``db.scalars(select(User))`` runs one statement, with no block around it.
    """

    __slots__ = ("__weakref__", "_auto_commit", "_eager", "_engine")

    def __init__(
        self,
        engine: Engine,
        *,
        auto_commit: bool = True,
        eager: Literal["mapped", "explicit"] = "mapped",
    ) -> None:
        _checks.factory_arguments(type(self), engine, Engine, auto_commit, eager)
        self._engine = engine
        self._auto_commit = auto_commit
        self._eager = eager == "mapped"

    @property
    def engine(self) -> Engine:
        """The engine that sessions are opened on."""
        return self._engine

    @property
    def auto_commit(self) -> bool:
        """True when a block that is left without an exception commits."""
        return self._auto_commit

    @property
    def eager(self) -> Literal["mapped", "explicit"]:
        """``"explicit"`` when the eager loads of the mapping are switched off."""
        return "mapped" if self._eager else "explicit"

    def begin(self, **execution_options: Any) -> SessionBlock:
        """A block, for ``with``, that is one transaction in one session.

        A clean end commits (with ``auto_commit``) unless the session was committed or rolled back
        by hand; any exception rolls back, and comes out.  The session is closed afterwards.

        :param execution_options: for the connection, during this block, e.g.
            ``isolation_level="SERIALIZABLE"``.
        :raises InvalidSessionState: in AUTOCOMMIT; on entering the block a second time.
        :raises UnsupportedOption: for ``yield_per`` and ``stream_results``.
        """
        _checks.begin_options(self._engine, execution_options)
        return SessionBlock(self._engine, self._auto_commit, execution_options, self._eager)

    def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        plan = _oneshot.plan(self._engine, self._auto_commit, self._eager, fn, args)
        if plan.alone and turns_of(self._engine.pool) is None:
            return Work(eager=self._eager).once(self._engine, plan.options, fn, *args)
        block = SessionBlock(self._engine, plan.commit, plan.options, self._eager, plan.snapshot)
        with block as session:
            return session._call(fn, *args)


class SessionBlock:
    """What :meth:`SessionFactory.begin` returns, to be entered once."""

    __slots__ = (
        "_auto_commit",
        "_eager",
        "_engine",
        "_entered",
        "_options",
        "_session",
        "_snapshot",
        "_turns",
    )

    _session: Session

    def __init__(
        self,
        engine: Engine,
        auto_commit: bool,
        options: Mapping[str, Any],
        eager: bool,
        snapshot: bool = False,
    ) -> None:
        self._engine = engine
        self._auto_commit = auto_commit
        self._options = options
        self._eager = eager
        self._snapshot = snapshot
        self._entered = False
        self._turns: Turns | None = None

    def __enter__(self) -> Session:
        if self._entered:
            _checks.entered_twice()
        self._entered = True
        self._turns = turns_of(self._engine.pool)
        if self._turns is not None:
            self._turns.take_in_thread()
        work = Work(eager=self._eager)
        try:
            work.connect(self._engine, self._options, self._snapshot)
        except BaseException:
            if work.connected:
                work.release(quietly=True)
            self._release_turn()
            raise
        self._session = Session._begun(work)
        return self._session

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        work, guard = self._session._work, self._session._guard
        failed = exc_type is not None
        pending, work.open = work.open, False
        inside = guard.holder
        guard.wait_and_enter()
        try:
            commit = self._auto_commit and not failed and inside is None
            work.finish(pending, commit, failed)
        finally:
            guard.leave()
            self._release_turn()
        if inside is not None and exc_type is None:
            raise ConcurrentSessionUse(_checks.left_while_inside("thread", inside))

    def _release_turn(self) -> None:
        if self._turns is not None:
            self._turns.release()
