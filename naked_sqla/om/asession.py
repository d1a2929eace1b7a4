"""Sessions on an asynchronous engine: the async face of the same work.

Each call runs its work in one greenlet hop; what a cancellation does to it is said in ``_hop``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import await_only

from ..exception import ConcurrentSessionUse, InvalidSessionState
from . import _calls, _checks, _oneshot
from ._async_calls import AsyncCalls
from ._cancel import needs_connecting, stopper
from ._guard import TaskGuard
from ._hop import Stop, hop, noticing_cancellation, shielded, spawn, start
from ._savepoint import AsyncSavepoint
from ._stream import AsyncStream, AsyncStreaming, stream_of
from ._turns import Turns, turns_of
from ._work import Work

if TYPE_CHECKING:
    from sqlalchemy import Executable
    from sqlalchemy.ext.asyncio import AsyncResult, AsyncScalarResult
    from sqlalchemy.sql.selectable import TypedReturnsRows

    from ._types import C, Options, Parameters, T, Ts

__all__ = ("AsyncSession", "AsyncSessionFactory", "InvalidSessionState")


class AsyncSession(AsyncCalls):
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
        """The connection, for what a session does not do, such as ``run_sync()``.

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

        ``result = await session.stream(...)``, or ``async with session.stream(...) as result:``,
        which closes it at the end of the block.  A result that is left half-way is closed with the
        session.

        :param execution_options: ``yield_per`` says how many rows make a chunk.
        :raises InvalidSessionState: on a closed session; also by the result, when it is read after
            the session was closed.
        :raises ConcurrentSessionUse: when another task is inside the session; also by the result.
        :raises InvalidRequestError: for joined collections, which chunks would tear.

        And the errors of :meth:`execute`.
        """
        if execution_options is not None:
            _checks.stream_options(execution_options)
        args = (_calls.stream, statement, parameters, execution_options)
        return AsyncStreaming(self, lambda: self._stream(*args))

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
        """The first item of each row; arguments, use and errors as in :meth:`stream`."""
        if execution_options is not None:
            _checks.stream_options(execution_options)
        args = (_calls.stream, statement, parameters, execution_options)
        return AsyncStreaming(self, lambda: self._stream_scalars(*args))

    def stream_into(
        self,
        cls: type[C],
        statement: Executable,
        parameters: Parameters = None,
        *,
        validate: bool = True,
        execution_options: Options = None,
    ) -> AsyncStreaming[AsyncScalarResult[C]]:
        """As :meth:`into`, read chunk by chunk; used as :meth:`stream`."""
        if execution_options is not None:
            _checks.stream_options(execution_options)
        args = (_calls.stream_into, cls, statement, parameters, validate, execution_options)
        return AsyncStreaming(self, lambda: self._stream_scalars(*args))

    def begin_nested(self) -> AsyncSavepoint:
        """A savepoint, as a block: ``async with session.begin_nested():``.

        A clean end keeps what was done; an exception rolls back to the savepoint and comes out, and
        the session goes on.

        :raises InvalidSessionState: on entering it in a closed session, or a second time.
        :raises ConcurrentSessionUse: when another task is inside the session.
        :raises TransactionRolledBack: at a clean end, when the database had given up what was done.
        """
        return AsyncSavepoint(self)

    def in_transaction(self) -> bool:
        """True while there is a transaction to commit; False on a closed session."""
        return self._work.in_transaction()

    async def connection(self) -> AsyncConnection:
        """The connection, for Core work in the same transaction.

        On asyncpg a failure of a statement that runs there, and not through the session, is not
        known to :meth:`commit`.

        :raises InvalidSessionState: on a closed session.
        """
        self._work.check_open("connection")
        return self.conn

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

    def _call(self, fn: Callable[..., Any], *args: Any) -> Coroutine[Any, Any, Any]:
        self._enter(fn)
        return hop(self._guard.leave, self._stop, self._work.call, fn, *args)

    async def _stream(self, fn: Callable[..., Any], *args: Any) -> Any:
        self._enter(fn)
        opened = hop(self._guard.leave, self._stop, self._work.open_stream, fn, *args)
        return AsyncStream(stream_of(self, await opened))

    async def _stream_scalars(self, fn: Callable[..., Any], *args: Any) -> Any:
        return (await self._stream(fn, *args)).scalars()

    def _run_inside(self, what: str, fn: Callable[..., Any], *args: Any) -> Any:
        """Run what reads a stream, from within a greenlet of SQLAlchemy's."""
        self._enter(what)
        return await_only(hop(self._guard.leave, self._stop, self._work.watched, fn, *args))

    def _enter(self, what: str | Callable[..., Any]) -> None:
        self._guard.enter()
        if not self._work.open:
            self._guard.leave()
            self._work.check_open(what if isinstance(what, str) else what.__name__.strip("_"))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state}>"

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            _checks.no_such_attribute(self, name)


class AsyncSessionFactory(AsyncCalls):
    """Opens sessions on an engine.  One for an application; it holds no connection.

    :param engine: of ``sqlalchemy.ext.asyncio.create_async_engine()``.
    :param auto_commit: commit at the end of a block that was left without an exception.
    :param eager: ``"mapped"`` loads the relationships that are mapped to be loaded eagerly
        (``lazy="selectin"`` and its kin); ``"explicit"`` only those that a statement asks for.
    :raises TypeError: for anything else as engine, or an ``auto_commit`` that is no bool.
    :raises ValueError: for another word as ``eager``.

    A call such as ``await db.scalars(select(User))`` runs one statement, with no block around it.
    """

    __slots__ = ("__weakref__", "_auto_commit", "_eager", "_engine")

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        auto_commit: bool = True,
        eager: Literal["mapped", "explicit"] = "mapped",
    ) -> None:
        _checks.factory_arguments(type(self), engine, AsyncEngine, auto_commit, eager)
        self._engine = engine
        self._auto_commit = auto_commit
        self._eager = eager == "mapped"

    @property
    def engine(self) -> AsyncEngine:
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
        return AsyncSessionBlock(self._engine, self._auto_commit, execution_options, self._eager)

    async def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        engine = self._engine.sync_engine
        plan = _oneshot.plan(engine, self._auto_commit, self._eager, fn, args)
        if plan.alone and turns_of(engine.pool) is None and not needs_connecting(engine.pool):
            work = Work(eager=self._eager)
            stop = stopper(work, engine)
            with noticing_cancellation():
                return await hop(_nothing, stop, work.once, engine, plan.options, fn, *args)
        block = AsyncSessionBlock(
            self._engine, plan.commit, plan.options, self._eager, plan.snapshot
        )
        async with block as session:
            return await session._call(fn, *args)


class AsyncSessionBlock:
    """What :meth:`AsyncSessionFactory.begin` returns, to be entered once."""

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

    _session: AsyncSession

    def __init__(
        self,
        engine: AsyncEngine,
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

    async def __aenter__(self) -> AsyncSession:
        if self._entered:
            _checks.entered_twice()
        self._entered = True
        self._turns = turns_of(self._engine.sync_engine.pool)
        if self._turns is not None:
            await self._turns.take_in_task()
        work = Work(eager=self._eager)
        await self._connect(work)
        self._session = AsyncSession._begun(self._engine, work, self._turns is not None)
        return self._session

    async def _connect(self, work: Work) -> None:
        """Open the connection and begin; when that fails, or is cancelled, leave nothing behind."""
        engine = self._engine.sync_engine
        connect = work.connect, engine, self._options, self._snapshot
        opening: asyncio.Task[None] | None = None
        try:
            with noticing_cancellation():
                if needs_connecting(engine.pool):
                    # A torn connection attempt leaks its socket on some drivers: let it end.
                    opening = start(spawn(*connect))
                    await shielded(opening, patient=self._turns is not None, push=False)
                else:
                    await hop(_nothing, stopper(work, engine), *connect)
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
