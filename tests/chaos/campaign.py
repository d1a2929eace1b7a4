"""A campaign: writers that are cancelled, readers that are not, kills and cuts; and its figures."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import random
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

from sqlalchemy import URL, event, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from naked_sqla import CommitOutcomeUnknown, PartialCommit, TransactionRolledBack

from .._proxy import Proxy
from .._wire import Moment
from .cancelling import Cancelled, cancelled
from .ledger import FIXED, ROOM, Base, Entry, Fixed, Job, Other, OtherBase
from .ways import WAYS, Databases, Way, read

# What a killed or cut connection may raise; anything else is strange.
_ALLOWED: Final = (DBAPIError, OSError, TransactionRolledBack, CommitOutcomeUnknown)
_CUTS: Final[list[Moment]] = [
    "connect",
    "begin",
    "execute",
    "savepoint",
    "release",
    "fetch",
    "commit",
    "rollback",
    "prepare",
    "commit prepared",
]
_WRITERS: Final = 6
_READERS: Final = 2


@dataclass
class Figures:
    """What a campaign found.  Whatever begins with "zero" has to be empty."""

    cancellations: int = 0
    jobs: int = 0
    reads: int = 0
    kills: int = 0
    cuts: int = 0
    seconds: float = 0
    median_ms: float = 0
    worst_ms: float = 0
    told: collections.Counter[str] = field(default_factory=collections.Counter)
    errors: collections.Counter[str] = field(default_factory=collections.Counter)
    zero_lost: list[str] = field(default_factory=list)
    zero_phantoms: list[str] = field(default_factory=list)
    zero_torn: list[str] = field(default_factory=list)
    zero_wrong_reads: list[str] = field(default_factory=list)
    zero_strange_errors: list[str] = field(default_factory=list)
    zero_left: list[str] = field(default_factory=list)

    def found(self) -> dict[str, list[str]]:
        """All that should not be there."""
        fields = {name: value for name, value in vars(self).items() if name.startswith("zero")}
        return {name.removeprefix("zero_"): value for name, value in fields.items() if value}


class Campaign:
    """Everything of one run on one driver."""

    def __init__(self, url: URL, other: URL, seed: int, proxy: Proxy | None = None) -> None:
        self.is_postgres = url.get_backend_name() == "postgresql"
        self.rng = random.Random(seed)
        self.proxy = proxy
        self.name = f"chaos_{seed}_{id(self)}"
        self.urls = url, other
        self.jobs: list[Job] = []
        self.logged: list[str] = []
        self.seen = Cancelled()
        self.figures = Figures()
        # How long each way takes, so that cancellations come at each of its moments.
        self.typical: dict[str, float] = {}
        self.running: set[Job] = set()
        self.goal = 0

    def _databases(self, through: bool) -> Databases:
        engines: list[AsyncEngine] = []
        for url in self.urls:
            to = self.proxy.url(url) if through and self.proxy is not None else url
            engine = create_async_engine(
                to, pool_size=4, max_overflow=2, connect_args=self._named()
            )
            if not self.is_postgres:
                event.listen(engine.sync_engine, "connect", _without_waiting_for_the_disk)
            engines.append(engine)
        return Databases(*engines)

    def _named(self) -> dict[str, Any]:
        if not self.is_postgres:
            return {}
        if self.urls[0].get_driver_name() == "asyncpg":
            return {"server_settings": {"application_name": self.name}}
        return {"application_name": self.name}

    @contextlib.asynccontextmanager
    async def _prepared(self) -> AsyncIterator[None]:
        self.admin = [create_async_engine(url, isolation_level="AUTOCOMMIT") for url in self.urls]
        for engine, base in zip(self.admin, (Base, OtherBase), strict=True):
            async with engine.begin() as conn:
                await conn.run_sync(base.metadata.create_all)
        async with self.admin[0].begin() as conn:
            rows = [{"id": n, "text": f"row {n}"} for n in range(FIXED)]
            await conn.execute(insert(Fixed), rows)
        self.to = [self._databases(False), self._databases(True)]
        try:
            yield
        finally:
            for to in self.to:
                await to.dispose()
            for engine in self.admin:
                await engine.dispose()

    async def run(self, cancellations: int) -> Figures:
        """Run until so many tasks were cancelled, and compare."""
        self.goal, began = cancellations, time.monotonic()
        with _quiet(self.logged):
            async with self._prepared():
                async with asyncio.TaskGroup() as group:
                    readers = [group.create_task(self._reader()) for _ in range(_READERS)]
                    writers = [group.create_task(self._writer()) for _ in range(_WRITERS)]
                    agents = [group.create_task(self._agent())] if self.proxy else []
                    await asyncio.gather(*writers)
                    self.goal = 0
                    for agent in agents:
                        agent.cancel()
                    await asyncio.gather(*readers)
                if self.proxy is not None:
                    self.proxy.clear()
                await self._check_left()
                await self._compare()
        figures = self.figures
        figures.seconds = time.monotonic() - began
        figures.cancellations, figures.jobs = len(self.seen.seconds), len(self.jobs)
        figures.median_ms = statistics.median(self.seen.seconds) * 1000
        figures.worst_ms = max(self.seen.seconds) * 1000
        return figures

    async def _writer(self) -> None:
        ways = WAYS["postgresql" if self.is_postgres else "sqlite"]
        while len(self.seen.seconds) < self.goal:
            way = self.rng.choice(ways)
            to = self.to[self.rng.random() < 0.25]
            name = way.__name__

            def make(way: Way = way, to: Databases = to) -> Any:
                return self._job(way, to)

            typical = self.typical.get(name)
            if typical is None or self.rng.random() < 0.1:
                began = time.perf_counter()
                with contextlib.suppress(asyncio.CancelledError):
                    await make()
                took = time.perf_counter() - began
                self.typical[name] = took if typical is None else 0.8 * typical + 0.2 * took
                continue
            await cancelled(make, self.rng, self.rng.uniform(0, 1.2 * typical), self.seen)

    async def _job(self, way: Way, to: Databases) -> None:
        job = Job(len(self.jobs) + 1, way.__name__)
        self.jobs.append(job)
        try:
            await way(to, job)
            job.told = "ok"
        except (asyncio.CancelledError, TimeoutError) as error:
            job.told, job.error = "cancelled", error
            raise
        except CommitOutcomeUnknown as error:
            job.told, job.error = "unknown", error
        except PartialCommit as error:
            job.told, job.error = "partial", error
        except Exception as error:  # noqa: BLE001
            job.told, job.error = "failed", error
            self._note(error, f"{job.way} {job.number}")

    def _note(self, error: Exception, where: str) -> None:
        self.figures.errors[type(error).__name__] += 1
        if self.is_postgres:
            # A stream raises what the driver says, as SQLAlchemy's does; never its inner disorder.
            driver = type(error).__module__.partition(".")[0]
            bare = driver in ("asyncpg", "psycopg") and where.startswith(("stream", "a reader"))
            expected = isinstance(error, _ALLOWED) or bare
            expected = expected and "InternalClientError" not in type(error).__name__
        else:
            expected = "locked" in str(error)
        if not expected:
            self.figures.zero_strange_errors.append(f"{where}: {error!r}"[:400])

    async def _reader(self) -> None:
        while len(self.seen.seconds) < self.goal:
            try:
                wrong = await read(self.rng.choice(self.to), self.rng)
            except Exception as error:  # noqa: BLE001
                self._note(error, "a reader")
            else:
                self.figures.reads += 1
                if wrong:
                    self.figures.zero_wrong_reads.append(wrong)
            await asyncio.sleep(0.005)

    async def _agent(self) -> None:
        """Kill backends and cut connections, about one for each 25 cancellations."""
        assert self.proxy is not None
        kill = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = :name ORDER BY random() LIMIT 1"
        )
        done, armed = 0, []
        try:
            while True:
                await asyncio.sleep(0.02)
                if len(self.seen.seconds) < 25 * (done + 1):
                    continue
                done += 1
                if done % 2:
                    async with self.admin[0].connect() as conn:
                        await conn.execute(kill, {"name": self.name})
                    self.figures.kills += 1
                else:
                    moment = self.rng.choice(_CUTS)
                    answered = moment != "connect" and self.rng.random() < 0.5
                    side: Any = "answered" if answered else "sent"
                    armed.append(self.proxy.on(moment, side, "cut"))
        finally:
            self.figures.cuts = sum(fault.count for fault in armed)

    async def _check_left(self) -> None:
        """Note whatever is checked out, pending, in transaction, locked or prepared."""
        left = self.figures.zero_left
        for to in self.to:
            for engine in (to.engine, to.other):
                out = cast(QueuePool, engine.pool).checkedout()
                if out:
                    left.append(f"{out} connections of {engine.url.database} are checked out")
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            _, pending = await asyncio.wait(others, timeout=2)
            left.extend(f"pending: {task}" for task in pending)
        for engine, table in zip(self.admin, ("entry", "other"), strict=True):
            try:
                async with engine.connect() as conn:
                    if self.is_postgres:
                        await self._end_told(conn)
                        await conn.exec_driver_sql("BEGIN")
                        await conn.exec_driver_sql("SET LOCAL lock_timeout = '3s'")
                        try:
                            await conn.exec_driver_sql(
                                f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"
                            )
                        except DBAPIError as error:
                            await conn.exec_driver_sql("ROLLBACK")
                            holders = (await conn.execute(_HOLDERS, {"table": table})).all()
                            left.append(f"locked: {error.orig}, by {holders}")
                            continue
                    else:
                        await conn.exec_driver_sql("PRAGMA busy_timeout = 0")
                        await conn.exec_driver_sql("BEGIN EXCLUSIVE")
                    await conn.exec_driver_sql("ROLLBACK")
            except DBAPIError as error:
                left.append(f"locked: {error}")

    async def _end_told(self, conn: Any) -> None:
        """Send what PartialCommit, or the log, told the user to send by hand."""
        gids = text("SELECT gid FROM pg_prepared_xacts WHERE starts_with(gid, 'naked_sqla_')")
        told = [str(job.error) for job in self.jobs if job.told == "partial"]
        words = " ".join([*told, *self.logged])
        for gid in (await conn.execute(gids)).scalars().all():
            commands = [f"{end} PREPARED '{gid}'" for end in ("COMMIT", "ROLLBACK")]
            asked = [command for command in commands if command in words]
            if not asked:
                self.figures.zero_left.append(f"prepared: {gid}")
            await conn.exec_driver_sql((asked or commands[1:])[0])

    async def _compare(self) -> None:
        stored: list[dict[int, set[int]]] = []
        for engine, table in zip(self.admin, (Entry, Other), strict=True):
            found: dict[int, set[int]] = collections.defaultdict(set)
            async with engine.connect() as conn:
                for id_ in (await conn.execute(select(table.id))).scalars():
                    found[id_ // ROOM].add(id_)
            stored.append(found)
        figures = self.figures
        lists = {
            "lost": figures.zero_lost,
            "phantom": figures.zero_phantoms,
            "torn": figures.zero_torn,
        }
        for job in self.jobs:
            figures.told[job.told] += 1
            verdict = job.verdict(stored[0][job.number], stored[1][job.number])
            if verdict:
                lists[verdict.split(":")[0]].append(f"{job.way} {job.number}: {verdict}")


_HOLDERS = text(
    "SELECT l.pid, l.mode, a.application_name, a.state, a.wait_event, "
    "clock_timestamp() - a.state_change, a.query FROM pg_locks l "
    "LEFT JOIN pg_stat_activity a ON a.pid = l.pid "
    "WHERE l.relation = CAST(:table AS regclass)"
)


def _without_waiting_for_the_disk(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")


@contextlib.contextmanager
def _quiet(logged: list[str]) -> Any:
    """Without the log lines of kills and cuts, thousands of them.

    :param logged: gets the ERROR lines of the library: a task that was cancelled hears of nothing.
    """
    names = ("naked_sqla", "sqlalchemy.pool", "psycopg", "psycopg.pool", "asyncio")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    ours, handler = logging.getLogger("naked_sqla"), logging.Handler(logging.ERROR)
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    ours.setLevel(logging.ERROR)
    ours.addHandler(handler)
    ours.propagate = False
    try:
        yield
    finally:
        ours.propagate = True
        ours.removeHandler(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
