"""Results that read from the connection while they are read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, create_engine, event, insert, select, text
from sqlalchemy.exc import InvalidRequestError, ProgrammingError, ResourceClosedError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncResult, AsyncScalarResult, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    ConcurrentSessionUse,
    InvalidSessionState,
    RowMismatch,
    Session,
    SessionFactory,
    TransactionRolledBack,
    UnsupportedOption,
)

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere
from .._notes import checked_out

TEAMS = 30
PLAYERS = 1250


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"

    id: Mapped[int] = mapped_column(primary_key=True)
    players: Mapped[list[Player]] = relationship(back_populates="team", order_by="Player.id")


class Player(Base):
    __tablename__ = "player"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team | None] = relationship(back_populates="players")


@dataclass
class Named:
    id: int
    name: str


def fill(conn: Any) -> None:
    Base.metadata.create_all(conn)
    conn.execute(insert(Team), [{"id": n} for n in range(TEAMS)])
    players = [
        {"id": n, "name": f"p{n}", "team_id": n % TEAMS if n % 7 else None} for n in range(PLAYERS)
    ]
    conn.execute(insert(Player), players)


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(fill)
    return AsyncSessionFactory(engine)


@pytest.fixture
def sync_db(sync_engine: Engine) -> SessionFactory:
    with sync_engine.begin() as conn:
        fill(conn)
    return SessionFactory(sync_engine)


ALL = select(Player).order_by(Player.id)
IDS = select(Player.id, Player.name).order_by(Player.id)


# ---------------------------------------------------------------- what is read


async def test_all_ways_to_read(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        result = await session.stream(IDS)
        assert isinstance(result, AsyncResult)
        assert await result.fetchone() == (0, "p0")
        assert await result.fetchmany(2) == [(1, "p1"), (2, "p2")]
        assert [row.id async for row in result] == list(range(3, PLAYERS))
        assert await result.fetchone() is None

        scalars = await session.stream_scalars(ALL)
        assert isinstance(scalars, AsyncScalarResult)
        assert [p.name async for p in scalars] == [f"p{n}" for n in range(PLAYERS)]
        assert [p async for p in scalars] == []

        rows = await session.stream(select(Player, Player.id).order_by(Player.id))
        sizes = [len(part) async for part in rows.partitions(550)]
        assert sizes == [550, 550, 150]
        assert (await (await session.stream(IDS)).first()) == (0, "p0")
        assert len(await (await session.stream_scalars(ALL)).all()) == PLAYERS
        mappings = (await session.stream(IDS)).mappings()
        assert (await mappings.fetchmany(1))[0] == {"id": 0, "name": "p0"}
        teams = (await session.stream_scalars(select(Player.team_id))).unique()
        assert len([team async for team in teams]) == TEAMS + 1
        one = await session.stream_scalars(select(Player).where(Player.id == 7))
        assert (await one.one()).name == "p7"
        named = await session.stream_into(Named, IDS)
        assert await named.fetchmany(2) == [Named(0, "p0"), Named(1, "p1")]
        plain = await session.stream(text("select 1 as a, 2 as b"))
        assert await plain.all() == [(1, 2)]


async def test_what_was_not_found_is_no_end(db: AsyncSessionFactory) -> None:
    """An entity that is None, in the middle of a stream of single entities."""
    found = select(Team).select_from(Player).outerjoin(Player.team).order_by(Player.id)
    async with db.begin() as session:
        teams = [team async for team in await session.stream_scalars(found)]
        assert len(teams) == PLAYERS
        assert teams[0] is None
        assert [team.id for team in teams[1:7] if team] == [1, 2, 3, 4, 5, 6]


def test_all_ways_to_read_sync(sync_db: SessionFactory) -> None:
    with sync_db.begin() as session:
        result = session.stream(IDS)
        assert result.fetchone() == (0, "p0")
        assert result.fetchmany(2) == [(1, "p1"), (2, "p2")]
        assert [row.id for row in result] == list(range(3, PLAYERS))
        assert [p.name for p in session.stream_scalars(ALL)] == [f"p{n}" for n in range(PLAYERS)]
        with session.stream(IDS) as left:
            assert next(iter(left)) == (0, "p0")
        with pytest.raises(ResourceClosedError):
            left.fetchone()
        assert session.stream_into(Named, IDS).first() == Named(0, "p0")
        abandoned = session.stream_scalars(ALL)
        assert next(abandoned).id == 0
    with pytest.raises(InvalidSessionState, match="reading a stream on a closed session"):
        next(abandoned)
    assert checked_out(sync_db.engine) == 0


@pytest.mark.parametrize("size", [25, 70, 999, 5000])
async def test_yield_per_is_the_size_of_a_chunk(db: AsyncSessionFactory, size: int) -> None:
    async with db.begin() as session:
        result = await session.stream(ALL, execution_options={"yield_per": size})
        parts = [len(part) async for part in result.partitions()]
        whole, rest = divmod(PLAYERS, size)
        assert parts == [size] * whole + [rest] * bool(rest)
        for result in (
            await session.stream_scalars(IDS, execution_options={"yield_per": size}),
            (await session.stream(IDS, execution_options={"yield_per": size})).mappings(),
        ):
            assert [len(part) async for part in result.partitions()] == parts


async def test_further_statements_run_for_each_chunk(db: AsyncSessionFactory) -> None:
    statement = ALL.options(selectinload(Player.team).selectinload(Team.players))
    seen: list[str] = []

    def execute(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(db.engine.sync_engine, "before_cursor_execute", execute)
    async with db.begin() as session:
        stream = session.stream_scalars(statement, execution_options={"yield_per": 500})
        async with stream as players:
            async for player in players:
                assert (player.team is None) is (player.id % 7 == 0)
                if player.team is not None:
                    assert player in player.team.players or player.id in {
                        other.id for other in player.team.players
                    }
    event.remove(db.engine.sync_engine, "before_cursor_execute", execute)
    # The one of the stream, and two for each of three chunks.
    assert len(seen) == 7


async def test_preload_for_each_chunk(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        result = await session.stream_scalars(ALL)
        async for part in result.partitions(1000):
            await session.preload(part, Player.team)
            assert all((p.team is None) is (p.id % 7 == 0) for p in part)


async def test_other_statements_in_between(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        count = 0
        async for player in await session.stream_scalars(ALL, execution_options={"yield_per": 100}):
            count += 1
            if player.id % 500 == 0:
                again = (await session.scalars(select(Player).where(Player.id == player.id))).one()
                assert again.name == player.name
                async with session.begin_nested():
                    await session.execute(insert(Team), {"id": 1000 + player.id})
        assert count == PLAYERS


# ---------------------------------------------------------------- how it ends


async def test_closed_at_the_end_of_the_block(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        async with session.stream(IDS) as result:
            assert await result.fetchone() == (0, "p0")
        with pytest.raises(ResourceClosedError):
            await result.fetchone()
        with pytest.raises(ZeroDivisionError):
            async with session.stream_scalars(ALL) as scalars:
                raise ZeroDivisionError
        with pytest.raises(ResourceClosedError):
            await scalars.all()
        async with session.stream(IDS) as result:
            await session.commit()
        assert session.state == "closed"


async def test_abandoned_half_way(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        async for player in await session.stream_scalars(ALL):
            assert player.id == 0
            break
        await session.execute(insert(Team), {"id": 99})
    other = create_async_engine(
        db.engine.url, connect_args={"timeout": 0} if db.engine.name == "sqlite" else {}
    )
    # The connection is in the pool; a cursor that it had kept open would keep SQLite's lock.
    async with other.begin() as conn:
        await conn.execute(insert(Team), {"id": 100})
        assert (await conn.execute(select(Team.id).where(Team.id > 50))).all() == [(99,), (100,)]
    await other.dispose()


@pytest.mark.parametrize("end", ["commit", "rollback", "block"])
@pytest.mark.parametrize("statement", [ALL, IDS], ids=["entities", "columns"])
async def test_read_after_the_session(db: AsyncSessionFactory, end: str, statement: Any) -> None:
    async with db.begin() as session:
        untouched = await session.stream(statement)
        begun = await session.stream(statement)
        await begun.fetchone()
        scalars = await session.stream_scalars(statement)
        await anext(scalars)
        if end != "block":
            await getattr(session, end)()
    for read in (
        untouched.fetchone(),
        untouched.all(),
        untouched.first(),
        begun.fetchone(),
        begun.fetchmany(2),
        anext(begun),
        anext(scalars),
        scalars.all(),
        begun.mappings().all(),
    ):
        with pytest.raises(InvalidSessionState, match="reading a stream on a closed session"):
            await read
    with pytest.raises(InvalidSessionState, match=r"stream\(\) on a closed session"):
        await session.stream(statement)
    with pytest.raises(InvalidSessionState, match=r"stream_scalars\(\) on a closed session"):
        async with session.stream_scalars(statement):
            pass
    # Closing it is no reading.
    await begun.close()


async def test_two_tasks(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        result = await session.stream(IDS, execution_options={"yield_per": 10})
        await result.fetchone()
        # Between two reads nobody is inside.
        await asyncio.create_task(session.execute(select(Team)))
        assert await asyncio.create_task(result.fetchone()) == (1, "p1")
        # One is inside: rows in hand are not handed out either.
        statement = asyncio.create_task(session.execute(select(Team)), name="first")
        await asyncio.sleep(0)
        for read in (result.fetchone(), anext(result), result.all()):
            with pytest.raises(ConcurrentSessionUse, match="task 'first' is inside"):
                await read
        await statement
        reading = asyncio.create_task(result.fetchmany(100), name="reader")
        await asyncio.sleep(0)
        with pytest.raises(ConcurrentSessionUse, match="task 'reader' is inside"):
            await session.execute(select(Team))
        assert len(await reading) == 100


async def test_awaited_or_entered_once(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        stream = session.stream(IDS)
        async with stream as result:
            assert len(await result.all()) == PLAYERS
        with pytest.raises(InvalidSessionState, match=r"stream\(\) returned was entered a second"):
            await stream
        with pytest.raises(InvalidSessionState, match=r"a second time"):
            async with stream:
                pass


# ---------------------------------------------------------------- what is refused


async def test_refused(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        with pytest.raises(InvalidRequestError, match="selectinload"):
            await session.stream(select(Team).options(joinedload(Team.players)))
        with pytest.raises(RowMismatch):
            await session.stream_into(Named, select(Player.id))
        with pytest.raises(UnsupportedOption, match="identity_token"):
            session.stream(ALL, execution_options={"identity_token": "x"})
        with pytest.raises(TypeError, match="execution_options"):
            session.stream_scalars(ALL, execution_options="x")  # type: ignore[call-overload]
        with pytest.raises(UnsupportedOption, match=r"Use stream\(\)"):
            await session.execute(ALL, execution_options={"yield_per": 10})
        assert len((await session.scalars(select(Team))).all()) == TEAMS


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_a_failure_while_reading_fails_the_session(db: AsyncSessionFactory) -> None:
    failing = select(text("1 / (id - 1000)")).select_from(Player).order_by(Player.id)
    async with db.begin() as session:
        result = await session.stream(failing)
        # What asyncpg says while rows are read, SQLAlchemy does not wrap.
        with pytest.raises(Exception, match="division by zero"):
            await result.all()
        with pytest.raises(TransactionRolledBack, match="nothing was committed"):
            await session.commit()
    async with db.begin() as session:
        with pytest.raises(ProgrammingError):
            await session.stream(text("select nonsense from player"))
        await session.rollback()


# ---------------------------------------------------------------- cancellation


async def read_in_a_block(session: AsyncSession) -> None:
    await session.execute(insert(Team), {"id": 99})
    async with session.stream_scalars(ALL, execution_options={"yield_per": 500}) as players:
        async for _ in players:
            pass


async def leave_half_way(session: AsyncSession) -> None:
    await session.execute(insert(Team), {"id": 99})
    result = await session.stream(IDS, execution_options={"yield_per": 500})
    await result.fetchone()
    await result.fetchmany(700)
    async with session.stream_scalars(ALL) as players:
        await anext(players)


@pytest.mark.parametrize("body", [read_in_a_block, leave_half_way])
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_cancelled_anywhere(
    db: AsyncSessionFactory, kind: Kind, moment: Moment, body: Any
) -> None:
    witness = create_async_engine(
        db.engine.url, connect_args={"timeout": 0} if db.engine.name == "sqlite" else {}
    )
    careful = AsyncSessionFactory(db.engine, auto_commit=False)
    sessions: list[AsyncSession] = []

    async def block() -> None:
        async with careful.begin() as session:
            sessions[:] = [session]
            await body(session)

    async def prepare() -> None:
        await db.get(Team, 1)

    async def check(run: Run) -> None:
        assert run.as_asked, run
        assert checked_out(db.engine) == 0
        assert {session.state for session in sessions} <= {"closed"}
        async with witness.begin() as conn:
            if db.engine.name == "postgresql":
                await conn.execute(text("SET LOCAL lock_timeout = '5s'"))
                await conn.execute(text("LOCK TABLE team IN ACCESS EXCLUSIVE MODE"))
            else:
                await conn.exec_driver_sql("BEGIN EXCLUSIVE")

    assert await cancelled_everywhere(block, kind, moment, check, prepare) >= 3
    await witness.dispose()


@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_cancelled_in_memory(kind: Kind, moment: Moment) -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.begin() as conn:
        await conn.run_sync(fill)
    careful = AsyncSessionFactory(engine, auto_commit=False)

    async def block() -> None:
        async with careful.begin() as session:
            await leave_half_way(session)

    async def check(run: Run) -> None:
        assert await careful.scalar(select(Player.id).where(Player.id == 5)) == 5

    assert await cancelled_everywhere(block, kind, moment, check) >= 3
    await engine.dispose()


def test_in_a_session_of_ones_own() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as conn:
        fill(conn)
        session = Session(conn)
        assert len(session.stream(ALL).all()) == PLAYERS
        session.rollback()
    engine.dispose()
