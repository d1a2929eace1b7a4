"""The direct way of a SELECT without entities: rows and results are SQLAlchemy's own.

Each statement is run both ways, and all that a caller can see of its result is compared.
"""

from __future__ import annotations

import itertools
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    Column,
    CursorResult,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    ScalarResult,
    String,
    Table,
    TypeDecorator,
    bindparam,
    cast,
    column,
    event,
    exists,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    table,
    text,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column
from sqlalchemy.sql.selectable import (
    LABEL_STYLE_DISAMBIGUATE_ONLY,
    LABEL_STYLE_NONE,
    LABEL_STYLE_TABLENAME_PLUS_COL,
)

from naked_sqla import AsyncSessionFactory, SessionFactory
from naked_sqla.read import direct

from .._examples import examples
from ..models.blog import Post, User, post_tags
from ..models.types import Sample
from ..oracle import Oracle
from .test_direct import quiet_sync

__all__ = ("quiet_sync",)

users: Any = User.__table__
posts: Any = Post.__table__
samples: Any = Sample.__table__
tags: Any = post_tags

# ---------------------------------------------------------------- both ways


class Way:
    """Takes SQLAlchemy's way alone where asked to; knows whether the direct one was taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.closed, self.taken, run = False, False, direct.run

        def noting(*args: Any) -> Any:
            found = None if self.closed else run(*args)
            self.taken = found is not None
            return found

        monkeypatch.setattr(direct, "run", noting)


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Way:
    return Way(monkeypatch)


@pytest.fixture(scope="module")
def quiet(oracle: Oracle) -> Iterator[AsyncEngine]:
    """An engine that nobody has ever listened to."""
    engine = create_async_engine(oracle.engine.url, enable_from_linting=False)
    yield engine
    oracle.run(engine.dispose())


def outcome(read: Callable[[], Any]) -> Any:
    """What a function gives, or the error that it raises."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - it is compared
        return type(error), plain(str(error))


def same(value: Any) -> Any:
    """A value in a form that compares equal where no caller can tell two values apart."""
    if isinstance(value, list | tuple) or type(value).__name__ in ("Row", "TupleRow"):
        return type(value).__name__, [same(item) for item in value]
    if type(value).__name__ == "RowMapping":
        return [(same(key), same(item)) for key, item in value.items()]
    return type(value), plain(repr(value))


def plain(told: str) -> str:
    """It without addresses."""
    return re.sub("0x[0-9a-f]+|[0-9]{9,}", "0x", told)


def of_row(row: Any, statement: Any) -> Any:
    """All that a row tells."""
    mapping, columns = row._mapping, statement._all_selected_columns
    names = [*row._fields, "no_such_column", "users.id", "count"]
    return {
        "row": same(row),
        "type": type(row),
        "fields": row._fields,
        "asdict": outcome(lambda: same([*row._asdict().items()])),
        "keys": [*mapping],
        "by name": {name: outcome(lambda name=name: same(mapping[name])) for name in names},
        "attributes": {name: outcome(lambda name=name: same(getattr(row, name))) for name in names},
        "by column": [outcome(lambda one=one: same(mapping[one])) for one in columns],
        "by string": [outcome(lambda one=one: same(mapping[str(one)])) for one in columns],
        "has": [one in mapping for one in (*columns, *names)],
        "of another": outcome(lambda: mapping[column("nowhere")]),
        "hash": outcome(lambda: hash(row) is not None),
        "slice": same(row[:2]),
        "count, index": outcome(lambda: (row.count(row[0]), row.index(row[0]))),
        "pickled": outcome(lambda: same(pickle.loads(pickle.dumps(row)))),
        "compared": outcome(lambda: (row == tuple(row), row < tuple(row))),
    }


READS: dict[str, Callable[[Any, Any], Any]] = {
    "all": lambda result, of: [of_row(row, of) for row in result.all()],
    "iterated": lambda result, of: [same(row) for row in result] + [same([*result])],
    "first": lambda result, of: (same(result.first()), outcome(result.all)),
    "one": lambda result, of: same(result.one()),
    "one or none": lambda result, of: same(result.one_or_none()),
    "scalar": lambda result, of: same(result.scalar()),
    "scalar one": lambda result, of: same(result.scalar_one()),
    "scalars": lambda result, of: same(result.scalars(1).all()),
    "unique scalars": lambda result, of: same(result.scalars().unique().all()),
    "mappings": lambda result, of: same(result.mappings().all()),
    "by position": lambda result, of: same(result.columns(1, 0).all()),
    "by column": lambda result, of: [
        of_row(row, of) for row in result.columns(of._all_selected_columns[0])
    ],
    "by name": lambda result, of: same(result.columns(result.keys()._keys[-1]).mappings().all()),
    "unique": lambda result, of: same(result.unique().all()),
    "unique by": lambda result, of: same(result.unique(lambda row: repr(row[0])).all()),
    "partitions": lambda result, of: [same(part) for part in result.partitions(2)],
    "yield_per": lambda result, of: [same(part) for part in result.yield_per(2).partitions()],
    "fetched": lambda result, of: (
        same(result.fetchone()),
        same(result.fetchmany(2)),
        result.closed,
        same(result.fetchall()),
        same(result.fetchone()),
        result.closed,
    ),
    "closed": lambda result, of: (result.close(), result.closed, outcome(result.all)),
    "with": lambda result, of: (same(result.__enter__().fetchone()), result.__exit__(0, 0, 0)),
    "frozen": lambda result, of: [
        of_row(row, of) for frozen in [result.freeze()] for row in [*frozen(), *frozen()]
    ],
    "tuples": lambda result, of: same(result.tuples().all()),
    "spliced": lambda result, of: outcome(lambda: result.splice_horizontally(result).keys()),
    "keys": lambda result, of: ([*result.keys()], [*result.mappings().keys()]),
    "merged": lambda result, of: same(result.merge().all()),
}


def by_key() -> Any:
    return users.c.id < bindparam("n", 4)


STATEMENTS: dict[str, Callable[[], Any]] = {
    "table": lambda: select(users).where(by_key()),
    "columns": lambda: select(users.c.id, users.c.name).where(by_key()),
    "one column": lambda: select(users.c.name).order_by(users.c.id),
    "labels": lambda: select(users.c.id.label("key"), users.c.name.label("id")),
    "label twice": lambda: select(users.c.id.label("a"), users.c.name.label("a")),
    "same column twice": lambda: select(users.c.id, users.c.id, users.c.name),
    "anonymous": lambda: select(users.c.id + 1, func.lower(users.c.name), literal(3)),
    "count": lambda: select(func.count(), func.max(users.c.id)).select_from(users),
    "grouped": lambda: select(users.c.age, func.count().label("count")).group_by(users.c.age),
    "same names": lambda: select(users.c.id, posts.c.id, posts.c.title).join(
        posts, posts.c.author_id == users.c.id
    ),
    "two tables": lambda: select(users, posts).join_from(
        users, posts, posts.c.author_id == users.c.id, isouter=True
    ),
    "table names in labels": lambda: (
        select(users, posts)
        .join_from(users, posts, posts.c.author_id == users.c.id)
        .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
    ),
    "no labels": lambda: (
        select(users.c.id, posts.c.id)
        .join_from(users, posts, posts.c.author_id == users.c.id)
        .set_label_style(LABEL_STYLE_NONE)
    ),
    "alias": lambda: (lambda one: select(one, users.c.id).where(one.c.id == users.c.id))(
        users.alias()
    ),
    "named alias": lambda: (lambda one: select(one.c.id, one.c.name))(users.alias("u")),
    "subquery": lambda: (lambda one: select(one.c.id, one.c.total))(
        select(users.c.id, func.count().label("total")).group_by(users.c.id).subquery()
    ),
    "cte": lambda: select(select(users).where(by_key()).cte("some")),
    "scalar subquery": lambda: select(
        users.c.id,
        select(func.count()).where(posts.c.author_id == users.c.id).scalar_subquery(),
    ),
    "values in the statement": lambda: select(users.c.id).where(users.c.id == 3),
    "limit": lambda: select(users.c.id, users.c.name).order_by(users.c.id).limit(2).offset(1),
    "distinct": lambda: select(users.c.age).distinct(),
    "no rows": lambda: select(users).where(users.c.id == -1),
    "types": lambda: select(samples).order_by(samples.c.id),
    "types by cast": lambda: select(cast(samples.c.integer, String), cast(samples.c.id, Integer)),
    "type of a literal": lambda: select(literal_column("'[1, 2]'", JSON), users.c.id),
    "null": lambda: select(null(), null().label("x"), users.c.id),
    "text": lambda: select(text("users.id"), users.c.name),
    "star": lambda: select(text("*")).select_from(users),
    "lightweight": lambda: select(column("id"), column("name", String)).select_from(table("users")),
    "exists": lambda: select(exists().where(users.c.id == 1), users.c.id),
    "window": lambda: select(users.c.id, func.row_number().over(order_by=users.c.id)),
    "locked": lambda: select(users.c.id, users.c.name).with_for_update(),
    "many to many": lambda: select(tags).where(tags.c.post_id > 0),
}

# SQLAlchemy reads its columns from the cursor of each execution
WITHOUT = ("star",)


async def in_block(db: AsyncSessionFactory, statement: Any, given: Any = None) -> Any:
    async with db.begin() as session:
        return await session.execute(statement, given)


async def single(db: AsyncSessionFactory, statement: Any, given: Any = None) -> Any:
    return await db.execute(statement, given)


HOW = {"in a block": in_block, "single": single}


async def both(way: Way, run: Callable[[Any], Any], make: Callable[[], Any], read: Any) -> Any:
    """What is read on SQLAlchemy's way, and on the direct one, of equal statements."""
    way.closed = True
    # compiled by the first, which finds more of its columns than the next ones do
    await run(make())
    made = make()
    theirs = read(await run(made), made)
    way.closed = False
    made = make()
    ours = read(await run(made), made)
    return theirs, ours


def guarded(read: Any) -> Any:
    return lambda result, statement: outcome(lambda: read(result, statement))


@pytest.mark.parametrize("how", HOW)
def test_each_row(oracle: Oracle, quiet: AsyncEngine, way: Way, how: str) -> None:
    db, read = AsyncSessionFactory(quiet), guarded(READS["all"])

    async def main() -> None:
        for name, make in STATEMENTS.items():
            theirs, ours = await both(way, lambda made: HOW[how](db, made), make, read)
            assert not [*differences(theirs, ours, name)]
            assert way.taken is (name not in WITHOUT), name

    oracle.run(main())


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("same names", "in a block"),
        ("anonymous", "in a block"),
        ("no rows", "single"),
        ("star", "single"),
        ("types", "single"),
    ],
)
def test_each_way_to_read(
    oracle: Oracle, quiet: AsyncEngine, way: Way, name: str, how: str
) -> None:
    db, make = AsyncSessionFactory(quiet), STATEMENTS[name]

    async def main() -> None:
        for what, read in READS.items():
            theirs, ours = await both(way, lambda made: HOW[how](db, made), make, guarded(read))
            assert not [*differences(theirs, ours, what)]
            assert way.taken is (name not in WITHOUT), what

    oracle.run(main())


async def outcome_of(call: Any, statement: Any) -> Any:
    try:
        found = await call(statement)
        return same(found.all() if isinstance(found, ScalarResult) else found)
    except InvalidRequestError as error:
        return type(error), str(error)


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
@pytest.mark.parametrize("name", ["same names", "label twice", "types", "types by cast", "star"])
def test_the_other_calls(oracle: Oracle, quiet: AsyncEngine, way: Way, name: str) -> None:
    db = AsyncSessionFactory(quiet)

    async def by_each(statement: Any) -> Any:
        found: list[Any] = []
        contexts: list[Any] = [db.begin(), nullcontext(db)]
        for one in contexts:
            async with one as at:
                for row in await at.tuples(statement):
                    found += [same(row), row._fields]
                    found.append(outcome(lambda row=row: same(row._mapping)))
                    found += [same(row.t), same(row._t)]
                for call in (at.scalars, at.scalar, at.one):
                    found.append(await outcome_of(call, statement))
        return found

    theirs, ours = oracle.run(both(way, by_each, STATEMENTS[name], lambda found, _: found))
    assert not [*differences(theirs, ours)]
    assert way.taken is (name not in WITHOUT)


# ---------------------------------------------------------------- all that a result has

# of the object itself, or of the adapter's cursor; an error of it names no cursor of the driver
OTHERS = {"_made", "cursor", "_row_getter", "_dbapi_connection"}


def seen(value: Any) -> Any:
    """An attribute, as far as it can be compared."""
    if isinstance(value, Exception):
        return type(value)
    if isinstance(value, Connection):
        return seen_of(value) if value.closed else id(value)
    simple = int, str, list, tuple, dict, frozenset, bool, type(None), type
    kind = CursorResult if isinstance(value, CursorResult) else type(value)
    return value if isinstance(value, simple) else kind


def seen_of(value: Any) -> dict[str, Any]:
    found = {}
    for name in dir(value):
        if name.startswith("__") or name in OTHERS:
            continue
        try:
            attribute = getattr(value, name)
        except Exception as error:  # noqa: BLE001 - it is compared
            attribute = error
        if isinstance(attribute, type) or not callable(attribute):
            found[name] = seen(attribute)
    return found


def differences(theirs: Any, ours: Any, path: str = "") -> Iterator[str]:
    """Tell where two forms differ."""
    if type(theirs) is type(ours) and isinstance(theirs, dict) and theirs.keys() == ours.keys():
        for key in theirs:
            yield from differences(theirs[key], ours[key], f"{path}.{key}")
    elif type(theirs) is type(ours) and isinstance(theirs, list) and len(theirs) == len(ours):
        for n, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(one, other, f"{path}[{n}]")
    elif theirs != ours:
        yield f"{path}: {theirs!r} is not {ours!r}"


def of_result(result: Any, _: Any) -> Any:
    context = result.context
    cursor = context.cursor
    return {
        "result": seen_of(result),
        "context": {
            **seen_of(context),
            "values": [bind.effective_value for bind in context.extracted_parameters],
            "statement": str(context.invoked_statement),
            "options": context.execution_options,
        },
        "cursor": cursor.rowcount,
        "strategy": (
            type(result.cursor_strategy),
            same(result.cursor_strategy.alternate_cursor_description),
            [tuple(row) for row in result.cursor_strategy._rowbuffer],
        ),
        "is one": isinstance(result, CursorResult),
        "rowcount": result.rowcount,
        "connection": (result.connection.closed, result.connection.engine is result.context.engine),
        "again": result.context is context and result.connection is context.root_connection,
    }


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
@pytest.mark.parametrize("how", HOW)
def test_all_that_a_result_has(oracle: Oracle, quiet: AsyncEngine, way: Way, how: str) -> None:
    db = AsyncSessionFactory(quiet)
    statement = select(users).where(users.c.id < bindparam("n", 4), users.c.id > 0)

    async def main() -> Any:
        async with db.begin() as session:

            async def run(made: Any) -> Any:
                return await (session if how == "in a block" else db).execute(made, {"n": 3})  # type: ignore[attr-defined]

            return await both(way, run, lambda: statement, of_result)

    theirs, ours = oracle.run(main())
    assert way.taken
    assert not [*differences(theirs, ours)]


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", ["types"])
def test_on_the_synchronous_face(
    quiet_sync: Engine | None, way: Way, how: str, name: str, oracle: Oracle
) -> None:
    if quiet_sync is None:
        return
    db = SessionFactory(quiet_sync)

    async def run(statement: Any) -> Any:
        if how == "single":
            return db.execute(statement)
        with db.begin() as session:
            return session.execute(statement)

    async def main() -> None:
        for read in (of_result, *READS.values()):
            theirs, ours = await both(way, run, STATEMENTS[name], guarded(read))
            assert not [*differences(theirs, ours)]
            assert way.taken

    oracle.run(main())


# ---------------------------------------------------------------- values and errors


class Picky(TypeDecorator[str]):
    """Refuses some of what is stored."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        if value == "refused":
            raise ValueError("this is refused")
        return value

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        if value == "bad":
            raise ValueError("this was stored wrongly")
        return value


things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("word", Picky()),
    Column("blob", LargeBinary),
)


@pytest.fixture
async def filled(engine: AsyncEngine) -> AsyncEngine:
    async with engine.begin() as conn:
        await conn.run_sync(things.metadata.create_all)
        words = ["good", "bad", "fine"]
        await conn.execute(
            insert(things), [{"id": n, "word": word, "blob": b"x"} for n, word in enumerate(words)]
        )
    return engine


async def test_errors_are_sqlalchemys(filled: AsyncEngine, way: Way) -> None:
    """Of a value that is read, that is sent, and of the database; and the rows before it."""
    some = select(things.c.id, things.c.word).where(things.c.word != bindparam("no"))
    ordered = some.order_by(things.c.id)
    by_word = select(things.c.id, 1 / (things.c.id - bindparam("n"))).order_by(things.c.id)

    def told(error: Exception) -> Any:
        more = ("statement", "params", "orig", "connection_invalidated")
        return type(error), str(error), [same(getattr(error, name, None)) for name in more]

    async def outcomes(db: AsyncSessionFactory, made: Any) -> Any:
        found: list[Any] = []
        for statement, values in made:
            for run in (in_block, single):
                rows: list[Any] = []
                found.append(rows)
                try:
                    rows.extend(same(row) for row in await run(db, statement, values))
                except Exception as error:  # noqa: BLE001 - it is compared
                    rows.append(told(error))
        return found

    db = AsyncSessionFactory(filled)
    for statement, fine, bad in (
        (ordered, {"no": "x"}, {"no": "refused"}),
        (by_word, {"n": 7}, {"n": 1}),
        (by_word, {"n": 7}, {"n": "one"}),
    ):
        way.closed = True
        theirs = await outcomes(db, [(statement, fine), (statement, bad)])
        way.closed = False
        await outcomes(db, [(statement, fine)])
        ours = await outcomes(db, [(statement, fine), (statement, bad)])
        assert not [*differences(theirs, ours)]
        assert (await db.execute(select(things.c.id))).all()


async def test_which_way_is_taken(filled: AsyncEngine, way: Way) -> None:
    db = AsyncSessionFactory(filled)
    one = select(things).where(things.c.id == bindparam("n"))
    for n, taken in ((0, False), (2, True)):
        assert (await db.execute(one, {"n": n})).one().id == n
        assert way.taken is taken
    async with db.begin() as session:
        for n in (0, 2):
            assert (await session.execute(one, {"n": n})).one().id == n
            assert way.taken
        option, way.taken = {"mine": 1}, False
        assert (await session.execute(one, {"n": 2}, execution_options=option)).one().id == 2
        assert not way.taken
        assert (await session.execute(one.where(things.c.id.in_([1, 2])), {"n": 2})).one().id == 2
        assert not way.taken
        async with session.stream(one, {"n": 2}) as result:
            assert [row.id async for row in result] == [2]
        heard: list[str] = []
        event.listen(session.conn.sync_connection, "before_execute", lambda *args: heard.append(""))
        assert (await session.execute(one, {"n": 2})).one().id == 2
        assert heard
        assert not way.taken


async def test_results_outlive_their_block(filled: AsyncEngine, way: Way) -> None:
    db = AsyncSessionFactory(filled)
    every = select(things.c.id).order_by(things.c.id)
    await db.execute(every)
    async with db.begin() as session:
        inside = await session.execute(every)
    alone = await db.execute(every)
    assert way.taken
    for result in (inside, alone):
        assert [row.id for row in result] == [0, 1, 2]
        assert result.connection.closed  # type: ignore[attr-defined]
        assert result.connection.engine is filled.sync_engine  # type: ignore[attr-defined]


numbers = itertools.count(1)


class OrmBase(DeclarativeBase):
    pass


class Numbered(OrmBase):
    __tablename__ = "numbered"

    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str]
    number: Mapped[int] = mapped_column(default=lambda: next(numbers))


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
@pytest.mark.parametrize("kind", ["rows", "entity"])
async def test_what_a_cte_writes_has_defaults(engine: AsyncEngine, way: Way, kind: str) -> None:
    """A SELECT of an INSERT in a CTE, whose defaults SQLAlchemy computes each time."""
    async with engine.begin() as conn:
        await conn.run_sync(OrmBase.metadata.create_all)
    db, seen = AsyncSessionFactory(engine), []
    for n in range(4):
        table: Any = Numbered.__table__
        new = insert(table).values(word=f"word {n}").returning(table).cte("new")
        if kind == "rows":
            found = (await db.execute(select(new.c.number))).scalar_one()
        else:
            found = (await db.scalars(select(aliased(Numbered, new)))).one().number
        seen.append(found)
        assert not way.taken
    assert seen == [*range(seen[0], seen[0] + 4)]


# ---------------------------------------------------------------- into a class


@dataclass
class Named:
    id: int
    name: str


async def test_into(filled: AsyncEngine, way: Way) -> None:
    db = AsyncSessionFactory(filled)
    statement = select(things.c.id, things.c.blob.label("name")).where(things.c.id == 2)
    for taken in (False, True):
        assert (await db.into(Named, statement)).all() == [Named(2, b"x")]  # type: ignore[arg-type]
        assert way.taken is taken
    async with db.begin() as session:
        assert (await session.into(Named, statement)).one().id == 2
        assert way.taken
        # rows, and objects of another class, have ways of their own
        assert (await session.execute(statement)).one().name == b"x"
        assert not way.taken


# ---------------------------------------------------------------- statements that Hypothesis draws

FROM: list[Callable[[], Any]] = [
    lambda: users,
    lambda: posts,
    lambda: tags,
    users.alias,
    lambda: posts.alias("p"),
    lambda: select(users.c.id, func.count().label("count")).group_by(users.c.id).subquery(),
    lambda: select(posts).where(posts.c.id > 1).cte("some"),
]
STYLES = [LABEL_STYLE_DISAMBIGUATE_ONLY, LABEL_STYLE_TABLENAME_PLUS_COL, LABEL_STYLE_NONE]


@st.composite
def selects(draw: st.DrawFn) -> Callable[[], Any]:
    """Draw what makes a SELECT of columns from a join of tables, the same one each time."""
    sources = draw(st.lists(st.sampled_from(FROM), min_size=1, max_size=3, unique=True))
    picks = draw(
        st.lists(
            st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(0, 6)),
            min_size=1,
            max_size=6,
        )
    )
    style, limit = draw(st.sampled_from(STYLES)), draw(st.integers(0, 5))
    bound, outer = draw(st.integers(-1, 3)), draw(st.booleans())

    def item(tables: list[Any], at: int, position: int, kind: int) -> Any:
        of = tables[at % len(tables)]
        found = [*of.c][position % len(of.c)]
        return {
            0: found,
            1: found.label("id"),
            2: found.label(f"label_{position}"),
            3: func.coalesce(found, null()),
            4: literal(position),
            5: of if of is not tables[0] else found,
        }.get(kind, found)

    def make() -> Any:
        tables = [source() for source in sources]
        first = next(iter(tables[0].c))
        statement = select(*(item(tables, *pick) for pick in picks)).select_from(tables[0])
        for one in tables[1:]:
            statement = statement.join(one, next(iter(one.c)) == first, isouter=outer)
        order = [column for one in tables for column in one.c]
        statement = statement.where(first > bound).order_by(*order).limit(limit)
        return statement.set_label_style(style)

    return make


@given(make=selects())
@examples(6)
def test_drawn(oracle: Oracle, quiet: AsyncEngine, way: Way, make: Any) -> None:
    db = AsyncSessionFactory(quiet)
    for name in ("all", "by column", "by name"):
        read = guarded(READS[name])
        theirs, ours = oracle.run(both(way, lambda made: in_block(db, made), make, read))
        assert not [*differences(theirs, ours)]
        assert way.taken
