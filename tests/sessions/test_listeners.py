"""observe() and on_write(): one rule for who is told, and until when."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from naked_sqla import AsyncSessionFactory
from naked_sqla.testing import sandbox

from .._notes import Note, create


@pytest.mark.parametrize("method", ["observe", "on_write"])
async def test_told_until_stopped(engine: AsyncEngine, method: str) -> None:
    await create(engine)
    db = AsyncSessionFactory(engine)
    told: list[str] = []

    def listen(to: Any, name: str) -> Any:
        return getattr(to, method)(lambda *_: told.append(name))

    async def heard(by: AsyncSessionFactory) -> set[str]:
        told.clear()
        async with by.begin() as session:
            await session.insert(Note(text="a"))
        found = set(told)
        await by.execute(delete(Note))
        return found

    def kept() -> Any:
        return getattr(db._current, {"observe": "observers", "on_write": "writers"}[method])

    assert kept() is None
    first, second = listen(db, "first"), listen(db, "second")
    assert await heard(db) == {"first", "second"}
    first.stop()
    first.stop()
    assert await heard(db) == {"second"}
    with second as same:
        assert same is second
    assert kept() is None
    second.stop()
    assert await heard(db) == set()
    with listen(db, "third"):
        second.stop()
        assert await heard(db) == {"third"}
        async with sandbox(db) as boxed:
            # stopped on either, and begun again
            with listen(boxed, "fourth"):
                assert await heard(boxed) == {"third", "fourth"}
            assert await heard(boxed) == {"third"}
    assert kept() is None
    async with sandbox(db) as boxed:
        with listen(boxed, "fifth"):
            assert kept() is None
