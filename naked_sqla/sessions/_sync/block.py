# Generated from naked_sqla/sessions/_async/block.py by tools/async_to_sync.py: do not edit.
"""The block in which a synchronous session lives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout

from naked_sqla.exception import ConcurrentSessionUse
from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.session import Session
from naked_sqla.sessions.alone import Alone
from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.connection_queue import ConnectionQueue, queue_of
from naked_sqla.sessions.current import Current, Entry
from naked_sqla.sessions.ending import Outcome
from naked_sqla.sessions.misuse import Block
from naked_sqla.sessions.single_call import manner_of
from naked_sqla.sessions.transaction import Transaction

if TYPE_CHECKING:
    from naked_sqla.sessions._sync.hooks import Hooks
    from naked_sqla.sessions.noting import Writers
    from naked_sqla.sessions.observed import Observed
    from naked_sqla.sessions.terms import Terms


class SessionBlock(Block):
    """The block that :meth:`SessionFactory.begin` returns; it is entered once."""

    __slots__ = (
        "_auto_commit",
        "_current",
        "_eager",
        "_engine",
        "_entered",
        "_entry",
        "_hooks",
        "_kind",
        "_observed",
        "_options",
        "_queue",
        "_session",
        "_snapshot",
        "_terms",
    )

    _WRITTEN = ("db.begin()", "a session", "db.begin() as session")

    _session: Session

    def __init__(
        self,
        engine: Engine,
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
        self._hooks: Hooks | None = None
        if current is not None and current.writers is not None:
            self._tell(current.writers)
        self._terms: Terms | None = None
        self._entered = False
        self._entry: Entry | None = None
        self._queue: ConnectionQueue | None = None

    def __enter__(self) -> Session:
        if self._entered:
            checks.entered_twice()
        self._entered = True
        try:
            self._session = session = self._opened()
        except PoolTimeout as error:
            if self._current is not None:
                self._current.explain(error, threading.current_thread(), "thread")
            raise
        if self._observed is not None:
            self._observed.over(session)
        if self._hooks is not None:
            session._hooks = self._hooks
        if self._current is not None:
            session._secrets = self._current.secrets
            self._entry = self._current.enter(threading.current_thread(), session)
        return session

    def _observe(self, observed: Observed) -> None:
        """Have the session tell what it does."""
        self._observed = observed
        self._kind = observed.kind(self._kind)

    def _tell(self, writers: Writers) -> None:
        """Have the functions of ``on_write()`` told what the session writes."""
        # imported where it is needed: without such functions nobody pays for it
        from naked_sqla.sessions._sync.hooks import Hooks
        from naked_sqla.sessions.noting import noting

        self._hooks = hooks = Hooks(writers)
        self._kind = noting(self._kind, hooks.notes)

    def _opened(self) -> Session:
        self._queue = queue_of(self._engine.pool)
        if self._queue is not None:
            self._queue.take_in_thread()
        transaction = self._kind(eager=self._eager)
        transaction.terms = self._terms
        self._connect(transaction)
        return Session._begun(self._engine, transaction)

    def _connect(self, transaction: Transaction) -> None:
        """Open the connection and begin; when this fails, or is torn, leave nothing behind."""
        try:
            transaction.connect(self._engine, self._options, self._snapshot)
        except BaseException:
            self._give_back(transaction)
            raise

    def _give_back(self, transaction: Transaction) -> None:
        """Give back the connection and the turn of a block that could not be entered."""
        try:
            if transaction.connected:
                transaction.release(quietly=True)
        finally:
            self._release_turn()

    @property
    def outcome(self) -> Outcome:
        """What became of what the session did, see :attr:`Session.outcome`."""
        return self._session.outcome if hasattr(self, "_session") else "open"

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        hooks = self._session._hooks
        if hooks is not None and not hooks.ending:
            return hooks.leave(self, exc_type, exc, traceback)
        return self._end(exc_type, exc, traceback)

    def _end(
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
        try:
            self._finish(pending, commit, failed)
        finally:
            self._release_turn()
        if inside is not None and not failed:
            raise ConcurrentSessionUse(checks.left_while_inside("thread", inside))

    def _finish(self, pending: bool, commit: bool, failed: bool) -> None:
        guard = self._session._guard
        guard.wait_and_enter()
        try:
            self._session._transaction.finish(pending, commit, failed)
        finally:
            guard.leave()

    def _release_turn(self) -> None:
        if self._queue is not None:
            self._queue.release()


def run_single_call(
    engine: Engine,
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
    manner = manner_of(engine, auto_commit, eager, call)
    pool = engine.pool
    alone = manner.alone and not options and queue_of(pool) is None
    told = observed.seen(call) if alone and observed is not None else call
    if alone:
        return Alone(engine, eager, manner.options).run(told)
    with_options = {**manner.options, **options} if options else manner.options
    block = SessionBlock(engine, manner.commit, with_options, eager, manner.snapshot, kind=kind)
    if observed is not None:
        block._observe(observed)
    if writers is not None:
        block._tell(writers)
    with block as session:
        return session._call(call)
