"""What a factory, a block and a session say to a wrong argument; nothing is leaked by it."""

from __future__ import annotations

import enum
import inspect
import re
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    create_engine,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    InvalidStatement,
    Session,
    SessionFactory,
    UnsupportedOption,
)

from .._notes import COUNT, Note, checked_out, create, stored


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    await create(engine)
    return AsyncSessionFactory(engine)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_wrong_engines(engine: AsyncEngine) -> None:
    wanted = "AsyncSessionFactory.. takes an AsyncEngine, not .*create_async_engine"
    for wrong in (engine.sync_engine, engine.url, str(engine.url), None, AsyncEngine, 3):
        with pytest.raises(TypeError, match=wanted):
            AsyncSessionFactory(wrong)  # type: ignore[arg-type]
    async with engine.connect() as conn:
        with pytest.raises(TypeError, match="not an AsyncConnection"):
            AsyncSessionFactory(conn)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_wrong_engines_of_the_synchronous_factory(engine: AsyncEngine) -> None:
    wanted = "SessionFactory.. takes an Engine, not .*create_engine"
    for wrong in (engine, engine.url, str(engine.url), None, Engine):
        with pytest.raises(TypeError, match=wanted):
            SessionFactory(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("wrong", ["no", None, 1])
async def test_wrong_auto_commit(engine: AsyncEngine, wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"auto_commit=.*True or False, not {wrong!r}"):
        AsyncSessionFactory(engine, auto_commit=wrong)
    with pytest.raises(TypeError, match="auto_commit="):
        SessionFactory(engine.sync_engine, auto_commit=wrong)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_wrong_connections(engine: AsyncEngine) -> None:
    for wrong in (engine, None, "conn", engine.sync_engine):
        with pytest.raises(TypeError, match=r"AsyncSession.. takes an AsyncConnection, not"):
            AsyncSession(wrong)  # type: ignore[arg-type]
    async with engine.connect() as conn:
        with pytest.raises(TypeError, match="takes an AsyncConnection, not a Connection"):
            AsyncSession(conn.sync_connection)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="takes a Connection, not an AsyncConnection"):
            Session(conn)  # type: ignore[arg-type]


async def test_with_instead_of_async_with(db: AsyncSessionFactory) -> None:
    block: Any = db.begin()
    with pytest.raises(TypeError, match="async with"), block:
        pass
    with pytest.raises(TypeError, match="async with"):
        await block
    # Neither has used it up.
    async with block as session:
        await session.execute(insert(Note), {"text": "a"})
    assert await stored(db.engine) == ["a"]


@pytest.mark.parametrize("name", ["yield_per", "stream_results"])
async def test_options_that_need_a_stream(db: AsyncSessionFactory, name: str) -> None:
    with pytest.raises(UnsupportedOption, match=name):
        db.begin(**{name: 10})
    async with db.begin() as session:
        with pytest.raises(UnsupportedOption, match=name):
            await session.execute(COUNT, execution_options={name: 10})
        with pytest.raises(UnsupportedOption, match=name):
            await session.scalars(COUNT, execution_options={name: 10})
        assert (await session.execute(COUNT)).scalar_one() == 0


@pytest.mark.parametrize("wrong", ["x", 3, [("a", 1)]])
async def test_options_that_are_no_dictionary(db: AsyncSessionFactory, wrong: Any) -> None:
    async with db.begin() as session:
        for call in (session.execute, session.scalars, session.tuples):
            with pytest.raises(TypeError, match="execution_options takes a dictionary"):
                await call(COUNT, execution_options=wrong)
        assert session.state == "open"


@pytest.mark.parametrize("wrong", ["select 1", None, Note, 3, select()])
async def test_no_statements(db: AsyncSessionFactory, wrong: Any) -> None:
    async with db.begin() as session:
        for call in (session.execute, session.scalars, session.tuples):
            with pytest.raises(InvalidStatement):
                await call(wrong)
        await session.execute(insert(Note), {"text": "a"})
    assert await stored(db.engine) == ["a"]
    assert checked_out(db.engine) == 0


NOT_HERE = {
    "add": r"session\.insert\(obj\)",
    "add_all": r"session\.insert_all\(objs\)",
    "bulk_save_objects": r"session\.insert_all\(objs\)",
    "dirty": r"session\.update\(obj\)",
    "expire": "get_one",
    "expunge": "belong to no session",
    "flush": "at once",
    "merge": r"session\.upsert\(obj\), or session\.update\(obj\)",
    "query": "select",
    "refresh": r"obj = .*session\.get_one\(Model, obj\.id\)",
    "run_sync": r"await session\.conn\.run_sync\(\.\.\.\)",
}

# On a factory, where each call is a transaction of its own.
NOT_ON_A_FACTORY = {
    "add": r"db\.insert\(obj\)",
    "add_all": r"db\.insert_all\(objs\)",
    "begin_nested": r"with db\.begin\(\) as session`, and there: .*begin_nested\(\)",
    "close": "end of a block",
    "commit": r"transaction of its own.*with db\.begin\(\) as session`, and there: .*commit\(\)",
    "connection": r"session\.connection\(\)",
    "flush": "at once",
    "in_transaction": r"session\.in_transaction\(\)",
    "merge": r"db\.upsert\(obj\), or db\.update\(obj\)",
    "query": r"db\.scalars\(select",
    "refresh": r"db\.get_one\(Model, obj\.id\)",
    "rollback": r"session\.rollback\(\)",
    "run_sync": r"(await session\.conn\.run_sync\(\.\.\.\)|: fn\(session\.conn\)\.)",
    "stream": r"with session\.stream\(statement\) as result",
    "stream_into": r"with session\.stream_into\(",
    "stream_scalars": r"with session\.stream_scalars\(",
}


@pytest.mark.parametrize("name", NOT_HERE)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_methods_of_another_session(db: AsyncSessionFactory, name: str) -> None:
    async with db.begin() as session:
        with pytest.raises(AttributeError, match=f"AsyncSession has no '{name}'.*{NOT_HERE[name]}"):
            getattr(session, name)
        assert not hasattr(session, name)
        with pytest.raises(AttributeError, match="no attribute 'typo'"):
            session.typo  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", NOT_HERE)
def test_methods_of_another_synchronous_session(name: str) -> None:
    engine = create_engine("sqlite://")
    with SessionFactory(engine).begin() as session:
        assert isinstance(session.conn, Connection)
        with pytest.raises(AttributeError, match=f"Session has no '{name}'") as raised:
            getattr(session, name)
        assert not re.search("await|async|run_sync\\(", str(raised.value))
    engine.dispose()


@pytest.mark.parametrize("name", NOT_ON_A_FACTORY)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_methods_that_a_factory_has_not(db: AsyncSessionFactory, name: str) -> None:
    wanted = NOT_ON_A_FACTORY[name]
    with pytest.raises(AttributeError, match=f"AsyncSessionFactory has no '{name}'.*{wanted}"):
        getattr(db, name)
    synchronous = SessionFactory(db.engine.sync_engine)
    with pytest.raises(AttributeError, match=f"SessionFactory has no '{name}'.*{wanted}") as raised:
        getattr(synchronous, name)
    assert "await" not in str(raised.value)
    assert "async" not in str(raised.value)
    for factory in (db, synchronous):
        assert not hasattr(factory, name)
        with pytest.raises(AttributeError, match="no attribute 'typo'"):
            factory.typo  # type: ignore[attr-defined]  # noqa: B018


async def test_async_with_instead_of_with() -> None:
    engine = create_engine("sqlite://")
    db = SessionFactory(engine)
    reading: Any = db.read()
    with pytest.raises(TypeError, match=r"Write `with db\.read\(\) as session:`"):
        async with reading:
            pass
    block: Any = db.begin()
    with pytest.raises(TypeError, match=r"Write `with db\.begin\(\) as session:`"):
        async with block:
            pass
    with db.begin() as session:
        nested: Any = session.begin_nested()
        with pytest.raises(TypeError, match=r"Write `with session\.begin_nested\(\):`"):
            async with nested:
                pass
    # It was not used up.
    with block as session:
        assert session.state == "open"
    engine.dispose()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_neither_a_factory_nor_a_session_is_callable(db: AsyncSessionFactory) -> None:
    asynchronous: Any = db
    wanted = r"`db\(\)`: an AsyncSessionFactory is not .*`async with db\.begin\(\) as session:`"
    with pytest.raises(TypeError, match=wanted):
        asynchronous(isolation_level="SERIALIZABLE")
    # as FastAPI's Depends() looks at it, when a route is added
    with pytest.raises(TypeError, match=wanted):
        inspect.signature(asynchronous)
    async with asynchronous.begin() as session:
        with pytest.raises(TypeError, match=r"`session\(\)`.*`await session\.scalars\("):
            session()
    engine = create_engine("sqlite://")
    synchronous: Any = SessionFactory(engine)
    with pytest.raises(TypeError, match=r"Factory is not.*Write `with db\.begin") as raised:
        synchronous()
    assert not re.search("await|async", str(raised.value))
    wanted = r"`session\(\)`.*Write `session\.scalars\("
    with synchronous.read() as session, pytest.raises(TypeError, match=wanted):
        session()
    engine.dispose()


async def test_an_expression_as_a_key(db: AsyncSessionFactory) -> None:
    for key in (func.abs(1), {"id": func.abs(1)}, Note.id):
        with pytest.raises(InvalidStatement, match=r"get.*was given an SQL expression"):
            await db.get(Note, key)


class Number(enum.IntEnum):
    ONE = 1


async def test_keys_of_several_types(db: AsyncSessionFactory) -> None:
    """A driver sends an array of one type; an IntEnum is an integer all the same."""
    await db.insert(Note(id=1, text="one"))
    found = await db.get_many(Note, [Number.ONE, 2], missing="none")
    assert [note and note.text for note in found] == ["one", None]


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_keys_of_which_some_are_text(db: AsyncSessionFactory) -> None:
    with pytest.raises(InvalidStatement, match=r"Note\.id are of different types, int and str"):
        await db.get_many(Note, [1, "2"])


@pytest.mark.parametrize("parameters", [None, {}])
async def test_an_update_that_sets_nothing(db: AsyncSessionFactory, parameters: Any) -> None:
    for table in (Note, Note.__table__):
        with pytest.raises(InvalidStatement, match=r"UPDATE of .* sets nothing\. Give it values"):
            await db.execute(update(table).where(Note.id == 1), parameters)


async def test_an_update_of_what_is_set_by_itself(engine: AsyncEngine) -> None:
    table = Table("seen", MetaData(), Column("id", Integer), Column("n", Integer, onupdate=7))
    async with engine.begin() as conn:
        await conn.run_sync(table.create)
    db = AsyncSessionFactory(engine)
    await db.execute(insert(table), {"id": 1, "n": 1})
    await db.execute(update(table).where(table.c.id == 1))
    assert await db.scalar(select(table.c.n)) == 7
