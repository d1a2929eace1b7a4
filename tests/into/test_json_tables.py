"""JSON of tables without mapped classes: as rows and objects give it, by the direct way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    bindparam,
    func,
    insert,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, aliased

from naked_sqla import AsyncSessionFactory
from naked_sqla.read import direct

from .._notes import checked_out


class Base(DeclarativeBase):
    metadata = MetaData()


writers = Table(
    "writers",
    Base.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(50), nullable=False),
    Column("age", Integer),
    Column("worth", Numeric(10, 2)),
)
books = Table(
    "books",
    Base.metadata,
    Column("id", Integer, primary_key=True),
    Column("writer_id", ForeignKey("writers.id")),
    Column("title", String(50), nullable=False),
)


class Writer(Base):
    __table__ = writers


class Book(Base):
    __table__ = books


class Taken:
    """Which statements went the direct way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        run = direct.run

        def noting(*args: Any) -> Any:
            found = run(*args)
            if found is not None:
                self.sent.append(str(args[1]))
            return found

        monkeypatch.setattr(direct, "run", noting)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    return Taken(monkeypatch)


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(
            insert(writers),
            [
                {"id": 1, "name": "Ann \N{SNOWMAN}", "age": 40, "worth": 1},
                {"id": 2, "name": 'B"ob', "age": None, "worth": None},
                {"id": 3, "name": "", "age": -1, "worth": 2},
            ],
        )
        found = [{"id": n, "writer_id": n % 3 or None, "title": f"book {n}"} for n in range(1, 7)]
        await conn.execute(insert(books), found)
    return AsyncSessionFactory(engine)


class Named(BaseModel):
    id: int
    name: str


class Aged(Named):
    age: int | None


class Titled(BaseModel):
    title: str
    name: str


class Counted(BaseModel):
    name: str
    books: int


of_writer = books.c.writer_id == writers.c.id
by_id = writers.c.id > bindparam("n", 0)

STATEMENTS: dict[str, tuple[Callable[[], Any], Any, bool]] = {
    # what is selected, the class, whether the database writes it
    "table": (lambda: select(writers).where(by_id).order_by(writers.c.id), Aged, True),
    "columns": (lambda: select(writers.c.id, writers.c.name).order_by(writers.c.id), Named, True),
    "label": (
        lambda: (
            select(writers.c.id, books.c.title.label("name"))
            .join(books, of_writer)
            .order_by(books.c.id)
        ),
        Named,
        False,
    ),
    "join": (
        lambda: select(writers.c.name, books.c.title).join(books, of_writer).order_by(books.c.id),
        Titled,
        True,
    ),
    "alias": (lambda: select(writers.alias("w")), Named, True),
    "subquery": (
        lambda: (lambda sub: select(sub.c.id, sub.c.name).order_by(sub.c.id))(
            select(writers).where(by_id).subquery()
        ),
        Named,
        False,
    ),
    "groups": (
        lambda: (
            select(writers.c.name, func.count(books.c.id).label("books"))
            .join(books, of_writer)
            .group_by(writers.c.name)
            .order_by(writers.c.name)
        ),
        Counted,
        False,
    ),
    "no rows": (lambda: select(writers).where(writers.c.id < 0), Named, True),
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_as_objects_give_it(db: AsyncSessionFactory, taken: Taken, name: str) -> None:
    make, cls, _ = STATEMENTS[name]
    objects = [each.model_dump() for each in await db.into(cls, make())]
    rows = [dict(row._mapping) for row in await db.execute(make())]
    for row in rows:
        if row.get("worth") is not None:
            row["worth"] = str(row["worth"])
    for _ in range(3):
        taken.sent.clear()
        assert json.loads(await db.json(make(), into=cls)) == objects
        async with db.begin() as session:
            assert json.loads(await session.json(make(), into=cls)) == objects
            assert json.loads(await session.json(make())) == rows
    assert len(taken.sent) == 3


@pytest.mark.parametrize("name", STATEMENTS)
async def test_who_writes_it(db: AsyncSessionFactory, taken: Taken, name: str) -> None:
    make, cls, by_the_database = STATEMENTS[name]
    # PostgreSQL is asked for its types with the first
    for _ in range(3):
        taken.sent.clear()
        await db.json(make(), into=cls)
    assert ["json" in sql for sql in taken.sent] == [by_the_database]
    assert checked_out(db.engine) == 0


async def test_parameters(db: AsyncSessionFactory, taken: Taken) -> None:
    statement = select(writers).where(by_id).order_by(writers.c.id)
    for n in (0, 2, 1, 5):
        taken.sent.clear()
        found = json.loads(await db.json(statement, {"n": n}, into=Named))
        assert [each["id"] for each in found] == [each for each in (1, 2, 3) if each > n]
    assert len(taken.sent) == 1


books_by = books.outerjoin(writers, of_writer)
missed = select(writers.c.name, books.c.title).select_from(books_by).subquery()
OfWriter: Any = Writer
Missed: Any = aliased(Writer, select(writers).select_from(books_by).subquery())


class OfName(BaseModel):
    name: str


@pytest.mark.parametrize(
    "statement",
    [
        select(writers.c.name).select_from(books_by),
        select(writers.c.name, books.c.title).select_from(books).outerjoin(writers, of_writer),
        select(writers.c.name).select_from(books.join(writers, of_writer, full=True)),
        select(OfWriter.name).select_from(Book).outerjoin(Writer, of_writer),
        select(missed.c.name),
        select(Missed.name),
        select(missed),
        union_all(select(writers.c.name), select(writers.c.name).select_from(books_by)),
    ],
    ids=str,
)
async def test_a_name_that_an_outer_join_did_not_find(
    db: AsyncSessionFactory, statement: Any
) -> None:
    """The column is never NULL, and None all the same: pydantic refuses it."""
    for _ in range(2):
        with pytest.raises(ValidationError):
            await db.into(OfName, statement)
        with pytest.raises(ValidationError):
            await db.json(statement, into=OfName)


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_a_total_beside_groups(db: AsyncSessionFactory) -> None:
    statement = select(writers.c.name).group_by(func.rollup(writers.c.name))
    for _ in range(2):
        with pytest.raises(ValidationError):
            await db.json(statement, into=OfName)


async def test_a_value_beyond_what_the_database_writes(
    db: AsyncSessionFactory, backend: str, taken: Taken
) -> None:
    """The rows are read after all, on the same connection."""
    if backend != "sqlite":
        return
    statement = select(writers.c.id, writers.c.name).order_by(writers.c.id)
    for _ in range(2):
        await db.json(statement, into=Named)
    async with db.begin() as session:
        await session.execute(insert(writers), {"id": 9, "name": "x", "age": 1})
        conn = await session.connection()
        await conn.exec_driver_sql("UPDATE writers SET age = 1.5 WHERE id = 9")
    aged = select(writers.c.id, writers.c.age).order_by(writers.c.id)
    for _ in range(3):
        found = json.loads(await db.json(aged))
        assert found[-1] == {"id": 9, "age": 1.5}
        assert checked_out(db.engine) == 0
