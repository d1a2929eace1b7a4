"""Sessions inside of sessions, on the one connection of a sandbox.

Each session is a savepoint, and savepoints end in the opposite order of their beginning.  So a
session may be opened inside of another one, by the same task or by one that it has started; all
others wait until the sessions before them have ended.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, event

from naked_sqla._sqlalchemy import connections
from naked_sqla.backends import backend_of
from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.read_only import refuse_writes
from naked_sqla.sessions.routing.databases import Databases
from naked_sqla.sessions.routing.tables import Key, database_name
from naked_sqla.sessions.terms import Terms
from naked_sqla.sessions.transaction import Transaction, watch

from ..exception import InvalidSessionState, UnsupportedOption

_STRICTNESS = ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


class Level:
    """A session of a sandbox, or the sandbox itself, in which one session at a time is open.

    :param shared: the connection of the sandbox.
    :param parent: the session that this one is inside of.
    :param who: the task or thread that opened it.
    """

    __slots__ = ("child", "closed", "lock", "lost", "outer_writers", "parent", "shared", "who")

    def __init__(self, shared: SandboxConnection, parent: Level | None, who: str) -> None:
        self.shared = shared
        self.parent = parent
        self.who = who
        self.lock: Any = shared.make_lock()
        self.child: Level | None = None
        self.closed = False
        # True when a rollback of an inner session has undone writes of this one.
        self.lost = False
        self.outer_writers: set[Level] = set()

    def enter(self, who: str) -> Level:
        """Open a level inside of this one, whose lock the caller has."""
        self.child = Level(self.shared, self, who)
        self.shared.inside.set(self.child)
        return self.child

    def leave(self) -> None:
        """Close this level, and let the next in line into its parent."""
        self.closed = True
        if self.parent is not None:
            self.parent.child = None
            self.parent.lock.release()

    def step_out(self) -> None:
        """Let what this task, or thread, opens from now on be inside of the parent."""
        if self.shared.inside.get() is self:
            self.shared.inside.set(self.parent)

    def check(self) -> None:
        """Raise ``InvalidSessionState`` when a session that this one is inside of has ended."""
        if self.is_orphan:
            raise InvalidSessionState(
                "the session that this one is inside of has ended, and all that was done in either "
                "is gone: a sandbox has one connection for both. End the inner session first."
            )

    @property
    def is_orphan(self) -> bool:
        """True when the savepoint of an outer session, and so this one's, is gone."""
        level = self.parent
        while level is not None:
            if level.closed:
                return True
            level = level.parent
        return False

    def writes(self) -> None:
        """Note that this session writes, into the savepoints of the sessions inside of it."""
        child = self.child
        while child is not None:
            child.outer_writers.add(self)
            child = child.child

    def refuse(self) -> InvalidSessionState:
        """The error for a caller that has waited too long."""
        holder = self.child.who if self.child is not None else "(leaving)"
        return InvalidSessionState(
            f"a sandbox has one connection, and {holder} has a session open on it: another one "
            f"that is not inside of it waited for {self.shared.patience} seconds. End that session "
            f"first, or pass it on."
        )


class SandboxConnection:
    """The one connection of a sandbox, and which sessions are open on it.

    :param conn: in the transaction that is rolled back in the end.
    :param patience: seconds that a session waits for others to end.
    """

    def __init__(self, conn: Connection, patience: float, make_lock: Any) -> None:
        self.conn = conn
        self.patience = patience
        self.make_lock = make_lock
        self.ended = False
        # Which session new ones are inside of; it passes on to child tasks, as their place in line.
        self.inside: ContextVar[Level | None] = ContextVar("inside", default=None)
        self.root = Level(self, None, "")
        event.listen(conn, "commit", self._refuse_commit)
        event.listen(conn, "rollback", self._refuse_rollback)

    def innermost(self) -> Level:
        """The session of this sandbox that the caller is inside of, or the sandbox."""
        self.check()
        level = self.inside.get()
        while level is not None and level.closed:
            level = level.parent
        return level or self.root

    def check(self) -> None:
        """Raise ``InvalidSessionState`` when the sandbox has ended, or lost its connection."""
        if self.ended or self.conn.closed:
            raise InvalidSessionState(
                "the block of this sandbox has ended. Open sessions inside of it."
            )
        if self.conn.invalidated:
            raise InvalidSessionState(
                "this sandbox has lost its connection, and all that was done on it: a statement "
                "was cancelled, or the server closed the connection. Open another sandbox for the "
                "statements after that."
            )

    def _refuse_commit(self, _conn: Connection) -> None:
        self._refuse("commit")

    def _refuse_rollback(self, _conn: Connection) -> None:
        if not (self.ended or self.conn.invalidated):
            self._refuse("rollback")

    def _refuse(self, what: str) -> None:
        raise InvalidSessionState(
            f"{what}() on the connection of a sandbox would end its transaction, and not only the "
            f"session's. Use session.{what}()."
        )


@dataclass(frozen=True, slots=True)
class SandboxDatabases(Databases):
    """The databases of a sandbox.

    :ivar shared: the connection to each.
    """

    shared: Mapping[Key, SandboxConnection]


def check_databases(engines: Mapping[Key, Any]) -> None:
    """Refuse engines that a sandbox can't give a connection each.

    :raises TypeError: two of them are one.
    """
    pools: dict[int, Key] = {}
    for key, engine in engines.items():
        other = pools.setdefault(id(engine.pool), key)
        if other != key:
            raise TypeError(
                f"sandbox() has one connection to each database, and {database_name(other)} and "
                f"{database_name(key)} of this factory are one engine. Give it a factory without "
                f"binds: it looks at no bind keys."
            )


class SandboxTransaction(Transaction):
    """A session's transaction that is a savepoint of the sandbox."""

    __slots__ = ("_before", "_point", "_settings", "level")

    def __init__(self, level: Level, eager: bool) -> None:
        super().__init__(eager=eager)
        self.level = level
        self._point: Any = None
        self._before: Any = None
        # The settings that this session has changed, as they were.
        self._settings: dict[str, str] = {}

    def connect(self, engine: Any, options: Any, snapshot: bool = False) -> None:
        """Set the savepoint; the options hold until it ends."""
        shared = self.level.shared
        shared.check()
        self.conn = conn = shared.conn
        self._before = conn.get_execution_options()
        of_shared = conn.engine.get_execution_options()
        of_factory = engine.get_execution_options()
        # a factory that was derived inside the sandbox
        own = {key: v for key, v in of_factory.items() if of_shared.get(key) is not v}
        options = {**own, **options}
        if options:
            conn.execution_options(**_possible(conn, dict(options)))
        self.before_begin()
        self._point = conn.begin_nested()
        if self.terms is not None:
            self._keep_to(self.terms)
        self.in_driver = watch(conn)
        self.open = True

    def _keep_to(self, terms: Terms) -> None:
        """Set the settings of a transaction, which would outlast its savepoint."""
        backend = backend_of(self.conn.dialect)
        settings = backend.settings_of(terms)
        if settings:
            self._settings = backend.current_settings(self.conn, settings)
            backend.set_local(self.conn, settings)

    def in_transaction(self) -> bool:
        """True while the session's savepoint stands."""
        return self.open and bool(self._point.is_active)

    def commit(self) -> None:
        """Release the savepoint."""
        level = self.level
        level.check()
        if level.child is not None:
            raise InvalidSessionState(
                f"a session of a sandbox ends before the one that {level.child.who} opened inside "
                f"of it. On the one connection of a sandbox the inner one has to end first."
            )
        super().commit()
        if level.lost:
            self.outcome = "rolled_back"
            raise InvalidSessionState(
                "what this session wrote while another one was open inside of it is gone: that one "
                "was rolled back, and a sandbox has one connection for both. Write before the "
                "inner session is opened, or after it has ended."
            )

    def rollback(self) -> None:
        """Roll back to the savepoint, and with it what outer sessions wrote meanwhile."""
        for writer in self.level.outer_writers:
            writer.lost = True
        super().rollback()

    def end_transaction(self, commit: bool) -> None:
        """End the savepoint in place of the transaction."""
        if self._point is None or not self._point.is_active or self.level.is_orphan:
            return
        if commit:
            self._point.commit()
            self.outcome = "committed"
            return
        # Savepoints that are still open inside of this one end first.
        inner = self.conn.get_nested_transaction()
        while inner is not None and inner is not self._point:
            inner.rollback()
            inner = self.conn.get_nested_transaction()
        self._point.rollback()

    def give_back(self) -> None:
        """Give nothing back: the connection is the sandbox's."""
        if not self.conn.invalidated:
            self.end_transaction(commit=False)
            if self._settings and not self.level.is_orphan:
                backend_of(self.conn.dialect).set_local(self.conn, self._settings)
            connections.set_back_options(self.conn, self._before)


class ReadOnlySandboxTransaction(SandboxTransaction):
    """The transaction of a session that only reads, on the connection that others write on."""

    __slots__ = ()

    def call(self, call: Call) -> Any:
        refuse_writes(call)
        return super().call(call)


def note_call(transaction: Any, call: Call) -> None:
    """Note a call that writes into the savepoints of inner sessions."""
    level: Level = transaction.level
    level.check()
    if level.child is not None and not call.effects(transaction.eager).reads:
        level.writes()


def _possible(conn: Connection, options: dict[str, Any]) -> dict[str, Any]:
    """Drop an isolation level that holds anyway; raise for options that a sandbox can't follow."""
    level = options.pop("isolation_level", None)
    if level is not None:
        has = str(conn.get_isolation_level())
        wanted = str(level).replace("_", " ").upper()
        order = {name: place for place, name in enumerate(_STRICTNESS)}
        if wanted != has and order.get(wanted, 9) > order.get(has, -1):
            raise UnsupportedOption(
                f"begin(isolation_level={level!r}) in a sandbox whose one transaction is "
                f"{has}: write sandbox(db, isolation_level={level!r})."
            )
    dialect: Any = conn.dialect
    for name in dialect.connection_characteristics:
        if name in options:
            raise UnsupportedOption(
                f"begin({name}=...) in a sandbox, whose one transaction has begun already. Give "
                f"the option to the sandbox: sandbox(db, {name}=...)."
            )
    return options


async def open_in_task(level: Level) -> Level:
    """Wait until the running task may open a session inside of a level, and open it."""
    try:
        async with asyncio.timeout(level.shared.patience):
            await level.lock.acquire()
    except TimeoutError:
        raise level.refuse() from None
    task = asyncio.current_task()
    return level.enter("(no task)" if task is None else f"task {task.get_name()!r}")


def open_in_thread(level: Level) -> Level:
    """Wait until the running thread may open a session inside of a level, and open it."""
    if not level.lock.acquire(timeout=level.shared.patience):
        raise level.refuse()
    return level.enter(f"thread {threading.current_thread().name!r}")
