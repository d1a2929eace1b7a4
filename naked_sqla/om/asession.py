"""Sessions on an asynchronous engine: the async face of the same work.

Each call runs its work in one greenlet hop; what a cancellation does to it is said in ``_hop``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..exception import ConcurrentSessionUse, InvalidSessionState
from . import _checks
from ._cancel import needs_connecting, stopper
from ._guard import TaskGuard
from ._hop import Stop, hop, shielded, spawn, start
from ._turns import Turns, turns_of
from ._work import Work

if TYPE_CHECKING:
    from sqlalchemy import Executable, Result, ScalarResult
    from sqlalchemy.engine import TupleResult
    from sqlalchemy.engine.interfaces import CoreExecuteOptionsParameter
    from sqlalchemy.sql.selectable import TypedReturnsRows

    from .session import _T, _Parameters, _Ts

__all__ = ("AsyncSession", "AsyncSessionFactory", "InvalidSessionState")


class AsyncSession:
    """One transaction on one connection, in which statements give plain objects.

    Sessions come from :meth:`AsyncSessionFactory.begin`.  One built by hand joins the transaction
    that its connection is in, or begins one with its first statement; ``commit()`` and
    ``rollback()`` end that transaction, and the connection stays the caller's to close.

    :raises TypeError: when ``conn`` is no ``AsyncConnection``.
    :raises InvalidSessionState: when ``conn`` is not started, closed, or in AUTOCOMMIT.
    """

    __slots__ = ("__weakref__", "_conn", "_engine", "_guard", "_patient", "_stop", "_work")

    def __init__(self, conn: AsyncConnection) -> None:
        _checks.session_connection(type(self), conn, AsyncConnection)
        sync_conn = conn.sync_connection
        _checks.open_connection(sync_conn)
        self._conn: AsyncConnection | None = conn
        self._fill(conn.engine, Work(sync_conn), turns_of(conn.sync_engine.pool) is not None)

    def _fill(self, engine: AsyncEngine, work: Work, patient: bool) -> None:
        self._engine = engine
        self._work = work
        self._guard = TaskGuard()
        self._patient = patient
        self._stop: Stop | None = stopper(work)

    @classmethod
    def _begun(cls, engine: AsyncEngine, work: Work, patient: bool) -> AsyncSession:
        session = cls.__new__(cls)
        session._conn = None
        session._fill(engine, work, patient)
        return session

    @property
    def conn(self) -> AsyncConnection:
        """The connection, for what a session does not do: savepoints, streams, DDL helpers.

        On asyncpg a failure of a statement that runs here, and not through the session, is not
        known to :meth:`commit`.
        """
        if self._conn is None:
            self._conn = AsyncConnection(self._engine, self._work.conn)
        return self._conn

    @property
    def state(self) -> Literal["open", "closed"]:
        """``"open"`` until commit, rollback, or the end of the block."""
        return self._work.state

    @overload
    async def execute(
        self,
        statement: TypedReturnsRows[*tuple[_T, *_Ts]],
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> Result[*tuple[_T, *_Ts]]: ...

    @overload
    async def execute(
        self,
        statement: Executable,
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> Result[*tuple[Any, ...]]: ...

    async def execute(
        self,
        statement: Executable,
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> Result[*tuple[Any, ...]]:
        """Run a statement of any kind and return its buffered result.

        :param parameters: a dictionary, or a list of them for INSERT, UPDATE and DELETE.
        :raises InvalidSessionState: on a closed session.
        :raises ConcurrentSessionUse: when another task is inside the session.
        """
        if execution_options is not None:
            _checks.execution_options(execution_options)
        self._enter("execute")
        work = self._work
        return await hop(
            self._guard.leave, self._stop, work.execute, statement, parameters, execution_options
        )

    @overload
    async def tuples(
        self,
        statement: TypedReturnsRows[*tuple[_T, *_Ts]],
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> TupleResult[tuple[_T, *_Ts]]: ...

    @overload
    async def tuples(
        self,
        statement: Executable,
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> TupleResult[Any]: ...

    async def tuples(
        self,
        statement: Executable,
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> TupleResult[Any]:
        """The rows of a statement as tuples, typed; arguments and errors as in ``execute()``."""
        result = await self.execute(statement, parameters, execution_options=execution_options)
        # A TupleResult is a Result to the eyes of a type checker; 2.1 deprecates the method.
        return cast("TupleResult[Any]", result)

    @overload
    async def scalars(
        self,
        statement: TypedReturnsRows[*tuple[_T, *_Ts]],
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> ScalarResult[_T]: ...

    @overload
    async def scalars(
        self,
        statement: Executable,
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> ScalarResult[Any]: ...

    async def scalars(
        self,
        statement: Executable,
        parameters: _Parameters = None,
        *,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> ScalarResult[Any]:
        """The first item of each row; arguments and errors as in ``execute()``."""
        result = await self.execute(statement, parameters, execution_options=execution_options)
        return result.scalars()

    async def commit(self) -> None:
        """Commit the transaction and close the session, whatever comes of it.

        :raises InvalidSessionState: on a closed session.
        :raises ConcurrentSessionUse: when another task is inside the session.
        :raises TransactionRolledBack: when the database had given the transaction up.
        """
        self._enter("commit")
        self._work.open = False
        await shielded(start(spawn(self._work.commit), self._guard.leave), patient=self._patient)

    async def rollback(self) -> None:
        """Roll the transaction back and close the session, whatever comes of it.

        :raises InvalidSessionState: on a closed session.
        :raises ConcurrentSessionUse: when another task is inside the session.
        """
        self._enter("rollback")
        self._work.open = False
        await shielded(start(spawn(self._work.rollback), self._guard.leave), patient=self._patient)

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


class AsyncSessionFactory:
    """Opens sessions on an engine.  One for an application; it holds no connection.

    :param engine: of ``sqlalchemy.ext.asyncio.create_async_engine()``.
    :param auto_commit: commit at the end of a block that was left without an exception.
    :raises TypeError: for anything else as engine, or an ``auto_commit`` that is no bool.
    """

    __slots__ = ("__weakref__", "_auto_commit", "_engine")

    def __init__(self, engine: AsyncEngine, *, auto_commit: bool = True) -> None:
        _checks.factory_arguments(type(self), engine, AsyncEngine, auto_commit)
        self._engine = engine
        self._auto_commit = auto_commit

    @property
    def engine(self) -> AsyncEngine:
        return self._engine

    @property
    def auto_commit(self) -> bool:
        return self._auto_commit

    def begin(self, **execution_options: Any) -> AsyncSessionBlock:
        """A block, for ``async with``, that is one transaction in one session.

        A clean end commits (with ``auto_commit``) unless the session was committed or rolled back
        by hand; any exception rolls back, and comes out.  The session is closed afterwards.

        :param execution_options: for the connection, during this block, e.g.
            ``isolation_level="SERIALIZABLE"``.
        :raises InvalidSessionState: in AUTOCOMMIT; on entering the block a second time.
        :raises UnsupportedOption: for ``yield_per`` and ``stream_results``.
        """
        _checks.begin_options(self._engine.sync_engine, execution_options)
        return AsyncSessionBlock(self._engine, self._auto_commit, execution_options)


class AsyncSessionBlock:
    """What :meth:`AsyncSessionFactory.begin` returns, to be entered once."""

    __slots__ = ("_auto_commit", "_engine", "_entered", "_options", "_session", "_turns")

    _session: AsyncSession

    def __init__(self, engine: AsyncEngine, auto_commit: bool, options: Mapping[str, Any]) -> None:
        self._engine = engine
        self._auto_commit = auto_commit
        self._options = options
        self._entered = False
        self._turns: Turns | None = None

    async def __aenter__(self) -> AsyncSession:
        if self._entered:
            _checks.entered_twice()
        self._entered = True
        self._turns = turns_of(self._engine.sync_engine.pool)
        if self._turns is not None:
            await self._turns.take_in_task()
        work = Work()
        await self._connect(work)
        self._session = AsyncSession._begun(self._engine, work, self._turns is not None)
        return self._session

    async def _connect(self, work: Work) -> None:
        """Open the connection and begin; when that fails, or is cancelled, leave nothing behind."""
        engine = self._engine.sync_engine
        caller = asyncio.current_task()
        asked = 0 if caller is None else caller.cancelling()
        opening: asyncio.Task[None] | None = None
        try:
            if needs_connecting(engine.pool):
                # A torn connection attempt leaks its socket on some drivers: let it end.
                opening = start(spawn(work.connect, engine, self._options))
                await shielded(opening, patient=self._turns is not None, push=False)
            else:
                await hop(_nothing, stopper(work, engine), work.connect, engine, self._options)
            if caller is not None and caller.cancelling() > asked:
                # wait_for(), in which the pool waits, can lose a cancellation on Python 3.11.
                raise asyncio.CancelledError
        except BaseException:
            if opening is None or opening.done():
                await self._give_back(work)
            else:
                opening.add_done_callback(lambda _: start(self._give_back(work)))
            raise

    async def _give_back(self, work: Work) -> None:
        """Undo what was opened for a block that is not entered after all."""
        if work.connected:
            done = self._release_turn
            await shielded(start(spawn(work.release, True), done), patient=self._turns is not None)
        else:
            self._release_turn()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session = self._session
        work = session._work
        failed = exc_type is not None
        pending, work.open = work.open, False
        inside = session._guard.holder
        commit = self._auto_commit and not failed and inside is None
        try:
            await shielded(
                start(self._finish(pending, commit, failed), self._release_turn),
                patient=session._patient,
                push=inside is None,
            )
        except asyncio.CancelledError:
            # One cancellation is on its way out already.
            if not isinstance(exc, asyncio.CancelledError):
                raise
        if inside is not None and exc_type is None:
            raise ConcurrentSessionUse(_checks.left_while_inside("task", inside))

    async def _finish(self, pending: bool, commit: bool, failed: bool) -> None:
        guard = self._session._guard
        await guard.wait_and_enter()
        try:
            await spawn(self._session._work.finish, pending, commit, failed)
        finally:
            guard.leave()

    def _release_turn(self) -> None:
        if self._turns is not None:
            self._turns.release()

    if not TYPE_CHECKING:
        # Only here to say what to write: a type checker is not to find them.

        def __enter__(self):
            _checks.not_async_with("with db.begin()")

        def __exit__(self, *_):
            return None

        def __await__(self):
            _checks.not_async_with("await db.begin()")


def _nothing() -> None:
    """The work of opening holds no guard."""
