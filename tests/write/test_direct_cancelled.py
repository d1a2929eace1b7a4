"""The direct way of one row, cancelled at each suspension point, cut and hung up.

Nothing is left behind, all is stored or nothing, the session tells which, and the errors are those
of SQLAlchemy's way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import URL, bindparam, delete, event, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from naked_sqla import AsyncSession, AsyncSessionFactory, BaseNakedSQLAException

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere
from .._notes import checked_out
from .._proxy import Action, Proxy, Side
from ..sessions.test_cancellation import Note, Witness, witness
from ._both_ways import nothing
from .test_direct import Ways, ways

__all__ = ("ways", "witness")

BEFORE = {1: "old", 2: "old", 3: "old"}
AFTER = {1: "new", 2: "new", 10: "new", 11: "new"}
CHANGE = update(Note).where(Note.id == bindparam("key"))


async def several(face: Any) -> None:
    await face.insert(Note(id=10, text="new"))
    await face.execute(insert(Note), {"id": 11, "text": "new"})
    await face.update(Note, 1, text="new", returning=False)
    await face.scalars(CHANGE.returning(Note), {"key": 2, "text": "new"})
    await face.delete(Note, 3)


async def insert_object(face: Any) -> None:
    await face.insert(Note(id=10, text="new"))


async def update_row(face: Any) -> None:
    await face.update(Note, 1, text="new", returning=False)


async def insert_row(face: Any) -> None:
    await face.execute(insert(Note), {"id": 10, "text": "new"})


async def change_row(face: Any) -> None:
    await face.scalars(CHANGE.returning(Note), {"key": 1, "text": "new"})


Write = Callable[[Any], Awaitable[None]]
STORED: dict[Write, dict[int, str]] = {
    several: AFTER,
    insert_object: {**BEFORE, 10: "new"},
    insert_row: {**BEFORE, 10: "new"},
    update_row: {**BEFORE, 1: "new"},
    change_row: {**BEFORE, 1: "new"},
}


def named(value: Any) -> Any:
    return getattr(value, "__name__", None)


async def fill(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.execute(delete(Note))
        await conn.execute(insert(Note), [{"id": n, "text": t} for n, t in BEFORE.items()])


async def stored(engine: AsyncEngine) -> dict[int, str]:
    async with engine.connect() as conn:
        return {row.id: row.text for row in await conn.execute(select(Note.id, Note.text))}


async def warm_up(db: AsyncSessionFactory, write: Write, ways: Ways) -> None:
    """Let each statement run once, so that it has a direct way, and take that back."""
    async with db.begin() as session:
        await write(session)
        await session.rollback()
    forget(ways)


def forget(ways: Ways) -> None:
    ways.direct = ways.sqlalchemys = 0
    ways.of_objects.clear()


def check_direct(ways: Ways) -> None:
    """Check that nothing but the direct way was taken, at least once."""
    assert ways.sqlalchemys == 0
    assert all(ways.of_objects)
    assert ways.direct or ways.of_objects


# ------------------------------------------------------------ cancelled


@pytest.mark.parametrize(
    ("face", "write"),
    [("session", several), ("factory", insert_object), ("factory", change_row)],
    ids=named,
)
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_cancelled_anywhere(
    engine: AsyncEngine,
    witness: Witness,
    ways: Ways,
    kind: Kind,
    moment: Moment,
    face: str,
    write: Write,
) -> None:
    db = AsyncSessionFactory(engine)
    sessions: list[AsyncSession] = []
    ended: list[bool] = []

    async def block() -> None:
        if face == "factory":
            await write(db)
        else:
            async with db.begin() as session:
                sessions.append(session)
                await write(session)
        ended.append(True)

    async def before() -> None:
        await fill(witness.engine)
        sessions.clear()
        ended.clear()
        forget(ways)

    async def check(run: Run) -> None:
        assert run.as_asked, run
        assert checked_out(engine) == 0
        await witness.can_write()
        found = await stored(witness.engine)
        assert found in (BEFORE, STORED[write]), run
        for session in sessions:
            assert session.state == "closed"
            assert found == {"committed": STORED[write], "rolled_back": BEFORE}[session.outcome]
        if ended:
            assert found == STORED[write]
            check_direct(ways)
        assert ways.sqlalchemys == 0
        assert all(ways.of_objects)
        # what the pool gives next is idle
        async with db.begin() as session:
            await session.insert(Note(id=12, text="later"))
            await session.rollback()

    await fill(witness.engine)
    await warm_up(db, write, ways)
    assert await cancelled_everywhere(block, kind, moment, check, before) >= 2


# ------------------------------------------------------------ cut and hung up


@pytest.fixture
async def through(
    proxy: Proxy, database_url: URL, witness: Witness
) -> AsyncIterator[list[AsyncSessionFactory]]:
    """Two factories with one connection each through the proxy; somebody listens to the first."""
    await fill(witness.engine)
    engines = [
        create_async_engine(proxy.url(database_url), pool_size=1, max_overflow=0) for _ in range(2)
    ]
    event.listen(engines[0].sync_engine, "before_cursor_execute", nothing)
    yield [AsyncSessionFactory(engine) for engine in engines]
    for engine in engines:
        await engine.dispose()


def told(error: BaseException | None) -> Any:
    """What an error says."""
    if not isinstance(error, DBAPIError):
        inner = error.__cause__ if isinstance(error, BaseNakedSQLAException) else None
        return type(error), None if inner is None else told(inner)
    sent = error.statement, repr(error.params), error.connection_invalidated
    return type(error), type(error.orig), str(error), *sent


AT: list[tuple[Any, Side]] = [
    (moment, side) for moment in ("execute", "commit") for side in ("sent", "answered")
]
SINGLE: list[Write] = [insert_object, insert_row, update_row, change_row]


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
@pytest.mark.parametrize(("moment", "side"), AT)
async def test_cut(
    through: list[AsyncSessionFactory],
    witness: Witness,
    proxy: Proxy,
    ways: Ways,
    moment: Any,
    side: Side,
) -> None:
    for write in SINGLE:
        seen = []
        for db in through:
            await warm_up(db, write, ways)
            fault = proxy.on(moment, side, "cut")
            block = db.begin()
            with pytest.raises((DBAPIError, BaseNakedSQLAException)) as raised:
                async with block as session:
                    await write(session)
            assert fault.fired
            assert checked_out(db.engine) == 0
            outcome = "unknown" if moment == "commit" else "rolled_back"
            assert block.outcome == outcome
            seen.append(told(raised.value))
            await witness.can_write()
            there = (moment, side) == ("commit", "answered")
            assert await stored(witness.engine) == (STORED[write] if there else BEFORE)
            await fill(witness.engine)
        check_direct(ways)
        assert seen[0] == seen[1]


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
@pytest.mark.parametrize(("moment", "side"), AT)
async def test_hangs(
    through: list[AsyncSessionFactory],
    witness: Witness,
    proxy: Proxy,
    ways: Ways,
    monkeypatch: pytest.MonkeyPatch,
    moment: Any,
    side: Side,
) -> None:
    """A server that does not answer holds nobody, and nobody is told that a row is stored."""
    for name in ("GRACE", "_PUSH"):
        monkeypatch.setattr(f"naked_sqla.sessions._async.greenlet.{name}", 0.05)
    db, write = through[1], insert_object if side == "sent" else update_row
    await warm_up(db, write, ways)
    action: Action = "hang"
    fault = proxy.on(moment, side, action)
    sessions: list[AsyncSession] = []

    async def block() -> None:
        async with db.begin() as session:
            sessions.append(session)
            await write(session)

    task = asyncio.create_task(block())
    await fault.happens()
    check_direct(ways)
    task.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait((task,))
    assert task.cancelled()
    outcome = "unknown" if moment == "commit" else "rolled_back"
    assert (sessions[0].state, sessions[0].outcome) == ("closed", outcome)
    fault.release()
    assert checked_out(db.engine) == 0
    if moment == "execute":
        await witness.can_write()
        assert await stored(witness.engine) == BEFORE
    assert await db.scalar(text("SELECT 1")) == 1
