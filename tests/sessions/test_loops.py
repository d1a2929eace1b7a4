"""One factory in several event loops: in turn it works, at once it is refused, or works."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from sqlalchemy import URL, NullPool, event, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from naked_sqla import AsyncSessionFactory, InvalidSessionState
from naked_sqla.sessions.loops import OneLoop

from .._notes import Note, checked_out, create

REFUSED = "another event loop, which runs in another thread, has sessions open.*an engine and a fac"


class Elsewhere:
    """An event loop in another thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    async def run(self, coro: Coroutine[Any, Any, Any]) -> Any:
        done = asyncio.run_coroutine_threadsafe(coro, self.loop)
        return await asyncio.wait_for(asyncio.wrap_future(done), 10)

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    other = Elsewhere()
    yield other
    other.end()


@pytest.mark.parametrize("way", ["block", "call", "read"])
async def test_at_once_is_refused(engine: AsyncEngine, elsewhere: Elsewhere, way: str) -> None:
    """A task would not wake up when another loop gives a connection back."""
    await create(engine)
    db = AsyncSessionFactory(engine)

    async def here() -> int:
        if way == "call":
            return int(await db.scalar(select(func.count()).select_from(Note)) or 0)
        async with db.read() if way == "read" else db.begin() as session:
            return len((await session.scalars(select(Note))).all())

    async with db.begin() as session:
        await session.execute(insert(Note), {"text": "kept"})
        with pytest.raises(InvalidSessionState, match=REFUSED):
            await elsewhere.run(here())
    assert checked_out(engine) == 0
    assert await here() == 1
    async with db.begin() as session:
        assert len((await session.scalars(select(Note))).all()) == 1
        # any number of sessions in the one loop
        assert await here() == 1


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_in_turn_works(engine: AsyncEngine, elsewhere: Elsewhere) -> None:
    """As in a test of a service that runs in a thread: aiosqlite is bound to no loop."""
    await create(engine)
    db = AsyncSessionFactory(engine)

    async def write(text: str) -> None:
        async with db.begin() as session:
            await session.execute(insert(Note), {"text": text})

    for n in range(3):
        await write(f"here {n}")
        await elsewhere.run(write(f"there {n}"))
        assert len((await db.scalars(select(Note))).all()) == 2 * n + 2
    with pytest.raises(InvalidSessionState, match="AUTOCOMMIT"):
        db.begin(isolation_level="AUTOCOMMIT")
    # a session that could not be opened is not one that is open
    with pytest.raises(Exception, match=r"(?i)isolation"):
        async with db.begin(isolation_level="NONSENSE"):
            pass
    await elsewhere.run(write("last"))


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_loops_one_after_another(database_url: URL) -> None:
    engine = create_async_engine(database_url)
    db = AsyncSessionFactory(engine)
    asyncio.run(create(engine))

    async def write(text: str) -> int:
        async with db.begin() as session:
            await session.execute(insert(Note), {"text": text})
        return len((await db.scalars(select(Note))).all())

    assert [asyncio.run(write(f"note {n}")) for n in range(3)] == [1, 2, 3]
    asyncio.run(engine.dispose())


def connecting(engine: AsyncEngine, made: Callable[[], object]) -> None:
    """Have a function called when the task that has made a connection next waits for something."""

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Any, _record: object, cargs: Any, cparams: Any) -> Any:
        connection = dialect.connect(*cargs, **cparams)
        asyncio.get_running_loop().call_soon(made)
        return connection


@pytest.mark.parametrize("name", ["connect", "first_connect"])
async def test_loops_connect_for_the_first_time_at_once(database_url: URL, name: str) -> None:
    """On a pool that keeps no connection; each waits while the first asks the server what it is."""
    engine = create_async_engine(database_url, poolclass=NullPool)
    db = AsyncSessionFactory(engine)
    others = [Elsewhere() for _ in range(3)]
    waiting = threading.Semaphore(0)
    first = iter([True])
    connecting(engine, waiting.release)

    @event.listens_for(engine.sync_engine, name, insert=True)
    def wait_for_the_others(*_: object) -> None:
        if next(first, False):
            assert all(waiting.acquire(timeout=10) for _ in others)

    async def read() -> int | None:
        async with db.begin() as session:
            return await session.scalar(select(literal(7)))

    try:
        for _ in range(2):
            found = asyncio.gather(read(), *(other.run(read()) for other in others))
            assert await asyncio.wait_for(found, 20) == [7] * 4
            # of the one that waited for the others
            assert waiting.acquire(timeout=10)
            # the next pool has a first connection too
            await engine.dispose()
            first = iter([True])
    finally:
        for other in others:
            other.end()
        await engine.dispose()


def test_a_loop_after_one_whose_first_connections_failed(database_url: URL) -> None:
    """What waited in a loop that is gone bothers no other loop."""
    engine = create_async_engine(database_url)
    db = AsyncSessionFactory(engine)
    made: list[object] = []

    def note() -> None:
        made.append(None)
        if len(made) == 2:
            both.set()

    connecting(engine, note)

    @event.listens_for(engine.sync_engine, "connect", insert=True)
    def wait_for_the_other(connection: Any, _record: object) -> None:
        if not both.is_set():
            await_only(both.wait())
        if fails:
            # 2.0.40 leaves it open
            connection.close()
            raise ConnectionRefusedError

    async def read() -> int | None:
        async with db.begin() as session:
            return await session.scalar(select(literal(7)))

    async def twice() -> list[Any]:
        nonlocal both
        both = asyncio.Event()
        made.clear()
        found = list(await asyncio.gather(read(), read(), return_exceptions=True))
        if not fails:
            await engine.dispose()
        return found

    both = asyncio.Event()
    fails = True
    assert [*map(type, asyncio.run(twice()))] == [ConnectionRefusedError] * 2
    fails = False
    assert asyncio.run(twice()) == [7, 7]


async def test_an_in_memory_database_is_shared_by_loops(elsewhere: Elsewhere) -> None:
    """Sessions take turns on its one connection, whichever loop they are in."""
    engine = create_async_engine("sqlite+aiosqlite://")
    await create(engine)
    db = AsyncSessionFactory(engine)

    async def write(name: str) -> None:
        for n in range(20):
            async with db.begin() as session:
                await session.execute(insert(Note), {"text": f"{name} {n}"})
            await db.scalars(select(Note))

    await asyncio.wait_for(asyncio.gather(write("here"), elsewhere.run(write("there"))), 20)
    assert len((await db.scalars(select(Note))).all()) == 40
    # one that gives up waiting leaves its turn to the next
    async with db.begin():
        waiting = asyncio.create_task(elsewhere.run(write("late")))
        for _ in range(10):
            await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.wait((waiting,))
    assert len((await db.scalars(select(Note.id))).all()) >= 40
    await engine.dispose()


def test_what_a_loop_left_open_that_has_ended_counts_no_more() -> None:
    one = OneLoop()

    async def enter() -> None:
        one.enter()

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    first.run_until_complete(enter())
    second.run_until_complete(enter())
    first.run_until_complete(enter())
    first.close()
    second.close()
    asyncio.run(enter())
