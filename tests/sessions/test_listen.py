"""Notifications of PostgreSQL: when they are sent, what arrives, and what is told of losses."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from naked_sqla import (
    AsyncSessionFactory,
    ConcurrentSessionUse,
    InvalidBind,
    InvalidSessionState,
    InvalidStatement,
    Notification,
    SessionFactory,
)
from naked_sqla.backends import notifications as backend_notifications
from naked_sqla.sessions._async import listening
from naked_sqla.testing import sandbox

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere
from .._proxy import Proxy

on_postgresql = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
on_psycopg = pytest.mark.parametrize("backend", ["psycopg"], indirect=True)

HOSTILE = "Jöbs \"x\"; DROP 'y' %s %(a)s :b \\ {}"


@pytest.fixture
def db(engine: AsyncEngine) -> AsyncSessionFactory:
    return AsyncSessionFactory(engine)


@pytest.fixture
async def far(database_url: URL, proxy: Proxy) -> AsyncIterator[AsyncSessionFactory]:
    """A factory whose connections go through the proxy."""
    engine = create_async_engine(proxy.url(database_url))
    yield AsyncSessionFactory(engine)
    await engine.dispose()


# ---------------------------------------------------------------- sending


@on_postgresql
async def test_a_notification_is_sent_at_commit(db: AsyncSessionFactory) -> None:
    async with db.listen("jobs") as notifications:
        async with db.begin() as session:
            await session.notify("jobs", "rolled back")
            await session.rollback()
        async with db.begin() as session:
            pid = await session.scalar(select(func.pg_backend_pid()))
            await session.notify("jobs", "first")
            assert await notifications.get(timeout=0) is None
            await session.notify("jobs", "first")
            await session.notify("jobs")
        await db.notify("jobs", "third")
        assert await anext(notifications) == Notification("jobs", "first", pid)
        found = [await anext(notifications) for _ in range(2)]
        assert [one.payload for one in found] == ["", "third"]
        assert not any(one.missed for one in found)


@on_postgresql
async def test_any_text_is_a_channel_and_a_payload(db: AsyncSessionFactory) -> None:
    longest = "é" * 31 + "x"
    async with db.listen(HOSTILE, longest, "JOBS", HOSTILE) as notifications:
        await db.notify("jobs", "another channel")
        for channel in (HOSTILE, longest, "JOBS"):
            await db.notify(channel, HOSTILE)
            found = await anext(notifications)
            assert (found.channel, found.payload) == (channel, HOSTILE)


@on_postgresql
async def test_the_longest_payload(db: AsyncSessionFactory) -> None:
    longest = "é" * 3999 + "x"
    async with db.listen("jobs") as notifications, db.begin() as session:
        with pytest.raises(ValueError, match="8000 bytes, and PostgreSQL takes 7999"):
            await session.notify("jobs", "é" * 4000)
        # nothing was sent, and the session goes on
        await session.notify("jobs", longest)
        await session.commit()
        assert (await anext(notifications)).payload == longest
    with pytest.raises(DBAPIError, match="payload string too long"):
        await db.execute(select(func.pg_notify("jobs", "x" * 8000)))
    with pytest.raises(DBAPIError, match="channel name too long"):
        await db.execute(select(func.pg_notify("x" * 64, "")))


@on_postgresql
async def test_a_session_that_only_reads_sends_none(db: AsyncSessionFactory) -> None:
    async with db.read() as session:
        with pytest.raises(InvalidSessionState, match="notify"):
            await session.notify("jobs")


@on_postgresql
async def test_the_database_of_a_bind_key(engine: AsyncEngine, tmp_path: Any) -> None:
    local = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/local.sqlite")
    db = AsyncSessionFactory(local, binds={"queue": engine})
    try:
        async with db.listen("jobs", bind_key="queue") as notifications:
            async with db.begin() as session:
                await session.notify("jobs", "1", bind_key="queue")
            await db.notify("jobs", "2", bind_key="queue")
            assert [(await anext(notifications)).payload for _ in range(2)] == ["1", "2"]
        with pytest.raises(InvalidStatement, match="sqlite has no notifications"):
            await db.notify("jobs")
        with pytest.raises(InvalidBind):
            db.listen("jobs", bind_key="other")
        with pytest.raises(InvalidBind):
            await db.notify("jobs", bind_key="other")
    finally:
        await local.dispose()


@on_postgresql
async def test_two_phases_and_a_notification(database_url: URL, engine: AsyncEngine) -> None:
    """PostgreSQL prepares no transaction that has sent one: nothing is committed then."""
    other = create_async_engine(database_url)
    db = AsyncSessionFactory(engine, binds={"other": other}, two_phase=True)
    async with db.listen("jobs") as notifications:

        async def both() -> None:
            async with db.begin() as session:
                await session.notify("jobs", "lost")
                await (await session.connection("other")).execute(text("SELECT 1"))

        with pytest.raises(DBAPIError, match="NOTIFY"):
            await both()
        await db.notify("jobs", "1")
        assert (await anext(notifications)).payload == "1"
    await other.dispose()


@on_postgresql
async def test_in_a_sandbox_nothing_is_sent(db: AsyncSessionFactory) -> None:
    async with db.listen("jobs") as notifications:
        async with sandbox(db) as box:
            await box.notify("jobs", "undone")
            async with box.listen("jobs") as own:
                assert await own.get(timeout=0) is None
        await db.notify("jobs", "1")
        assert (await anext(notifications)).payload == "1"


# ---------------------------------------------------------------- the connection


@on_postgresql
async def test_listening_takes_no_place_in_the_pool(database_url: URL) -> None:
    engine = create_async_engine(database_url, pool_size=1, max_overflow=0, pool_timeout=2)
    db = AsyncSessionFactory(engine)
    async with db.listen("jobs") as notifications, db.begin() as session:
        assert (await db.health()).checked_out == 1
        await session.notify("jobs", "1")
        await session.commit()
        assert (await anext(notifications)).payload == "1"
    await engine.dispose()


@on_postgresql
async def test_a_lost_connection_is_made_anew_and_told_of(
    db: AsyncSessionFactory, far: AsyncSessionFactory, proxy: Proxy, caplog: Any
) -> None:
    caplog.set_level(logging.WARNING, "naked_sqla")
    async with far.listen("jobs", "mails") as notifications:
        await db.notify("jobs", "before")
        assert (await anext(notifications)).payload == "before"
        proxy.cut_all()
        # nobody hears it
        await db.notify("jobs", "meanwhile")
        found = [await anext(notifications) for _ in range(2)]
        missed = [Notification(channel, "", 0, missed=True) for channel in ("jobs", "mails")]
        assert found == missed
        await db.notify("mails", "after")
        after = await anext(notifications)
        assert (after.channel, after.payload, after.missed) == ("mails", "after", False)
    (warning,) = caplog.messages
    assert "'jobs', 'mails' was lost" in warning


@on_postgresql
async def test_what_arrived_before_the_loss_comes_first(
    db: AsyncSessionFactory, far: AsyncSessionFactory, proxy: Proxy
) -> None:
    async with far.listen("jobs") as notifications:
        waiting = asyncio.create_task(notifications.get())
        await db.notify("jobs", "1")
        await waiting
        await db.execute(text("SELECT pg_notify('jobs', n::text) FROM generate_series(2, 4) n"))
        assert (await anext(notifications)).payload == "2"
        proxy.cut_all()
        found = [await anext(notifications) for _ in range(3)]
        assert [(one.payload, one.missed) for one in found] == [
            ("3", False),
            ("4", False),
            ("", True),
        ]


@on_postgresql
async def test_no_gap_comes_untold(
    db: AsyncSessionFactory, far: AsyncSessionFactory, proxy: Proxy
) -> None:
    """Cuts and cancellations at random: where a number is missing, a mark comes before the next."""
    random, cuts = Random(7), Random(7)
    last, told, marks = 0, False, 0
    async with far.listen("numbers") as notifications:

        async def send() -> None:
            for number in range(1, 121):
                await db.notify("numbers", str(number))
                if cuts.random() < 0.1:
                    await asyncio.to_thread(proxy.cut_all)
            # until somebody has heard it
            while last < 120:
                await db.notify("numbers", "120")

        sending = asyncio.create_task(send())
        while last < 120:
            try:
                async with asyncio.timeout(random.choice((0.001, 1))):
                    found = await anext(notifications)
            except TimeoutError:
                continue
            if found.missed:
                told, marks = True, marks + 1
                continue
            number = int(found.payload)
            assert number == last + 1 or told or number == last == 120
            last, told = number, False
        await sending
    assert marks


@on_postgresql
async def test_it_tries_again_until_the_server_is_there(
    db: AsyncSessionFactory, far: AsyncSessionFactory, proxy: Proxy, caplog: Any
) -> None:
    async with far.listen("jobs") as notifications:
        refused = proxy.on("connect", "sent", "cut", times=2)
        proxy.cut_all()
        assert await anext(notifications) == Notification("jobs", "", 0, missed=True)
        assert refused.count == 2
        await db.notify("jobs", "1")
        assert (await anext(notifications)).payload == "1"
    assert sum("tries again" in message for message in caplog.messages) == 2


@on_postgresql
async def test_a_wait_that_is_over_while_the_server_is_away(
    far: AsyncSessionFactory, proxy: Proxy
) -> None:
    async with far.listen("jobs") as notifications:
        hanging = proxy.on("connect", "sent", "hang")
        proxy.cut_all()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(notifications)
        assert hanging.fired
        assert await anext(notifications) == Notification("jobs", "", 0, missed=True)
        proxy.on("connect", "sent", "cut", times=None)
        proxy.cut_all()
        assert await notifications.get(timeout=0.05) is None
        proxy.clear()
        assert await anext(notifications) == Notification("jobs", "", 0, missed=True)


@on_postgresql
async def test_a_server_that_is_silent_is_asked(
    far: AsyncSessionFactory, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(listening, "_PATIENCE", 0.1)
    async with far.listen("jobs", heartbeat=0.02) as notifications:
        hanging = proxy.on("execute", "answered", "hang", containing="SELECT 1", skip=2)
        # two answers came, and the third does not
        assert await anext(notifications) == Notification("jobs", "", 0, missed=True)
        assert hanging.fired
    assert "TimeoutError" in caplog.text


@on_postgresql
async def test_a_check_that_is_cancelled_disturbs_nothing(
    db: AsyncSessionFactory, far: AsyncSessionFactory, proxy: Proxy
) -> None:
    async with far.listen("jobs", heartbeat=0.02) as notifications:
        hanging = proxy.on("execute", "answered", "hang", containing="SELECT 1")
        waiting = asyncio.create_task(notifications.get())
        await hanging.happens()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        hanging.release()
        await db.notify("jobs", "1")
        found = await anext(notifications)
        assert (found.payload, found.missed) == ("1", False)


@pytest.mark.parametrize("backend", ["asyncpg"], indirect=True)
async def test_a_refusal_for_good_comes_out(
    db: AsyncSessionFactory, engine: AsyncEngine, database_url: URL
) -> None:
    """libpq does not tell it from a server that is down."""
    role = f"listener_{id(engine)}"
    await db.execute(text(f"CREATE ROLE {role} LOGIN"))
    query = database_url.difference_update_query(["user"]).set(username=role)
    other = create_async_engine(query)
    try:
        async with AsyncSessionFactory(other).listen("jobs") as notifications:
            await db.execute(text(f"ALTER ROLE {role} NOLOGIN"))
            stop = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = :u")
            await db.execute(stop, {"u": role})
            with pytest.raises(Exception, match="not permitted to log in"):
                await anext(notifications)
    finally:
        await other.dispose()
        await db.execute(text(f"DROP ROLE {role}"))


# ---------------------------------------------------------------- cancellation


@on_postgresql
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_a_cancelled_wait_loses_nothing(
    db: AsyncSessionFactory, kind: Kind, moment: Moment
) -> None:
    sent: list[str] = []
    got: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async with db.listen("jobs") as notifications:

        async def before() -> None:
            sent.append(str(len(sent)))
            tasks.append(asyncio.create_task(db.notify("jobs", sent[-1])))

        async def wait() -> None:
            got.append((await anext(notifications)).payload)

        async def check(run: Run) -> None:
            if len(got) < len(sent):
                assert run.cancelled
                await wait()
            assert got == sent

        assert await cancelled_everywhere(wait, kind, moment, check, before)
        await asyncio.gather(*tasks)


@on_postgresql
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_a_cancelled_block_leaves_no_connection(
    db: AsyncSessionFactory, kind: Kind, moment: Moment
) -> None:
    listening = text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN \"left%'")

    async def block() -> None:
        async with db.listen("left behind"):
            pass

    async def check(_: Run) -> None:
        async with asyncio.timeout(5):
            while await db.scalar(listening):
                pass

    assert await cancelled_everywhere(block, kind, moment, check) >= 2


@on_postgresql
async def test_a_task_that_waits_when_the_block_ends(db: AsyncSessionFactory) -> None:
    async with db.listen("jobs") as notifications:
        waiting = asyncio.create_task(notifications.get())
        await asyncio.sleep(0)
        with pytest.raises(ConcurrentSessionUse, match="a second task"):
            await notifications.get()
    with pytest.raises(InvalidSessionState, match="has ended"):
        await waiting
    with pytest.raises(InvalidSessionState, match="has ended"):
        await anext(notifications)


# ---------------------------------------------------------------- wrong use


@on_postgresql
async def test_wrong_arguments(db: AsyncSessionFactory) -> None:
    wrong: Any
    for wrong in ("", "x" * 64, "a\x00b"):
        with pytest.raises(ValueError, match="1 to 63 bytes"):
            db.listen(wrong)
        with pytest.raises(ValueError, match="1 to 63 bytes"):
            await db.notify(wrong)
    for wrong in (None, b"jobs", 1, ["jobs"]):
        with pytest.raises(TypeError, match="name of a channel"):
            db.listen(wrong)
        with pytest.raises(TypeError, match="name of a channel"):
            await db.notify(wrong)
        with pytest.raises(TypeError, match="a string as payload"):
            await db.notify("jobs", wrong)
    with pytest.raises(ValueError, match="zero byte"):
        await db.notify("jobs", "a\x00b")
    with pytest.raises(TypeError, match="names of channels"):
        db.listen()
    for wrong in (0, -1, "30", True):
        with pytest.raises(TypeError, match="heartbeat= takes seconds, more than 0"):
            db.listen("jobs", heartbeat=wrong)
    with pytest.raises(InvalidBind):
        db.listen("jobs", bind_key="other")
    with pytest.raises(InvalidBind):
        await db.notify("jobs", bind_key="other")


@on_postgresql
async def test_wrong_use_of_the_block(db: AsyncSessionFactory) -> None:
    notifications: Any = db.listen("jobs", heartbeat=None)
    with pytest.raises(TypeError, match=r"async with db.listen\(\"jobs\"\)"), notifications:
        pass
    with pytest.raises(InvalidSessionState, match="was not entered"):
        await anext(notifications)
    async with notifications:
        with pytest.raises(TypeError, match="timeout= takes seconds, 0 of them"):
            await notifications.get(timeout=-1)
        assert await notifications.get(timeout=0.01) is None
    with pytest.raises(InvalidSessionState, match="listening connection"):
        await notifications.__aenter__()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_sqlite_has_no_notifications(db: AsyncSessionFactory) -> None:
    with pytest.raises(InvalidStatement, match=r"listen\(\): sqlite has no notifications"):
        db.listen("jobs")
    with pytest.raises(InvalidStatement, match=r"notify\(\): sqlite has no notifications"):
        await db.notify("jobs")
    async with db.begin() as session:
        with pytest.raises(InvalidStatement, match="of PostgreSQL"):
            await session.notify("jobs")


async def test_a_driver_that_can_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_engine("postgresql+psycopg://nowhere/none")
    monkeypatch.setattr(engine.dialect, "driver", "psycopg2")
    with pytest.raises(InvalidStatement, match="postgresql through psycopg2 can't"):
        SessionFactory(engine).listen("jobs")


# ---------------------------------------------------------------- the synchronous face


@on_psycopg
def test_the_synchronous_face(sync_engine: Engine) -> None:
    db = SessionFactory(sync_engine)
    with db.listen(HOSTILE, "mails", heartbeat=0.01) as notifications:
        with db.begin() as session:
            session.notify(HOSTILE, "1")
            assert notifications.get(timeout=0.05) is None
        db.notify("mails", "2")
        assert [next(notifications).payload, next(notifications).payload] == ["1", "2"]
        found: list[Notification] = []
        thread = threading.Thread(target=lambda: found.append(next(notifications)))
        thread.start()
        db.notify("mails", "3")
        thread.join()
        assert found[0].payload == "3"
    with pytest.raises(InvalidSessionState, match="has ended"):
        next(notifications)


@on_psycopg
def test_the_synchronous_face_connects_again(
    database_url: URL, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from naked_sqla.sessions._sync import listening as sync_listening

    monkeypatch.setattr(sync_listening, "_PATIENCE", 0.1)
    engine = create_engine(proxy.url(database_url))
    db = SessionFactory(engine)
    again = Notification("jobs", "", 0, missed=True)
    with db.listen("jobs", heartbeat=0.02) as notifications:
        refused = proxy.on("connect", "sent", "cut", times=2)
        proxy.cut_all()
        assert next(notifications) == again
        assert refused.count == 2
        proxy.on("execute", "answered", "hang", containing="SELECT 1", skip=2)
        assert next(notifications) == again
        db.notify("jobs", "1")
        assert next(notifications).payload == "1"
    engine.dispose()


def test_the_drivers_have_the_same_listener() -> None:
    def names(cls: type) -> set[str]:
        return {name for name in dir(cls) if not name.startswith("_")}

    asyncpg = names(backend_notifications.AsyncpgListener)
    assert asyncpg == names(backend_notifications.AsyncPsycopgListener)
    assert asyncpg == names(backend_notifications.PsycopgListener)
