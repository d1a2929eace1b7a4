"""Generated code against hostile names of columns, attributes, labels and classes.

Each name is written, read and paged through here, and read in the ORM's session: equal results.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Table,
    create_engine,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import load_only, registry
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.elements import quoted_name
from typing_extensions import TypedDict

from naked_sqla import AsyncSessionFactory, InvalidStatement, NotLoadedError

from ..models.hostile import NAMES, SPECIAL, batches


def can_be_said(name: str) -> bool:
    """False for "%(x)s" on SQLAlchemy 2.0.40, which takes it for a parameter of its own."""
    engine = create_engine("sqlite://", poolclass=NullPool)
    with engine.connect() as conn:
        try:
            conn.execute(select(literal(1).label(quoted_name(name, True))))
        except StatementError:
            return False
    return True


SAID = [name for name in NAMES if "%" not in name or can_be_said(name)]
TABLES = batches(SAID)
# SQLAlchemy has no room for the first four; the last marks the classes that the library makes.
REFUSED = {
    *("_sa_instance_state", "_sa_class_manager", "__clause_element__", "__mapper__"),
    "__naked__",
}
ATTRIBUTES = [name for name in NAMES if name not in SPECIAL | REFUSED]


def ids(names: list[str]) -> str:
    return names[0].encode("unicode_escape").decode()


def table_of(*columns: str) -> Table:
    key = Column("the key", Integer, primary_key=True)
    return Table("thing", MetaData(), key, *(Column(name, Integer) for name in columns))


def mapped(table: Table, keys: dict[str, str], name: str = "Thing") -> Any:
    """Map a class that has attributes ``keys``, each with the name of its column."""
    model = type(name, (), {})
    columns = {"the_key": "the key", **keys}
    properties = {key: table.c[column] for key, column in columns.items()}
    registry().map_imperatively(model, table, properties=properties)
    return model


async def created(engine: AsyncEngine, table: Table) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(table.create)


def values_of(obj: Any, keys: list[str]) -> dict[str, Any]:
    return {key: getattr(obj, key) for key in ["the_key", *keys]}


async def check(engine: AsyncEngine, model: Any, keys: list[str]) -> None:
    """Write and read objects of a model in every way."""
    row = {"the_key": 1, **{key: n + 10 for n, key in enumerate(keys)}}
    wanted = [
        row,
        {**row, "the_key": 2, **dict.fromkeys(keys, -1)},
        {**row, "the_key": 3, keys[0]: -3},
        {key: value + 100 for key, value in row.items()},
    ]
    await written(AsyncSessionFactory(engine), model, keys, row)
    ordered = select(model).order_by(model.the_key)
    async with AsyncSession(engine) as orm:
        assert [values_of(one, keys) for one in await orm.scalars(ordered)] == wanted
    await read(AsyncSessionFactory(engine), model, keys, wanted)


async def written(db: AsyncSessionFactory, model: Any, keys: list[str], row: Any) -> None:
    await db.execute(insert(model), row)
    obj = model()
    for key, value in row.items():
        setattr(obj, key, value + 100)
    await db.insert(obj)
    await db.execute(insert(model), [{**row, "the_key": n} for n in (2, 3)])
    await db.update(model, 2, dict.fromkeys(keys, -1))
    await db.execute(update(model).where(model.the_key == 3), {keys[0]: -3})


async def read(db: AsyncSessionFactory, model: Any, keys: list[str], wanted: Any) -> None:
    row = wanted[0]
    found = (await db.scalars(select(model).order_by(model.the_key))).all()
    assert [values_of(one, keys) for one in found] == wanted
    assert values_of(await db.get_one(model, 1), keys) == row
    columns = select(*(getattr(model, key) for key in keys)).where(model.the_key == 1)
    assert list((await db.tuples(columns)).one()) == [row[key] for key in keys]

    for key in (keys[0], keys[len(keys) // 2], keys[-1]):
        pages = select(model).order_by(getattr(model, key), model.the_key)
        first = await db.keyset(pages, per_page=2)
        rest = await db.keyset(pages, per_page=2, after=first.next_cursor)
        in_order = sorted(one[key] for one in wanted)
        assert [getattr(one, key) for one in [*first.items, *rest.items]] == in_order
    page = await db.paginate(select(model).order_by(model.the_key), per_page=3)
    assert [values_of(one, keys) for one in page.items] == wanted[:3]

    half, others = keys[::2], keys[1::2]
    some = select(model).options(load_only(*(getattr(model, key) for key in half)))
    one = (await db.scalars(some.where(model.the_key == 1))).one()
    assert values_of(one, half) == {key: row[key] for key in ["the_key", *half]}
    for key in others:
        with pytest.raises(NotLoadedError):
            getattr(one, key)


def test_there_are_enough() -> None:
    assert len(ATTRIBUTES) >= 500
    assert set(NAMES) - set(SAID) <= {"%(x)s"}
    assert sorted(name for table in TABLES for name in table) == sorted(SAID)


@pytest.mark.parametrize("names", TABLES, ids=ids)
async def test_columns(engine: AsyncEngine, names: list[str]) -> None:
    table = table_of(*(quoted_name(name, True) for name in names))
    await created(engine, table)
    keys = {f"k{n}": name for n, name in enumerate(names)}
    await check(engine, mapped(table, keys), list(keys))


@pytest.mark.parametrize("backend", ["sqlite", "asyncpg"], indirect=True)
@pytest.mark.parametrize("names", batches(ATTRIBUTES), ids=ids)
async def test_attributes(engine: AsyncEngine, names: list[str]) -> None:
    table = table_of(*(f"c{n}" for n in range(len(names))))
    await created(engine, table)
    keys = {name: f"c{n}" for n, name in enumerate(names)}
    await check(engine, mapped(table, keys), list(keys))


@pytest.mark.parametrize("names", TABLES, ids=ids)
async def test_labels(engine: AsyncEngine, names: list[str]) -> None:
    db = AsyncSessionFactory(engine)
    labels = (literal(n).label(quoted_name(name, True)) for n, name in enumerate(names))
    statement, expected = select(*labels), {name: n for n, name in enumerate(names)}
    async with engine.connect() as conn:
        assert dict((await conn.execute(statement)).mappings().one()) == expected
    assert dict((await db.execute(statement)).mappings().one()) == expected
    assert list((await db.tuples(statement)).one()) == list(expected.values())
    into: Any = TypedDict("into", dict.fromkeys(names, int))  # type: ignore[misc]
    assert (await db.into(into, statement)).all() == [expected]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_classes(engine: AsyncEngine) -> None:
    """The code is the same on each database."""
    table = table_of("a")
    await created(engine, table)
    async with AsyncSessionFactory(engine).begin() as session:
        await session.execute(insert(table), {"the key": 1, "a": 2})
        for name in NAMES:
            model = mapped(table, {"a": "a"}, name)
            one = (await session.scalars(select(model).options(load_only(model.the_key)))).one()
            assert isinstance(one, model)
            assert (one.the_key, one.__class__.__name__) == (1, name)
            with pytest.raises(NotLoadedError):
                _ = one.a


@pytest.mark.parametrize("name", ["__naked__", "__slots__", "__new__", "__getattribute__"])
async def test_a_name_that_is_not_free_is_refused(engine: AsyncEngine, name: str) -> None:
    """Before any row, with the name of the attribute; columns and statements are as they were."""
    table = table_of("title")
    await created(engine, table)
    model = mapped(table, {name: "title"})
    db = AsyncSessionFactory(engine)
    await db.execute(insert(model), {"the_key": 1, name: 5})
    assert await db.scalar(select(getattr(model, name))) == 5
    refused = pytest.raises(
        InvalidStatement, match=rf"Thing\.{name} is a mapped attribute.* Give the attribute another"
    )
    with refused:
        await db.scalars(select(model))
    with refused:
        await db.scalars(select(model).options(load_only(model.the_key)))
    with refused:
        await db.get(model, 1)
    with refused:
        await db.update(model, 1, {name: 6})
    assert await db.scalar(select(getattr(model, name))) == 5
    if name in ("__new__", "__getattribute__"):
        # no class makes objects with these
        return
    obj = model()
    obj.the_key = 2
    with refused:
        await db.insert(obj)
    with refused:
        await db.insert_all([obj])
    assert (await db.scalars(select(model.the_key))).all() == [1]
