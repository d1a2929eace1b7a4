"""Opening a connection, while the caller is cancelled: it takes no place in the pool for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import URL, Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from naked_sqla import AsyncSessionFactory
from naked_sqla._sqlalchemy import greenlets
from naked_sqla.sessions._async.cancel import needs_connecting

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_at, cancelled_everywhere
from .._notes import checked_out
from .._proxy import Proxy

ONE = text("SELECT 1")

# Seconds; the pool and the drivers give up after 30 and more.
SOON = 6


@pytest.fixture
async def far(database_url: URL, proxy: Proxy) -> AsyncIterator[AsyncEngine]:
    """An engine whose connections go through the proxy."""
    engine = create_async_engine(
        proxy.url(database_url), pool_size=1, max_overflow=2, pool_timeout=9
    )
    yield engine
    await engine.dispose()


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
@pytest.mark.parametrize("way", ["block", "call"])
async def test_an_attempt_that_is_given_up_holds_no_place(
    far: AsyncEngine, proxy: Proxy, way: str
) -> None:
    db = AsyncSessionFactory(far)
    hanging = proxy.on("connect", "sent", "hang", times=None)

    async def given_up() -> None:
        async with asyncio.timeout(0.3):
            if way == "call":
                await db.scalar(ONE)
            else:
                async with db.begin() as session:
                    await session.scalar(ONE)

    errors = await asyncio.gather(*[given_up() for _ in range(3)], return_exceptions=True)
    assert [type(error) for error in errors] == [TimeoutError] * 3
    assert hanging.count == 3
    assert checked_out(far) == 0
    proxy.clear()
    before = time.monotonic()
    async with asyncio.timeout(SOON), db.begin() as session:
        assert await session.scalar(ONE) == 1
    assert time.monotonic() - before < SOON / 2
    await far.dispose()
    # none of the sockets is left open
    async with asyncio.timeout(SOON):
        while proxy.connections:
            await asyncio.to_thread(time.sleep, 0)


async def test_a_place_whose_connection_was_thrown_away_is_connected(engine: AsyncEngine) -> None:
    """The pool counts it as one that is there."""
    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        assert await session.scalar(ONE) == 1
        await session.rollback()
        await session.conn.invalidate()
    pool: Any = engine.sync_engine.pool
    assert pool.checkedin() == 1
    assert needs_connecting(pool)
    made: list[Any] = []
    event.listen(engine.sync_engine, "connect", lambda raw, _: made.append(raw))

    async def block() -> None:
        async with db.begin() as session:
            await session.scalar(ONE)

    assert (await cancelled_at(1, "task", "pending", block)).cancelled
    # it was not torn, and is in the pool
    assert len(made) == 1
    assert not needs_connecting(pool)
    assert checked_out(engine) == 0


async def test_a_connection_that_has_to_be_renewed_is_connected(database_url: URL) -> None:
    engine = create_async_engine(database_url, pool_recycle=0)
    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        assert await session.scalar(ONE) == 1
    assert needs_connecting(engine.sync_engine.pool)
    await engine.dispose()


# ------------------------------------------------------------ a connection that the pool finds dead


@pytest.fixture
async def pinging(database_url: URL, proxy: Proxy) -> AsyncIterator[AsyncEngine]:
    """A pool of one that asks whether its connection lives, before it hands it out."""
    engine = create_async_engine(
        proxy.url(database_url), pool_size=1, max_overflow=0, pool_timeout=9, pool_pre_ping=True
    )
    yield engine
    await engine.dispose()


async def closed(proxy: Proxy, left: int = 0) -> None:
    """Wait until no more sockets are open."""
    async with asyncio.timeout(SOON):
        while proxy.connections > left:
            await asyncio.to_thread(time.sleep, 0)


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
@pytest.mark.parametrize("way", ["block", "call"])
async def test_a_reconnect_is_cancelled_at_each_point(
    pinging: AsyncEngine, proxy: Proxy, kind: Kind, moment: Moment, way: str
) -> None:
    db = AsyncSessionFactory(pinging)

    async def dead() -> None:
        await db.scalar(ONE)
        assert not needs_connecting(pinging.sync_engine.pool)
        proxy.cut_all()

    async def use() -> None:
        if way == "call":
            assert await db.scalar(ONE) == 1
            return
        async with db.begin() as session:
            assert await session.scalar(ONE) == 1

    async def check(run: Run) -> None:
        assert checked_out(pinging) == 0, run
        # at most the one that is in the pool again
        await closed(proxy, pinging.pool.checkedin())  # type: ignore[attr-defined]

    assert await cancelled_everywhere(use, kind, moment, check, dead) > 3


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
@pytest.mark.parametrize("way", ["block", "call"])
async def test_a_reconnect_that_hangs_holds_no_place(
    pinging: AsyncEngine, proxy: Proxy, way: str
) -> None:
    db = AsyncSessionFactory(pinging)
    await db.scalar(ONE)
    proxy.cut_all()
    hanging = proxy.on("connect", "sent", "hang", times=None)

    async def use() -> None:
        if way == "call":
            await db.scalar(ONE)
        else:
            async with db.begin() as session:
                await session.scalar(ONE)

    task = asyncio.create_task(use())
    await hanging.happens()
    task.cancel()
    before = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - before < SOON / 2
    assert checked_out(pinging) == 0
    proxy.clear()
    async with asyncio.timeout(SOON):
        assert await db.scalar(ONE) == 1
    await pinging.dispose()
    await closed(proxy)


def asks(raw: Any, *_: Any) -> None:
    """Send a statement, which takes a greenlet."""
    cursor = raw.cursor()
    cursor.execute("SELECT 1")
    assert cursor.fetchall() == [(1,)]
    cursor.close()


def asked_on(conn: Any, *_: Any) -> None:
    asks(conn.connection.dbapi_connection)


@pytest.mark.parametrize(
    ("target", "name", "ask"),
    [
        ("pool", "checkout", asks),
        ("engine", "engine_connect", asked_on),
        ("engine", "begin", asked_on),
        ("class", "begin", asked_on),
    ],
)
async def test_what_a_listener_sends_on_the_way_to_a_transaction(
    engine: AsyncEngine,
    target: str,
    name: str,
    ask: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nobody listens, the way to an open connection takes no greenlet."""
    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        assert await session.scalar(ONE) == 1
    sync = engine.sync_engine
    listened: Any = {"pool": sync.pool, "engine": sync, "class": Connection}[target]
    # the mark that somebody has listened to all connections would stay
    monkeypatch.setattr(Connection, "_has_events", False, raising=False)
    event.listen(listened, name, ask)
    try:
        async with db.begin() as session:
            assert await session.scalar(ONE) == 1
    finally:
        event.remove(listened, name, ask)
    assert checked_out(engine) == 0


async def test_a_dialect_that_sends_its_begin(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        assert await session.scalar(ONE) == 1
    dialect: Any = engine.sync_engine.dialect
    own = type("Own", (type(dialect),), {"do_begin": lambda _, fairy: asks(fairy)})
    dialect.__class__ = own
    async with db.begin() as session:
        assert await session.scalar(ONE) == 1


@pytest.mark.parametrize("options", [{"pool_size": 1, "max_overflow": 0}, {"pool_pre_ping": True}])
async def test_the_last_connection_of_a_pool_and_one_that_is_tested(
    database_url: URL, options: dict[str, Any]
) -> None:
    engine = create_async_engine(database_url, **options)
    db = AsyncSessionFactory(engine)
    for _ in range(2):
        async with db.begin() as session:
            assert await session.scalar(ONE) == 1
    await engine.dispose()


async def test_the_way_to_an_open_connection_takes_no_greenlet(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        assert await session.scalar(ONE) == 1
    started: list[Any] = []
    real = greenlets.Worker.start
    monkeypatch.setattr(
        greenlets.Worker, "start", lambda fn, args: (started.append(fn), real(fn, args))[1]
    )
    async with db.begin() as session:
        assert started == []
        assert await session.scalar(ONE) == 1
        assert len(started) == 1
