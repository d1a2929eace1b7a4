"""``one()``, ``one_or_none()``, ``first()``, ``all()``, ``exists()`` and ``count()``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    Sequence,
    bindparam,
    delete,
    event,
    func,
    insert,
    lambda_stmt,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError, MultipleResultsFound, NoResultFound
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import contains_eager, joinedload, lazyload, selectinload

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    InvalidSessionState,
    InvalidStatement,
    UnknownAttribute,
    UnsupportedOption,
)
from naked_sqla._sqlalchemy import results, select_clauses, statements
from naked_sqla.read import shortcuts

from .._examples import examples
from .._notes import Base, Note
from ..models.blog import Hub, Post, User
from ..models.inheritance import Person
from ..oracle import Comparison, Oracle, OrmSession, Outcome
from ..pages.test_paginate import CASES as OF_PAGES
from .test_oracle_hypothesis import EAGER, new_rows, selects

CASES: dict[str, Any] = {
    **OF_PAGES,
    "group by a label": select(func.lower(Post.title).label("low")).group_by("low").order_by("low"),
    "distinct entity with a join": select(Post).join(Post.tags).distinct().order_by(Post.id),
    "entity and aggregate": select(User.boss_id, func.count(User.id))
    .group_by(User.boss_id)
    .order_by(func.coalesce(User.boss_id, -1)),
    "from statement": select(User).from_statement(select(User).order_by(User.id)),
    "two of one": select(User, User).order_by(User.id),
    "no froms": select(func.lower("A"), func.lower("B")),
    "where of a subclass": select(Person).where(Person.id > 1).order_by(Person.id),
    "lambda": lambda_stmt(lambda: select(User).order_by(User.id)),
    "text": text("SELECT id FROM users ORDER BY id").columns(User.id),
    "schema": select(User).order_by(User.id).execution_options(schema_translate_map={"x": "y"}),
}


def rows_of(result: Any) -> list[Any]:
    """All items of a result, as a caller of the ORM session would ask for them."""
    if results.has_unique_filter(result):
        result = result.unique()
    return list(result.scalars() if results.width_of(result) == 1 else result)


def orm_outcome(oracle: Oracle, statement: Any, before: Any = ()) -> Outcome:
    def session(conn: Any) -> OrmSession:
        return OrmSession(bind=conn, expire_on_commit=False)

    return oracle.outcome(session, statement, None, None, rows_of, (), before)


def orm(oracle: Oracle, statement: Any, before: Any = ()) -> Any:
    found = orm_outcome(oracle, statement, before)
    assert found.error is None, found.error
    return found.value


def ours(oracle: Oracle, method: str, statement: Any, before: Any = ()) -> Outcome:
    return oracle.outcome(
        AsyncSession, statement, None, None, lambda value: value, (), before, method
    )


def check(oracle: Oracle, statement: Any, before: Any = ()) -> None:
    """All shortcuts on one statement, next to what the ORM gives for it."""
    theirs = orm_outcome(oracle, statement, before)
    if theirs.error is not None:
        # a name that the database takes for a keyword
        assert type(ours(oracle, "all", statement, before).error) is type(theirs.error)
        return
    whole = theirs.value

    def compare(theirs: Any, found: Any) -> None:
        differences = list(Comparison(theirs, hidden=True).differences(theirs, found))
        assert not differences, differences

    every = ours(oracle, "all", statement, before)
    assert type(every.value) is list, every.error
    compare(whole, every.value)
    compare(whole[0] if whole else None, ours(oracle, "first", statement, before).value)
    if not before:
        one, maybe = (ours(oracle, name, statement) for name in ("one", "one_or_none"))
        if len(whole) == 1:
            compare(whole[0], one.value)
        else:
            assert type(one.error) is (MultipleResultsFound if whole else NoResultFound)
        assert (type(maybe.error) is MultipleResultsFound) is (len(whole) > 1)
        compare(whole[0] if len(whole) == 1 else None, maybe.value)

    plain = statements.resolved(statement)
    if statements.is_orm_statement(plain):
        plain = statements.without_options(plain).options(
            lazyload("*"), *[o for o in plain._with_options if hasattr(o, "where_criteria")]
        )
    number = len(orm(oracle, plain, before))
    counted, there = (
        ours(oracle, "count", statement, before),
        ours(oracle, "exists", statement, before),
    )
    assert (counted.error, there.error) == (None, None)
    assert (type(counted.value), counted.value) == (int, number)
    assert there.value is (number > 0)
    assert len(counted.executed) == len(there.executed) == 1


@pytest.mark.parametrize("name", CASES)
def test_next_to_the_orm(oracle: Oracle, name: str) -> None:
    if name != "fetch" or oracle.postgresql:
        check(oracle, CASES[name])


@given(rows=new_rows(), statement=selects())
@examples(40)
def test_random_selects(oracle: Oracle, rows: list[Any], statement: Any) -> None:
    check(oracle, statement, rows)


@given(rows=new_rows(), chosen=st.sampled_from(EAGER), data=st.data())
@examples(40)
def test_random_eager_loads(
    oracle: Oracle, rows: list[Any], chosen: Any, data: st.DataObject
) -> None:
    model, option = chosen()
    statement = select(model).options(option)
    if data.draw(st.booleans()):
        statement = statement.add_columns(model.id)
    if data.draw(st.booleans()):
        statement = statement.limit(data.draw(st.integers(0, 4)))
    check(oracle, statement.order_by(model.id), rows)


# --- what is sent ---


def sent(oracle: Oracle, method: str, statement: Any) -> str:
    found = ours(oracle, method, statement)
    assert found.error is None, found.error
    return " ".join(found.executed[0].split())


def test_first_reads_one_row(oracle: Oracle) -> None:
    for statement in (
        select(User).order_by(User.id),
        select(User).order_by(User.id).limit(7).offset(1),
        select(User).options(joinedload(User.posts)).order_by(User.id),
        select(Post.title).distinct(),
        select(User.id).union(select(Post.id)),
    ):
        assert "LIMIT" in sent(oracle, "first", statement)
        limited = shortcuts.first_of(statement, None)
        assert select_clauses.limit_and_offset(limited)[0] == 1


def test_first_leaves_a_statement_that_a_limit_would_change(oracle: Oracle) -> None:
    contained = (
        select(User).join(User.posts).options(contains_eager(User.posts)).order_by(User.id, Post.id)
    )
    assert "LIMIT" not in sent(oracle, "first", contained)
    found = ours(oracle, "first", contained).value
    assert len(found.posts) == 2
    assert "LIMIT ? ?" not in sent(oracle, "first", select(User).limit(0))
    assert ours(oracle, "first", select(User).limit(0)).value is None
    ended = select(User.id).order_by(User.id).suffix_with("LIMIT 2")
    assert sent(oracle, "first", ended).endswith("LIMIT 2")

    async def work(session: AsyncSession) -> None:
        limited = select(User.id).order_by(User.id).limit(bindparam("n", 3))
        assert await session.first(limited, {"n": 0}) is None
        assert await session.first(limited, {"n": 2}) == 1
        assert await session.first(limited) == 1
        with pytest.raises(UnknownAttribute, match="'m'"):
            await session.first(limited, {"m": 0})

    oracle.naked(work)


def test_counting_is_small(oracle: Oracle) -> None:
    loaded = (
        select(User)
        .options(joinedload(User.posts), selectinload(User.staff))
        .order_by(User.name)
        .where(User.age > 1)
    )
    for method in ("count", "exists"):
        sql = sent(oracle, method, loaded)
        assert "ORDER BY" not in sql
        assert "JOIN" not in sql
        assert "nickname" not in sql
        assert "users.name" not in sql
        assert "hubs" in sent(oracle, method, select(Hub))
    assert "LIMIT" in sent(oracle, "exists", loaded)
    assert "LIMIT" not in sent(oracle, "count", loaded)


def test_counting_locks_what_the_statement_locks(oracle: Oracle) -> None:
    locked = select(User).with_for_update()
    for method in ("count", "exists", "first", "all"):
        assert ("FOR UPDATE" in sent(oracle, method, locked)) is oracle.postgresql


def test_functions_that_multiply_rows(oracle: Oracle) -> None:
    if not oracle.postgresql:
        return
    check(oracle, select(User, func.generate_series(1, 3)).order_by(User.id, text("2")))
    check(oracle, select(User.id).order_by(User.id, func.generate_series(1, 3)))


def test_ties_depend_on_the_order(oracle: Oracle) -> None:
    if not oracle.postgresql:
        return
    tied = select(Post.author_id).order_by(Post.author_id).fetch(1, with_ties=True)
    assert ours(oracle, "count", tied).value == len(orm(oracle, tied)) == 2


def test_parameters(oracle: Oracle) -> None:
    statement = select(User).where(User.id > bindparam("low"))
    ordered = statement.order_by(User.id + bindparam("by"))

    async def work(session: AsyncSession) -> None:
        assert await session.count(statement, {"low": 3}) == 2
        assert await session.exists(statement, {"low": 5}) is False
        assert await session.count(ordered, {"low": 3, "by": 1}) == 2
        assert (await session.one(statement, {"low": 4})).id == 5
        for method in (session.count, session.exists, session.one, session.all):
            with pytest.raises(UnknownAttribute, match="'high'"):
                await method(statement, {"low": 1, "high": 2})

    oracle.naked(work)


def test_options_reach_what_is_sent(oracle: Oracle) -> None:
    async def work(session: AsyncSession) -> None:
        seen: list[Any] = []

        def note(conn: Any, cursor: Any, sql: Any, values: Any, context: Any, many: Any) -> None:
            seen.append((context.execution_options.get("a"), context.execution_options.get("b")))

        event.listen(oracle.engine.sync_engine, "before_cursor_execute", note)
        try:
            statement = select(User).execution_options(a=1)
            for method in (session.count, session.exists, session.first, session.all):
                await method(statement, execution_options={"b": 2})
        finally:
            event.remove(oracle.engine.sync_engine, "before_cursor_execute", note)
        assert seen == [(1, 2)] * 4

    oracle.naked(work)


def test_rows_of_a_write(oracle: Oracle) -> None:
    async def work(session: AsyncSession) -> None:
        made = await session.one(insert(User).returning(User), {"id": 70, "name": "new"})
        assert made.name == "new"
        changed = update(User).where(User.id == 70).values(name="old").returning(User.id, User.name)
        assert await session.first(changed) == (70, "old")
        gone = delete(User).where(User.id == 70).returning(User.id)
        assert await session.all(gone) == [70]
        assert await session.one_or_none(gone) is None

    oracle.naked(work)


@pytest.mark.parametrize(
    ("method", "statement", "error", "says"),
    [
        ("one", delete(User), InvalidStatement, "DELETE returns none"),
        ("all", insert(User), InvalidStatement, "INSERT returns none"),
        ("first", update(User).values(name="x"), InvalidStatement, "UPDATE returns none"),
        ("one", Sequence("numbers"), InvalidStatement, "numbers.next_value"),
        ("first", select(), InvalidStatement, "no columns"),
        ("first", "select 1", InvalidStatement, "text"),
        ("all", User, InvalidStatement, "select"),
        ("count", delete(User).returning(User), InvalidStatement, "not Delete"),
        ("count", text("select 1"), InvalidStatement, "not TextClause"),
        ("exists", User, InvalidStatement, "not the class User"),
        ("exists", "select 1", InvalidStatement, "not 'select 1'"),
        ("count", select(), InvalidStatement, "count"),
        (
            "count",
            select(User).join(User.posts).options(contains_eager(User.posts)),
            UnsupportedOption,
            "fewer objects than rows",
        ),
        ("all", select(User).execution_options(yield_per=2), UnsupportedOption, "stream"),
        ("count", select(User).execution_options(yield_per=2), UnsupportedOption, "stream"),
    ],
)
def test_refused(
    oracle: Oracle, method: str, statement: Any, error: type[Exception], says: str
) -> None:
    found = ours(oracle, method, statement)
    assert type(found.error) is error, found.error
    assert says in str(found.error)
    assert found.executed == []


def test_a_join_that_fills_a_collection_may_be_asked_for(oracle: Oracle) -> None:
    joined = select(User).join(User.posts).options(contains_eager(User.posts))
    assert ours(oracle, "exists", joined).value is True


# --- on factories and readers ---


async def test_on_a_factory(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    made = insert(Note).returning(Note.id)
    assert [await db.one(made, {"text": text}) for text in "ab"] == [1, 2]
    for face in (db, db.read()):
        assert await face.count(select(Note)) == 2
        assert await face.exists(select(Note).where(Note.id == 2)) is True
        assert await face.exists(select(Note).where(Note.id == 3)) is False
        assert (await face.one(select(Note).where(Note.id == 1))).text == "a"
        assert await face.one_or_none(select(Note).where(Note.id == 3)) is None
        assert [note.id for note in await face.all(select(Note).order_by(Note.id))] == [1, 2]
        pair = await face.first(select(Note.id, Note.text).order_by(Note.id.desc()))
        assert pair is not None
        assert (pair.id, pair.text) == (2, "b")
    with pytest.raises(InvalidSessionState):
        await db.read().all(made, {"text": "c"})
    with pytest.raises(InvalidSessionState):
        await AsyncSessionFactory(engine, auto_commit=False).one(made, {"text": "c"})
    with pytest.raises(IntegrityError):
        await db.one(made, {"id": 1, "text": "c"})
    assert await db.count(select(Note)) == 2
