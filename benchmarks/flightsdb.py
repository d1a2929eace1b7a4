"""The flights as a table of a database, loaded by the driver itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase

from benchmarks.bare import Asyncpg
from benchmarks.flights import flights
from benchmarks.models import FlightColumns

ORDER = "%Y-%m-%d %H:%M:%S.%f"


class Base(DeclarativeBase):
    """Apart from the models that every run makes tables of."""


class Flight(FlightColumns, Base):
    """The table that is streamed."""

    __tablename__ = "flights"


COLUMNS = tuple(column.name for column in Flight.__table__.columns)


def _records() -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(flights(), 1):
        row |= {"id": number, "time_hour": row["time_hour"].replace(tzinfo=None)}
        yield tuple(row[name] for name in COLUMNS)


async def load(engine: AsyncEngine, url: URL) -> None:
    """Make the table anew and load all rows."""
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.drop_all)
        await conn.run_sync(Base.metadata.create_all)
    if url.get_backend_name() == "sqlite":
        _load_sqlite(url.database or "")
    else:
        await _load_postgresql(url)


def _load_sqlite(path: str) -> None:
    marks = ", ".join("?" * len(COLUMNS))
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA synchronous=OFF")
    # As SQLAlchemy stores a datetime there.
    rows = ((*row[:-1], row[-1].strftime(ORDER)) for row in _records())
    conn.executemany(f"INSERT INTO flights VALUES ({marks})", rows)
    conn.commit()
    conn.close()


async def _load_postgresql(url: URL) -> None:
    driver = Asyncpg()
    await driver.open(url)
    await driver.conn.copy_records_to_table("flights", records=_records(), columns=COLUMNS)
    await driver.conn.execute("VACUUM ANALYZE flights")
    await driver.close()
