# Generated from naked_sqla/sessions/_async/block.py by tools/async_to_sync.py: do not edit.
"""The block in which a synchronous session lives."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from sqlalchemy import Engine

from naked_sqla.exception import ConcurrentSessionUse
from naked_sqla.sessions import checks
from naked_sqla.sessions import single_call as oneshot
from naked_sqla.sessions._sync.session import Session
from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.connection_queue import Turns, turns_of
from naked_sqla.sessions.current import Current, Entry
from naked_sqla.sessions.misuse import Block
from naked_sqla.sessions.transaction import Work


class SessionBlock(Block):
    """What :meth:`SessionFactory.begin` returns, to be entered once."""

    __slots__ = (
        "_auto_commit",
        "_current",
        "_eager",
        "_engine",
        "_entered",
        "_entry",
        "_options",
        "_session",
        "_snapshot",
        "_turns",
        "_work",
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
        work: type[Work] = Work,
    ) -> None:
        self._engine = engine
        self._auto_commit = auto_commit
        self._options = options
        self._eager = eager
        self._snapshot = snapshot
        self._current = current
        self._work = work
        self._entered = False
        self._entry: Entry | None = None
        self._turns: Turns | None = None

    def __enter__(self) -> Session:
        if self._entered:
            checks.entered_twice()
        self._entered = True
        self._session = session = self._opened()
        if self._current is not None:
            self._entry = self._current.enter(threading.current_thread(), session)
        return session

    def _opened(self) -> Session:
        self._turns = turns_of(self._engine.pool)
        if self._turns is not None:
            self._turns.take_in_thread()
        work = self._work(eager=self._eager)
        self._connect(work)
        return Session._begun(self._engine, work)

    def _connect(self, work: Work) -> None:
        """Open the connection and begin; when this fails, or is torn, leave nothing behind."""
        try:
            work.connect(self._engine, self._options, self._snapshot)
        except BaseException:
            self._give_back(work)
            raise

    def _give_back(self, work: Work) -> None:
        """Undo what was opened for a block that is not entered after all."""
        try:
            if work.connected:
                work.release(quietly=True)
        finally:
            self._release_turn()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._entry is not None and self._current is not None:
            self._current.leave(self._entry)
        session, failed = self._session, exc_type is not None
        pending, session._work.open = session._work.open, False
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
            self._session._work.finish(pending, commit, failed)
        finally:
            guard.leave()

    def _release_turn(self) -> None:
        if self._turns is not None:
            self._turns.release()


def once(
    engine: Engine,
    auto_commit: bool,
    eager: bool,
    call: Call,
    options: Mapping[str, Any] | None = None,
    work: type[Work] = Work,
) -> Any:
    """Run a call as a transaction of its own, or without one.

    :param options: for the connection; where there are any, the transaction is needed.
    """
    plan = oneshot.plan(engine, auto_commit, eager, call)
    pool = engine.pool
    alone = plan.alone and not options and turns_of(pool) is None
    if alone:
        return Work(eager=eager).once(engine, plan.options, call)
    with_options = {**plan.options, **options} if options else plan.options
    block = SessionBlock(engine, plan.commit, with_options, eager, plan.snapshot, work=work)
    with block as session:
        return session._call(call)
