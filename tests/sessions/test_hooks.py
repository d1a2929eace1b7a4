"""on_write() and after_commit(): what the application does before COMMIT, and after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Column, Engine, ForeignKey, Table, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    InvalidSessionState,
    RowGone,
    Session,
    SessionFactory,
    TransactionTimeout,
    Write,
)
from naked_sqla.testing import sandbox

from .._notes import checked_out

# ruff: noqa: PT012 - what a block raises at its end is what these are about


class Base(DeclarativeBase):
    pass


member = Table(
    "h_member",
    Base.metadata,
    Column("team_id", ForeignKey("h_team.id"), primary_key=True),
    Column("user_id", ForeignKey("h_user.id"), primary_key=True),
)


class User(Base):
    __tablename__ = "h_user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Team(Base):
    __tablename__ = "h_team"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    members: Mapped[list[User]] = relationship(secondary=member)


class Audit(Base):
    __tablename__ = "h_audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[str]


class Pair(Base):
    __tablename__ = "h_pair"

    a: Mapped[int] = mapped_column(primary_key=True)
    b: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str | None]


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    return AsyncSessionFactory(engine)


Told = list[tuple[str, str, tuple[Any, ...]]]


def short(writes: Sequence[Write]) -> Told:
    return [(write.action, write.model.__name__, write.keys) for write in writes]


async def lines(db: AsyncSessionFactory) -> list[str]:
    return await db.all(select(Audit.line).order_by(Audit.id))


# ---------------------------------------------------------------- before COMMIT


async def test_what_is_told(db: AsyncSessionFactory) -> None:
    told: list[tuple[Write, ...]] = []
    with db.on_write(lambda _, writes: told.append(tuple(writes))):
        async with db.begin() as session:
            ann = await session.insert(User(id=1, name="ann"))
            (red,) = await session.insert_all(
                [Team(id=7, name="red", members=[User(id=2, name="bob")])], Team.members
            )
            await session.update(User, 1, name="anna")
            await session.update(User, {"id": 1}, name="ann", returning=False)
            await session.update_all((u for u in [ann]), User.name, returning=False)
            await session.update_all([ann, red])
            await session.upsert({"id": 3, "name": "cy"}, model=User)
            await session.link(red, Team.members, (key for key in [1, 3]))
            await session.link(7, Team.members, [1])
            await session.unlink(7, Team.members, [ann])
            await session.relink(7, Team.members, [2, 3])
            await session.insert(Pair(a=1, b=2))
            await session.delete(Pair, (1, 2))
            await session.delete(User, 99, missing_ok=True)
            await session.delete_all([], missing_ok=True)
            assert told == []
            await session.relink(red, Team.members, [])
            await session.delete_all(u for u in [ann, User(id=2)])
    (writes,) = told
    assert short(writes) == [
        ("insert", "User", (1,)),
        ("insert", "Team", (7,)),
        ("insert", "User", (2,)),
        ("update", "User", (1,)),
        ("update", "User", (1,)),
        ("update", "User", (1,)),
        ("update", "User", (1,)),
        ("update", "Team", (7,)),
        ("upsert", "User", (3,)),
        ("link", "Team", (7,)),
        ("unlink", "Team", (7,)),
        ("insert", "Pair", ((1, 2),)),
        ("delete", "Pair", ((1, 2),)),
        ("relink", "Team", (7,)),
        ("delete", "User", (1, 2)),
    ]
    assert writes[0].objects == (ann,)
    assert [write.objects for write in writes if write.action == "unlink"] == [()]
    links = writes[9]
    assert (links.relationship, links.related, links.objects) == ("members", (1, 3), (red,))
    await db.insert(User(name="eve"))
    assert len(told) == 1


async def test_it_writes_in_the_same_transaction(db: AsyncSessionFactory) -> None:
    """Once for each session and single call, whatever it writes itself."""
    calls: list[Any] = []

    async def audit(session: AsyncSession, writes: Sequence[Write]) -> None:
        calls.append(session)
        assert session.state == "open"
        rows = [Audit(line=f"{w.action} {w.model.__name__} {w.keys}") for w in writes]
        await session.insert_all(rows)
        session.after_commit(lambda: calls.append("stored"))

    def seen(session: AsyncSession, writes: Sequence[Write]) -> None:
        assert session is calls[-1]
        assert {write.model for write in writes} == {User}

    listening = db.on_write(audit)
    second = db.on_write(seen)
    async with db.begin() as session:
        await session.insert(User(id=1, name="a"))
        with pytest.raises(RuntimeError):
            async with session.begin_nested():
                await session.insert(User(id=2, name="b"))
                raise RuntimeError
        async with session.begin_nested():
            await session.insert(User(id=3, name="c"))
        with pytest.raises(RowGone):
            await session.update(User, 99, name="x")
        await session.scalars(select(User))
    assert calls == [session, "stored"]
    assert await lines(db) == ["insert User (1,)", "insert User (3,)"]
    stored = await db.with_options().insert(User(id=4, name="d"))
    assert stored.id == 4
    async with db.begin() as session:
        await session.delete(User, 4)
        await session.commit()
        assert calls[-1] == "stored"
    assert calls[-2:] == [session, "stored"]
    assert (await lines(db))[2:] == ["insert User (4,)", "delete User (4,)"]
    async with db.begin() as session:
        await session.scalars(select(User))
    async with db.begin() as session:
        await session.insert(User(id=9, name="z"))
        await session.rollback()
    with pytest.raises(KeyError):
        async with db.begin() as session:
            await session.insert(User(id=9, name="z"))
            raise KeyError
    assert len(calls) == 6
    listening.stop()
    second.stop()
    second.stop()
    await db.insert(User(id=20, name="q"))
    assert len(calls) == 6
    assert checked_out(db.engine) == 0


@pytest.mark.parametrize("by_hand", [False, True])
async def test_what_it_raises_rolls_back(db: AsyncSessionFactory, by_hand: bool) -> None:
    ran: list[str] = []

    async def refuse(session: AsyncSession, writes: Sequence[Write]) -> None:
        await session.insert(Audit(line="x"))
        raise LookupError("no")

    with db.on_write(refuse):
        with pytest.raises(LookupError, match="no"):
            async with db.begin() as session:
                session.after_commit(lambda: ran.append("after"))
                await session.insert(User(name="a"))
                if by_hand:
                    await session.commit()
        assert session.outcome == "rolled_back"
        with pytest.raises(LookupError, match="no"):
            await db.insert(User(name="a"))
    assert (await db.count(select(User)), await lines(db), ran) == (0, [], [])
    assert checked_out(db.engine) == 0


async def test_within_the_time_limit(db: AsyncSessionFactory) -> None:
    """It is a part of the block; the functions of after_commit() are not."""
    ran: list[str] = []

    async def hang(session: AsyncSession, writes: Sequence[Write]) -> None:
        await asyncio.Event().wait()

    async def after() -> None:
        await asyncio.sleep(0)
        ran.append("after")

    with db.on_write(hang), pytest.raises(TransactionTimeout):
        async with db.begin(timeout=0.2) as session:
            await session.insert(User(name="a"))
    assert await db.count(select(User)) == 0
    async with db.begin(timeout=20) as session:
        session.after_commit(after)
        await session.insert(User(name="a"))
    assert ran == ["after"]


# ---------------------------------------------------------------- after COMMIT


async def test_after_commit(db: AsyncSessionFactory, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[Any] = []

    async def later() -> None:
        # the connection is back, and what was written is there
        ran.append((checked_out(db.engine), await db.count(select(User))))

    def fail() -> None:
        raise ValueError("in after_commit")

    caplog.set_level(logging.ERROR, "naked_sqla")
    async with db.begin() as session:
        session.after_commit(lambda: ran.append(session.outcome))
        session.after_commit(fail)
        session.after_commit(later)
        await session.insert(User(name="a"))
        with pytest.raises(KeyError):
            async with session.begin_nested():
                session.after_commit(lambda: ran.append("rolled back"))
                async with session.begin_nested():
                    session.after_commit(lambda: ran.append("kept inside"))
                raise KeyError
        async with session.begin_nested():
            session.after_commit(lambda: ran.append("kept"))
        assert ran == []
    assert ran == ["committed", (0, 1), "kept"]
    (record,) = caplog.records
    assert "after_commit() failed, after COMMIT" in record.getMessage()
    assert record.exc_info is not None
    with pytest.raises(InvalidSessionState, match=r"after_commit\(\) on a closed session"):
        session.after_commit(fail)

    async with db.begin() as session:
        session.after_commit(lambda: ran.append("by hand"))
        await session.commit()
        assert ran[-1] == "by hand"
    ran.clear()
    async with AsyncSessionFactory(db.engine, auto_commit=False).begin() as session:
        session.after_commit(lambda: ran.append("not committed"))
    async with db.begin() as session:
        session.after_commit(lambda: ran.append("rolled back"))
        await session.rollback()
    with pytest.raises(IntegrityError):
        async with db.begin() as session:
            session.after_commit(lambda: ran.append("failed"))
            await session.insert(User(name="a"))
    async with db.engine.connect() as conn:
        session = AsyncSession(conn)
        session.after_commit(lambda: ran.append("joined"))
        await session.commit()
    assert ran == ["joined"]
    assert await db.run(_work, ran) == "done"
    assert ran == ["joined", "run"]


async def _work(session: AsyncSession, ran: list[Any]) -> str:
    session.after_commit(lambda: ran.append("run"))
    return "done"


async def test_cancelled(db: AsyncSessionFactory) -> None:
    """Cancelled in a function: the rest is left out, and all is stored."""
    ran: list[str] = []

    async def cancelled() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    async def work() -> None:
        async with db.begin() as session:
            session.after_commit(cancelled)
            session.after_commit(lambda: ran.append("left out"))
            await session.insert(User(name="a"))

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())
    assert (await db.count(select(User)), ran) == (1, [])


async def test_on_several_databases(db: AsyncSessionFactory, tmp_path: Any) -> None:
    class Other(DeclarativeBase):
        __bind_key__ = "other"

    class Visit(Other):
        __tablename__ = "visit"

        id: Mapped[int] = mapped_column(primary_key=True)

    other = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/other.db")
    async with other.begin() as conn:
        await conn.run_sync(Other.metadata.create_all)
    both = AsyncSessionFactory(db.engine, binds={"other": other})
    told: list[Any] = []
    both.on_write(lambda session, writes: told.append((session, short(writes))))
    async with both.begin() as session:
        await session.insert(User(id=1, name="a"))
        with pytest.raises(KeyError):
            async with session.begin_nested():
                await session.insert(Visit(id=1))
                session.after_commit(lambda: told.append("no"))
                raise KeyError
        await session.insert(Visit(id=2))
        session.after_commit(lambda: told.append("after"))
    assert told == [(session, [("insert", "User", (1,)), ("insert", "Visit", (2,))]), "after"]
    await both.insert(Visit(id=3))
    assert told[-1][1] == [("insert", "Visit", (3,))]
    await other.dispose()


async def test_beside_observers(db: AsyncSessionFactory) -> None:
    told: list[Any] = []
    with db.observe(lambda event: told.append(type(event).__name__)):
        listening = db.on_write(lambda session, writes: told.append(short(writes)))
        async with db.begin() as session:
            await session.insert(User(id=1, name="a"))
        await db.insert(User(id=2, name="b"))
        listening.stop()
    assert told == [
        "BeginEvent", "StatementEvent", [("insert", "User", (1,))], "CommitEvent",
        "BeginEvent", "StatementEvent", [("insert", "User", (2,))], "CommitEvent",
    ]  # fmt: skip


async def test_in_a_sandbox(db: AsyncSessionFactory) -> None:
    told: list[Any] = []
    with db.on_write(lambda session, writes: told.append(short(writes))):
        async with sandbox(db) as inside:
            await inside.insert(User(id=1, name="a"))
            async with inside.begin() as session:
                session.after_commit(lambda: told.append("after"))
                await session.insert(User(id=2, name="b"))
            with pytest.raises(KeyError):
                async with inside.begin() as session:
                    session.after_commit(lambda: told.append("no"))
                    await session.insert(User(id=3, name="c"))
                    raise KeyError
    assert told == [[("insert", "User", (1,))], [("insert", "User", (2,))], "after"]


def test_wrong_functions(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)

    async def awaited(*args: Any) -> None: ...

    db = SessionFactory(sync_engine)
    for wrong in (None, "x", awaited):
        with pytest.raises(TypeError, match=r"on_write\(\) takes a function that is not async"):
            db.on_write(wrong)  # type: ignore[arg-type]
        with db.begin() as session, pytest.raises(TypeError, match="takes a function"):
            session.after_commit(wrong)  # type: ignore[arg-type]
    ran: list[Any] = []

    def audit(session: Session, writes: Sequence[Write]) -> None:
        session.insert(Audit(line=str(short(writes))))

    with db.on_write(audit), db.begin() as session:
        session.insert(User(id=1, name="a"))
        session.after_commit(lambda: ran.append(session.outcome))
    assert ran == ["committed"]
    assert db.all(select(Audit.line)) == ["[('insert', 'User', (1,))]"]
