"""Writing by object: columns and inputs that are out of the ordinary."""

from __future__ import annotations

import dataclasses

import pytest
from sqlalchemy import (
    Computed,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    func,
    null,
    select,
    update,
)
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, load_only, mapped_column
from sqlalchemy.orm.exc import StaleDataError

from naked_sqla import AsyncSessionFactory, InvalidStatement


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "odd_items"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(unique=True)
    price: Mapped[int | None]
    double: Mapped[int | None] = mapped_column(Computed("price * 2"))
    code: Mapped[str | None] = mapped_column(unique=True, deferred=True)
    note: Mapped[str | None] = mapped_column(deferred=True)


class Setting(Base):
    """A unique constraint of which defaults fill a part."""

    __tablename__ = "odd_settings"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(20), default="main")
    region: Mapped[str] = mapped_column(String(20), server_default="eu")
    name: Mapped[str]
    value: Mapped[str | None]
    __table_args__ = (
        UniqueConstraint("tenant", "name"),
        UniqueConstraint("region", "name"),
    )


class Slot(Base):
    """Unique with NULL as a value like another, on PostgreSQL; there by an index, too."""

    __tablename__ = "odd_slots"

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[int | None]
    room: Mapped[str | None]
    seat: Mapped[int | None]
    kind: Mapped[str | None] = mapped_column(server_default="k")
    note: Mapped[str | None]
    __table_args__ = (
        UniqueConstraint("day", "room", postgresql_nulls_not_distinct=True),
        Index("odd_seats", "seat", unique=True, postgresql_nulls_not_distinct=True),
        UniqueConstraint("kind", "day", postgresql_nulls_not_distinct=True),
    )


class Counter(Base):
    __tablename__ = "odd_counters"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    version: Mapped[int] = mapped_column()
    seen: Mapped[int | None] = mapped_column(
        onupdate=lambda context: context.get_current_parameters()["version"]
    )
    __mapper_args__ = {"version_id_col": version}


class Worker(Base):
    __tablename__ = "odd_workers"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "worker"}


class Chief(Worker):
    __tablename__ = "odd_chiefs"

    chief_id: Mapped[int] = mapped_column(ForeignKey(Worker.id), primary_key=True)
    __mapper_args__ = {"polymorphic_identity": "chief"}


class TopChief(Chief):
    __tablename__ = "odd_top_chiefs"

    top_id: Mapped[int] = mapped_column(ForeignKey(Chief.chief_id), primary_key=True)
    __mapper_args__ = {"polymorphic_identity": "top"}


class Robot(Worker):
    """Has rows of its own."""

    __tablename__ = "odd_robots"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str | None]
    __mapper_args__ = {"concrete": True, "polymorphic_identity": "robot"}


@dataclasses.dataclass
class ItemIn:
    id: int
    price: int
    double: int


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    return AsyncSessionFactory(engine)


async def test_values_that_no_statement_has_loaded(db: AsyncSessionFactory) -> None:
    """update_all() stores what was set on an object, loaded or not, as update() does."""
    await db.insert_all([Item(name="a", price=1), Item(name="b", price=2)])
    query = select(Item).options(load_only(Item.price)).order_by(Item.id)
    one, two = (await db.scalars(query)).all()
    one.name, one.price, two.note = "A", 10, "n"
    stored = await db.update_all([one, two])
    assert [(i.name, i.price) for i in stored] == [("A", 10), ("b", 2)]
    assert (await db.scalars(select(Item.note).order_by(Item.id))).all() == [None, "n"]


async def test_computed_columns(db: AsyncSessionFactory) -> None:
    """What the database computes is read, and no part of what an object writes."""
    item = await db.insert(Item(name="a", price=1))
    assert item.double == 2
    item.price = 5
    assert (await db.update(item)).double == 10
    (again,) = await db.update_all([item])
    assert again.double == 10
    again.price = 6
    assert (await db.upsert(again)).double == 12
    assert (await db.update(ItemIn(item.id, 7, 14), model=Item)).double == 14
    await db.delete(again)
    assert (await db.insert(again)).double == 12
    await db.delete(again)
    assert [i.double for i in await db.insert_all([again])] == [12]
    with pytest.raises(InvalidStatement, match="the database computes double"):
        await db.update(again, Item.double)
    with pytest.raises(InvalidStatement, match="the database computes double"):
        await db.update_all([again], "double")


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_copy_leaves_computed_columns_out(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        assert await session.copy_in(Item, [(1, "a", 1, "c", None), (2, "b", 2, "d", "n")]) == 2
        (loaded,) = await session.scalars(select(Item).where(Item.id == 1))
        await session.delete(loaded)
        assert await session.copy_in(Item, [loaded]) == 1
    assert sorted(await db.scalars(select(Item.double))) == [2, 4]


async def test_upsert_of_generated_and_given_keys(db: AsyncSessionFactory) -> None:
    """A row without a key is never the row that another one names."""
    await db.upsert_all([Item(id=1, name="a"), Item(id=2, name="b"), Item(id=1, name="c")])
    await db.execute(Item.__table__.delete())  # type: ignore[attr-defined]
    # on SQLite what would be generated next
    key = 100 if db.engine.dialect.name == "postgresql" else 1
    stored = await db.upsert_all([Item(id=key, name="given"), Item(name="new")])
    assert [i.name for i in stored] == ["given", "new"]
    assert stored[0].id != stored[1].id
    assert sorted(await db.scalars(select(Item.name))) == ["given", "new"]


async def test_upsert_on_a_deferred_column(db: AsyncSessionFactory) -> None:
    first = await db.upsert(Item(name="a", code="x"), on=Item.code)
    again = await db.upsert_all([Item(name="b", code="x"), Item(name="c", code="y")], on="code")
    assert [i.name for i in again] == ["b", "c"]
    assert again[0].id == first.id
    kept = await db.upsert(Item(name="z", code="y"), on="code", update=[])
    assert kept.id == again[1].id


async def test_upsert_by_expressions(db: AsyncSessionFactory) -> None:
    first = await db.insert(Item(name="abc", price=1))
    given = {"name": func.lower("ABC"), "price": 2}
    stored = await db.upsert(given, model=Item, on="name")
    assert (stored.id, stored.price) == (first.id, 2)
    kept = await db.upsert({**given, "price": 3}, model=Item, on="name", update=[])
    assert (kept.id, kept.price) == (first.id, 2)
    rows = [{"name": null(), "price": 4}, {"name": null(), "price": 5}, {**given, "price": 6}]
    stored_all = await db.upsert_all(rows, model=Item, on="name")
    assert [i.price for i in stored_all] == [4, 5, 6]
    key = select(func.max(Item.id)).where(Item.name == "abc").scalar_subquery()
    assert (await db.upsert({"id": key, "price": 7}, model=Item)).price == 7


@pytest.mark.parametrize("left_out", ["tenant", "region"])
async def test_upsert_with_defaults_that_decide(db: AsyncSessionFactory, left_out: str) -> None:
    """A default that is a part of the constraint is a part of what is looked for."""
    on = [left_out, "name"]
    first = await db.upsert(Setting(name="x", value="1"), on=on)
    again = await db.upsert(Setting(name="x", value="2"), on=on)
    assert (again.id, again.value, getattr(again, left_out)) == (
        first.id,
        "2",
        getattr(first, left_out),
    )
    many = [Setting(name="x", value="3"), Setting(name="y", value="4")]
    assert [s.value for s in await db.upsert_all(many, on=on)] == ["3", "4"]
    ignored = Setting(name="x", value="9")
    if left_out == "tenant":
        assert (await db.upsert(ignored, on=on, update=[])).value == "3"
    else:
        with pytest.raises(InvalidStatement, match=r"Give all of \(region, name\)"):
            await db.upsert(ignored, on=on, update=[])


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_upsert_where_nulls_are_not_distinct(db: AsyncSessionFactory) -> None:
    """A NULL that decides is looked for as any value is."""
    first = await db.upsert(Slot(day=1, note="a", seat=1), on=("day", "room"))
    again = await db.upsert(Slot(day=1, note="b"), on=("room", "day"))
    assert (again.id, again.note, again.seat) == (first.id, "b", 1)
    rows = [Slot(day=1, note="c"), Slot(room="r", note="d", seat=2), Slot(day=1, note="e")]
    one, two, three = await db.upsert_all(rows, on=("day", "room"))
    assert [(s.id == first.id, s.note) for s in (one, two, three)] == [
        (True, "c"),
        (False, "d"),
        (True, "e"),
    ]
    rows = [Slot(day=1, note="x"), Slot(room="r"), Slot(room="r", day=2, seat=3, kind=None)]
    kept = await db.upsert_all(rows, on=("day", "room"), update=[])
    assert [(s.id, s.note) for s in kept[:2]] == [(first.id, "e"), (two.id, "d")]
    said = {"day": 1, "room": null(), "note": "f"}
    kept_one = await db.upsert(said, model=Slot, on=("day", "room"), update=[])
    assert (kept_one.id, kept_one.note) == (first.id, "e")

    await db.update(Slot, first.id, seat=None)
    seated = await db.upsert(Slot(seat=None, note="g"), on="seat")
    assert (seated.id, seated.note, seated.day) == (first.id, "g", 1)
    # a default that decides is not NULL
    by_kind = await db.upsert(Slot(day=1, note="h"), on=("kind", "day"))
    assert (by_kind.id, by_kind.kind) == (first.id, "k")
    assert await db.scalar(select(func.count()).select_from(Slot)) == 3


async def test_a_row_changed_twice_from_one_version(db: AsyncSessionFactory) -> None:
    """On every driver: the second change would be lost on one that does not count."""
    one, two = await db.insert_all([Counter(name="a"), Counter(name="b")])
    twin = await db.get_one(Counter, one.id)
    twin.name = "twin"
    rows = [{"id": one.id, "name": n, "version": one.version} for n in ("x", "y")]
    moved = pytest.raises(StaleDataError, match=f"key {one.id} has another version")
    with moved:
        await db.update_all([one, two, twin])
    with moved:
        await db.execute(update(Counter), rows)
    assert (await db.get_one(Counter, one.id)).name == "a"


async def test_onupdate_that_looks_at_the_row(db: AsyncSessionFactory) -> None:
    one = await db.insert(Counter(name="a"))
    with pytest.raises(InvalidStatement, match=r"Counter\.seen looks at the row"):
        await db.upsert(Counter(id=one.id, name="b"))
    assert (await db.upsert(Counter(id=one.id, name="b", seen=9))).seen == 9


async def test_keys_that_are_no_keys(db: AsyncSessionFactory) -> None:
    for call in (
        lambda: db.delete(Item, [[1]]),
        lambda: db.update(Item, [[1]], name="x"),
        lambda: db.delete(Item, {"id": [1]}),
        lambda: db.delete_all([{"id": [1]}], model=Item),
    ):
        with pytest.raises(InvalidRequestError, match="primary key"):
            await call()


async def test_delete_by_the_base_class(db: AsyncSessionFactory) -> None:
    """No part of the row stays in the table of a subclass, checked by foreign keys or not."""
    await db.insert(Robot(id=1))
    for model in (Worker, Chief, TopChief):
        first, second, third = await db.insert_all([TopChief(), Chief(), Worker()])
        assert await db.delete(model, first.id)
        if model is Worker:
            keys = [{"id": second.id}, {"id": third.id}]
            assert await db.delete_all(keys, model=Worker) == 2
        else:
            await db.delete_all([second, third])
        for part in (Worker, Chief, TopChief):
            count = select(func.count()).select_from(part.__table__)
            assert await db.scalar(count) == 0, part
    assert await db.get(Robot, 1) is not None


async def test_a_concrete_class_below_a_polymorphic_one(db: AsyncSessionFactory) -> None:
    await db.insert_all([Worker(), Chief(), Robot()])
    assert [w.kind for w in await db.scalars(select(Worker).order_by(Worker.id))] == [
        "worker",
        "chief",
    ]
