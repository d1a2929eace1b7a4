"""The block in which an asynchronous session lives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from naked_sqla._sqlalchemy.first_connect import guard_first_connect  # ASYNC
from naked_sqla._sqlalchemy.unopened import opens_at_once  # ASYNC
from naked_sqla.backends import backend_of
from naked_sqla.exception import ConcurrentSessionUse
from naked_sqla.sessions import checks
from naked_sqla.sessions._async.cancel import needs_connecting
from naked_sqla.sessions._async.greenlet import (
    nothing,
    notice_cancellation,
    run_in_greenlet,
    run_to_end,
    settle,
    shielded,
    start,
    times_cancelled,
)
from naked_sqla.sessions._async.session import AsyncSession
from naked_sqla.sessions._async.whole import run_whole
from naked_sqla.sessions.alone import Alone
from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.connection_queue import ConnectionQueue, queue_of
from naked_sqla.sessions.current import Current, Entry
from naked_sqla.sessions.ending import Outcome
from naked_sqla.sessions.loops import LoopsMutex, OneLoop, loop_of
from naked_sqla.sessions.misuse import AsyncBlock
from naked_sqla.sessions.single_call import manner_of
from naked_sqla.sessions.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy import Engine  # ASYNC

    from naked_sqla.sessions._async.hooks import AsyncHooks
    from naked_sqla.sessions.noting import Writers
    from naked_sqla.sessions.observed import Observed
    from naked_sqla.sessions.terms import Terms


class AsyncSessionBlock(AsyncBlock):
    """The block that :meth:`AsyncSessionFactory.begin` returns; it is entered once."""

    __slots__ = (
        "_auto_commit",
        "_current",
        "_eager",
        "_engine",
        "_entered",
        "_entry",
        "_hooks",
        "_kind",
        "_loop",  # ASYNC
        "_observed",
        "_options",
        "_queue",
        "_session",
        "_snapshot",
        "_terms",
    )

    _WRITTEN = ("db.begin()", "a session", "db.begin() as session")

    _session: AsyncSession

    def __init__(
        self,
        engine: AsyncEngine,
        auto_commit: bool,
        options: Mapping[str, Any],
        eager: bool,
        snapshot: bool = False,
        current: Current | None = None,
        *,
        kind: Callable[..., Transaction] = Transaction,
    ) -> None:
        self._engine = engine
        self._auto_commit = auto_commit
        self._options = options
        self._eager = eager
        self._snapshot = snapshot
        self._current = current
        self._kind = kind
        self._observed: Observed | None = None
        if current is not None and current.observers is not None:
            self._observe(current.observers.session())
        self._hooks: AsyncHooks | None = None
        if current is not None and current.writers is not None:
            self._tell(current.writers)
        self._terms: Terms | None = None
        self._entered = False
        self._entry: Entry | None = None
        self._queue: ConnectionQueue | None = None
        self._loop: OneLoop | None = None  # ASYNC

    async def __aenter__(self) -> AsyncSession:
        if self._entered:
            checks.entered_twice()
        self._entered = True
        try:
            self._session = session = await self._opened()
        except PoolTimeout as error:
            if self._current is not None:
                self._current.explain(error, asyncio.current_task(), "task")
            raise
        session._patient = self._queue is not None  # ASYNC
        if self._observed is not None:
            self._observed.over(session)
        if self._hooks is not None:
            session._hooks = self._hooks
        if self._current is not None:
            session._secrets = self._current.secrets
            self._entry = self._current.enter(asyncio.current_task(), session)
        return session

    def _observe(self, observed: Observed) -> None:
        """Have the session tell what it does."""
        self._observed = observed
        self._kind = observed.kind(self._kind)

    def _tell(self, writers: Writers) -> None:
        """Have the functions of ``on_write()`` told what the session writes."""
        # imported where it is needed: without such functions nobody pays for it
        from naked_sqla.sessions._async.hooks import AsyncHooks
        from naked_sqla.sessions.noting import noting

        self._hooks = hooks = AsyncHooks(writers)
        self._kind = noting(self._kind, hooks.notes)

    async def _opened(self) -> AsyncSession:
        self._queue = queue_of(self._engine.sync_engine.pool)
        if self._queue is not None:
            await self._queue.take_in_task()
        if True:  # ASYNC
            self._loop = loop_of(self._engine.sync_engine.pool)
            if self._loop is not None:
                self._loop.enter()
        transaction = self._kind(eager=self._eager)
        transaction.terms = self._terms
        await self._connect(transaction)
        return AsyncSession._begun(self._engine, transaction)

    async def _connect(self, transaction: Transaction) -> None:
        """Open the connection and begin; when this fails, or is torn, leave nothing behind."""
        if True:  # ASYNC
            engine = self._engine.sync_engine
            opening: asyncio.Task[None] | None = None
            try:
                if self._connects_at_once(engine):
                    transaction.connect(engine, self._options)
                    return
                asked = times_cancelled()
                connect = transaction.connect, engine, self._options, self._snapshot
                backend = backend_of(engine.dialect)
                if needs_connecting(engine.pool):
                    guard_first_connect(engine.pool, LoopsMutex)
                    # A torn connection attempt leaks its socket on some drivers: let it end.
                    opening = start(run_to_end(*connect))
                    push = backend.gives_up_connecting
                    await shielded(opening, patient=self._queue is not None, push=push)
                else:
                    await run_in_greenlet(nothing, lambda: backend.stop(transaction), *connect)
                notice_cancellation(asked)
            except BaseException:
                if opening is None or opening.done():
                    await self._give_back(transaction)
                else:
                    opening.add_done_callback(lambda _: start(self._give_back(transaction)))
                raise
        else:
            try:
                transaction.connect(self._engine, self._options, self._snapshot)
            except BaseException:
                self._give_back(transaction)
                raise

    if True:  # ASYNC

        def _connects_at_once(self, engine: Engine) -> bool:
            """True where nothing is waited for on the way to a connection, and no greenlet needed.

            The first statement takes BEGIN along.
            """
            return (
                self._kind is Transaction
                and self._terms is None
                and not (self._options or self._snapshot)
                and opens_at_once(engine)
            )

    async def _give_back(self, transaction: Transaction) -> None:
        """Give back the connection and the turn of a block that could not be entered."""
        if True:  # ASYNC
            if transaction.connected:
                release = start(run_to_end(transaction.release, True), self._release_turn)
                await shielded(release, patient=self._queue is not None)
            else:
                self._release_turn()
        else:
            try:
                if transaction.connected:
                    transaction.release(quietly=True)
            finally:
                self._release_turn()

    @property
    def outcome(self) -> Outcome:
        """What became of what the session did, see :attr:`AsyncSession.outcome`."""
        return self._session.outcome if hasattr(self, "_session") else "open"

    def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Coroutine[Any, Any, None]:
        hooks = self._session._hooks
        if hooks is not None and not hooks.ending:
            return hooks.leave(self, exc_type, exc, traceback)
        return self._end(exc_type, exc, traceback)

    async def _end(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the session; what waits for its commit knows of it."""
        if self._entry is not None and self._current is not None:
            self._current.leave(self._entry)
        session, failed = self._session, exc_type is not None
        pending, session._transaction.open = session._transaction.open, False
        inside = session._guard.holder
        commit = self._auto_commit and not failed and inside is None
        if True:  # ASYNC
            patient = session._patient
            if inside is None:

                def ended() -> None:
                    session._guard.leave()
                    self._release_turn()

                session._guard.enter()
                transaction = session._transaction
                finish, push = (pending, commit, failed), transaction.may_be_torn
                await run_whole(ended, transaction.finish, *finish, patient=patient, push=push)
            else:
                end = start(self._finish(pending, commit, failed), self._release_turn)
                if isinstance(exc, asyncio.CancelledError):
                    # its own commit goes on, which nothing cancels, and may take any time
                    await settle(end, patient=patient, push=False)
                    return
                await shielded(end, patient=patient, push=False)
        else:
            try:
                self._finish(pending, commit, failed)
            finally:
                self._release_turn()
        if inside is not None and not failed:
            raise ConcurrentSessionUse(checks.left_while_inside("task", inside))

    async def _finish(self, pending: bool, commit: bool, failed: bool) -> None:
        guard = self._session._guard
        await guard.wait_and_enter()
        try:
            await run_to_end(self._session._transaction.finish, pending, commit, failed)
        finally:
            guard.leave()

    def _release_turn(self) -> None:
        if self._queue is not None:
            self._queue.release()
        if True:  # ASYNC
            if self._loop is not None:
                self._loop.leave()


async def run_single_call(
    engine: AsyncEngine,
    auto_commit: bool,
    eager: bool,
    call: Call,
    options: Mapping[str, Any] | None = None,
    kind: type[Transaction] = Transaction,
    observed: Observed | None = None,
    writers: Writers | None = None,
) -> Any:
    """Run a call as a transaction of its own, or without one.

    :param options: for the connection; where there are any, the transaction is needed.
    """
    manner = manner_of(engine.sync_engine, auto_commit, eager, call)
    pool = engine.sync_engine.pool
    alone = manner.alone and not options and queue_of(pool) is None
    told = observed.seen(call) if alone and observed is not None else call
    if True:  # ASYNC
        if alone and not needs_connecting(pool):
            sync_engine = engine.sync_engine
            single = Alone(sync_engine, eager, manner.options)
            loop = loop_of(pool)
            if loop is not None:
                loop.enter()
            done = nothing if loop is None else loop.leave
            asked = times_cancelled()
            found = await run_in_greenlet(done, single.stopper, single.run, told)
            notice_cancellation(asked)
            return found
    else:
        if alone:
            return Alone(engine, eager, manner.options).run(told)
    with_options = {**manner.options, **options} if options else manner.options
    block = AsyncSessionBlock(
        engine, manner.commit, with_options, eager, manner.snapshot, kind=kind
    )
    if observed is not None:
        block._observe(observed)
    if writers is not None:
        block._tell(writers)
    async with block as session:
        return await session._call(call)
