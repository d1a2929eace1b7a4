"""The direct way of INSERT, UPDATE and DELETE: what ran before, straight to the driver.

The same rows, results and errors as SQLAlchemy's way; which of the two was taken is asserted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from operator import methodcaller
from typing import Any

import pytest
from sqlalchemy import (
    Connection,
    Engine,
    Row,
    bindparam,
    delete,
    event,
    func,
    insert,
    inspect,
    null,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    synonym,
    with_loader_criteria,
)
from sqlalchemy.types import Integer, TypeDecorator

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    Session,
    TransactionRolledBack,
    UnknownAttribute,
)
from naked_sqla.read import statement as statements
from naked_sqla.write import direct

from ..oracle import Oracle
from ._both_ways import classes_with_rows, nothing, with_sessions
from ._writing import column_attributes, contents, prepare, tables_of

HAS_A_WAY = ("sqlite", "asyncpg", "psycopg")


@dataclass
class Ways:
    """How many statements went the direct way, and how many could not.

    :ivar of_objects: whether it was taken, for each statement by which an object was written.
    """

    direct: int = 0
    sqlalchemys: int = 0
    of_objects: list[bool] = field(default_factory=list)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    counted, run = Ways(), direct.run

    def counting(*args: Any) -> Any:
        try:
            found = run(*args)
        except BaseException:
            counted.direct += 1
            raise
        if found is None:
            counted.sqlalchemys += 1
        else:
            counted.direct += 1
        return found

    def of_form(*args: Any) -> Any:
        found = way(*args)
        counted.of_objects.append(found is not None)
        return found

    way = direct.RowStatement._way
    monkeypatch.setattr(direct, "run", counting)
    monkeypatch.setattr(direct.RowStatement, "_way", of_form)
    return counted


# ---------------------------------------------------------------- each class, both ways


@pytest.fixture(scope="module")
def engines(oracle: Oracle) -> Iterator[tuple[AsyncEngine, AsyncEngine]]:
    """An engine that somebody listens to, and one that nobody has ever listened to."""
    watched, quiet = (
        create_async_engine(oracle.engine.url, enable_from_linting=False) for _ in range(2)
    )
    event.listen(watched.sync_engine, "before_cursor_execute", nothing)
    yield watched, quiet
    oracle.run(watched.dispose())
    oracle.run(quiet.dispose())


ATTRIBUTES = (
    "closed",
    "inserted_primary_key",
    "inserted_primary_key_rows",
    "is_insert",
    "lastrowid",
    "returned_defaults",
    "returned_defaults_rows",
    "returns_rows",
    "rowcount",
)
METHODS = (
    "last_inserted_params",
    "last_updated_params",
    "lastrow_has_defaults",
    "supports_sane_rowcount",
    "supports_sane_multi_rowcount",
    "prefetch_cols",
    "postfetch_cols",
    "keys",
    "all",
)
OF_CONTEXT = (
    "compiled_parameters",
    "execution_options",
    "executemany",
    "is_crud",
    "isdelete",
    "isinsert",
    "isupdate",
    "parameters",
    "statement",
    "unicode_statement",
)


def shown(value: Any) -> str:
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))


def shown_deeply(item: Any) -> Any:
    if isinstance(item, Row):
        return [shown_deeply(part) for part in item]
    if not hasattr(item, "__naked__"):
        return shown(item)
    return type(item).__name__, sorted(map(shown, vars(item).items()))


def told_by(read: Callable[[], Any]) -> Any:
    try:
        return shown(read())
    except Exception as error:  # noqa: BLE001 - it is compared
        return type(error), str(error)


def described(result: Any) -> Any:
    """All that a result tells; objects by what they hold."""
    context = getattr(result, "context", None)
    if context is None:
        return [shown_deeply(item) for item in result.all()]
    found: dict[str, Any] = {"type": type(result), "context": type(context)}
    found |= {name: told_by(partial(getattr, context, name)) for name in OF_CONTEXT}
    found |= {name: told_by(partial(getattr, result, name)) for name in ATTRIBUTES}
    found |= {name: told_by(partial(methodcaller(name), result)) for name in METHODS}
    return found


def written(oracle: Oracle, engine: AsyncEngine, model: Any, work: Any) -> Any:
    """What some work gives, or its error, and what lies in the tables then; rolled back."""

    def run(conn: Connection) -> Any:
        prepare(conn, model)
        try:
            return work(conn), contents(conn, model)
        except Exception as error:  # noqa: BLE001 - it is compared
            return type(error), str(error)

    async def main() -> Any:
        async with engine.connect() as conn:
            return await conn.run_sync(run)

    return oracle.run(main())


def tried(conn: Connection, statement: Any, given: Any) -> Any:
    """What a statement gives, or its error, which is taken back."""
    point = conn.begin_nested()
    try:
        found = described(statements.execute(conn, statement, given))
    except Exception as error:  # noqa: BLE001 - it is compared
        point.rollback()
        return type(error), str(error)
    point.commit()
    return found


def one_by_one(model: Any, rows: Any) -> Callable[[Connection], Any]:
    """Insert rows one by one, as they are, without their keys and with the objects back; change
    and delete the last."""
    columns = column_attributes(model)
    keys = {
        key
        for key, column in columns.items()
        if any(table.primary_key.contains_column(column) for table in tables_of(model))
    }
    without = [{key: value for key, value in row.items() if key not in keys} for row in rows]
    last = [
        getattr(model, str(inspect(model).get_property_by_column(column).key))
        == bindparam(f"naked_{i}", type_=column.type)
        for i, column in enumerate(inspect(model).primary_key)
    ]
    named = [str(inspect(model).get_property_by_column(c).key) for c in inspect(model).primary_key]
    key = {f"naked_{i}": rows[-1].get(name) for i, name in enumerate(named)}
    changed = {name: value for name, value in rows[0].items() if name not in keys}

    def work(conn: Connection) -> Any:
        told = []

        def run(statement: Any, *parameters: Any) -> None:
            told.extend([tried(conn, statement, given) for given in parameters])

        run(insert(model), *without)
        for table in reversed(tables_of(model)):
            conn.execute(table.delete())
        run(insert(model).returning(model), *rows)
        for table in reversed(tables_of(model)):
            conn.execute(table.delete())
        run(insert(model), *rows)
        if changed:
            run(update(model).where(*last), *[{**key, **changed}] * 2)
            run(update(model).where(*last).returning(model), *[{**key, **changed}] * 2)
            run(delete(model).where(*last), key, key)
        return told

    return work


# An attribute or a column of them has a name that is no parameter's.
NO_WAY = {"columns.Renamed", "columns.Spaced"}


# whose classes differ in what is stored, and not only in how they are written
MODULES = ("blog", "columns", "inheritance", "related", "types")


@pytest.mark.parametrize("module", MODULES)
def test_each_class(
    oracle: Oracle, engines: tuple[AsyncEngine, AsyncEngine], module: str, ways: Ways
) -> None:
    watched, quiet = engines
    modules = {module, "pg"} if module == "types" else {module}
    for name, model, rows in classes_with_rows(oracle, modules, 1):
        work = one_by_one(model, rows)
        ways.direct = 0
        theirs = written(oracle, watched, model, work)
        assert ways.direct == 0
        assert written(oracle, quiet, model, work) == theirs
        if len(rows) > 1 and name not in NO_WAY:
            assert ways.direct > 0, name


# ---------------------------------------------------------------- which way is taken


class Base(DeclarativeBase):
    pass


class Text(TypeDecorator[str]):
    """Of digits in Python, a number in the database."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else int(value)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else str(value)


def doubled(context: Any) -> Any:
    return context.get_current_parameters()["number"] * 2


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str | None] = mapped_column("text")
    text: Mapped[str | None] = mapped_column("words")
    number: Mapped[int] = mapped_column(default=7)
    other = synonym("number")
    digits: Mapped[str | None] = mapped_column(Text)
    stored: Mapped[str | None] = mapped_column(server_default="s")


class Made(Base):
    """Values that the client makes."""

    __tablename__ = "made"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    fixed: Mapped[str] = mapped_column(default="fixed", onupdate="changed")
    twice: Mapped[int] = mapped_column(default=doubled, onupdate=doubled)


class Kind(Base):
    """A discriminator and a version, which the model adds."""

    __tablename__ = "kind"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {
        "polymorphic_on": "kind",
        "polymorphic_identity": "k",
        "version_id_col": version,
    }


class BySql(Base):
    """A key that SQL makes, in a statement of its own."""

    __tablename__ = "by_sql"
    __table_args__ = {"implicit_returning": False}

    id: Mapped[int] = mapped_column(
        primary_key=True, default=select(func.abs(-3)).scalar_subquery()
    )
    number: Mapped[int | None]


NOTES: Any = Note.__table__
MADE: Any = Made.__table__


@pytest.fixture
async def filled(engine: AsyncEngine) -> AsyncEngine:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        rows = [{"id": n, "text": f"note {n}", "number": n} for n in range(100, 105)]
        await conn.execute(insert(NOTES), rows)
        await conn.execute(insert(MADE), [{"id": 100, "number": 1}])
    return engine


CHANGE = update(Note).where(Note.id == bindparam("key"))
TAKEN: dict[str, Callable[[AsyncSession], Any]] = {
    "insert": lambda s: s.execute(insert(Note), {"number": 1}),
    "insert, a name that is another column's": lambda s: s.execute(insert(Note), {"text": "t"}),
    "insert, two such names": lambda s: s.execute(insert(Note), {"text": "t", "words": "w"}),
    "insert, a synonym": lambda s: s.execute(insert(Note), {"other": 3}),
    "insert, a converted value": lambda s: s.execute(insert(Note), {"digits": "12"}),
    "insert, values in the statement": lambda s: s.execute(insert(Note).values(number=2)),
    "insert, values and parameters": lambda s: s.execute(
        insert(Note).values(number=2), {"text": "t"}
    ),
    "insert, returning": lambda s: s.scalars(insert(Note).returning(Note), {"number": 1}),
    "insert, returning columns": lambda s: s.execute(
        insert(Note).returning(Note.id + 1, Note.digits), {"digits": "3"}
    ),
    "insert into a table": lambda s: s.execute(insert(NOTES), {"number": 1}),
    "insert, what the model adds": lambda s: s.execute(insert(Kind), {"id": 1}),
    "insert, defaults": lambda s: s.execute(insert(Made), {"number": 4}),
    "insert, defaults, returning": lambda s: s.scalars(insert(Made).returning(Made), {"number": 4}),
    "update": lambda s: s.execute(CHANGE, {"key": 101, "number": 5}),
    "update of nothing": lambda s: s.execute(CHANGE, {"key": -1, "number": 5}),
    "update, values in the statement": lambda s: s.execute(
        update(Note).where(Note.id == 101).values(number=Note.number + 1, text="t")
    ),
    "update, returning": lambda s: s.scalars(CHANGE.returning(Note), {"key": 101, "text": None}),
    "update, defaults": lambda s: s.execute(update(Made), {"number": 5}),
    "delete": lambda s: s.execute(delete(Note).where(Note.id == 103)),
    "delete, returning": lambda s: s.scalars(
        delete(Note).where(Note.id == bindparam("key")).returning(Note), {"key": 101}
    ),
    "delete from a table": lambda s: s.execute(delete(NOTES)),
}


# PostgreSQL makes a new key each time.
GENERATED = re.compile(r"\b\d\d?\b")
ROW = re.compile(r"\([^()]*\)")


async def told_and_stored(session: AsyncSession, name: str) -> Any:
    """What a call gives and leaves behind; taken back."""
    point = await session.conn.begin_nested()
    told = described(await TAKEN[name](session))
    stored = await session.conn.run_sync(lambda c: [contents(c, m) for m in (Note, Made, Kind)])
    await point.rollback()
    lines = [str(row) for table in stored for rows in table.values() for row in rows]
    if "insert" not in name:
        return repr(told), sorted(lines)
    return GENERATED.sub("n", repr(told)), sorted(GENERATED.sub("n", line) for line in lines)


@pytest.mark.parametrize("name", TAKEN)
async def test_taken_the_second_time(filled: AsyncEngine, ways: Ways, name: str) -> None:
    watched, quiet = create_async_engine(filled.url), create_async_engine(filled.url)
    event.listen(watched.sync_engine, "before_cursor_execute", nothing)
    try:
        seen = []
        for engine in (watched, quiet):
            async with AsyncSessionFactory(engine).begin() as session:
                seen += [await told_and_stored(session, name) for _ in range(3)]
    finally:
        await watched.dispose()
        await quiet.dispose()
    assert ways == Ways(2, 4)
    for one in seen:
        assert one == seen[0]


async def test_the_values_are_those_in_hand(filled: AsyncEngine, ways: Ways) -> None:
    async with AsyncSessionFactory(filled).begin() as session:
        for n in range(4):
            changed = update(Note).where(Note.id == 100 + n).values(number=Note.number * n)
            assert (await session.execute(changed)).rowcount == 1  # type: ignore[attr-defined]
            made = await session.scalars(
                insert(Note).values(text=f"made {n}").returning(Note),
                {"number": n, "digits": f"{n}"},
            )
            note = made.one()
            assert (note.text, note.number, note.digits) == (f"made {n}", n, str(n))
        found = (await session.scalars(select(Note.number).where(Note.id.between(100, 103)))).all()
        assert sorted(found) == [0, 101, 204, 309]
        assert ways == Ways(2 * 3, 2)
        with pytest.raises(UnknownAttribute):
            await session.execute(insert(Note), {"number": 1, "nothing": 2})
        with pytest.raises(StatementError, match="A value is required for bind parameter 'key'"):
            await session.execute(CHANGE, {"number": 1})


async def listens_to_the_connection(session: AsyncSession) -> None:
    event.listen(session.conn.sync_connection, "before_cursor_execute", nothing)


async def listens_to_the_engine(session: AsyncSession) -> None:
    event.listen(session.conn.engine.sync_engine, "after_execute", nothing)


async def listens_to_the_dialect(session: AsyncSession) -> None:
    event.listen(session.conn.engine.sync_engine, "do_execute", nothing)


async def has_an_option(session: AsyncSession) -> None:
    await session.conn.execution_options(mine=1)


async def has_no_cache(session: AsyncSession) -> None:
    await session.conn.execution_options(compiled_cache=None)


@pytest.mark.parametrize(
    "before",
    [
        listens_to_the_connection,
        listens_to_the_engine,
        listens_to_the_dialect,
        has_an_option,
        has_no_cache,
    ],
)
async def test_not_taken_where_somebody_could_tell(
    filled: AsyncEngine, ways: Ways, before: Any
) -> None:
    async with AsyncSessionFactory(filled).begin() as session:
        for _ in range(2):
            await session.execute(CHANGE, {"key": 100, "number": 1})
        assert ways.direct == 1
        await before(session)
        for _ in range(2):
            await session.execute(CHANGE, {"key": 100, "number": 1})
        assert ways.direct == 1


NOT_TAKEN: dict[str, Callable[[AsyncSession], Any]] = {
    "option of the call": lambda s: s.execute(
        insert(Note), {"number": 1}, execution_options={"mine": 1}
    ),
    "option of the statement": lambda s: s.execute(
        insert(Note).execution_options(mine=1), {"number": 1}
    ),
    "list of rows": lambda s: s.execute(insert(Note), [{"number": 1}]),
    "rows in the statement": lambda s: s.execute(insert(Note).values([{"number": 1}])),
    "no parameters": lambda s: s.execute(insert(Note), {}),
    "an expression": lambda s: s.execute(insert(Note), {"number": func.abs(1)}),
    "null()": lambda s: s.execute(insert(Note), {"text": null()}),
    "None for a key": lambda s: s.execute(insert(Note), {"id": None, "text": "t"}),
    "None for a default": lambda s: s.execute(insert(Note), {"number": None, "text": "t"}),
    "a value in the statement and in the parameters": lambda s: s.execute(
        insert(Note).values(number=func.abs(1)), {"number": 3}
    ),
    "list of values": lambda s: s.execute(delete(Note).where(Note.id.in_([1, 2]))),
    "rows of a table": lambda s: s.execute(insert(NOTES).returning(NOTES.c.number), {"number": 1}),
    "return_defaults()": lambda s: s.execute(insert(NOTES).return_defaults(), {"number": 1}),
    "text": lambda s: s.execute(text("delete from note")),
}


@pytest.mark.parametrize("name", NOT_TAKEN)
async def test_not_taken(filled: AsyncEngine, ways: Ways, name: str) -> None:
    async with AsyncSessionFactory(filled).begin() as session:
        for _ in range(3):
            await NOT_TAKEN[name](session)
    assert ways.direct == 0


async def test_what_another_value_may_change(filled: AsyncEngine, ways: Ways) -> None:
    """A None that means "not given", an expression, a default of SQL: after the direct way was
    taken for the same names."""
    async with AsyncSessionFactory(filled).begin() as session:
        ones = insert(Note).returning(Note)
        found = [
            (await session.scalars(ones, {"number": number})).one().number
            for number in (5, 6, None, func.abs(-8), 9)
        ]
        assert found == [5, 6, 7, 8, 9]
        assert ways == Ways(2, 3)
        for _ in range(2):
            await session.execute(insert(BySql), {"number": 1})
            await session.execute(delete(BySql))
        # DELETE has a way, the INSERT none
        assert ways.direct == 3


# ---------------------------------------------------------------- criteria of a factory

LIMITS = {"number": 101}
WITHIN = [
    with_loader_criteria(Note, lambda cls: cls.number > LIMITS["number"]),
    with_loader_criteria(Made, Made.number > 0),
]


async def told_within(session: AsyncSession, n: int) -> list[Any]:
    """What writes under criteria give; all rows are there again afterwards."""
    found: list[Any] = []
    point = await session.conn.begin_nested()
    for call in (
        lambda: session.execute(CHANGE, {"key": 100, "number": 500 + n}),
        lambda: session.execute(CHANGE, {"key": 104, "number": 500 + n}),
        lambda: session.scalars(CHANGE.returning(Note), {"key": 104, "text": f"t{n}"}),
        lambda: session.execute(insert(Note), {"id": 7, "number": n}),
        lambda: session.execute(insert(Note), [{"id": 8, "number": n}, {"id": 9, "number": 900}]),
        lambda: session.insert(Note(id=10, number=n)),
        lambda: session.update(Note, 103, text=f"t{n}"),
        lambda: session.update(Kind, 1, returning=False),
        lambda: session.delete(Note, 104),
        lambda: session.execute(delete(Note).where(Note.id == bindparam("key")), {"key": 103}),
        lambda: session.execute(delete(Note)),
    ):
        inner = await session.conn.begin_nested()
        try:
            given = await call()
        except Exception as error:  # noqa: BLE001 - it is compared
            found.append((type(error), str(error)))
            await inner.rollback()
        else:
            found.append(described(given) if hasattr(given, "all") else shown_deeply(given))
            await inner.commit()
        found.append(await session.conn.run_sync(lambda c: contents(c, Note)))
    await point.rollback()
    return found


async def test_within_criteria(filled: AsyncEngine, ways: Ways) -> None:
    """The statement in hand has the criteria, whose values may be others each time."""
    watched, quiet = create_async_engine(filled.url), create_async_engine(filled.url)
    event.listen(watched.sync_engine, "before_cursor_execute", nothing)
    seen = []
    for engine in (watched, quiet):
        ways.direct = 0
        db = AsyncSessionFactory(engine, options=WITHIN)
        async with db.begin() as session:
            for n, LIMITS["number"] in enumerate((101, 102, 101, 103)):
                seen.append(await told_within(session, n))
            await session.rollback()
    assert seen[:4] == seen[4:]
    # three of each statement
    assert ways.direct >= 3 * 5
    await watched.dispose()
    await quiet.dispose()


# ---------------------------------------------------------------- errors


def told(error: BaseException) -> Any:
    """All that an error of SQLAlchemy tells."""
    assert isinstance(error, StatementError)
    more = error.connection_invalidated if isinstance(error, DBAPIError) else None
    return (
        type(error),
        str(error),
        error.statement,
        error.params,
        type(error.orig),
        more,
        type(error.__cause__),
    )


FAILING: dict[str, tuple[Any, Any, Any]] = {
    "a key that is there": (insert(Note), {"id": 7, "number": 1}, {"id": 100, "number": 1}),
    "a key that is there, returning": (
        insert(Note).returning(Note),
        {"id": 7, "number": 1},
        {"id": 100, "number": 1},
    ),
    "a value that can't be converted": (insert(Note), {"digits": "1"}, {"digits": "one"}),
    "a value that can't be converted, returning": (
        insert(Note).returning(Note),
        {"digits": "1"},
        {"digits": "one"},
    ),
    "a default that fails": (insert(Made), {"number": 2}, {"number": {}}),
    "a key that is there, with defaults": (
        insert(Made).returning(Made),
        {"id": 2, "number": 2},
        {"id": 100, "number": 2},
    ),
}


@pytest.mark.parametrize("name", FAILING)
async def test_an_error_is_sqlalchemys(filled: AsyncEngine, ways: Ways, name: str) -> None:
    statement, fine, bad = FAILING[name]
    seen = []
    for listen in (True, False):
        engine = create_async_engine(filled.url)
        if listen:
            event.listen(engine.sync_engine, "before_cursor_execute", nothing)
        db = AsyncSessionFactory(engine)
        async with db.begin() as session:
            await session.execute(statement, fine)
            await session.rollback()
        with pytest.raises(StatementError) as caught:
            async with db.begin() as session:
                await session.execute(statement, bad)
        seen.append(told(caught.value))
        if isinstance(caught.value, IntegrityError):
            seen.append(await after_a_swallowed_error(db, statement, bad))
        # and the connection is in order
        async with db.begin() as session:
            await session.execute(statement, fine)
            await session.rollback()
        await engine.dispose()
    half = len(seen) // 2
    assert seen[:half] == seen[half:]
    assert ways.direct == (3 if seen[0][0] is IntegrityError else 2)


async def after_a_swallowed_error(db: AsyncSessionFactory, statement: Any, bad: Any) -> Any:
    try:
        async with db.begin() as session:
            with pytest.raises(IntegrityError):
                await session.execute(statement, bad)
    except TransactionRolledBack as error:
        return type(error), type(error.__cause__)
    return None


# ---------------------------------------------------------------- by object


class Odd(Base):
    """A key of two columns, a version, other names for columns, and what the client makes."""

    __tablename__ = "odd"

    first: Mapped[int] = mapped_column("a", primary_key=True)
    second: Mapped[str] = mapped_column("b", primary_key=True)
    a: Mapped[str | None] = mapped_column("first")
    number: Mapped[int] = mapped_column(default=3)
    twice: Mapped[int] = mapped_column(default=doubled, onupdate=doubled)
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class Stamped(Base):
    """What an UPDATE sets by itself: a value, SQL, and what a function makes."""

    __tablename__ = "stamped"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    fixed: Mapped[str] = mapped_column(default="new", onupdate="changed")
    made: Mapped[int] = mapped_column(default=1, onupdate=func.abs(-2))
    digits: Mapped[str] = mapped_column(Text, default="3", onupdate=lambda: "4")


class Counted(Base):
    """A function makes SQL for each UPDATE."""

    __tablename__ = "counted"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(default=0)
    made: Mapped[int] = mapped_column(default=0, onupdate=lambda: func.abs(-7))


BY_OBJECT: dict[str, Callable[[Any, int], Any]] = {
    "insert": lambda s, n: s.insert(Note(text=f"t{n}", number=n, digits=f"{n}")),
    "insert, a default": lambda s, n: s.insert(Note(text=f"t{n}", number=None)),
    "insert, a version": lambda s, n: s.insert(Odd(first=n, second="x", number=n)),
    "insert, a dictionary": lambda s, n: s.insert({"other": n, "words": "w"}, model=Note),
    "insert, what the model adds": lambda s, n: s.insert(Kind(id=n)),
    "insert, defaults": lambda s, n: s.insert(Made(number=n)),
    "update an object": lambda s, n: s.update(Note(id=100 + n, text=None, number=n, digits=None)),
    "update fields": lambda s, n: (
        s.update(Note(id=100 + n, text="t", number=n), "text", "words")
        if n < 0
        else s.update(Note(id=100 + n, text="t", number=n), "text")
    ),
    "update by key": lambda s, n: s.update(Note, 100 + n, text=f"t{n}", number=n),
    "update, no rows back": lambda s, n: s.update(Note, 100 + n, text=f"t{n}", returning=False),
    "update, onupdate": lambda s, n: s.update(Made, 100, number=n),
    "update of nothing": lambda s, n: s.update(Note, -n - 1, number=n),
    "update of nothing, no rows back": lambda s, n: s.update(
        Note, -n - 1, number=n, returning=False
    ),
    "update, a version": lambda s, n: s.update(Odd, (50, "y"), version=n + 1, number=n),
    "update, a version that has moved on": lambda s, n: s.update(
        Odd, (50, "y"), version=9, number=n
    ),
    "upsert": lambda s, n: s.upsert(Note(id=100 + n, text=f"t{n}", number=n, digits=None)),
    "upsert, a new one": lambda s, n: s.upsert(Note(id=200 + n, text="t", number=n)),
    "upsert, a default": lambda s, n: s.upsert(Note(id=200 + n, text=f"t{n}", number=None)),
    "upsert, None for a default": lambda s, n: s.upsert(Note(id=100 + n, stored=None, number=n)),
    "upsert, and an error": lambda s, n: s.upsert(Note(id=100 + n, text="t", number=None)),
    "upsert, some columns": lambda s, n: s.upsert(
        Note(id=100 + n, text="t", number=n), on=Note.id, update=["number"]
    ),
    "upsert, a dictionary": lambda s, n: s.upsert({"id": 100 + n, "other": n}, model=Note),
    "upsert, left as it is": lambda s, n: s.upsert(Note(id=100 + n, text="t"), update=[]),
    "upsert, a version": lambda s, n: s.upsert(Odd(first=50 + n, second="y", number=9, twice=1)),
    "upsert, onupdate": lambda s, n: s.upsert(Stamped(id=1, number=n)),
    "insert by upsert": lambda s, n: s.upsert(Note(text=f"t{n}", number=n)),
    "delete by key": lambda s, n: s.delete(Note, 100 + n),
    "delete an object": lambda s, n: s.delete(Note(id=100 + n)),
    "delete of nothing": lambda s, n: s.delete(Note, -1, missing_ok=True),
    "delete, and nothing is there": lambda s, n: s.delete(Note, -1),
    "delete, a version": lambda s, n: s.delete(Odd(first=50 + n, second="y", version=1)),
    "delete, a version that has moved on": lambda s, n: s.delete(
        Odd(first=50 + n, second="y", version=7)
    ),
}


async def written_by_object(engine: AsyncEngine, name: str) -> list[Any]:
    """What three calls give, or their errors, and what they leave behind; taken back."""
    told: list[Any] = []
    async with AsyncSessionFactory(engine).begin() as session:
        for n in range(3):
            odd = [{"first": 50 + i, "second": "y", "number": i} for i in range(3)]
            point = await session.conn.begin_nested()
            await session.execute(insert(Odd), odd)
            await session.execute(insert(Stamped), [{"id": 1, "number": 9}])
            try:
                found = await BY_OBJECT[name](session, n)
            except Exception as error:  # noqa: BLE001 - it is compared
                told.append((type(error), str(error)))
            else:
                stored = await session.conn.run_sync(
                    lambda c: [contents(c, m) for m in (Note, Made, Kind, Odd, Stamped)]
                )
                told.append((shown_deeply(found), stored))
            await point.rollback()
        await session.rollback()
    return told


@pytest.mark.parametrize("name", BY_OBJECT)
async def test_by_object(filled: AsyncEngine, ways: Ways, name: str) -> None:
    watched, quiet = create_async_engine(filled.url), create_async_engine(filled.url)
    event.listen(watched.sync_engine, "before_cursor_execute", nothing)
    try:
        theirs = await written_by_object(watched, name)
        assert not any(ways.of_objects)
        ways.of_objects.clear()
        ours = await written_by_object(quiet, name)
    finally:
        await watched.dispose()
        await quiet.dispose()
    if "insert" in name:
        theirs, ours = (sorted(ROW.findall(GENERATED.sub("n", repr(t)))) for t in (theirs, ours))
    assert ours == theirs
    # what fails has no way that could be kept
    assert ways.of_objects == ([False] * 3 if "error" in name else [False, True, True])


async def expecting(session: AsyncSession) -> None:
    await session.execute(delete(Odd))
    await session.upsert(Odd(first=50, second="y", version=1, number=1, twice=2))


NO_WAY_BY_OBJECT: dict[str, Callable[[Any], Any]] = {
    "insert, an expression": lambda s: s.insert({"number": func.abs(1)}, model=Note),
    "update, an expression": lambda s: s.update(Note, 100, number=Note.number + 1),
    "update, an expression, no rows back": lambda s: s.update(
        Note, 100, number=Note.number + 1, returning=False
    ),
    "update, any version": lambda s: s.update(Odd, (50, "y"), number=1, returning=False),
    "upsert, an expression": lambda s: s.upsert({"id": 100, "number": func.abs(1)}, model=Note),
    "upsert, a version that is expected": expecting,
    "upsert, several": lambda s: s.upsert_all([Note(id=100, number=1), Note(id=900, number=2)]),
    "upsert, SQL that a function makes": lambda s: s.upsert(Counted(id=1, number=1)),
    "upsert, several, what a function makes": lambda s: s.upsert_all(
        [Stamped(id=1, number=1), Stamped(id=2, number=2)]
    ),
    "an option": lambda s: s.update(Note, 100, number=1, execution_options={"mine": 1}),
    "several": lambda s: s.insert_all([Note(number=1), Note(number=2)]),
}


@pytest.mark.parametrize("name", NO_WAY_BY_OBJECT)
async def test_by_object_not_taken(filled: AsyncEngine, ways: Ways, name: str) -> None:
    async with AsyncSessionFactory(filled).begin() as session:
        await session.update(Note, 100, number=1)
        await session.update(Note, 100, number=1, returning=False)
        await session.insert(Note(number=1))
        await session.execute(insert(Odd), {"first": 50, "second": "y", "number": 1})
        assert not any(ways.of_objects)
        for _ in range(3):
            await NO_WAY_BY_OBJECT[name](session)
    assert not any(ways.of_objects)


async def test_errors_by_object(filled: AsyncEngine, ways: Ways) -> None:
    seen = []
    for listen in (True, False):
        engine = create_async_engine(filled.url)
        if listen:
            event.listen(engine.sync_engine, "before_cursor_execute", nothing)
        db = AsyncSessionFactory(engine)
        for obj, bad in (
            (Note(id=7, number=1), Note(id=100, number=1)),
            (Note(digits="1"), Note(digits="one")),
            (Made(number=1), Made(number={})),
        ):
            async with db.begin() as session:
                await session.insert(obj)
                await session.rollback()
            with pytest.raises(StatementError) as caught:
                async with db.begin() as session:
                    await session.insert(bad)
            seen.append(told(caught.value))
        await engine.dispose()
    assert seen[:3] == seen[3:]
    assert ways.of_objects == [False] * 6 + [False, True] * 3


def test_the_synchronous_face(sync_engine: Engine, ways: Ways) -> None:
    Base.metadata.create_all(sync_engine)

    def work(session: Session) -> Any:
        for n in range(3):
            row = {"id": 200 + n, "number": n, "digits": f"{n}"}
            yield described(session.execute(insert(Note), row))
            yield described(session.execute(CHANGE, {"key": 200 + n, "text": "t"}))
            yield shown_deeply(session.insert(Note(id=300 + n, number=n)))
            yield shown_deeply(session.update(Note, 300 + n, number=n))
            yield session.update(Note, 300 + n, number=n, returning=False)
            yield session.delete(Note, 300 + n)
        yield session.connection().execute(select(NOTES).order_by(NOTES.c.id)).all()

    listened, quiet = with_sessions(sync_engine, lambda session: [*work(session)])
    assert listened == quiet
    assert ways.direct == 4
    assert ways.of_objects == [False] * 12 + [False] * 4 + [True] * 8
