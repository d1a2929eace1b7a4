"""Plans of statements."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, bindparam, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship
from sqlalchemy.schema import ForeignKey

from naked_sqla import (
    AsyncSessionFactory,
    InvalidSessionState,
    InvalidStatement,
    SessionFactory,
    UnsupportedOption,
)


class Base(DeclarativeBase):
    pass


class Node(Base):
    __tablename__ = "plan_node"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    parts: Mapped[list[Part]] = relationship()


class Part(Base):
    __tablename__ = "plan_part"

    id: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[int] = mapped_column(ForeignKey(Node.id))


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    await db.execute(insert(Node), [{"id": i, "name": "50%"} for i in range(1, 4)])
    return db


STATEMENTS: list[Any] = [
    select(Node),
    select(Node.name).where(Node.name.like("5%"), Node.id == 2),
    select(Node).options(joinedload(Node.parts)).limit(2),
    update(Node).where(Node.id == 1).values(name="x"),
    delete(Node).where(Node.id == 1),
    insert(Node).values(id=9, name="x"),
    text("SELECT id FROM plan_node"),
]


@pytest.mark.parametrize("at", range(len(STATEMENTS)))
async def test_plans(db: AsyncSessionFactory, backend: str, at: int) -> None:
    statement = STATEMENTS[at]
    found = await db.explain(statement)
    async with db.begin() as session:
        assert await session.explain(statement) == found
    async with db.read() as session:
        assert await session.explain(statement) == found
    if not (backend == "sqlite" and getattr(statement, "is_insert", False)):
        assert "plan_node" in found
    if at == 2:
        assert "plan_part" in found
    assert isinstance(await db.explain(statement, format="json"), list)
    assert (await db.scalars(select(Node.id).order_by(Node.id))).all() == [1, 2, 3]


async def test_json(db: AsyncSessionFactory, backend: str) -> None:
    (step,) = await db.explain(select(Node), format="json")
    if backend == "sqlite":
        assert step["detail"] == "SCAN plan_node"
    else:
        assert step["Plan"]["Relation Name"] == "plan_node"


async def test_parameters(db: AsyncSessionFactory) -> None:
    statement = select(Node).where(Node.id == bindparam("key"))
    assert "plan_node" in await db.explain(statement, {"key": 1})
    with pytest.raises(InvalidStatement, match="a plan is that of one statement"):
        await db.explain(insert(Node), [{"id": 8, "name": "a"}, {"id": 9, "name": "b"}])  # type: ignore[call-overload]


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_analyze_takes_back_what_it_writes(db: AsyncSessionFactory) -> None:
    assert "actual" in await db.explain(select(Node), analyze=True)
    assert "actual" in await db.explain(delete(Node), analyze=True)
    async with db.begin() as session:
        await session.execute(insert(Node), [{"id": 7, "name": "kept"}])
        (step,) = await session.explain(delete(Node), analyze=True, format="json")
        assert step["Plan"]["Operation"] == "Delete"
    assert await db.scalar(select(func.count()).select_from(Node)) == 4
    with pytest.raises(InvalidSessionState):
        await db.read().explain(delete(Node), analyze=True)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_sqlite_can_not_analyze(db: AsyncSessionFactory) -> None:
    with pytest.raises(UnsupportedOption, match="analyze"):
        await db.explain(select(Node), analyze=True)


async def test_wrong_arguments(db: AsyncSessionFactory) -> None:
    with pytest.raises(ValueError, match="format="):
        await db.explain(select(Node), format="xml")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="analyze="):
        await db.explain(select(Node), analyze="yes")  # type: ignore[call-overload]
    with pytest.raises(InvalidStatement):
        await db.explain("SELECT 1")  # type: ignore[call-overload]


def test_the_synchronous_face(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    assert "plan_node" in db.explain(select(Node))
    with db.begin() as session:
        assert "plan_node" in session.explain(select(Node))
