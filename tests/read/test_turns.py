"""Large results: other tasks run while rows become objects."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import ForeignKey, Row, insert, select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    reconstructor,
    relationship,
    selectinload,
)
from sqlalchemy.util import greenlet_spawn

from naked_sqla import AsyncSession, AsyncSessionFactory, SessionFactory
from naked_sqla.read import turns

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere

SIZE = 50


class Base(DeclarativeBase):
    pass


class Point(Base):
    __tablename__ = "point"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("point.id"))
    parent: Mapped[Point | None] = relationship(remote_side=[id])
    children: Mapped[list[Point]] = relationship(viewonly=True)


class Noted(Base):
    __tablename__ = "noted"

    id: Mapped[int] = mapped_column(primary_key=True)

    @reconstructor
    def _loaded(self) -> None:
        made_in.append(turn[0])


turn = [0]
# the turn of the event loop in which each object was made
made_in: list[int] = []


@dataclass
class Flat:
    id: int
    name: str


@pytest.fixture
async def db(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> AsyncSessionFactory:
    monkeypatch.setattr(turns, "LARGE", SIZE)
    monkeypatch.setattr(turns, "_PART", 10)
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        rows = [
            {"id": i, "name": f"p{i}", "parent_id": i // 2 if i > 1 else None}
            for i in range(1, SIZE + 1)
        ]
        for row in rows:
            await conn.execute(insert(Point.__table__), row)  # type: ignore[arg-type]
        await conn.execute(insert(Noted.__table__), [{"id": i} for i in range(1, SIZE + 1)])  # type: ignore[arg-type]
    return AsyncSessionFactory(engine)


async def noted(db: AsyncSessionFactory, statement: Any) -> set[int]:
    """In which turns of the event loop the objects of a statement were made."""
    stop = asyncio.Event()

    async def count() -> None:
        while not stop.is_set():
            turn[0] += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(count())
    made_in.clear()
    await db.scalars(statement)
    stop.set()
    await task
    return set(made_in)


async def test_other_tasks_run_meanwhile(db: AsyncSessionFactory) -> None:
    assert len(await noted(db, select(Noted))) == 5
    assert len(await noted(db, select(Noted).limit(SIZE - 1))) == 1


STATEMENTS = [
    select(Point).order_by(Point.id),
    select(Point, Point.name).order_by(Point.id.desc()),
    select(Point).options(selectinload(Point.children)).order_by(Point.id),
    select(Point).options(selectinload(Point.parent)).order_by(Point.id),
    select(Point).options(joinedload(Point.parent)).order_by(Point.id),
    select(Point).options(joinedload(Point.children)).order_by(Point.id),
    select(Point.id, Point.name).order_by(Point.id),
]


def shown(item: Any) -> Any:
    if isinstance(item, Point):
        held = vars(item)
        return held["id"], held["name"], shown(held.get("parent")), shown(held.get("children"))
    if isinstance(item, Row | list):
        return [shown(part) for part in item]
    return item


@pytest.mark.parametrize("number", range(len(STATEMENTS)))
async def test_objects_are_the_same(
    db: AsyncSessionFactory, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = STATEMENTS[number]
    in_parts = [shown(row) for row in await db.all(statement)]
    monkeypatch.setattr(turns, "LARGE", 10_000)
    whole = [shown(row) for row in await db.all(statement)]
    assert in_parts == whole
    assert len(whole) == SIZE


async def test_rows_into_classes(db: AsyncSessionFactory) -> None:
    found = (await db.into(Flat, select(Point.id, Point.name).order_by(Point.id))).all()
    assert found == [Flat(i, f"p{i}") for i in range(1, SIZE + 1)]


async def test_streams(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        options = {"yield_per": SIZE}
        async with session.stream_scalars(select(Point), execution_options=options) as points:
            assert len([point async for point in points]) == SIZE


class Tracked:
    """A row that can be watched; a tuple can't."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __iter__(self) -> Iterator[int]:
        yield self.number


@pytest.mark.parametrize("width", [4, 20])
@pytest.mark.parametrize("parts", [turns.in_turns, turns.row_by_row])
async def test_a_row_goes_once_its_object_is_there(
    parts: Any, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # of wide rows fewer are many
    monkeypatch.setattr(turns, "LARGE" if width == 4 else "_MANY_WIDE", SIZE)
    monkeypatch.setattr(turns, "_PART", 10)
    rows = [Tracked(i) for i in range(SIZE)]
    alive = weakref.WeakSet(rows)
    left: list[int] = []

    def load(some: Any) -> list[int]:
        loaded = []
        for (number,) in some:
            loaded.append(number)
            left.append(len(alive))
        return loaded

    assert await greenlet_spawn(parts(load, width), rows) == [*range(SIZE)]
    assert left == [*reversed(range(SIZE))]


@pytest.mark.parametrize("backend", ["sqlite", "psycopg"], indirect=True)
def test_the_synchronous_face_has_no_loop(sync_engine: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(turns, "LARGE", 1)
    Base.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    db.execute(insert(Noted), [{"id": 1}, {"id": 2}])
    assert len(db.all(select(Noted))) == 2


@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_cancelled_meanwhile(db: AsyncSessionFactory, kind: Kind, moment: Moment) -> None:
    sessions: list[AsyncSession] = []

    async def block() -> None:
        sessions.clear()
        async with db.begin() as session:
            sessions.append(session)
            await session.execute(insert(Noted), {"id": SIZE + 1})
            await session.scalars(select(Point))
            raise NoResultFound

    async def work() -> None:
        with contextlib.suppress(NoResultFound):
            await block()

    async def check(run: Run) -> None:
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert [session.state for session in sessions] in ([], ["closed"])

    assert await cancelled_everywhere(work, kind, moment, check) >= 5
    assert await db.count(select(Noted)) == SIZE
