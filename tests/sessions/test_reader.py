"""``db.read()``: what reads runs, what writes is refused; the connection goes back as it was."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    DDL,
    Engine,
    Sequence,
    delete,
    event,
    func,
    insert,
    literal_column,
    select,
    text,
    union,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateTable

from naked_sqla import AsyncSessionFactory, InvalidSessionState, SessionFactory
from naked_sqla.sessions.calls.write import WriteCall
from naked_sqla.sessions.read_only import writes

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


async def filled(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(insert(Note), [{"text": "one"}, {"text": "two"}])


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    await filled(engine)
    return AsyncSessionFactory(engine)


def sent(engine: AsyncEngine) -> list[str]:
    """The statements that reach the driver from now on."""
    seen: list[str] = []
    event.listen(
        engine.sync_engine,
        "before_cursor_execute",
        lambda c, k, statement, *_: seen.append(statement),
    )
    return seen


# ---------------------------------------------------------------- what is refused

cte = insert(Note).values(text="new").returning(Note.id).cte()

WRITES: list[Any] = [
    insert(Note).values(text="new"),
    update(Note).values(text="new"),
    delete(Note),
    insert(Note).values(text="new").returning(Note),
    select(cte),
    select(Note).from_statement(insert(Note).values(text="new").returning(Note)),
    select(Note).from_statement(text("delete from note returning *")),
    union(select(cte.c.id), select(Note.id)),
    CreateTable(Note.__table__),  # type: ignore[arg-type]
    DDL("CREATE TABLE x (id INTEGER)"),
    Sequence("numbers"),
    text("INSERT INTO note (text) VALUES ('new')"),
    text("  -- a comment\n update note set text = 'new'"),
    text("/* select */ DELETE FROM note"),
    text("WITH gone AS (DELETE FROM note RETURNING id) SELECT * FROM gone"),
    text("with x as (update only note as n set text = '' returning id) select 1"),
    text("SELECT 1; DELETE FROM note"),
    text("SET TRANSACTION READ WRITE"),
    text("PRAGMA query_only = OFF"),
    text("PRAGMA query_only(0)"),
    text("COMMIT"),
    text("TRUNCATE note"),
    text("delete from note returning id").columns(Note.id),
]

READS: list[Any] = [
    select(Note),
    select(func.count()).select_from(Note),
    select(Note).with_for_update(),
    select(literal_column("1")),
    union(select(Note.id), select(Note.id)),
    text("SELECT * FROM note"),
    text("(SELECT 1) UNION (SELECT 2)"),
    text("WITH a AS (SELECT 1) SELECT * FROM a"),
    text("SELECT 'delete from note; drop table note'"),
    text('SELECT 1 AS "insert into"'),
    text("SELECT $x$ ; delete from note $x$"),
    text("-- delete from note\nSELECT 1;"),
    text("SELECT * FROM note FOR UPDATE"),
    text("SELECT updated, deleted, note.update FROM note"),
    text("VALUES (1)"),
    text("EXPLAIN SELECT 1"),
    text("SHOW transaction_read_only"),
    text("PRAGMA table_info(note)"),
    text("select id from note").columns(Note.id),
    select(Note).from_statement(text("select * from note")),
]


@pytest.mark.parametrize("statement", WRITES, ids=str)
def test_what_writes(statement: Any) -> None:
    assert writes(statement)


@pytest.mark.parametrize("statement", READS, ids=str)
def test_what_reads(statement: Any) -> None:
    assert not writes(statement)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("statement", WRITES, ids=str)
async def test_a_write_is_refused_before_it_is_sent(
    db: AsyncSessionFactory, engine: AsyncEngine, statement: Any
) -> None:
    seen = sent(engine)
    async with db.read() as session:
        for call in (session.execute, session.scalars, session.stream):
            with pytest.raises(InvalidSessionState, match="only reads"):
                await call(statement)
        with pytest.raises(InvalidSessionState, match="only reads"):
            await session.into(dict, statement)
    for call in (db.read().execute, db.read().exec):
        with pytest.raises(InvalidSessionState, match="only reads"):
            await call(statement)
    assert seen == []


@pytest.mark.parametrize("backend", ["asyncpg"], indirect=True)
async def test_no_copy(db: AsyncSessionFactory, engine: AsyncEngine) -> None:
    seen = sent(engine)
    async with db.read() as session:
        with pytest.raises(InvalidSessionState, match=r"copy_in\(\) in a session that only reads"):
            await session.copy_in(Note, [{"text": "new"}])
    assert seen == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_call_that_writes_is_refused_by_its_kind(db: AsyncSessionFactory) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("it ran")

    call = WriteCall("insert_all", never, [Note()], (), {}, None)
    with pytest.raises(InvalidSessionState, match=r"insert_all\(\) in a session that only reads"):
        await db.read()._call(call)
    async with db.read() as session:
        with pytest.raises(InvalidSessionState, match=r"insert_all\(\)"):
            await session._call(call)


# ---------------------------------------------------------------- what runs


async def test_it_reads(db: AsyncSessionFactory) -> None:
    async with db.read() as session:
        assert (await session.scalars(select(Note.text).order_by(Note.id))).all() == ["one", "two"]
        assert (await session.get_one(Note, 1)).text == "one"
        assert await session.scalar(text("SELECT count(*) FROM note")) == 2
        async with session.begin_nested():
            assert await session.scalar(select(func.count(Note.id))) == 2
        async with session.stream_scalars(select(Note)) as stream:
            assert len([note async for note in stream]) == 2
        assert db.current_session() is session
    assert session.state == "closed"


async def test_one_call(db: AsyncSessionFactory, engine: AsyncEngine) -> None:
    assert len((await db.read().scalars(select(Note))).all()) == 2
    assert await db.read().scalar(select(func.count(Note.id))) == 2
    found = await db.read().get(Note, 2)
    assert found is not None
    assert found.text == "two"
    assert await db.read().scalar(text("SELECT count(*) FROM note")) == 2
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_a_swallowed_error_is_no_failed_commit(db: AsyncSessionFactory) -> None:
    async with db.read() as session:
        with pytest.raises(DBAPIError):
            await session.execute(text("SELECT * FROM nothing"))


async def test_the_database_refuses_what_can_not_be_seen(
    db: AsyncSessionFactory, backend: str
) -> None:
    async with db.read() as session:
        with pytest.raises(DBAPIError, match=r"read-?\s?only"):
            # no statement of the session's
            await session.conn.execute(insert(Note).values(text="new"))
    if backend != "sqlite":
        async with db.begin() as session:
            await session.execute(text("CREATE SEQUENCE numbers"))
        with pytest.raises(DBAPIError, match="read-only"):
            await db.read().scalar(select(func.nextval("numbers")))
        async with db.read() as session:
            with pytest.raises(DBAPIError, match="read-only"):
                await session.scalar(select(func.nextval("numbers")))
    assert len((await db.scalars(select(Note))).all()) == 2


async def test_options_and_uses(db: AsyncSessionFactory, backend: str) -> None:
    if backend != "sqlite":
        level = await db.read(isolation_level="SERIALIZABLE").scalar(
            text("SHOW transaction_isolation")
        )
        assert level == "serializable"
        async with db.read(isolation_level="REPEATABLE READ") as session:
            assert await session.scalar(text("SHOW transaction_read_only")) == "on"
    reader = db.read()
    async with reader:
        pass
    with pytest.raises(InvalidSessionState, match=r"read\(\) returned was entered a second time"):
        await reader.__aenter__()
    wrong: Any = db.read()
    with pytest.raises(TypeError, match=r"async with db.read\(\) as session"), wrong:
        pass
    with pytest.raises(InvalidSessionState, match="AUTOCOMMIT"):
        async with db.read(isolation_level="AUTOCOMMIT"):
            pass


async def test_on_a_factory_without_auto_commit(engine: AsyncEngine) -> None:
    await filled(engine)
    db = AsyncSessionFactory(engine, auto_commit=False)
    assert await db.read().scalar(text("SELECT count(*) FROM note")) == 2


async def test_the_reader_is_another_engine(engine: AsyncEngine, tmp_path: Any) -> None:
    await filled(engine)
    other = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'other'}")
    async with other.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine, reader=other)
    async with db.read() as session:
        assert (await session.scalars(select(Note))).all() == []
        assert session.get_bind() is other
    assert (await db.read().scalars(select(Note))).all() == []
    assert len((await db.scalars(select(Note))).all()) == 2
    await other.dispose()


def test_the_wrong_reader(sync_engine: Engine) -> None:
    async_engine = create_async_engine("sqlite+aiosqlite://")
    with pytest.raises(TypeError, match=r"reader=...\) takes an AsyncEngine, not an Engine"):
        AsyncSessionFactory(async_engine, reader=sync_engine)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"reader=...\) takes an Engine, not an AsyncEngine"):
        SessionFactory(sync_engine, reader=async_engine)  # type: ignore[arg-type]


def test_sync(sync_engine: Engine) -> None:
    with sync_engine.begin() as conn:
        Base.metadata.create_all(conn)
        conn.execute(insert(Note).values(text="one"))
    db = SessionFactory(sync_engine)
    with db.read() as session:
        assert session.scalars(select(Note)).one().text == "one"
        assert db.current_session() is session
        with pytest.raises(InvalidSessionState, match="only reads"):
            session.execute(delete(Note))
        with pytest.raises(DBAPIError, match=r"read-?\s?only"):
            session.conn.execute(delete(Note))
    assert db.read().scalar(select(func.count(Note.id))) == 1
    assert len(db.read().scalars(select(Note)).all()) == 1
    with pytest.raises(InvalidSessionState, match="only reads"):
        db.read().execute(delete(Note))
    # the same pooled connection writes again
    db.execute(insert(Note).values(text="two"))


# ---------------------------------------------------------------- nothing is left behind


async def _block(db: AsyncSessionFactory) -> None:
    async with db.read() as session:
        await session.scalar(text("SELECT count(*) FROM note"))


async def _call(db: AsyncSessionFactory) -> None:
    await db.read().scalar(text("SELECT count(*) FROM note"))


@pytest.mark.parametrize("use", [_block, _call])
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_a_pooled_connection_writes_again(
    engine: AsyncEngine, kind: Kind, moment: Moment, use: Callable[..., Any]
) -> None:
    single = create_async_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=5)
    await filled(single)
    db = AsyncSessionFactory(single)

    async def check(run: Run) -> None:
        async with db.begin() as session:
            await session.execute(update(Note).values(text=f"after point {run.point}"))

    assert await cancelled_everywhere(lambda: use(db), kind, moment, check) > 0
    await single.dispose()


@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_an_in_memory_database_writes_again(kind: Kind, moment: Moment) -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    await filled(engine)
    db = AsyncSessionFactory(engine)

    async def check(run: Run) -> None:
        await db.execute(update(Note).values(text=f"after point {run.point}"))
        assert len((await db.scalars(select(Note))).all()) == 2

    assert await cancelled_everywhere(lambda: _block(db), kind, moment, check) > 0
    await engine.dispose()


def test_a_block_that_nobody_ended(sync_engine: Engine) -> None:
    """The pool takes the connection back when it is collected, and it writes again."""
    with sync_engine.begin() as conn:
        Base.metadata.create_all(conn)
    db = SessionFactory(sync_engine)
    entered = db.read()
    entered.__enter__()
    del entered
    gc.collect()
    db.execute(insert(Note).values(text="one"))
    assert sync_engine.pool.checkedin() == 1  # type: ignore[attr-defined]
