"""aiosqlite: how often the driver's thread is asked, and that nobody sees a difference."""

from __future__ import annotations

import logging
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import bindparam, delete, event, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import StaticPool

from naked_sqla import AsyncSessionFactory


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/jobs.sqlite")
    await fill(engine)
    yield engine
    await engine.dispose()


async def fill(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(insert(Item), [{"id": n, "name": f"item {n}"} for n in range(5)])


class Jobs(logging.Handler):
    """Counts what the driver's thread is given, which aiosqlite logs."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith("executing"):
            self.done.append(record.getMessage())

    def __enter__(self) -> Jobs:
        log = logging.getLogger("aiosqlite")
        self.before = log.level, log.propagate
        log.setLevel(logging.DEBUG)
        log.propagate = False
        log.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        log = logging.getLogger("aiosqlite")
        log.removeHandler(self)
        log.level, log.propagate = self.before
        log.manager._clear_cache()  # type: ignore[attr-defined]


async def deletes_and_fails(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.execute(delete(Item))
        raise ZeroDivisionError


ONE = select(Item).where(Item.id == bindparam("key"))


async def test_one_job_for_a_statement(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)
    await db.get(Item, 1)
    with Jobs() as jobs:
        assert (await db.scalars(ONE, {"key": 1})).one().name == "item 1"
    assert len(jobs.done) == 1, jobs.done
    with Jobs() as jobs:
        async with db.begin() as session:
            assert (await session.scalars(ONE, {"key": 1})).one().name == "item 1"
            assert (await session.get_one(Item, 2)).name == "item 2"
    # no COMMIT, since SQLite was in no transaction
    assert len(jobs.done) == 2, jobs.done
    with Jobs() as jobs:
        async with db.begin() as session:
            await session.execute(insert(Item), {"id": 10, "name": "ten"})
            await session.execute(update(Item).values(name="10").where(Item.id == 10))
    assert len(jobs.done) == 3, jobs.done
    assert (await db.get_one(Item, 10)).name == "10"
    with Jobs() as jobs, pytest.raises(ZeroDivisionError):
        await deletes_and_fails(db)
    assert len(jobs.done) == 2, jobs.done
    assert len((await db.scalars(select(Item))).all()) == 6


async def test_a_failed_statement_is_rolled_back(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)
    with Jobs() as jobs, pytest.raises(IntegrityError):
        async with db.begin() as session:
            await session.execute(insert(Item), {"id": 1, "name": "again"})
    assert len(jobs.done) == 2, jobs.done
    async with db.begin() as session:
        raw: Any = (await session.conn.get_raw_connection()).driver_connection
        assert not raw.in_transaction


STATEMENTS: list[tuple[Any, Any]] = [
    (select(Item.__table__), None),
    (select(Item.__table__).where(Item.id == -1), None),
    (insert(Item.__table__), {"name": "a"}),
    (insert(Item.__table__), [{"name": "b"}, {"name": "c"}]),
    (insert(Item.__table__).returning(Item.id), {"name": "d"}),
    (insert(Item.__table__).returning(Item.id), [{"name": "e"}, {"name": "f"}]),
    (update(Item.__table__).values(name=Item.name + "x"), None),
    (update(Item.__table__).values(name=Item.name + "x").returning(Item.name), None),
    (update(Item.__table__).where(Item.id == bindparam("k")), [{"k": 1, "name": "z"}]),
    (delete(Item.__table__).where(Item.id > 2), None),
    (text("create table other (id integer)"), None),
    (text("pragma user_version"), None),
]


async def told(conn: AsyncConnection) -> list[Any]:
    """What events and results of Core tell of each statement."""
    seen: list[Any] = []

    def before(_: Any, cursor: Any, statement: str, parameters: Any, *__: Any) -> None:
        seen.append((statement, parameters, cursor.description, cursor.rowcount, cursor.arraysize))

    def after(_: Any, cursor: Any, *__: Any) -> None:
        seen.append((cursor.description, cursor.rowcount, cursor.lastrowid))

    event.listen(conn.sync_connection, "before_cursor_execute", before)
    event.listen(conn.sync_connection, "after_cursor_execute", after)
    for statement, parameters in STATEMENTS:
        result = await conn.execute(statement, parameters)
        seen.append((result.rowcount, getattr(result, "lastrowid", None)))
        seen.append(result.all() if result.returns_rows else None)
        if not result.returns_rows and getattr(statement, "is_insert", False):
            seen.append(result.inserted_primary_key_rows)
    await conn.rollback()
    return seen


async def test_core_sees_no_difference(engine: AsyncEngine) -> None:
    # on new connections: lastrowid is of the last INSERT of the connection
    await engine.dispose()
    async with engine.connect() as conn:
        plain = await told(conn)
    await engine.dispose()
    async with AsyncSessionFactory(engine, auto_commit=False).begin() as session:
        ours = await told(session.conn)
    assert ours == plain


async def test_the_pool_keeps_what_it_had(engine: AsyncEngine) -> None:
    async def kinds(conn: AsyncConnection) -> list[Any]:
        fairy = await conn.get_raw_connection()
        return [type(fairy.dbapi_connection), type(fairy.driver_connection)]

    async with engine.connect() as conn:
        before = await kinds(conn)
    async with AsyncSessionFactory(engine).begin() as session:
        await session.execute(select(Item))
        inside = await kinds(session.conn)
        assert issubclass(inside[0], before[0])
        assert inside[1] is before[1] is aiosqlite.Connection
    async with engine.connect() as conn:
        assert await kinds(conn) == before
        with Jobs() as jobs:
            await conn.execute(text("select 1"))
            await conn.commit()
        assert len(jobs.done) == 5, jobs.done


async def test_a_connection_of_ones_own_is_left_alone(tmp_path: Path) -> None:
    class Own(aiosqlite.Connection):
        pass

    async def create() -> aiosqlite.Connection:
        made = aiosqlite.connect(tmp_path / "own.sqlite")
        made.__class__ = Own
        made._thread.daemon = True
        return await made

    engine = create_async_engine("sqlite+aiosqlite://", async_creator=create)
    async with AsyncSessionFactory(engine).begin() as session:
        with Jobs() as jobs:
            await session.execute(text("select 1"))
        assert len(jobs.done) == 4, jobs.done
    await engine.dispose()


async def test_rows_do_not_outlive_their_use(engine: AsyncEngine) -> None:
    """The driver's thread holds on to its last job."""
    alive: weakref.WeakSet[Any] = weakref.WeakSet()

    class Text:
        def __init__(self, value: bytes) -> None:
            self.value = value
            alive.add(self)

    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        raw: Any = (await session.conn.get_raw_connection()).driver_connection
        raw.text_factory = Text
        found = (await session.execute(select(Item.name))).all()
        assert len(alive) == 5
        del found
        assert len(alive) == 0
        raw.text_factory = str


async def test_streams_and_savepoints(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        await session.execute(insert(Item), {"id": 20, "name": "twenty"})
        async with session.stream_scalars(
            select(Item).order_by(Item.id), execution_options={"yield_per": 2}
        ) as items:
            assert [item.id async for item in items] == [0, 1, 2, 3, 4, 20]
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await session.execute(insert(Item), {"id": 20, "name": "again"})
        await session.execute(insert(Item), {"id": 21, "name": "more"})
    assert len((await db.scalars(select(Item))).all()) == 7


async def test_in_memory() -> None:
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    await fill(engine)
    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        await session.execute(insert(Item), {"id": 20, "name": "twenty"})
    with pytest.raises(ZeroDivisionError):
        await deletes_and_fails(db)
    assert len((await db.scalars(select(Item))).all()) == 6
    await engine.dispose()
