"""Keys that the database finds equal, and Python does not: collations, padding, affinity.

What the database found belongs to those that it found it for, as in the ORM.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from sqlalchemy import (
    CHAR,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    String,
    Table,
    __version__,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import AsyncSession as OrmSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    immediateload,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
    subqueryload,
)

from naked_sqla import AsyncSessionFactory
from naked_sqla.testing import count_statements

from ..oracle import Comparison


class Kind(NamedTuple):
    """How keys are stored: the type of a key, that of what refers to it, and spellings of keys."""

    key: Any
    reference: Any
    keys: Sequence[Any]
    references: Sequence[Any]


WORDS = ["abc", "xyz", "none"]
CASES = ["abc", "ABC", "Abc", "XYZ", "stray", None]

SQLITE: dict[str, Kind] = {
    "NOCASE": Kind(String(collation="NOCASE"), String(collation="NOCASE"), WORDS, CASES),
    "NOCASE key": Kind(String(collation="NOCASE"), String(), WORDS, CASES),
    "NOCASE reference": Kind(String(), String(collation="NOCASE"), [*WORDS, "ABC"], CASES),
    "RTRIM": Kind(
        String(collation="RTRIM"), String(collation="RTRIM"), WORDS, ["abc", "abc  ", "xyz ", None]
    ),
    "text for a number": Kind(Integer(), String(), [5, 6, 7], ["5", "6", "8", None]),
}
POSTGRESQL: dict[str, Kind] = {
    "CHAR": Kind(CHAR(5), CHAR(5), WORDS, ["abc", "xyz  ", None]),
    "CHAR key": Kind(CHAR(5), String(), WORDS, ["abc", "xyz", "xyz  ", None]),
    "CHAR reference": Kind(String(), CHAR(5), WORDS, ["abc", "xyz", None]),
}


def models(kind: Kind) -> Any:
    """Give classes whose keys are of this kind: by one column, by two, and through a table."""

    class Base(DeclarativeBase):
        pass

    class Owner(Base):
        __tablename__ = "owners"
        code: Mapped[Any] = mapped_column(kind.key, primary_key=True)
        things: Mapped[list[Thing]] = relationship(back_populates="owner", order_by="Thing.id")
        tags: Mapped[list[Tag]] = relationship(
            secondary=lambda: tagged, back_populates="owners", order_by="Tag.code"
        )

    class Thing(Base):
        __tablename__ = "things"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner_code: Mapped[Any] = mapped_column(
            kind.reference, ForeignKey("owners.code"), nullable=True
        )
        owner: Mapped[Owner | None] = relationship(back_populates="things")

    class Tag(Base):
        __tablename__ = "tags"
        code: Mapped[Any] = mapped_column(kind.key, primary_key=True)
        owners: Mapped[list[Owner]] = relationship(
            secondary=lambda: tagged, back_populates="tags", order_by="Owner.code"
        )

    tagged = Table(
        "tagged",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("owner_code", kind.reference, ForeignKey("owners.code")),
        Column("tag_code", kind.reference, ForeignKey("tags.code")),
    )

    class Pair(Base):
        __tablename__ = "pairs"
        year: Mapped[int] = mapped_column(primary_key=True)
        code: Mapped[Any] = mapped_column(kind.key, primary_key=True)
        halves: Mapped[list[Half]] = relationship(back_populates="pair", order_by="Half.id")

    class Half(Base):
        __tablename__ = "halves"
        id: Mapped[int] = mapped_column(primary_key=True)
        year: Mapped[int | None]
        code: Mapped[Any] = mapped_column(kind.reference, nullable=True)
        pair: Mapped[Pair | None] = relationship(back_populates="halves")
        __table_args__ = (ForeignKeyConstraint(["year", "code"], ["pairs.year", "pairs.code"]),)

    return Base, Owner, Thing, Tag, tagged, Pair, Half


def without_foreign_keys(base: Any) -> None:
    """Have the tables made without them: some rows refer to nothing, some types differ."""
    for table in base.metadata.tables.values():
        for constraint in table.foreign_key_constraints:
            constraint.ddl_if(callable_=lambda *args, **kwargs: False)


async def fill(engine: AsyncEngine, kind: Kind, made: Any) -> None:
    base, owner, thing, tag, tagged, pair, half = made
    async with engine.begin() as conn:
        without_foreign_keys(base)
        await conn.run_sync(base.metadata.create_all)
        for model in (owner, tag):
            await conn.execute(insert(model.__table__), [{"code": key} for key in kind.keys])
        rows = [{"id": n, "owner_code": key} for n, key in enumerate(kind.references)]
        await conn.execute(insert(thing.__table__), rows)
        both = [(one, other) for one in kind.references for other in kind.references]
        rows = [
            {"id": n, "owner_code": one, "tag_code": other} for n, (one, other) in enumerate(both)
        ]
        await conn.execute(insert(tagged), rows)
        years = (1, 2)
        rows = [{"year": year, "code": key} for year in years for key in kind.keys]
        await conn.execute(insert(pair.__table__), rows)
        rows = [
            {"id": n * 10 + year, "year": year, "code": key}
            for n, key in enumerate(kind.references)
            for year in years
        ]
        await conn.execute(insert(half.__table__), rows)


def kinds() -> list[Any]:
    found = [pytest.param("sqlite", kind, id=f"sqlite-{name}") for name, kind in SQLITE.items()]
    found += [
        pytest.param(driver, kind, id=f"{driver}-{name}")
        for name, kind in POSTGRESQL.items()
        for driver in ("asyncpg", "psycopg")
    ]
    return found


def in_orm(loader: Any, attribute: Any, sqlite: bool, kind: Kind) -> Any:
    """Give the way of the ORM that finds what ours does."""
    if loader is subqueryload and sqlite and not attribute.property.uselist:
        # the ORM's finds what DISTINCT has left of the spellings
        return immediateload
    if loader is immediateload and BY_JOIN and attribute.key in ("tags", "owners"):
        mixed = type(kind.key) is not type(kind.reference)
        collations = getattr(kind.key, "collation", ""), getattr(kind.reference, "collation", "")
        if mixed or len(set(collations)) > 1:
            return subqueryload
    return loader


# on 2.0 a many to many is found by a join with the parents, whose columns compare otherwise
BY_JOIN = __version__.startswith("2.0.")
LOADERS = (selectinload, subqueryload, immediateload, joinedload)


@pytest.mark.parametrize(("backend", "kind"), kinds(), indirect=["backend"])
async def test_keys(engine: AsyncEngine, kind: Kind) -> None:
    """In each way of loading what the ORM loads, whatever the spelling."""
    made = models(kind)
    await fill(engine, kind, made)
    db = AsyncSessionFactory(engine)
    for attribute, model, keys in attributes(made):
        for loader in LOADERS:
            statement = select(model).options(loader(attribute)).order_by(*keys)
            way = in_orm(loader, attribute, engine.dialect.name == "sqlite", kind)
            theirs = select(model).options(way(attribute)).order_by(*keys)
            async with OrmSession(engine) as session:
                expected = (await session.execute(theirs)).unique().all()
                ours = (await db.execute(statement)).unique().all()
                found = list(Comparison(expected).differences(expected, ours))
                assert not found, f"{loader.__name__}({attribute}): {found}"


@pytest.mark.parametrize(("backend", "kind"), kinds(), indirect=["backend"])
async def test_preload(engine: AsyncEngine, kind: Kind) -> None:
    """Objects in hand get what ``lazyload()`` gives an instance of the ORM."""
    made = models(kind)
    await fill(engine, kind, made)
    db = AsyncSessionFactory(engine)
    for attribute, model, keys in attributes(made):
        statement = select(model).order_by(*keys)
        async with OrmSession(engine) as session:
            way = in_orm(immediateload, attribute, engine.dialect.name == "sqlite", kind)
            expected = (await session.scalars(statement.options(way(attribute)))).all()
            ours = (await db.scalars(statement)).all()
            await db.preload(ours, attribute)
            found = list(Comparison(expected).differences(expected, ours))
            assert not found, f"preload({attribute}): {found}"


def attributes(made: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Give each relationship, with its class and what orders the rows of that."""
    _, owner, thing, tag, _, pair, half = made
    for attribute in (owner.things, thing.owner, owner.tags, tag.owners, pair.halves, half.pair):
        model = attribute.parent.class_
        yield attribute, model, list(model.__mapper__.primary_key)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", SQLITE)
async def test_collations_that_the_mapping_does_not_name(engine: AsyncEngine, name: str) -> None:
    """The tables were made by somebody else."""
    kind = SQLITE[name]
    await fill(engine, kind, models(kind))
    made = models(kind._replace(key=String(), reference=String()))
    db = AsyncSessionFactory(engine)
    for attribute, model, keys in attributes(made):
        for loader in (immediateload, joinedload, None):
            statement = select(model).order_by(*keys)
            async with OrmSession(engine) as session:
                eager = statement.options((loader or immediateload)(attribute))
                way = in_orm(loader or immediateload, attribute, True, kind)
                theirs = statement.options(way(attribute))
                expected = (await session.scalars(theirs)).unique().all()
                if loader is None:
                    ours = (await db.scalars(statement)).all()
                    await db.preload(ours, attribute)
                else:
                    ours = (await db.scalars(eager)).unique().all()
                found = list(Comparison(expected).differences(expected, ours))
                assert not found, f"{loader}({attribute}): {found}"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_what_the_application_has_set(engine: AsyncEngine) -> None:
    """``preload()`` goes by the values that the objects have, however they are spelled."""
    kind = SQLITE["NOCASE"]
    made = models(kind._replace(key=Integer(), reference=Integer(), keys=[5, 6], references=[5, 6]))
    await fill(engine, kind._replace(keys=[5, 6], references=[5, 6]), made)
    thing = made[2]
    db = AsyncSessionFactory(engine)
    things = (await db.scalars(select(thing).order_by(thing.id))).all()
    things[0].owner_code = "5"
    things[1].owner_code = 5
    await db.preload(things, thing.owner)
    assert [each.owner.code for each in things] == [5, 5]
    one = things[0]
    one.owner_code = "6"
    await db.preload(one, thing.owner, force=True)
    assert one.owner.code == 6


async def test_statements(engine: AsyncEngine) -> None:
    """No further statement where the keys are those that were asked for, found or not."""
    kind = Kind(String(), String(), [*WORDS, "more"], ["abc", "xyz", "stray", None])
    made = models(kind)
    await fill(engine, kind, made)
    db = AsyncSessionFactory(engine)
    for attribute, model, _ in attributes(made):
        for loader in (selectinload, subqueryload, immediateload):
            with count_statements(engine) as counted:
                await db.execute(select(model).options(loader(attribute)))
            assert len(counted) == 2
        objects = (await db.scalars(select(model))).all()
        with count_statements(engine) as counted:
            await db.preload(objects, attribute)
        assert len(counted) == 1


async def test_an_association_that_is_there_twice(engine: AsyncEngine) -> None:
    """The related object once for each parent; by ``selectinload()`` for each row: as the ORM."""
    kind = Kind(Integer(), Integer(), [1, 2], [1, 1, 2])
    made = models(kind)
    await fill(engine, kind, made)
    _, owner, *_ = made
    db = AsyncSessionFactory(engine)
    for loader in LOADERS:
        statement = select(owner).options(loader(owner.tags)).order_by(owner.code)
        async with OrmSession(engine) as session:
            expected = (await session.execute(statement)).unique().all()
            ours = (await db.execute(statement)).unique().all()
            assert not list(Comparison(expected).differences(expected, ours))
