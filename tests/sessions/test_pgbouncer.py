"""Sessions behind pgbouncer in transaction mode: a server connection belongs to a transaction only.

Runs where pgbouncer is installed (Debian: ``apt-get install pgbouncer``).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import URL, Integer, bindparam, create_engine, func, insert, literal, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSessionFactory, InvalidSessionState, TransactionTimeout
from naked_sqla.sessions.routing.gids import Gid

from .._pages import ROOT, Block, blocks_of, run_page
from ._pgbouncer import may_end_by_itself, pgbouncer_program, running_pgbouncer

pytestmark = [
    pytest.mark.skipif(pgbouncer_program() is None, reason="pgbouncer is not installed"),
]

# the pooler of all tests of this file would end
cancels = pytest.mark.skipif(
    may_end_by_itself(), reason="pgbouncer 1.18 to 1.20 may end when it passes a cancel request on"
)

SERVERS = 3

PAGE = "docs/cookbook/poolers.md"


def _settings_of_the_page() -> dict[str, dict[str, Any]]:
    namespace: dict[str, Any] = {"__name__": "poolers"}
    exec(blocks_of(ROOT / PAGE)[0].code, namespace)
    found: dict[str, dict[str, Any]] = namespace["CONNECT_ARGS"]
    return found


CONNECT: dict[str, dict[str, Any]] = {
    **_settings_of_the_page(),
    # as SQLAlchemy's documentation writes it; last, since it leaves statements on the servers
    "asyncpg with names": {
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        "prepared_statement_name_func": lambda: f"__asyncpg_{uuid.uuid4()}__",
    },
}


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "pgbouncer_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(unique=True)


@pytest.fixture(scope="module")
def pooler(postgres_server: URL) -> Iterator[URL]:
    """The URL of a pgbouncer in front of a database of this module's own."""
    admin = create_engine(
        postgres_server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as conn:
        conn.execute(text("CREATE DATABASE behind_pgbouncer"))
    with running_pgbouncer(postgres_server, SERVERS) as url:
        yield url.set(database="behind_pgbouncer")
    with admin.connect() as conn:
        conn.execute(text("DROP DATABASE behind_pgbouncer WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=CONNECT)
async def db(pooler: URL, request: pytest.FixtureRequest) -> AsyncIterator[AsyncSessionFactory]:
    name: str = request.param
    url = pooler.set(drivername=f"postgresql+{name.split()[0]}")
    engine = create_async_engine(url, pool_size=20, connect_args=CONNECT[name])
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.drop_all)
        await conn.run_sync(Base.metadata.create_all)
    yield AsyncSessionFactory(engine)
    await engine.dispose()


async def at_once(use: Callable[[int], Any], users: int = 20) -> None:
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for n in range(users):
            group.create_task(use(n))


async def test_more_sessions_than_servers(
    db: AsyncSessionFactory, request: pytest.FixtureRequest
) -> None:
    async def use(n: int) -> None:
        for i in range(5):
            async with db.begin() as session:
                await session.execute(insert(Note), {"text": f"{n} {i}"})
                found = await session.scalars(select(Note.text).where(Note.text == f"{n} {i}"))
                assert found.one() == f"{n} {i}"

    await at_once(use)
    assert await db.scalar(select(func.count(Note.id))) == 100
    async with db.begin() as session:
        servers = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        found = await session.scalar(servers)
        assert found is not None
        assert found <= SERVERS
        # nothing piles up on the servers
        prepared = await session.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
        assert prepared == 0 or "names" in request.node.name


async def test_one_call(db: AsyncSessionFactory) -> None:
    """Without BEGIN, what asyncpg prepares and what it executes may go to two servers."""

    async def use(n: int) -> None:
        for i in range(20):
            # as many texts as calls, so that another's statement gives another's answer
            value = n * 100 + i
            written = bindparam("value", value, Integer, literal_execute=True)
            assert await db.scalar(select(written)) == value
            assert await db.read().scalar(select(written)) == value
            # one text for all of them, which goes the direct way
            found = await db.scalars(select(Note.text).where(Note.id == -1 - value))
            assert found.all() == []
            if i % 5 == 0:
                await db.execute(insert(Note), {"text": f"{n} {i}"})

    await at_once(use)
    assert len((await db.scalars(select(Note))).all()) == 80


async def test_streams(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.execute(insert(Note), [{"text": str(n)} for n in range(200)])

    async def use(n: int) -> None:
        async with db.begin() as session:
            statement = select(Note.text).order_by(Note.id)
            seen = []
            options = {"yield_per": 30}
            async with session.stream_scalars(statement, execution_options=options) as stream:
                async for found in stream:
                    if len(seen) % 50 == 0:
                        assert await session.scalar(select(literal(n))) == n
                    seen.append(found)
            assert seen == [str(k) for k in range(200)]

    await at_once(use, 8)


async def test_savepoints(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.execute(insert(Note), {"text": "one"})

    async def use(n: int) -> None:
        async with db.begin() as session:
            await session.execute(insert(Note), {"text": f"before {n}"})
            with pytest.raises(IntegrityError):
                async with session.begin_nested():
                    await session.execute(insert(Note), {"text": "one"})
            await session.execute(insert(Note), {"text": f"after {n}"})

    await at_once(use, 8)
    assert await db.scalar(select(func.count(Note.id))) == 17


async def test_what_is_set_for_a_session_is_not_there_for_the_next(
    db: AsyncSessionFactory,
) -> None:
    async def use(n: int) -> None:
        show = text("SHOW transaction_isolation")
        if n % 4 == 0:
            async with db.read() as session:
                assert await session.scalar(text("SHOW transaction_read_only")) == "on"
                with pytest.raises(InvalidSessionState):
                    await session.execute(insert(Note), {"text": "read"})
                with pytest.raises(DBAPIError, match="read-only"):
                    await session.conn.execute(insert(Note).values(text="read"))
        elif n % 4 == 1:
            async with db.begin(isolation_level="SERIALIZABLE") as session:
                assert await session.scalar(show) == "serializable"
        elif n % 4 == 2:
            async with db.begin() as session:
                await session.execute(text("SET LOCAL statement_timeout = '3s'"))
        async with db.begin() as session:
            assert await session.scalar(show) == "read committed"
            assert await session.scalar(text("SHOW transaction_read_only")) == "off"
            assert await session.scalar(text("SHOW statement_timeout")) == "0"
            await session.execute(insert(Note), {"text": f"written {n}"})

    await at_once(use, 24)
    assert await db.scalar(select(func.count(Note.id))) == 24


async def test_limits_and_settings_hold_for_one_transaction(db: AsyncSessionFactory) -> None:
    """Each session has its own, on whichever server it is, and leaves nothing there."""
    shown = "SELECT current_setting('{}', true)".format

    async def use(n: int) -> None:
        for i in range(3):
            terms: dict[str, Any] = {
                "statement_timeout": 100 + n,
                "lock_timeout": 200 + n,
                "settings": {"app.tenant": f"{n} {i}"},
            }
            async with db.begin(**terms) as session:
                assert await session.scalar(text(shown("statement_timeout"))) == f"{100 + n}s"
                assert await session.scalar(text(shown("lock_timeout"))) == f"{200 + n}s"
                assert await session.scalar(text(shown("app.tenant"))) == f"{n} {i}"
                await session.execute(insert(Note), {"text": f"{n} {i}"})
            async with db.begin(settings={"app.other": "set"}) as session:
                # to one who begins with a SET of its own, and to one who sets nothing
                assert await session.scalar(text(shown("statement_timeout"))) == "0"
                assert not await session.scalar(text(shown("app.tenant")))
            async with db.begin() as session:
                for name in ("statement_timeout", "lock_timeout"):
                    assert await session.scalar(text(shown(name))) == "0"
                idle = "idle_in_transaction_session_timeout"
                assert await session.scalar(text(shown(idle))) == "0"
                assert not await session.scalar(text(shown("app.tenant")))

    await at_once(use)
    assert await db.scalar(select(func.count(Note.id))) == 60


@cancels
async def test_limits_are_kept(db: AsyncSessionFactory) -> None:
    async def use(n: int) -> None:
        limit = "statement_timeout" if n % 2 else "timeout"
        with pytest.raises(TransactionTimeout) as raised:  # noqa: PT012
            async with db.begin(**{limit: 0.3}) as session:
                await session.execute(insert(Note), {"text": f"late {n}"})
                await session.scalar(text("SELECT pg_sleep(60)"))
        assert raised.value.limit == limit
        # none of its server's next users is ended by a limit of somebody else
        async with db.begin() as session:
            await session.execute(insert(Note), {"text": f"{n}"})
            await session.scalar(text("SELECT pg_sleep(0.4)"))

    await at_once(use, SERVERS)
    found = await db.scalars(select(Note.text).order_by(Note.text))
    assert found.all() == [str(n) for n in range(SERVERS)]
    with pytest.raises(TransactionTimeout):
        await AsyncSessionFactory(db.engine, timeout=0.2).scalar(text("SELECT pg_sleep(60)"))
    assert (
        await AsyncSessionFactory(db.engine, lock_timeout=1).scalar(text("SHOW lock_timeout"))
        == "1s"
    )


async def test_two_databases_in_two_phases(db: AsyncSessionFactory, pooler: URL) -> None:
    other = create_async_engine(
        pooler.set(drivername="postgresql+psycopg"), connect_args=CONNECT["psycopg"]
    )
    both = AsyncSessionFactory(db.engine, binds={"other": other}, two_phase=True)

    async def use(n: int) -> None:
        async with both.begin() as session:
            await session.execute(insert(Note), {"text": f"one {n}"})
            to_other = {"bind_key": "other"}
            await session.execute(insert(Note), {"text": f"two {n}"}, execution_options=to_other)

    for n in range(3):
        await use(n)
    assert await db.scalar(select(func.count(Note.id))) == 6
    async with db.begin() as session:
        await session.execute(insert(Note), {"text": "left behind"})
        gid = Gid(uuid.uuid4().hex, 0, "0_0", "1")
        await session.execute(text(f"PREPARE TRANSACTION '{gid}'"))
    recovery = await both.recover_prepared(older_than=0)
    assert [one.name for one in recovery.rolled_back] == [str(gid)]
    assert (recovery.left, recovery.unreachable) == ((), {})
    assert await db.scalar(select(func.count(Note.id))) == 6
    await other.dispose()


@cancels
async def test_cancelled_sessions_give_their_server_back(db: AsyncSessionFactory) -> None:
    async def use() -> None:
        async with db.begin() as session:
            await session.execute(insert(Note), {"text": "held"})
            holding.set()
            await session.execute(text("SELECT pg_sleep(30)"))

    for _ in range(SERVERS + 1):
        holding = asyncio.Event()
        task = asyncio.create_task(use())
        await holding.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(20):
        assert (await db.scalars(select(Note))).all() == []
        await at_once(lambda n: db.execute(insert(Note), {"text": str(n)}))


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_the_page_on_poolers(driver: str, pooler: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    url = pooler.set(drivername=f"postgresql+{driver}")
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    printed = []

    def check(block: Block, text: str, _: str) -> None:
        assert block.prints in (None, text), block.line
        printed.append(text)

    run_page(PAGE, check)
    assert any(printed)
