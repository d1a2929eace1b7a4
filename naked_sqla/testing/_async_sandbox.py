"""The factory of a sandbox, and its sessions: each is a savepoint."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from naked_sqla.sessions import checks
from naked_sqla.sessions._async.block import AsyncSessionBlock
from naked_sqla.sessions._async.greenlet import run_to_end, shielded, start
from naked_sqla.sessions._async.reader import AsyncReader
from naked_sqla.sessions._async.session import AsyncSession
from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.connection_queue import queue_of
from naked_sqla.sessions.idle import give_back
from naked_sqla.sessions.single_call import manner_of

from ..om.asession import AsyncSessionFactory
from ._level import (
    Level,
    ReadOnlySandboxTransaction,
    SandboxConnection,
    SandboxTransaction,
    begin,
    end,
    note_call,
    open_in_task,
)


class AsyncSandbox:
    """The block that :func:`sandbox` returns; it is entered once."""

    _conn: Any
    _shared: SandboxConnection

    def __init__(self, db: AsyncSessionFactory, patience: float, options: dict[str, Any]) -> None:
        self._db = db
        self._patience = patience
        self._options = options
        self._queue = queue_of(db.engine.sync_engine.pool)

    async def __aenter__(self) -> AsyncSessionFactory:
        db = self._db
        if self._queue is not None:
            await self._queue.take_in_task()
        try:
            conn = await db.engine.connect()
            self._conn = conn.sync_connection
            try:
                await conn.run_sync(begin, self._options)
            except BaseException:
                if True:  # ASYNC
                    await shielded(start(run_to_end(give_back, self._conn)))
                else:
                    give_back(self._conn)
                raise
        except BaseException:
            self._release_turn()
            raise
        self._shared = SandboxConnection(self._conn, self._patience, asyncio.Lock)
        return _AsyncSandboxFactory(db, self._shared)

    async def __aexit__(self, *_: object) -> None:
        self._shared.ended = True
        if True:  # ASYNC
            await shielded(start(run_to_end(end, self._conn), self._release_turn))
        else:
            try:
                end(self._conn)
            finally:
                self._release_turn()

    def _release_turn(self) -> None:
        if self._queue is not None:
            self._queue.release()


class _AsyncSandboxFactory(AsyncSessionFactory):
    __slots__ = ("_shared",)

    def __init__(self, db: AsyncSessionFactory, shared: SandboxConnection) -> None:
        super().__init__(db.engine, auto_commit=db.auto_commit, eager=db.eager)
        self._shared = shared

    def begin(self, **execution_options: Any) -> AsyncSessionBlock:
        self._shared.check()
        checks.begin_options(self._engine.sync_engine, execution_options)
        return _AsyncSandboxBlock(
            self._shared,
            self._engine,
            self._auto_commit,
            execution_options,
            self._eager,
            current=self._current,
        )

    def read(self, **execution_options: Any) -> AsyncReader:
        return _AsyncSandboxReader(self._shared, self, execution_options)

    async def _call(self, call: Call) -> Any:
        manner = manner_of(self._engine.sync_engine, self._auto_commit, self._eager, call)
        self._shared.check()
        block = _AsyncSandboxBlock(self._shared, self._engine, manner.commit, {}, self._eager)
        async with block as session:
            return await session._call(call)


class _AsyncSandboxReader(AsyncReader):
    """Reads on the connection of the sandbox, also where the factory has a ``reader``."""

    __slots__ = ("_shared",)

    def __init__(
        self, shared: SandboxConnection, db: AsyncSessionFactory, options: dict[str, Any]
    ) -> None:
        super().__init__(db._engine, db._eager, options, db._current, None)
        self._shared = shared

    def _make_block(self) -> AsyncSessionBlock:
        self._shared.check()
        checks.begin_options(self._engine.sync_engine, self._options)
        return _AsyncSandboxBlock(
            self._shared,
            self._engine,
            False,
            self._options,
            self._eager,
            current=self._current,
            kind=ReadOnlySandboxTransaction,
        )

    async def _call(self, call: Call) -> Any:
        async with self._make_block() as session:
            return await session._call(call)


class _AsyncSandboxBlock(AsyncSessionBlock):
    __slots__ = ("_level", "_shared")

    _level: Level

    def __init__(
        self,
        shared: SandboxConnection,
        *args: Any,
        kind: type[SandboxTransaction] = SandboxTransaction,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, kind=kind, **kwargs)
        self._shared = shared

    async def __aenter__(self) -> AsyncSession:
        if self._entered:
            checks.entered_twice()
        self._entered = True
        self._level = await open_in_task(self._shared.innermost())
        kind: Any = self._kind
        transaction = kind(self._level, self._eager)
        try:
            await self._connect(transaction)
        except BaseException:
            self._level.step_out()
            raise
        session = _AsyncSandboxSession._begun(self._engine, transaction)
        self._session = session
        if self._current is not None:
            self._entry = self._current.enter(asyncio.current_task(), session)
        return session

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await super().__aexit__(exc_type, exc, traceback)
        finally:
            self._level.step_out()

    def _release_turn(self) -> None:
        self._level.leave()


class _AsyncSandboxSession(AsyncSession):
    __slots__ = ()

    def _call(self, call: Call) -> Any:
        note_call(self._transaction, call)
        return super()._call(call)
