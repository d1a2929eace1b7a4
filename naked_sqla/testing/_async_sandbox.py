"""The factory of a sandbox, and its sessions: each is a savepoint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from naked_sqla.sessions import checks
from naked_sqla.sessions._async.block import AsyncSessionBlock
from naked_sqla.sessions._async.limited import on_terms
from naked_sqla.sessions._async.reader import AsyncReader
from naked_sqla.sessions._async.session import AsyncSession
from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.resolving import check_resolving
from naked_sqla.sessions.single_call import manner_of
from naked_sqla.sessions.terms import Terms

from ..om.asession import AsyncSessionFactory
from ._level import (
    Level,
    ReadOnlySandboxTransaction,
    SandboxConnection,
    SandboxTransaction,
    note_call,
    open_in_task,
)


class AsyncSandbox:
    """The block that :func:`sandbox` returns; it is entered once."""

    _shared: SandboxConnection

    def __init__(self, db: AsyncSessionFactory, patience: float, options: dict[str, Any]) -> None:
        self._db = db
        self._patience = patience
        # opened and ended as any session is, whatever is cancelled; never committed
        self._block = AsyncSessionBlock(db.engine, False, options, db._eager, snapshot=True)

    async def __aenter__(self) -> AsyncSessionFactory:
        session = await self._block.__aenter__()
        conn = session._transaction.conn
        self._shared = SandboxConnection(conn, self._patience, asyncio.Lock)
        return _AsyncSandboxFactory(self._db, self._shared)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._shared.ended = True
        await self._block.__aexit__(exc_type, exc, traceback)


class _AsyncSandboxFactory(AsyncSessionFactory):
    __slots__ = ("_shared",)

    def __init__(self, db: AsyncSessionFactory, shared: SandboxConnection) -> None:
        super().__init__(db.engine, auto_commit=db.auto_commit, eager=db.eager)
        self._shared = shared
        self._terms = db._terms
        self._current.writers = db._current.writers

    def begin(
        self,
        *,
        timeout: float | None = None,
        statement_timeout: float | None = None,
        lock_timeout: float | None = None,
        settings: Mapping[str, str] | None = None,
        resolve_commit: bool = False,
        **execution_options: Any,
    ) -> AsyncSessionBlock:
        self._shared.check()
        checks.begin_options(self._engine.sync_engine, execution_options)
        if resolve_commit is not False:
            # the answer to a savepoint's release is never lost without the sandbox
            check_resolving(resolve_commit, [self._engine.dialect])
        return on_terms(
            _AsyncSandboxBlock,
            self._terms_of(timeout, statement_timeout, lock_timeout, settings),
            SandboxTransaction,
            self._shared,
            self._engine,
            self._auto_commit,
            execution_options,
            self._eager,
            current=self._current,
        )

    def read(
        self,
        *,
        timeout: float | None = None,
        statement_timeout: float | None = None,
        lock_timeout: float | None = None,
        settings: Mapping[str, str] | None = None,
        **execution_options: Any,
    ) -> AsyncReader:
        terms = self._terms_of(timeout, statement_timeout, lock_timeout, settings)
        return _AsyncSandboxReader(self._shared, self, execution_options, terms)

    async def _call(self, call: Call) -> Any:
        manner = manner_of(self._engine.sync_engine, self._auto_commit, self._eager, call)
        self._shared.check()
        block = on_terms(
            _AsyncSandboxBlock,
            self._terms,
            SandboxTransaction,
            self._shared,
            self._engine,
            manner.commit,
            {},
            self._eager,
        )
        if self._current.writers is not None:
            block._tell(self._current.writers)
        async with block as session:
            return await session._call(call)


class _AsyncSandboxReader(AsyncReader):
    """Reads on the connection of the sandbox, also where the factory has a ``reader``."""

    __slots__ = ("_shared",)

    def __init__(
        self,
        shared: SandboxConnection,
        db: AsyncSessionFactory,
        options: dict[str, Any],
        terms: Terms | None,
    ) -> None:
        super().__init__(db._engine, db._eager, options, db._current, None, terms)
        self._shared = shared

    def _make_block(self) -> AsyncSessionBlock:
        self._shared.check()
        checks.begin_options(self._engine.sync_engine, self._options)
        return on_terms(
            _AsyncSandboxBlock,
            self._terms,
            ReadOnlySandboxTransaction,
            self._shared,
            self._engine,
            False,
            self._options,
            self._eager,
            current=self._current,
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
        transaction.terms = self._terms
        try:
            await self._connect(transaction)
        except BaseException:
            self._level.step_out()
            raise
        session = _AsyncSandboxSession._begun(self._engine, transaction)
        self._session = session
        if self._hooks is not None:
            session._hooks = self._hooks
        if self._current is not None:
            self._entry = self._current.enter(asyncio.current_task(), session)
        return session

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        hooks = self._session._hooks
        if hooks is not None and not hooks.ending:
            await hooks.leave(self, exc_type, exc, traceback)
            return
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
