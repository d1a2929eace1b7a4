"""check() and health(): whether the databases answer, and who uses their connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from naked_sqla import AsyncSession, AsyncSessionFactory, Health, SessionFactory, TransactionTimeout

from .._notes import checked_out
from .._proxy import Proxy

# Seconds; a wait of the drivers, or of the pool, takes 30 and more.
SOON = 10
ONE: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": SOON}


@pytest.fixture
async def one(database_url: URL) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database_url, **ONE)
    yield engine
    await engine.dispose()


async def test_check_works_beside_a_pool_that_is_in_use(one: AsyncEngine) -> None:
    db = AsyncSessionFactory(one)
    async with db.begin() as session:
        await session.scalar(text("SELECT 1"))
        await db.check()
        assert checked_out(one) == 1
    await db.check(timeout=SOON)
    assert checked_out(one) == 0


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
@pytest.mark.parametrize("moment", ["connect", "begin"])
async def test_check_of_a_server_that_hangs(database_url: URL, proxy: Proxy, moment: Any) -> None:
    engine = create_async_engine(proxy.url(database_url))
    db = AsyncSessionFactory(engine, binds={"same": engine})
    proxy.on(moment, "sent", "hang", times=None)
    async with asyncio.timeout(SOON):
        with pytest.raises(TransactionTimeout, match=r"default database.* within 0.2 s") as caught:
            await db.check(timeout=0.2)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.seconds == 0.2
    proxy.clear()
    async with asyncio.timeout(SOON):
        await db.check(timeout=SOON)
    await engine.dispose()


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_check_of_a_server_that_is_down(database_url: URL, backend: str) -> None:
    engine = create_async_engine(database_url.set(host="localhost", port=1, query={}))
    db = AsyncSessionFactory(engine)
    with pytest.raises(Exception, match="1") as caught:
        await db.check(timeout=SOON)
    assert db.is_connect_error(caught.value)
    await engine.dispose()


async def test_health_counts_what_is_in_use(one: AsyncEngine) -> None:
    db = AsyncSessionFactory(one)
    assert await db.health() == Health(0, 0, 0, None, ())
    entered, done = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with db.begin() as session:
            await session.scalar(text("SELECT 1"))
            entered.set()
            await done.wait()

    async def wait() -> None:
        async with db.begin():
            pass

    holding = asyncio.create_task(hold(), name="the one that holds it")
    await entered.wait()
    waiting = [asyncio.create_task(wait()) for _ in range(2)]
    # each of them is at the pool by then
    for _ in range(50):
        await asyncio.sleep(0)
    health = await db.health()
    assert health.waiting == 2
    assert (health.checked_out, health.sessions, health.prepared) == (1, 1, ())
    assert health.oldest is not None
    assert health.oldest.owner == "the one that holds it"
    assert 0 <= health.oldest.seconds < SOON
    done.set()
    await asyncio.gather(holding, *waiting)
    assert await db.health() == Health(0, 0, 0, None, ())


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_health_knows_what_was_left_prepared(one: AsyncEngine) -> None:
    db = AsyncSessionFactory(one, binds={"other": one}, two_phase=True)
    name = "naked_sqla_test_health_0"
    async with one.connect() as conn:
        await conn.execute(text("SELECT 1"))
        await conn.execute(text(f"PREPARE TRANSACTION '{name}'"))
        await conn.commit()
    try:
        found = {one.bind_key: one for one in (await db.health(SOON)).prepared if one.name == name}
        assert set(found) == {None, "other"}
        assert 0 <= found[None].seconds < SOON
        # without two-phase commit nobody is asked
        assert (await AsyncSessionFactory(one).health()).prepared == ()
    finally:
        async with one.connect() as conn:
            auto = await conn.execution_options(isolation_level="AUTOCOMMIT")
            await auto.execute(text(f"ROLLBACK PREPARED '{name}'"))
    assert (await db.health(SOON)).prepared == ()


class Half(float):
    """A number like any other."""


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 10**400, "1", None, True])
async def test_another_timeout_is_refused(one: AsyncEngine, seconds: Any) -> None:
    """A wrong type is a TypeError, and a number out of range a ValueError."""
    db = AsyncSessionFactory(one)
    error = TypeError if seconds in ("1", None) or seconds is True else ValueError
    for call in (db.check, db.health):
        with pytest.raises(error, match=r"\(timeout=...\) takes seconds, more than 0, not"):
            await call(timeout=seconds)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 10**400, "1", True])
async def test_one_rule_for_all_seconds(one: AsyncEngine, seconds: Any) -> None:
    db = AsyncSessionFactory(one)
    error = TypeError if seconds == "1" or seconds is True else ValueError
    with pytest.raises(error, match="takes seconds, 0 or more, not"):
        await db.run(nothing, deadline=seconds)
    with pytest.raises(error, match=r"takes seconds, 0 or more \(0: no limit\), not"):
        db.begin(timeout=seconds)


async def nothing(session: AsyncSession) -> None:
    pass


async def test_a_subclass_of_float_is_a_number(one: AsyncEngine) -> None:
    db = AsyncSessionFactory(one)
    await db.check(timeout=Half(SOON))
    await db.run(nothing, deadline=Half(SOON))
    async with db.begin(timeout=Half(SOON)):
        pass


def test_synchronous(sync_engine: Engine) -> None:
    engine = create_engine(sync_engine.url, **ONE)
    db = SessionFactory(engine)
    entered, done = threading.Event(), threading.Event()

    def hold() -> None:
        with db.begin() as session:
            session.scalar(text("SELECT 1"))
            entered.set()
            done.wait(SOON)

    def wait() -> None:
        with db.begin():
            pass

    threads = [threading.Thread(target=hold, name="holder")]
    threads[0].start()
    assert entered.wait(SOON)
    db.check(timeout=SOON)
    threads.append(threading.Thread(target=wait))
    threads[1].start()
    while (health := db.health()).waiting < 1 and threads[1].is_alive():
        pass
    assert (health.checked_out, health.waiting, health.sessions) == (1, 1, 1)
    assert health.oldest is not None
    assert health.oldest.owner == "holder"
    done.set()
    for thread in threads:
        thread.join(SOON)
    assert db.health() == Health(0, 0, 0, None, ())
    engine.dispose()


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
def test_synchronous_check_of_a_server_that_hangs(sync_engine: Engine, proxy: Proxy) -> None:
    engine = create_engine(proxy.url(sync_engine.url))
    proxy.on("begin", "sent", "hang", times=None)
    with pytest.raises(TransactionTimeout, match="did not answer"):
        SessionFactory(engine).check(timeout=0.2)
    proxy.clear()
    SessionFactory(engine).check(timeout=SOON)
    engine.dispose()
