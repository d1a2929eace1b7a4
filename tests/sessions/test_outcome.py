"""What a session says became of what it did, and what was really stored."""

# A block that fails at its end can only be written inside raises().
# ruff: noqa: PT012
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, event, insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    CommitOutcomeUnknown,
    SessionFactory,
    TransactionRolledBack,
    UnsupportedOption,
)
from naked_sqla.sessions._async.greenlet import _leftover

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere
from .._notes import Note, checked_out, create, create_sync, stored, stored_sync
from .._proxy import Proxy

on_postgres = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
GRACE = "naked_sqla.sessions._async.greenlet.GRACE"
PUSH = "naked_sqla.sessions._async.greenlet._PUSH"
# What the server does with a COMMIT that the proxy cuts, hangs or garbles on this side.
SIDES = {"sent": [], "answered": ["a"]}


async def add(session: AsyncSession, words: str) -> None:
    await session.execute(insert(Note), {"text": words})


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    await create(engine)
    return AsyncSessionFactory(engine)


@pytest.fixture
async def through(
    proxy: Proxy, database_url: URL, engine: AsyncEngine
) -> AsyncIterator[AsyncSessionFactory]:
    """A factory that reaches its database through the proxy, on a pool of one."""
    await create(engine)
    through = create_async_engine(proxy.url(database_url), pool_size=1, max_overflow=0)
    async with through.connect() as conn:
        await conn.execute(text("select 1"))
    yield AsyncSessionFactory(through)
    await through.dispose()


# ------------------------------------------------------------ where nothing goes wrong


async def test_each_end(db: AsyncSessionFactory) -> None:
    block = db.begin()
    assert block.outcome == "open"
    async with block as session:
        await add(session, "a")
        assert session.outcome == block.outcome == "open"
    assert (session.outcome, block.outcome) == ("committed", "committed")
    async with db.begin() as session:
        await session.commit()
        assert session.outcome == "committed"
    assert session.outcome == "committed"
    async with db.begin() as session:
        await session.rollback()
        assert session.outcome == "rolled_back"
    assert session.outcome == "rolled_back"
    with pytest.raises(KeyError):
        async with db.begin() as session:
            raise KeyError
    assert session.outcome == "rolled_back"
    async with db.read() as session:
        pass
    assert session.outcome == "rolled_back"
    async with AsyncSessionFactory(db.engine, auto_commit=False).begin() as session:
        await add(session, "b")
    assert session.outcome == "rolled_back"
    async with db.engine.connect() as conn:
        session = AsyncSession(conn)
        assert session.outcome == "open"
        await session.commit()
        assert session.outcome == "committed"
    assert await stored(db.engine) == ["a"]


async def test_a_listener_that_fails_before_commit(db: AsyncSessionFactory) -> None:
    def refuse(conn: Any) -> None:
        raise ZeroDivisionError

    event.listen(db.engine.sync_engine, "commit", refuse)
    with pytest.raises(ZeroDivisionError):
        async with db.begin() as session:
            await add(session, "a")
    assert session.outcome == "rolled_back"
    event.remove(db.engine.sync_engine, "commit", refuse)
    assert await stored(db.engine) == []


@pytest.mark.parametrize("kind_moment", VARIANTS)
async def test_it_tells_the_truth_after_a_cancellation(
    db: AsyncSessionFactory, engine: AsyncEngine, kind_moment: tuple[Kind, Moment]
) -> None:
    sessions: list[AsyncSession] = []
    told: list[str] = []

    async def block() -> None:
        sessions.clear()
        async with db.begin() as session:
            sessions.append(session)
            await add(session, "a")

    async def check(run: Run) -> None:
        outcome = sessions[0].outcome if sessions else "rolled_back"
        told.append(outcome)
        assert await stored(engine) == {"committed": ["a"], "rolled_back": []}[outcome]
        async with engine.begin() as conn:
            await conn.execute(text("delete from note"))

    await cancelled_everywhere(block, *kind_moment, check)
    assert "committed" in told


# ------------------------------------------------------------ the database answers with an error


DEFERRED = [
    "create function refuse() returns trigger language plpgsql as "
    "$$ begin raise unique_violation using message = 'not at the end'; end $$",
    "create constraint trigger refuse after insert on note deferrable initially deferred "
    "for each row execute function refuse()",
]


@on_postgres
@pytest.mark.parametrize("resolve", [False, True])
async def test_an_error_is_an_answer(
    db: AsyncSessionFactory, engine: AsyncEngine, resolve: bool
) -> None:
    async with engine.begin() as conn:
        for statement in DEFERRED:
            await conn.execute(text(statement))
    with pytest.raises(IntegrityError, match="not at the end"):
        async with db.begin(resolve_commit=resolve) as session:
            await add(session, "a")
    assert session.outcome == "rolled_back"
    assert await stored(engine) == []


@on_postgres
async def test_a_backend_that_was_ended_before(db: AsyncSessionFactory) -> None:
    with pytest.raises((DBAPIError, TransactionRolledBack)):
        async with db.begin() as session:
            await add(session, "a")
            pid = await session.scalar(text("select pg_backend_pid()"))
            async with db.begin() as other:
                # True once it has ended
                assert await other.scalar(text("select pg_terminate_backend(:p, 9000)"), {"p": pid})
    assert session.outcome == "rolled_back"
    assert await stored(db.engine) == []


async def cut_all(session: AsyncSession, proxy: Proxy, backend: str) -> None:
    """Cut the connection, and let the driver know."""
    conn = await session.connection()
    raw: Any = (await conn.get_raw_connection()).driver_connection
    proxy.cut_all()
    async with asyncio.timeout(10):
        # asyncpg learns it from the event loop, psycopg when it is asked
        while proxy.connections or (backend == "asyncpg" and not raw.is_closed()):  # noqa: ASYNC110
            await asyncio.sleep(0)


@on_postgres
async def test_a_cut_before_commit_was_sent(
    through: AsyncSessionFactory, engine: AsyncEngine, proxy: Proxy, backend: str
) -> None:
    with pytest.raises(DBAPIError):
        async with through.begin() as session:
            await add(session, "a")
            await cut_all(session, proxy, backend)
    assert session.outcome == "rolled_back"
    assert await stored(engine) == []
    assert checked_out(through.engine) == 0


# ------------------------------------------------------------ no answer comes


@on_postgres
@pytest.mark.parametrize("action", ["cut", "garble"])
@pytest.mark.parametrize("side", SIDES)
async def test_nobody_knows(
    through: AsyncSessionFactory, engine: AsyncEngine, proxy: Proxy, side: Any, action: Any
) -> None:
    fault = proxy.on("commit", side, action)
    with pytest.raises(CommitOutcomeUnknown, match="no answer came") as raised:
        async with through.begin() as session:
            await add(session, "a")
    assert fault.fired
    assert raised.value.__cause__ is not None
    assert (session.state, session.outcome) == ("closed", "unknown")
    assert await stored(engine) == SIDES[side]
    assert checked_out(through.engine) == 0
    async with through.begin() as session:
        await add(session, "b")
    assert session.outcome == "committed"


@on_postgres
@pytest.mark.parametrize("side", SIDES)
async def test_by_hand(
    through: AsyncSessionFactory, engine: AsyncEngine, proxy: Proxy, side: Any
) -> None:
    proxy.on("commit", side, "cut")
    async with through.begin() as session:
        await add(session, "a")
        with pytest.raises(CommitOutcomeUnknown):
            await session.commit()
        assert (session.state, session.outcome) == ("closed", "unknown")
    assert session.outcome == "unknown"
    assert await stored(engine) == SIDES[side]


@on_postgres
@pytest.mark.parametrize("side", SIDES)
async def test_cancelled_past_the_grace(
    through: AsyncSessionFactory,
    engine: AsyncEngine,
    proxy: Proxy,
    side: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(GRACE, 0.05)
    monkeypatch.setattr(PUSH, 0.05)
    fault = proxy.on("commit", side, "hang")
    sessions: list[AsyncSession] = []

    async def work() -> None:
        async with through.begin() as session:
            sessions.append(session)
            await add(session, "a")

    task = asyncio.create_task(work())
    await fault.happens()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sessions[0].outcome == "unknown"
    assert "no answer came" in caplog.text
    # a message that hangs may arrive when its client is gone
    assert await stored(engine) in ([], ["a"])


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_commit_of_sqlite_that_waits_for_a_reader(
    db: AsyncSessionFactory, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GRACE, 0.05)
    monkeypatch.setattr(PUSH, 0.05)
    sessions: list[AsyncSession] = []
    committing, loop = asyncio.Event(), asyncio.get_running_loop()
    event.listen(engine.sync_engine, "commit", lambda _: loop.call_soon_threadsafe(committing.set))

    async def work() -> None:
        async with db.begin() as session:
            sessions.append(session)
            await add(session, "a")

    async with engine.connect() as reader:
        await reader.execute(text("begin"))
        await reader.execute(text("select * from note"))
        task = asyncio.create_task(work())
        await committing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # the driver's thread may still be at it
        assert sessions[0].outcome == "unknown"
        await reader.rollback()
    async with db.begin() as session:
        await add(session, "b")
    assert await stored(engine) in (["b"], ["a", "b"])


# ------------------------------------------------------------ the server is asked


@on_postgres
@pytest.mark.parametrize("action", ["cut", "garble"])
@pytest.mark.parametrize("side", SIDES)
async def test_resolved(
    through: AsyncSessionFactory, engine: AsyncEngine, proxy: Proxy, side: Any, action: Any
) -> None:
    fault = proxy.on("commit", side, action)
    if side == "answered":
        async with through.begin(resolve_commit=True) as session:
            await add(session, "a")
        assert session.outcome == "committed"
    else:
        with pytest.raises(TransactionRolledBack, match="the answer to COMMIT was lost") as raised:
            async with through.begin(resolve_commit=True) as session:
                await add(session, "a")
        assert session.outcome == "rolled_back"
        assert isinstance(raised.value.__cause__, Exception)
    assert fault.fired
    assert await stored(engine) == SIDES[side]
    assert checked_out(through.engine) == 0
    async with through.begin(resolve_commit=True) as session:
        await add(session, "b")
    assert await stored(engine) == [*SIDES[side], "b"]


@on_postgres
@pytest.mark.parametrize(
    ("how", "side"), [("task", "sent"), ("task", "answered"), ("limit", "answered")]
)
async def test_a_cancelled_task_learns_the_outcome(
    through: AsyncSessionFactory,
    engine: AsyncEngine,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    side: Any,
    how: str,
) -> None:
    """Its COMMIT hangs, and the server is asked on another connection."""
    monkeypatch.setattr(GRACE, 0.05)
    # for the question, which takes no time at all; psycopg has to be pushed once more before
    monkeypatch.setattr(PUSH, 2)
    fault = proxy.on("commit", side, "hang")
    block = through.begin(resolve_commit=True, timeout=0.5 if how == "limit" else None)

    async def use() -> None:
        async with block as session:
            await add(session, "a")

    task = asyncio.create_task(use())
    await fault.happens()
    if how == "task":
        task.cancel()
    async with asyncio.timeout(9):
        if how == "limit":
            # it is stored, and nobody has cancelled the task
            await task
        else:
            with pytest.raises(asyncio.CancelledError):
                await task
    assert block.outcome == ("committed" if side == "answered" else "rolled_back")
    assert await stored(engine) == SIDES[side]
    assert [one for one in caplog.records if one.name == "naked_sqla"] == []
    assert checked_out(through.engine) == 0


@on_postgres
async def test_a_cancelled_task_does_not_wait_for_a_question_that_hangs(
    through: AsyncSessionFactory, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GRACE, 0.05)
    monkeypatch.setattr(PUSH, 0.05)
    fault = proxy.on("commit", "answered", "hang")
    question = proxy.on("connect", "sent", "hang", times=None)
    block = through.begin(resolve_commit=True)

    async def use() -> None:
        async with block as session:
            await add(session, "a")

    task = asyncio.create_task(use())
    await fault.happens()
    task.cancel()
    async with asyncio.timeout(9):
        with pytest.raises(asyncio.CancelledError):
            await task
        await question.happens()
    assert block.outcome == "unknown"
    proxy.clear()
    await finished()
    assert checked_out(through.engine) == 0


async def finished() -> None:
    """Wait for work whose caller has gone on."""
    if _leftover:
        await asyncio.wait(list(_leftover), timeout=9)


@on_postgres
async def test_what_has_written_nothing_is_not_asked_for(
    through: AsyncSessionFactory, proxy: Proxy
) -> None:
    proxy.on("commit", "sent", "cut")
    async with through.begin(resolve_commit=True) as session:
        await session.scalar(text("select 1"))
    assert session.outcome == "committed"


@on_postgres
async def test_nobody_can_be_asked(
    through: AsyncSessionFactory, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naked_sqla.backends.xact_status._LIMIT", 0)
    proxy.on("commit", "answered", "cut")
    proxy.on("connect", "sent", "cut", times=None)
    with pytest.raises(CommitOutcomeUnknown):
        async with through.begin(resolve_commit=True) as session:
            await add(session, "a")
    assert session.outcome == "unknown"


@on_postgres
async def test_a_backend_that_lives_on_is_ended(
    through: AsyncSessionFactory,
    engine: AsyncEngine,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its transaction would keep its locks, and its outcome to itself."""
    monkeypatch.setattr("naked_sqla.backends.xact_status._PATIENCE", 0)
    async with engine.begin() as conn:
        for statement in STALLING:
            await conn.execute(text(statement))
    async with engine.connect() as other:
        await other.execute(text("select pg_advisory_xact_lock(7)"))
        # the server has COMMIT, and can't end it; the client is gone
        fault = proxy.on("commit", "answered", "cut")
        work = asyncio.create_task(resolving(through))
        async with asyncio.timeout(10):
            while not await other.scalar(WAITING):
                pass
        proxy.cut_all()
        with pytest.raises(TransactionRolledBack):
            await work
    assert not fault.fired
    assert await stored(engine) == []


async def resolving(db: AsyncSessionFactory) -> None:
    async with db.begin(resolve_commit=True) as session:
        await add(session, "a")


WAITING = text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
STALLING = [
    "create function stall() returns trigger language plpgsql as "
    "$$ begin perform pg_advisory_xact_lock(7); return null; end $$",
    "create constraint trigger stall after insert on note deferrable initially deferred "
    "for each row execute function stall()",
]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_refused_elsewhere(db: AsyncSessionFactory, sync_sqlite: Engine) -> None:
    with pytest.raises(UnsupportedOption, match="sqlite can't be asked"):
        db.begin(resolve_commit=True)
    with pytest.raises(TypeError, match="takes True or False, not 'yes'"):
        db.begin(resolve_commit="yes")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedOption, match="sqlite can't be asked"):
        SessionFactory(sync_sqlite).begin(resolve_commit=True)


@pytest.fixture
def sync_sqlite() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    yield engine
    engine.dispose()


# ------------------------------------------------------------ the synchronous face


@pytest.fixture
def sync_through(proxy: Proxy, database_url: URL) -> Iterator[SessionFactory]:
    engine = create_engine(proxy.url(database_url), pool_size=1, max_overflow=0)
    create_sync(engine)
    yield SessionFactory(engine)
    engine.dispose()


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
@pytest.mark.parametrize("side", SIDES)
def test_sync(sync_through: SessionFactory, proxy: Proxy, side: Any) -> None:
    proxy.on("commit", side, "cut")
    with pytest.raises(CommitOutcomeUnknown), sync_through.begin() as session:
        session.execute(insert(Note), {"text": "a"})
    assert session.outcome == "unknown"
    assert list(sync_through.scalars(text("select text from note"))) == SIDES[side]
    proxy.on("commit", side, "cut")
    block = sync_through.begin(resolve_commit=True)
    if side == "answered":
        with block as session:
            session.execute(insert(Note), {"text": "b"})
        assert (session.outcome, block.outcome) == ("committed", "committed")
    else:
        with pytest.raises(TransactionRolledBack), block as session:
            session.execute(insert(Note), {"text": "b"})
        assert (session.outcome, block.outcome) == ("rolled_back", "rolled_back")
    assert len(list(sync_through.scalars(text("select text from note")))) == 2 * len(SIDES[side])


def test_sync_a_commit_that_sqlite_refuses(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/test.sqlite", connect_args={"timeout": 0})
    create_sync(engine)
    with engine.connect() as reader:
        reader.execute(text("begin"))
        reader.execute(text("select * from note"))
        with pytest.raises(OperationalError, match="locked"):  # noqa: SIM117
            with SessionFactory(engine).begin() as session:
                session.execute(insert(Note), {"text": "a"})
        assert session.outcome == "rolled_back"
    with SessionFactory(engine).begin() as session:
        session.execute(insert(Note), {"text": "b"})
    assert stored_sync(engine) == ["b"]
    engine.dispose()


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
def test_sync_a_cut_before_commit(sync_through: SessionFactory, proxy: Proxy) -> None:
    with pytest.raises(DBAPIError), sync_through.begin() as session:
        session.execute(insert(Note), {"text": "a"})
        proxy.cut_all()
        while proxy.connections:
            pass
    assert session.outcome == "rolled_back"
    assert list(sync_through.scalars(text("select text from note"))) == []


# ------------------------------------------------------------ what run() makes of it


@on_postgres
async def test_run_goes_by_the_outcome(
    through: AsyncSessionFactory, engine: AsyncEngine, proxy: Proxy
) -> None:
    attempts = 0

    async def work(session: AsyncSession, words: str) -> None:
        nonlocal attempts
        attempts += 1
        await add(session, words)

    # nobody knows: not again, unless it may be done twice
    proxy.on("commit", "answered", "cut")
    with pytest.raises(CommitOutcomeUnknown):
        await through.run(work, "a")
    assert attempts == 1
    proxy.on("commit", "sent", "cut")
    await through.run(work, "b", idempotent=True)
    assert attempts == 3
    # the server says that it is stored
    proxy.on("commit", "answered", "cut")
    await through.run(work, "c", resolve_commit=True)
    assert attempts == 4
    # the server says that it is not
    proxy.on("commit", "sent", "cut")
    await through.run(work, "d", resolve_commit=True)
    assert attempts == 6
    assert await stored(engine) == ["a", "b", "c", "d"]


@on_postgres
async def test_run_again_after_a_cut_before_commit(
    through: AsyncSessionFactory, engine: AsyncEngine, proxy: Proxy, backend: str
) -> None:
    cut: list[str] = []

    async def work(session: AsyncSession) -> None:
        await add(session, "a")
        if not cut:
            cut.append("once")
            await cut_all(session, proxy, backend)

    await through.run(work)
    assert await stored(engine) == ["a"]
