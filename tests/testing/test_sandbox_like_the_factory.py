"""The factory of a sandbox has what the real one has: its reader, its secrets, its observers."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from naked_sqla import AsyncSessionFactory, InvalidCursor, SessionFactory
from naked_sqla.testing import sandbox

from .._notes import Note, create, create_sync, stored, stored_sync

NOTES = select(Note).order_by(Note.text)


@pytest.mark.parametrize("routed", [False, True])
async def test_reader_and_secret(engine: AsyncEngine, routed: bool) -> None:
    """Whatever would go to the reader sees the sandbox; cursors are those of the factory."""
    await create(engine)
    nowhere = create_async_engine("sqlite+aiosqlite:////nowhere/at/all")
    memory = create_async_engine("sqlite+aiosqlite://")
    binds = {"memory": memory} if routed else None
    real = AsyncSessionFactory(engine, reader=nowhere, secret=["new", "old"], binds=binds)
    plain = AsyncSessionFactory(engine)

    async def page(reading: Any, after: str) -> str:
        found = await reading.keyset(NOTES, per_page=2, after=after)
        assert [note.text for note in found] == ["c", "d"]
        assert found.next_cursor is not None
        with pytest.raises(InvalidCursor):
            await reading.keyset(NOTES, per_page=2, after=forged)
        return str(found.next_cursor)

    async with sandbox(plain) as db:
        await db.insert_all([Note(text=word) for word in "abc"])
        forged = str((await db.keyset(NOTES, per_page=2)).next_cursor)
    async with sandbox(real) as db:
        await db.insert_all([Note(text=word) for word in "abcdef"])
        cursor = str((await db.keyset(NOTES, per_page=2)).next_cursor)
        found = {await page(db, cursor), await page(db.read(), cursor)}
        for block in (db.begin(), db.read(), db.begin(timeout=9), db.with_options().begin()):
            async with block as session:
                found.add(await page(session, cursor))
        (last,) = found
        assert [note.text for note in await db.keyset(NOTES, after=last)] == ["e", "f"]
        async with db.begin() as session:
            await session.insert(Note(text="g"))
            assert await db.read().count(NOTES) == 7
    assert await stored(engine) == []
    # a cursor of the sandbox is one of the real factory, and of no other
    again = AsyncSessionFactory(engine, secret="new")
    assert list(await again.keyset(NOTES, after=cursor)) == []
    for other in (AsyncSessionFactory(engine, secret="old"), plain):
        with pytest.raises(InvalidCursor):
            await other.keyset(NOTES, after=cursor)
    await nowhere.dispose()
    await memory.dispose()


async def test_observers(engine: AsyncEngine) -> None:
    """Who observes the factory is told of the sandbox's sessions, as of others."""
    await create(engine)
    real = AsyncSessionFactory(engine)
    told: list[tuple[str, str]] = []
    with real.observe(lambda event: told.append((type(event).__name__, event.file or ""))):
        for db in (real, None):
            async with sandbox(real) as boxed:
                found = db or boxed
                await found.count(NOTES)
                async with found.begin() as session:
                    await session.count(NOTES)
                async with found.read() as session:
                    await session.count(NOTES)
                await found.read().count(NOTES)
    statements = [file for name, file in told if name == "StatementEvent"]
    assert len(statements) == 8
    assert set(statements) == {__file__}
    assert [name for name, _ in told].count("BeginEvent") >= 6


def test_sync(sync_engine: Engine) -> None:
    create_sync(sync_engine)
    real = SessionFactory(sync_engine, reader=sync_engine, secret=b"new")
    with sandbox(real) as db:
        db.insert_all([Note(text=word) for word in "abc"])
        with db.read() as session:
            cursor = session.keyset(NOTES, per_page=2).next_cursor
        with db.begin() as session:
            assert [note.text for note in session.keyset(NOTES, after=cursor)] == ["c"]
        assert [note.text for note in db.read().keyset(NOTES, after=cursor)] == ["c"]
    assert stored_sync(sync_engine) == []
    with pytest.raises(InvalidCursor):
        SessionFactory(sync_engine).keyset(NOTES, after=cursor)
