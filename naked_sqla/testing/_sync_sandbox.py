# Generated from naked_sqla/testing/_async_sandbox.py by tools/async_to_sync.py: do not edit.
"""The factory of a sandbox, and its sessions: each is a savepoint."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from naked_sqla.sessions import checks
from naked_sqla.sessions import single_call as oneshot
from naked_sqla.sessions._sync.block import SessionBlock
from naked_sqla.sessions._sync.reader import Reader
from naked_sqla.sessions._sync.session import Session
from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.connection_queue import turns_of
from naked_sqla.sessions.idle import give_back

from ..om.session import SessionFactory
from ._level import (
    Box,
    Level,
    ReadingSandboxWork,
    SandboxWork,
    begin,
    end,
    note_call,
    take_in_thread,
)


class Sandbox:
    """What :func:`sandbox` returns, to be entered once."""

    _conn: Any
    _box: Box

    def __init__(self, db: SessionFactory, patience: float, options: dict[str, Any]) -> None:
        self._db = db
        self._patience = patience
        self._options = options
        self._turns = turns_of(db.engine.pool)

    def __enter__(self) -> SessionFactory:
        db = self._db
        if self._turns is not None:
            self._turns.take_in_thread()
        try:
            conn = db.engine.connect()
            self._conn = conn
            try:
                begin(conn, self._options)
            except BaseException:
                give_back(self._conn)
                raise
        except BaseException:
            self._release_turn()
            raise
        self._box = Box(self._conn, self._patience, threading.Lock)
        return _SandboxFactory(db, self._box)

    def __exit__(self, *_: object) -> None:
        self._box.ended = True
        try:
            end(self._conn)
        finally:
            self._release_turn()

    def _release_turn(self) -> None:
        if self._turns is not None:
            self._turns.release()


class _SandboxFactory(SessionFactory):
    __slots__ = ("_box",)

    def __init__(self, db: SessionFactory, box: Box) -> None:
        super().__init__(db.engine, auto_commit=db.auto_commit, eager=db.eager)
        self._box = box

    def begin(self, **execution_options: Any) -> SessionBlock:
        self._box.check()
        checks.begin_options(self._engine, execution_options)
        return _SandboxBlock(
            self._box,
            self._engine,
            self._auto_commit,
            execution_options,
            self._eager,
            current=self._current,
        )

    def read(self, **execution_options: Any) -> Reader:
        return _SandboxReader(self._box, self, execution_options)

    def _call(self, call: Call) -> Any:
        plan = oneshot.plan(self._engine, self._auto_commit, self._eager, call)
        self._box.check()
        block = _SandboxBlock(self._box, self._engine, plan.commit, {}, self._eager)
        with block as session:
            return session._call(call)


class _SandboxReader(Reader):
    """Reads what the sandbox has, a replica or not."""

    __slots__ = ("_box",)

    def __init__(self, box: Box, db: SessionFactory, options: dict[str, Any]) -> None:
        super().__init__(db._engine, db._eager, options, db._current, None)
        self._box = box

    def _make_block(self) -> SessionBlock:
        self._box.check()
        checks.begin_options(self._engine, self._options)
        return _SandboxBlock(
            self._box,
            self._engine,
            False,
            self._options,
            self._eager,
            current=self._current,
            kind=ReadingSandboxWork,
        )

    def _call(self, call: Call) -> Any:
        with self._make_block() as session:
            return session._call(call)


class _SandboxBlock(SessionBlock):
    __slots__ = ("_box", "_kind", "_level")

    _level: Level

    def __init__(
        self, box: Box, *args: Any, kind: type[SandboxWork] = SandboxWork, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._box = box
        self._kind = kind

    def __enter__(self) -> Session:
        if self._entered:
            checks.entered_twice()
        self._entered = True
        self._level = take_in_thread(self._box.innermost())
        work: Any = self._kind(self._level, self._eager)
        try:
            self._connect(work)
        except BaseException:
            self._level.step_out()
            raise
        session = _SandboxSession._begun(self._engine, work)
        self._session = session
        if self._current is not None:
            self._entry = self._current.enter(threading.current_thread(), session)
        return session

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(exc_type, exc, traceback)
        finally:
            self._level.step_out()

    def _release_turn(self) -> None:
        self._level.leave()


class _SandboxSession(Session):
    __slots__ = ()

    def _call(self, call: Call) -> Any:
        note_call(self._work, call)
        return super()._call(call)
