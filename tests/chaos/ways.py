"""Every way in which the library writes and reads, as short jobs with known rows."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine

from naked_sqla import AsyncSessionFactory
from naked_sqla.testing import sandbox

from .ledger import FIXED, Entry, Fixed, Job, Other


@dataclass
class Databases:
    """One way to the databases: directly, or through the proxy."""

    engine: AsyncEngine
    other: AsyncEngine

    def __post_init__(self) -> None:
        is_postgres = self.engine.dialect.name == "postgresql"
        self.db = AsyncSessionFactory(self.engine)
        self.by_hand = AsyncSessionFactory(self.engine, auto_commit=False)
        binds = {"other": self.other}
        self.two = AsyncSessionFactory(self.engine, binds=binds)
        self.prepared = AsyncSessionFactory(self.engine, binds=binds, two_phase=is_postgres)

    async def dispose(self) -> None:
        await self.engine.dispose()
        await self.other.dispose()


Way = Callable[[Databases, Job], Awaitable[Any]]


async def block(to: Databases, job: Job) -> None:
    rows = job.keep(0, 1)
    async with to.db.begin() as job.session:
        await job.session.execute(insert(Entry), rows[0])
        await job.session.execute(insert(Entry), rows[1])


async def many(to: Databases, job: Job) -> None:
    async with to.db.begin() as job.session:
        await job.session.execute(insert(Entry), job.keep(*range(8)))


async def one_call(to: Databases, job: Job) -> None:
    await to.db.execute(insert(Entry), job.keep(0)[0])


async def one_object(to: Databases, job: Job) -> None:
    await to.db.insert(Entry(**job.keep(0)[0]))


async def objects(to: Databases, job: Job) -> None:
    async with to.db.begin() as job.session:
        first, *rest = [Entry(**row) for row in job.keep(0, 1, 2, 3)]
        await job.session.insert(first)
        await job.session.insert_all(rest)


async def list_call(to: Databases, job: Job) -> None:
    await to.db.insert_all([Entry(**row) for row in job.keep(*range(6))])


async def changed(to: Databases, job: Job) -> None:
    """Rows that are inserted, changed, put again and deleted."""
    rows, gone = job.keep(0, 1), job.drop(2)
    async with to.db.begin() as job.session:
        await job.session.insert_all([Entry(**row) for row in [*rows, *gone]])
        await job.session.update(Entry, job.first, way=job.way)
        await job.session.upsert(Entry(**rows[1]))
        await job.session.delete(Entry, job.first + 2)


async def savepoints(to: Databases, job: Job) -> None:
    rows, gone = job.keep(0, 1, 3), job.drop(2, 4)
    async with to.db.begin() as job.session:
        await job.session.execute(insert(Entry), rows[0])
        async with job.session.begin_nested():
            await job.session.execute(insert(Entry), rows[1])
        try:
            async with job.session.begin_nested():
                await job.session.execute(insert(Entry), gone)
                raise LookupError
        except LookupError:
            pass
        await job.session.execute(insert(Entry), rows[2])


async def by_hand(to: Databases, job: Job) -> None:
    rows = job.keep(0, 1)
    async with to.by_hand.begin() as job.session:
        await job.session.execute(insert(Entry), rows)
        await job.session.commit()


async def not_committed(to: Databases, job: Job) -> None:
    async with to.by_hand.begin() as job.session:
        await job.session.execute(insert(Entry), job.drop(0, 1))


async def rolled_back(to: Databases, job: Job) -> None:
    async with to.db.begin() as job.session:
        await job.session.execute(insert(Entry), job.drop(0, 1))
        await job.session.rollback()


async def stream(to: Databases, job: Job) -> None:
    rows = job.keep(0, 1)
    async with to.db.begin() as job.session:
        await job.session.execute(insert(Entry), rows[0])
        async with job.session.stream_scalars(select(Fixed).order_by(Fixed.id)) as found:
            seen = [fixed.id async for fixed in found]
        await job.session.execute(insert(Entry), rows[1])
    if seen != list(range(FIXED)):
        raise AssertionError(f"a stream gave {seen}")


async def copied(to: Databases, job: Job) -> None:
    async with to.db.begin() as job.session:
        await job.session.copy_in(Entry, job.keep(0, 1, 2))


async def copied_alone(to: Databases, job: Job) -> None:
    await to.db.copy_in(Entry, job.keep(0, 1, 2))


async def two_databases(to: Databases, job: Job) -> None:
    rows = job.keep(0, 1)
    job.others.update(row["id"] for row in rows)
    async with to.two.begin() as job.session:
        await job.session.execute(insert(Entry), rows)
        await job.session.execute(insert(Other), rows)


async def two_phase(to: Databases, job: Job) -> None:
    rows = job.keep(0, 1)
    job.others.update(row["id"] for row in rows)
    async with to.prepared.begin() as job.session:
        await job.session.execute(insert(Entry), rows)
        await job.session.execute(insert(Other), rows)


async def boxed(to: Databases, job: Job) -> None:
    async with sandbox(to.db) as box, box.begin() as session:
        await session.execute(insert(Entry), job.drop(0, 1))


async def run(to: Databases, job: Job) -> None:
    rows = job.keep(0, 1)

    async def work(session: Any) -> None:
        job.session = session
        await session.execute(insert(Entry), rows)

    await to.db.run(work)  # type: ignore[attr-defined]


EVERYWHERE: list[Way] = [
    block,
    many,
    one_call,
    one_object,
    objects,
    list_call,
    changed,
    savepoints,
    by_hand,
    not_committed,
    rolled_back,
    stream,
    two_databases,
    boxed,
    *([run] if hasattr(AsyncSessionFactory, "run") else []),
]
WAYS: dict[str, list[Way]] = {
    "sqlite": EVERYWHERE,
    "postgresql": [*EVERYWHERE, copied, copied_alone, two_phase],
}


@dataclass
class Row:
    id: int
    text: str


async def read(to: Databases, rng: random.Random) -> str | None:
    """Read something that is known, in one of many ways; what was wrong, or ``None``."""
    db, n = to.db, rng.randrange(FIXED)
    wanted: Any
    match rng.randrange(7):
        case 0:
            seen, wanted = await db.scalar(select(literal(n))), n
        case 1:
            fixed = await db.get_one(Fixed, n)
            seen, wanted = (fixed.id, fixed.text), (n, f"row {n}")
        case 2:
            found = await db.scalars(select(Fixed).where(Fixed.id <= n).order_by(Fixed.id))
            seen, wanted = [fixed.text for fixed in found], [f"row {i}" for i in range(n + 1)]
        case 3:
            async with db.begin() as session:
                seen = [await session.scalar(select(bindparam("n", n + i))) for i in range(3)]
            wanted = [n, n + 1, n + 2]
        case 4:
            ids = select(Fixed.id).order_by(Fixed.id)
            async with db.begin() as session, session.stream(ids) as rows:
                seen = [row.id async for row in rows]
            wanted = list(range(FIXED))
        case 5:
            seen = (await db.into(Row, select(Fixed.id, Fixed.text).where(Fixed.id == n))).one()
            wanted = Row(n, f"row {n}")
        case _:
            page = await db.paginate(select(Fixed).order_by(Fixed.id), per_page=20)
            seen, wanted = (page.total, page.items[7].text), (FIXED, "row 7")
    return None if seen == wanted else f"{seen!r} and not {wanted!r}"
