"""recover_prepared(): what a two-phase commit left behind whose process was stopped."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any, Literal

import pytest
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    Recovery,
    SessionFactory,
    TransactionRolledBack,
    UnsupportedOption,
)
from naked_sqla.sessions.recovering import recovering
from naked_sqla.sessions.routing import two_phase
from naked_sqla.sessions.routing.gids import Gid

from .._proxy import Proxy

pytestmark = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)

KEYS: tuple[str | None, ...] = (None, "b", "c")
# What is read as "longer than any commit takes".
NOW = 0.0
SOON = 10


@pytest.fixture(scope="module")
def databases(postgres_server: URL) -> Iterator[list[URL]]:
    """Three databases with a table each: prepared transactions belong to a database."""
    names = [f"recover_{uuid.uuid4().hex[:8]}_{n}" for n in range(3)]
    server = postgres_server.set(drivername="postgresql+psycopg")
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        for name in names:
            conn.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0")
    urls = [server.set(database=name) for name in names]
    for url in urls:
        one = create_engine(url)
        with one.begin() as conn:
            conn.exec_driver_sql("CREATE TABLE kept (id int PRIMARY KEY)")
        one.dispose()
    yield urls
    with admin.connect() as conn:
        for name in names:
            conn.exec_driver_sql(f"DROP DATABASE {name}")
    admin.dispose()


Made = Callable[..., AsyncSessionFactory]


@pytest.fixture
async def made(databases: list[URL], backend: str) -> AsyncIterator[Made]:
    """Makes a factory for some of the databases."""
    engines: list[AsyncEngine] = []

    def make(
        count: int = 2, proxy: Proxy | None = None, order: tuple[int, ...] = (0, 1, 2)
    ) -> AsyncSessionFactory:
        urls = [databases[n].set(drivername=f"postgresql+{backend}") for n in order[:count]]
        if proxy is not None:
            urls = [proxy.url(url) for url in urls]
        mine = [create_async_engine(url) for url in urls]
        engines.extend(mine)
        binds = {str(KEYS[n]): mine[n] for n in range(1, count)}
        return AsyncSessionFactory(mine[0], binds=binds, two_phase=True)

    yield make
    for one in engines:
        await one.dispose()


@pytest.fixture
async def whole(made: Made) -> AsyncIterator[AsyncSessionFactory]:
    """A factory that has all databases, and never goes through the proxy."""
    db = made(3)
    yield db
    await emptied(db)


async def emptied(db: AsyncSessionFactory) -> None:
    for key in KEYS:
        async with engine_of(db, key).connect() as conn:
            plain = await conn.execution_options(isolation_level="AUTOCOMMIT")
            await plain.execute(text("TRUNCATE kept"))


def engine_of(db: AsyncSessionFactory, key: str | None) -> AsyncEngine:
    assert db._databases is not None
    engine: AsyncEngine = db._databases.engines[key]
    return engine


async def write(session: AsyncSession, id_: int, count: int) -> None:
    for key in KEYS[:count]:
        conn = await session.connection(key)
        await conn.execute(text("INSERT INTO kept VALUES (:id)"), {"id": id_})


async def stored(db: AsyncSessionFactory, count: int) -> list[list[int]]:
    found = []
    for key in KEYS[:count]:
        async with engine_of(db, key).connect() as conn:
            found.append([*(await conn.scalars(text("SELECT id FROM kept ORDER BY id")))])
    return found


async def prepared(db: AsyncSessionFactory) -> set[str]:
    """What is prepared now, in any database of the server that belongs to these tests."""
    async with db.engine.connect() as conn:
        sql = "SELECT gid FROM pg_prepared_xacts WHERE starts_with(database, 'recover_')"
        return {*(await conn.scalars(text(sql)))}


# ------------------------------------------------------------ a process that is stopped


Point = tuple[Any, Literal["sent", "answered"], int, str]


def points(count: int) -> list[Point]:
    """Each message of a two-phase commit, before the server has it and after it has done it."""
    found: list[Point] = [("execute", "sent", n, "txid_current") for n in range(count)]
    found.append(("execute", "sent", 0, "pg_control_system"))
    for moment in ("prepare", "commit prepared"):
        for n in range(count):
            found.extend([(moment, "sent", n, ""), (moment, "answered", n, "")])
    # with three databases, what is in the middle
    return found if count == 2 else [one for one in found if one[2] == 1]


async def stopped(db: AsyncSessionFactory, proxy: Proxy, point: Point, count: int, id_: int) -> Any:
    """Commit, and reach no database any more from a point on; gives what the session says."""
    moment, side, skip, containing = point
    fault = proxy.on(moment, side, "hang", skip=skip, containing=containing)
    told: list[Any] = []

    async def use() -> None:
        block = db.begin()
        told.append(block)
        async with block as session:
            await write(session, id_, count)

    task = asyncio.create_task(use())
    await fault.happens()
    proxy.on("connect", "sent", "cut", times=None)
    proxy.cut_all()
    with suppress(Exception):
        await task
    assert task.exception() is not None
    proxy.clear()
    return told[0].outcome


@pytest.mark.parametrize("count", [2, 3])
async def test_a_process_that_is_stopped_at_each_point(
    made: Made, whole: AsyncSessionFactory, proxy: Proxy, count: int
) -> None:
    decided = []
    for id_, point in enumerate(points(count)):
        outcome = await stopped(made(count, proxy), proxy, point, count, id_)
        left = await prepared(whole)
        # a server may need a moment to see that a client is gone; what it does not prepare is over
        recovery = await whole.recover_prepared(older_than=NOW)
        assert {one.name for one in (*recovery.committed, *recovery.rolled_back)} == left, point
        assert (recovery.left, recovery.unreachable) == ((), {})
        assert not recovery.committed or not recovery.rolled_back
        assert await prepared(whole) == set()
        found = [id_ in ids for ids in await stored(whole, count)]
        # all of it, or nothing; and what the session said holds
        assert found in ([True] * count, [False] * count), point
        assert outcome == "unknown" or found[0] == (outcome == "committed"), point
        assert found[0] == (point[0] == "commit prepared" and point[1:3] != ("sent", 0)), point
        decided.append(bool(recovery.committed))
    assert (await whole.recover_prepared(older_than=NOW)) == Recovery((), (), (), {})
    assert any(decided)
    assert not all(decided)


async def test_the_process_goes_on_after_all(
    made: Made, whole: AsyncSessionFactory, proxy: Proxy
) -> None:
    """It hangs before the first COMMIT PREPARED, and what it has prepared is rolled back."""
    with pytest.raises(TransactionRolledBack, match="somebody else rolled it back") as caught:
        await meanwhile(made(3, proxy), whole, proxy, 0)
    assert getattr(caught.value.__cause__, "orig", None) is not None
    assert await stored(whole, 3) == [[], [], []]
    assert await prepared(whole) == set()


@pytest.mark.parametrize("skip", [1, 2])
async def test_the_process_goes_on_with_the_others(
    made: Made, whole: AsyncSessionFactory, proxy: Proxy, skip: int
) -> None:
    """It hangs between two of them, and the rest is committed for it."""
    assert await meanwhile(made(3, proxy), whole, proxy, skip) == "committed"
    assert await stored(whole, 3) == [[1], [1], [1]]
    assert await prepared(whole) == set()


async def meanwhile(
    db: AsyncSessionFactory, whole: AsyncSessionFactory, proxy: Proxy, skip: int
) -> Any:
    """Recover while another process hangs at a COMMIT PREPARED, and have it go on then."""
    fault = proxy.on("commit prepared", "sent", "hang", skip=skip)
    block = db.begin()

    async def use() -> None:
        async with block as session:
            await write(session, 1, 3)

    task = asyncio.create_task(use())
    await fault.happens()
    # its own process leaves it alone
    left = (await whole.recover_prepared(older_than=NOW)).left
    assert len(left) == 3 - skip
    assert {one.reason for one in left} == {"its commit goes on in this process"}
    marks = two_phase.under_way.copy()
    two_phase.under_way.clear()
    recovery = await whole.recover_prepared(older_than=NOW)
    assert len(recovery.committed if skip else recovery.rolled_back) == 3 - skip
    two_phase.under_way.update(marks)
    fault.release()
    async with asyncio.timeout(SOON):
        await task
    assert not two_phase.under_way
    return block.outcome


async def test_several_at_once(made: Made, whole: AsyncSessionFactory, proxy: Proxy) -> None:
    for id_, skip in ((1, 0), (2, 1)):
        await stopped(made(3, proxy), proxy, ("commit prepared", "sent", skip, ""), 3, id_)
    found = await asyncio.gather(*(whole.recover_prepared(older_than=NOW) for _ in range(4)))
    assert await prepared(whole) == set()
    assert await stored(whole, 3) == [[2], [2], [2]]
    # what one did not get to end says so, or was ended as the first one was
    for recovery in found:
        assert len({one.name for one in recovery.committed}) <= 2
        assert {key for one in recovery.left for key in (one.bind_key,)} <= set(KEYS)


# ------------------------------------------------------------ what is left alone


async def leave(db: AsyncSessionFactory, gid: Gid | str, key: str | None = None) -> None:
    """Prepare a transaction that has written."""
    async with engine_of(db, key).connect() as conn:
        await conn.execute(text("INSERT INTO kept VALUES (:id)"), {"id": uuid.uuid4().int % 10**9})
        await conn.execute(text(f"PREPARE TRANSACTION '{gid}'"))
        await conn.commit()


async def end(db: AsyncSessionFactory, gid: Gid | str, key: str | None = None) -> None:
    async with engine_of(db, key).connect() as conn:
        plain = await conn.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text(f"ROLLBACK PREPARED '{gid}'"))


async def test_a_young_one(made: Made, whole: AsyncSessionFactory, proxy: Proxy) -> None:
    await stopped(made(2, proxy), proxy, ("commit prepared", "sent", 0, ""), 2, 1)
    for age in (3600, dt.timedelta(hours=1)):
        recovery = await whole.recover_prepared(older_than=age)
        assert [one.reason for one in recovery.left] == ["prepared less than 3600 s ago"] * 2
        assert {one.bind_key for one in recovery.left} == {None, "b"}
        assert {one.name for one in recovery.left} == {
            one.name for one in (await whole.health(SOON)).prepared
        }
    assert len((await whole.recover_prepared(older_than=dt.timedelta(0))).rolled_back) == 2


async def test_names_of_others(whole: AsyncSessionFactory) -> None:
    """Only what this library has named is looked at, and what it can't read is named."""
    old = f"naked_sqla_{uuid.uuid4().hex}_0"
    await leave(whole, "somebody_elses")
    await leave(whole, old, "b")
    recovery = await whole.recover_prepared(older_than=NOW)
    assert await prepared(whole) == {"somebody_elses", old}
    (one,) = recovery.left
    assert (one.name, one.bind_key) == (old, "b")
    assert one.reason == "its name is not one that this release gives"
    await end(whole, "somebody_elses")
    await end(whole, old, "b")


async def test_the_first_database_is_of_another_factory(
    made: Made, whole: AsyncSessionFactory, proxy: Proxy
) -> None:
    """It is committed there, and only there it is known."""
    await stopped(made(3, proxy), proxy, ("commit prepared", "answered", 0, ""), 3, 1)
    others = made(2, order=(1, 2))
    recovery = await others.recover_prepared(older_than=NOW)
    assert (recovery.committed, recovery.rolled_back) == ((), ())
    assert {one.bind_key for one in recovery.left} == {None, "b"}
    assert all("a database that this factory does not have" in one.reason for one in recovery.left)
    assert len((await whole.recover_prepared(older_than=NOW)).committed) == 2
    assert await stored(whole, 3) == [[1], [1], [1]]


async def test_a_database_that_is_down(
    made: Made, whole: AsyncSessionFactory, proxy: Proxy, backend: str
) -> None:
    await stopped(made(2, proxy), proxy, ("commit prepared", "sent", 0, ""), 2, 1)
    proxy.on("connect", "sent", "cut", times=None)
    through = made(3, proxy)
    db = AsyncSessionFactory(
        engine_of(whole, None), binds={"b": engine_of(through, "b"), "c": engine_of(whole, "c")}
    )
    recovery = await db.recover_prepared(older_than=NOW)
    assert [one.bind_key for one in recovery.rolled_back] == [None]
    assert recovery.left == ()
    assert set(recovery.unreachable) == {"b"}
    proxy.clear()
    # now it is the one that decides which is gone
    assert [one.bind_key for one in (await db.recover_prepared(older_than=NOW)).rolled_back] == [
        "b"
    ]
    assert await stored(whole, 2) == [[], []]


async def test_a_database_that_does_not_answer(
    made: Made, whole: AsyncSessionFactory, proxy: Proxy
) -> None:
    proxy.on("connect", "sent", "hang", times=None)
    async with asyncio.timeout(SOON):
        found = await made(2, proxy).recover_prepared(older_than=NOW, timeout=0.1)
    assert set(found.unreachable) == {None, "b"}
    assert all(isinstance(error, TimeoutError) for error in found.unreachable.values())


async def test_a_server_that_does_not_say_which_it_is(
    databases: list[URL], backend: str, whole: AsyncSessionFactory, proxy: Proxy
) -> None:
    """It commits as before; what was left is ended while the first one is there to be ended."""
    role = f"plain_{uuid.uuid4().hex[:8]}"
    for key in KEYS[:2]:
        async with engine_of(whole, key).begin() as conn:
            if key is None:
                await conn.execute(text(f"CREATE ROLE {role} LOGIN"))
            await conn.execute(text("REVOKE EXECUTE ON FUNCTION pg_control_system FROM PUBLIC"))
            await conn.execute(text(f"GRANT ALL ON kept TO {role}"))
    urls = [url.set(drivername=f"postgresql+{backend}", username=role) for url in databases[:2]]
    direct = [create_async_engine(url) for url in urls]
    db = AsyncSessionFactory(direct[0], binds={"b": direct[1]}, two_phase=True)
    async with db.begin() as session:
        await write(session, 1, 2)
    assert await stored(whole, 2) == [[1], [1]]
    for id_, skip, found in ((2, 0, "rolled_back"), (3, 1, "left")):
        engines = [create_async_engine(proxy.url(url)) for url in urls]
        through = AsyncSessionFactory(engines[0], binds={"b": engines[1]}, two_phase=True)
        await stopped(through, proxy, ("commit prepared", "sent", skip, ""), 2, id_)
        recovery = await db.recover_prepared(older_than=NOW)
        assert [one.bind_key for one in getattr(recovery, found)] == [[None, "b"], ["b"]][skip]
        for one in engines:
            await one.dispose()
    (left,) = recovery.left
    assert "could not ask" in left.reason
    await end(db, left.name, "b")
    for one in direct:
        await one.dispose()
    for key in KEYS[:2]:
        async with engine_of(whole, key).begin() as conn:
            await conn.execute(text("GRANT EXECUTE ON FUNCTION pg_control_system TO PUBLIC"))
            await conn.execute(text(f"DROP OWNED BY {role}"))
    async with whole.engine.begin() as conn:
        await conn.execute(text(f"DROP ROLE {role}"))


async def test_wrong_arguments(whole: AsyncSessionFactory) -> None:
    with pytest.raises(TypeError, match="older_than"):
        await whole.recover_prepared()  # type: ignore[call-arg]
    for age, error in (("1", TypeError), (None, TypeError), (True, TypeError), (-1, ValueError)):
        with pytest.raises(error, match="0 or more, or a timedelta, not"):
            await whole.recover_prepared(older_than=age)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="0 or more, or a timedelta, not"):
        await whole.recover_prepared(older_than=dt.timedelta(seconds=-1))
    with pytest.raises(ValueError, match="more than 0"):
        await whole.recover_prepared(older_than=1, timeout=0)
    sqlite = create_async_engine("sqlite+aiosqlite://")
    with pytest.raises(UnsupportedOption, match="sqlite has no prepared transactions"):
        await AsyncSessionFactory(sqlite).recover_prepared(older_than=1)
    # a database that has none keeps none
    mixed = AsyncSessionFactory(whole.engine, binds={"b": sqlite})
    assert await mixed.recover_prepared(older_than=NOW) == Recovery((), (), (), {})
    await sqlite.dispose()


# ------------------------------------------------------------ on its own


def test_what_decides(backend: str) -> None:
    """Without a database: what is asked, in which order, and what follows from each answer."""
    from naked_sqla.backends.prepared import PreparedTransactions

    asks = PreparedTransactions()
    gid = Gid("0" * 32, 1, "7_1", "42")

    def answered(status: Any) -> tuple[list[str], Recovery]:
        steps, sent = recovering({None: asks, "b": asks}, 5), []
        answers: list[Any] = [[], [(str(gid), 6)], [("7_1",)], [("7_2",)], [(status,)], []]
        question = next(steps)
        try:
            for rows in answers:
                sent.append(question.sql)
                question = steps.send(rows)
        except StopIteration as end:
            found: Recovery = end.value
            return sent[4:], found
        raise AssertionError("it goes on asking")

    asked, found = answered("committed")
    assert asked == ["SELECT txid_status(42)", f"COMMIT PREPARED '{gid}'"]
    assert [one.name for one in found.committed] == [str(gid)]
    asked, found = answered("aborted")
    assert asked[1] == f"ROLLBACK PREPARED '{gid}'"
    for status, why in ((None, "has forgotten it"), ("in progress", "has not ended it")):
        asked, found = answered(status)
        assert asked == ["SELECT txid_status(42)"]
        assert found.left[0].reason.endswith(f"the default database {why}")


def test_synchronous(databases: list[URL], sync_engine: Engine, backend: str) -> None:
    engines = [create_engine(url) for url in databases[:2]]
    db = SessionFactory(engines[0], binds={"b": engines[1]}, two_phase=True)
    with db.begin() as session:
        for key in KEYS[:2]:
            session.connection(key).execute(text("INSERT INTO kept VALUES (77)"))
    gid = Gid(uuid.uuid4().hex, 0, "0_0", "1")
    with engines[1].connect() as conn:
        conn.execute(text("DELETE FROM kept"))
        conn.execute(text(f"PREPARE TRANSACTION '{gid}'"))
        conn.commit()
    assert [one.reason for one in db.recover_prepared(older_than=dt.timedelta(hours=1)).left]
    recovery = db.recover_prepared(older_than=NOW)
    assert [(one.name, one.bind_key) for one in recovery.rolled_back] == [(str(gid), "b")]
    with pytest.raises(UnsupportedOption):
        SessionFactory(create_engine("sqlite://")).recover_prepared(older_than=1)
    for one in engines:
        with one.begin() as conn:
            assert [*conn.scalars(text("SELECT id FROM kept"))] == [77]
            conn.execute(text("TRUNCATE kept"))
        one.dispose()
