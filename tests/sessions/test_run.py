"""``db.run()`` and ``@db.transaction()``: what is tried again, how often, and what errors tell."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    CommitOutcomeUnknown,
    InvalidSessionState,
    PartialCommit,
    Session,
    SessionFactory,
    TransactionRolledBack,
)

POSTGRES = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "run_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]


class Logs(DeclarativeBase):
    __bind_key__ = "logs"


class Entry(Logs):
    __tablename__ = "run_entry"

    id: Mapped[int] = mapped_column(primary_key=True)


ROWS = [{"id": 1, "balance": 100}, {"id": 2, "balance": 100}]


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(insert(Account), ROWS)
    return AsyncSessionFactory(engine)


def add(amount: int, of: int = 1) -> Any:
    return update(Account).where(Account.id == of).values(balance=Account.balance + amount)


async def balance(db: AsyncSessionFactory, of: int = 1) -> int:
    account = await db.get_one(Account, of)
    return account.balance


def statements(engine: Any) -> list[str]:
    """The statements that an engine sends from now on."""
    sent: list[str] = []
    event.listen(
        getattr(engine, "sync_engine", engine),
        "before_cursor_execute",
        lambda conn, cursor, statement, *_: sent.append(statement),
    )
    return sent


class Failing:
    """Work that adds 1, and then raises what it was given, one error after the other."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.sessions: list[AsyncSession] = []

    async def __call__(self, session: AsyncSession) -> int:
        self.sessions.append(session)
        await session.execute(add(1))
        if self.errors:
            raise self.errors.pop(0)
        return len(self.sessions)


def conflict() -> DBAPIError:
    """A serialization failure, as SQLAlchemy wraps it."""

    class SerializationError(Exception):
        sqlstate = "40001"
        sqlite_errorcode = 5

    return DBAPIError("UPDATE", {"secret": 4711}, SerializationError("could not serialize\nat all"))


# ---------------------------------------------------------------- the work, and what it gives


async def test_the_work_is_committed_and_gives_what_it_returns(db: AsyncSessionFactory) -> None:
    async def move(session: AsyncSession, amount: int, to: int) -> str:
        await session.execute(add(-amount))
        await session.execute(add(amount, to))
        return f"{amount} to {to}"

    assert await db.run(move, 30, 2) == "30 to 2"
    assert (await balance(db), await balance(db, 2)) == (70, 130)


async def test_an_error_of_the_work_rolls_back_and_is_no_reason_to_try_again(
    db: AsyncSessionFactory,
) -> None:
    error = ValueError("of the work")
    work = Failing(error)
    with pytest.raises(ValueError, match="of the work") as raised:
        await db.run(work)
    assert raised.value is error
    assert not hasattr(error, "__notes__")
    assert len(work.sessions) == 1
    assert await balance(db) == 100


async def test_a_violated_constraint_is_no_reason_to_try_again(db: AsyncSessionFactory) -> None:
    calls = []

    async def twice(session: AsyncSession) -> None:
        calls.append(session)
        await session.execute(insert(Account), {"id": 1, "balance": 0})

    with pytest.raises(IntegrityError):
        await db.run(twice)
    assert len(calls) == 1


async def test_options_of_begin_go_to_each_block(db: AsyncSessionFactory) -> None:
    levels = []

    async def work(session: AsyncSession) -> None:
        levels.append(await session.conn.get_isolation_level())
        if len(levels) == 1:
            raise conflict()

    await db.run(work, isolation_level="SERIALIZABLE")
    assert levels == ["SERIALIZABLE"] * 2


async def test_each_attempt_has_a_session_of_its_own(db: AsyncSessionFactory) -> None:
    work = Failing(conflict(), conflict())
    assert await db.run(work) == 3
    assert len(set(map(id, work.sessions))) == 3
    assert [session.state for session in work.sessions] == ["closed"] * 3
    assert await balance(db) == 101


# ---------------------------------------------------------------- what is tried again


@POSTGRES
async def test_a_serialization_failure(db: AsyncSessionFactory, engine: AsyncEngine) -> None:
    read = []

    async def double(session: AsyncSession) -> None:
        account = await session.get_one(Account, 1)
        read.append(account.balance)
        if len(read) == 1:
            async with engine.begin() as other:
                await other.execute(add(5))
        await session.execute(
            update(Account).where(Account.id == 1).values(balance=2 * account.balance)
        )

    await db.run(double, isolation_level="SERIALIZABLE")
    assert read == [100, 105]
    assert await balance(db) == 210


@POSTGRES
async def test_a_failure_that_the_work_swallowed(
    db: AsyncSessionFactory, engine: AsyncEngine
) -> None:
    calls = []

    async def careless(session: AsyncSession) -> None:
        account = await session.get_one(Account, 1)
        calls.append(account.balance)
        if len(calls) == 1:
            async with engine.begin() as other:
                await other.execute(add(5))
        with contextlib.suppress(DBAPIError):
            await session.execute(add(1))

    await db.run(careless, isolation_level="REPEATABLE READ")
    assert calls == [100, 105]
    assert await balance(db) == 106


@POSTGRES
async def test_a_deadlock(db: AsyncSessionFactory) -> None:
    both = asyncio.Barrier(2)
    calls = []

    async def move(session: AsyncSession, one: int, other: int) -> None:
        calls.append(one)
        await session.execute(add(-1, one))
        if len(calls) <= 2:
            await both.wait()
        await session.execute(add(1, other))

    await asyncio.gather(db.run(move, 1, 2), db.run(move, 2, 1))
    assert len(calls) == 3
    assert (await balance(db), await balance(db, 2)) == (100, 100)


@POSTGRES
async def test_a_lock_that_was_not_to_be_had(db: AsyncSessionFactory, engine: AsyncEngine) -> None:
    calls = []
    async with engine.connect() as other:
        await other.execute(add(5))

        async def work(session: AsyncSession) -> None:
            calls.append(session)
            try:
                await session.get_one(Account, 1, with_for_update={"nowait": True})
            except DBAPIError:
                await other.commit()
                raise

        await db.run(work)
    assert len(calls) == 2


@POSTGRES
async def test_an_error_out_of_a_stream(db: AsyncSessionFactory, engine: AsyncEngine) -> None:
    seen: list[Any] = []
    async with engine.connect() as other:
        await other.execute(add(5))
        locking = select(Account.id).order_by(Account.id).with_for_update(nowait=True)

        async def work(session: AsyncSession) -> None:
            try:
                async with session.stream_scalars(locking) as rows:
                    seen.append([row async for row in rows])
            except Exception as error:
                seen.append(error)
                await other.commit()
                raise

        await db.run(work)
    assert seen[1:] == [[1, 2]]
    assert db.is_retryable(seen[0])


@POSTGRES
@pytest.mark.parametrize("reading", ["execute", "stream"])
async def test_a_connection_that_is_lost_in_the_work(
    db: AsyncSessionFactory, engine: AsyncEngine, reading: str
) -> None:
    calls = []

    async def work(session: AsyncSession) -> int:
        await session.execute(add(1))
        pid = await session.scalar(select(func.pg_backend_pid()))
        calls.append(pid)
        many = select(func.generate_series(1, 1000))
        async with session.stream_scalars(many, execution_options={"yield_per": 10}) as rows:
            if len(calls) == 1:
                async with engine.connect() as other:
                    await other.execute(select(func.pg_terminate_backend(pid, 5000)))
            if reading == "execute":
                return int(await session.scalar(select(Account.balance)) or 0)
            return len([row async for row in rows])

    assert await db.run(work) == (1000 if reading == "stream" else 100)
    assert len(set(calls)) == 2
    assert await balance(db) == 101


@SQLITE
async def test_a_locked_database_is_written_to_with_begin_immediate(
    db: AsyncSessionFactory, engine: AsyncEngine, database_url: Any
) -> None:
    impatient = create_async_engine(database_url, connect_args={"timeout": 0})
    sent = statements(impatient)
    calls = []
    async with engine.connect() as other:
        await other.execute(add(5))

        async def work(session: AsyncSession) -> None:
            calls.append([*sent])
            try:
                await session.execute(add(1))
            except DBAPIError:
                await other.commit()
                raise

        await AsyncSessionFactory(impatient).run(work)
    await impatient.dispose()
    assert calls[0] == []
    assert calls[1][1:] == ["BEGIN IMMEDIATE"]
    assert await balance(db) == 106


@SQLITE
async def test_a_block_in_which_the_work_has_sent_nothing_yet_begins_as_a_writer(
    db: AsyncSessionFactory, engine: AsyncEngine, tmp_path: Path
) -> None:
    """With several databases too: each one that the second attempt uses."""
    logs = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'logs.sqlite'}")
    async with logs.begin() as conn:
        await conn.run_sync(Logs.metadata.create_all)
    sent = [statements(engine), statements(logs)]
    errors = [conflict()]

    async def work(session: AsyncSession) -> None:
        await session.scalar(select(Account.balance))
        await session.execute(insert(Entry), {"id": 1})
        if errors:
            raise errors.pop()

    await AsyncSessionFactory(engine, binds={"logs": logs}).run(work)
    assert ["BEGIN" in one.split()[0] for one in sent[0]] == [False, True, False]
    assert [one.split()[0] for one in sent[1]] == ["INSERT", "BEGIN", "INSERT"]
    await logs.dispose()


async def test_a_database_that_can_not_be_reached_only_where_asked(
    db: AsyncSessionFactory, database_url: Any, backend: str, tmp_path: Path
) -> None:
    if backend == "sqlite":
        # there is no server; the file may still come
        url = database_url.set(database=str(tmp_path / "later" / "test.sqlite"))
    else:
        url = database_url
    engine = create_async_engine(url)
    connects: list[int] = []
    hosts: dict[str, str] = {}

    @event.listens_for(engine.sync_engine, "do_connect")
    def connecting(dialect: Any, record: Any, args: Any, kwargs: dict[str, Any]) -> None:
        connects.append(1)
        if backend != "sqlite":
            # SQLAlchemy 2.0.40 gives the same dictionary each time
            there = hosts.setdefault("there", kwargs["host"])
            kwargs["host"] = str(tmp_path / "nowhere") if len(connects) % 2 else there

    other = AsyncSessionFactory(engine)

    async def work(session: AsyncSession) -> int | None:
        return await session.scalar(select(Account.balance).where(Account.id == 1))

    with pytest.raises((OSError, DBAPIError)) as raised:
        await other.run(work)
    assert len(connects) == 1
    assert not other.is_retryable(raised.value)
    assert other.is_connect_error(raised.value) == (backend != "sqlite")
    connects.clear()
    if backend != "sqlite":
        assert await other.run(work, retry_on=other.is_connect_error) == 100
        assert len(connects) == 2
    await engine.dispose()


async def test_further_errors_that_are_asked_for(db: AsyncSessionFactory) -> None:
    for wanted in (KeyError, (ValueError, LookupError), lambda error: "again" in str(error)):
        work = Failing(KeyError("again"))
        assert await db.run(work, retry_on=wanted) == 2  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        await db.run(Failing(ZeroDivisionError()), retry_on=KeyError)
    assert await balance(db) == 103


async def test_an_unknown_outcome_only_where_the_work_may_be_done_twice(
    db: AsyncSessionFactory,
) -> None:
    lost = CommitOutcomeUnknown("no answer")
    lost.__cause__ = DBAPIError("COMMIT", {}, Exception(), connection_invalidated=True)
    with pytest.raises(CommitOutcomeUnknown):
        await db.run(Failing(lost))
    with pytest.raises(CommitOutcomeUnknown):
        await db.run(Failing(lost), retry_on=lambda _: True)
    assert not db.is_retryable(lost)
    assert await db.run(Failing(lost), idempotent=True) == 2

    resolved = TransactionRolledBack("asked: it was rolled back")
    resolved.__cause__ = lost
    assert await db.run(Failing(resolved)) == 2


async def test_a_partial_commit_is_never_done_again(db: AsyncSessionFactory) -> None:
    partial = PartialCommit("one of two", ["a"], ["b"])
    partial.__cause__ = conflict()
    with pytest.raises(PartialCommit):
        await db.run(Failing(partial), idempotent=True)


async def test_what_was_committed_by_hand_is_not_done_again(db: AsyncSessionFactory) -> None:
    calls = []

    async def work(session: AsyncSession) -> None:
        calls.append(session)
        await session.execute(add(1))
        await session.commit()
        raise conflict()

    with pytest.raises(DBAPIError):
        await db.run(work)
    assert len(calls) == 1
    assert await balance(db) == 101


@pytest.mark.parametrize("wanted", [None, lambda _: True])
async def test_a_cancelled_task_is_not_tried_again(db: AsyncSessionFactory, wanted: Any) -> None:
    work = Failing(asyncio.CancelledError())
    task = asyncio.create_task(db.run(work, retry_on=wanted))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(work.sessions) == 1
    assert await balance(db) == 100


async def test_a_task_that_is_cancelled_in_a_pause_goes_at_once(
    db: AsyncSessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda *_: 60)
    work = Failing(conflict())
    task = asyncio.create_task(db.run(work))
    paused = asyncio.Event()
    monkeypatch.setattr(logging.getLogger("naked_sqla"), "info", lambda *_, **__: paused.set())
    await paused.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(work.sessions) == 1


def test_errors_behind_errors() -> None:
    db = AsyncSessionFactory(create_async_engine("postgresql+psycopg://nowhere/"))
    lost = TransactionRolledBack("")
    lost.__cause__ = conflict()
    assert db.is_retryable(lost)
    assert db.is_retryable(conflict())
    assert db.is_retryable(conflict().orig)  # type: ignore[arg-type]
    # The last error of several, which came while the first was handled.
    echo = DBAPIError("SELECT", {}, Exception("current transaction is aborted"))
    echo.__context__ = conflict()
    assert db.is_retryable(echo)
    echo.__suppress_context__ = True
    assert not db.is_retryable(echo)
    violated = IntegrityError("INSERT", {}, Exception())
    violated.__context__ = conflict()
    assert not db.is_retryable(violated)
    mine = ValueError()
    mine.__cause__ = conflict()
    assert not db.is_retryable(mine)
    lost.__cause__ = None
    lost.__context__ = lost.__cause__ = ValueError()
    lost.__cause__.__cause__ = lost
    assert not db.is_retryable(lost)


# ---------------------------------------------------------------- how often, and what is told


async def test_the_last_error_tells_of_all_attempts(
    db: AsyncSessionFactory, caplog: pytest.LogCaptureFixture
) -> None:
    errors = [conflict(), conflict(), conflict()]
    work = Failing(*errors)
    with caplog.at_level(logging.INFO, "naked_sqla"), pytest.raises(DBAPIError) as raised:
        await db.run(work, attempts=3)
    assert raised.value is errors[2]
    assert raised.value.__notes__ == [
        "attempt 1 of 3 failed: DBAPIError: could not serialize",
        "attempt 2 of 3 failed: DBAPIError: could not serialize",
        "attempt 3 of 3 was the last one",
    ]
    assert raised.value.__context__ is None
    told = [record.getMessage().partition(";")[0] for record in caplog.records]
    assert told == raised.value.__notes__[:2]
    assert await balance(db) == 100


async def test_another_error_tells_of_the_attempts_before(db: AsyncSessionFactory) -> None:
    with pytest.raises(KeyError) as raised:
        await db.run(Failing(conflict(), KeyError("k")))
    assert raised.value.__notes__ == ["attempt 1 of 5 failed: DBAPIError: could not serialize"]


async def test_no_attempt_begins_after_the_deadline(db: AsyncSessionFactory) -> None:
    work = Failing(conflict())
    with pytest.raises(DBAPIError) as raised:
        await db.run(work, deadline=0)
    assert raised.value.__notes__ == [
        "attempt 1 of 5 was the last one: the deadline of 0 s is reached"
    ]
    assert len(work.sessions) == 1
    assert await db.run(Failing(conflict()), deadline=60) == 2


async def test_pauses_are_random_and_grow(
    db: AsyncSessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest: list[float] = []

    def uniform(low: float, high: float) -> float:
        assert low == 0
        longest.append(high)
        return 0.0

    monkeypatch.setattr("random.uniform", uniform)
    with pytest.raises(DBAPIError):
        await db.run(Failing(*(conflict() for _ in range(9))), attempts=9)
    assert longest == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0]


# ---------------------------------------------------------------- wrong use


async def test_inside_an_open_session_it_is_refused(db: AsyncSessionFactory) -> None:
    async def work(session: AsyncSession) -> int:
        return 1

    async with db.begin() as session:
        with pytest.raises(InvalidSessionState, match=r"run\(\) inside an open session"):
            await db.run(work)
        assert await work(session) == 1
        await session.commit()
        assert await db.run(work) == 1

    async def nested(session: AsyncSession) -> int:
        return await db.run(work)

    with pytest.raises(InvalidSessionState, match=r"run\(\) inside"):
        await db.run(nested)


@POSTGRES
async def test_a_child_task_and_another_factory_may_run(
    db: AsyncSessionFactory, engine: AsyncEngine
) -> None:
    async def work(session: AsyncSession) -> int:
        return 1

    other = AsyncSessionFactory(engine)
    async with db.begin():
        assert await asyncio.create_task(db.run(work)) == 1
        assert await other.run(work) == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"attempts": 0}, ValueError),
        ({"attempts": True}, TypeError),
        ({"attempts": "3"}, TypeError),
        ({"deadline": -1}, ValueError),
        ({"deadline": float("nan")}, ValueError),
        ({"deadline": "1"}, TypeError),
        ({"idempotent": 1}, TypeError),
        ({"retry_on": "OSError"}, TypeError),
        ({"retry_on": asyncio.CancelledError}, TypeError),
        ({"retry_on": (OSError, 1)}, TypeError),
    ],
)
async def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception]) -> None:
    (name,) = arguments
    for db in (
        AsyncSessionFactory(create_async_engine("postgresql+psycopg://nowhere/")),
        AsyncSessionFactory(create_async_engine("sqlite+aiosqlite://")),
    ):
        with pytest.raises(error, match=rf"run\({name}=\.\.\.\) takes"):
            await db.run(Failing(), **arguments)
        with pytest.raises(error, match=rf"run\({name}=\.\.\.\) takes"):
            db.transaction(**arguments)


async def test_work_that_is_not_asynchronous(db: AsyncSessionFactory) -> None:
    def work(session: AsyncSession) -> int:
        return 1

    with pytest.raises(TypeError, match=r"`async def`.*work is not"):
        await db.run(work)  # type: ignore[arg-type]


# ---------------------------------------------------------------- the decorator


async def test_a_decorated_function(db: AsyncSessionFactory) -> None:
    errors = [conflict()]

    @db.transaction(attempts=2)
    async def deposit(session: AsyncSession, amount: int, *, to: int = 1) -> int:
        """Add to an account."""
        await session.execute(add(amount, to))
        if errors:
            raise errors.pop()
        return amount

    assert await deposit(5) == 5
    assert await deposit(7, to=2) == 7
    assert (await balance(db), await balance(db, 2)) == (105, 107)
    assert (deposit.__name__, deposit.__doc__) == ("deposit", "Add to an account.")
    assert list(inspect.signature(deposit).parameters) == ["amount", "to"]
    assert inspect.iscoroutinefunction(deposit)
    errors += [conflict(), conflict()]
    with pytest.raises(DBAPIError):
        await deposit(5)
    assert await balance(db) == 105


# ---------------------------------------------------------------- the synchronous face


@pytest.fixture
def sync_db(sync_engine: Engine) -> SessionFactory:
    with sync_engine.begin() as conn:
        Base.metadata.create_all(conn)
        conn.execute(insert(Account), ROWS)
    return SessionFactory(sync_engine)


def test_synchronous_work(sync_db: SessionFactory, sync_engine: Engine, backend: str) -> None:
    sent = statements(sync_engine)
    errors = [conflict()]
    inside = []

    def work(session: Session, amount: int) -> int:
        session.execute(add(amount))
        with pytest.raises(InvalidSessionState, match="inside an open session") as raised:
            sync_db.run(work, 1)
        inside.append(raised.value)
        if errors:
            raise errors.pop()
        return amount

    assert sync_db.run(work, 5) == 5
    assert sync_db.get_one(Account, 1).balance == 105
    assert len(inside) == 2
    assert ("BEGIN IMMEDIATE" in sent) == (backend == "sqlite")

    decorated: Callable[[int], int] = sync_db.transaction(attempts=1)(work)
    errors.append(conflict())
    with pytest.raises(DBAPIError):
        decorated(5)
    assert decorated(7) == 7
    assert sync_db.get_one(Account, 1).balance == 112


def test_synchronous_work_that_is_asynchronous(sync_db: SessionFactory) -> None:
    async def work(session: Session) -> None: ...

    with pytest.raises(TypeError, match=r"`def`.*work is not"):
        sync_db.run(work)


def test_a_synchronous_lock(sync_db: SessionFactory, sync_engine: Engine, backend: str) -> None:
    if backend == "sqlite":
        lock, wanted = text("BEGIN IMMEDIATE"), add(1)
    else:
        lock, wanted = add(0), select(Account.id).with_for_update(nowait=True)
    calls = []
    with sync_engine.connect() as other:
        other.execute(lock)

        def work(session: Session) -> None:
            calls.append(session)
            if backend == "sqlite":
                session.execute(text("PRAGMA busy_timeout = 0"))
            try:
                session.execute(wanted)
            except DBAPIError:
                other.rollback()
                raise

        sync_db.run(work)
    assert len(calls) == 2
