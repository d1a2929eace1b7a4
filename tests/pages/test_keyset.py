"""Pages by key: what is refused, what a cursor is good for, and what a page costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    REAL,
    URL,
    Column,
    Date,
    DateTime,
    Engine,
    Float,
    Integer,
    Interval,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    desc,
    event,
    extract,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    contains_eager,
    mapped_column,
)
from sqlalchemy.util import await_only

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    InvalidCursor,
    InvalidSessionState,
    InvalidStatement,
    PageNotFound,
    SessionFactory,
    SyncKeysetPage,
    UnsupportedOption,
)

from ..models.blog import Post, User
from ..models.pg import PgSample
from ..models.types import Sample
from ..oracle import Oracle
from ._walking import all_shown, walk


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    rank: Mapped[int | None] = mapped_column(index=True)

    @hybrid_property
    def double(self) -> int:
        """Twice the number."""
        return self.id * 2


class Loose(Base):
    """A table whose model has a key that the table's metadata keeps no constraint for."""

    __tablename__ = "loose"

    code: Mapped[str] = mapped_column(String(30), primary_key=True)
    value: Mapped[float] = mapped_column(REAL)
    double: Mapped[float] = mapped_column(Float(53))


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(
            insert(Thing),
            [
                {"id": i, "kind": "abc"[i % 3], "rank": None if i % 4 == 0 else i % 5}
                for i in range(1, 13)
            ],
        )
    return AsyncSessionFactory(engine)


by_kind = select(Thing).order_by(Thing.kind)

# --- what can't be a key ---

no_key = Table("no_key", MetaData(), Column("a", Integer), Column("b", Integer))
unique_key = Table(
    "unique_key",
    MetaData(),
    Column("a", Integer, nullable=False),
    Column("b", Integer),
    UniqueConstraint("a"),
)


def distinct_on(statement: Any, column: Any) -> Any:
    """DISTINCT ON, as each release of SQLAlchemy wants it written."""
    if hasattr(statement, "ext"):
        return statement.ext(postgresql.distinct_on(column))
    return statement.distinct(column)


REFUSED: dict[str, tuple[Any, str]] = {
    "text": (text("SELECT 1"), "takes a select"),
    "from text": (select(User).from_statement(text("SELECT 1")), "takes a select"),
    "insert": (insert(User).returning(User), "takes a select"),
    "string": ("SELECT 1", "takes a select"),
    "limit": (select(User).limit(2), "LIMIT or OFFSET of its own"),
    "offset": (select(User).offset(2), "LIMIT or OFFSET of its own"),
    "distinct on": (distinct_on(select(User), User.name), "DISTINCT ON"),
    "window": (select(User, func.row_number().over(order_by=User.id)), "a window function"),
    "window order": (select(User).order_by(func.rank().over(order_by=User.id)), "a window"),
    "text order": (select(User).order_by(text("name")), "which is not a single expression"),
    "position": (select(User.name).order_by(literal_column("1")), "is a position"),
    "random": (select(User).order_by(func.random()), r"ORDER BY random\(\)"),
    "unknown name": (select(User.id).order_by("nonsense"), "selects no column of that name"),
    "twice that name": (
        select(User.id, Post.id).join(User.posts).order_by(desc("id")),
        "of that name, or several",
    ),
    "tuple": (select(User).order_by(tuple_(User.name, User.id)), "not a single expression"),
    "no table": (select(literal(1)), "selects from no table"),
    "json": (select(Sample).order_by(Sample.json), "the JSON value of samples.json"),
    "json in a type": (select(PgSample).order_by(PgSample.hstore_like), "the JSON value"),
    "another table": (select(User).order_by(Post.title), "of posts, and does not select from it"),
    "a relationship": (select(User).order_by(User.posts), "of posts, and does not select"),
    "no primary key": (select(no_key.c.a), "can't tell the rows of no_key apart"),
    "function": (select(func.generate_series(1, 3).table_valued("n").c.n), "can't tell the rows"),
    "lateral": (
        select(User, select(Post.title).where(Post.author_id == User.id).lateral("l").c.title),
        "can't tell the rows of l apart",
    ),
    "subquery without key": (
        select(select(Post.title).subquery("titles").c.title),
        "can't tell the rows of titles apart",
    ),
    "distinct order": (select(User.name).distinct().order_by(User.age), "does not select"),
    "union order": (
        union_all(select(User.id), select(Post.id)).order_by(func.abs(User.id)),
        "is not a column of the union",
    ),
    "union order by text": (
        union_all(select(User.id), select(Post.id)).order_by(text("1")),
        "'1', which is not a single expression",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_key(oracle: Oracle, name: str) -> None:
    statement, says = REFUSED[name]

    async def work(session: AsyncSession) -> None:
        with oracle.recorded() as executed, pytest.raises(InvalidStatement, match=says):
            await session.keyset(statement)
        assert executed == []

    oracle.naked(work)


def test_collections_of_joined_rows(oracle: Oracle) -> None:
    statement = select(User).join(User.posts).options(contains_eager(User.posts))

    async def work(session: AsyncSession) -> None:
        with pytest.raises(UnsupportedOption, match="contains_eager"):
            await session.keyset(statement)

    oracle.naked(work)


def test_rows_that_nothing_tells_apart(oracle: Oracle) -> None:
    """Two equal rows are an error before a page could end between them."""
    statement = union_all(select(User.age), select(User.age)).order_by("age")

    async def work(session: AsyncSession) -> None:
        with pytest.raises(InvalidStatement, match="two rows of the statement have the same key"):
            await session.keyset(statement, per_page=1)

    oracle.naked(work)


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_rows_that_a_function_multiplies(db: AsyncSessionFactory) -> None:
    statement = select(Thing.id, func.generate_series(1, 2))
    with pytest.raises(InvalidStatement, match="have the same key"):
        await db.keyset(statement, per_page=1)


async def test_a_unique_constraint_is_a_key(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(unique_key.metadata.create_all)
        await conn.execute(insert(unique_key), [{"a": i, "b": i % 2} for i in range(5)])
    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        pages = await walk(session, select(unique_key).order_by(unique_key.c.b), 2)
    assert [row.a for page in pages for row in page] == [0, 2, 4, 1, 3]


# --- cursors ---


async def test_foreign_cursors(db: AsyncSessionFactory) -> None:
    cursor = (await db.keyset(by_kind, per_page=2)).next_cursor
    assert (await db.keyset(by_kind.where(Thing.id > 3), after=cursor, per_page=99)).has_prev
    assert (await db.keyset(select(Thing.id).order_by(Thing.kind), after=cursor)).items
    for other in (
        select(Thing),
        select(Thing).order_by(Thing.kind.desc()),
        select(Thing).order_by(Thing.rank),
        select(Thing).order_by(Thing.rank.nulls_first(), Thing.kind),
        select(Thing).order_by(func.lower(Thing.kind)),
        select(Thing).order_by(Thing.id, Thing.kind),
        select(Loose).order_by(Loose.code),
    ):
        with pytest.raises(InvalidCursor, match="belongs to another statement"):
            await db.keyset(other, after=cursor)
    for damaged in ("", "x", cursor[:-1], cursor + "A", cursor.lower(), 5, b"x"):  # type: ignore[index,operator,union-attr]
        with pytest.raises(InvalidCursor):
            await db.keyset(by_kind, before=damaged)  # type: ignore[arg-type]
    with pytest.raises(InvalidCursor, match="after= and before="):
        await db.keyset(by_kind, after=cursor, before=cursor)


async def test_the_values_of_an_order_are_part_of_it(db: AsyncSessionFactory) -> None:
    def by_remainder(divisor: int) -> Any:
        return select(Thing).order_by(Thing.id % divisor)

    cursor = (await db.keyset(by_remainder(2), per_page=1)).next_cursor
    assert [t.id for t in await db.keyset(by_remainder(2), per_page=1, after=cursor)] == [4]
    with pytest.raises(InvalidCursor):
        await db.keyset(by_remainder(3), after=cursor)


async def test_a_cursor_does_for_every_driver(postgres_url: Callable[[str], URL]) -> None:
    statement = select(Thing).order_by(Thing.id % 2, Thing.rank.desc(), Thing.kind)
    engines = [create_async_engine(postgres_url(driver)) for driver in ("asyncpg", "psycopg")]
    dbs = list(map(AsyncSessionFactory, engines))
    async with engines[0].begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(insert(Thing), [{"id": i, "kind": str(i)} for i in range(6)])
    page, other = [await db.keyset(statement, per_page=2) for db in dbs]
    assert page.next_cursor == other.next_cursor
    page, other = [await db.keyset(statement, after=page.next_cursor, per_page=2) for db in dbs]
    assert [t.id for t in page] == [t.id for t in other] == [4, 1]
    for engine in engines:
        await engine.dispose()


async def test_an_alias_made_for_each_page(db: AsyncSessionFactory) -> None:
    def neighbours() -> Any:
        other = aliased(Thing)
        return (
            select(Thing.id, other.id)
            .join(other, other.kind == Thing.kind)
            .where(other.id > 9)
            .order_by(other.rank.desc())
        )

    whole = await db.keyset(neighbours(), per_page=99)
    page = await db.keyset(neighbours(), per_page=5)
    found = list(page)
    while page.has_next:
        page = await db.keyset(neighbours(), after=page.next_cursor, per_page=5)
        found += page
    assert found == whole.items
    assert len(found) == 12


@pytest.mark.parametrize("size", [0, -1, True, "2", None, 1.5])
async def test_sizes(db: AsyncSessionFactory, size: Any) -> None:
    with pytest.raises(PageNotFound, match=f"per_page={size!r} is not a positive whole number"):
        await db.keyset(by_kind, per_page=size)


async def test_a_page_of_everything(db: AsyncSessionFactory) -> None:
    page = await db.keyset(by_kind, per_page=10**30)
    assert (len(page.items), page.has_next, page.has_prev) == (12, False, False)
    assert (page.next_cursor, page.prev_cursor) == (None, None)
    assert repr(page) == "<KeysetPage 12 items has_prev=False has_next=False>"
    assert [thing.id for thing in page] == [thing.id for thing in page.items]


async def test_an_empty_table(db: AsyncSessionFactory) -> None:
    page = await db.keyset(select(Thing).where(Thing.id < 0).order_by(Thing.rank))
    assert (page.items, page.has_next, page.has_prev) == ([], False, False)


async def test_an_empty_page_leads_back(db: AsyncSessionFactory) -> None:
    cursor = (await db.keyset(select(Thing), per_page=4)).next_cursor
    await db.execute(delete(Thing).where(Thing.id > 4))
    empty = await db.keyset(select(Thing), after=cursor, per_page=3)
    assert (empty.items, empty.has_next, empty.has_prev) == ([], False, True)
    # the row that the cursor was made of comes before it
    assert [thing.id for thing in await empty.prev()] == [2, 3, 4]
    assert not (await empty.prev()).has_next
    await db.execute(delete(Thing))
    gone = await db.keyset(select(Thing), after=cursor)
    assert (gone.items, gone.has_next, gone.has_prev) == ([], False, False)


async def test_the_row_of_a_cursor_is_gone(db: AsyncSessionFactory) -> None:
    page = await db.keyset(select(Thing), per_page=4)
    await db.execute(delete(Thing).where(Thing.id.in_([4, 5])))
    following = await page.next()
    assert ([t.id for t in following], following.has_prev) == ([6, 7, 8, 9], True)
    await db.execute(delete(Thing).where(Thing.id < 4))
    following = await page.next()
    assert ([t.id for t in following], following.has_prev) == ([6, 7, 8, 9], False)
    with pytest.raises(PageNotFound, match="no page before"):
        await following.prev()


async def test_a_next_cursor_as_before(db: AsyncSessionFactory) -> None:
    """A cursor is a place between two rows: both sides of it can be asked for."""
    page = await db.keyset(select(Thing), per_page=4)
    until = await db.keyset(select(Thing), before=page.next_cursor, per_page=2)
    assert ([t.id for t in until], until.has_next, until.has_prev) == ([3, 4], True, True)
    page = await page.next()
    since = await db.keyset(select(Thing), after=page.prev_cursor, per_page=2)
    assert ([t.id for t in since], since.has_next, since.has_prev) == ([5, 6], True, True)


# --- what comes out is what the statement selects ---


async def test_rows_are_those_of_the_statement(db: AsyncSessionFactory) -> None:
    other = aliased(Thing)
    statement = (
        select(Thing, other.kind.label("other"), Thing.double, other)
        .join(other, other.id == Thing.id + 1)
        .order_by(Thing.double.desc())
    )
    whole = (await db.execute(statement)).all()
    (row, *_) = (await db.keyset(statement)).items
    assert row._fields == whole[0]._fields
    assert len(row) == 4
    assert row._mapping[Thing] is row[0] is row.Thing
    assert row._mapping[other] is row[3]
    assert row.other == row._mapping["other"] == row[3].kind
    assert (row.double, type(row)) == (22, type(whole[0]))
    (row, *_) = (await db.keyset(select(Thing.__table__))).items
    assert (row.id, row._mapping[Thing.__table__.c.id], len(row)) == (1, 1, 3)
    (value, *_) = (await db.keyset(select(Thing.kind))).items
    assert value == "b"


async def test_parameters_and_options_of_the_statement(db: AsyncSessionFactory) -> None:
    statement = by_kind.where(Thing.id > bindparam("low")).params(low=10)
    assert [thing.id for thing in await db.keyset(statement)] == [12, 11]


async def test_next_and_prev(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        page = await session.keyset(by_kind, per_page=5)
        third = await (await page.next()).next()
        assert ([t.id for t in third], third.has_next) == ([8, 11], False)
        with pytest.raises(PageNotFound, match="no page after"):
            await third.next()
        assert all_shown(await (await third.prev()).prev()) == all_shown(page)
    with pytest.raises(InvalidSessionState, match="closed session"):
        await page.next()
    page = await db.keyset(by_kind, per_page=5)
    assert [t.id for t in await page.next()] == [4, 7, 10, 2, 5]


def test_sync(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    db.execute(insert(Thing), [{"id": i, "kind": "abc"[i % 3]} for i in range(1, 8)])
    page = db.keyset(by_kind, per_page=3)
    assert isinstance(page, SyncKeysetPage)
    assert [t.id for t in page.next().next()] == [5]
    assert [t.id for t in page.next().prev()] == [3, 6, 1]
    with pytest.raises(PageNotFound):
        page.prev()
    with db.begin() as session:
        page = session.keyset(by_kind, per_page=3)
    with pytest.raises(InvalidSessionState):
        page.next()


# --- values as the database has them ---


async def test_floats_of_single_precision(engine: AsyncEngine) -> None:
    """A REAL is no DOUBLE PRECISION: 0.1 in the one is not 0.1 in the other."""
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        values = [0.1, 1 / 3, 1e-30, -0.7, 1e30, 0.0]
        await conn.execute(
            insert(Loose), [{"code": str(v), "value": v, "double": v} for v in values]
        )
    db = AsyncSessionFactory(engine)
    for column in (Loose.value, Loose.double):
        async with db.begin() as session:
            pages = await walk(session, select(Loose.code).order_by(column), 1)
        assert [page.items for page in pages] == [[str(v)] for v in sorted(values)]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_times_that_others_wrote(engine: AsyncEngine) -> None:
    """CURRENT_TIMESTAMP of SQLite has no microseconds; SQLAlchemy writes them."""
    metadata = MetaData()
    log = Table("log", metadata, Column("id", Integer, primary_key=True), Column("at", DateTime))
    async with engine.begin() as conn:
        await conn.run_sync(metadata.create_all)
        for at in ("2024-01-01 00:00:00", "2024-01-01 00:00:00.000000", "2024-01-01 00:00:01"):
            await conn.execute(text("INSERT INTO log (at) VALUES (:at)"), {"at": at})
    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        pages = await walk(session, select(log.c.id).order_by(log.c.at), 1)
    assert [page.items for page in pages] == [[1], [2], [3]]


# --- one state ---


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_a_page_of_several_statements_sees_one_state(db: AsyncSessionFactory) -> None:
    """A row whose NULL becomes a value between the two statements comes once."""
    statement = select(Thing).where(Thing.id.in_([1, 2, 4])).order_by(Thing.rank)
    cursor = (await db.keyset(statement, per_page=1)).next_cursor
    engine = db.engine.sync_engine
    other = AsyncSessionFactory(db.engine)
    seen = 0

    def before(conn: Any, cursor: Any, sql: str, *_: Any) -> None:
        nonlocal seen
        if sql.startswith("SELECT") and "naked_key" in sql:
            seen += 1
            if seen == 2:
                await_only(other.execute(update(Thing).where(Thing.id == 2).values(rank=None)))

    event.listen(engine, "before_cursor_execute", before)
    try:
        page = await db.keyset(statement, after=cursor, per_page=3)
    finally:
        event.remove(engine, "before_cursor_execute", before)
    assert seen == 2
    assert [thing.id for thing in page] == [2, 4]


# --- what a page costs ---

ROWS = 8_000


@pytest.fixture
def many(sync_engine: Engine) -> SessionFactory:
    metadata = Base.metadata
    metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    db.execute(
        insert(Thing),
        [
            {"id": i, "kind": f"{i % 997:03}", "rank": None if i % 2 else i % 1009}
            for i in range(ROWS)
        ],
    )
    with sync_engine.begin() as conn:
        conn.execute(text("CREATE INDEX thing_kind ON thing (kind, id)"))
        conn.execute(text("CREATE INDEX thing_rank ON thing (rank, id)"))
        conn.execute(text("ANALYZE thing"))
    return db


ORDERS: dict[str, Any] = {
    "key": select(Thing),
    "key desc": select(Thing).order_by(Thing.id.desc()),
    "column": select(Thing).order_by(Thing.kind),
    "column desc": select(Thing).order_by(Thing.kind.desc()),
    "nullable": select(Thing).order_by(Thing.rank),
    "nullable desc": select(Thing).order_by(Thing.rank.desc()),
}


def rows_read(db: SessionFactory, executed: list[tuple[str, Any]]) -> float:
    """How much work the database does for statements."""
    work = 0.0
    with db.engine.connect() as conn:
        raw: Any = conn.connection.driver_connection
        for sql, parameters in executed:
            if conn.dialect.name == "sqlite":
                steps = 0

                def count() -> None:
                    nonlocal steps
                    steps += 1

                raw.set_progress_handler(count, 1)
                raw.execute(sql, parameters).fetchall()
                raw.set_progress_handler(None, 1)
                work += steps
                continue
            explained = conn.exec_driver_sql(
                f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {sql}", parameters
            ).scalar_one()
            stack = [explained[0]["Plan"]]
            while stack:
                node = stack.pop()
                stack += node.get("Plans", ())
                work += node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return work


@pytest.mark.parametrize("name", ORDERS)
def test_a_page_costs_the_same_anywhere(many: SessionFactory, name: str) -> None:
    statement = ORDERS[name]
    engine = many.engine
    costs = {}
    for part in (0.01, 0.3, 0.7, 0.99):
        cursor = many.keyset(statement, per_page=int(ROWS * part)).next_cursor
        executed: list[tuple[str, Any]] = []

        def note(conn: Any, cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
            if sql.startswith("SELECT"):
                executed.append((sql, parameters))  # noqa: B023

        event.listen(engine, "before_cursor_execute", note)
        try:
            page = many.keyset(statement, after=cursor, per_page=10)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        assert len(page.items) == 10
        costs[part] = rows_read(many, executed)
    assert max(costs.values()) < 10 * min(costs.values()), costs


_odd = Table(
    "odd_values",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("lasts", Interval),
    Column("day", Date),
)


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_values_that_drivers_give_as_others(engine: AsyncEngine, backend: str) -> None:
    """PostgreSQL's year has 360 days, the drivers' has 365; asyncpg has no infinity."""
    async with engine.begin() as conn:
        await conn.run_sync(_odd.metadata.create_all)
        await conn.execute(
            text(
                "INSERT INTO odd_values VALUES (1, '1 month', '2024-01-01'),"
                " (2, '1 year', '9999-12-31'), (3, '362 days', '9999-12-31')"
            )
        )
    db = AsyncSessionFactory(engine)
    by_length = select(_odd.c.id).order_by(_odd.c.lasts)
    first = await db.keyset(by_length, per_page=1)
    assert (first.items, first.has_next) == ([1], True)
    with pytest.raises(InvalidStatement, match=r"360 days.*extract"):
        await first.next()
    by_day = select(_odd.c.id).order_by(_odd.c.day)
    first = await db.keyset(by_day, per_page=1)
    if backend == "asyncpg":
        with pytest.raises(InvalidStatement, match=r"infinity.*extract"):
            await first.next()
    else:
        assert (await first.next()).items == [2]
    # a year counts 365.25 days there
    for column, ids in ((_odd.c.lasts, [1, 3, 2]), (_odd.c.day, [1, 2, 3])):
        by_number = select(_odd.c.id).order_by(extract("epoch", column))
        page = await db.keyset(by_number, per_page=1)
        shown = list(page.items)
        while page.has_next:
            page = await page.next()
            shown += page.items
        assert shown == ids
