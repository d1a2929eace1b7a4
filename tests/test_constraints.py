"""Which constraint a write has violated, on every driver."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    insert,
    text,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSessionFactory, SessionFactory, ViolatedConstraint, constraint_of


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team_c"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column("name", unique=True)
    town: Mapped[str | None]
    street: Mapped[str | None]
    size: Mapped[int] = mapped_column(server_default="1")
    parent_id: Mapped[int | None] = mapped_column(
        ForeignKey("team_c.id", name="team_parent", deferrable=True)
    )
    __table_args__ = (
        UniqueConstraint("town", "street", name="one_at_a_place"),
        CheckConstraint("size > 0", name="has_members"),
    )


class Hall(Base):
    __tablename__ = "hall_c"

    key: Mapped[int] = mapped_column("id", primary_key=True)
    place: Mapped[str] = mapped_column("name", unique=True)


class BigHall(Hall):
    __tablename__ = "big_hall_c"

    key: Mapped[int] = mapped_column("id", ForeignKey("hall_c.id"), primary_key=True)
    seats: Mapped[int] = mapped_column("n", unique=True)


class Twice(DeclarativeBase):
    pass


class One(Twice):
    __table__ = Table("twice_c", Twice.metadata, Column("id", Integer, primary_key=True))
    one = __table__.c.id


class Two(Twice):
    __table__ = One.__table__
    two = __table__.c.id


CASES: dict[str, tuple[list[dict[str, Any]], str, str | None, tuple[str, ...]]] = {
    "primary key": ([{"id": 1, "name": "a"}, {"id": 1, "name": "b"}], "unique", None, ("id",)),
    "unique": ([{"id": 1, "name": "a"}, {"id": 2, "name": "a"}], "unique", None, ("name",)),
    "two columns": (
        [
            {"id": 1, "name": "a", "town": "x", "street": "y"},
            {"id": 2, "name": "b", "town": "x", "street": "y"},
        ],
        "unique",
        "one_at_a_place",
        ("town", "street"),
    ),
    "not null": ([{"id": 1, "name": None}], "not null", None, ("name",)),
    "check": ([{"id": 1, "name": "a", "size": 0}], "check", "has_members", ("size",)),
    "foreign key": (
        [{"id": 1, "name": "a", "parent_id": 9}],
        "foreign key",
        "team_parent",
        ("parent_id",),
    ),
}


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    return AsyncSessionFactory(engine)


async def test_the_attributes_of_the_columns(db: AsyncSessionFactory) -> None:
    async def found(*objects: Any, metadata: MetaData | None = None) -> Any:
        with pytest.raises(IntegrityError) as caught:
            await db.insert_all(objects)
        constraint = constraint_of(caught.value, metadata)
        assert constraint is not None
        return constraint.columns, constraint.attributes

    by_title = [Team(id=1, title="a"), Team(id=2, title="a")]
    assert await found(*by_title) == (("name",), ("title",))
    assert await found(*by_title, metadata=Base.metadata) == (("name",), ("title",))
    # the tables of another metadata are not meant
    assert await found(*by_title, metadata=MetaData()) == (("name",), ("name",))
    big = [BigHall(key=number, place=str(number), seats=3) for number in (1, 2)]
    assert await found(*big) == (("n",), ("seats",))
    assert await found(Hall(key=1, place="a"), Hall(key=2, place="a")) == (("name",), ("place",))


async def test_a_column_that_two_classes_name_otherwise(db: AsyncSessionFactory) -> None:
    async with db.engine.begin() as conn:
        await conn.run_sync(Twice.metadata.create_all)
    await db.insert(One(one=1))
    with pytest.raises(IntegrityError) as caught:
        await db.insert(Two(two=1))
    found = constraint_of(caught.value)
    assert found is not None
    assert (found.columns, found.attributes) == (("id",), ("id",))


async def failure(db: AsyncSessionFactory, rows: list[dict[str, Any]]) -> IntegrityError:
    async def write() -> None:
        async with db.begin() as session:
            if db.engine.dialect.name == "sqlite":
                await session.execute(text("PRAGMA foreign_keys = ON"))
            for row in rows:
                await session.execute(insert(Team).values(row))

    with pytest.raises(IntegrityError) as caught:
        await write()
    return caught.value


@pytest.mark.parametrize("case", CASES)
async def test_each_kind(db: AsyncSessionFactory, backend: str, case: str) -> None:
    rows, kind, name, columns = CASES[case]
    error = await failure(db, rows)
    found = constraint_of(error)
    assert found is not None
    assert found.kind == kind
    if backend != "sqlite":
        assert found.table == "team_c"
        assert found.schema
        assert kind == "not null" or found.name
        assert name is None or found.name == name
    if kind != "check" and (backend, kind) != ("sqlite", "foreign key"):
        assert found.columns == columns
    complete = constraint_of(error, Base.metadata)
    assert complete is not None
    assert (complete.kind, complete.table, complete.columns) == (kind, "team_c", columns)
    assert name is None or complete.name == name


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_what_only_postgresql_has(db: AsyncSessionFactory) -> None:
    await db.execute(text('CREATE TABLE "Odd, (one)" (a int, "b ""c" text)'))
    await db.execute(text('CREATE UNIQUE INDEX odd ON "Odd, (one)" (a, "b ""c")'))
    await db.execute(
        text("CREATE TABLE booked (during int4range, EXCLUDE USING gist (during WITH &&))")
    )
    await db.execute(text("INSERT INTO \"Odd, (one)\" VALUES (1, 'x')"))
    await db.execute(text("INSERT INTO booked VALUES ('[1,5)')"))
    with pytest.raises(IntegrityError) as caught:
        await db.execute(text("INSERT INTO \"Odd, (one)\" VALUES (1, 'x')"))
    found = constraint_of(caught.value)
    assert found is not None
    assert (found.kind, found.name, found.table) == ("unique", "odd", "Odd, (one)")
    assert found.columns == ("a", 'b "c')
    with pytest.raises(IntegrityError) as caught:
        await db.execute(text("INSERT INTO booked VALUES ('[3,9)')"))
    found = constraint_of(caught.value)
    assert found is not None
    assert (found.kind, found.columns) == ("exclusion", ("during",))
    deferred = "INSERT INTO team_c (id, name, parent_id) VALUES (1, 'a', 9)"

    async def at_commit() -> None:
        async with db.begin() as session:
            await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
            await session.execute(text(deferred))

    with pytest.raises(IntegrityError) as caught:
        await at_commit()
    found = constraint_of(caught.value)
    assert found is not None
    assert (found.kind, found.name) == ("foreign key", "team_parent")


async def test_an_error_behind_another_one(db: AsyncSessionFactory) -> None:
    error = await failure(db, CASES["unique"][0])
    wrapped = RuntimeError("mine")
    wrapped.__cause__ = error
    assert constraint_of(wrapped) == constraint_of(error)
    wrapped.__cause__ = wrapped
    assert constraint_of(wrapped) is None


async def test_other_errors(db: AsyncSessionFactory) -> None:
    assert constraint_of(ValueError("UNIQUE constraint failed: a.b")) is None
    with pytest.raises(Exception, match="no_such") as caught:
        await db.scalar(text("SELECT no_such"))
    assert constraint_of(caught.value) is None


def test_the_synchronous_drivers(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    db.execute(insert(Team), [{"id": 1, "name": "a"}])
    with pytest.raises(IntegrityError) as caught:
        db.execute(insert(Team), [{"id": 2, "name": "a"}])
    found = constraint_of(caught.value)
    assert isinstance(found, ViolatedConstraint)
    assert (found.kind, found.table, found.columns) == ("unique", "team_c", ("name",))
