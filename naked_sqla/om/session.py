"""Sessions on a synchronous engine: the factory that opens them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Engine

from ..exception import InvalidSessionState
from . import _checks, _oneshot
from ._current import Current, in_thread
from ._sync_block import SessionBlock
from ._sync_calls import SyncCalls
from ._sync_pages import SyncPages
from ._sync_session import Session
from ._sync_writes import SyncWrites
from ._turns import turns_of
from ._work import Work

__all__ = ("InvalidSessionState", "Session", "SessionFactory")


class SessionFactory(SyncCalls, SyncPages, SyncWrites):
    """Opens sessions on an engine.  One for an application; it holds no connection.

    :param engine: of ``sqlalchemy.create_engine()``.
    :param auto_commit: commit at the end of a block that was left without an exception.
    :param eager: ``"mapped"`` loads the relationships that are mapped to be loaded eagerly
        (``lazy="selectin"`` and its kin); ``"explicit"`` only those that a statement asks for.
    :raises TypeError: for anything else as engine, or an ``auto_commit`` that is no bool.
    :raises ValueError: for another word as ``eager``.

    A call such as ``db.scalars(select(User))`` runs one statement, with no block around it.
    """

    __slots__ = ("__weakref__", "_auto_commit", "_current", "_eager", "_engine")

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
        self._current = Current()

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
        return SessionBlock(
            self._engine, self._auto_commit, execution_options, self._eager, current=self._current
        )

    def current_session(self) -> Session:
        """The innermost session that this thread has opened, for code too deep to pass it to.

        A thread does not have the session of the thread that started it.

        :raises InvalidSessionState: outside of a block of this factory.
        """
        session: Session = in_thread(self._current)
        return session

    def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        plan = _oneshot.plan(self._engine, self._auto_commit, self._eager, fn, args)
        if plan.alone and turns_of(self._engine.pool) is None:
            return Work(eager=self._eager).once(self._engine, plan.options, fn, *args)
        block = SessionBlock(self._engine, plan.commit, plan.options, self._eager, plan.snapshot)
        with block as session:
            return session._call(fn, *args)

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            _checks.no_such_attribute(self, name, of_a_factory=True)
