"""A session on several databases: where statements go, and how they all end together."""

# ruff: noqa: PT012

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    URL,
    Engine,
    ForeignKey,
    create_engine,
    event,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    ConcurrentSessionUse,
    InvalidBind,
    InvalidSessionState,
    PartialCommit,
    SessionFactory,
    TransactionRolledBack,
)

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere
from .._postgres import own_schema, url_in_schema

on_postgres = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
only_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user_"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    # looked at when the transaction is committed, so that the COMMIT itself fails
    boss_id: Mapped[int | None] = mapped_column(
        ForeignKey("user_.id", deferrable=True, initially="DEFERRED")
    )


class Logs(DeclarativeBase):
    __bind_key__ = "logs"


class Entry(Logs):
    __tablename__ = "entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(unique=True)
    before_id: Mapped[int | None] = mapped_column(
        ForeignKey("entry.id", deferrable=True, initially="DEFERRED")
    )
    lines: Mapped[list[Line]] = relationship()


class Line(Logs):
    __tablename__ = "line"

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("entry.id"))


@dataclass
class Text:
    text: str


@pytest.fixture
async def other(
    backend: str, request: pytest.FixtureRequest, tmp_path: Any
) -> AsyncIterator[AsyncEngine]:
    """A second database of the same kind."""
    if backend == "sqlite":
        url = URL.create("sqlite+aiosqlite", database=str(tmp_path / "logs.sqlite"))
        engine = create_async_engine(url)
        yield engine
        await engine.dispose()
        return
    server = request.getfixturevalue("postgres_server")
    with own_schema(server) as schema:
        engine = create_async_engine(url_in_schema(server, backend, schema))
        yield engine
        await engine.dispose()


async def create(engine: AsyncEngine, other: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    async with other.begin() as conn:
        await conn.run_sync(Logs.metadata.create_all)


@pytest.fixture
async def db(engine: AsyncEngine, other: AsyncEngine) -> AsyncSessionFactory:
    await create(engine, other)
    return AsyncSessionFactory(engine, binds={"logs": other})


async def stored(db: AsyncSessionFactory) -> tuple[list[str], list[str]]:
    users = await db.scalars(select(User.name).order_by(User.id))
    entries = await db.scalars(select(Entry.text).order_by(Entry.id))
    return list(users), list(entries)


def out(*engines: AsyncEngine) -> list[int]:
    return [engine.pool.checkedout() for engine in engines]  # type: ignore[attr-defined]


async def write_both(session: AsyncSession) -> None:
    await session.execute(insert(User), {"name": "ada"})
    await session.execute(insert(Entry), {"text": "one"})


# ---------------------------------------------------------------- where statements go


async def test_each_statement_goes_to_its_database(
    db: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine
) -> None:
    async with db.begin() as session:
        assert out(engine, other) == [0, 0]
        await session.execute(insert(Entry), {"text": "one"})
        assert out(engine, other) == [0, 1]
        await session.execute(insert(User), {"name": "ada"})
        await session.execute(insert(Line), {"entry_id": 1})
        assert out(engine, other) == [1, 1]
        assert (await session.get_one(Entry, 1)).text == "one"
        assert (await session.scalars(select(User))).one().name == "ada"
        entry = (await session.scalars(select(Entry).options(selectinload(Entry.lines)))).one()
        assert [line.id for line in entry.lines] == [1]
        again = await session.get_one(Entry, 1)
        await session.preload(again, Entry.lines)
        assert len(again.lines) == 1
        async with session.stream_scalars(select(Entry)) as entries:
            assert [entry.text async for entry in entries] == ["one"]
        assert (await session.into(Text, select(Entry.text))).all() == [Text("one")]
        count = text("SELECT count(*) FROM entry")
        assert await session.scalar(count, execution_options={"bind_key": "logs"}) == 1
        assert await session.scalar(count.execution_options(bind_key="logs")) == 1
        assert await session.scalar(text("SELECT count(*) FROM user_")) == 1
        assert session.in_transaction()
        assert db.current_session() is session
        assert repr(session).endswith("Session open>")
    assert out(engine, other) == [0, 0]
    assert await stored(db) == (["ada"], ["one"])
    with pytest.raises(InvalidSessionState, match="closed session"):
        await session.scalars(select(Entry))


async def test_one_call(db: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine) -> None:
    await db.execute(insert(Entry), {"text": "one"})
    entry = await db.get_one(Entry, 1)
    assert entry.text == "one"
    await db.execute(insert(Line), {"entry_id": 1})
    await db.preload(entry, Entry.lines)
    assert len(entry.lines) == 1
    count = text("SELECT count(*) FROM entry")
    assert await db.scalar(count, execution_options={"bind_key": "logs"}) == 1
    with pytest.raises(InvalidBind, match="spans"):
        await db.scalars(select(User, Entry))
    assert out(engine, other) == [0, 0]


async def test_which_engine_it_is(
    db: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine
) -> None:
    async with db.begin() as session:
        for where in (db, session):
            assert where.get_bind() is engine
            assert where.get_bind(Entry) is other
            assert where.get_bind(mapper=Entry.__mapper__) is other
            assert where.get_bind(clause=select(Line.id)) is other
            assert where.get_bind(clause=Entry.__table__) is other
            assert where.get_bind(User, select(User)) is engine
            with pytest.raises(InvalidBind):
                where.get_bind(User, select(Entry))
        assert out(engine, other) == [0, 0]


async def test_the_connections(
    db: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine
) -> None:
    async with db.begin() as session:
        with pytest.raises(InvalidSessionState, match=r"await session.connection\(\)"):
            _ = session.conn
        conn = await session.connection("logs")
        assert conn.engine is other
        await conn.execute(insert(Entry).values(text="one"))
        assert out(engine, other) == [0, 1]
        assert (await session.connection()).engine is engine
        assert session.conn.sync_connection is (await session.connection()).sync_connection
        with pytest.raises(InvalidBind, match="'nowhere'"):
            await session.connection("nowhere")
    assert await stored(db) == ([], ["one"])
    with pytest.raises(InvalidSessionState, match=r"connection\(\) on a closed session"):
        await session.connection("logs")


async def test_what_spans_two_is_not_sent(
    db: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine
) -> None:
    async with db.begin() as session:
        for call in (session.execute, session.scalars, session.stream):
            with pytest.raises(InvalidBind, match="table 'user_' in the default database"):
                await call(select(User, Entry))
        assert out(engine, other) == [0, 0]
        await write_both(session)
    assert await stored(db) == (["ada"], ["one"])


@only_sqlite
async def test_without_binds_there_is_nothing_to_choose(engine: AsyncEngine) -> None:
    await create(engine, engine)
    db = AsyncSessionFactory(engine)
    await db.execute(insert(Entry), {"text": "one"})
    named = text("SELECT 1").execution_options(bind_key="logs")
    async with db.begin() as session:
        assert session.get_bind(Entry) is engine
        assert db.get_bind(Entry) is engine
        assert (await session.scalars(select(Entry))).one().text == "one"
        with pytest.raises(InvalidBind, match=r"bind_key='logs'"):
            await session.connection("logs")
        # silence would read another database than the one that was asked for
        for where in (session, db):
            for call in (
                where.scalar(named),
                where.scalar(select(Entry), execution_options={"bind_key": "logs"}),
                where.into(dict, select(Entry.id), execution_options={"bind_key": "logs"}),
                where.get(Entry, 1, execution_options={"bind_key": "logs"}),
            ):
                with pytest.raises(InvalidBind, match=r"binds=\{'logs': engine\}"):
                    await call
    with pytest.raises(InvalidBind, match=r"binds=\{'logs': engine\}"):
        db.begin(bind_key="logs")


def test_wrong_arguments() -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    for binds in (
        [engine],
        {"logs": "sqlite://"},
        {1: engine},
        {"logs": create_engine("sqlite://")},
    ):
        with pytest.raises(TypeError, match=r"binds=...\) takes"):
            AsyncSessionFactory(engine, binds=binds)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"two_phase=...\) takes True or False"):
        AsyncSessionFactory(engine, two_phase="yes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the default database is sqlite"):
        AsyncSessionFactory(engine, binds={"logs": engine}, two_phase=True)
    postgres = create_async_engine("postgresql+asyncpg://")
    with pytest.raises(ValueError, match="the database 'logs' is sqlite"):
        AsyncSessionFactory(postgres, binds={"logs": engine}, two_phase=True)


async def test_what_writes_by_object_and_pages(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        stored_entry = await session.insert(Entry(text="one"))
        await session.insert_all(Entry(text=f"more {n}") for n in range(3))
        await session.insert(User(name="ada"))
        page = await session.paginate(select(Entry).order_by(Entry.id), per_page=2)
        assert [entry.text for entry in page.items] == ["one", "more 0"]
        assert page.total == 4
        following = await page.next()
        assert len(following.items) == 2
        await session.update(Entry, stored_entry.id, text="changed")
        with pytest.raises(InvalidBind, match="spans"):
            await session.insert_all([Entry(text="x"), User(name="x")])
    by_key = await db.keyset(select(Entry).order_by(Entry.id), per_page=3)
    assert [entry.text for entry in by_key.items] == ["changed", "more 0", "more 1"]
    await db.delete(Entry, 1)
    reading = db.read()
    assert (await reading.paginate(select(Entry).order_by(Entry.id))).total == 3
    async with db.read() as session:
        for call in (
            session.insert(Entry(text="x")),
            session.delete(Entry, 2),
            session.update(Entry, 2, text="x"),
            session.insert_all([Entry(text="x")]),
        ):
            with pytest.raises(InvalidSessionState, match="only reads"):
                await call
        assert (await session.keyset(select(Entry).order_by(Entry.id))).has_next is False


# ---------------------------------------------------------------- how they end


async def test_an_exception_rolls_all_back(
    db: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine
) -> None:
    with pytest.raises(KeyError):
        async with db.begin() as session:
            await write_both(session)
            raise KeyError
    assert await stored(db) == ([], [])
    assert out(engine, other) == [0, 0]


@pytest.mark.parametrize("how", ["commit", "rollback"])
async def test_by_hand(db: AsyncSessionFactory, how: str) -> None:
    async with db.begin() as session:
        await write_both(session)
        await getattr(session, how)()
        assert session.state == "closed"
        with pytest.raises(InvalidSessionState):
            await session.scalars(select(Entry))
    assert await stored(db) == ((["ada"], ["one"]) if how == "commit" else ([], []))


async def test_without_auto_commit(engine: AsyncEngine, other: AsyncEngine) -> None:
    await create(engine, other)
    db = AsyncSessionFactory(engine, binds={"logs": other}, auto_commit=False)
    async with db.begin() as session:
        await write_both(session)
    assert await stored(db) == ([], [])


async def test_one_that_was_given_up_takes_the_others_with_it(
    db: AsyncSessionFactory, backend: str
) -> None:
    await db.execute(insert(Entry), {"text": "one"})

    async def use() -> None:
        async with db.begin() as session:
            with pytest.raises(IntegrityError):
                await write_both(session)

    if backend == "sqlite":
        # which goes on after a failing statement
        await use()
        assert await stored(db) == (["ada"], ["one"])
        return
    with pytest.raises(TransactionRolledBack):
        await use()
    assert await stored(db) == ([], ["one"])


@on_postgres
async def test_a_commit_that_fails_after_another_was_done(
    db: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine
) -> None:
    with pytest.raises(PartialCommit, match=r"done in the default .* in 'logs'") as e:
        async with db.begin() as session:
            await session.execute(insert(User), {"name": "ada"})
            await session.execute(insert(Entry), {"text": "one", "before_id": 99})
    assert e.value.committed == (None,)
    assert e.value.failed == ("logs",)
    assert isinstance(e.value.__cause__, IntegrityError)
    assert await stored(db) == (["ada"], [])
    assert out(engine, other) == [0, 0]


@on_postgres
async def test_the_first_commit_that_fails_leaves_nothing(
    db: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine
) -> None:
    with pytest.raises(IntegrityError):
        async with db.begin() as session:
            await session.execute(insert(User), {"name": "ada", "boss_id": 99})
            await session.execute(insert(Entry), {"text": "one"})
    assert await stored(db) == ([], [])
    assert out(engine, other) == [0, 0]


@on_postgres
async def test_a_rollback_that_fails_does_not_keep_the_others(
    db: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine
) -> None:
    with pytest.raises(KeyError):
        async with db.begin() as session:
            await write_both(session)
            backend = await session.scalar(select(func.pg_backend_pid()))
            await db.scalar(text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})
            raise KeyError
    await other.dispose()
    await engine.dispose()
    assert await stored(db) == ([], [])
    assert out(engine, other) == [0, 0]


# ---------------------------------------------------------------- savepoints


async def test_a_savepoint_is_set_in_all_of_them(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await write_both(session)
        with pytest.raises(KeyError):
            async with session.begin_nested():
                await session.execute(insert(User), {"name": "bob"})
                await session.execute(insert(Entry), {"text": "two"})
                raise KeyError
        async with session.begin_nested():
            await session.execute(insert(User), {"name": "cleo"})
            await session.execute(insert(Entry), {"text": "three"})
    assert await stored(db) == (["ada", "cleo"], ["one", "three"])


async def test_a_database_that_is_opened_inside_goes_back_with_it(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        with pytest.raises(KeyError):
            async with session.begin_nested():
                await session.execute(insert(User), {"name": "ada"})
                async with session.begin_nested():
                    await session.execute(insert(Entry), {"text": "one"})
                await session.execute(insert(Entry), {"text": "two"})
                raise KeyError
        await session.execute(insert(Entry), {"text": "three"})
    assert await stored(db) == ([], ["three"])


@on_postgres
async def test_an_error_swallowed_in_a_savepoint_takes_all_of_it_back(
    db: AsyncSessionFactory,
) -> None:
    async with db.begin() as session:
        await write_both(session)
        with pytest.raises(TransactionRolledBack, match="nothing since the savepoint"):
            async with session.begin_nested():
                await session.execute(insert(User), {"name": "bob"})
                with pytest.raises(IntegrityError):
                    await session.execute(insert(Entry), {"text": "one"})
        await session.execute(insert(Entry), {"text": "two"})
    assert await stored(db) == (["ada"], ["one", "two"])


# ---------------------------------------------------------------- guard, options, turns


async def test_a_second_task_is_told_so_whatever_database_it_asks(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        outcomes = await asyncio.gather(
            session.scalars(select(User)), session.scalars(select(Entry)), return_exceptions=True
        )
        assert isinstance(outcomes[1], ConcurrentSessionUse)
        assert (await session.scalars(select(Entry))).all() == []


@on_postgres
async def test_options_hold_in_all_of_them(db: AsyncSessionFactory) -> None:
    show = text("SHOW transaction_isolation")
    async with db.begin(isolation_level="SERIALIZABLE") as session:
        assert await session.scalar(show) == "serializable"
        assert await session.scalar(show.execution_options(bind_key="logs")) == "serializable"


@only_sqlite
async def test_an_engine_in_autocommit(engine: AsyncEngine, other: AsyncEngine) -> None:
    await create(engine, other)
    auto = other.execution_options(isolation_level="AUTOCOMMIT")
    db = AsyncSessionFactory(engine, binds={"logs": auto})
    async with db.begin() as session:
        await session.execute(insert(User), {"name": "ada"})
        with pytest.raises(InvalidSessionState, match="AUTOCOMMIT"):
            await session.execute(insert(Entry), {"text": "one"})


async def test_in_memory_databases_take_turns() -> None:
    engine, other = (create_async_engine("sqlite+aiosqlite://") for _ in range(2))
    await create(engine, other)
    db = AsyncSessionFactory(engine, binds={"logs": other})

    async def use(n: int) -> None:
        async with db.begin() as session:
            await session.execute(insert(User), {"name": f"user {n}"})
            await session.execute(insert(Entry), {"text": f"entry {n}"})

    async with asyncio.timeout(20):
        await asyncio.gather(*map(use, range(5)))
    users, entries = await stored(db)
    assert len(users) == len(entries) == 5
    await engine.dispose()
    await other.dispose()


async def test_reading(db: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine) -> None:
    async with db.begin() as session:
        await write_both(session)
    with_reader = AsyncSessionFactory(engine, binds={"logs": other}, reader=engine)
    for reader in (db, with_reader):
        async with reader.read() as session:
            assert (await session.scalars(select(Entry))).one().text == "one"
            assert (await session.scalars(select(User))).one().name == "ada"
            with pytest.raises(InvalidSessionState, match="only reads"):
                await session.execute(insert(Entry), {"text": "two"})
            with pytest.raises(DBAPIError, match=r"read-?\s?only"):
                await (await session.connection("logs")).execute(insert(Entry).values(text="two"))
        assert (await reader.read().scalars(select(Entry))).one().text == "one"
    await db.execute(insert(Entry), {"text": "two"})
    assert await stored(db) == (["ada"], ["one", "two"])


# ---------------------------------------------------------------- cancellation


async def both(session: AsyncSession) -> None:
    await write_both(session)
    await session.scalars(select(Entry))


async def nested(session: AsyncSession) -> None:
    await session.execute(insert(User), {"name": "ada"})
    async with session.begin_nested():
        await session.execute(insert(Entry), {"text": "one"})


@pytest.mark.parametrize("body", [both, nested])
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_a_cancelled_block_leaves_nothing_behind(
    engine: AsyncEngine, other: AsyncEngine, kind: Kind, moment: Moment, body: Any
) -> None:
    engines = [
        create_async_engine(one.url, pool_size=1, max_overflow=0, pool_timeout=5)
        for one in (engine, other)
    ]
    await create(*engines)
    db = AsyncSessionFactory(engines[0], binds={"logs": engines[1]})

    async def use() -> None:
        async with db.begin() as session:
            await body(session)

    async def check(run: Run) -> None:
        where = f"after point {run.point}"
        assert out(*engines) == [0, 0], where
        users, entries = await stored(db)
        if not run.cancelled:
            assert (users, entries) == (["ada"], ["one"]), where
        async with db.begin() as session:
            # would wait for whoever still holds a lock
            await session.execute(User.__table__.delete())  # type: ignore[attr-defined]
            await session.execute(Entry.__table__.delete())  # type: ignore[attr-defined]

    assert await cancelled_everywhere(use, kind, moment, check) > 3
    for one in engines:
        await one.dispose()


# ---------------------------------------------------------------- two phases


@pytest.fixture
async def prepared(engine: AsyncEngine, other: AsyncEngine) -> AsyncSessionFactory:
    await create(engine, other)
    return AsyncSessionFactory(engine, binds={"logs": other}, two_phase=True)


async def left_over(db: AsyncSessionFactory) -> int:
    """How many transactions are prepared in the schemas' database, and were not ended."""
    found = await db.scalar(text("SELECT count(*) FROM pg_prepared_xacts"))
    return int(found)


@on_postgres
async def test_two_phases(
    prepared: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine
) -> None:
    seen: list[str] = []
    for one in (engine, other):
        event.listen(
            one.sync_engine, "before_cursor_execute", lambda c, k, sql, *_: seen.append(sql)
        )
    async with prepared.begin() as session:
        await write_both(session)
        seen.clear()
    ends = ["PREPARE TRANSACTION "] * 2 + ["COMMIT PREPARED "] * 2
    number = "SELECT CAST(txid_current() AS text)"
    # which server it is, is asked once for each connection, and never at the others
    identity, *savepoint = [sql for sql in seen if "pg_control_system" in sql or "SAVEPOINT" in sql]
    assert (len(savepoint), "SAVEPOINT" in identity) == (2, True)
    found = [sql.split("'")[0] for sql in seen if sql not in (identity, *savepoint)]
    assert found == [number, number, *ends]
    assert await stored(prepared) == (["ada"], ["one"])
    assert await left_over(prepared) == 0
    async with prepared.begin() as session:
        await session.execute(update(User).values(boss_id=None))
        await session.execute(update(Entry).values(before_id=None))
        seen.clear()
    assert [sql.split("'")[0] for sql in seen] == [number, number, *ends]
    # the pooled connections are as they were: not in AUTOCOMMIT
    with pytest.raises(KeyError):
        async with prepared.begin() as session:
            await session.execute(insert(User), {"name": "bob"})
            await session.execute(insert(Entry), {"text": "two"})
            raise KeyError
    seen.clear()
    async with prepared.begin() as session:
        await session.execute(insert(User), {"name": "cleo"})
    assert not any("PREPARE" in sql for sql in seen)
    assert await stored(prepared) == (["ada", "cleo"], ["one"])


@on_postgres
@pytest.mark.parametrize("at", [0, 1])
async def test_one_that_can_not_prepare(
    prepared: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine, at: int
) -> None:
    with pytest.raises(IntegrityError):
        async with prepared.begin() as session:
            await session.execute(insert(User), {"name": "ada", "boss_id": [99, None][at]})
            await session.execute(insert(Entry), {"text": "one", "before_id": [None, 99][at]})
    assert await stored(prepared) == ([], [])
    assert await left_over(prepared) == 0
    assert out(engine, other) == [0, 0]


@on_postgres
async def test_a_connection_that_is_lost_between_the_phases(
    prepared: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine
) -> None:
    """What was prepared is committed through another connection."""
    async with prepared.begin() as session:
        await write_both(session)
        raw = (await (await session.connection("logs")).get_raw_connection()).driver_connection
        killed: list[str] = []

        def cut(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
            if sql.startswith("COMMIT PREPARED") and not killed:
                killed.append(sql)
                close(raw)

        event.listen(other.sync_engine, "before_cursor_execute", cut)
    assert len(killed) == 1
    assert await stored(prepared) == (["ada"], ["one"])
    assert await left_over(prepared) == 0


def close(raw: Any) -> None:
    """Cut a driver's connection, as a network does."""
    if hasattr(raw, "terminate"):
        raw.terminate()
    else:
        raw.pgconn.finish()


@on_postgres
async def test_what_somebody_else_has_ended(
    prepared: AsyncSessionFactory, engine: AsyncEngine, other: AsyncEngine, postgres_url: Any
) -> None:
    admin = create_engine(postgres_url("psycopg"), isolation_level="AUTOCOMMIT")

    def undo(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
        if sql.startswith("COMMIT PREPARED"):
            with admin.connect() as by_hand:
                by_hand.exec_driver_sql(sql.replace("COMMIT", "ROLLBACK"))

    event.listen(other.sync_engine, "before_cursor_execute", undo)
    with pytest.raises(PartialCommit, match="somebody else rolled it back in 'logs'") as caught:
        async with prepared.begin() as session:
            await write_both(session)
    assert caught.value.committed == (None,)
    assert caught.value.failed == ("logs",)
    assert caught.value.prepared == {}
    assert await stored(prepared) == (["ada"], [])
    assert out(engine, other) == [0, 0]
    admin.dispose()


@on_postgres
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_a_commit_in_two_phases_is_not_torn(
    prepared: AsyncSessionFactory,
    engine: AsyncEngine,
    other: AsyncEngine,
    kind: Kind,
    moment: Moment,
) -> None:
    async def use() -> None:
        async with prepared.begin() as session:
            await write_both(session)

    async def check(run: Run) -> None:
        users, entries = await stored(prepared)
        assert len(users) == len(entries), f"after point {run.point}"
        assert await left_over(prepared) == 0, f"after point {run.point}"
        assert out(engine, other) == [0, 0]
        async with prepared.begin() as session:
            await session.execute(User.__table__.delete())  # type: ignore[attr-defined]
            await session.execute(Entry.__table__.delete())  # type: ignore[attr-defined]

    assert await cancelled_everywhere(use, kind, moment, check) > 3


# ---------------------------------------------------------------- synchronous


@pytest.fixture
def sync_other(backend: str, request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    if backend == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path / 'logs.sqlite'}")
        yield engine
        engine.dispose()
        return
    server = request.getfixturevalue("postgres_server")
    with own_schema(server) as schema:
        engine = create_engine(url_in_schema(server, backend, schema))
        yield engine
        engine.dispose()


def test_sync(sync_engine: Engine, sync_other: Engine, backend: str) -> None:
    Base.metadata.create_all(sync_engine)
    Logs.metadata.create_all(sync_other)
    db = SessionFactory(sync_engine, binds={"logs": sync_other}, two_phase=backend != "sqlite")

    def stored() -> tuple[list[str], list[str]]:
        return list(db.scalars(select(User.name))), list(db.scalars(select(Entry.text)))

    with db.begin() as session:
        with pytest.raises(InvalidSessionState, match=r"session.connection\(\)"):
            _ = session.conn
        session.execute(insert(User), {"name": "ada"})
        assert sync_other.pool.checkedout() == 0  # type: ignore[attr-defined]
        with pytest.raises(KeyError), session.begin_nested():
            session.execute(insert(Entry), {"text": "none"})
            raise KeyError
        session.execute(insert(Entry), {"text": "one"})
        assert session.get_bind(Entry) is sync_other
        assert db.get_bind(Entry) is sync_other
        assert session.connection("logs").engine is sync_other
        assert session.conn.engine is sync_engine
        assert session.connection() is session.conn
        assert db.current_session() is session
        with session.stream(select(Entry)) as result:
            assert len(result.all()) == 1
        with pytest.raises(InvalidBind, match="spans"):
            session.execute(select(User, Entry))
        with pytest.raises(InvalidBind, match="'nowhere'"):
            session.connection("nowhere")
    assert stored() == (["ada"], ["one"])
    with pytest.raises(KeyError), db.begin() as session:
        session.execute(insert(User), {"name": "bob"})
        session.execute(insert(Entry), {"text": "two"})
        raise KeyError
    assert stored() == (["ada"], ["one"])
    with db.read() as session:
        assert session.scalars(select(Entry)).one().text == "one"
        with pytest.raises(InvalidSessionState, match="only reads"):
            session.execute(insert(Entry), {"text": "two"})
    assert db.read().scalars(select(Entry)).one().text == "one"
    if backend != "sqlite":
        plain = SessionFactory(sync_engine, binds={"logs": sync_other})
        with pytest.raises(PartialCommit), plain.begin() as session:
            session.execute(insert(User), {"name": "bob"})
            session.execute(insert(Entry), {"text": "two", "before_id": 99})
    for engine in (sync_engine, sync_other):
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


NOT_CONFIGURED = """
from sqlalchemy import Column, ForeignKey, Table, create_engine, insert, select
from sqlalchemy.ext.declarative import AbstractConcreteBase
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from naked_sqla import SessionFactory

class Base(DeclarativeBase):
    pass

class Animal(AbstractConcreteBase, Base):
    pass

class Dog(Animal):
    __tablename__ = "dog"
    __mapper_args__ = {"concrete": True, "polymorphic_identity": "dog"}
    id: Mapped[int] = mapped_column(primary_key=True)

class Event(Base):
    __tablename__ = "event"
    __bind_key__ = "logs"
    id: Mapped[int] = mapped_column(primary_key=True)
    tags: Mapped[list["Tag"]] = relationship(secondary="event_tag")

class Tag(Base):
    __tablename__ = "tag"
    __bind_key__ = "logs"
    id: Mapped[int] = mapped_column(primary_key=True)

pairs = Table(
    "event_tag",
    Base.metadata,
    Column("event_id", ForeignKey("event.id")),
    Column("tag_id", ForeignKey("tag.id")),
)
default, logs = create_engine("sqlite://"), create_engine("sqlite://")
Base.metadata.create_all(logs)
db = SessionFactory(default, binds={"logs": logs})
"""


@pytest.mark.parametrize(
    "call",
    [
        "assert db.execute(select(Event.__table__)).all() == []",
        "assert db.execute(select(pairs)).all() == []",
        "db.execute(insert(Event.__table__), {'id': 1})",
        "assert db.get_bind(clause=pairs) is logs",
        "assert db.get_bind(Event) is logs",
        "assert db.get_bind(Dog) is default",
        "assert db.scalars(select(Event)).all() == []",
        "assert db.get(Event, 1) is None",
    ],
)
def test_models_that_are_not_configured_yet(call: str) -> None:
    """In a fresh process, before anything has configured the mappers."""
    done = subprocess.run(
        [sys.executable, "-c", f"{NOT_CONFIGURED}\n{call}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stderr == ""
