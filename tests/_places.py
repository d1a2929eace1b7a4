"""A database for a module whose examples are each rolled back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


class Place:
    """Runs work on one database, and leaves it as it was."""

    def __init__(self, backend: str, engine: AsyncEngine, runner: asyncio.Runner) -> None:
        self.backend = backend
        self.engine = engine
        self.models: list[Any] = []
        self._runner = runner

    @property
    def postgresql(self) -> bool:
        """Whether it is PostgreSQL, through either driver."""
        return self.backend != "sqlite"

    def run(self, work: Callable[[Connection], Any], *, keep: bool = False) -> Any:
        """Run ``work`` in a transaction that is rolled back, unless it is to be kept."""

        async def main() -> Any:
            async with self.engine.connect() as conn:
                value = await conn.run_sync(work)
                if keep:
                    await conn.commit()
                return value

        return self._runner.run(main())


@contextmanager
def open_place(backend: str, url: URL, metadata: MetaData) -> Iterator[Place]:
    """A place with the tables of some models, on an empty database."""
    with asyncio.Runner() as runner:
        place = Place(backend, create_async_engine(url), runner)
        try:
            place.run(metadata.create_all, keep=True)
            yield place
        finally:
            runner.run(place.engine.dispose())
