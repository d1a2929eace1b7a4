"""Writing by object, cancelled at any of its suspension points: all is stored, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from naked_sqla import AsyncSession, AsyncSessionFactory

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere
from .._notes import checked_out
from ..sessions.test_cancellation import Note, Witness, witness

__all__ = ("witness",)


# How many rows each of the writers leaves when it comes to its end.
ROWS = 4


def notes(key: int = 0) -> list[Note]:
    return [Note(id=key + i, text=f"new {i}") for i in range(ROWS)]


async def insert_all(face: Any) -> None:
    await face.insert_all(notes(10), batch_size=2)


async def update_all(face: Any) -> None:
    await face.update_all(notes(), Note.text)


async def copy_in(face: Any) -> None:
    await face.copy_in(Note, notes(10))


async def rows() -> AsyncIterator[tuple[int, str]]:
    for i in range(ROWS):
        await asyncio.sleep(0)
        yield 10 + i, f"new {i}"


async def copy_in_async(face: Any) -> None:
    await face.copy_in(Note, rows())


COPIES = [copy_in, copy_in_async]
WRITERS = [insert_all, update_all, *COPIES]

Writer = Callable[[Any], Awaitable[None]]


@pytest.mark.parametrize(
    ("face", "writer"),
    [
        *(("session", writer) for writer in WRITERS),
        ("factory", insert_all),
        ("factory", copy_in_async),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_cancelled_anywhere(
    engine: AsyncEngine,
    witness: Witness,
    backend: str,
    kind: Kind,
    moment: Moment,
    face: str,
    writer: Writer,
) -> None:
    if backend == "sqlite" and writer in COPIES:
        return
    db = AsyncSessionFactory(engine)
    sessions: list[AsyncSession] = []

    async def block() -> None:
        sessions.clear()
        if face == "factory":
            await writer(db)
            return
        async with db.begin() as session:
            sessions.append(session)
            await writer(session)

    async def old() -> None:
        async with db.begin() as session:
            await session.execute(delete(Note))
            await session.execute(insert(Note), [{"id": i, "text": "old"} for i in range(ROWS)])

    async def check(run: Run) -> None:
        assert run.as_asked, run
        assert checked_out(engine) == 0
        assert [session.state for session in sessions] in ([], ["closed"])
        await witness.can_write()
        found = (await db.tuples(select(Note.text, func.count()).group_by(Note.text))).all()
        texts = {str(text): count for text, count in found}
        new = sum(count for text, count in texts.items() if text != "old")
        assert (texts.get("old", 0), new) in OUTCOMES[writer], run
        if not run.cancelled:
            assert (texts.get("old", 0), new) == OUTCOMES[writer][1]

    # psycopg does not wait for an answer that is there already
    assert await cancelled_everywhere(block, kind, moment, check, old) >= 2


# How many old and new rows there may be: before, and after.
OUTCOMES: dict[Any, list[tuple[int, int]]] = {
    insert_all: [(ROWS, 0), (ROWS, ROWS)],
    update_all: [(ROWS, 0), (0, ROWS)],
    copy_in: [(ROWS, 0), (ROWS, ROWS)],
    copy_in_async: [(ROWS, 0), (ROWS, ROWS)],
}


class Stuck:
    """Rows that do not come: the iterable waits until it is cancelled."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.closed = False

    async def rows(self) -> AsyncIterator[tuple[int, str]]:
        try:
            yield 10, "new"
            self.waiting.set()
            await asyncio.Event().wait()
        finally:
            self.closed = True


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_rows_that_do_not_come(engine: AsyncEngine, witness: Witness) -> None:
    """The cancellation reaches the iterable, and the connection goes back to the pool."""
    db = AsyncSessionFactory(engine)
    stuck = Stuck()

    async def copy() -> None:
        async with db.begin() as session:
            await session.copy_in(Note, stuck.rows())

    task = asyncio.create_task(copy())
    await stuck.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stuck.closed
    assert checked_out(engine) == 0
    await witness.can_write()
    assert await db.scalar(select(func.count()).select_from(Note)) == 0


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_a_timeout_around_a_copy(engine: AsyncEngine, witness: Witness) -> None:
    """A copy that was cancelled, and swallowed by a timeout, can't be committed."""
    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        await session.insert(Note(id=1, text="lost"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await session.copy_in(Note, Stuck().rows())
        with pytest.raises(Exception) as raised:  # noqa: PT011
            await session.commit()
    assert type(raised.value).__name__ == "TransactionRolledBack"
    assert checked_out(engine) == 0
    await witness.can_write()
    assert await db.scalar(select(func.count()).select_from(Note)) == 0
