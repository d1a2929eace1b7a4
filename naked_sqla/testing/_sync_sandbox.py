# Generated from naked_sqla/testing/_async_sandbox.py by tools/async_to_sync.py: do not edit.
"""The factory of a sandbox, and its sessions: each is a savepoint."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.block import SessionBlock
from naked_sqla.sessions._sync.limited import on_terms
from naked_sqla.sessions._sync.reader import Reader
from naked_sqla.sessions._sync.session import Session
from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.resolving import check_resolving
from naked_sqla.sessions.single_call import manner_of
from naked_sqla.sessions.terms import Terms

from ..om.session import SessionFactory
from ._level import (
    Level,
    ReadOnlySandboxTransaction,
    SandboxConnection,
    SandboxTransaction,
    note_call,
    open_in_thread,
)


class Sandbox:
    """The block that :func:`sandbox` returns; it is entered once."""

    _shared: SandboxConnection

    def __init__(self, db: SessionFactory, patience: float, options: dict[str, Any]) -> None:
        self._db = db
        self._patience = patience
        # opened and ended as any session is, whatever is cancelled; never committed
        self._block = SessionBlock(db.engine, False, options, db._eager, snapshot=True)

    def __enter__(self) -> SessionFactory:
        session = self._block.__enter__()
        conn = session._transaction.conn
        self._shared = SandboxConnection(conn, self._patience, threading.Lock)
        return _SandboxFactory(self._db, self._shared)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._shared.ended = True
        self._block.__exit__(exc_type, exc, traceback)


class _SandboxFactory(SessionFactory):
    __slots__ = ("_shared",)

    def __init__(self, db: SessionFactory, shared: SandboxConnection) -> None:
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
    ) -> SessionBlock:
        self._shared.check()
        checks.begin_options(self._engine, execution_options)
        if resolve_commit is not False:
            # the answer to a savepoint's release is never lost without the sandbox
            check_resolving(resolve_commit, [self._engine.dialect])
        return on_terms(
            _SandboxBlock,
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
    ) -> Reader:
        terms = self._terms_of(timeout, statement_timeout, lock_timeout, settings)
        return _SandboxReader(self._shared, self, execution_options, terms)

    def _call(self, call: Call) -> Any:
        manner = manner_of(self._engine, self._auto_commit, self._eager, call)
        self._shared.check()
        block = on_terms(
            _SandboxBlock,
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
        with block as session:
            return session._call(call)


class _SandboxReader(Reader):
    """Reads on the connection of the sandbox, also where the factory has a ``reader``."""

    __slots__ = ("_shared",)

    def __init__(
        self,
        shared: SandboxConnection,
        db: SessionFactory,
        options: dict[str, Any],
        terms: Terms | None,
    ) -> None:
        super().__init__(db._engine, db._eager, options, db._current, None, terms)
        self._shared = shared

    def _make_block(self) -> SessionBlock:
        self._shared.check()
        checks.begin_options(self._engine, self._options)
        return on_terms(
            _SandboxBlock,
            self._terms,
            ReadOnlySandboxTransaction,
            self._shared,
            self._engine,
            False,
            self._options,
            self._eager,
            current=self._current,
        )

    def _call(self, call: Call) -> Any:
        with self._make_block() as session:
            return session._call(call)


class _SandboxBlock(SessionBlock):
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

    def __enter__(self) -> Session:
        if self._entered:
            checks.entered_twice()
        self._entered = True
        self._level = open_in_thread(self._shared.innermost())
        kind: Any = self._kind
        transaction = kind(self._level, self._eager)
        transaction.terms = self._terms
        try:
            self._connect(transaction)
        except BaseException:
            self._level.step_out()
            raise
        session = _SandboxSession._begun(self._engine, transaction)
        self._session = session
        if self._hooks is not None:
            session._hooks = self._hooks
        if self._current is not None:
            self._entry = self._current.enter(threading.current_thread(), session)
        return session

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        hooks = self._session._hooks
        if hooks is not None and not hooks.ending:
            hooks.leave(self, exc_type, exc, traceback)
            return
        try:
            super().__exit__(exc_type, exc, traceback)
        finally:
            self._level.step_out()

    def _release_turn(self) -> None:
        self._level.leave()


class _SandboxSession(Session):
    __slots__ = ()

    def _call(self, call: Call) -> Any:
        note_call(self._transaction, call)
        return super()._call(call)
