"""Reading from a replica: sessions and single calls that write nothing."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from naked_sqla.sessions import checks
from naked_sqla.sessions._async.block import AsyncSessionBlock, run_single_call
from naked_sqla.sessions._async.calls import AsyncCalls
from naked_sqla.sessions._async.limited import on_terms, run_on_terms
from naked_sqla.sessions._async.pages import AsyncPages
from naked_sqla.sessions.calls.base import routed
from naked_sqla.sessions.misuse import AsyncBlock
from naked_sqla.sessions.read_only import ReadOnlyTransaction, refuse_writes

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from naked_sqla.sessions._async.session import AsyncSession
    from naked_sqla.sessions.calls.base import Call
    from naked_sqla.sessions.current import Current
    from naked_sqla.sessions.routing.databases import Databases
    from naked_sqla.sessions.terms import Terms


class AsyncReader(AsyncCalls, AsyncPages, AsyncBlock):
    """The value of :meth:`AsyncSessionFactory.read`: a block, or calls that run one statement.

    ``async with db.read() as session:`` is one read-only transaction, and is entered once.
    ``await db.read().scalars(...)`` runs one statement, as on the factory.
    """

    __slots__ = ("_block", "_current", "_databases", "_eager", "_engine", "_options", "_terms")

    _WRITTEN = ("db.read()", "a session", "db.read() as session")

    def __init__(
        self,
        engine: AsyncEngine,
        eager: bool,
        options: Mapping[str, Any],
        current: Current,
        databases: Databases | None,
        terms: Terms | None,
    ) -> None:
        self._engine = engine
        self._eager = eager
        self._options = options
        self._current = current
        self._secrets = current.secrets
        self._databases = databases
        self._terms = terms
        self._block: AsyncSessionBlock | None = None

    async def __aenter__(self) -> AsyncSession:
        if self._block is not None:
            checks.entered_twice("read")
        self._block = self._make_block()
        return await self._block.__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._block is not None:
            await self._block.__aexit__(exc_type, exc, traceback)

    def _make_block(self) -> AsyncSessionBlock:
        # Nothing was written: a rollback ends it as well as a commit, and never fails for that.
        options, eager, current = self._options, self._eager, self._current
        if self._databases is None:
            checks.begin_options(self._engine.sync_engine, options)
            return on_terms(
                AsyncSessionBlock,
                self._terms,
                ReadOnlyTransaction,
                self._engine,
                False,
                options,
                eager,
                current=current,
            )
        from naked_sqla.sessions._async.routed import AsyncRoutedBlock

        return on_terms(
            AsyncRoutedBlock,
            self._terms,
            ReadOnlyTransaction,
            self._databases,
            False,
            options,
            eager,
            current=current,
        )

    def _call(self, call: Call) -> Coroutine[Any, Any, Any]:
        refuse_writes(call)
        engine = self._engine
        if self._databases is not None:
            key, call = routed(self._databases.routes, call, self._eager)
            engine = self._databases.engines[key]
        observers = self._current.observers
        observed = None if observers is None else observers.session()
        options, kind = self._options, ReadOnlyTransaction
        if self._terms is not None:
            return run_on_terms(
                self._terms, engine, True, self._eager, call, options, kind, observed
            )
        return run_single_call(engine, True, self._eager, call, options, kind, observed)
