"""A block that is cancelled at any of its suspension points leaves nothing behind.

No open connection, no transaction, no locked file, and a closed session: for ``task.cancel()`` and
for anyio's scopes, with a future that is pending or done, on every driver.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import anyio
import pytest
from sqlalchemy import URL, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSession, AsyncSessionFactory
from naked_sqla.sessions._async.greenlet import _leftover, shielded, start

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_at, cancelled_everywhere


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


Body = Callable[[AsyncSession], Awaitable[Any]]


async def write_and_read(session: AsyncSession) -> None:
    await session.execute(insert(Note), {"text": "new"})
    await session.scalars(select(Note))


async def commit_by_hand(session: AsyncSession) -> None:
    await session.execute(insert(Note), {"text": "new"})
    await session.commit()


async def rollback_by_hand(session: AsyncSession) -> None:
    await session.execute(insert(Note), {"text": "new"})
    await session.rollback()


async def fail(session: AsyncSession) -> None:
    await session.execute(insert(Note), {"text": "new"})
    raise ValueError("the caller's own error")


async def in_savepoint(session: AsyncSession) -> None:
    async with session.conn.begin_nested():
        await session.execute(insert(Note), {"text": "new"})


BODIES = [write_and_read, commit_by_hand, rollback_by_hand, fail, in_savepoint]


class Witness:
    """Looks at the database from outside."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.engine = create_async_engine(url)

    async def can_write(self, patience: float = 0) -> None:
        """Raise unless no other transaction is open on the table.

        :param patience: seconds that SQLite waits for a lock.
        """
        if self.url.get_backend_name() == "sqlite":
            conn = sqlite3.connect(str(self.url.database), timeout=patience, isolation_level=None)
            with closing(conn):
                conn.execute("BEGIN EXCLUSIVE")
                conn.execute("ROLLBACK")
            return
        async with self.engine.connect() as conn:
            await conn.execute(text("SET LOCAL lock_timeout = '5s'"))
            await conn.execute(text("LOCK TABLE note IN ACCESS EXCLUSIVE MODE"))
            await conn.rollback()


@pytest.fixture
async def witness(database_url: URL) -> Any:
    witness = Witness(database_url)
    async with witness.engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    yield witness
    await witness.engine.dispose()


@pytest.mark.parametrize(
    ("pool", "body"),
    [*(("warm", body) for body in BODIES), ("cold", write_and_read)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_cancelled_anywhere(
    engine: AsyncEngine, witness: Witness, kind: Kind, moment: Moment, pool: str, body: Body
) -> None:
    db = AsyncSessionFactory(engine)
    sessions: list[AsyncSession] = []

    async def block() -> None:
        sessions.clear()
        try:
            async with db.begin() as session:
                sessions.append(session)
                await body(session)
        except ValueError:
            pass

    async def prepare() -> None:
        if pool == "cold":
            await engine.dispose()
        else:
            async with db.begin() as session:
                await session.execute(select(func.count()).select_from(Note))

    async def check(run: Run) -> None:
        assert run.as_asked, run
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert [session.state for session in sessions] in ([], ["closed"])
        # What runs on session.conn is SQLAlchemy's: its driver's thread closes it a moment later.
        await witness.can_write(patience=5 if body is in_savepoint else 0)

    points = await cancelled_everywhere(block, kind, moment, check, prepare)
    # a failing INSERT and the ROLLBACK, each one job on SQLite
    assert points >= 2


# Runs until it is interrupted.
ENDLESS = text(
    "with recursive n (i) as (select 1 union all select i + 1 from n) select max(i) from n"
)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("kind", "moment"), [("task", "pending"), ("scope", "pending")])
async def test_a_statement_that_does_not_end(
    engine: AsyncEngine, witness: Witness, kind: Kind, moment: Moment
) -> None:
    db = AsyncSessionFactory(engine)

    async def block() -> None:
        async with db.begin() as session:
            await session.execute(insert(Note), {"text": "new"})
            counter.reached = True
            await session.execute(ENDLESS)

    # The first session opens the connection, which all others use.
    async with db.begin() as session:
        await session.execute(select(func.count()).select_from(Note))
    counter = Run(0)
    point = 0
    while not counter.reached:
        point += 1
        assert (await cancelled_at(point, kind, moment, block)).cancelled
    # The driver's thread has one job for the endless statement, and the task one point to wait at.
    for _ in range(2):
        assert (await cancelled_at(point, kind, moment, block)).cancelled
        await witness.can_write()
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_a_memory_database_survives_everywhere(
    engine: AsyncEngine, kind: Kind, moment: Moment
) -> None:
    memory = create_async_engine("sqlite+aiosqlite:///:memory:")
    db = AsyncSessionFactory(memory)
    async with db.begin() as session:
        await session.conn.run_sync(Base.metadata.create_all)
        await session.execute(insert(Note), {"id": 1, "text": "kept"})

    async def block() -> None:
        async with db.begin() as session:
            await write_and_read(session)

    async def check(run: Run) -> None:
        async with db.begin() as session:
            assert 1 in (await session.scalars(select(Note.id))).all()

    # INSERT, SELECT, COMMIT
    assert await cancelled_everywhere(block, kind, moment, check) >= 3
    await memory.dispose()


@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_waiting_for_the_pool(
    database_url: URL, witness: Witness, kind: Kind, moment: Moment
) -> None:
    engine = create_async_engine(database_url, pool_size=1, max_overflow=0)
    db = AsyncSessionFactory(engine)

    async def block() -> None:
        async with db.begin() as session:
            await session.execute(select(func.count()).select_from(Note))

    async def holder() -> None:
        async with db.begin() as session:
            holding.set()
            await go_on.wait()
            await session.execute(insert(Note), {"text": "kept"})

    for point in (1, 2, 3):
        holding, go_on = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(holder())
        await holding.wait()
        waiter = asyncio.create_task(cancelled_at(point, kind, moment, block))
        if moment == "pending" and point == 1:
            assert (await waiter).cancelled
            go_on.set()
        go_on.set()
        await task
        await waiter
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        await witness.can_write()
    # The only connection is there for the next one.
    await block()
    await engine.dispose()


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
@pytest.mark.parametrize("kind", ["task", "scope"])
async def test_a_stalled_commit_gets_a_grace(
    engine: AsyncEngine, witness: Witness, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naked_sqla.sessions._async.greenlet.GRACE", 0.05)
    # COMMIT checks the deferred trigger, which waits for a lock that another transaction holds.
    async with witness.engine.begin() as conn:
        for statement in STALLING:
            await conn.execute(text(statement))
    db = AsyncSessionFactory(engine)
    sessions: list[AsyncSession] = []

    async def block() -> None:
        async with db.begin() as session:
            sessions.append(session)
            await session.execute(insert(Note), {"text": "new"})

    # Twice: the first block opens the connection. Its last suspension is its COMMIT.
    await block()
    commit = (await cancelled_at(0, kind, "pending", block)).points
    async with witness.engine.connect() as other:
        await other.execute(text("select pg_advisory_xact_lock(1)"))
        assert (await cancelled_at(commit, kind, "pending", block)).cancelled
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        await other.rollback()
    assert {session.state for session in sessions} == {"closed"}
    await witness.can_write()


STALLING = [
    "create function stall() returns trigger language plpgsql as "
    "$$ begin perform pg_advisory_xact_lock(1); return null; end $$",
    "create constraint trigger stall after insert on note deferrable initially deferred "
    "for each row execute function stall()",
]


class Stubborn:
    """Clean-up that swallows every cancellation, and ends when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.end = asyncio.Event()

    async def run(self) -> None:
        while not self.end.is_set():
            try:
                await self.end.wait()
            except asyncio.CancelledError:
                self.asked += 1
        raise OSError("the clean-up failed in the end")


@pytest.fixture
def stubborn(monkeypatch: pytest.MonkeyPatch) -> Stubborn:
    for limit in ("GRACE", "_PUSH"):
        monkeypatch.setattr(f"naked_sqla.sessions._async.greenlet.{limit}", 0.01)
    return Stubborn()


async def waits_for(task: asyncio.Task[None], kind: Kind, **how: bool) -> asyncio.Task[None]:
    """A task that waits for another one, and was cancelled."""
    scope = anyio.CancelScope()

    async def wait() -> None:
        with scope:
            await shielded(task, **how)

    caller = asyncio.create_task(wait())
    await asyncio.sleep(0)
    if kind == "task":
        caller.cancel()
    else:
        scope.cancel()
    return caller


@pytest.mark.parametrize("kind", ["task", "scope"])
async def test_clean_up_that_swallows_every_cancellation(
    stubborn: Stubborn, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked three times after the grace, and left to itself then; its error is logged."""
    caplog.set_level("INFO", "naked_sqla")
    task = start(stubborn.run())
    caller = await waits_for(task, kind)
    done, _ = await asyncio.wait((caller,), timeout=10)
    assert done == {caller}
    assert caller.cancelled() is (kind == "task")
    assert stubborn.asked == 3
    assert not task.done()
    assert task in _leftover
    stubborn.end.set()
    await asyncio.wait((task,))
    await asyncio.sleep(0)
    assert task not in _leftover
    assert "the clean-up failed in the end" in caplog.text


async def test_clean_up_that_is_not_to_be_asked(stubborn: Stubborn) -> None:
    task = start(stubborn.run())
    caller = await waits_for(task, "task", push=False)
    await asyncio.wait((caller,), timeout=10)
    assert caller.cancelled()
    assert stubborn.asked == 0
    stubborn.end.set()
    await asyncio.wait((task,))


async def test_clean_up_that_is_waited_for(stubborn: Stubborn) -> None:
    """On the one connection of an in-memory database nobody goes on before it is over."""
    task = start(stubborn.run())
    caller = await waits_for(task, "task", patient=True)
    await asyncio.wait((caller,), timeout=0.2)
    assert not caller.done()
    stubborn.end.set()
    await asyncio.wait((caller,), timeout=10)
    assert caller.cancelled()
    assert stubborn.asked == 0
