"""Methods of a session: one object by its key, ``exec()``, savepoints, the connection."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
import sqlmodel
from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    union,
    update,
)
from sqlalchemy.engine import Result, ScalarResult
from sqlalchemy.exc import ArgumentError, IntegrityError, InvalidRequestError, NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import aliased

from naked_sqla import (
    AsyncSessionFactory,
    ConcurrentSessionUse,
    InvalidSessionState,
    InvalidStatement,
    RowMismatch,
    SessionFactory,
    TransactionRolledBack,
    UnsupportedOption,
)

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere
from .._notes import Base, Note, checked_out, create, stored, stored_sync

# ruff: noqa: PT012 - what a block raises at its end is what most of these are about


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    await create(engine)
    db = AsyncSessionFactory(engine)
    await db.execute(insert(Note), [{"text": "a"}, {"text": "b"}])
    return db


@pytest.fixture
def sync_db(sync_engine: Engine) -> SessionFactory:
    Base.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    db.execute(insert(Note), [{"text": "a"}, {"text": "b"}])
    return db


@dataclass
class Words:
    text: str


# ---------------------------------------------------------------- get, scalar, into


@pytest.mark.parametrize("ident", [1, (1,), [1], {"id": 1}])
async def test_get(db: AsyncSessionFactory, ident: Any) -> None:
    async with db.begin() as session:
        note = await session.get(Note, ident)
        assert note is not None
        assert note.text == "a"
        assert (await session.get_one(Note, ident, with_for_update=True)).text == "a"
        # No identity map: each call is a statement, and another object.
        assert await session.get(Note, ident) is not note


async def test_get_nothing(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        assert await session.get(Note, 99) is None
        with pytest.raises(NoResultFound, match=r"primary key 99 of Note. Use get\(\)"):
            await session.get_one(Note, 99)


async def test_get_with_a_wrong_key(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        for ident in ((1, 2), {"key": 1}, None):
            with pytest.raises(InvalidRequestError, match="primary key"):
                await session.get(Note, ident)
        with pytest.raises(ArgumentError, match="mapped class"):
            await session.get(int, 1)


async def test_get_for_update_of_what_is_no_argument(db: AsyncSessionFactory) -> None:
    with pytest.raises(TypeError, match="dictionary of the arguments"):
        await db.get(Note, 1, with_for_update="x")  # type: ignore[arg-type]


async def test_scalar(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        assert await session.scalar(select(func.count()).select_from(Note)) == 2
        assert await session.scalar(select(Note.text).where(Note.id == 9)) is None
        note = await session.scalar(select(Note).where(Note.id == bindparam("key")), {"key": 2})
        assert note is not None
        assert note.text == "b"
        assert (await session.into(Words, select(Note.text).order_by(Note.id))).all() == [
            Words("a"),
            Words("b"),
        ]
        with pytest.raises(RowMismatch):
            await session.into(Words, select(Note.id))


async def test_one_call_after_the_other_on_a_closed_session(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        pass
    calls = {
        "scalar": (select(Note),),
        "get": (Note, 1),
        "get_one": (Note, 1),
        "exec": (select(Note),),
        "into": (Words, select(Note.text)),
        "preload": ([],),
        "connection": (),
    }
    for name, arguments in calls.items():
        with pytest.raises(InvalidSessionState, match=rf"^{name}\(\) on a closed session"):
            await getattr(session, name)(*arguments)
    assert session.in_transaction() is False


# ---------------------------------------------------------------- exec


@pytest.mark.parametrize(
    ("statement", "kind", "rows"),
    [
        (select(Note.text).order_by(Note.id), ScalarResult, ["a", "b"]),
        (select(Note.id, Note.text).order_by(Note.id), Result, [(1, "a"), (2, "b")]),
        (select(func.count(Note.id)), ScalarResult, [2]),
        (union(select(literal(1)), select(literal(2))).order_by(text("1")), ScalarResult, [1, 2]),
        (text("select text from note order by id"), ScalarResult, ["a", "b"]),
        (text("select id, text from note order by id"), Result, [(1, "a"), (2, "b")]),
        (insert(Note).values(text="c").returning(Note.text), ScalarResult, ["c"]),
        (sqlmodel.select(Note.text).order_by(Note.text), ScalarResult, ["a", "b"]),
        (sqlmodel.select(Note.id, Note.text).limit(1), Result, [(1, "a")]),
    ],
)
async def test_exec_is_decided_by_the_statement(
    db: AsyncSessionFactory, statement: Any, kind: type, rows: list[Any]
) -> None:
    for of in (db, None):
        async with db.begin() as session:
            result = await (of or session).exec(statement)
            assert isinstance(result, kind)
            assert result.all() == rows
            await session.rollback()
        await db.execute(delete(Note).where(Note.text == "c"))


async def test_exec_of_an_alias_without_a_name_and_another_column(db: AsyncSessionFactory) -> None:
    statement = select(aliased(Note), literal(7)).limit(1)
    (row,) = (await db.exec(statement)).all()
    assert row[0].text in ("a", "b")
    assert row[1] == 7


@pytest.mark.parametrize(
    "statement",
    [
        insert(Note).values(text="c"),
        update(Note).values(text=Note.text + "!"),
        delete(Note),
        text("delete from note"),
    ],
    ids=["insert", "update", "delete", "text"],
)
async def test_exec_without_rows(db: AsyncSessionFactory, statement: Any) -> None:
    result = await db.exec(statement)
    assert isinstance(result, Result)
    assert result.rowcount in (-1, 1, 2)  # type: ignore[attr-defined]


# ---------------------------------------------------------------- savepoints


async def test_savepoints(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        async with session.begin_nested():
            await session.execute(insert(Note), {"text": "kept"})
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await session.execute(insert(Note), {"text": "lost"})
                await session.execute(insert(Note), {"text": "a"})
        async with session.begin_nested():
            await session.execute(insert(Note), {"text": "outer"})
            try:
                async with session.begin_nested():
                    await session.execute(insert(Note), {"text": "inner"})
                    raise ZeroDivisionError
            except ZeroDivisionError:
                pass
        assert session.in_transaction()
        assert await session.scalar(select(func.count()).select_from(Note)) == 4
    assert await stored(db.engine) == ["a", "b", "kept", "outer"]


def test_savepoints_sync(sync_db: SessionFactory) -> None:
    with sync_db.begin() as session:
        with session.begin_nested():
            session.execute(insert(Note), {"text": "kept"})
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(insert(Note), {"text": "a"})
        assert isinstance(session.connection(), Connection)
        assert session.in_transaction()
        nested = session.begin_nested()
        with nested:
            pass
        with pytest.raises(InvalidSessionState, match=r"begin_nested\(\) returned was entered"):
            nested.__enter__()
    assert stored_sync(sync_db.engine) == ["a", "b", "kept"]


async def test_a_savepoint_that_comes_first_is_not_the_transaction(
    db: AsyncSessionFactory,
) -> None:
    """On SQLite the release of an outermost savepoint commits, unless there was a BEGIN."""
    async with db.begin() as session:
        async with session.begin_nested():
            await session.execute(insert(Note), {"text": "c"})
        await session.rollback()
    assert await stored(db.engine) == ["a", "b"]


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_a_failure_swallowed_inside_a_savepoint(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.execute(insert(Note), {"text": "before"})
        with pytest.raises(TransactionRolledBack, match="since the savepoint") as raised:
            async with session.begin_nested():
                await session.execute(insert(Note), {"text": "inside"})
                with pytest.raises(IntegrityError) as swallowed:
                    await session.execute(insert(Note), {"text": "a"})
        assert raised.value.__cause__ is swallowed.value
        await session.execute(insert(Note), {"text": "after"})
    assert await stored(db.engine) == ["a", "after", "b", "before"]


async def test_the_session_ends_inside_a_savepoint(db: AsyncSessionFactory) -> None:
    async with db.begin() as session, session.begin_nested():
        await session.execute(insert(Note), {"text": "c"})
        await session.commit()
    async with db.begin() as session:
        with pytest.raises(ZeroDivisionError):
            async with session.begin_nested():
                await session.execute(insert(Note), {"text": "d"})
                await session.rollback()
                raise ZeroDivisionError
        with pytest.raises(InvalidSessionState, match=r"begin_nested\(\) on a closed session"):
            async with session.begin_nested():
                pass
    assert await stored(db.engine) == ["a", "b", "c"]


async def test_a_savepoint_is_entered_once(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        nested = session.begin_nested()
        async with nested:
            pass
        with pytest.raises(InvalidSessionState, match="it is one savepoint"):
            async with nested:
                pass
        with pytest.raises(TypeError, match=r"Write `async with session.begin_nested\(\):`"):
            await session.begin_nested()  # type: ignore[misc]
        with pytest.raises(TypeError, match="async with"):
            session.begin_nested().__enter__()  # type: ignore[attr-defined]


async def test_a_savepoint_that_another_task_is_inside(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        with pytest.raises(ConcurrentSessionUse, match=r"begin_nested\(\) block.*'straggler'"):
            async with session.begin_nested():
                adding = session.execute(insert(Note), {"text": "c"})
                straggler = asyncio.create_task(adding, name="straggler")
                await asyncio.sleep(0)
        await straggler
        await session.execute(insert(Note), {"text": "d"})
    assert await stored(db.engine) == ["a", "b", "d"]


@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_savepoints_are_cancelled_anywhere(
    db: AsyncSessionFactory, kind: Kind, moment: Moment
) -> None:
    witness = create_async_engine(
        db.engine.url, connect_args={"timeout": 0} if db.engine.name == "sqlite" else {}
    )

    async def block() -> None:
        async with db.begin() as session:
            async with session.begin_nested():
                await session.execute(insert(Note), {"text": "new"})
            await session.rollback()

    async def check(run: Run) -> None:
        assert run.as_asked, run
        assert checked_out(db.engine) == 0
        async with witness.begin() as conn:
            if db.engine.name == "postgresql":
                await conn.execute(text("SET LOCAL lock_timeout = '5s'"))
                await conn.execute(text("LOCK TABLE note IN ACCESS EXCLUSIVE MODE"))
            else:
                await conn.exec_driver_sql("BEGIN EXCLUSIVE")
            assert (await conn.scalars(select(Note.text).order_by(Note.text))).all() == ["a", "b"]

    async def prepare() -> None:
        await db.get(Note, 1)

    assert await cancelled_everywhere(block, kind, moment, check, prepare) >= 4
    await witness.dispose()


# ---------------------------------------------------------------- the connection


async def test_core_work_in_the_same_transaction(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.execute(insert(Note), {"text": "c"})
        conn = await session.connection()
        assert isinstance(conn, AsyncConnection)
        assert conn is session.conn
        rows = await conn.execute(select(Note.__table__.c.text).where(Note.text == "c"))
        assert rows.all() == [("c",)]
        assert session.in_transaction()
        await session.rollback()
        assert not session.in_transaction()
    assert await stored(db.engine) == ["a", "b"]


# ---------------------------------------------------------------- options of an identity map


async def test_options_that_belong_to_an_identity_map(db: AsyncSessionFactory) -> None:
    harmless = {"populate_existing": True, "autoflush": False, "identity_token": None}
    async with db.begin() as session:
        assert len((await session.scalars(select(Note), execution_options=harmless)).all()) == 2
        for value in ("auto", "evaluate", "fetch", False):
            options = {"synchronize_session": value}
            change = update(Note).where(Note.id == 1).values(text=f"a{value}")
            await session.execute(change, execution_options=options)
            await session.execute(change.execution_options(synchronize_session=value))
        assert await session.scalar(select(Note.text).where(Note.id == 1)) == "aFalse"
        token = {"identity_token": "east"}
        for call in (session.execute, session.scalars, session.scalar, session.exec, db.scalars):
            with pytest.raises(UnsupportedOption, match="identity map"):
                await call(select(Note), execution_options=token)
        with pytest.raises(UnsupportedOption, match="identity map"):
            await session.get(Note, 1, execution_options=token)
        with pytest.raises(UnsupportedOption, match="identity map"):
            await session.execute(select(Note).execution_options(**token))
        with pytest.raises(InvalidStatement):
            await session.preload([], "posts")  # type: ignore[arg-type]
