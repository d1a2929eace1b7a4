"""Plans are decided from a compiled statement: no database is needed to see what a row means."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from sqlalchemy import Enum, ForeignKey, String, bindparam, create_engine, func, select
from sqlalchemy.orm import (
    Bundle,
    DeclarativeBase,
    Mapped,
    aliased,
    defer,
    load_only,
    mapped_column,
    query_expression,
    relationship,
)

from naked_sqla._sqlalchemy import compile_states
from naked_sqla.exception import NotLoadedError
from naked_sqla.read.plan import Cell, Entity, Group, Plan, Polymorphic, Value
from naked_sqla.read.planner import keys_of, plan_of


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column("user_id", primary_key=True)
    name: Mapped[str]
    mood: Mapped[str] = mapped_column(Enum("fine", "sad", name="mood"))
    bio: Mapped[str | None] = mapped_column(deferred=True)
    posts: Mapped[list[Post]] = relationship(back_populates="author")


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("user_account.user_id"))
    title: Mapped[str] = mapped_column(String(40))
    author: Mapped[User] = relationship(back_populates="posts")


class Animal(Base):
    __tablename__ = "animal"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}


class Cat(Animal):
    lives: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "cat"}


class _Positions:
    """The metadata of a result that nobody fetched: positions by the order of the columns."""

    def __init__(self, columns: list[Any]) -> None:
        self.columns = columns
        self.keys = [column.key for column in columns]
        self._keys = self.keys
        self._processors = [None] * len(columns)

    def _index_for_key(self, key: Any, raiseerr: bool = True) -> int | None:
        for index, column in enumerate(self.columns):
            if column is key or (column.key == key.key and column.table is key.table):
                return index
        if raiseerr:
            raise LookupError(key)
        return None


def decide(statement: Any) -> Plan:
    compiled = statement.compile(dialect=create_engine("sqlite://").dialect)
    return plan_of(compiled.compile_state, _Positions(list(compiled.compile_state.primary_columns)))


def test_one_entity_is_a_scalar_plan() -> None:
    plan = decide(select(Post))
    assert plan.scalar
    assert plan.width == 3
    (entity,) = plan.items
    assert isinstance(entity, Entity)
    assert entity.naked.model is Post
    assert entity.identity == (Cell(0),)
    assert [(a.key, a.cell.index) for a in entity.attributes] == [
        ("id", 0),
        ("author_id", 1),
        ("title", 2),
    ]


def test_a_deferred_column_and_a_relationship_are_not_loaded() -> None:
    (entity,) = decide(select(User)).items
    assert isinstance(entity, Entity)
    assert entity.naked.loaded == ("id", "name", "mood")


def test_load_only_leaves_the_rest_out_but_keeps_the_key() -> None:
    (entity,) = decide(select(User).options(load_only(User.name))).items
    assert isinstance(entity, Entity)
    assert entity.naked.loaded == ("id", "name")


def test_entities_and_columns_share_a_row() -> None:
    plan = decide(select(User, Post.title).join(User.posts))
    assert not plan.scalar
    entity, title = plan.items
    assert isinstance(entity, Entity)
    assert title == Value("title", Cell(3))


def test_an_alias_is_an_entity_of_its_own() -> None:
    other = aliased(User, name="other")
    plan = decide(select(User, other).join(other, User.id < other.id))
    first, second = plan.items
    assert isinstance(first, Entity)
    assert isinstance(second, Entity)
    assert [a.cell.index for a in first.attributes] == [0, 1, 2]
    assert [a.cell.index for a in second.attributes] == [3, 4, 5]
    assert first.naked is second.naked


def test_bundles_nest() -> None:
    plan = decide(select(Bundle("outer", User.id, Bundle("inner", User.name))))
    (outer,) = plan.items
    assert isinstance(outer, Group)
    assert outer.items[0] == Value("id", Cell(0))
    assert isinstance(outer.items[1], Group)
    assert outer.items[1].items == (Value("name", Cell(1)),)


def test_a_polymorphic_entity_has_a_variant_for_each_class() -> None:
    (item,) = decide(select(Animal)).items
    assert isinstance(item, Polymorphic)
    assert item.discriminator == Cell(1)
    loaded = {v.value: v.entity.naked.loaded for v in item.variants if v.entity is not None}
    # the statement selects the columns of Animal only
    assert loaded == {"animal": ("id", "kind"), "cat": ("id", "kind")}


def test_a_sibling_is_a_variant_without_an_entity() -> None:
    (item,) = decide(select(Cat)).items
    assert isinstance(item, Polymorphic)
    assert {v.value: v.entity is not None for v in item.variants} == {"animal": False, "cat": True}


def test_equal_statements_give_equal_plans() -> None:
    statement = select(User).where(User.id == bindparam("id"))
    assert decide(statement) == decide(select(User).where(User.id == bindparam("id")))
    assert hash(decide(statement)) == hash(decide(statement))
    assert decide(statement) != decide(select(Post))


def test_a_plan_is_frozen() -> None:
    plan = decide(select(User))
    with pytest.raises(FrozenInstanceError):
        plan.width = 9  # type: ignore[misc]


def test_keys_of_ad_hoc_expressions_belong_to_the_invoked_statement() -> None:
    statement = select(User.id, func.count().label("n")).group_by(User.id)
    compiled = statement.compile(dialect=create_engine("sqlite://").dialect)
    keys = keys_of(compiled.compile_state)
    assert keys.labels == ("id", "n")
    assert keys.invoked == (None, 1)
    assert not keys.is_fixed


def test_the_mirror_of_the_orm_is_still_there() -> None:
    # the names that a plan is read from; a release that moves one is told here by name
    compiled = select(User).compile(dialect=create_engine("sqlite://").dialect)
    (entity,) = compile_states.entities_of(compiled.compile_state)
    setups = compile_states.memoized_setups(
        compiled.compile_state, compile_states.entity_path(entity)
    )
    assert {prop.key: column is not None for prop, column in setups.items()} == {
        "id": True,
        "name": True,
        "mood": True,
        "bio": False,
    }


def test_a_query_expression_without_an_expression_is_none() -> None:
    class Scored(Base):
        __tablename__ = "scored"

        id: Mapped[int] = mapped_column(primary_key=True)
        score: Mapped[int] = query_expression()

    (entity,) = decide(select(Scored)).items
    assert isinstance(entity, Entity)
    assert (entity.naked.loaded, entity.naked.unset) == (("id",), ("score",))
    assert entity.naked.make().score is None
    (entity,) = decide(select(Scored).options(defer(Scored.score, raiseload=True))).items
    assert isinstance(entity, Entity)
    with pytest.raises(NotLoadedError, match=r"with_expression\(Scored\.score, \.\.\.\)"):
        entity.naked.make().score  # noqa: B018 - reading it is the test
