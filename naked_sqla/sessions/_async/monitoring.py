"""What a factory tells of itself and of its databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from naked_sqla.sessions.health import (
    Health,
    answers,
    health_of,
    in_task_for,
    in_thread_for,
    late,
    prepared_in,
    seconds_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from naked_sqla.sessions.current import Current
    from naked_sqla.sessions.routing.databases import Databases


class AsyncMonitoring:
    """Whether the databases answer, and who uses their connections."""

    __slots__ = ()

    if TYPE_CHECKING:
        _engine: AsyncEngine
        _reader: AsyncEngine | None
        _databases: Databases | None
        _current: Current

    async def check(self, timeout: float = 1.0) -> None:
        """Ask each database of the factory for ``SELECT 1``, beside its pool.

        A pool whose connections are all in use is no obstacle, and no session is disturbed.  The
        databases of ``binds``, and the ``reader``, are asked too.

        :param timeout: seconds that each of them has.
        :raises TransactionTimeout: when one has not answered by then; it is a ``TimeoutError``.
        :raises TypeError: for another ``timeout`` than a positive number.

        What the driver says of a server that is down comes out as it is.
        """
        seconds = seconds_of("check", timeout)
        engines = self._sync_engines()
        asked = dict(engines)
        if self._reader is not None:
            asked["reader"] = self._reader.sync_engine
        for key, engine in asked.items():
            await _within(seconds, asked, key, answers, engine)

    async def health(self, timeout: float = 1.0) -> Health:
        """What the pools and sessions of the factory are doing now.

        Sends nothing, except with ``two_phase``: then each database is asked, beside its pool, for
        the prepared transactions of this library that nobody has ended.

        :param timeout: seconds that each database has to answer.
        :return: counts, the oldest session, and what is prepared; see :class:`naked_sqla.Health`.
        :raises TransactionTimeout: when a database has not answered by then.
        :raises TypeError: for another ``timeout`` than a positive number.
        """
        seconds = seconds_of("health", timeout)
        engines = self._sync_engines()
        prepared = []
        if self._databases is not None and self._databases.two_phase:
            for key, engine in engines.items():
                prepared += await _within(seconds, engines, key, prepared_in, engine, key)
        reader = [] if self._reader is None else [self._reader.sync_engine]
        return health_of([*engines.values(), *reader], self._current, prepared)

    def _sync_engines(self) -> dict[str | None, Engine]:
        if self._databases is None:
            return {None: self._engine.sync_engine}
        engines = self._databases.engines
        return {key: engines[key].sync_engine for key in engines}


async def _within(
    seconds: float,
    engines: Mapping[str | None, Engine],
    key: str | None,
    fn: Callable[..., Any],
    *args: Any,
) -> Any:
    """Run a function, and leave it alone when it has not ended in time."""
    if True:  # ASYNC
        ended, value = await in_task_for(fn, args, seconds)
    else:
        ended, value = in_thread_for(fn, args, seconds)
    if not ended:
        raise late(engines, key, seconds)
    return value
