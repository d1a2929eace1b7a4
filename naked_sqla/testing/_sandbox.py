"""A factory whose commits are savepoints in a transaction that is rolled back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, overload

from sqlalchemy import Connection

from naked_sqla.backends import backend_of
from naked_sqla.om.sessions import checks, oneshot
from naked_sqla.om.sessions.aio.block import AsyncSessionBlock
from naked_sqla.om.sessions.aio.hop import shielded, spawn, start
from naked_sqla.om.sessions.aio.reader import AsyncReader
from naked_sqla.om.sessions.aio.session import AsyncSession
from naked_sqla.om.sessions.idle import give_back
from naked_sqla.om.sessions.sync.block import SessionBlock
from naked_sqla.om.sessions.sync.reader import Reader
from naked_sqla.om.sessions.sync.session import Session
from naked_sqla.om.sessions.turns import turns_of

from ..om.asession import AsyncSessionFactory
from ..om.session import SessionFactory
from ._level import Box, Level, ReadingSandboxWork, SandboxWork, take_in_task, take_in_thread


@overload
def sandbox(
    db: AsyncSessionFactory, *, patience: float = ..., **execution_options: Any
) -> AsyncSandbox: ...


@overload
def sandbox(db: SessionFactory, *, patience: float = ..., **execution_options: Any) -> Sandbox: ...


def sandbox(
    db: AsyncSessionFactory | SessionFactory, *, patience: float = 5.0, **execution_options: Any
) -> AsyncSandbox | Sandbox:
    """``async with sandbox(db) as db`` (``with``, for a ``SessionFactory``): nothing is kept.

    Gives a factory like ``db``, for the application under test.  Its sessions are savepoints on one
    connection, in one transaction that is rolled back at the end.  What one of them commits is seen
    by those after it, and a failed statement is undone with its session only.

    A session may be opened inside of another one, also by a task that was started there; it sees
    what the outer one has not committed yet, and is undone with it.  Others wait for those before
    them.  What does not go through the factory, such as ``db.engine``, is outside of the sandbox.
    ``db.read()`` reads what the sandbox has, and refuses writes; its ``reader`` is left alone.

    :param patience: seconds that a session waits for others to end before it raises
        ``InvalidSessionState``.
    :param execution_options: of the connection, e.g. ``isolation_level="SERIALIZABLE"``.  A
        ``begin()`` may ask for the isolation level of the sandbox, or for a less strict one.
    :raises TypeError: when ``db`` is no factory, or one with ``binds``.
    :raises InvalidSessionState: in AUTOCOMMIT.
    """
    if getattr(db, "_databases", None) is not None:
        raise TypeError(
            "sandbox() has one connection, and this factory has several databases. Give it a "
            "factory without binds, on an engine that has all tables: it looks at no bind keys."
        )
    if isinstance(db, AsyncSessionFactory):
        checks.begin_options(db.engine.sync_engine, execution_options)
        return AsyncSandbox(db, patience, execution_options)
    if isinstance(db, SessionFactory):
        checks.begin_options(db.engine, execution_options)
        return Sandbox(db, patience, execution_options)
    raise TypeError(
        f"sandbox() takes an AsyncSessionFactory or a SessionFactory, not {type(db).__name__!r}."
    )


class AsyncSandbox:
    """What :func:`sandbox` returns, to be entered once."""

    _conn: Any
    _box: Box

    def __init__(self, db: AsyncSessionFactory, patience: float, options: dict[str, Any]) -> None:
        self._db = db
        self._patience = patience
        self._options = options
        self._turns = turns_of(db.engine.sync_engine.pool)

    async def __aenter__(self) -> AsyncSessionFactory:
        db = self._db
        if self._turns is not None:
            await self._turns.take_in_task()
        try:
            conn = await db.engine.connect()
            self._conn = conn.sync_connection
            try:
                await conn.run_sync(_begin, self._options)
            except BaseException:
                await shielded(start(spawn(give_back, self._conn)))
                raise
        except BaseException:
            self._release_turn()
            raise
        self._box = Box(self._conn, self._patience, asyncio.Lock)
        return _AsyncSandboxFactory(db, self._box)

    async def __aexit__(self, *_: object) -> None:
        self._box.ended = True
        await shielded(start(spawn(_end, self._conn), self._release_turn))

    def _release_turn(self) -> None:
        if self._turns is not None:
            self._turns.release()


class _AsyncSandboxFactory(AsyncSessionFactory):
    __slots__ = ("_box",)

    def __init__(self, db: AsyncSessionFactory, box: Box) -> None:
        super().__init__(db.engine, auto_commit=db.auto_commit, eager=db.eager)
        self._box = box

    def begin(self, **execution_options: Any) -> AsyncSessionBlock:
        self._box.check()
        checks.begin_options(self._engine.sync_engine, execution_options)
        return _AsyncSandboxBlock(
            self._box,
            self._engine,
            self._auto_commit,
            execution_options,
            self._eager,
            current=self._current,
        )

    def read(self, **execution_options: Any) -> AsyncReader:
        return _AsyncSandboxReader(self._box, self, execution_options)

    async def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        plan = oneshot.plan(self._engine.sync_engine, self._auto_commit, self._eager, fn, args)
        self._box.check()
        block = _AsyncSandboxBlock(self._box, self._engine, plan.commit, {}, self._eager)
        async with block as session:
            return await session._call(fn, *args)


class _AsyncSandboxReader(AsyncReader):
    """Reads what the sandbox has, a replica or not."""

    __slots__ = ("_box",)

    def __init__(self, box: Box, db: AsyncSessionFactory, options: dict[str, Any]) -> None:
        super().__init__(db._engine, db._eager, options, db._current, None)
        self._box = box

    def _make_block(self) -> AsyncSessionBlock:
        self._box.check()
        checks.begin_options(self._engine.sync_engine, self._options)
        return _AsyncSandboxBlock(
            self._box,
            self._engine,
            False,
            self._options,
            self._eager,
            current=self._current,
            kind=ReadingSandboxWork,
        )

    async def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        async with self._make_block() as session:
            return await session._call(fn, *args)


class _AsyncSandboxBlock(AsyncSessionBlock):
    __slots__ = ("_box", "_kind", "_level")

    _level: Level

    def __init__(
        self, box: Box, *args: Any, kind: type[SandboxWork] = SandboxWork, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._box = box
        self._kind = kind

    async def __aenter__(self) -> AsyncSession:
        if self._entered:
            checks.entered_twice()
        self._entered = True
        self._level = await take_in_task(self._box.innermost())
        work: Any = self._kind(self._level, self._eager)
        try:
            await self._connect(work)
        except BaseException:
            self._level.step_out()
            raise
        session = _AsyncSandboxSession._begun(self._engine, work)
        self._session = session
        if self._current is not None:
            self._entry = self._current.enter(asyncio.current_task(), session)
        return session

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await super().__aexit__(exc_type, exc, traceback)
        finally:
            self._level.step_out()

    def _release_turn(self) -> None:
        self._level.leave()


class _AsyncSandboxSession(AsyncSession):
    __slots__ = ()

    def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        _note(self._work, fn, args)
        return super()._call(fn, *args)


class Sandbox:
    """What :func:`sandbox` returns for a ``SessionFactory``, to be entered once."""

    _box: Box

    def __init__(self, db: SessionFactory, patience: float, options: dict[str, Any]) -> None:
        self._db = db
        self._patience = patience
        self._options = options
        self._turns = turns_of(db.engine.pool)

    def __enter__(self) -> SessionFactory:
        if self._turns is not None:
            self._turns.take_in_thread()
        try:
            self._conn = conn = self._db.engine.connect()
            try:
                _begin(conn, self._options)
            except BaseException:
                give_back(conn)
                raise
        except BaseException:
            self._release_turn()
            raise
        self._box = Box(conn, self._patience, threading.Lock)
        return _SandboxFactory(self._db, self._box)

    def __exit__(self, *_: object) -> None:
        self._box.ended = True
        try:
            _end(self._conn)
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

    def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        plan = oneshot.plan(self._engine, self._auto_commit, self._eager, fn, args)
        self._box.check()
        with _SandboxBlock(self._box, self._engine, plan.commit, {}, self._eager) as session:
            return session._call(fn, *args)


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

    def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        with self._make_block() as session:
            return session._call(fn, *args)


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
            work.connect(self._engine, self._options)
        except BaseException:
            if work.connected:
                work.release(quietly=True)
            self._release_turn()
            raise
        self._session = session = _SandboxSession._begun(self._engine, work)
        if self._current is not None:
            self._entry = self._current.enter(threading.current_thread(), session)
        return session

    def _release_turn(self) -> None:
        self._level.leave()
        self._level.step_out()


class _SandboxSession(Session):
    __slots__ = ()

    def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        _note(self._work, fn, args)
        return super()._call(fn, *args)


def _begin(conn: Connection, options: dict[str, Any]) -> None:
    if options:
        conn.execution_options(**options)
    conn.begin()
    backend_of(conn.dialect).begin_now(conn)


def _end(conn: Connection) -> None:
    try:
        conn.rollback()
    finally:
        give_back(conn)


def _note(work: Any, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Note a call that writes into the savepoints of inner sessions."""
    level: Level = work.level
    level.check()
    if level.child is not None and not oneshot.reads(fn, args, work.eager):
        level.writes()
