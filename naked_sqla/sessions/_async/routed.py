"""A session on several databases: each statement goes to the database of its tables."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from naked_sqla.sessions import checks
from naked_sqla.sessions._async.block import AsyncSessionBlock
from naked_sqla.sessions._async.greenlet import nothing, run_in_greenlet
from naked_sqla.sessions._async.session import AsyncSession
from naked_sqla.sessions.calls.base import Call, routed
from naked_sqla.sessions.current import Current
from naked_sqla.sessions.guard import TaskGuard
from naked_sqla.sessions.routing.databases import Databases, Transactions, not_opened
from naked_sqla.sessions.routing.tables import Key
from naked_sqla.sessions.terms import Terms
from naked_sqla.sessions.transaction import Transaction


class AsyncRoutedSession(AsyncSession):
    """An ``AsyncSession`` with a session on each database that it has used, behind one guard."""

    __slots__ = ("_blocks", "_databases", "_eager", "_kind", "_options", "_sessions", "_terms")

    _transaction: Any
    _databases: Databases
    _options: Mapping[str, Any]
    _eager: bool
    _kind: Callable[..., Transaction]
    _terms: Terms | None
    _sessions: dict[Key, AsyncSession]
    _blocks: list[AsyncSessionBlock]

    @classmethod
    def _over(
        cls,
        databases: Databases,
        options: Mapping[str, Any],
        eager: bool,
        kind: Callable[..., Transaction],
    ) -> AsyncRoutedSession:
        session = cls.__new__(cls)
        session._engine = databases.engines[None]
        session._transaction = Transactions(databases.two_phase)
        session._guard = TaskGuard()
        session._secrets, session._hooks = (), None
        session._conn = None  # ASYNC
        session._patient = False  # ASYNC
        session._databases = databases
        session._options = options
        session._eager = eager
        session._kind = kind
        session._terms = None
        session._sessions = {}
        session._blocks = []
        return session

    @property
    def conn(self) -> AsyncConnection:
        """The connection to the default database."""
        found = self._sessions.get(None)
        if found is None:
            raise not_opened("await session.connection()")
        return found.conn

    def get_bind(self, mapper: Any = None, clause: Any = None) -> AsyncEngine:
        """The engine of the database that a model, or a statement, belongs to."""
        engine: AsyncEngine = self._databases.engines[self._databases.routes.of(mapper, clause)]
        return engine

    async def connection(self, bind_key: str | None = None) -> AsyncConnection:
        """The connection to one of the databases, opened at its first use."""
        self._transaction.check_open("connection")
        session = await self._on(
            self._databases.routes.known(bind_key, "connection()"), "connection"
        )
        return session.conn

    def _call(self, call: Call) -> Coroutine[Any, Any, Any]:
        key, call = self._route(call)
        session = self._sessions.get(key)
        if session is not None:
            return session._call(call)
        return self._first_call(key, call)

    async def _first_call(self, key: Key, call: Call) -> Any:
        session = await self._on(key, call.name)
        return await session._call(call)

    async def _stream(self, call: Call) -> Any:
        key, call = self._route(call)
        session = await self._on(key, call.name)
        return await session._stream(call)

    def _route(self, call: Call) -> tuple[Key, Call]:
        self._enter(call.name)
        try:
            return routed(self._databases.routes, call, self._eager)
        finally:
            self._guard.leave()

    async def _on(self, key: Key, what: str) -> AsyncSession:
        """The session on one database, opened at its first use."""
        found = self._sessions.get(key)
        if found is None:
            self._enter(what)
            try:
                # Another thread may have opened it meanwhile.
                found = self._sessions.get(key) or await self._open(key)
            finally:
                self._guard.leave()
        return found

    def _block_on(self, key: Key) -> AsyncSessionBlock:
        """A block on one database, which this session ends."""
        engine = self._databases.engines[key]
        return AsyncSessionBlock(engine, False, self._options, self._eager, kind=self._kind)

    async def _open(self, key: Key) -> AsyncSession:
        checks.begin_options(self._databases.engines[key].sync_engine, self._options)
        block = self._block_on(key)
        block._terms = self._terms
        session = await block.__aenter__()
        transaction = session._transaction
        if self._transaction.groups:
            try:
                await run_in_greenlet(
                    nothing, transaction.stopper, self._transaction.join_savepoints, transaction
                )
            except BaseException:
                self._transaction.forget(transaction)
                await block._give_back(transaction)
                raise
        session._guard = self._guard
        self._patient = self._patient or session._patient  # ASYNC
        self._transaction.add(key, transaction)
        self._sessions[key] = session
        self._blocks.append(block)
        return session


class AsyncRoutedBlock(AsyncSessionBlock):
    """The block that ``begin()`` returns on a factory with ``binds``."""

    __slots__ = ("_databases",)

    _SESSION: ClassVar[type[AsyncRoutedSession]] = AsyncRoutedSession

    def __init__(
        self,
        databases: Databases,
        auto_commit: bool,
        options: Mapping[str, Any],
        eager: bool,
        *,
        current: Current,
        kind: type[Transaction] = Transaction,
    ) -> None:
        engine = databases.engines[None]
        super().__init__(engine, auto_commit, options, eager, current=current, kind=kind)
        self._databases = databases

    async def _opened(self) -> AsyncSession:
        # Connections are opened by the first statement for each.
        session = self._SESSION._over(self._databases, self._options, self._eager, self._kind)
        session._terms = self._terms
        return session

    def _release_turn(self) -> None:
        session: Any = self._session
        for block in session._blocks:
            block._release_turn()
