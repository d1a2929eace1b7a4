"""One statement on a factory, with no block around it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest
from sqlalchemy import (
    Connection,
    Engine,
    ForeignKey,
    create_engine,
    delete,
    event,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, NoResultFound
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    load_only,
    mapped_column,
    relationship,
    selectinload,
)
from sqlalchemy.pool import QueuePool

from naked_sqla import (
    AsyncSessionFactory,
    InvalidSessionState,
    InvalidStatement,
    NotLoadedError,
    SessionFactory,
    UnsupportedOption,
)

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere
from .._notes import checked_out


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    books: Mapped[list[Book]] = relationship(back_populates="author", order_by="Book.id")


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="books", lazy="selectin")


@dataclass
class Name:
    name: str


AUTHORS = [{"name": "ada"}, {"name": "bob"}]
BOOKS: list[dict[str, Any]] = [
    {"title": "one", "author_id": 1},
    {"title": "two", "author_id": 1},
    {"title": "three", "author_id": 2},
]


def fill(conn: Connection) -> None:
    Base.metadata.create_all(conn)
    for values in AUTHORS:
        conn.execute(insert(Author), values)
    for values in BOOKS:
        conn.execute(insert(Book), values)


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


@contextmanager
def watching(engine: Engine) -> Iterator[list[str]]:
    """What happens on the connections of an engine: BEGIN, COMMIT, ROLLBACK, and statements."""
    seen: list[str] = []

    def execute(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement.split()[0])

    def commit(conn: Any) -> None:
        seen.append("COMMIT")

    event.listen(engine, "before_cursor_execute", execute)
    event.listen(engine, "commit", commit)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", execute)
        event.remove(engine, "commit", commit)


# ---------------------------------------------------------------- what each call gives


async def test_options_that_are_read_on_a_connection(db: AsyncSessionFactory) -> None:
    """They are read for each call, and the call keeps to the connection on which they are."""
    for _ in range(4):
        authors = (await db.scalars(select(Author).options(selectinload("*")))).all()
        assert [len(author.books) for author in authors] == [2, 1]
        assert cast(QueuePool, db.engine.pool).checkedout() == 0


async def test_calls(db: AsyncSessionFactory) -> None:
    by_id = select(Author).order_by(Author.id)
    assert [a.name for a in await db.scalars(by_id)] == ["ada", "bob"]
    assert [(n, a.id) for n, a in await db.tuples(select(Author.name, Author))] == [
        ("ada", 1),
        ("bob", 2),
    ]
    assert (await db.execute(by_id)).scalars().first().name == "ada"  # type: ignore[union-attr]
    assert await db.scalar(select(Author.name).where(Author.id == 2)) == "bob"
    assert await db.scalar(select(Author.name).where(Author.id == 3)) is None
    assert (await db.get(Author, 1)).name == "ada"  # type: ignore[union-attr]
    assert await db.get(Author, 3) is None
    assert (await db.get_one(Author, (2,))).name == "bob"
    with pytest.raises(NoResultFound, match=r"primary key 3 of Author"):
        await db.get_one(Author, 3)
    assert (await db.exec(by_id)).all()[1].name == "bob"
    assert (await db.exec(select(Author.id, Author.name).order_by(Author.id))).first() == (1, "ada")
    assert (await db.into(Name, select(Author.name).order_by(Author.id))).all() == [
        Name("ada"),
        Name("bob"),
    ]
    assert checked_out(db.engine) == 0


def test_calls_sync(sync_db: SessionFactory) -> None:
    by_id = select(Author).order_by(Author.id)
    assert [a.name for a in sync_db.scalars(by_id)] == ["ada", "bob"]
    assert [n for n, _ in sync_db.tuples(select(Author.name, Author))] == ["ada", "bob"]
    assert sync_db.execute(by_id).scalars().all()[0].name == "ada"
    assert sync_db.scalar(select(Author.name).where(Author.id == 2)) == "bob"
    assert sync_db.get(Author, 3) is None
    with pytest.raises(NoResultFound, match=r"primary key 3 of Author"):
        sync_db.get_one(Author, 3)
    assert sync_db.exec(select(Author.id)).all() == [1, 2]
    assert sync_db.into(Name, select(Author.name).order_by(Author.id)).all() == [
        Name("ada"),
        Name("bob"),
    ]
    sync_db.execute(update(Author).where(Author.id == 1).values(name="eve"))
    authors = sync_db.scalars(by_id).all()
    sync_db.preload(authors, Author.books)
    assert [[b.title for b in a.books] for a in authors] == [["one", "two"], ["three"]]
    assert [a.name for a in authors] == ["eve", "bob"]
    assert checked_out(sync_db.engine) == 0


async def test_writing_is_committed(db: AsyncSessionFactory) -> None:
    new = insert(Author).values(name="cid").returning(Author)
    assert (await db.scalars(new)).one().name == "cid"
    await db.execute(insert(Author), [{"name": "dee"}, {"name": "eve"}])
    await db.execute(text("delete from author where name = 'dee'"))
    await db.exec(update(Author).where(Author.name == "eve").values(name="fay"))
    names = select(Author.name).order_by(Author.name)
    assert (await db.scalars(names)).all() == ["ada", "bob", "cid", "fay"]
    with pytest.raises(IntegrityError):
        await db.execute(insert(Author), {"name": "ada"})
    assert checked_out(db.engine) == 0
    assert await db.scalar(select(func.count()).select_from(Author)) == 4


async def test_preload_of_objects_from_elsewhere(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        authors = (await session.scalars(select(Author).order_by(Author.id))).all()
    with pytest.raises(NotLoadedError):
        authors[0].books  # noqa: B018
    await db.preload([*authors, None], Author.books)
    assert [[b.title for b in a.books] for a in authors] == [["one", "two"], ["three"]]


async def test_errors_leave_nothing(db: AsyncSessionFactory) -> None:
    with pytest.raises(InvalidStatement):
        await db.scalars("select 1")  # type: ignore[call-overload]
    with pytest.raises(UnsupportedOption, match=r"stream"):
        await db.scalars(select(Author), execution_options={"yield_per": 5})
    with pytest.raises(TypeError, match="execution_options"):
        await db.get(Author, 1, execution_options="x")  # type: ignore[call-overload]
    with pytest.raises(Exception, match="no_such"):
        await db.scalars(select(literal_column("no_such")).select_from(Author))
    assert checked_out(db.engine) == 0


# ---------------------------------------------------------------- transactions


async def test_reading_begins_nothing(db: AsyncSessionFactory, backend: str) -> None:
    levels: list[Any] = []

    def execute(conn: Connection, *_: Any) -> None:
        levels.append(conn.get_execution_options().get("isolation_level"))

    event.listen(db.engine.sync_engine, "before_cursor_execute", execute)
    with watching(db.engine.sync_engine) as seen:
        await db.scalars(select(Author))
        await db.get(Author, 1)
        await db.into(Name, select(Author.name))
        await db.scalars(select(Author).options(load_only(Author.name)))
    assert seen == ["SELECT"] * 4
    assert set(levels) == {None if backend == "sqlite" else "AUTOCOMMIT"}
    event.remove(db.engine.sync_engine, "before_cursor_execute", execute)
    # The next one to have the connection is in a transaction again.
    async with db.begin() as session:
        await session.execute(insert(Author), {"name": "lost"})
        await session.rollback()
    assert (await db.scalars(select(Author.name).order_by(Author.id))).all() == ["ada", "bob"]


@pytest.mark.parametrize(
    "statement",
    [
        select(func.count()).select_from(Author),
        select(Author).with_for_update(),
        text("select 1"),
        select(literal_column("1")),
        update(Author).values(name=Author.name),
    ],
    ids=["function", "for update", "text", "literal_column", "update"],
)
async def test_what_may_write_is_committed(db: AsyncSessionFactory, statement: Any) -> None:
    with watching(db.engine.sync_engine) as seen:
        await db.execute(statement)
    assert seen == [seen[0], "COMMIT"]
    assert seen[0].upper() in ("SELECT", "UPDATE")


@pytest.mark.parametrize("mapped", [False, True], ids=["option", "mapped"])
async def test_further_statements_see_one_state(
    db: AsyncSessionFactory, mapped: bool, backend: str, request: pytest.FixtureRequest
) -> None:
    """Somebody else writes between the first statement and the second."""
    if backend == "sqlite":
        url = db.engine.url.set(drivername="sqlite")
    else:
        url = request.getfixturevalue("postgres_url")("psycopg")
    other = create_engine(url)
    with other.connect() as conn:
        if backend == "sqlite":
            conn.exec_driver_sql("PRAGMA journal_mode = WAL")
    statements: list[str] = []

    def between(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)
        if sum(s.startswith("SELECT") for s in statements) == 2:
            with other.begin() as conn:
                conn.execute(update(Author).values(name="changed " + Author.name))
                conn.execute(insert(Book), {"id": 9, "title": "late", "author_id": 1})

    event.listen(db.engine.sync_engine, "before_cursor_execute", between)
    if mapped:
        books = (await db.scalars(select(Book).order_by(Book.id))).all()
        assert [b.author.name for b in books] == ["ada", "ada", "bob"]
    else:
        all_authors = select(Author).options(selectinload(Author.books)).order_by(Author.id)
        authors = (await db.scalars(all_authors)).all()
        assert [[b.title for b in a.books] for a in authors] == [["one", "two"], ["three"]]
    event.remove(db.engine.sync_engine, "before_cursor_execute", between)
    assert sum(s.startswith("SELECT") for s in statements) >= 2
    assert await db.scalar(select(func.count()).select_from(Book)) == 4
    other.dispose()


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_a_listener_for_begin_is_heeded(db: AsyncSessionFactory) -> None:
    """What it sets for the transaction, such as a tenant, holds for the statement."""

    def set_tenant(conn: Connection) -> None:
        conn.exec_driver_sql("SET LOCAL application_name = 'tenant 7'")

    event.listen(db.engine.sync_engine, "begin", set_tenant)
    name = select(literal_column("current_setting('application_name')")).select_from(Author)
    assert await db.scalar(name) == "tenant 7"
    with watching(db.engine.sync_engine) as seen:
        await db.scalars(select(Author))
    assert seen == ["SET", "SELECT", "COMMIT"]


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_an_isolation_level_of_the_engine_is_heeded(db: AsyncSessionFactory) -> None:
    engine = db.engine.execution_options(isolation_level="SERIALIZABLE")
    with watching(engine.sync_engine) as seen:
        await AsyncSessionFactory(engine).scalars(select(Author))
    assert seen == ["SELECT", "COMMIT"]


async def test_an_engine_in_autocommit(db: AsyncSessionFactory) -> None:
    engine = create_async_engine(db.engine.url, isolation_level="AUTOCOMMIT")
    automatic = AsyncSessionFactory(engine)
    assert (await automatic.get_one(Author, 1)).name == "ada"
    authors = (await automatic.scalars(select(Author).options(selectinload(Author.books)))).all()
    assert len(authors[0].books) == 2
    await automatic.preload(authors[1], Author.books)
    with pytest.raises(InvalidSessionState, match="AUTOCOMMIT"):
        await automatic.execute(delete(Book))
    assert len((await automatic.scalars(select(Book))).all()) == 3
    assert checked_out(engine) == 0
    await engine.dispose()


# ---------------------------------------------------------------- auto_commit=False


async def test_without_auto_commit_nothing_writes(db: AsyncSessionFactory) -> None:
    careful = AsyncSessionFactory(db.engine, auto_commit=False)
    for statement in (
        insert(Author).values(name="x"),
        text("delete from book"),
        select(func.set_config("a.b", "c", True)),
        select(literal_column("1")),
    ):
        with pytest.raises(InvalidSessionState, match=r"auto_commit=False.*begin\(\)"):
            await careful.execute(statement)
    with pytest.raises(InvalidSessionState, match=r"^into\(\)"):
        await careful.into(Name, text("select name from author"))
    assert (await careful.scalars(select(Author.name))).all() == ["ada", "bob"]
    assert await careful.scalar(select(func.count()).select_from(Author)) == 2
    assert await careful.get(Author, 1, with_for_update=True) is not None
    authors = (await careful.scalars(select(Author).options(selectinload(Author.books)))).all()
    await careful.preload(authors[0].books, Book.author)
    assert checked_out(careful.engine) == 0


def test_without_auto_commit_nothing_writes_sync(sync_db: SessionFactory) -> None:
    careful = SessionFactory(sync_db.engine, auto_commit=False)
    with pytest.raises(InvalidSessionState, match="auto_commit=False"):
        careful.execute(delete(Book))
    assert len(careful.scalars(select(Book)).all()) == 3


# ---------------------------------------------------------------- eager


async def test_explicit_leaves_loading_to_the_statement(db: AsyncSessionFactory) -> None:
    explicit = AsyncSessionFactory(db.engine, eager="explicit")
    assert (explicit.eager, db.eager) == ("explicit", "mapped")
    with watching(db.engine.sync_engine) as seen:
        book = await explicit.get_one(Book, 1)
        async with explicit.begin() as session:
            again = (await session.scalars(select(Book).where(Book.id == 1))).one()
            third = await session.get(Book, 1)
            streamed = [b async for b in await session.stream_scalars(select(Book).limit(1))]
    assert [word for word in seen if word == "SELECT"] == ["SELECT"] * 4
    for unloaded in (book, again, third, streamed[0]):
        with pytest.raises(NotLoadedError):
            unloaded.author  # type: ignore[union-attr]  # noqa: B018
    asked = await explicit.get_one(Book, 1, options=[joinedload(Book.author)])
    assert asked.author.name == "ada"
    assert (await db.get_one(Book, 1)).author.name == "ada"


@pytest.mark.parametrize("value", [True, None, 1])
def test_eager_of_another_type(value: Any) -> None:
    with pytest.raises(TypeError, match=r"eager=...\) takes 'mapped'"):
        SessionFactory(create_engine("sqlite://"), eager=value)
    with pytest.raises(ValueError, match="'implicit'"):
        SessionFactory(create_engine("sqlite://"), eager="implicit")  # type: ignore[arg-type]


# ---------------------------------------------------------------- in memory


async def test_in_memory_takes_its_turn() -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.begin() as conn:
        await conn.run_sync(fill)
    db = AsyncSessionFactory(engine)
    order: list[str] = []
    asking = asyncio.Event()

    async def one() -> None:
        order.append("asks")
        asking.set()
        assert len((await db.scalars(select(Author))).all()) == 2
        order.append("has")

    async with db.begin() as session:
        await session.execute(insert(Author), {"name": "unseen"})
        task = asyncio.create_task(one())
        await asking.wait()
        await session.execute(select(Author))
        order.append("ends")
        with pytest.raises(InvalidSessionState, match="wait for itself"):
            await db.scalars(select(Author))
        await session.rollback()
    await task
    assert order == ["asks", "ends", "has"]
    await engine.dispose()


# ---------------------------------------------------------------- cancellation

Call = Callable[[AsyncSessionFactory], Awaitable[Any]]


async def read(db: AsyncSessionFactory) -> None:
    await db.scalars(select(Author))


async def read_further(db: AsyncSessionFactory) -> None:
    await db.scalars(select(Author).options(selectinload(Author.books)))


async def write(db: AsyncSessionFactory) -> None:
    await db.execute(insert(Author), {"name": "new"})


@pytest.mark.parametrize("call", [read, read_further, write])
@pytest.mark.parametrize("pool", ["warm", "cold"])
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_cancelled_anywhere(
    db: AsyncSessionFactory, kind: Kind, moment: Moment, pool: str, call: Call
) -> None:
    witness = create_async_engine(
        db.engine.url, connect_args={"timeout": 0} if db.engine.name == "sqlite" else {}
    )
    ended: list[bool] = []

    async def run() -> None:
        ended.clear()
        await call(db)
        ended.append(True)

    async def prepare() -> None:
        async with witness.begin() as conn:
            await conn.execute(delete(Author).where(Author.name == "new"))
        if pool == "cold":
            await db.engine.dispose()
        else:
            await db.scalars(select(Book.id))

    async def check(run: Run) -> None:
        assert run.as_asked, run
        assert checked_out(db.engine) == 0
        async with witness.begin() as conn:
            if db.engine.name == "postgresql":
                await conn.execute(text("SET LOCAL lock_timeout = '5s'"))
                await conn.execute(text("LOCK TABLE author IN ACCESS EXCLUSIVE MODE"))
            else:
                await conn.exec_driver_sql("BEGIN EXCLUSIVE")
        if ended and call is write:
            async with witness.connect() as conn:
                names = (await conn.scalars(select(Author.name))).all()
            assert "new" in names

    points = await cancelled_everywhere(run, kind, moment, check, prepare)
    assert points >= 1
    await witness.dispose()


@pytest.mark.parametrize("call", [read, read_further, write])
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_cancelled_in_memory(kind: Kind, moment: Moment, call: Call) -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.begin() as conn:
        await conn.run_sync(fill)
    db = AsyncSessionFactory(engine)

    async def prepare() -> None:
        await db.execute(delete(Author).where(Author.name == "new"))

    async def check(run: Run) -> None:
        assert len((await db.scalars(select(Book))).all()) == 3

    assert await cancelled_everywhere(lambda: call(db), kind, moment, check, prepare) >= 1
    await engine.dispose()


async def test_after_a_value_that_the_driver_refuses(db: AsyncSessionFactory) -> None:
    """What comes next on this connection is not in the middle of the read that has failed."""
    for _ in range(2):
        if db.engine.dialect.name == "postgresql":
            with pytest.raises(DBAPIError):
                await db.get(Author, "one")
        else:
            assert await db.get(Author, "one") is None
        # statements of their own, in REPEATABLE READ
        loaded = await db.get_one(Author, 1, options=[selectinload(Author.books)])
        assert len(loaded.books) == 2
        assert len((await db.scalars(select(Book))).all()) == 3
        async with db.begin() as session:
            assert (await session.get_one(Author, 2)).name == "bob"
    assert checked_out(db.engine) == 0
