"""Execution options of writing by object: each statement of a call has them."""

from __future__ import annotations

import inspect as inspection
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Column, Engine, ForeignKey, Table, create_engine, event, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.orm.exc import StaleDataError

from naked_sqla import (
    AsyncSessionFactory,
    InvalidBind,
    InvalidSessionState,
    SessionFactory,
    UnsupportedOption,
)
from naked_sqla.sessions._async.writes import AsyncWrites

from .._postgres import own_schema

on_postgresql = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)

Options = dict[str, Any]


class Base(DeclarativeBase):
    pass


labels_of_notes = Table(
    "labels_of_notes",
    Base.metadata,
    Column("note", ForeignKey("note.id"), primary_key=True),
    Column("label", ForeignKey("label.id"), primary_key=True),
)


class Label(Base):
    __tablename__ = "label"

    id: Mapped[int] = mapped_column(primary_key=True)


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(unique=True)
    size: Mapped[int] = mapped_column(default=0)
    made: Mapped[str] = mapped_column(server_default="now")
    labels: Mapped[list[Label]] = relationship(secondary=labels_of_notes)


class Ticket(Base):
    __tablename__ = "ticket"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str | None]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class Animal(Base):
    __tablename__ = "animal"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str | None]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}


class Cat(Animal):
    __tablename__ = "cat"

    id: Mapped[int] = mapped_column(ForeignKey("animal.id"), primary_key=True)
    lives: Mapped[int] = mapped_column(default=9)
    __mapper_args__ = {"polymorphic_identity": "cat"}


Call = Callable[..., Any]


def caller(face: Any, options: Options) -> Call:
    """Calls a method of any face with execution options, and awaits what is to be awaited."""

    async def call(name: str, /, *args: Any, **kwargs: Any) -> Any:
        value = getattr(face, name)(*args, execution_options=options, **kwargs)
        return await value if inspection.isawaitable(value) else value

    return call


@contextmanager
def another_schema(engine: Engine, request: pytest.FixtureRequest, path: Path) -> Iterator[str]:
    """A schema that nobody finds who does not name it."""
    if engine.dialect.name == "postgresql":
        with own_schema(request.getfixturevalue("postgres_server")) as schema:
            yield schema
        return

    @event.listens_for(engine, "connect")
    def attach(raw: Any, _: Any) -> None:
        cursor = raw.cursor()
        cursor.execute(f"ATTACH DATABASE '{path / 'elsewhere.sqlite'}' AS elsewhere")
        cursor.close()

    yield "elsewhere"


@pytest.fixture
async def elsewhere(
    engine: AsyncEngine, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Options]:
    with another_schema(engine.sync_engine, request, tmp_path) as schema:
        options = {"schema_translate_map": {None: schema}}
        async with engine.connect() as conn:
            await conn.execution_options(**options)
            await conn.run_sync(Base.metadata.create_all)
            await conn.commit()
        yield options


@pytest.fixture
def sync_elsewhere(
    sync_engine: Engine, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Options]:
    with another_schema(sync_engine, request, tmp_path) as schema:
        options = {"schema_translate_map": {None: schema}}
        with sync_engine.connect() as conn:
            Base.metadata.create_all(conn.execution_options(**options))
            conn.commit()
        yield options


# ---------------------------------------------------------------- in another schema


async def scenario(call: Call) -> None:
    """Every method, on tables that are nowhere else: what is not translated is not there."""
    one = await call("insert", Note(text="one"))
    assert (one.size, one.made) == (0, "now")
    several = await call("insert_all", [Note(text="two"), Note(text="three")], batch_size=1)
    for size, note in enumerate(several):
        note.size = size
    # loaded objects of one kind: arrays on PostgreSQL
    assert [n.size for n in await call("update_all", several, "size")] == [0, 1]
    assert await call("update_all", several, "size", returning=False) == 2
    assert await call("update_all", [{"id": one.id, "size": 5}], model=Note, returning=False) == 1
    assert (await call("update", Note, one.id, size=Note.size + 1)).size == 6
    assert await call("update", one, Note.size, returning=False) == 1
    assert (await call("upsert", Note(text="one", size=7), on="text")).size == 7
    kept = await call("upsert_all", [Note(text="one"), Note(text="new")], on="text", update=[])
    assert [note.size for note in kept] == [7, 0]

    tickets = await call("insert_all", [Ticket(text=str(i)) for i in range(3)])
    assert {t.version for t in await call("update_all", tickets, "text")} == {2}
    with pytest.raises(StaleDataError):
        await call("update", tickets[0], "text")
    with pytest.raises(StaleDataError):
        await call("delete_all", tickets)
    assert await call("delete", Ticket, tickets[0].id)

    cats = await call("insert_all", [Cat(name="a"), Cat(name="b", lives=8)])
    assert (await call("update", Cat, cats[0].id, lives=3, name="c")).lives == 3
    assert [cat.name for cat in await call("update_all", cats, "name", "lives")] == ["a", "b"]
    assert await call("delete", cats[0])
    # a row of a subclass, whose table is looked at too
    assert await call("delete", Animal, cats[1].id)
    assert not await call("delete", Animal, cats[1].id, missing_ok=True)
    assert await call("delete_all", [*kept, *several]) == 4


async def test_the_schema_is_translated_for_each_statement(
    engine: AsyncEngine, elsewhere: Options
) -> None:
    db = AsyncSessionFactory(engine)
    await scenario(caller(db, elsewhere))
    async with db.begin() as session:
        await scenario(caller(session, elsewhere))
    assert await db.scalar(select(func.count(Ticket.id)), execution_options=elsewhere) == 4


async def test_the_schema_is_translated_for_each_statement_sync(
    sync_engine: Engine, sync_elsewhere: Options
) -> None:
    db = SessionFactory(sync_engine)
    await scenario(caller(db, sync_elsewhere))
    with db.begin() as session:
        await scenario(caller(session, sync_elsewhere))


@on_postgresql
async def test_copy_in_translates_the_schema(engine: AsyncEngine, elsewhere: Options) -> None:
    db = AsyncSessionFactory(engine)

    async def rows() -> AsyncIterator[dict[str, Any]]:
        for i in range(3):
            yield {"text": f"async {i}"}

    assert await db.copy_in(Note, rows(), execution_options=elsewhere) == 3
    given = [Note(text="a", size=1)]
    assert await db.copy_in(Note, given, columns=["text", "size"], execution_options=elsewhere) == 1
    assert await db.scalar(select(func.sum(Note.size)), execution_options=elsewhere) == 1
    assert await db.scalar(select(func.count(Note.id)), execution_options=elsewhere) == 4


async def test_options_hold_for_the_call_alone(engine: AsyncEngine, elsewhere: Options) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    async with AsyncSessionFactory(engine).begin() as session:
        await session.insert(Note(text="there"), execution_options=elsewhere)
        await session.insert(Note(text="here"))
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await session.insert(Note(text="there"), execution_options=elsewhere)
        assert (await session.scalars(select(Note.text))).all() == ["here"]
        there = await session.scalars(select(Note.text), execution_options=elsewhere)
        assert there.all() == ["there"]


async def test_events_see_the_options(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    seen: list[Any] = []
    arrays: list[bool] = []

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def before(conn: Any, cursor: Any, sql: str, params: Any, context: Any, many: bool) -> None:
        seen.append(context.execution_options.get("mine"))
        arrays.append("unnest" in sql)

    db = AsyncSessionFactory(engine)
    notes = await db.insert_all([Note(text="a"), Note(text="b")], execution_options={"mine": 1})
    await db.update_all(notes, "size", execution_options={"mine": 2})
    await db.delete_all(notes, execution_options={"mine": 3})
    await db.insert(Note(text="c"), execution_options={})
    assert list(dict.fromkeys(seen)) == [1, 2, 3, None]
    assert any(arrays) is (engine.dialect.name == "postgresql")


# ---------------------------------------------------------------- in another database


@pytest.fixture
async def other(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AsyncEngine]:
    """A second SQLite database, besides whatever the first one is."""
    engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(tmp_path / "b.db")))
    yield engine
    await engine.dispose()


async def test_a_bind_key_names_the_database(engine: AsyncEngine, other: AsyncEngine) -> None:
    for database in (engine, other):
        async with database.begin() as conn:
            await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine, binds={"other": other})
    there = {"bind_key": "other"}
    await scenario(caller(db, there))
    async with db.begin() as session:
        await scenario(caller(session, there))
        await session.insert(Note(text="here"))
    assert await db.scalar(select(func.count(Ticket.id))) == 0
    assert await db.scalar(select(func.count(Ticket.id)), execution_options=there) == 4
    assert await db.scalar(select(Note.text)) == "here"
    with pytest.raises(InvalidBind, match="'elsewhere'"):
        await db.insert(Note(text="x"), execution_options={"bind_key": "elsewhere"})
    with pytest.raises(InvalidBind, match="only one"):
        await AsyncSessionFactory(engine).insert(Note(text="x"), execution_options=there)


async def test_a_bind_key_names_the_database_sync(tmp_path: Path) -> None:
    engines = [create_engine(f"sqlite:///{tmp_path / name}.db") for name in ("a", "b")]
    try:
        for engine in engines:
            Base.metadata.create_all(engine)
        db = SessionFactory(engines[0], binds={"other": engines[1]})
        with db.begin() as session:
            await scenario(caller(session, {"bind_key": "other"}))
        await scenario(caller(db, {"bind_key": "other"}))
        assert db.scalar(select(func.count(Ticket.id))) == 0
    finally:
        for engine in engines:
            engine.dispose()


# ---------------------------------------------------------------- what is refused

CALLS: dict[str, tuple[Any, ...]] = {
    "insert": (Note(text="x"),),
    "insert_all": ([Note(text="x")],),
    "update": (Note, 1, {"text": "x"}),
    "update_all": ([Note(id=1, text="x")],),
    "upsert": (Note(text="x"),),
    "upsert_all": ([Note(text="x")],),
    "delete": (Note, 1),
    "delete_all": ([Note(id=1)],),
    "copy_in": (Note, [{"text": "x"}]),
    **dict.fromkeys(("link", "unlink", "relink"), (Note(id=1), Note.labels, [1])),
}

REFUSED: list[tuple[Any, type[Exception], str]] = [
    ("x", TypeError, "takes a dictionary"),
    ([("mine", 1)], TypeError, "takes a dictionary"),
    ({"yield_per": 10}, UnsupportedOption, "stream"),
    ({"stream_results": True}, UnsupportedOption, "stream"),
    ({"max_row_buffer": 10}, UnsupportedOption, "stream"),
    ({"identity_token": 1}, UnsupportedOption, "identity map"),
    ({"isolation_level": "SERIALIZABLE"}, UnsupportedOption, "begin"),
    ({"logging_token": "x"}, UnsupportedOption, "begin"),
    ({"render_nulls": True}, UnsupportedOption, "null()"),
]


def test_all_methods_are_tried() -> None:
    written = {name for cls in AsyncWrites.__mro__[:-1] for name in vars(cls)}
    # notify() takes no options
    assert {*CALLS, "notify"} == {name for name in written if not name.startswith("_")}


@pytest.mark.parametrize("name", CALLS)
async def test_what_is_not_followed_is_refused(name: str, engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)
    sync = SessionFactory(create_engine("sqlite://"))
    async with db.begin() as session:
        for options, error, said in REFUSED:
            for face in (db, session, sync):
                with pytest.raises(error, match=said):
                    await caller(face, options)(name, *CALLS[name])
    async with db.read() as reading:
        with pytest.raises(InvalidSessionState, match="only reads"):
            await caller(reading, {"mine": 1})(name, *CALLS[name])


@pytest.mark.parametrize("name", ["isolation_level", "logging_token", "postgresql_readonly"])
async def test_a_statement_refuses_what_holds_for_a_connection(
    name: str, engine: AsyncEngine
) -> None:
    """SQLAlchemy drops it, and each statement runs as if it were not there."""
    db = AsyncSessionFactory(engine)
    with pytest.raises(UnsupportedOption, match=rf"begin\({name}="):
        await db.scalars(select(1), execution_options={name: "SERIALIZABLE"})
    async with db.begin() as session:
        with pytest.raises(UnsupportedOption, match=rf"begin\({name}="):
            await session.stream(select(1), execution_options={name: "SERIALIZABLE"})
