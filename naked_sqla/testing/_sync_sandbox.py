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
from naked_sqla.sessions._sync.routed import RoutedBlock, RoutedSession
from naked_sqla.sessions._sync.session import Session
from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.resolving import check_resolving
from naked_sqla.sessions.routing.tables import Key
from naked_sqla.sessions.single_call import manner_of
from naked_sqla.sessions.terms import Terms

from ..om.session import SessionFactory
from ._level import (
    Level,
    ReadOnlySandboxTransaction,
    SandboxConnection,
    SandboxDatabases,
    SandboxTransaction,
    check_databases,
    note_call,
    open_in_thread,
)


class Sandbox:
    """The block that :func:`sandbox` returns; it is entered once."""

    def __init__(self, db: SessionFactory, patience: float, options: dict[str, Any]) -> None:
        self._db = db
        self._patience = patience
        databases = db._databases
        engines: Any = {None: db.engine} if databases is None else databases.engines
        check_databases(engines)
        for engine in engines.values():
            checks.begin_options(engine, options)
        # opened and ended as any session is, whatever is cancelled; never committed
        self._blocks = {
            key: SessionBlock(engine, False, options, db._eager, snapshot=True)
            for key, engine in engines.items()
        }
        self._shared: dict[Key, SandboxConnection] = {}

    def __enter__(self) -> SessionFactory:
        try:
            for key, block in self._blocks.items():
                session = block.__enter__()
                conn = session._transaction.conn
                self._shared[key] = SandboxConnection(conn, self._patience, threading.Lock)
        except BaseException as error:
            self._end(type(error), error, error.__traceback__)
            raise
        return _SandboxFactory(self._db, self._shared)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(exc_type, exc, traceback)

    def _end(self, *raised: Any) -> None:
        """End the blocks that were entered."""
        first: BaseException | None = None
        for key, shared in self._shared.items():
            shared.ended = True
            try:
                self._blocks[key].__exit__(*raised)
            except BaseException as error:  # noqa: BLE001 - it comes out when all have ended
                first = first or error
        if first is not None:
            raise first


class _SandboxFactory(SessionFactory):
    __slots__ = ("_shared",)

    def __init__(self, db: SessionFactory, shared: Mapping[Key, SandboxConnection]) -> None:
        super().__init__(
            db.engine, auto_commit=db.auto_commit, eager=db.eager, secret=db._secrets or None
        )
        self._shared = shared[None]
        if db._databases is not None:
            # nothing is committed, and so nothing is prepared
            engines, routes = db._databases.engines, db._databases.routes
            self._databases = SandboxDatabases(engines, routes, False, shared)
        self._terms = db._terms
        self._current.observers = db._current.observers
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
        terms = self._terms_of(timeout, statement_timeout, lock_timeout, settings)
        return self._block(terms, self._auto_commit, execution_options, current=self._current)

    def _block(
        self, terms: Terms | None, commit: bool, options: Mapping[str, Any], **more: Any
    ) -> SessionBlock:
        if self._databases is not None:
            return on_terms(
                _SandboxRoutedBlock,
                terms,
                SandboxTransaction,
                self._databases,
                commit,
                options,
                self._eager,
                current=more.get("current"),
            )
        return on_terms(
            _SandboxBlock,
            terms,
            SandboxTransaction,
            self._shared,
            self._engine,
            commit,
            options,
            self._eager,
            **more,
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
        block = self._block(self._terms, manner.commit, {})
        if self._current.observers is not None:
            block._observe(self._current.observers.session())
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
        databases = db._databases and db._databases.reading(db._engine)
        super().__init__(db._engine, db._eager, options, db._current, databases, terms)
        self._shared = shared

    def _make_block(self) -> SessionBlock:
        self._shared.check()
        checks.begin_options(self._engine, self._options)
        if self._databases is not None:
            return on_terms(
                _SandboxRoutedBlock,
                self._terms,
                ReadOnlySandboxTransaction,
                self._databases,
                False,
                self._options,
                self._eager,
                current=self._current,
            )
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

    def _opened(self) -> Session:
        self._level = open_in_thread(self._shared.innermost())
        kind: Any = self._kind
        transaction = kind(self._level, self._eager)
        transaction.terms = self._terms
        try:
            self._connect(transaction)
        except BaseException:
            self._level.step_out()
            raise
        return _SandboxSession._begun(self._engine, transaction)

    def _end(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            super()._end(exc_type, exc, traceback)
        finally:
            self._level.step_out()

    def _release_turn(self) -> None:
        self._level.leave()


class _SandboxSession(Session):
    __slots__ = ()

    def _call(self, call: Call) -> Any:
        note_call(self._transaction, call)
        return super()._call(call)


class _SandboxRoutedSession(RoutedSession):
    __slots__ = ()

    def _block_on(self, key: Key) -> SessionBlock:
        databases: Any = self._databases
        kind: Any = self._kind
        return _SandboxBlock(
            databases.shared[key],
            databases.engines[key],
            False,
            self._options,
            self._eager,
            kind=kind,
        )


class _SandboxRoutedBlock(RoutedBlock):
    __slots__ = ()

    _SESSION = _SandboxRoutedSession

    def _end(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            super()._end(exc_type, exc, traceback)
        finally:
            session: Any = self._session
            for block in session._blocks:
                block._level.step_out()
