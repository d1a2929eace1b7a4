"""The scene of COPY: many flights into an empty table, on PostgreSQL."""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import Any

from benchmarks.contenders import BASELINE, Contender, Operation
from benchmarks.models import Flown
from benchmarks.readers import Read, reader
from benchmarks.scenes import Scene, Site, contender

ROWS = 100_000
COUNT = reader("count", ["count"])
COLUMNS = tuple(c.name for c in Flown.__table__.columns if c.name != "id")


def scenes() -> list[Scene]:
    """The scenes of this module."""
    return [
        Scene(
            "copy_in",
            f"copy_in() of {ROWS:,} flights",
            _copy_in,
            drivers=frozenset({"asyncpg", "psycopg"}),
            writes="flown",
            rounds=10,
            checks=1,
        )
    ]


@cache
def _tuples() -> list[tuple[Any, ...]]:
    from benchmarks.flights import flights

    rows = islice(flights(), ROWS)
    return [
        tuple((row | {"time_hour": row["time_hour"].replace(tzinfo=None)})[c] for c in COLUMNS)
        for row in rows
    ]


@cache
def _dictionaries() -> list[dict[str, Any]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in _tuples()]


def _bare(site: Site) -> Operation:
    """The driver of a connection of the engine, whose pool is the same for all."""
    engine = site.engine()
    quoted = ", ".join(f'"{name}"' for name in COLUMNS)

    async def asyncpg(read: Read, n: int) -> Any:
        async with engine.connect() as conn:
            raw = (await conn.get_raw_connection()).driver_connection
            async with raw.transaction():
                status = await raw.copy_records_to_table(
                    "flown", columns=COLUMNS, records=_tuples()
                )
            return read((int(status.split()[-1]),))

    async def psycopg(read: Read, n: int) -> Any:
        async with engine.connect() as conn:
            raw = (await conn.get_raw_connection()).driver_connection
            async with raw.transaction(), raw.cursor() as cursor:
                async with cursor.copy(f"COPY flown ({quoted}) FROM STDIN") as copy:
                    for row in _tuples():
                        await copy.write_row(row)
                return read((cursor.rowcount,))

    return asyncpg if site.url.get_driver_name() == "asyncpg" else psycopg


def _copy_in(site: Site) -> list[Contender]:
    from naked_sqla import AsyncSessionFactory

    db = AsyncSessionFactory(site.engine())

    async def tuples(read: Read, n: int) -> Any:
        async with db.begin() as session:
            return read((await session.copy_in(Flown, _tuples(), columns=COLUMNS),))

    async def dictionaries(read: Read, n: int) -> Any:
        async with db.begin() as session:
            return read((await session.copy_in(Flown, _dictionaries()),))

    async def insert_all(read: Read, n: int) -> Any:
        async with db.begin() as session:
            return read((len(await session.insert_all(_dictionaries(), model=Flown)),))

    return [
        contender(BASELINE, "the driver's COPY", _bare(site), COUNT),
        contender("core_again", "the driver's COPY, again", _bare(site), COUNT),
        contender("naked_insert", "naked_sqla, insert_all()", insert_all, COUNT),
        contender("naked_dicts", "naked_sqla, copy_in() of dictionaries", dictionaries, COUNT),
        contender("naked", "naked_sqla, copy_in()", tuples, COUNT),
    ]
