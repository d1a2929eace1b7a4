"""What a factory tells of itself and of its databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import connections
from naked_sqla.sessions import checks

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from naked_sqla.sessions.current import Current
    from naked_sqla.sessions.health import Health, Recovery
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
        :raises TypeError: for a ``timeout`` that is no number.
        :raises ValueError: for one that is not more than 0.

        What the driver says of a server that is down comes out as it is.
        """
        # imported when it is first used, by a monitor
        from naked_sqla.sessions.health import answers

        seconds = checks.seconds("check(timeout=...)", timeout, positive=True)
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
        :raises TypeError: for a ``timeout`` that is no number.
        :raises ValueError: for one that is not more than 0.
        """
        from naked_sqla.sessions.health import health_of, prepared_in

        seconds = checks.seconds("health(timeout=...)", timeout, positive=True)
        engines = self._sync_engines()
        prepared = []
        if self._databases is not None and self._databases.two_phase:
            for key, engine in engines.items():
                prepared += await _within(seconds, engines, key, prepared_in, engine, key)
        reader = [] if self._reader is None else [self._reader.sync_engine]
        return health_of([*engines.values(), *reader], self._current, prepared)

    async def recover_prepared(
        self, *, older_than: float | dt.timedelta, timeout: float = 5.0
    ) -> Recovery:
        """End what two-phase commits left prepared when their process was stopped.

        The transactions of one commit end alike: those are committed whose first database has
        committed, and the others are rolled back.  Nobody was told "committed" of these.

        A process that is still alive loses a commit that is rolled back here, with a
        ``TransactionRolledBack``; no data is torn.  Commits of this process are left alone.

        :param older_than: how long a transaction must have been prepared, in seconds or as a
            timedelta: longer than any commit takes.
        :param timeout: seconds that a database has for each question.
        :return: what was committed and rolled back, what was left, and why; see
            :class:`naked_sqla.Recovery`.
        :raises TypeError: for an ``older_than`` or a ``timeout`` that is no number.
        :raises ValueError: for a negative ``older_than``, and a ``timeout`` that is not positive.
        :raises UnsupportedOption: where no database of the factory has prepared transactions.
        """
        from naked_sqla.sessions.recovering import age_of, databases_of, recovering

        age = age_of(older_than)
        seconds = checks.seconds("recover_prepared(timeout=...)", timeout, positive=True)
        engines = self._sync_engines()
        steps = recovering(databases_of({key: engines[key].dialect for key in engines}), age)
        try:
            asked = next(steps)
            while True:
                try:
                    rows = await _within(
                        seconds,
                        engines,
                        asked.key,
                        connections.run_outside,
                        engines[asked.key],
                        asked.sql,
                        True,
                    )
                except Exception as error:  # noqa: BLE001
                    asked = steps.throw(error)
                else:
                    asked = steps.send(rows)
        except StopIteration as end:
            found: Recovery = end.value
            return found

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
    from naked_sqla.sessions.health import in_task_for, in_thread_for, late

    if True:  # ASYNC
        ended, value = await in_task_for(fn, args, seconds)
    else:
        ended, value = in_thread_for(fn, args, seconds)
    if not ended:
        raise late(engines, key, seconds)
    return value
