"""Statements: what is refused and when, options, caching, parameters, DDL; beyond the oracle."""

from __future__ import annotations

import gc
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    column,
    exc,
    func,
    insert,
    lambda_stmt,
    literal,
    select,
    table,
    text,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import (
    Bundle,
    DeclarativeBase,
    Mapped,
    aliased,
    lazyload,
    load_only,
    mapped_column,
    noload,
    raiseload,
    undefer,
    with_loader_criteria,
)
from sqlalchemy.schema import CreateTable, DropTable

from naked_sqla.exception import (
    ConversionError,
    InvalidStatement,
    NotLoadedError,
    UnknownAttribute,
    UnsupportedOption,
)
from naked_sqla.om.asession import AsyncSession
from naked_sqla.read.statement import execute

from ..models.blog import Comment, Hub, Node, Post, Spoke, Tag, User, post_tags
from ..models.columns import Invoice
from ..models.types import Sample
from ..oracle import Oracle


def refused(
    oracle: Oracle, error: type[Exception], statement: Any, parameters: Any = None, **options: Any
) -> str:
    """Run what is to be refused; check that nothing reached the database; give the message.

    The session has to be as usable afterwards as it was before.
    """

    async def work(session: AsyncSession) -> str:
        with oracle.recorded() as executed, pytest.raises(error) as caught:
            await session.execute(statement, parameters, **options)
        assert executed == []
        assert (await session.execute(select(literal(1)))).scalar_one() == 1
        return str(caught.value)

    return oracle.naked(work)


# --- loader options ---


def test_noload_is_not_empty(oracle: Oracle) -> None:
    """What was not loaded raises; an invented empty list would be believed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        option = noload(User.posts)
        statement = select(User).where(User.id == 1).options(option)
        user = oracle.one(statement)
    assert user.name == "ann"
    with pytest.raises(NotLoadedError, match="posts"):
        user.posts  # noqa: B018 - reading it is the test


@pytest.mark.parametrize("option", [lazyload, raiseload])
def test_options_that_mean_not_loaded(oracle: Oracle, option: Any) -> None:
    for given in (option(User.posts), option("*")):
        user = oracle.one(select(User).where(User.id == 1).options(given))
        for key in ("posts", "boss", "staff", "profile"):
            with pytest.raises(NotLoadedError, match=key):
                getattr(user, key)


def test_loader_criteria_are_honoured(oracle: Oracle) -> None:
    for statement in (
        select(User).options(with_loader_criteria(User, User.id < 3)),
        select(User, Post).join(User.posts).options(with_loader_criteria(Post, Post.stars > 3)),
        select(Post).join(Post.author).options(with_loader_criteria(User, lambda cls: cls.id == 1)),
        select(User.id).options(with_loader_criteria(User, User.id < 3)),
    ):
        oracle.compare(statement, ordered=False)


# --- loading that the model asks for ---


def explicit(oracle: Oracle, statement: Any, parameters: Any = None) -> list[Any]:
    """Give the rows of a statement that loads only what it says itself."""

    async def main() -> list[Any]:
        async with oracle.engine.connect() as conn:
            await conn.begin()
            result = await conn.run_sync(
                lambda sync: execute(sync, statement, parameters, eager=False)
            )
            return list(result.all())

    return oracle.run(main())


def test_eager_relationships_switched_off(oracle: Oracle) -> None:
    """Then ``lazy="joined"`` and its kin load nothing: one row, one object, one statement."""
    for model, count in ((Hub, 3), (Spoke, 5), (Node, 4)):
        with oracle.recorded() as executed:
            rows = explicit(oracle, select(model))
        assert len(rows) == count
        assert len(executed) == 1
        assert "JOIN" not in executed[0]
    hub = explicit(oracle, select(Hub).where(Hub.id == 1))[0][0]
    for key in Hub.__mapper__.relationships.keys():  # noqa: SIM118 - no dictionary
        with pytest.raises(NotLoadedError, match=key):
            getattr(hub, key)


def test_eager_relationships_switched_off_in_every_statement(oracle: Oracle) -> None:
    with oracle.recorded() as executed:
        rows = explicit(oracle, select(Hub, Hub.name).order_by(Hub.id).limit(2))
    assert [(hub.id, name) for hub, name in rows] == [(1, "hub"), (2, None)]
    assert executed[0].count("SELECT") == 1
    other = aliased(Hub)
    pairs = explicit(oracle, select(Hub, other).join(other, other.id == Hub.id).order_by(Hub.id))
    assert [(a.id, b.id) for a, b in pairs] == [(1, 1), (2, 2), (3, 3)]
    made = explicit(oracle, insert(Hub).returning(Hub), [{"id": 50, "name": "x"}])
    assert made[0][0].name == "x"
    assert len(explicit(oracle, update(Hub).values(name="y").returning(Hub))) == 3
    assert len(explicit(oracle, select(Hub).from_statement(select(Hub)))) == 3


# --- what is no statement ---

NOT_STATEMENTS: dict[str, tuple[Callable[[], Any], str]] = {
    "a string": (lambda: "SELECT 1", "text("),
    "an empty string": (lambda: "", "text("),
    "None": (lambda: None, "select("),
    "a mapped class": (lambda: User, "select(User)"),
    "an alias": (lambda: aliased(User), "select("),
    "an attribute": (lambda: User.name, "select("),
    "an instance": (lambda: User(name="x"), "insert(User)"),
    "a number": (lambda: 7, "select("),
    "a tuple": (lambda: (select(User),), "select("),
    "a list": (lambda: [select(User)], "select("),
    "a column": (lambda: User.__table__.c.id, "select("),
    "an expression": (lambda: User.id == 1, "select("),
    "a mapper": (lambda: User.__mapper__, "select("),
    "an empty select": (select, "select("),
    "an unmapped class": (lambda: Oracle, "select("),
    "a function": (lambda: test_not_a_statement, "select("),
    "bytes": (lambda: b"SELECT 1", "text("),
}


@pytest.mark.parametrize("name", NOT_STATEMENTS)
def test_not_a_statement(oracle: Oracle, name: str) -> None:
    """What can't be executed is an ``InvalidStatement`` that says what to write."""
    make, advice = NOT_STATEMENTS[name]
    message = refused(oracle, InvalidStatement, make())
    assert advice in message
    assert issubclass(InvalidStatement, TypeError)


def test_loaded_instance_as_statement(oracle: Oracle) -> None:
    user = oracle.one(select(User).where(User.id == 1))
    assert "insert(User)" in refused(oracle, InvalidStatement, user)


def test_empty_select_with_from(oracle: Oracle) -> None:
    refused(oracle, InvalidStatement, select().select_from(User))
    refused(oracle, InvalidStatement, select().where(User.id == 1))


def test_unmapped_class_in_select() -> None:
    with pytest.raises(exc.ArgumentError):
        select(Oracle)


# --- parameters ---


def test_bound_parameters(oracle: Oracle) -> None:
    for statement, parameters in (
        (select(User).where(User.id == bindparam("key")), {"key": 2}),
        (select(User).where(User.id == bindparam("key", 1)), {"key": 2}),
        (select(User).where(User.id == bindparam("key", 1)), None),
        (select(User).where(User.id == bindparam("key", 1)), {}),
        (select(User).where(User.id.in_(bindparam("keys", expanding=True))), {"keys": [1, 2]}),
        (select(User, literal(1)).where(User.id == 1), {"param_1": 7}),
        (select(User).where(User.id == 1), {"id_1": 2}),
        (select(User).limit(bindparam("n")).order_by(User.id), {"n": 2}),
        (text("SELECT name FROM users WHERE id = :key"), {"key": 2}),
        (select(User).from_statement(text("SELECT * FROM users WHERE id = :key")), {"key": 2}),
        (select(User).from_statement(select(User).where(User.id == bindparam("k"))), {"k": 2}),
        (
            union_all(*(select(User.id).where(User.id == bindparam("k")) for _ in range(2))),
            {"k": 2},
        ),
        (select(User).where(User.id == bindparam("key")), None),
        (select(User).where(User.id == bindparam("key")), {}),
        (text("SELECT name FROM users WHERE id = :key"), None),
        (text("SELECT name FROM users WHERE id = :key"), [{"key": 2}]),
    ):
        oracle.compare(statement, parameters)


@pytest.mark.parametrize(
    "statement",
    [
        select(User),
        select(User.id),
        select(User).where(User.id == bindparam("key", 1)),
        select(User).from_statement(select(User)),
        select(User).from_statement(text("SELECT * FROM users")),
        select(post_tags),
        select(literal(1)),
        text("SELECT 1"),
        text("SELECT id FROM users").columns(User.id),
        union_all(select(User.id), select(Post.id)),
    ],
    ids=str,
)
def test_parameter_that_nothing_uses(oracle: Oracle, statement: Any) -> None:
    message = refused(oracle, UnknownAttribute, statement, {"nobody": 1})
    assert "nobody" in message


def test_list_of_parameters_for_a_select(oracle: Oracle) -> None:
    for statement in (
        select(User).where(User.id == bindparam("key")),
        select(User.id).where(User.id == bindparam("key")),
        select(User.__table__).where(User.id == bindparam("key")),
    ):
        refused(oracle, exc.ArgumentError, statement, [{"key": 1}, {"key": 2}])


def test_execution_options_that_are_none(oracle: Oracle) -> None:
    for wrong in ("x", 7, ["x"], ("a", 1)):
        refused(oracle, TypeError, select(User), execution_options=wrong)


@pytest.mark.parametrize(
    "options",
    [{"yield_per": 2}, {"stream_results": True}, {"max_row_buffer": 5, "stream_results": True}],
)
def test_streaming_options(oracle: Oracle, options: dict[str, Any]) -> None:
    """They need ``stream()``, and the message says so, wherever the option stands."""
    for statement in (select(User), select(User.id), text("SELECT 1"), select(post_tags)):
        assert "stream()" in refused(
            oracle, UnsupportedOption, statement, execution_options=options
        )
        assert "stream()" in refused(
            oracle, UnsupportedOption, statement.execution_options(**options)
        )


def test_schema_translate_map(oracle: Oracle) -> None:
    """The same statement for two schemas: neither plan nor SQL of the one serve the other."""
    statement = select(Tag).order_by(Tag.id)
    here = {"schema_translate_map": {None: None, "elsewhere": "nowhere"}}
    nowhere = {"schema_translate_map": {None: "nowhere", "elsewhere": None}}
    for _ in range(2):
        assert len(oracle.rows(statement, execution_options=here)) == 3
        with pytest.raises(exc.DBAPIError):
            oracle.rows(statement, execution_options=nowhere)
        oracle.compare(statement, execution_options=here)


# --- caching ---


def test_same_shape_other_parameters(oracle: Oracle) -> None:
    for key in (1, 2, 3, 99):
        oracle.compare(select(User, User.name).where(User.id == key))
        oracle.compare(select(User).where(User.id.in_(range(key))), ordered=False)


def test_same_shape_other_aliases(oracle: Oracle) -> None:
    """Two aliases of one shape share a cached plan, and still find their own keys."""
    for _ in range(3):
        other = aliased(User)
        rows = oracle.rows(
            select(User, other, other.name).join(other, other.id == User.boss_id).order_by(User.id)
        )
        for row in rows:
            assert row._mapping[User] is row[0]
            assert row._mapping[other] is row[1]
            assert row._mapping[other.name] == row[1].name
        with pytest.raises(KeyError):
            rows[0]._mapping[aliased(User)]


def test_same_shape_other_columns_and_bundles(oracle: Oracle) -> None:
    for _ in range(3):
        sub = select(User).where(User.id > 0).subquery()
        other = aliased(User, sub)
        label = (User.id + 1).label("next")
        rows = oracle.rows(
            select(other, sub.c.name, label).join(User, User.id == sub.c.id).order_by(sub.c.id)
        )
        assert [row._mapping[sub.c.name] for row in rows] == [row[0].name for row in rows]
        assert [row._mapping[label] for row in rows] == [row[0].id + 1 for row in rows]
        assert [row._mapping[other].id for row in rows] == [1, 2, 3, 4, 5]
        bundle = Bundle("b", User.id, User.name)
        found = oracle.rows(select(bundle).order_by(User.id))
        assert [row._mapping["b"].id for row in found] == [1, 2, 3, 4, 5]


def test_options_are_part_of_the_cache_key(oracle: Oracle) -> None:
    for _ in range(2):
        oracle.compare(select(Invoice).order_by(Invoice.id))
        oracle.compare(select(Invoice).order_by(Invoice.id).options(undefer(Invoice.memo)))
        oracle.compare(select(Invoice).order_by(Invoice.id).options(load_only(Invoice.net)))
        oracle.compare(select(Invoice).order_by(Invoice.id).options(load_only(Invoice.vat)))


def test_lambda_statements(oracle: Oracle) -> None:
    def make(key: int) -> Any:
        return lambda_stmt(lambda: select(User, User.name).where(User.id == key))

    for key in (1, 2, 1):
        oracle.compare(make(key))
    added = lambda_stmt(lambda: select(User))
    added += lambda s: s.where(User.id == 3)
    oracle.compare(added)


def test_one_statement_on_two_engines(oracle: Oracle) -> None:
    """A statement object keeps nothing of the engine it ran on."""
    statement = select(Sample, Sample.moment_tz).order_by(Sample.id)
    oracle.compare(statement)

    async def elsewhere() -> list[Any]:
        engine = create_async_engine("sqlite+aiosqlite://")
        async with engine.connect() as conn:
            await conn.run_sync(Sample.metadata.create_all)
            await AsyncSession(conn).execute(insert(Sample), [{"id": 9, "text": "other"}])
            rows = (await AsyncSession(conn).execute(statement)).all()
        await engine.dispose()
        return [row[0] for row in rows]

    assert [(sample.id, sample.text) for sample in oracle.run(elsewhere())] == [(9, "other")]
    oracle.compare(statement)


def test_without_a_compiled_cache(oracle: Oracle) -> None:
    options = {"compiled_cache": None}
    for _ in range(2):
        statement = select(User, Post).join(User.posts)
        oracle.compare(statement, execution_options=options, ordered=False)


def test_a_cache_that_is_too_small(oracle: Oracle) -> None:
    """Whatever falls out of SQLAlchemy's cache is compiled and planned again."""
    cache: dict[Any, Any] = {}
    options = {"compiled_cache": cache}
    for _ in range(2):
        for statement in (select(User), select(Post), select(User, Post).join(User.posts)):
            oracle.compare(statement, execution_options=options, ordered=False)
        assert cache
        cache.clear()


def test_missing_parameter(oracle: Oracle) -> None:
    for statement in (
        select(User).where(User.id == bindparam("key"), User.age == bindparam("age")),
        insert(User).values(nickname=bindparam("nick")),
        update(User).where(User.id == bindparam("key")).values(age=1),
    ):
        error = oracle.compare(statement, {"age": 1} if statement.is_select else {"name": "x"})
        assert isinstance(error, exc.StatementError)


def test_parameters_do_not_leak_between_runs(oracle: Oracle) -> None:
    statement = select(User).where(User.id == bindparam("key"))
    assert oracle.one(statement, {"key": 1}).name == "ann"
    assert oracle.one(statement, {"key": 2}).name == "bob"
    assert oracle.rows(statement) == oracle.rows(statement, {"key": 99}) == []


def test_subclass_that_is_mapped_later(oracle: Oracle) -> None:
    """A polymorphic statement that ran before a subclass was mapped learns of the subclass."""

    class Base(DeclarativeBase):
        pass

    class Thing(Base):
        __table__ = Table("persons", Base.metadata, Column("id", Integer, primary_key=True),
                          Column("kind", String), Column("name", String))  # fmt: skip
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}

    statement = select(Thing).where(Thing.id == 1)
    assert oracle.one(statement).__class__ is Thing

    class Special(Thing):
        __mapper_args__ = {"polymorphic_identity": "engineer"}

    assert oracle.one(select(Thing).where(Thing.id == 2)).__class__ is Special


def test_unknown_discriminator(oracle: Oracle) -> None:
    """A row of a class that nobody mapped is an error that names the value."""

    class Base(DeclarativeBase):
        pass

    class Thing(Base):
        __table__ = Table("persons", Base.metadata, Column("id", Integer, primary_key=True),
                          Column("kind", String))  # fmt: skip
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}

    oracle.compare(select(Thing).where(Thing.id == 1))
    with pytest.raises(ConversionError, match="engineer") as caught:
        oracle.rows(select(Thing).order_by(Thing.id))
    assert caught.value.value == "engineer"


# --- statements that return no rows, or are no ORM statements ---


def test_ddl(oracle: Oracle) -> None:
    made = Table(
        "made", MetaData(), Column("id", Integer, primary_key=True), Column("name", String)
    )

    async def work(session: AsyncSession) -> Any:
        result = await session.execute(CreateTable(made))
        assert not result.returns_rows
        await session.execute(insert(made), [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}])
        rows = (await session.execute(select(made).order_by(made.c.id))).all()
        await session.execute(DropTable(made))
        await session.execute(text("CREATE TABLE made (id INTEGER)"))
        assert (await session.execute(text("SELECT * FROM made"))).all() == []
        await session.execute(text("DROP TABLE made"))
        return rows

    assert [tuple(row) for row in oracle.naked(work)] == [(1, "x"), (2, "y")]


def test_sequence_and_function_as_statement(oracle: Oracle) -> None:
    """What ``AsyncConnection.execute`` takes besides statements: functions, sequences."""

    async def work(session: AsyncSession) -> Any:
        return (await session.execute(func.lower("ABC"))).scalar_one()  # type: ignore[call-overload]

    assert oracle.naked(work) == "abc"
    if oracle.postgresql:

        async def sequence(session: AsyncSession) -> Any:
            numbers: Any = sqlalchemy.Sequence("numbers", start=5)
            await session.execute(sqlalchemy.schema.CreateSequence(numbers))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return await session.execute(numbers)
            except InvalidStatement:
                return (await session.execute(select(numbers))).scalar_one()

        assert oracle.naked(sequence) == 5


def test_statement_errors_pass_through(oracle: Oracle) -> None:
    for statement in (
        text("SELECT nothing FROM nowhere"),
        text("this is no SQL"),
        select(table("nowhere", column("id"))),
        select(User).where(text("nonsense = 1")),
        select(User).order_by("no such label"),
        insert(User).values(id=1, name="again"),
        insert(User).values(id=50, name=None),
        select(func.no_such_function(User.id)),
    ):
        oracle.compare(statement)


def test_ambiguous_text(oracle: Oracle) -> None:
    """Columns of one name can't tell two entities apart, and the error says which."""
    both = text("SELECT users.*, posts.* FROM users JOIN posts ON posts.author_id = users.id")
    with pytest.raises(exc.InvalidRequestError, match="Ambiguous column name"):
        oracle.rows(select(User, Post).from_statement(both))


def test_very_wide_table(oracle: Oracle) -> None:
    """Four hundred columns, as a table and as a mapped class."""

    class Base(DeclarativeBase):
        pass

    class Wide(Base):
        __table__ = Table(
            "wide",
            Base.metadata,
            Column("id", Integer, primary_key=True),
            *(Column(f"c{n}", Integer) for n in range(400)),
        )

    async def work(session: AsyncSession) -> Any:
        await session.execute(CreateTable(Wide.__table__))
        row = {"id": 1, **{f"c{n}": n for n in range(400)}}
        made = (await session.execute(insert(Wide).returning(Wide), [row])).scalar_one()
        found = (await session.execute(select(Wide))).scalar_one()
        plain = (await session.execute(select(Wide.__table__))).one()
        return row, vars(made), vars(found), plain._asdict()

    expected, *others = oracle.naked(work)
    assert all(other == expected for other in others)


# --- values that can't be converted ---


def test_conversion_error(oracle: Oracle) -> None:
    """It names the entity, the attribute and the value; the traceback shows the generated line."""
    if oracle.postgresql:
        bad = text("UPDATE samples SET colour_value = 'nope' WHERE id = 1")
    else:
        bad = text("UPDATE samples SET colour = 'nope', number = 'x' WHERE id = 1")
    key = "colour_value" if oracle.postgresql else "colour"

    async def work(session: AsyncSession) -> Any:
        await session.execute(bad)
        for statement, target in (
            (select(Sample).options(load_only(getattr(Sample, key))).order_by(Sample.id), "Sample"),
            (select(User, Sample).join(Sample, Sample.id == User.id).options(
                load_only(getattr(Sample, key))), "Sample"),
        ):  # fmt: skip
            with pytest.raises(ConversionError) as caught:
                await session.execute(statement)
            error = caught.value
            assert (error.target, error.attribute, error.value) == (target, key, "nope")
            assert isinstance(error.__cause__, LookupError)
            assert all(word in str(error) for word in (target, key, "nope"))
        with pytest.raises((ConversionError, LookupError)):
            (await session.execute(select(getattr(Sample, key)).order_by(Sample.id))).all()
        # the session is as usable as before
        assert (await session.execute(select(User.id).where(User.id == 1))).scalar_one() == 1

    oracle.naked(work)


# --- nothing is left behind ---


def test_models_are_collected(oracle: Oracle) -> None:
    """A model that goes out of use goes, with its statements, plans and naked classes."""
    import weakref

    def use() -> list[Any]:
        class Base(DeclarativeBase):
            pass

        class Temporary(Base):
            __tablename__ = "tags"
            id: Mapped[int] = mapped_column(primary_key=True)
            label: Mapped[str]

        # without SQLAlchemy's cache of compiled statements, which keeps what it has compiled
        rows = oracle.rows(select(Temporary), execution_options={"compiled_cache": None})
        oracle.rows(insert(Temporary).returning(Temporary), [{"id": 50, "label": "x"}],
                    execution_options={"compiled_cache": None})  # fmt: skip
        found = [weakref.ref(Temporary), weakref.ref(type(rows[0][0])), weakref.ref(rows[0][0])]
        Base.registry.dispose()
        return found

    left = use()
    for _ in range(3):
        gc.collect()
    assert [ref() for ref in left] == [None, None, None]


def test_rows_are_collected_by_reference_count(oracle: Oracle) -> None:
    """Neither the result nor the rows are part of a cycle."""
    import weakref

    gc.collect()
    gc.disable()
    try:
        rows = oracle.rows(select(User, Post).join(User.posts))
        watched = [weakref.ref(item) for row in rows for item in row]
        del rows
        assert {ref() for ref in watched} == {None}
    finally:
        gc.enable()


def test_first_statement_of_a_process() -> None:
    """Nothing depends on mappers having been configured before."""
    code = (
        "import asyncio\n"
        "from sqlalchemy import insert, select\n"
        "from sqlalchemy.ext.asyncio import create_async_engine\n"
        "from naked_sqla.om.asession import AsyncSession\n"
        "from tests.models.blog import Base, User\n"
        "async def main():\n"
        "    engine = create_async_engine('sqlite+aiosqlite://')\n"
        "    try:\n"
        "        async with engine.connect() as conn:\n"
        "            await conn.run_sync(Base.metadata.create_all)\n"
        "            made = await AsyncSession(conn).execute(\n"
        "                insert(User).returning(User), [{'id': 1, 'name': 'x'}])\n"
        "            print(made.scalar_one())\n"
        "            found = await AsyncSession(conn).execute(select(User))\n"
        "            print(found.scalar_one())\n"
        "    finally:\n"
        "        await engine.dispose()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "<User 1 x>\n<User 1 x>\n"


def test_statement_is_not_changed(oracle: Oracle) -> None:
    """Running a statement leaves it as it was: SQL, options, parameters."""
    for statement in (
        select(Hub),
        select(User).where(User.id == 1),
        insert(User).returning(User),
        update(User).where(User.id == 1),
        select(Comment).options(load_only(Comment.text)),
    ):
        before = str(statement), dict(statement.__dict__)
        oracle.compare(select(literal(1)))
        parameters = {"id": 1, "name": "x"} if statement.is_update else None
        if not statement.is_insert:
            run = statement.returning(User) if statement.is_update else statement
            oracle.rows(run, parameters, unique=True)
        after = str(statement), {key: statement.__dict__.get(key) for key in before[1]}
        assert after == before
