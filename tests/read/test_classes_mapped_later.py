"""A subclass that is mapped after a statement was compiled: its rows are of that class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import ForeignKey, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import AsyncSession as OrmSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    contains_eager,
    immediateload,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
    subqueryload,
    with_polymorphic,
)

from naked_sqla import AsyncSessionFactory

from ..oracle import Comparison


def models(base_has_identity: bool) -> Any:
    """Give classes of a registry of their own: boxes, with things of one class to begin with."""

    class Base(DeclarativeBase):
        pass

    class Box(Base):
        __tablename__ = "boxes"
        id: Mapped[int] = mapped_column(primary_key=True)
        things: Mapped[list[Thing]] = relationship(back_populates="box", order_by="Thing.id")

    class Thing(Base):
        __tablename__ = "things"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        box_id: Mapped[int | None] = mapped_column(ForeignKey("boxes.id"))
        box: Mapped[Box | None] = relationship(back_populates="things")
        __mapper_args__ = {"polymorphic_on": "kind"} | (
            {"polymorphic_identity": "thing"} if base_has_identity else {}
        )

    return Base, Box, Thing


def later(base: Any, thing: Any) -> Any:
    """Map two subclasses, one with a table of its own; give the latter."""

    class Toy(thing):  # type: ignore[misc]
        __mapper_args__ = {"polymorphic_identity": "toy"}

    class Puzzle(Toy):
        __tablename__ = "puzzles"
        id: Mapped[int] = mapped_column(ForeignKey("things.id"), primary_key=True)
        pieces: Mapped[int | None]
        __mapper_args__ = {"polymorphic_identity": "puzzle"}

    return Puzzle


STATEMENTS: dict[str, Callable[[Any, Any], Any]] = {
    "entity": lambda box, thing: select(thing),
    "with_polymorphic": lambda box, thing: select(with_polymorphic(thing, "*")),
    "joined": lambda box, thing: select(box).options(joinedload(box.things)),
    "contains_eager": lambda box, thing: (
        select(box).outerjoin(box.things).options(contains_eager(box.things)).order_by(thing.id)
    ),
    "selectin": lambda box, thing: select(box).options(selectinload(box.things)),
    "subquery": lambda box, thing: select(box).options(subqueryload(box.things)),
    "immediate": lambda box, thing: select(box).options(immediateload(box.things)),
    "joined below selectin": lambda box, thing: select(box).options(
        selectinload(box.things).joinedload(thing.box).joinedload(box.things)
    ),
    "joined below joined": lambda box, thing: select(thing).options(
        joinedload(thing.box).joinedload(box.things)
    ),
}


@pytest.mark.parametrize("has_identity", [True, False], ids=["identity", "abstract"])
async def test_mapped_later(engine: AsyncEngine, has_identity: bool) -> None:
    base, box, thing = models(has_identity)
    db = AsyncSessionFactory(engine)

    async def compare(name: str) -> None:
        statement = STATEMENTS[name](box, thing)
        async with OrmSession(engine) as session:
            theirs = (await session.execute(statement)).unique().all()
            for _ in range(2):
                ours = (await db.execute(statement)).unique().all()
                # in the ORM an object that leads back to itself has what each way has loaded
                comparison = Comparison(theirs, hidden="below" in name)
                found = list(comparison.differences(theirs, ours))
                assert not found, f"{name}: {found}"

    async with engine.begin() as conn:
        await conn.run_sync(base.metadata.create_all)
        await conn.execute(insert(box.__table__), [{"id": 1}, {"id": 2}])
        if has_identity:
            await conn.execute(insert(thing.__table__), {"id": 1, "kind": "thing", "box_id": 1})
    for name in STATEMENTS:
        await compare(name)
    puzzle = later(base, thing)
    async with engine.begin() as conn:
        await conn.run_sync(base.metadata.create_all)
        await conn.execute(
            insert(thing.__table__),
            [{"id": 2, "kind": "toy", "box_id": 1}, {"id": 3, "kind": "puzzle", "box_id": 2}],
        )
        await conn.execute(insert(puzzle.__table__), {"id": 3, "pieces": 100})
    for name in STATEMENTS:
        await compare(name)
