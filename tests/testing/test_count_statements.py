"""naked_sqla.testing.count_statements() and expect_statements()."""

# A block that fails at its end can only be written inside raises().
# ruff: noqa: PT012, SIM117
from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from naked_sqla import AsyncSession, AsyncSessionFactory, SessionFactory, TransactionRolledBack
from naked_sqla.testing import Statement, Statements, count_statements, expect_statements, sandbox

HERE = Path(__file__).name


class Base(DeclarativeBase):
    pass


class Parent(Base):
    __tablename__ = "parent"

    id: Mapped[int] = mapped_column(primary_key=True)
    children: Mapped[list[Child]] = relationship()


class Child(Base):
    __tablename__ = "child"

    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("parent.id"))


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(insert(Parent), [{"id": 1}, {"id": 2}])
        await conn.execute(insert(Child), [{"id": 1, "parent_id": 1}])
    await engine.dispose()
    return AsyncSessionFactory(engine)


def line() -> int:
    """The line that calls this."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def is_from(statement: Statement, number: int, function: str) -> bool:
    return statement.origin.endswith(f"{HERE}:{number} in {function}")


async def test_statements_count_transactions_do_not(db: AsyncSessionFactory) -> None:
    with count_statements(db) as seen:
        assert seen == []
        # The first connection asks the server for its version and the like.
        async with db.begin() as session:
            await session.execute(text("select 1"))
            async with session.begin_nested():
                await session.execute(select(Parent.id).where(Parent.id == 1))
            with pytest.raises(ZeroDivisionError):
                async with session.begin_nested():
                    raise ZeroDivisionError
        async with db.begin() as session:
            await session.rollback()
        await db.get(Parent, 1)
        await db.execute(insert(Parent).values(id=3))
    sent = [statement.sql.split()[0].upper() for statement in seen]
    assert sent == ["SELECT", "SELECT", "SELECT", "INSERT"]
    await db.get(Parent, 1)
    assert len(seen) == 4


async def test_in_a_session_that_was_open_before(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.execute(text("select 1"))
        with count_statements(db) as seen:
            await session.execute(text("select 2"))
        await session.execute(text("select 3"))
    assert [statement.sql for statement in seen] == ["select 2"]


async def test_what_loads_relationships_counts(db: AsyncSessionFactory) -> None:
    async def load() -> None:
        await db.scalars(select(Parent).options(selectinload(Parent.children)))

    with count_statements(db) as seen:
        await load()
        parents = (await db.scalars(select(Parent))).all()
        await db.preload(parents, Parent.children)
    assert len(seen) == 4
    first = load.__code__.co_firstlineno + 1
    assert all(is_from(statement, first, "load") for statement in seen[:2])
    assert not is_from(seen[2], first, "load")


async def test_streams_and_lists_of_parameters(db: AsyncSessionFactory) -> None:
    with count_statements(db) as seen:
        async with db.begin() as session:
            async with session.stream_scalars(
                select(Parent), execution_options={"yield_per": 1}
            ) as found:
                assert len(await found.all()) == 2
            await session.execute(insert(Child), [{"id": n, "parent_id": 1} for n in (7, 8, 9)])
    assert [statement.parameters for statement in seen] == [1, 3]
    assert str(seen[1]).endswith("(3 sets of parameters)")


async def deep(session: AsyncSession) -> int:
    await asyncio.sleep(0)
    await session.execute(text("select 1"))
    return line() - 1


async def test_origins(db: AsyncSessionFactory) -> None:
    with count_statements(db) as seen:
        async with db.begin() as session:
            number = await deep(session)
            task = asyncio.create_task(deep(session))
            await task
            async for _ in await session.stream(select(Parent)):
                pass
            at = line() - 2
            await session.conn.run_sync(in_sync)
        await db.scalar(text("select 3"))
        last = line() - 1
    assert is_from(seen[0], number, "deep")
    assert is_from(seen[1], number, "deep")
    assert is_from(seen[2], at, "test_origins")
    assert is_from(seen[3], in_sync.__code__.co_firstlineno + 1, "in_sync")
    assert is_from(seen[4], last, "test_origins")


def in_sync(conn: Any) -> None:
    conn.execute(text("select 2"))


async def test_expectations(db: AsyncSessionFactory) -> None:
    with expect_statements(db, max=2) as seen:
        await db.get(Parent, 1)
    assert len(seen) == 1
    with expect_statements(db, exactly=0):
        pass
    with pytest.raises(AssertionError) as caught:
        with expect_statements(db, max=2):
            for key in (1, 2):
                await db.get(Parent, key)
            await db.scalar(text("select\n  1"))
    said = str(caught.value).splitlines()
    at = test_expectations.__code__.co_firstlineno
    assert said[0] == "3 statements were sent, and at most 2 expected:"
    assert said[1].startswith("  2 x SELECT parent.id")
    assert said[2].startswith("        2 x from ")
    assert f"{HERE}:{at + 9} in test_expectations" in said[2]
    assert said[3] == "  1 x select 1"
    assert len(said) == 5
    with (
        pytest.raises(AssertionError, match=r"1 statement was sent, and 2 expected:\n  1 x SELECT"),
        expect_statements(db, exactly=2),
    ):
        await db.get(Parent, 1)
    with (
        pytest.raises(AssertionError, match=r"0 statements were sent, and 2 expected\.$"),
        expect_statements(db, exactly=2),
    ):
        pass


async def test_an_error_of_the_block_comes_out(db: AsyncSessionFactory) -> None:
    with pytest.raises(ZeroDivisionError), expect_statements(db, max=0):
        await db.get(Parent, 1)
        raise ZeroDivisionError
    with expect_statements(db, exactly=1):
        await db.get(Parent, 1)


def test_wrong_uses(sync_engine: Engine) -> None:
    db = SessionFactory(sync_engine)
    for wrong in ({}, {"max": 1, "exactly": 1}):
        with (
            pytest.raises(TypeError, match=r"either max=\.\.\. or exactly="),
            expect_statements(db, **wrong),
        ):
            pytest.fail("it is not entered")
    with pytest.raises(TypeError, match="on a factory or an engine, not 'str'"):
        count_statements("sqlite://").__enter__()  # type: ignore[arg-type]


async def test_in_a_sandbox(db: AsyncSessionFactory) -> None:
    async with sandbox(db) as boxed:
        with expect_statements(boxed, exactly=2) as seen:
            async with boxed.begin() as session:
                await session.execute(insert(Parent).values(id=3))
            await boxed.get(Parent, 3)
            at = line() - 1
    assert is_from(seen[1], at, "test_in_a_sandbox")


@pytest.mark.parametrize("backend", ["asyncpg"], indirect=True)
async def test_what_the_library_asks_for_itself_does_not_count(db: AsyncSessionFactory) -> None:
    """Before a commit after an error, it asks whether the transaction still lives."""
    with count_statements(db) as seen:
        async with db.begin() as session:
            with pytest.raises(LookupError):
                await session.conn.run_sync(fails)
            session._transaction.failure = LookupError()
        async with db.begin() as session:
            await session.conn.exec_driver_sql("SELECT 1")
    assert [statement.sql for statement in seen] == ["SELECT 1"]


def fails(_: Any) -> None:
    raise LookupError


def test_sync_and_engines(sync_engine: Engine) -> None:
    db = SessionFactory(sync_engine)
    Base.metadata.create_all(sync_engine)
    with count_statements(db) as seen, count_statements(sync_engine) as too:
        db.scalars(select(Parent).options(selectinload(Parent.children)))
        at = line() - 1
        db.execute(insert(Parent).values(id=1))
        with sync_engine.connect() as conn:
            conn.execute(text("select 1"))
    assert seen == too
    assert len(seen) == 3
    assert is_from(seen[0], at, "test_sync_and_engines")
    assert isinstance(seen, Statements)
    assert list(seen.repeated().values()) == [[statement] for statement in seen]


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_what_the_library_sends_for_itself(db: AsyncSessionFactory) -> None:
    """COPY is no statement of a cursor, and what is asked before it is not the application's."""
    with count_statements(db) as seen:
        async with db.begin() as session:
            await session.copy_in(Parent, [{"id": 7}])
            await session.scalar(select(Parent.id).where(Parent.id == 7))
            with pytest.raises(IntegrityError):
                await session.execute(insert(Parent), {"id": 7})
            # which asks whether the transaction still lives
            with pytest.raises(TransactionRolledBack):
                await session.commit()
    assert [str(one).split()[0] for one in seen] == ["SELECT", "INSERT"]


APPLICATION = """
from sqlalchemy import create_engine, text
from naked_sqla import SessionFactory
from naked_sqla.testing import count_statements, sandbox

engine = create_engine("sqlite:///count.sqlite")
with count_statements(engine) as seen, sandbox(SessionFactory(engine)) as db:
    with db.begin() as session:
        with session.begin_nested():
            session.scalar(text("select 1"))
    list(map(lambda key: db.scalar(text(f"select {key}")), [2]))
engine.dispose()
print(seen)
"""


def test_an_environment_behind_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "env").symlink_to(sys.prefix)
    (tmp_path / "checkout").symlink_to(Path(__file__).parents[2])
    app = tmp_path / "app.py"
    app.write_text(APPLICATION)
    python = tmp_path / "env" / "bin" / Path(sys.executable).name
    done = subprocess.run(
        [python, "-W", "error", app],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "checkout")},
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "  1 x select 1",
        "        1 x from app.py:10 in <module>",
        "  1 x select 2",
        "        1 x from app.py:11 in <lambda>",
    ]
