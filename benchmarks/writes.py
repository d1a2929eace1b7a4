"""Scenes of writing many rows: by statement, and by object."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from benchmarks import data
from benchmarks.contenders import BASELINE, Contender, Operation
from benchmarks.models import Entry, Item
from benchmarks.readers import Read, reader
from benchmarks.scenes import Scene, Site, contender
from benchmarks.shapes import STOCK, objects

ROWS = 10_000
BIG = data.entries(ROWS)
OBJECTS = reader("obj", objects(STOCK))
POSITIONS = reader("row", [f"row[{i}]" for i in range(len(STOCK))])
NOTHING = reader("row", [])

_entries, _items = Entry.__table__, Item.__table__


def scenes() -> list[Scene]:
    """The scenes of this module."""
    big: dict[str, Any] = {"writes": "entries", "rounds": 40, "checks": 2}
    amount = f"{ROWS:,}"
    return [
        Scene("bulk_insert", f"insert of {amount} dictionaries", _bulk, **big),
        Scene(
            "bulk_insert_returning",
            f"insert of {amount} dictionaries, RETURNING the entities",
            _bulk_returning,
            **big,
        ),
        Scene("insert_all", f"insert_all() of {amount} instances", _insert_all, **big),
        Scene("update_all", f"update_all() of {data.ROWS} objects", _update_all, writes="items"),
    ]


# ---------------------------------------------------------------- INSERT


def _core(engine: AsyncEngine, statement: Any) -> Operation:
    async def nothing(read: Read, n: int) -> Any:
        async with engine.begin() as conn:
            await conn.execute(statement, BIG)

    async def rows(read: Read, n: int) -> Any:
        async with engine.begin() as conn:
            return read((await conn.execute(statement, BIG)).all())

    return rows if statement.exported_columns else nothing


def _session(begin: Any, statement: Any, returns: bool) -> Operation:
    async def nothing(read: Read, n: int) -> Any:
        async with begin() as session:
            await session.execute(statement, BIG)

    async def entities(read: Read, n: int) -> Any:
        async with begin() as session:
            return read((await session.scalars(statement, BIG)).all())

    return entities if returns else nothing


def _by_statement(site: Site, core: Any, model: Any, returns: bool) -> list[Contender]:
    from naked_sqla import AsyncSessionFactory

    orm = async_sessionmaker(site.engine(), expire_on_commit=False)
    naked = AsyncSessionFactory(site.engine())
    rows, entities = (POSITIONS, OBJECTS) if returns else (NOTHING, NOTHING)
    return [
        contender(BASELINE, "Core", _core(site.engine(), core), rows),
        contender("core_again", "Core, again", _core(site.engine(), core), rows),
        contender("orm", "ORM AsyncSession", _session(orm.begin, model, returns), entities),
        contender("naked", "naked_sqla", _session(naked.begin, model, returns), entities),
    ]


def _bulk(site: Site) -> list[Contender]:
    return _by_statement(site, insert(_entries), insert(Entry), False)


def _bulk_returning(site: Site) -> list[Contender]:
    core, model = insert(_entries).returning(_entries), insert(Entry).returning(Entry)
    return _by_statement(site, core, model, True)


def _insert_all(site: Site) -> list[Contender]:
    from naked_sqla import AsyncSessionFactory

    core = insert(_entries).returning(_entries)
    ordered = insert(_entries).returning(_entries, sort_by_parameter_order=True)
    orm = async_sessionmaker(site.engine(), expire_on_commit=False)
    naked = AsyncSessionFactory(site.engine())
    made: list[Entry] = []

    async def make(n: int) -> None:
        made[:] = [Entry(**row) for row in BIG]

    async def add_all(read: Read, n: int) -> Any:
        async with orm.begin() as session:
            session.add_all(made)
        return read(made)

    async def insert_all(read: Read, n: int) -> Any:
        async with naked.begin() as session:
            return read(await session.insert_all(made))

    found = [
        contender(BASELINE, "Core, RETURNING", _core(site.engine(), core), POSITIONS),
        contender("core_again", "Core, RETURNING, again", _core(site.engine(), core), POSITIONS),
        contender("orm", "ORM AsyncSession, add_all()", add_all, OBJECTS, make),
        contender("naked", "naked_sqla, insert_all()", insert_all, OBJECTS, make),
    ]
    if site.url.get_backend_name() != "sqlite":
        # There it falls back to a statement for each row.
        operation = _core(site.engine(), ordered)
        found.append(contender("core_order", "Core, RETURNING in order", operation, POSITIONS))
    return found


# ---------------------------------------------------------------- UPDATE


def _changed(n: int) -> list[dict[str, Any]]:
    """Other values for each column of each item."""
    return [
        {"id": i, "name": f"item {i}, {n}", "quantity": i + n + 1, "price": (i + n + 1) / 4}
        for i in range(1, data.ROWS + 1)
    ]


def _core_update(site: Site, name: str, title: str) -> Contender:
    engine = site.engine()
    statement = update(_items).where(_items.c.id == bindparam("key"))
    params: list[dict[str, Any]] = []

    async def prepare(n: int) -> None:
        params[:] = [{"key": row.pop("id"), **row} for row in _changed(n)]

    async def operation(read: Read, n: int) -> Any:
        async with engine.begin() as conn:
            await conn.execute(statement, params)

    return contender(name, title, operation, NOTHING, prepare)


def _naked_update(site: Site, name: str, title: str, returning: bool) -> Contender:
    from naked_sqla import AsyncSessionFactory

    db = AsyncSessionFactory(site.engine())
    loaded: list[Item] = []

    async def prepare(n: int) -> None:
        loaded[:] = await db.scalars(select(Item).order_by(Item.id))
        _assign(loaded, n)

    async def operation(read: Read, n: int) -> Any:
        async with db.begin() as session:
            if returning:
                await session.update_all(loaded)
            else:
                await session.update_all(loaded, returning=False)

    return contender(name, title, operation, NOTHING, prepare)


def _assign(items: list[Item], n: int) -> None:
    for obj, row in zip(items, _changed(n), strict=True):
        obj.name, obj.quantity, obj.price = row["name"], row["quantity"], row["price"]


def _orm_update(site: Site) -> Contender:
    make = async_sessionmaker(site.engine(), expire_on_commit=False)
    opened: list[Any] = []

    async def prepare(n: int) -> None:
        session = make()
        opened.append(session)
        _assign(list((await session.scalars(select(Item).order_by(Item.id))).all()), n)

    async def operation(read: Read, n: int) -> Any:
        session = opened.pop()
        await session.commit()
        await session.close()

    return contender("orm", "ORM AsyncSession, a dirty flush", operation, NOTHING, prepare)


def _update_all(site: Site) -> list[Contender]:
    return [
        _core_update(site, BASELINE, "Core, executemany"),
        _core_update(site, "core_again", "Core, executemany, again"),
        _orm_update(site),
        _naked_update(site, "naked_rows", "naked_sqla, update_all()", True),
        _naked_update(site, "naked", "naked_sqla, update_all(returning=False)", False),
    ]
