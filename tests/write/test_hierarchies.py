"""Writing by object in a hierarchy: a row of another class is not there, whoever names its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import ForeignKey, Table, case, inspect, select, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.declarative import AbstractConcreteBase
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column

from naked_sqla import AsyncSession, AsyncSessionFactory, RowGone


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "h_persons"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str | None]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}


class Engineer(Person):
    __tablename__ = "h_engineers"

    id: Mapped[int] = mapped_column(ForeignKey(Person.id), primary_key=True)
    language: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "engineer"}


class Manager(Person):
    __tablename__ = "h_managers"

    manager_id: Mapped[int] = mapped_column(ForeignKey(Person.id), primary_key=True)
    budget: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "manager"}


class Director(Manager):
    __tablename__ = "h_directors"

    director_id: Mapped[int] = mapped_column(ForeignKey(Manager.manager_id), primary_key=True)
    car: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "director"}


class Boss(Manager):
    """In the tables of its parents."""

    __mapper_args__ = {"polymorphic_identity": "boss"}


class Animal(Base):
    __tablename__ = "h_animals"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str | None]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}


class Feline(Animal):
    """Has no rows but those of its subclasses."""

    __mapper_args__ = {"polymorphic_abstract": True}


class Cat(Feline):
    __mapper_args__ = {"polymorphic_identity": "cat"}


class Lion(Feline):
    """Has a table of its own below a class that has none."""

    __tablename__ = "h_lions"

    id: Mapped[int] = mapped_column(ForeignKey(Animal.id), primary_key=True)
    mane: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "lion"}


class Dog(Animal):
    __mapper_args__ = {"polymorphic_identity": "dog"}


class Task(Base):
    """Single-table, with a version."""

    __tablename__ = "h_tasks"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str | None]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {
        "polymorphic_on": "kind",
        "polymorphic_identity": "task",
        "version_id_col": version,
    }


class Chore(Task):
    __mapper_args__ = {"polymorphic_identity": "chore"}


class Errand(Task):
    __tablename__ = "h_errands"

    id: Mapped[int] = mapped_column(ForeignKey(Task.id), primary_key=True)
    where: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "errand"}


class Shape(Base):
    """The discriminator is an SQL expression."""

    __tablename__ = "h_shapes"

    id: Mapped[int] = mapped_column(primary_key=True)
    corners: Mapped[int | None] = mapped_column()
    name: Mapped[str | None]
    kind = column_property(case((corners == 4, "square"), else_="shape"))
    __mapper_args__ = {"polymorphic_on": kind, "polymorphic_identity": "shape"}


class Square(Shape):
    __mapper_args__ = {"polymorphic_identity": "square"}


class Document(AbstractConcreteBase, Base):
    strict_attrs = True

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]


class Letter(Document):
    __tablename__ = "h_letters"
    __mapper_args__ = {"polymorphic_identity": "letter", "concrete": True}


class Bill(Document):
    __tablename__ = "h_bills"
    __mapper_args__ = {"polymorphic_identity": "bill", "concrete": True}


Base.registry.configure()

ROWS: list[Any] = [
    Person(id=1, name="p"),
    Engineer(id=2, name="e", language="py"),
    Manager(id=3, name="m", budget=1),
    Director(id=4, name="d", budget=1, car="c"),
    Boss(id=5, name="b", budget=1),
    Animal(id=1, name="a"),
    Cat(id=2, name="c"),
    Dog(id=3, name="d"),
    Lion(id=4, name="l", mane="m"),
    Task(id=1, name="t"),
    Chore(id=2, name="c"),
    Errand(id=3, name="e", where="w"),
    Shape(id=1, name="s", corners=3),
    Square(id=2, name="q", corners=4),
    Letter(id=1, name="l"),
    Bill(id=2, name="b"),
]
KEYS = {
    Person: [1, 2, 3, 4, 5],
    Animal: [1, 2, 3, 4],
    Task: [1, 2, 3],
    Shape: [1, 2],
    Document: [1, 2],
}


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    for row in ROWS:
        if row.__class__ not in (Shape, Square):
            await db.insert(row)
    await db.insert_all([{"id": 1, "corners": 3, "name": "s"}], model=Shape)
    await db.insert_all([{"id": 2, "corners": 4, "name": "q"}], model=Square)
    return db


def with_key(model: Any, key: int) -> dict[str, Any]:
    """A dictionary that names a row of a class, also of one whose key has another name."""
    return {inspect(model).get_property_by_column(inspect(model).primary_key[0]).key: key}


async def contents(session: AsyncSession, root: Any) -> list[Any]:
    return [
        sorted(map(repr, (await session.execute(select(table))).all()))
        for table in {t for m in inspect(root).self_and_descendants for t in m.tables}
        if isinstance(table, Table)
    ]


Way = Callable[[AsyncSession, Any, list[Any]], Any]
"""Write the rows of a class with some keys."""

UPDATES: dict[str, Way] = {
    "by key": lambda s, m, keys: s.update(m, keys[0], name="new"),
    "by key, a number": lambda s, m, keys: s.update(m, keys[0], name="new", returning=False),
    "nothing by key": lambda s, m, keys: s.update(m, keys[0]),
    "dictionary": lambda s, m, keys: s.update({**with_key(m, keys[0]), "name": "new"}, model=m),
    "instance": lambda s, m, keys: s.update(m(**with_key(m, keys[0]), name="new"), "name"),
    "all": lambda s, m, keys: s.update_all(
        [{**with_key(m, key), "name": "new"} for key in keys], model=m
    ),
    "all, a number": lambda s, m, keys: s.update_all(
        [{**with_key(m, key), "name": "new"} for key in keys], model=m, returning=False
    ),
    "all instances": lambda s, m, keys: s.update_all(
        [m(**with_key(m, key), name="new") for key in keys], "name", returning=False
    ),
    "loaded": lambda s, m, keys: changed(s, m, keys, False),
    "loaded, one": lambda s, m, keys: changed(s, m, keys, True),
    "statement": lambda s, m, keys: s.execute(
        update(m), [{**with_key(m, key), "name": "new"} for key in keys]
    ),
}
DELETES: dict[str, Way] = {
    "by key": lambda s, m, keys: s.delete(m, keys[0]),
    "instance": lambda s, m, keys: s.delete(m(**with_key(m, keys[0]))),
    "dictionary": lambda s, m, keys: s.delete(with_key(m, keys[0]), model=m),
    "all": lambda s, m, keys: s.delete_all([with_key(m, key) for key in keys], model=m),
    "all instances": lambda s, m, keys: s.delete_all([m(**with_key(m, key)) for key in keys]),
}


async def changed(session: AsyncSession, model: Any, keys: list[Any], one: bool) -> None:
    """Write objects that were rows of the class when they were loaded."""
    template = (await session.scalars(select(model))).first()
    objs = []
    for key in keys:
        obj = template.__class__.__new__(type(template))
        for name, value in {**vars(template), "name": "new"}.items():
            is_key = name == "id" or name.endswith("_id")
            setattr(obj, name, key if is_key else value)
        objs.append(obj)
    if one:
        await session.update(objs[0], "name", returning=False)
    else:
        await session.update_all(objs, "name", returning=False)


def classes_of(root: Any) -> list[Any]:
    """The classes of a hierarchy that have rows."""
    return [m.class_ for m in inspect(root).self_and_descendants if m.class_ is not Document]


def rows_of(model: Any) -> tuple[list[int], list[int]]:
    """The keys of rows that are of a class, and of those that are not."""
    root = next(root for root in KEYS if issubclass(model, root))
    mine = [row.id for row in ROWS if isinstance(row, model)]
    return mine, [key for key in KEYS[root] if key not in mine]


def ways_of(model: Any) -> Iterator[tuple[str, Way, bool]]:
    """The ways that a class can be written; whether a way takes several keys."""
    for name, way in {
        **UPDATES,
        **{f"delete {name}": way for name, way in DELETES.items()},
    }.items():
        # an instance of these does not know its discriminator
        if model not in (Shape, Square, Feline) or not ("instance" in name or "loaded" in name):
            yield name, way, "all" in name or name in ("loaded", "statement")


@pytest.mark.parametrize("root", KEYS, ids=lambda m: m.__name__)
async def test_rows_of_other_classes(db: AsyncSessionFactory, root: Any, backend: str) -> None:
    for model in classes_of(root):
        mine, others = rows_of(model)
        for name, way, many in ways_of(model):
            if name == "statement" and backend == "asyncpg":
                continue
            for other in others:
                keys = [*mine, other] if many else [other]
                async with db.begin() as session:
                    before = await contents(session, root)
                    with pytest.raises(RowGone, match=f"primary key {other} is gone"):
                        async with session.begin_nested():
                            await way(session, model, keys)
                    assert await contents(session, root) == before, (name, keys)


@pytest.mark.parametrize("backend", ["asyncpg"], indirect=True)
@pytest.mark.parametrize("root", KEYS, ids=lambda m: m.__name__)
async def test_a_batch_that_tells_nothing_leaves_them_alone(
    db: AsyncSessionFactory, root: Any
) -> None:
    """On asyncpg a list of dictionaries does not tell how many rows it has matched."""
    for model in classes_of(root):
        mine, others = rows_of(model)
        if not others or root in (Document, Task):
            continue
        async with db.begin() as session:
            rows = [{**with_key(model, key), "name": "new"} for key in [*others, *mine]]
            await session.execute(update(model), rows)
            new = select(root.id).where(root.name == "new")
            assert sorted(await session.scalars(new)) == mine, model
            await session.rollback()


@pytest.mark.parametrize("root", KEYS, ids=lambda m: m.__name__)
async def test_rows_of_the_class_and_its_subclasses(db: AsyncSessionFactory, root: Any) -> None:
    for model in classes_of(root):
        mine, others = rows_of(model)
        table = model if root is Document else root
        for name, way, many in ways_of(model):
            async with db.begin() as session:
                await way(session, model, mine)
                done = mine if many else mine[:1]
                if name.startswith("delete"):
                    left = set(await session.scalars(select(table.id)))
                    assert left == ({*mine} | ({*others} if root is not Document else set())) - {
                        *done
                    }
                else:
                    names = await session.scalars(select(table.id).where(table.name == "new"))
                    assert sorted(names) == ([] if name == "nothing by key" else done)
                await session.rollback()


async def test_missing_ok_leaves_rows_of_other_classes(db: AsyncSessionFactory) -> None:
    for root in KEYS:
        for model in classes_of(root):
            mine, others = rows_of(model)
            if root is Document or not others:
                continue
            async with db.begin() as session:
                for other in others:
                    assert await session.delete(model, other, missing_ok=True) is False
                rows = [with_key(model, key) for key in [*others, *mine]]
                assert await session.delete_all(rows, missing_ok=True, model=model) == len(mine)
                assert sorted(await session.scalars(select(root.id))) == others
                await session.rollback()


async def test_keys_that_contradict_each_other(db: AsyncSessionFactory) -> None:
    """The row of the one table and the row of the other are not one row."""
    director = await db.get_one(Director, 4)
    director.manager_id, director.name, director.budget = 5, "new", 9
    for way in (db.update, lambda obj: db.update_all([obj], returning=False)):
        with pytest.raises(RowGone, match="primary key 4 is gone"):
            await way(director)
    assert {m.budget for m in await db.scalars(select(Manager))} == {1}


async def test_an_instance_does_not_change_the_class_of_a_row(db: AsyncSessionFactory) -> None:
    """SQLAlchemy sets the discriminator of a new instance: nobody has said it."""
    stored = await db.update(Person(id=2, name="new"))
    assert (stored.__class__, stored.kind, stored.name) == (Engineer, "engineer", "new")
    await db.update_all([Animal(id=2, name="new"), Animal(id=3)], returning=False)
    assert [(type(a), a.name) for a in await db.scalars(select(Cat))] != []
    assert (await db.get_one(Cat, 2)).name == "new"
    animal = await db.get_one(Animal, 1)
    animal.kind = "dog"
    await db.update(animal)
    assert (await db.get_one(Dog, 1)).name == "a"
    # what comes back is no Cat: the error is that of the ORM
    with pytest.raises(InvalidRequestError, match="not a sub-mapper of the requested Cat"):
        await db.update({"id": 2, "kind": "dog", "name": "x"}, model=Cat)
    await db.update(Cat, 2, kind="dog", returning=False)
    assert (await db.get_one(Dog, 2)).name == "new"


async def test_rows_of_which_nothing_is_stored(db: AsyncSessionFactory) -> None:
    """They are looked at by update_all(); a statement has no UPDATE for them, as in the ORM."""
    for model in (Person, Manager, Cat):
        rows = [{"id": 99}, {"id": 3 if model is not Cat else 2, "name": "new"}]
        with pytest.raises(RowGone, match="primary key 99 is gone"):
            await db.update_all(rows, model=model, returning=False)
        result = await db.execute(update(model), [{"id": 99}, {"id": 98}])
        assert result.rowcount == 0
        await db.execute(update(model), rows)
        assert (await db.get_one(model, rows[1]["id"])).name == "new"
