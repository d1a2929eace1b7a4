"""The direct way: a SELECT that has run before, straight to the driver and the hydrator.

The same objects, keys and errors as SQLAlchemy's way; which of the two was taken is asserted.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

import pytest
from sqlalchemy import (
    Connection,
    Engine,
    ForeignKey,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    literal_column,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.ext.asyncio import AsyncSession as OrmSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    mapped_column,
    relationship,
    selectinload,
    with_loader_criteria,
)

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    RowMismatch,
    Session,
    SessionFactory,
    UnknownAttribute,
)
from naked_sqla.read import direct, fetching
from naked_sqla.testing import count_statements

from .._notes import checked_out
from ..oracle import Comparison, Oracle, all_rows, unique_rows
from .test_oracle_eager import CASES
from .test_oracle_statements import ALL


@dataclass
class Ways:
    """How many statements went the direct way, and how many could not; further ones beside."""

    direct: int = 0
    sqlalchemys: int = 0
    further: int = field(default=0, compare=False)
    further_sqlalchemys: int = field(default=0, compare=False)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    counted, run = Ways(), direct.run

    def counting(*args: Any) -> Any:
        found = run(*args)
        if found is None:
            counted.sqlalchemys += 1
        else:
            counted.direct += 1
        return found

    run_further = fetching.run

    def counting_further(*args: Any) -> Any:
        found = run_further(*args)
        if found is None:
            counted.further_sqlalchemys += 1
        else:
            counted.further += 1
        return found

    monkeypatch.setattr(direct, "run", counting)
    monkeypatch.setattr(fetching, "run", counting_further)
    return counted


# ---------------------------------------------------------------- next to the ORM

STATEMENTS: dict[str, Callable[[], Any]] = {
    **ALL,
    **{f"eager {name}": make for name, (make, _) in CASES.items()},
}

HAS_A_WAY = ("sqlite", "asyncpg", "psycopg")


@pytest.fixture(scope="module")
def quiet(oracle: Oracle) -> Iterator[AsyncEngine]:
    """An engine that nobody has ever listened to."""
    engine = create_async_engine(oracle.engine.url, enable_from_linting=False)
    yield engine
    oracle.run(engine.dispose())


@pytest.fixture(scope="module")
def quiet_sync(oracle: Oracle) -> Iterator[Engine | None]:
    """A synchronous engine on the same database, where the driver has such a face."""
    names = {"sqlite": "sqlite+pysqlite", "psycopg": "postgresql+psycopg"}
    if oracle.backend not in names:
        yield None
        return
    url = oracle.engine.url.set(drivername=names[oracle.backend])
    engine = create_engine(url, enable_from_linting=False)
    yield engine
    engine.dispose()


def outcome_sync(engine: Engine, statement: Any, read: Any) -> Any:
    with engine.connect() as conn:
        try:
            found = read(Session(conn).execute(statement))
        except Exception as error:  # noqa: BLE001 - it is compared
            return error
        found["rows"].sort(key=repr_of)
        return found


async def outcome(make_session: Any, engine: AsyncEngine, statement: Any, read: Any) -> Any:
    async with engine.connect() as conn:
        session = make_session(conn)
        try:
            found = read(await session.execute(statement))
        except Exception as error:  # noqa: BLE001 - it is compared
            return error
        found["rows"].sort(key=repr_of)
        return found


def repr_of(row: Any) -> str:
    from .test_oracle_ways import _key

    return repr(_key(row))


@pytest.mark.parametrize("name", STATEMENTS)
def test_both_ways_next_to_the_orm(
    oracle: Oracle, quiet: AsyncEngine, quiet_sync: Engine | None, name: str, ways: Ways
) -> None:
    make, read = STATEMENTS[name], unique_rows if name.startswith("eager") else all_rows
    theirs = oracle.run(outcome(lambda conn: OrmSession(bind=conn), quiet, make(), read))

    def of_the_async_face() -> Any:
        return oracle.run(outcome(AsyncSession, quiet, make(), read))

    def of_the_sync_face() -> Any:
        assert quiet_sync is not None
        return outcome_sync(quiet_sync, make(), read)

    for run in (of_the_async_face, *([of_the_sync_face] if quiet_sync is not None else ())):
        for _ in range(3):
            ways.direct = ways.further = ways.further_sqlalchemys = 0
            ours = run()
            if isinstance(theirs, Exception):
                assert type(ours) is type(theirs)
                continue
            assert not isinstance(ours, Exception), ours
            found = list(Comparison(theirs["rows"]).differences(theirs, ours))
            assert not found, "\n".join(found[:10])
        expected = (
            oracle.backend in HAS_A_WAY
            and not isinstance(theirs, Exception)
            and has_a_way(make(), quiet)
        )
        assert bool(ways.direct) is expected
        assert not (expected and ways.further_sqlalchemys)


def has_a_way(statement: Any, engine: AsyncEngine) -> bool:
    """Whether a statement has a direct way: a SELECT without options, whose SQL tells its columns
    and has no list of values."""
    if type(statement).__name__ != "Select" or statement.get_execution_options():
        return False
    compiled: Any = statement.compile(dialect=engine.dialect)
    values = compiled.post_compile_params or compiled.literal_execute_params
    star = any(str(column) == "*" for column in statement._raw_columns)
    return not (values or star) and statement._generate_cache_key() is not None


# ---------------------------------------------------------------- which way is taken


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    number: Mapped[int]
    tags: Mapped[list[Tag]] = relationship(back_populates="note", order_by="Tag.id")


class Tag(Base):
    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("note.id"))
    word: Mapped[str]
    note: Mapped[Note] = relationship(back_populates="tags")


TAGS = [{"id": n, "note_id": n // 2, "word": f"word {n}"} for n in range(10)]
ROWS = [{"id": n, "text": f"note {n}", "number": n} for n in range(5)]


@pytest.fixture
async def filled(engine: AsyncEngine) -> AsyncEngine:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(insert(Note), ROWS)
        await conn.execute(insert(Tag), TAGS)
    return engine


def fill(engine: Engine) -> None:
    with engine.begin() as conn:
        Base.metadata.create_all(conn)
        conn.execute(insert(Note), ROWS)
        conn.execute(insert(Tag), TAGS)


ONE = select(Note).where(Note.id == bindparam("key"))

TAKEN: dict[str, Callable[[AsyncSession], Any]] = {
    "entity": lambda s: s.scalars(ONE, {"key": 1}),
    "value in the statement": lambda s: s.scalars(select(Note).where(Note.id == 1)),
    "columns": lambda s: s.execute(select(Note.id, Note.text).where(Note.id == 1)),
    "expression": lambda s: s.execute(select(Note.id, Note.number + 1).where(Note.id == 1)),
    "get": lambda s: s.get(Note, 1),
    "limit": lambda s: s.scalars(select(Note).order_by(Note.id).limit(1).offset(1)),
}
backends_with_a_way = pytest.mark.parametrize("backend", HAS_A_WAY, indirect=True)


async def test_rows_with_an_alias_stay_of_one_class(filled: AsyncEngine) -> None:
    def made() -> tuple[Any, Any]:
        other = aliased(Note)
        statement = select(Note, other).join(other, other.id == Note.id + 1).order_by(Note.id)
        return other, statement

    db = AsyncSessionFactory(filled)
    (first, statement), (second, another) = made(), made()
    kinds = {type(row) for _ in range(4) for row in await db.tuples(statement)}
    assert len(kinds) == 1
    for alias, asked in ((second, another), (first, statement), (second, another)):
        rows = await db.tuples(asked)
        assert [row._mapping[alias].id for row in rows] == [1, 2, 3, 4]


@backends_with_a_way
@pytest.mark.parametrize("name", TAKEN)
async def test_taken_the_second_time(filled: AsyncEngine, ways: Ways, name: str) -> None:
    db = AsyncSessionFactory(filled)
    async with db.begin() as session:
        await TAKEN[name](session)
        assert ways == Ways(0, 1)
        await TAKEN[name](session)
        assert ways == Ways(1, 1)
        async with session.begin_nested():
            await TAKEN[name](session)
        assert ways == Ways(2, 1)
    single: Any = db
    await TAKEN[name](single)
    assert ways == Ways(3, 1)
    async with db.read() as reader:
        await TAKEN[name](reader)  # type: ignore[arg-type]
    assert ways == Ways(4, 1)


@pytest.mark.parametrize("name", TAKEN)
def test_taken_on_the_synchronous_face(sync_engine: Engine, ways: Ways, name: str) -> None:
    fill(sync_engine)
    db: Any = SessionFactory(sync_engine)
    with db.begin() as session:
        TAKEN[name](session)
        TAKEN[name](session)
    assert ways == Ways(1, 1)
    TAKEN[name](db)
    assert ways == Ways(2, 1)


class Connects:
    """How many connections of SQLAlchemy's were made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number, init = 0, Connection.__init__

        def counting(conn: Connection, *args: Any, **more: Any) -> None:
            self.number += 1
            init(conn, *args, **more)

        monkeypatch.setattr(Connection, "__init__", counting)


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> Connects:
    return Connects(monkeypatch)


@backends_with_a_way
@pytest.mark.parametrize("name", TAKEN)
async def test_a_single_call_needs_no_connection_of_sqlalchemys(
    filled: AsyncEngine, ways: Ways, connects: Connects, name: str
) -> None:
    db: Any = AsyncSessionFactory(filled)
    for _ in range(2):
        await TAKEN[name](db)
    connects.number = 0
    await TAKEN[name](db)
    assert (connects.number, ways) == (0, Ways(2, 1))
    # what is not known yet is run on the connection that the pool gave
    await db.scalars(select(Note).where(Note.number == 7))
    assert (connects.number, ways) == (1, Ways(2, 2))
    assert checked_out(filled) == 0


def test_a_single_call_needs_none_on_the_synchronous_face(
    sync_engine: Engine, connects: Connects
) -> None:
    fill(sync_engine)
    db = SessionFactory(sync_engine)
    for _ in range(2):
        db.scalars(ONE, {"key": 1})
    connects.number = 0
    assert db.scalars(ONE, {"key": 1}).one().text == "note 1"
    assert connects.number == 0


@backends_with_a_way
@pytest.mark.parametrize("name", ["checkout", "checkin", "reset", "class", "log"])
async def test_where_somebody_could_tell_a_single_call_makes_one(
    filled: AsyncEngine, connects: Connects, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    db = AsyncSessionFactory(filled)
    for _ in range(2):
        await db.scalars(ONE, {"key": 1})
    connects.number = 0
    told: list[Any] = []

    def listener(*args: Any) -> None:
        told.append(args)

    subject: Any = filled.sync_engine.pool
    if name == "class":
        subject, name = Connection, "commit"
    if name == "log":
        caplog.set_level(logging.INFO, "sqlalchemy.engine")
    else:
        event.listen(subject, name, listener)
    try:
        assert (await db.scalars(ONE, {"key": 1})).one().text == "note 1"
    finally:
        if name != "log":
            event.remove(subject, name, listener)
        # SQLAlchemy leaves the mark where it was
        Connection._has_events = False
    assert connects.number == 1
    assert bool(told) is (name in ("checkout", "checkin", "reset"))


@backends_with_a_way
async def test_options_of_a_factory(filled: AsyncEngine, ways: Ways, backend: str) -> None:
    """An option that says how a statement runs is heeded by a single call, too."""
    schema = (
        "main"
        if backend == "sqlite"
        else await AsyncSessionFactory(filled).scalar(select(func.current_schema()))
    )
    db = AsyncSessionFactory(filled)
    for _ in range(2):
        await db.scalars(ONE, {"key": 1})
    assert ways.direct == 1
    for name, fails in ((schema, False), ("no_such_schema", True)):
        other = db.with_options(execution_options={"schema_translate_map": {None: name}})
        for _ in range(2):
            if fails:
                with pytest.raises(DBAPIError):
                    await other.scalars(ONE, {"key": 1})
            else:
                assert (await other.scalars(ONE, {"key": 1})).one().text == "note 1"
    assert ways.direct == 1


def of_number(n: int) -> Any:
    return with_loader_criteria(Note, lambda cls: cls.number >= n)


@backends_with_a_way
@pytest.mark.parametrize(
    "make", [of_number, lambda n: with_loader_criteria(Note, Note.number >= n)]
)
async def test_with_criteria(filled: AsyncEngine, ways: Ways, make: Any) -> None:
    statement = select(Note).where(Note.id > bindparam("key")).order_by(Note.id)
    db = AsyncSessionFactory(filled)
    for _ in range(2):
        assert len((await db.scalars(statement, {"key": 1})).all()) == 3
    for n in (2, 3, 4, 2):
        filtered = db.with_options(make(n))
        wanted = [each for each in range(2, 5) if each >= n]
        found = await filtered.scalars(statement, {"key": 1})
        assert [note.id for note in found] == wanted
        assert await filtered.get(Note, n - 1) is None
        async with filtered.begin() as session:
            assert [note.id for note in await session.scalars(statement, {"key": 1})] == wanted
            assert (await session.get_one(Note, n)).id == n
    # all but the first of each form
    assert ways == Ways(1 + 4 * 4 - 2, 1 + 2)
    assert len((await db.scalars(statement, {"key": 1})).all()) == 3


@backends_with_a_way
async def test_after_a_single_call_transactions_are_as_before(filled: AsyncEngine) -> None:
    """Its statement runs in autocommit, on PostgreSQL; and so does one that fails."""
    db = AsyncSessionFactory(create_async_engine(filled.url, pool_size=1, max_overflow=0))
    broken = select(Note.id, literal_column("1") / (Note.number - bindparam("n")))
    for _ in range(3):
        await db.scalars(ONE, {"key": 1})
    for n in (9, 9, 1, 9):
        with contextlib.suppress(DBAPIError):
            await db.execute(broken, {"n": n})
        async with db.begin() as session:
            await session.execute(insert(Note), {"id": 100, "text": "", "number": 0})
            await session.rollback()
        assert await db.get(Note, 100) is None
    await db.engine.dispose()


@backends_with_a_way
async def test_the_values_are_those_in_hand(filled: AsyncEngine, ways: Ways) -> None:
    async with AsyncSessionFactory(filled).begin() as session:
        for n in range(4):
            statement = select(Note.id, Note.number + n).where(Note.id == n)
            assert (await session.execute(statement)).all() == [(n, n + n)]
            found = await session.scalars(ONE, {"key": n})
            assert found.one().text == f"note {n}"
            given = select(Note).where(Note.id == bindparam("wanted", 3))
            assert (await session.scalars(given)).one().id == 3
            assert (await session.scalars(given, {"wanted": n})).one().id == n
        with pytest.raises(UnknownAttribute):
            await session.scalars(ONE, {"key": 1, "other": 2})
        with pytest.raises(StatementError, match="A value is required for bind parameter 'key'"):
            await session.scalars(ONE)
    assert ways.direct == 3 * 4


async def listens_to_the_connection(session: AsyncSession) -> None:
    event.listen(session.conn.sync_connection, "before_cursor_execute", lambda *_: None)


async def listens_to_the_engine(session: AsyncSession) -> None:
    event.listen(session.conn.sync_connection.engine, "after_execute", lambda *_: None)


async def listens_to_errors(session: AsyncSession) -> None:
    event.listen(session.conn.sync_connection.engine, "handle_error", lambda *_: None)


async def listens_to_the_dialect(session: AsyncSession) -> None:
    event.listen(session.conn.sync_connection.engine, "do_execute", lambda *_: None)


async def has_an_option(session: AsyncSession) -> None:
    await session.conn.execution_options(schema_translate_map={None: None})


async def has_an_option_of_ones_own(session: AsyncSession) -> None:
    await session.conn.execution_options(mine=1)


async def has_no_cache(session: AsyncSession) -> None:
    await session.conn.execution_options(compiled_cache=None)


@backends_with_a_way
@pytest.mark.parametrize(
    "before",
    [
        listens_to_the_connection,
        listens_to_the_engine,
        listens_to_errors,
        listens_to_the_dialect,
        has_an_option,
        has_an_option_of_ones_own,
        has_no_cache,
    ],
)
async def test_not_taken_where_somebody_could_tell(
    filled: AsyncEngine, ways: Ways, before: Any
) -> None:
    async with AsyncSessionFactory(filled).begin() as session:
        for _ in range(2):
            assert (await session.scalars(ONE, {"key": 1})).one().text == "note 1"
        assert ways.direct == 1
        await before(session)
        for _ in range(2):
            assert (await session.scalars(ONE, {"key": 1})).one().text == "note 1"
        assert ways.direct == 1


@dataclass
class Text:
    id: int
    text: str


@dataclass
class Whole(Text):
    number: int


class Numbered(NamedTuple):
    id: int
    text: str
    number: int


class Either(TypedDict):
    id: int
    number: int


INTO: dict[str, tuple[Callable[[], Any], Any]] = {
    "columns": (lambda: select(Note.id, Note.text).where(Note.id == 1), Text(1, "note 1")),
    "entity": (lambda: select(Note).where(Note.id == bindparam("key", 1)), Whole(1, "note 1", 1)),
    "named tuple": (lambda: select(Note).where(Note.id == 2), Numbered(2, "note 2", 2)),
    "dictionary": (
        lambda: select(Note.id, (Note.number * 2).label("number")).where(Note.id == 2),
        {"id": 2, "number": 4},
    ),
}


@backends_with_a_way
@pytest.mark.parametrize("name", INTO)
async def test_into_is_taken(
    filled: AsyncEngine, ways: Ways, connects: Connects, name: str
) -> None:
    make, expected = INTO[name]
    cls: Any = Either if isinstance(expected, dict) else type(expected)
    db = AsyncSessionFactory(filled)
    async with db.begin() as session:
        for _ in range(3):
            assert (await session.into(cls, make())).all() == [expected]
    assert ways == Ways(2, 1)
    connects.number = 0
    assert (await db.into(cls, make())).all() == [expected]
    assert (connects.number, ways) == (0, Ways(3, 1))


@pytest.mark.parametrize("name", INTO)
def test_into_is_taken_on_the_synchronous_face(sync_engine: Engine, ways: Ways, name: str) -> None:
    make, expected = INTO[name]
    cls: Any = Either if isinstance(expected, dict) else type(expected)
    fill(sync_engine)
    db = SessionFactory(sync_engine)
    for _ in range(3):
        assert db.into(cls, make()).all() == [expected]
    assert ways == Ways(2, 1)


@backends_with_a_way
async def test_classes_of_one_statement(filled: AsyncEngine, ways: Ways) -> None:
    """Each class has a way of its own, and so have the objects of the mapped class."""
    statement = select(Note).where(Note.id == bindparam("key"))
    async with AsyncSessionFactory(filled).begin() as session:
        for n in range(3):
            key = {"key": n}
            assert (await session.into(Whole, statement, key)).one() == Whole(n, f"note {n}", n)
            assert (await session.scalars(statement, key)).one().number == n
            assert (await session.into(Numbered, statement, key)).one() == (n, f"note {n}", n)
            with pytest.raises(RowMismatch):
                await session.into(Tagged, statement, key)
    assert ways == Ways(6, 3)


@dataclass
class Tagged:
    id: int
    tags_of_it: str


WITH_TAGS = (
    select(Note)
    .where(Note.id < bindparam("limit"))
    .order_by(Note.id)
    .options(selectinload(Note.tags).joinedload(Tag.note))
)


@backends_with_a_way
async def test_further_statements_with_any_number_of_keys(filled: AsyncEngine, ways: Ways) -> None:
    db = AsyncSessionFactory(filled)
    await db.scalars(WITH_TAGS, {"limit": 1})
    for limit in (1, 5, 3, 5, 2):
        async with db.begin() as session:
            notes = (await session.scalars(WITH_TAGS, {"limit": limit})).all()
        assert [[tag.word for tag in note.tags] for note in notes] == [
            [f"word {2 * n}", f"word {2 * n + 1}"] for n in range(limit)
        ]
        assert all(tag.note.text == note.text for note in notes for tag in note.tags)
    assert (ways.further, ways.further_sqlalchemys) == (5, 1)
    tags = select(Tag).order_by(Tag.id).options(selectinload(Tag.note))
    for _ in range(3):
        assert [tag.note.id for tag in await db.scalars(tags)] == [n // 2 for n in range(10)]
    assert (ways.further, ways.further_sqlalchemys) == (7, 2)


@backends_with_a_way
async def test_further_statements_where_somebody_could_tell(
    filled: AsyncEngine, ways: Ways
) -> None:
    heard: list[str] = []
    async with AsyncSessionFactory(filled).begin() as session:
        for _ in range(2):
            await session.scalars(WITH_TAGS, {"limit": 2})
        await session.scalars(WITH_TAGS, {"limit": 2}, execution_options={"mine": 1})
        event.listen(
            session.conn.sync_connection,
            "before_cursor_execute",
            lambda _c, _cursor, sql, *_: heard.append(sql),
        )
        await session.scalars(WITH_TAGS, {"limit": 2})
    assert (ways.further, ways.further_sqlalchemys) == (1, 3)
    assert len(heard) == 2


@backends_with_a_way
async def test_a_further_statement_that_fails(filled: AsyncEngine, ways: Ways) -> None:
    statement = select(Note).options(selectinload(Note.tags))
    db = AsyncSessionFactory(filled)
    for _ in range(2):
        await db.scalars(statement)
    async with db.begin() as session:
        await session.execute(text("ALTER TABLE tag RENAME COLUMN word TO term"))
        with pytest.raises(DBAPIError, match=r"tag\.word") as caught:
            await session.scalars(statement)
        assert caught.value.statement is not None
        assert caught.value.statement.count("$" if "$" in caught.value.statement else "?") in (0, 5)
        assert len(caught.value.params or ()) == 5
        await session.rollback()
    # and the connection is in order
    assert (await db.scalars(ONE, {"key": 1})).one().text == "note 1"


@backends_with_a_way
@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("engine", "before_cursor_execute"),
        ("engine", "handle_error"),
        ("engine", "do_execute"),
        ("class", "after_execute"),
        ("count", ""),
    ],
)
async def test_taken_again_when_nobody_listens_any_more(
    filled: AsyncEngine, ways: Ways, connects: Connects, subject: str, name: str
) -> None:
    """SQLAlchemy itself goes on as if somebody did."""
    db = AsyncSessionFactory(filled)
    engine = filled.sync_engine
    target: Any = Engine if subject == "class" else engine

    def listener(*_: Any) -> None:
        pass

    for _ in range(2):
        await db.scalars(ONE, {"key": 1})
    before = ways.direct
    if subject == "count":
        with count_statements(filled):
            await db.scalars(ONE, {"key": 1})
    else:
        event.listen(target, name, listener)
        try:
            await db.scalars(ONE, {"key": 1})
        finally:
            event.remove(target, name, listener)
    try:
        assert ways.direct == before
        assert engine._has_events or engine.dialect._has_events
        connects.number = 0
        assert (await db.scalars(ONE, {"key": 1})).one().text == "note 1"
        assert (connects.number, ways.direct) == (0, before + 1)
        async with db.begin() as session:
            assert (await session.scalars(ONE, {"key": 1})).one().text == "note 1"
        assert ways.direct == before + 2
    finally:
        # the class is every test's
        Engine._has_events = False


NOT_TAKEN: dict[str, Callable[[AsyncSession], Any]] = {
    "option of the call": lambda s: s.scalars(ONE, {"key": 1}, execution_options={"mine": 1}),
    "option of the statement": lambda s: s.scalars(ONE.execution_options(mine=1), {"key": 1}),
    "list of values": lambda s: s.scalars(select(Note).where(Note.id.in_([1, 2]))),
    "literal": lambda s: s.scalars(
        select(Note).where(Note.id == bindparam("key", 1, literal_execute=True))
    ),
    "text": lambda s: s.execute(text("select id from note")),
    "star": lambda s: s.execute(select(literal_column("*")).select_from(Note)),
    "params()": lambda s: s.scalars(select(aliased(Note)).where(bindparam("a") == 1).params(a=1)),
}


@backends_with_a_way
@pytest.mark.parametrize("name", NOT_TAKEN)
async def test_not_taken(filled: AsyncEngine, ways: Ways, name: str) -> None:
    async with AsyncSessionFactory(filled).begin() as session:
        for _ in range(3):
            await NOT_TAKEN[name](session)
    # SQLAlchemy 2.0 keeps such values in the statement
    assert ways.direct == 0 or name == "params()"


@backends_with_a_way
async def test_not_taken_with_a_log_or_without_a_cache(
    filled: AsyncEngine, ways: Ways, caplog: pytest.LogCaptureFixture
) -> None:
    async def three_times(engine: AsyncEngine) -> None:
        async with AsyncSessionFactory(engine).begin() as session:
            for _ in range(3):
                assert (await session.scalars(ONE, {"key": 1})).one().text == "note 1"
        await engine.dispose()

    await three_times(create_async_engine(filled.url, query_cache_size=0))
    caplog.set_level(logging.INFO, "sqlalchemy.engine")
    await three_times(create_async_engine(filled.url))
    assert caplog.text.count("SELECT note.id") == 3
    assert ways.direct == 0


# ---------------------------------------------------------------- errors


def told(error: BaseException) -> Any:
    """All that an error of SQLAlchemy tells."""
    assert isinstance(error, StatementError)
    more = error.connection_invalidated if isinstance(error, DBAPIError) else None
    cause = error.__cause__
    return (
        type(error),
        str(error),
        error.statement,
        error.params,
        type(error.orig),
        more,
        type(cause),
    )


async def error_of(execute: Any, *args: Any) -> Any:
    with pytest.raises(StatementError) as caught:
        await execute(*args)
    return told(caught.value)


@backends_with_a_way
async def test_an_error_is_sqlalchemys(filled: AsyncEngine, ways: Ways, backend: str) -> None:
    if backend == "sqlite":
        broken = select(Note.id, func.abs(Note.number - bindparam("n")))
        fine, bad = {"n": 1}, {"n": 2**63 - 1}
        async with filled.begin() as conn:
            await conn.execute(insert(Note), {"id": 9, "text": "", "number": -1})
    else:
        broken = select(Note.id, 10 / (Note.number + bindparam("n")))
        fine, bad = {"n": 1}, {"n": -2}
    core = create_async_engine(filled.url)
    async with core.connect() as conn:
        theirs = await error_of(conn.execute, broken, bad)
    await core.dispose()
    db = AsyncSessionFactory(filled)
    for _ in range(2):
        await db.execute(broken, fine)
    assert ways.direct == 1
    with pytest.raises(StatementError) as caught:
        await db.execute(broken, bad)
    assert told(caught.value) == theirs
    with pytest.raises(StatementError) as caught:
        async with db.begin() as session:
            await session.execute(broken, bad)
    assert told(caught.value) == theirs
    # and the connection is in order
    assert len((await db.execute(broken, fine)).all()) >= 5


@pytest.mark.parametrize("backend", ["asyncpg"], indirect=True)
async def test_a_value_that_the_driver_refuses(filled: AsyncEngine, ways: Ways) -> None:
    core = create_async_engine(filled.url)
    async with core.connect() as conn:
        theirs = await error_of(conn.execute, ONE, {"key": "one"})
    await core.dispose()
    db = AsyncSessionFactory(filled)
    for _ in range(2):
        await db.execute(ONE, {"key": 1})
    assert await error_of(db.execute, ONE, {"key": "one"}) == theirs
    assert (await db.scalars(ONE, {"key": 1})).one().id == 1


@pytest.mark.parametrize("backend", ["asyncpg"], indirect=True)
async def test_a_statement_that_ddl_has_invalidated(filled: AsyncEngine, ways: Ways) -> None:
    """SQLAlchemy prepares anew after the first failure, on every connection."""

    async def change(kind: str) -> None:
        async with other.begin() as conn:
            await conn.execute(text(f"ALTER TABLE note ALTER COLUMN text TYPE {kind}"))

    other = create_async_engine(filled.url)
    core = create_async_engine(filled.url)
    async with core.connect() as conn:
        await conn.execute(ONE, {"key": 1})
        await conn.rollback()
        await change("varchar(50)")
        theirs = await error_of(conn.execute, ONE, {"key": 1})
        await conn.rollback()
        await conn.execute(ONE, {"key": 1})
    await core.dispose()
    db = AsyncSessionFactory(filled)
    for _ in range(2):
        await db.execute(ONE, {"key": 1})
    await change("varchar(60)")
    assert await error_of(db.execute, ONE, {"key": 1}) == theirs
    assert (await db.scalars(ONE, {"key": 1})).one().text == "note 1"
    async with db.begin() as session:
        assert (await session.scalars(ONE, {"key": 2})).one().text == "note 2"
    assert ways == Ways(3, 1)
    await other.dispose()


@pytest.mark.parametrize("backend", ["asyncpg"], indirect=True)
@pytest.mark.parametrize(
    "settings",
    [
        {"prepared_statement_cache_size": 0},
        {"prepared_statement_name_func": lambda: f"mine_{next(NAMES)}"},
        {"statement_cache_size": 0},
        {"command_timeout": 0.2},
    ],
    ids=["no cache", "names", "no cache of asyncpg", "time limit"],
)
async def test_settings_of_the_driver(
    filled: AsyncEngine, ways: Ways, settings: dict[str, Any]
) -> None:
    engine = create_async_engine(filled.url, connect_args=settings)
    db = AsyncSessionFactory(engine)
    for _ in range(3):
        async with db.begin() as session:
            assert (await session.scalars(ONE, {"key": 1})).one().text == "note 1"
        assert (await db.scalars(ONE, {"key": 2})).one().text == "note 2"
    assert ways.direct == 5
    sent: list[str] = []
    async with engine.connect() as conn:
        raw: Any = (await conn.get_raw_connection()).driver_connection
        raw.add_query_logger(lambda record: sent.append(record.query.split()[0]))
    await db.scalars(ONE, {"key": 2})
    # a pooler would send what is prepared and what is executed to two servers
    in_transaction = settings == {"prepared_statement_cache_size": 0}
    assert ("BEGIN;" in sent) is in_transaction
    if "command_timeout" in settings:
        slow = select(Note.id, func.pg_sleep(bindparam("s"))).where(Note.id == 1)
        for _ in range(2):
            await db.execute(slow, {"s": 0})
        with pytest.raises(TimeoutError):
            await db.execute(slow, {"s": 30})
        assert (await db.scalars(ONE, {"key": 2})).one().text == "note 2"
    await engine.dispose()


NAMES = iter(range(1000))
