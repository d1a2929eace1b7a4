"""Time limits and settings of a transaction, and what is told when a limit is reached."""

# ruff: noqa: PT012

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    CommitOutcomeUnknown,
    Session,
    SessionFactory,
    TransactionRolledBack,
    TransactionTimeout,
    UnsupportedOption,
)
from naked_sqla.sessions import limits
from naked_sqla.sessions._async.block import AsyncSessionBlock
from naked_sqla.testing import sandbox

from .._proxy import Fault, Proxy, running_proxy

POSTGRES = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "limits_note"

    id: Mapped[int] = mapped_column(primary_key=True)


class Logs(DeclarativeBase):
    __bind_key__ = "logs"


class Entry(Logs):
    __tablename__ = "limits_entry"

    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(insert(Note), {"id": 1})
    return AsyncSessionFactory(engine)


def endless(backend: str) -> Any:
    """A SELECT that does not end by itself."""
    if backend == "sqlite":
        return text(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        )
    return select(func.pg_sleep(60))


def setting(name: str) -> Any:
    return select(func.current_setting(name, True))


async def ids(db: AsyncSessionFactory) -> list[int]:
    return [*(await db.scalars(select(Note.id).order_by(Note.id)))]


def in_use(db: AsyncSessionFactory) -> int:
    pool: Any = db.engine.sync_engine.pool
    return int(pool.checkedout())


# ---------------------------------------------------------------- a statement


async def test_a_statement_that_takes_too_long(db: AsyncSessionFactory, backend: str) -> None:
    with pytest.raises(TransactionTimeout, match=r"statement_timeout of 0\.05 s") as raised:
        async with db.begin(statement_timeout=0.05) as session:
            await session.execute(insert(Note), {"id": 2})
            await session.execute(endless(backend))
    error = raised.value
    assert isinstance(error, TimeoutError)
    assert (error.limit, error.seconds) == ("statement_timeout", 0.05)
    assert error.statement is not None
    assert ("pg_sleep" in error.statement) == (backend != "sqlite")
    assert isinstance(error.__cause__, DBAPIError)
    assert not db.is_retryable(error)
    assert not db.is_connect_error(error)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.limit, again.statement) == (str(error), error.limit, error.statement)
    assert in_use(db) == 0
    assert await ids(db) == [1]


async def test_each_statement_has_its_own_time(db: AsyncSessionFactory, backend: str) -> None:
    pause = text("SELECT 1") if backend == "sqlite" else select(func.pg_sleep(0.06))
    async with db.begin(statement_timeout=0.2) as session:
        for _ in range(5):
            await session.execute(pause)
        await session.execute(insert(Note), {"id": 2})
    assert await ids(db) == [1, 2]


async def test_a_savepoint_saves_the_rest(db: AsyncSessionFactory, backend: str) -> None:
    async with db.begin(statement_timeout=0.05) as session:
        await session.execute(insert(Note), {"id": 2})
        with pytest.raises(TransactionTimeout):
            async with session.begin_nested():
                await session.execute(endless(backend))
        await session.execute(insert(Note), {"id": 3})
    assert await ids(db) == [1, 2, 3]


async def test_a_lock_that_takes_too_long(db: AsyncSessionFactory, engine: AsyncEngine) -> None:
    async with engine.connect() as other:
        await other.execute(insert(Note), {"id": 2})
        with pytest.raises(TransactionTimeout, match=r"lock_timeout of 0\.05 s") as raised:
            async with db.begin(lock_timeout=0.05) as session:
                await session.execute(insert(Note), {"id": 2})
    assert raised.value.limit == "lock_timeout"
    assert raised.value.statement is not None
    assert "INSERT INTO limits_note" in raised.value.statement
    assert db.is_retryable(raised.value)
    assert await ids(db) == [1]


@POSTGRES
async def test_the_same_errors_for_other_reasons(
    db: AsyncSessionFactory, engine: AsyncEngine
) -> None:
    async with engine.connect() as other:
        await other.execute(select(Note.id).with_for_update())
        with pytest.raises(DBAPIError) as raised:
            async with db.begin(lock_timeout=60, statement_timeout=60, timeout=60) as session:
                await session.get_one(Note, 1, with_for_update={"nowait": True})
        assert raised.value.orig.sqlstate == "55P03"  # type: ignore[union-attr]
        with pytest.raises(DBAPIError) as raised:
            async with db.begin(lock_timeout=60, statement_timeout=60, timeout=60) as session:
                await session.scalar(select(func.pg_cancel_backend(func.pg_backend_pid())))
        assert raised.value.orig.sqlstate == "57014"  # type: ignore[union-attr]


@SQLITE
async def test_the_busy_timeout_is_what_it_was(db: AsyncSessionFactory, database_url: URL) -> None:
    engine = create_async_engine(database_url, connect_args={"timeout": 3}, pool_size=1)
    one = AsyncSessionFactory(engine)
    asked = text("PRAGMA busy_timeout")
    async with one.begin(lock_timeout=0.25) as session:
        assert await session.scalar(asked) == 250
    async with one.begin() as session:
        assert await session.scalar(asked) == 3000
    async with one.begin(lock_timeout=4, timeout=0.5) as session:
        assert (await session.scalar(asked) or 0) <= 500
    assert await one.scalar(asked) == 3000
    await engine.dispose()


# ---------------------------------------------------------------- the whole transaction


async def test_a_transaction_that_takes_too_long(db: AsyncSessionFactory, backend: str) -> None:
    with pytest.raises(TransactionTimeout, match=r"the timeout of 0\.1 s") as raised:
        async with db.begin(timeout=0.1) as session:
            await session.execute(insert(Note), {"id": 2})
            await session.execute(endless(backend))
    assert raised.value.limit == "timeout"
    assert not db.is_retryable(raised.value)
    assert raised.value.statement is not None
    assert in_use(db) == 0
    assert await ids(db) == [1]


async def test_a_block_that_waits_for_something_else(db: AsyncSessionFactory) -> None:
    with pytest.raises(TransactionTimeout, match="between two statements") as raised:
        async with db.begin(timeout=0.1) as session:
            await session.execute(insert(Note), {"id": 2})
            await asyncio.Event().wait()
    assert raised.value.statement is None
    assert in_use(db) == 0
    assert await ids(db) == [1]


async def test_a_pool_without_a_connection(db: AsyncSessionFactory, database_url: URL) -> None:
    engine = create_async_engine(database_url, pool_size=1, max_overflow=0)
    small = AsyncSessionFactory(engine, timeout=0.1)
    async with engine.connect():
        with pytest.raises(TransactionTimeout):
            async with small.begin():
                pass
    assert await small.scalar(select(Note.id)) == 1
    await engine.dispose()


async def test_a_swallowed_cancellation_commits_nothing(db: AsyncSessionFactory) -> None:
    with pytest.raises((TransactionTimeout, TransactionRolledBack)):
        async with db.begin(timeout=0.05) as session:
            await session.execute(insert(Note), {"id": 2})
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
    assert await ids(db) == [1]


async def test_the_error_of_the_block_comes_out(db: AsyncSessionFactory) -> None:
    with pytest.raises(KeyError):
        async with db.begin(timeout=60, statement_timeout=60):
            raise KeyError
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


async def test_cancellations_of_others_stay_what_they_are(
    db: AsyncSessionFactory, backend: str
) -> None:
    with pytest.raises(TimeoutError) as raised:
        async with asyncio.timeout(0.1), db.begin(timeout=60, statement_timeout=60) as session:
            await session.execute(endless(backend))
    assert not isinstance(raised.value, TransactionTimeout)

    async def work() -> None:
        async with db.begin(timeout=60) as session:
            started.set()
            await session.execute(endless(backend))

    started = asyncio.Event()
    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert in_use(db) == 0


async def test_after_the_block_nothing_is_cancelled(db: AsyncSessionFactory) -> None:
    async with db.begin(timeout=0.2, statement_timeout=0.1) as session:
        await session.execute(insert(Note), {"id": 2})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await asyncio.Event().wait()
    assert await ids(db) == [1, 2]


async def test_a_stream_that_takes_too_long(db: AsyncSessionFactory, backend: str) -> None:
    many = text("SELECT * FROM limits_note")
    with pytest.raises(TransactionTimeout):
        async with db.begin(timeout=0.1) as session, session.stream(many) as rows:
            async for _ in rows:
                await asyncio.Event().wait()
    assert in_use(db) == 0


# ---------------------------------------------------------------- a server that never answers


@pytest.fixture
def proxy(postgres_server: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.setattr(limits, "GRACE", 0.1)
    with running_proxy(postgres_server) as running:
        yield running


@POSTGRES
@pytest.mark.parametrize("terms", [{"timeout": 0.3}, {"statement_timeout": 0.2}])
@pytest.mark.parametrize("moment", ["begin", "execute", "commit"])
async def test_a_server_that_never_answers(
    db: AsyncSessionFactory, proxy: Proxy, database_url: URL, moment: Any, terms: dict[str, float]
) -> None:
    engine = create_async_engine(proxy.url(database_url))
    far = AsyncSessionFactory(engine)
    assert await far.scalar(select(Note.id)) == 1
    fault = proxy.on(moment, "sent", "hang")
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(Exception) as raised:  # noqa: PT011
        async with far.begin(**terms) as session:
            await session.execute(insert(Note), {"id": 2})
    assert fault.fired
    assert loop.time() - began < 4
    if moment == "commit":
        assert isinstance(raised.value, CommitOutcomeUnknown)
        assert isinstance(raised.value.__cause__, TransactionTimeout)
    else:
        assert isinstance(raised.value, TransactionTimeout)
        assert raised.value.limit == next(iter(terms))
    assert in_use(far) == 0
    fault.release()
    proxy.clear()
    assert await far.scalar(select(Note.id)) == 1
    await engine.dispose()


@POSTGRES
@pytest.mark.parametrize("terms", [{"timeout": 0.3}, {"statement_timeout": 0.2}])
async def test_a_rollback_that_is_never_answered(
    db: AsyncSessionFactory, proxy: Proxy, database_url: URL, terms: dict[str, float]
) -> None:
    engine = create_async_engine(proxy.url(database_url))
    far = AsyncSessionFactory(engine)
    assert await far.scalar(select(Note.id)) == 1
    fault = proxy.on("rollback", "sent", "hang")
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(KeyError):
        async with far.begin(**terms) as session:
            await session.execute(insert(Note), {"id": 2})
            raise KeyError
    assert fault.fired
    assert loop.time() - began < 4
    fault.release()
    proxy.clear()
    assert await ids(far) == [1]
    await engine.dispose()


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
@pytest.mark.parametrize("terms", [{"timeout": 0.3}, {"statement_timeout": 0.2}])
@pytest.mark.parametrize("moment", ["execute", "commit"])
def test_a_server_that_never_answers_a_thread(
    sync_engine: Engine, proxy: Proxy, database_url: URL, moment: Any, terms: dict[str, float]
) -> None:
    with sync_engine.begin() as conn:
        Base.metadata.create_all(conn)
    engine = create_engine(proxy.url(database_url))
    far = SessionFactory(engine)
    assert far.scalar(select(func.count(Note.id))) == 0
    fault = proxy.on(moment, "sent", "hang")
    with pytest.raises((TransactionTimeout, CommitOutcomeUnknown)), far.begin(**terms) as session:
        session.execute(insert(Note), {"id": 2})
    assert fault.fired
    fault.release()
    proxy.clear()
    assert far.scalar(select(Note.id)) in (None, 2)
    engine.dispose()


@POSTGRES
async def test_limits_are_set_with_begin(
    db: AsyncSessionFactory, proxy: Proxy, database_url: URL, backend: str
) -> None:
    engine = create_async_engine(proxy.url(database_url))
    far = AsyncSessionFactory(engine, lock_timeout=5)
    assert await far.scalar(select(Note.id)) == 1
    async with far.begin(statement_timeout=7) as session:
        assert await session.scalar(setting("statement_timeout")) == "7s"
        assert await session.scalar(setting("lock_timeout")) == "5s"
    both = ("begin", "SET LOCAL") if backend == "asyncpg" else ("execute", "set_config")
    fault = proxy.on(both[0], "sent", "cut", containing=both[1])  # type: ignore[arg-type]
    with pytest.raises(DBAPIError) as raised:
        async with far.begin():
            pass
    assert fault.fired
    assert raised.value.connection_invalidated
    proxy.clear()
    assert await far.scalar(select(Note.id)) == 1
    await engine.dispose()


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
async def test_psycopg_does_not_wait_for_begin(
    db: AsyncSessionFactory, proxy: Proxy, database_url: URL
) -> None:
    """The server has limits and settings before the answer to BEGIN is let through."""
    engine = create_async_engine(proxy.url(database_url))
    far = AsyncSessionFactory(engine, lock_timeout=5)
    assert await far.scalar(select(Note.id)) == 1
    begin, given = in_one_round_trip(proxy)

    async def use() -> Any:
        async with far.begin(statement_timeout=7, settings={"app.tenant": "42"}) as session:
            return await session.scalar(setting("app.tenant"))

    task = asyncio.create_task(use())
    await begin.happens()
    await given.happens()
    begin.release()
    assert await task == "42"
    assert (begin.count, given.count) == (1, 1)
    await engine.dispose()


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
def test_psycopg_does_not_wait_for_begin_in_a_thread(
    sync_engine: Engine, proxy: Proxy, database_url: URL
) -> None:
    engine = create_engine(proxy.url(database_url))
    SessionFactory(engine).scalar(select(1))
    begin, given = in_one_round_trip(proxy)
    with ThreadPoolExecutor(1) as pool:
        block = SessionFactory(engine).begin(lock_timeout=5)
        entered = pool.submit(block.__enter__)
        begin.wait()
        given.wait()
        begin.release()
        assert entered.result().scalar(setting("lock_timeout")) == "5s"
        block.__exit__(None, None, None)
    engine.dispose()


@POSTGRES
async def test_begin_is_the_same_with_limits(db: AsyncSessionFactory) -> None:
    for _ in range(2):
        async with db.begin(isolation_level="SERIALIZABLE", lock_timeout=5) as session:
            assert await session.scalar(setting("transaction_isolation")) == "serializable"
            assert await session.scalar(setting("transaction_read_only")) == "off"
        async with db.read(lock_timeout=5) as session:
            assert await session.scalar(setting("transaction_read_only")) == "on"
            assert await session.scalar(setting("lock_timeout")) == "5s"
        async with db.begin(lock_timeout=5) as session:
            assert await session.scalar(setting("transaction_isolation")) == "read committed"
            assert await session.scalar(setting("transaction_read_only")) == "off"
            await session.execute(insert(Note), {"id": 7})
            await session.rollback()
        with pytest.raises(DBAPIError):
            async with db.begin(settings={"no such setting": "1"}):
                pass
        async with db.begin() as session:
            # a transaction, and not AUTOCOMMIT
            await session.execute(insert(Note), {"id": 8})
            await session.rollback()
    assert await ids(db) == [1]


def in_one_round_trip(proxy: Proxy) -> tuple[Fault, Fault]:
    """Hold the answer to BEGIN, and notice that the settings were sent."""
    begin = proxy.on("begin", "answered", "hang")
    given = proxy.on("execute", "sent", "hang", containing="set_config")
    # it is noticed, and goes on
    given.release()
    return begin, given


# ---------------------------------------------------------------- settings


@POSTGRES
async def test_settings_hold_for_one_transaction(
    db: AsyncSessionFactory, database_url: URL
) -> None:
    engine = create_async_engine(database_url, pool_size=1, max_overflow=0)
    one = AsyncSessionFactory(engine)
    hostile = "42'; DROP TABLE limits_note; --"
    async with one.begin(settings={"app.tenant": hostile, "app.user": "ada"}) as session:
        assert await session.scalar(setting("app.tenant")) == hostile
        assert await session.scalar(setting("app.user")) == "ada"
    assert not await one.scalar(setting("app.tenant"))
    async with one.begin() as session:
        assert not await session.scalar(setting("app.tenant"))
    with pytest.raises(DBAPIError):
        async with one.begin(settings={"no such name": "1"}):
            pass
    with pytest.raises(KeyError):
        async with one.begin(settings={"app.tenant": "1"}, statement_timeout=9):
            raise KeyError
    assert not await one.scalar(setting("app.tenant"))
    assert await one.scalar(setting("statement_timeout")) == "0"
    await engine.dispose()


@POSTGRES
async def test_defaults_of_the_factory_hold_for_single_calls(
    db: AsyncSessionFactory, engine: AsyncEngine
) -> None:
    careful = AsyncSessionFactory(
        engine, timeout=30, statement_timeout=5, lock_timeout=1, settings={"app.tenant": "1"}
    )
    assert await careful.scalar(setting("statement_timeout")) == "5s"
    assert await careful.scalar(setting("app.tenant")) == "1"
    assert await careful.read().scalar(setting("lock_timeout")) == "1s"
    async with careful.begin(statement_timeout=0, settings={"app.user": "ada"}) as session:
        assert await session.scalar(setting("lock_timeout")) == "1s"
        assert await session.scalar(setting("app.tenant")) == "1"
        assert await session.scalar(setting("app.user")) == "ada"
    async with careful.read(lock_timeout=2) as session:
        assert await session.scalar(setting("lock_timeout")) == "2s"

    async def work(session: AsyncSession) -> str | None:
        return await session.scalar(setting("lock_timeout"))

    assert await careful.run(work) == "1s"
    assert await careful.run(work, lock_timeout=3) == "3s"


async def test_a_single_call_that_takes_too_long(engine: AsyncEngine, backend: str) -> None:
    with pytest.raises(TransactionTimeout):
        await AsyncSessionFactory(engine, statement_timeout=0.05).execute(endless(backend))
    with pytest.raises(TransactionTimeout):
        await AsyncSessionFactory(engine, timeout=0.05).execute(endless(backend))
    with pytest.raises(TransactionTimeout):
        await AsyncSessionFactory(engine).read(timeout=0.05).execute(endless(backend))


@SQLITE
async def test_what_a_database_has_not_is_refused(engine: AsyncEngine, database_url: URL) -> None:
    db = AsyncSessionFactory(engine)
    for ask in (db.begin, db.read):
        with pytest.raises(UnsupportedOption, match=r"settings=.*sqlite.*nothing was sent"):
            ask(settings={"app.tenant": "42"})
    with pytest.raises(UnsupportedOption, match="settings"):
        AsyncSessionFactory(engine, settings={"app.tenant": "42"})
    with pytest.raises(UnsupportedOption, match="settings"):
        AsyncSessionFactory(
            create_async_engine("postgresql+psycopg://nowhere/"),
            binds={"logs": engine},
            settings={"app.tenant": "42"},
        )
    unknown = create_async_engine("postgresql+psycopg://nowhere/")
    unknown.dialect.name = "unheard_of"
    for term in ("timeout", "statement_timeout", "lock_timeout"):
        with pytest.raises(UnsupportedOption, match=f"{term}=.*unheard_of"):
            AsyncSessionFactory(unknown).begin(**{term: 1})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"timeout": -1}, ValueError),
        ({"timeout": float("inf")}, ValueError),
        ({"statement_timeout": "1"}, TypeError),
        ({"lock_timeout": True}, TypeError),
        ({"settings": "app.tenant"}, TypeError),
        ({"settings": {"app.tenant": 42}}, TypeError),
    ],
)
def test_wrong_terms(terms: dict[str, Any], error: type[Exception]) -> None:
    engine = create_async_engine("postgresql+psycopg://nowhere/")
    (name,) = terms
    with pytest.raises(error, match=rf"begin\({name}=\.\.\.\) takes"):
        AsyncSessionFactory(engine).begin(**terms)
    with pytest.raises(error, match=rf"begin\({name}=\.\.\.\) takes"):
        AsyncSessionFactory(engine, **terms)


def test_nothing_is_done_where_nothing_is_asked_for() -> None:
    engine = create_async_engine("postgresql+psycopg://nowhere/")
    for block in (
        AsyncSessionFactory(engine).begin(),
        AsyncSessionFactory(engine, timeout=1).begin(timeout=0),
    ):
        assert type(block) is AsyncSessionBlock
        assert block._terms is None


# ---------------------------------------------------------------- several databases, sandboxes


async def test_several_databases(db: AsyncSessionFactory, database_url: URL, backend: str) -> None:
    logs = create_async_engine(database_url)
    async with logs.begin() as conn:
        await conn.run_sync(Logs.metadata.create_all)
    both = AsyncSessionFactory(db.engine, binds={"logs": logs}, statement_timeout=0.3)
    with pytest.raises(TransactionTimeout):
        async with both.begin() as session:
            await session.scalar(select(Note.id))
            await session.scalar(select(Entry.id))
            await session.execute(endless(backend), execution_options={"bind_key": "logs"})
    with pytest.raises(TransactionTimeout):
        async with both.begin(timeout=0.1, statement_timeout=0) as session:
            await session.scalar(select(Entry.id))
            await session.scalar(select(Note.id))
            await session.execute(endless(backend), execution_options={"bind_key": "logs"})
    assert await both.scalar(select(Entry.id)) is None
    await logs.dispose()


@POSTGRES
async def test_a_sandbox_keeps_to_terms(db: AsyncSessionFactory) -> None:
    async with sandbox(db) as box:
        async with box.begin(settings={"app.tenant": "1"}, statement_timeout=5) as session:
            assert await session.scalar(setting("app.tenant")) == "1"
            assert await session.scalar(setting("statement_timeout")) == "5s"
        async with box.begin() as session:
            assert not await session.scalar(setting("app.tenant"))
            assert await session.scalar(setting("statement_timeout")) == "0"
        with pytest.raises(TransactionTimeout):
            async with box.begin(statement_timeout=0.05) as session:
                await session.execute(endless("postgresql"))
        assert await box.read(settings={"app.tenant": "2"}).scalar(setting("app.tenant")) == "2"


# ---------------------------------------------------------------- the synchronous face


def test_synchronous_limits(sync_engine: Engine, backend: str) -> None:
    with sync_engine.begin() as conn:
        Base.metadata.create_all(conn)
        conn.execute(insert(Note), {"id": 1})
    db = SessionFactory(sync_engine)
    for terms in ({"statement_timeout": 0.05}, {"timeout": 0.05}):
        with pytest.raises(TransactionTimeout) as raised, db.begin(**terms) as session:
            session.execute(insert(Note), {"id": 2})
            session.execute(endless(backend))
        assert (raised.value.limit, raised.value.seconds) == next(iter(terms.items()))
        assert db.get(Note, 2) is None
    with pytest.raises(TransactionTimeout):
        SessionFactory(sync_engine, statement_timeout=0.05).execute(endless(backend))

    with sync_engine.connect() as other:
        other.execute(insert(Note), {"id": 2})

        def work(session: Session) -> int:
            session.execute(insert(Note), {"id": 2})
            return 1

        with pytest.raises(TransactionTimeout) as raised:
            db.run(work, attempts=2, lock_timeout=0.05)
        assert raised.value.limit == "lock_timeout"
        assert len(raised.value.__notes__) == 2
    assert db.run(work, lock_timeout=0.05) == 1


def test_a_synchronous_session_after_its_time(sync_engine: Engine) -> None:
    with sync_engine.begin() as conn:
        Base.metadata.create_all(conn)
    db = SessionFactory(sync_engine)
    with pytest.raises(TransactionTimeout, match="in 'COMMIT'"), db.begin(timeout=60) as session:
        session.execute(insert(Note), {"id": 1})
        clock = session._transaction.terms.clock
        clock.deadline -= 60
        with pytest.raises(TransactionTimeout, match=r"in 'scalar\(\)'"):
            session.scalar(select(Note.id))
    assert db.scalar(select(Note.id)) is None
