"""How the databases and the sessions of a factory are, for a page that a monitor asks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from naked_sqla._sqlalchemy import connections, greenlets
from naked_sqla.backends import backend_of
from naked_sqla.exception import TransactionTimeout
from naked_sqla.sessions.routing.tables import database_name

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from naked_sqla.sessions.current import Current

__all__ = ("Health", "LeftPrepared", "OpenSession", "PreparedTransaction", "Recovery")

# The event loop itself holds tasks weakly.
_late: set[asyncio.Task[Any]] = set()


class OpenSession(NamedTuple):
    """A session whose block has not ended.

    :ivar owner: the name of the task or thread that has opened it.
    :ivar seconds: how long it has been open.
    """

    owner: str
    seconds: float


class PreparedTransaction(NamedTuple):
    """A transaction that a two-phase commit has prepared, and nobody has ended.

    :ivar name: its name for ``COMMIT PREPARED`` and ``ROLLBACK PREPARED``.
    :ivar bind_key: the bind key of its database; ``None``: the default database.
    :ivar seconds: how long it has been prepared, and has kept its locks.
    """

    name: str
    bind_key: str | None
    seconds: float


class LeftPrepared(NamedTuple):
    """A prepared transaction that ``recover_prepared()`` has not ended.

    :ivar reason: the reason, in words.
    :ivar name: the name of the transaction. Its other attributes are those of
        :class:`PreparedTransaction`.
    """

    name: str
    bind_key: str | None
    seconds: float
    reason: str


class Recovery(NamedTuple):
    """The result of ``recover_prepared()``.

    :ivar committed: the transactions that it has committed.
    :ivar rolled_back: the transactions that it has rolled back.
    :ivar left: the transactions that it has not ended, each with the reason.
    :ivar unreachable: the errors of databases that it could not ask, by bind key.
    """

    committed: tuple[PreparedTransaction, ...]
    rolled_back: tuple[PreparedTransaction, ...]
    left: tuple[LeftPrepared, ...]
    unreachable: Mapping[str | None, Exception]


class Health(NamedTuple):
    """The state of the pools and sessions of a factory.

    :ivar checked_out: the number of connections in use, of all its pools.
    :ivar waiting: the number of tasks or threads that wait for a connection.
    :ivar sessions: the number of open blocks of this factory.
    :ivar oldest: the session that has been open longest; ``None``: no session is open.
    :ivar prepared: with ``two_phase``, the prepared transactions that nobody has ended, the oldest
        first.
    """

    checked_out: int
    waiting: int
    sessions: int
    oldest: OpenSession | None
    prepared: tuple[PreparedTransaction, ...]


def health_of(
    engines: Iterable[Engine], current: Current, prepared: Iterable[PreparedTransaction]
) -> Health:
    """Count what is in use, without asking a database.

    :param prepared: what :func:`prepared_in` has found.
    """
    # engines that are derived from another one share its pool
    pools = {id(engine.pool): engine.pool for engine in engines}.values()
    sessions = current.open_sessions()
    now = time.monotonic()
    oldest = min(sessions, key=lambda opened: opened[1], default=None)
    return Health(
        checked_out=sum(connections.checked_out(pool) for pool in pools),
        waiting=sum(connections.waiting(pool) for pool in pools),
        sessions=len(sessions),
        oldest=None if oldest is None else OpenSession(oldest[0], now - oldest[1]),
        prepared=tuple(sorted(prepared, key=lambda one: -one.seconds)),
    )


def answers(engine: Engine) -> None:
    """Ask a database on a connection of its own, which is in no pool."""
    connections.run_outside(engine, connections.select_one(engine.dialect))


def prepared_in(engine: Engine, key: str | None) -> list[PreparedTransaction]:
    """The transactions of this library that a database keeps prepared."""
    prepared = backend_of(engine.dialect).prepared
    if prepared is None:
        return []
    found = connections.run_outside(engine, prepared.names)
    return [PreparedTransaction(name, key, float(seconds)) for name, seconds in found]


def late(engines: Mapping[str | None, Engine], key: str | None, seconds: float) -> Exception:
    """The error for a database that has not answered in time."""
    which = f" ({database_name(key)})" if len(engines) > 1 else ""
    return TransactionTimeout(
        f"the database{which} did not answer within {seconds:g} s, on a connection of its own. "
        f"Look whether it runs, and whether the network lets the connection through; `timeout=` "
        f"takes more seconds.",
        "timeout",
        seconds,
        None,
    )


async def in_task_for(fn: Any, args: tuple[Any, ...], seconds: float) -> tuple[bool, Any]:
    """Run a function in a greenlet of a task of its own for a time; what is late is cancelled.

    :return: whether it has ended, and what it returned.
    """
    task = asyncio.ensure_future(greenlets.greenlet_spawn(fn, *args))
    try:
        await asyncio.wait([task], timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            _late.add(task)
            task.add_done_callback(_forget)
    return (True, task.result()) if task.done() else (False, None)


def _forget(task: asyncio.Task[Any]) -> None:
    _late.discard(task)
    if not task.cancelled():
        # nobody waits for its error any more
        task.exception()


def in_thread_for(fn: Any, args: tuple[Any, ...], seconds: float) -> tuple[bool, Any]:
    """Run a function in a thread for a time; it goes on when nobody waits any more.

    :return: whether it has ended, and what it returned.
    """
    ended: list[Any] = []

    def run() -> None:
        try:
            ended.append((fn(*args), None))
        except BaseException as error:  # noqa: BLE001
            ended.append((None, error))

    thread = threading.Thread(target=run, name="naked_sqla check", daemon=True)
    thread.start()
    thread.join(seconds)
    if not ended:
        return False, None
    value, error = ended[0]
    if error is not None:
        raise error
    return True, value
