"""``update_all()`` of objects of any origin: what is stored, and by which statements."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import JSON, Connection, ForeignKey, String, event, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import (
    Composite,
    DeclarativeBase,
    Mapped,
    Session,
    composite,
    make_transient_to_detached,
    mapped_column,
    relationship,
)

from naked_sqla import AsyncSessionFactory, RowGone
from naked_sqla.exception import InvalidStatement, UnknownAttribute
from naked_sqla.write.objects import update_all

ticks = itertools.count(1)


class Base(DeclarativeBase):
    pass


@dataclasses.dataclass
class Place:
    x: int | None
    y: int | None


class Thing(Base):
    __tablename__ = "alike_things"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column("the name", String(20), key="label")
    amount: Mapped[int | None]
    data: Mapped[Any] = mapped_column(JSON, nullable=True)
    stamp: Mapped[str | None] = mapped_column(onupdate="stamped")
    tick: Mapped[int | None] = mapped_column(onupdate=lambda: next(ticks) and 7)
    x: Mapped[int | None]
    y: Mapped[int | None]
    place: Composite[Place] = composite(Place, "x", "y")


class Animal(Base):
    __tablename__ = "alike_animals"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str | None]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("alike_owners.id"))
    owner: Mapped[Owner | None] = relationship()

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}


class Dog(Animal):
    bark: Mapped[str | None]

    __mapper_args__ = {"polymorphic_identity": "dog"}


class Owner(Base):
    __tablename__ = "alike_owners"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]


@dataclasses.dataclass
class Held:
    id: int
    name: str
    amount: int


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    await db.insert_all([Owner(id=i, name="o") for i in (1, 2)])
    old = {"name": "old", "amount": 0, "data": [0], "stamp": "old", "tick": 0, "x": 0, "y": 0}
    await db.insert_all([Thing(id=i, **old) for i in range(1, 6)])
    await db.insert_all([Animal(id=i, name="a", owner_id=1) for i in (1, 2)])
    await db.insert_all([Dog(id=i, name="d", bark="w", owner_id=1) for i in (3, 4)])
    return db


@contextmanager
def sent_by(db: AsyncSessionFactory) -> Iterator[list[tuple[str, Any]]]:
    """Collect what the driver gets."""
    sent: list[tuple[str, Any]] = []

    def note(conn: Any, cursor: Any, sql: str, parameters: Any, context: Any, many: bool) -> None:
        sent.append((sql, parameters))

    event.listen(db.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine.sync_engine, "before_cursor_execute", note)


async def tables_after(db: AsyncSessionFactory, work: Callable[[Connection], Any]) -> Any:
    """What lies in the tables after some work, which is undone then."""
    found: dict[str, Any] = {}
    async with db.engine.connect() as conn:
        # begun here, so that the session of the ORM leaves it open
        await conn.begin()
        await conn.run_sync(work)
        for table in Base.metadata.sorted_tables:
            rows = await conn.execute(select(table))
            found[table.name] = sorted(map(repr, rows))
        await conn.rollback()
    return found


def of_rows(model: Any, *rows: dict[str, Any]) -> Callable[[], list[Any]]:
    return lambda: [model(**row) for row in rows]


SHAPES: dict[str, Callable[[], list[Any]]] = {
    "same attributes": of_rows(
        Thing, *({"id": i, "name": f"n{i}", "amount": i} for i in (3, 1, 2))
    ),
    "nulls": of_rows(
        Thing, {"id": 1, "name": None, "amount": 2}, {"id": 2, "name": "b", "amount": None}
    ),
    "another order": of_rows(
        Thing, {"id": 1, "amount": 2, "name": "a"}, {"name": "b", "id": 2, "amount": 3}
    ),
    "other attributes": of_rows(
        Thing, {"id": 1, "name": "a"}, {"id": 2, "amount": 3}, {"id": 3, "amount": 4}
    ),
    "more attributes": of_rows(Thing, {"id": 1, "name": "a"}, {"id": 2, "name": "b", "amount": 3}),
    "json": of_rows(Thing, *({"id": i, "data": {"n": [i]}} for i in (1, 2))),
    "no json": of_rows(Thing, *({"id": i, "data": None} for i in (1, 2))),
    "composite": of_rows(Thing, *({"id": i, "place": Place(i, 9)} for i in (1, 2))),
    "the key alone": of_rows(Thing, {"id": 1}, {"id": 2}),
    "animals": of_rows(Animal, *({"id": i, "name": f"n{i}"} for i in (2, 1))),
    "dogs": of_rows(Dog, *({"id": i, "name": f"n{i}", "bark": "b"} for i in (4, 3))),
    "classes": lambda: [
        Dog(id=3, bark="b"),
        Thing(id=1, name="n"),
        Thing(id=2, name="m"),
        Dog(id=4, name="c"),
    ],
    "foreign keys": of_rows(Animal, *({"id": i, "owner_id": 2} for i in (2, 1))),
    "expressions": lambda: [
        Thing(id=1, name="a", amount=Thing.amount + 5),
        Thing(id=2, name="b", amount=6),
    ],
}


async def test_what_is_stored_is_what_the_orm_stores(db: AsyncSessionFactory) -> None:
    for shape, make in SHAPES.items():

        def by_orm(conn: Connection, make: Any = make) -> None:
            with Session(conn) as session:
                for obj in make():
                    session.merge(obj)
                session.flush()

        expected = await tables_after(db, by_orm)
        for returning in (True, False):
            ours = partial(update_all, objs=make(), returning=returning)
            assert await tables_after(db, ours) == expected, shape


def detached(row: dict[str, Any]) -> Thing:
    """An instance that an ORM session has loaded, and that was changed since."""
    obj = Thing(id=row["id"])
    make_transient_to_detached(obj)
    for name, value in row.items():
        setattr(obj, name, value)
    return obj


async def test_objects_of_any_origin_are_written_by_one_statement(db: AsyncSessionFactory) -> None:
    rows = [{"id": i, "name": f"n{i}", "amount": i * 10} for i in (4, 2, 3)]
    stored = {obj.id: obj for obj in await db.scalars(select(Thing))}
    loaded = [stored[row["id"]] for row in rows]
    for obj, row in zip(loaded, rows, strict=True):
        obj.name, obj.amount = row["name"], row["amount"]
    others = [{"id": row["id"], "label": row["name"], "amount": row["amount"]} for row in rows]
    origins: dict[str, tuple[Any, Any]] = {
        "loaded": (loaded, None),
        "constructed": ([Thing(**row) for row in rows], None),
        "detached": (list(map(detached, rows)), None),
        "dictionaries": (rows, Thing),
        "by names of columns": (others, Thing),
        "dataclasses": ([Held(**row) for row in rows], Thing),
        "a generator": ((Thing(**row) for row in rows), None),
    }
    for fields in ((), (Thing.name, "amount")):
        sent = {}
        for origin, (objs, model) in origins.items():
            if origin in ("loaded", "a generator") and not fields:
                # it has all attributes; it is read once
                continue
            with sent_by(db) as sent[origin]:
                written = await db.update_all(objs, *fields, model=model)
            assert [(obj.id, obj.name, obj.amount, obj.stamp) for obj in written] == [
                (row["id"], row["name"], row["amount"], "stamped") for row in rows
            ]
        (first, *rest) = sent.values()
        assert all(found == first for found in rest), sent
        # nothing is read before
        assert [sql.split()[0] for sql, _ in first if "UPDATE" in sql] == ["UPDATE"]


async def test_objects_with_more_than_their_columns(db: AsyncSessionFactory) -> None:
    """One made without its constructor has one attribute more, and no state; others are related."""
    bare = Thing.__new__(Thing)
    vars(bare).update({"id": 2, "name": "b", "amount": 4})
    made = Thing(id=1, name="a")
    assert len(vars(bare)) == len(vars(made))
    assert [(obj.name, obj.amount) for obj in await db.update_all([made, bare])] == [
        ("a", 0),
        ("b", 4),
    ]

    objs = [Animal(id=i, owner=Owner(id=2)) for i in (1, 2)]
    before = [dict(vars(obj)) for obj in objs]
    assert [obj.owner_id for obj in await db.update_all(objs)] == [2, 2]
    assert [dict(vars(obj)) for obj in objs] == before
    mixed = [Animal(id=1, owner=Owner(id=1)), Animal(id=2, owner_id=1)]
    assert [obj.owner_id for obj in await db.update_all(mixed)] == [1, 1]
    mixed = [Animal(id=1, owner=Owner(id=2), owner_id=1), Animal(id=2, owner_id=1)]
    with pytest.raises(InvalidStatement, match="owner has id 2, and owner_id is 1"):
        await db.update_all(mixed)

    # what an UPDATE does not take from objects makes no statement of its own
    with sent_by(db) as sent:
        objs = [Thing(id=1, name="a", stamp="x"), Thing(id=2, name="b", tick=3)]
        assert await db.update_all(objs, returning=False) == 2
    assert len([sql for sql, _ in sent if sql.startswith("UPDATE")]) == 1

    # the discriminator of the class is what SQLAlchemy gives each instance; another one is stored
    with sent_by(db) as sent:
        await db.update_all([Animal(id=1, name="x"), Animal(id=2, name="y")], returning=False)
    assert not any("kind" in sql.split("WHERE")[0] for sql, _ in sent)
    await db.update_all([Animal(id=1, name="x"), Animal(id=2, name="y", kind="dog")])
    kinds = select(Animal.kind).order_by(Animal.id)
    assert (await db.scalars(kinds)).all() == ["animal", "dog", "dog", "dog"]


async def test_rows_that_are_missing_or_named_twice(db: AsyncSessionFactory) -> None:
    before = await tables_after(db, lambda conn: None)
    for last in (Thing(id=99, name="b"), Thing(id=99, amount=1)):
        with pytest.raises(RowGone, match="98, 99 is gone"):
            await db.update_all([Thing(id=1, name="a"), Thing(id=98, name="b"), last])
        assert await tables_after(db, lambda conn: None) == before

    objs = [Thing(id=1, name="a"), Thing(id=2, name="b"), Thing(id=1, name="c")]
    assert [obj.name for obj in await db.update_all(objs)] == ["c", "b", "c"]


class Default(defaultdict[str, Any]):
    """Makes up what it lacks."""


A = {"id": 1, "name": "a"}
REFUSED: list[tuple[list[Any], tuple[str, ...], type[Exception], str]] = [
    ([Thing(**A), Thing(name="b")], (), InvalidRequestError, "No primary key value"),
    ([Thing(**A), Thing(id=None, name="b")], (), InvalidRequestError, "No primary key value"),
    ([Thing(**A), Thing(id=[2], name="b")], (), InvalidRequestError, "can't be Thing.id"),
    ([Thing(**A), Thing(id=Thing.id + 1, name="b")], (), InvalidStatement, "SQL expression"),
    ([Thing(**A), Animal(name="b")], (), InvalidRequestError, "of Animal"),
    ([Thing(**A), Thing(id=2)], ("name",), UnknownAttribute, "no value for name"),
    ([Thing(**A), Thing(id=2)], ("id",), InvalidStatement, "primary key tells"),
    ([Thing(**A)], ("nam",), UnknownAttribute, "Did you mean 'name'"),
    ([A, Default(str, id=2)], ("name",), UnknownAttribute, "no value for name"),
    ([Default(str, A), Default(str, id=2)], ("name",), UnknownAttribute, "no value for name"),
]


async def test_what_cannot_be_stored_raises_before_anything_is_sent(
    db: AsyncSessionFactory,
) -> None:
    async with db.begin() as session:
        for objs, fields, error, message in REFUSED:
            model = Thing if isinstance(objs[0], dict) else None
            with sent_by(db) as sent, pytest.raises(error, match=message):
                await session.update_all(objs, *fields, model=model)
            assert sent == []
