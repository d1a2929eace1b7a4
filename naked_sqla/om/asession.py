"""Sessions on an asynchronous engine: the factory that opens them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy.ext.asyncio import AsyncEngine

from ..exception import InvalidSessionState
from . import _checks, _oneshot
from ._async_block import AsyncSessionBlock
from ._async_calls import AsyncCalls
from ._async_pages import AsyncPages
from ._async_session import AsyncSession
from ._async_writes import AsyncWrites
from ._cancel import needs_connecting, stopper
from ._current import Current, in_task
from ._hop import hop, nothing, noticing_cancellation
from ._turns import turns_of
from ._work import Work

__all__ = ("AsyncSession", "AsyncSessionFactory", "InvalidSessionState")


class AsyncSessionFactory(AsyncCalls, AsyncPages, AsyncWrites):
    """Opens sessions on an engine.  One for an application; it holds no connection.

    :param engine: of ``sqlalchemy.ext.asyncio.create_async_engine()``.
    :param auto_commit: commit at the end of a block that was left without an exception.
    :param eager: ``"mapped"`` loads the relationships that are mapped to be loaded eagerly
        (``lazy="selectin"`` and its kin); ``"explicit"`` only those that a statement asks for.
    :raises TypeError: for anything else as engine, or an ``auto_commit`` that is no bool.
    :raises ValueError: for another word as ``eager``.

    A call such as ``await db.scalars(select(User))`` runs one statement, with no block around it.
    """

    __slots__ = ("__weakref__", "_auto_commit", "_current", "_eager", "_engine")

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
        self._current = Current()

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
        return AsyncSessionBlock(
            self._engine, self._auto_commit, execution_options, self._eager, current=self._current
        )

    def current_session(self) -> AsyncSession:
        """The innermost session that this task has opened, for code too deep to pass it to.

        A child task does not have the session of the task that started it.

        :raises InvalidSessionState: outside of a block of this factory.
        """
        session: AsyncSession = in_task(self._current)
        return session

    async def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        engine = self._engine.sync_engine
        plan = _oneshot.plan(engine, self._auto_commit, self._eager, fn, args)
        if plan.alone and turns_of(engine.pool) is None and not needs_connecting(engine.pool):
            work = Work(eager=self._eager)
            stop = stopper(work, engine)
            with noticing_cancellation():
                return await hop(nothing, stop, work.once, engine, plan.options, fn, *args)
        block = AsyncSessionBlock(
            self._engine, plan.commit, plan.options, self._eager, plan.snapshot
        )
        async with block as session:
            return await session._call(fn, *args)

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            _checks.no_such_attribute(self, name, of_a_factory=True)
