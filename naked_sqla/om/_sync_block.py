"""The block in which a synchronous session lives."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from ..exception import ConcurrentSessionUse
from . import _checks
from ._current import Current, Entry
from ._sync_session import Session
from ._turns import Turns, turns_of
from ._work import Work


class SessionBlock:
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
    )

    _session: Session

    def __init__(
        self,
        engine: Engine,
        auto_commit: bool,
        options: Mapping[str, Any],
        eager: bool,
        snapshot: bool = False,
        current: Current | None = None,
    ) -> None:
        self._engine = engine
        self._auto_commit = auto_commit
        self._options = options
        self._eager = eager
        self._snapshot = snapshot
        self._current = current
        self._entered = False
        self._entry: Entry | None = None
        self._turns: Turns | None = None

    def __enter__(self) -> Session:
        if self._entered:
            _checks.entered_twice()
        self._entered = True
        self._turns = turns_of(self._engine.pool)
        if self._turns is not None:
            self._turns.take_in_thread()
        work = Work(eager=self._eager)
        try:
            work.connect(self._engine, self._options, self._snapshot)
        except BaseException:
            if work.connected:
                work.release(quietly=True)
            self._release_turn()
            raise
        self._session = session = Session._begun(work)
        if self._current is not None:
            self._entry = self._current.enter(threading.current_thread(), session)
        return session

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._entry is not None and self._current is not None:
            self._current.leave(self._entry)
        work, guard = self._session._work, self._session._guard
        failed = exc_type is not None
        pending, work.open = work.open, False
        inside = guard.holder
        guard.wait_and_enter()
        try:
            commit = self._auto_commit and not failed and inside is None
            work.finish(pending, commit, failed)
        finally:
            guard.leave()
            self._release_turn()
        if inside is not None and exc_type is None:
            raise ConcurrentSessionUse(_checks.left_while_inside("thread", inside))

    def _release_turn(self) -> None:
        if self._turns is not None:
            self._turns.release()

    if not TYPE_CHECKING:
        # Only here to say what to write: a type checker is not to find it.

        def __aenter__(self):
            _checks.not_with()

        def __aexit__(self, *_):
            return None
