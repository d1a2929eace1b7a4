"""Sessions on a synchronous engine: one transaction, plain objects, nothing tracked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from sqlalchemy import Connection, Engine

from ..exception import ConcurrentSessionUse, InvalidSessionState
from . import _checks
from ._guard import ThreadGuard
from ._turns import Turns, turns_of
from ._work import Work

if TYPE_CHECKING:
    from sqlalchemy import Executable, Result, ScalarResult
    from sqlalchemy.engine import TupleResult
    from sqlalchemy.engine.interfaces import CoreExecuteOptionsParameter
    from sqlalchemy.sql.selectable import TypedReturnsRows
    from typing_extensions import TypeVar, TypeVarTuple, Unpack

    # SQLAlchemy 2.0 knows no variadic rows: the defaults make them Any there.
    _T = TypeVar("_T", default=Any)
    _Ts = TypeVarTuple("_Ts", default=Unpack[tuple[Any, ...]])
    _Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None

__all__ = ("InvalidSessionState", "Session", "SessionFactory")


class Session:
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
        """The connection, for what a session does not do: savepoints, streams, DDL helpers.

        On asyncpg a failure of a statement that runs here, and not through the session, is not
        known to :meth:`commit`.
        """
        return self._work.conn

    @property
    def state(self) -> Literal["open", "closed"]:
        """``"open"`` until commit, rollback, or the end of the block."""
        return self._work.state

    @overload
    def execute(
        self,
        statement: TypedReturnsRows[*tuple[_T, *_Ts]],
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> Result[*tuple[_T, *_Ts]]: ...

    @overload
    def execute(
        self,
        statement: Executable,
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> Result[*tuple[Any, ...]]: ...

    def execute(
        self,
        statement: Executable,
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> Result[*tuple[Any, ...]]:
        """Run a statement of any kind and return its buffered result.

        :param parameters: a dictionary, or a list of them for INSERT, UPDATE and DELETE.
        :raises InvalidSessionState: on a closed session.
        :raises ConcurrentSessionUse: when another thread is inside the session.
        """
        if execution_options is not None:
            _checks.execution_options(execution_options)
        self._enter("execute")
        try:
            return self._work.execute(statement, parameters, execution_options)
        finally:
            self._guard.leave()

    @overload
    def tuples(
        self,
        statement: TypedReturnsRows[*tuple[_T, *_Ts]],
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> TupleResult[tuple[_T, *_Ts]]: ...

    @overload
    def tuples(
        self,
        statement: Executable,
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> TupleResult[Any]: ...

    def tuples(
        self,
        statement: Executable,
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> TupleResult[Any]:
        """The rows of a statement as tuples, typed; arguments and errors as in ``execute()``."""
        result = self.execute(statement, parameters, execution_options=execution_options)
        # A TupleResult is a Result to the eyes of a type checker; 2.1 deprecates the method.
        return cast("TupleResult[Any]", result)

    @overload
    def scalars(
        self,
        statement: TypedReturnsRows[*tuple[_T, *_Ts]],
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> ScalarResult[_T]: ...

    @overload
    def scalars(
        self,
        statement: Executable,
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> ScalarResult[Any]: ...

    def scalars(
        self,
        statement: Executable,
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> ScalarResult[Any]:
        """The first item of each row; arguments and errors as in ``execute()``."""
        result = self.execute(statement, parameters, execution_options=execution_options)
        return result.scalars()

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


class SessionFactory:
    """Opens sessions on an engine.  One for an application; it holds no connection.

    :param engine: of ``sqlalchemy.create_engine()``.
    :param auto_commit: commit at the end of a block that was left without an exception.
    :raises TypeError: for anything else as engine, or an ``auto_commit`` that is no bool.
    """

    __slots__ = ("__weakref__", "_auto_commit", "_engine")

    def __init__(self, engine: Engine, *, auto_commit: bool = True) -> None:
        _checks.factory_arguments(type(self), engine, Engine, auto_commit)
        self._engine = engine
        self._auto_commit = auto_commit

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def auto_commit(self) -> bool:
        return self._auto_commit

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
        return SessionBlock(self._engine, self._auto_commit, execution_options)


class SessionBlock:
    """What :meth:`SessionFactory.begin` returns, to be entered once."""

    __slots__ = ("_auto_commit", "_engine", "_entered", "_options", "_session", "_turns")

    _session: Session

    def __init__(self, engine: Engine, auto_commit: bool, options: Mapping[str, Any]) -> None:
        self._engine = engine
        self._auto_commit = auto_commit
        self._options = options
        self._entered = False
        self._turns: Turns | None = None

    def __enter__(self) -> Session:
        if self._entered:
            _checks.entered_twice()
        self._entered = True
        self._turns = turns_of(self._engine.pool)
        if self._turns is not None:
            self._turns.take_in_thread()
        work = Work()
        try:
            work.connect(self._engine, self._options)
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
