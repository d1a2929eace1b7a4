"""What naked-sqla 0.1.0 got wrong, each defect as a test of its own."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    exc,
    func,
    insert,
    literal,
    select,
    text,
    union,
    update,
)
from sqlalchemy.orm import load_only, selectinload
from sqlalchemy.schema import CreateTable

from naked_sqla.exception import (
    InvalidStatement,
    NotLoadedError,
    TransactionRolledBack,
    UnknownAttribute,
    UnsupportedOption,
)
from naked_sqla.om.asession import AsyncSession, AsyncSessionFactory

from .models.blog import Post, Tag, User
from .models.columns import Invoice, Renamed
from .models.inheritance import Animal, Cat, Dog, Engineer, Person
from .oracle import Oracle


def test_it_imports() -> None:
    """It did not import on SQLAlchemy 2.1."""
    import naked_sqla.om.asession

    assert naked_sqla.om.asession.AsyncSession is AsyncSession


def test_unloaded_relationship_is_not_empty(oracle: Oracle) -> None:
    """It gave ``[]`` for a user who has posts."""
    user = oracle.one(select(User).where(User.id == 1))
    for key in ("posts", "boss", "staff", "profile"):
        with pytest.raises(NotLoadedError, match=f"User.{key}"):
            getattr(user, key)
        with pytest.raises(NotLoadedError, match=f"User.{key}"):
            getattr(user, key, None)


def test_selectinload_is_not_ignored(oracle: Oracle) -> None:
    """It gave ``[]`` although the statement asked for the posts."""
    user = oracle.one(select(User).where(User.id == 1).options(selectinload(User.posts)))
    assert [post.id for post in user.posts] == [1, 2]


def test_missed_outer_join_is_none(oracle: Oracle) -> None:
    """It gave an object full of ``None``."""
    rows = oracle.rows(select(User, Post).outerjoin(User.posts).where(User.id.in_([2, 3])))
    assert {row.User.id: row.Post and row.Post.title for row in rows} == {2: "third", 3: None}
    assert [row[0] for row in oracle.rows(
        select(Post).select_from(User).outerjoin(User.posts).where(User.id == 3)
    )] == [None]  # fmt: skip


def test_insert_returning_gives_objects(oracle: Oracle) -> None:
    """It gave raw tuples."""
    for parameters in ({"id": 50, "label": "x"}, [{"id": 50, "label": "x"}]):
        made = oracle.one(insert(Tag).returning(Tag), parameters)
        assert isinstance(made, Tag)
        assert (made.id, made.label) == (50, "x")
    rows = [{"id": 51, "label": "y"}, {"id": 50, "label": "x"}]
    statement = insert(Tag).returning(Tag, sort_by_parameter_order=True)
    assert [row[0].id for row in oracle.rows(statement, rows)] == [51, 50]


def test_polymorphic_rows_have_their_own_class(oracle: Oracle) -> None:
    """It gave the base class for each row."""
    animals = [row[0] for row in oracle.rows(select(Animal).order_by(Animal.id))]
    assert [animal.__class__ for animal in animals] == [Animal, Cat, Dog, Cat]
    person = oracle.one(select(Person).where(Person.id == 2))
    assert person.__class__ is Engineer
    with pytest.raises(NotLoadedError, match="language"):
        person.language  # noqa: B018 - reading it is the test


def test_deferred_columns(oracle: Oracle) -> None:
    """They were an ``IndexError``."""
    invoice = oracle.one(select(Invoice).where(Invoice.id == 1))
    assert (invoice.net, invoice.gross) == (100, 120)
    with pytest.raises(NotLoadedError, match=r"Invoice\.memo"):
        invoice.memo  # noqa: B018 - reading it is the test
    few = oracle.one(select(User).where(User.id == 1).options(load_only(User.name)))
    assert few.name == "ann"
    with pytest.raises(NotLoadedError, match=r"User\.age"):
        few.age  # noqa: B018 - reading it is the test


def test_statements_without_entities(oracle: Oracle) -> None:
    """They were an ``AttributeError``, or an empty ``AssertionError``."""
    tag = Tag.__table__
    assert [tuple(row) for row in oracle.rows(select(tag).where(tag.c.id == 1))] == [(1, "red")]
    both = union(select(Tag.label).where(Tag.id == 1), select(literal("blue")))
    assert {row[0] for row in oracle.rows(both)} == {"red", "blue"}
    assert oracle.one(select(literal(7))) == 7
    assert oracle.one(select(func.count()).select_from(User)) == 5
    assert oracle.one(text("SELECT label FROM tags WHERE id = 1")) == "red"

    async def work(session: AsyncSession) -> Any:
        await session.execute(text("INSERT INTO tags (id, label) VALUES (50, 'x')"))
        await session.execute(CreateTable(Table("made_010", MetaData(), Column("id", Integer))))
        await session.execute(text("DROP TABLE made_010"))
        return (await session.execute(select(Tag.label).where(Tag.id == 50))).scalar_one()

    assert oracle.naked(work) == "x"


def test_keys_that_are_attribute_names(oracle: Oracle) -> None:
    """They stored NULL where the column has another name."""
    row = {"key": 50, "name": "n", "a": "A", "b": "B", "klass": "K"}
    for parameters in (row, [row]):
        made = oracle.one(insert(Renamed).returning(Renamed), parameters)
        assert (made.name, made.a, made.b, made.klass) == ("n", "A", "B", "K")
    made = oracle.one(insert(Renamed).values(**row).returning(Renamed))
    assert (made.name, made.a, made.b, made.klass) == ("n", "A", "B", "K")


def test_unknown_keys(oracle: Oracle) -> None:
    """They were dropped in silence; an UPDATE of nothing else was an SQL syntax error."""
    for statement, parameters in (
        (insert(User), {"id": 50, "name": "x", "nmae": "y"}),
        (insert(User), [{"id": 50, "name": "x", "nmae": "y"}]),
        (update(User), {"nmae": "y"}),
        (update(User), {"age": 1, "nmae": "y"}),
        (select(User), {"nmae": 1}),
    ):
        with pytest.raises(UnknownAttribute, match="nmae"):
            oracle.rows(statement, parameters)


def test_lists_of_different_dictionaries(oracle: Oracle) -> None:
    """Keys that the first dictionary lacked were dropped in silence."""
    rows = [{"id": 50, "name": "a"}, {"id": 51, "name": "b", "age": 7}, {"id": 52, "name": "c"}]
    made = [row[0] for row in oracle.rows(insert(User).returning(User), rows)]
    assert [(user.id, user.age) for user in made] == [(50, None), (51, 7), (52, None)]
    short = [{"id": 50, "title": "a", "stars": 9}, {"id": 51, "title": "b"}]
    assert [row[0].stars for row in oracle.rows(insert(Post).returning(Post), short)] == [9, 3]


def test_empty_list_inserts_nothing(oracle: Oracle) -> None:
    """It inserted a row of defaults."""

    async def work(session: AsyncSession) -> Any:
        await session.execute(insert(User), [])
        return (await session.execute(select(func.count()).select_from(User))).scalar_one()

    assert oracle.naked(work) == 5


def test_no_statement_at_all(oracle: Oracle) -> None:
    """It was an ``AssertionError`` without a word."""
    for wrong in ("SELECT 1", None, User, User(name="x"), select()):
        with pytest.raises(InvalidStatement) as caught:
            oracle.rows(wrong)
        assert str(caught.value)


def test_list_of_parameters_for_a_select(oracle: Oracle) -> None:
    with pytest.raises(exc.ArgumentError):
        oracle.rows(select(User), [{"id": 1}])


def test_execution_options(oracle: Oracle) -> None:
    with pytest.raises(TypeError):
        oracle.rows(select(User), execution_options="x")
    with pytest.raises(UnsupportedOption, match="stream"):
        oracle.rows(select(User), execution_options={"yield_per": 10})


def test_swallowed_integrity_error(oracle: Oracle) -> None:
    """On PostgreSQL the block ended with success, and nothing was stored."""

    async def main() -> int:
        db = AsyncSessionFactory(oracle.engine)
        try:
            async with db.begin() as session:
                await session.execute(insert(Tag), {"id": 60, "label": "kept?"})
                with contextlib.suppress(exc.IntegrityError):
                    await session.execute(insert(Tag), {"id": 60, "label": "again"})
        except TransactionRolledBack:
            assert oracle.postgresql
        else:
            assert not oracle.postgresql
        async with db.begin() as session:
            result = await session.execute(select(func.count()).where(Tag.id == 60))
            stored: int = result.scalar_one()
            await session.execute(Tag.__table__.delete().where(Tag.id == 60))
        return stored

    assert oracle.run(main()) == (0 if oracle.postgresql else 1)


def test_table_that_no_model_has(oracle: Oracle) -> None:
    other = Table("tags", MetaData(), Column("id", Integer), Column("label", String))
    assert oracle.rows(select(other.c.label).where(other.c.id == 1))[0].label == "red"
