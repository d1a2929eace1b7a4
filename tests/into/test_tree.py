"""``strategy="json"``: one statement, and the objects of the row-by-row way."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pydantic
import pytest
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    Integer,
    Table,
    bindparam,
    column,
    desc,
    func,
    insert,
    literal_column,
    select,
    text,
)
from sqlalchemy.exc import SAWarning, StatementError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    attribute_keyed_dict,
    joinedload,
    load_only,
    mapped_column,
    query_expression,
    relationship,
    selectinload,
    subqueryload,
    with_expression,
    with_loader_criteria,
)

from naked_sqla import SessionFactory
from naked_sqla.exception import RowMismatch, UnknownAttribute, UnsupportedOption

from ..models.blog import Base, Hub, Post, Tag, User
from ..oracle import Oracle
from ..read.test_oracle_eager import RELATIONSHIPS, keys_of
from .test_nested import DEEP, KINDS, _plain, into, struct_of

# what a subquery does not give as the row-by-row way does
REFUSED = {
    "dictionary by function": "collection of its own kind",
    "own list class": "collection of its own kind",
    "ordering list": "collection of its own kind",
    "composite key": "collection of its own kind",
    "polymorphic": "hierarchy",
    "of a subclass": "hierarchy",
    "to a subclass": "hierarchy",
    "of a base class": "hierarchy",
    "inherited": "hierarchy",
    "joined base": "hierarchy",
    "with column properties": "an SQL expression",
}


@pytest.mark.parametrize("name", RELATIONSHIPS)
def test_each_relationship(oracle: Oracle, name: str) -> None:
    model, attribute = RELATIONSHIPS[name]
    prop = attribute.property
    child = struct_of(prop.mapper.class_, "Child")
    kind: Any = child | None
    if prop.uselist:
        collection = prop.collection_class
        keyed = collection is not None and isinstance(collection(), dict)
        kind = dict[str, child] if keyed else list[child]  # type: ignore[valid-type]
    parent = struct_of(model, "Parent", [(attribute.key, kind)])
    statement = select(model).order_by(*keys_of(model)).options(selectinload(attribute))
    if name in REFUSED:
        with pytest.raises(UnsupportedOption, match=REFUSED[name]) as refused:
            into(oracle, parent, statement, strategy="json")
        assert "leave strategy out" in str(refused.value)
        return
    expected = into(oracle, parent, statement)
    for _ in range(2):
        with oracle.recorded() as seen:
            found = into(oracle, parent, statement, strategy="json")
        assert len(seen) == 1
        unordered = prop.uselist and not prop.order_by
        assert [_plain(obj, attribute.key, unordered) for obj in found] == [
            _plain(obj, attribute.key, unordered) for obj in expected
        ]


# ---------------------------------------------------------------- classes, levels, statements


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_class(oracle: Oracle, kind: str) -> None:
    """Three levels, streamed as well."""
    user, _, _ = KINDS[kind]
    for validate in (True, False):
        expected = into(oracle, user, DEEP, validate=validate)
        with oracle.recorded() as seen:
            assert into(oracle, user, DEEP, validate=validate, strategy="json") == expected
        assert len(seen) == 1
    assert any(each for each in expected)

    async def streamed(session: Any) -> list[Any]:
        options = {"yield_per": 2}
        async with session.stream_into(
            user, DEEP, strategy="json", execution_options=options
        ) as result:
            return [item async for item in result]

    assert oracle.naked(streamed) == expected


@dataclass(frozen=True)
class FrozenTag:
    id: int
    label: str


def test_the_collection_is_that_of_the_field(oracle: Oracle) -> None:
    statement = select(Post).order_by(Post.id).options(load_only(Post.id), selectinload(Post.tags))
    for kind, make in (
        (list[FrozenTag], list),
        (tuple[FrozenTag, ...], tuple),
        (frozenset[FrozenTag] | None, frozenset),
        (Sequence[FrozenTag], list),
    ):
        cls = dataclasses.make_dataclass("PostOut", [("id", int), ("tags", kind)])
        found = into(oracle, cls, statement, strategy="json")
        assert found == into(oracle, cls, statement)
        assert {type(obj.tags) for obj in found} == {make}
    # a dictionary as a list has its objects
    comment = msgspec.defstruct("CommentOut", [("text", Any)])
    cls = msgspec.defstruct("PostOut", [("comments", list[comment])])  # type: ignore[valid-type]
    statement = select(Post).order_by(Post.id).options(selectinload(Post.comments))
    assert into(oracle, cls, statement, strategy="json") == into(oracle, cls, statement)


class Named(msgspec.Struct):
    name: str
    nickname: str | None


class WithStaff(msgspec.Struct):
    id: int
    staff: list[WithStaff] = []
    boss: Named | None = None
    posts: list[PostOut] = []
    profile: Site | None = None


class PostOut(msgspec.Struct):
    title: str
    written: Any
    tags: list[TagOut] = []
    author: Named | None = None


class TagOut(msgspec.Struct):
    label: str
    posts: list[PostOut] = []


class Site(msgspec.Struct):
    website: str | None


@dataclasses.dataclass
class Title:
    id: int
    title: str


boss = aliased(User)
chosen = aliased(User, select(User).where(User.id > 1).subquery())
TREES: dict[str, Any] = {
    "self": select(User).options(selectinload(User.staff).selectinload(User.staff)),
    "self, by depth": select(User).options(selectinload(User.staff, recursion_depth=3)),
    "up and down": select(User).options(selectinload(User.boss), selectinload(User.staff)),
    "many to many and back": select(User).options(
        selectinload(User.posts)
        .selectinload(Post.tags)
        .selectinload(Tag.posts)
        .selectinload(Post.tags)
    ),
    "round": select(User).options(selectinload(User.posts).selectinload(Post.author)),
    "one to one": select(User).options(selectinload(User.profile), selectinload(User.boss)),
    "limit": select(User).options(selectinload(User.posts)).limit(2).offset(1),
    "distinct": select(User).distinct().join(User.posts).options(selectinload(User.posts)),
    "joined": select(User).join(User.posts).options(selectinload(User.posts)),
    "alias": select(boss).join(User, User.boss_id == boss.id).options(selectinload(boss.staff)),
    "alias of a subquery": select(chosen).options(selectinload(chosen.posts)),
    "grouped": select(User).group_by(User.id).options(selectinload(User.posts)),
    "subqueryload": select(User).options(subqueryload(User.posts).subqueryload(Post.tags)),
    "locked": select(User).options(selectinload(User.posts)).with_for_update(),
    "left out": select(User).options(selectinload(User.posts).load_only(Post.title, Post.written)),
}


@pytest.mark.parametrize("name", TREES)
def test_each_statement(oracle: Oracle, name: str) -> None:
    statement = TREES[name]
    entity = boss if name == "alias" else chosen if "subquery" in name and "alias" in name else User
    statement = statement.order_by(entity.id)
    expected = into(oracle, WithStaff, statement)
    with oracle.recorded() as seen:
        found = into(oracle, WithStaff, statement, strategy="json")
    assert len(seen) == 1
    # the order of a relationship without one is the database's
    assert unordered(found) == unordered(expected)
    assert len(found) > 1


def unordered(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        found = {key: unordered(each) for key, each in msgspec.structs.asdict(value).items()}
        if isinstance(value, TagOut):
            found["posts"] = sorted(found["posts"], key=repr)
        return found
    return [unordered(each) for each in value] if isinstance(value, list) else value


def test_values_of_the_statement_in_hand(oracle: Oracle) -> None:
    """What is kept of a statement is not its values."""

    def named(*names: str) -> Any:
        return select(User).where(User.name.in_(names)).options(selectinload(User.posts))

    names = into(oracle, Named, select(User.name, User.nickname))
    for each in names:
        for statement in (named(each.name), named(each.name, "nobody")):
            found = into(oracle, WithStaff, statement, strategy="json")
            assert found == into(oracle, WithStaff, statement)
    by_name = select(User).where(User.name == bindparam("name")).options(selectinload(User.posts))
    for each in names:
        given = {"name": each.name}
        assert into(oracle, WithStaff, by_name, given, strategy="json") == into(
            oracle, WithStaff, by_name, given
        )
    with pytest.raises(UnknownAttribute, match="nmae"):
        into(oracle, WithStaff, by_name, {"nmae": "ada"}, strategy="json")
    last = select(User).where(User.name == bindparam("last")).options(selectinload(User.posts))
    default = select(User).where(User.name == bindparam("last", names[0].name))
    default = default.options(selectinload(User.posts))
    different = []
    for each in names:
        # these come after the others, whose values are none of theirs
        for statement in (by_name.params(name=each.name), default.params(last=each.name)):
            found = into(oracle, WithStaff, statement, strategy="json")
            assert found == into(oracle, WithStaff, statement)
        different += [each for each in found if each not in different]
    assert len(different) > 2
    assert into(oracle, WithStaff, default, strategy="json") == into(oracle, WithStaff, default)
    for statement in (by_name, last):
        with pytest.raises(StatementError, match="A value is required"):
            into(oracle, WithStaff, statement, strategy="json")


def test_columns_that_go_by_their_place_or_label(oracle: Oracle) -> None:
    """They are others in the statement that is sent."""
    posts = select(User).options(selectinload(User.posts))
    label = select(User, (0 - User.id).label("name_")).options(selectinload(User.posts))
    for statement in (
        posts.order_by(text("2 DESC")),
        posts.order_by(text("name, 1")),
        posts.order_by(literal_column("2").desc().nulls_last()),
        label.order_by("name_"),
        label.order_by(text("NAME_")),
        label.order_by(desc(column("name_"))),
    ):
        with pytest.raises(UnsupportedOption, match=r"place or the label .* leave strategy out"):
            into(oracle, WithStaff, statement, strategy="json")
    for statement in (
        posts.order_by(text("users.name DESC, users.id")),
        posts.order_by("name", desc("id")),
        posts.order_by(func.coalesce(User.age, literal_column("30")), User.id),
        label.order_by(label.selected_columns.name_),
    ):
        found = into(oracle, WithStaff, statement, strategy="json")
        assert unordered(found) == unordered(into(oracle, WithStaff, statement))


def test_what_an_outer_join_did_not_find(oracle: Oracle) -> None:
    """Its values are None, and its collections are empty."""
    of_boss = msgspec.defstruct("OfBoss", [("name", str | None), ("posts", list[Title])])
    statement = (
        select(boss)
        .select_from(User)
        .outerjoin(boss, User.boss_id == boss.id)
        .options(load_only(boss.name), selectinload(boss.posts).load_only(Post.title))
        .order_by(User.id)
    )
    lax = pydantic.create_model("LaxBoss", name=(str | None, ...), posts=(list[Title], ...))
    for cls in (of_boss, lax):
        expected = into(oracle, cls, statement)
        assert unordered_posts(into(oracle, cls, statement, strategy="json")) == unordered_posts(
            expected
        )
        assert (expected[0].name, expected[0].posts) == (None, [])


def unordered_posts(found: list[Any]) -> Any:
    return [(each.name, sorted(map(repr, each.posts))) for each in found]


def test_columns_without_a_field_count_too(oracle: Oracle) -> None:
    """One of them may make several rows of one."""
    if not oracle.postgresql:
        return
    many = select(User, func.generate_series(1, User.id).label("n")).order_by(User.id)
    many = many.options(selectinload(User.posts))
    of_post = pydantic.create_model("OfPost", id=(int, ...))
    lax = pydantic.create_model("Lax", name=(str, ...), posts=(list[of_post], ...))  # type: ignore[valid-type]
    found = into(oracle, lax, many)
    assert into(oracle, lax, many, strategy="json") == found
    assert len(found) > 10


def test_several_entities(oracle: Oracle) -> None:
    comment = msgspec.defstruct("CommentOut", [("text", Any)])
    cls = msgspec.defstruct(
        "Both",
        [("user", Named | None), ("title", str), ("comments", list[comment]), ("more", int)],  # type: ignore[valid-type]
    )
    statement = (
        select(Post, User, (Post.id + 1).label("more"))
        .outerjoin(Post.author)
        .options(selectinload(Post.comments))
        .order_by(Post.id)
    )
    found = into(oracle, cls, statement, strategy="json")
    assert found == into(oracle, cls, statement)
    assert {each.user is None for each in found} == {True, False}


def test_nothing_below_the_rows(oracle: Oracle) -> None:
    statement = select(User).order_by(User.id)
    assert into(oracle, Named, statement, strategy="json") == into(oracle, Named, statement)
    of_text = text("SELECT name, nickname FROM users ORDER BY id")
    assert into(oracle, Named, of_text, strategy="json") == into(oracle, Named, statement)


def test_what_the_mapping_loads_is_left_out(oracle: Oracle) -> None:
    hub = dataclasses.make_dataclass("HubOut", [("id", int), ("name", Any), ("owner_id", Any)])
    cls = msgspec.defstruct("HubSpokes", [("id", int), ("immediate", list[Any])])
    assert into(oracle, hub, select(Hub), strategy="json") == into(oracle, hub, select(Hub))
    for strategy in (None, "json"):
        with pytest.raises(RowMismatch, match="immediate"):
            into(oracle, cls, select(Hub), strategy=strategy)


class Own(DeclarativeBase):
    pass


twice = Table(
    "tree_twice",
    Own.metadata,
    Column("part_id", ForeignKey("tree_part.id")),
    Column("whole_id", ForeignKey("tree_whole.id")),
    Column("rank", Integer),
)


class Part(Own):
    __tablename__ = "tree_part"

    id: Mapped[int] = mapped_column(primary_key=True)
    whole_id: Mapped[int | None] = mapped_column(ForeignKey("tree_whole.id"))


class Whole(Own):
    __tablename__ = "tree_whole"

    id: Mapped[int] = mapped_column(primary_key=True)
    parts: Mapped[list[Part]] = relationship(secondary=twice, order_by=twice.c.rank.desc())
    bag: Mapped[set[Part]] = relationship(secondary=twice, viewonly=True)
    keyed: Mapped[dict[int, Part]] = relationship(
        collection_class=attribute_keyed_dict("id"), secondary=twice, viewonly=True
    )
    given: Mapped[int | None] = query_expression()
    only: Mapped[Part | None] = relationship(viewonly=True, uselist=False, order_by=Part.id)


class PartOut(msgspec.Struct, frozen=True):
    id: int


REFUSALS: dict[str, tuple[Any, Any, str]] = {
    "joined": (WithStaff, select(User).options(joinedload(User.posts)), "in the same rows"),
    "endless": (
        WithStaff,
        select(User).options(selectinload(User.staff, recursion_depth=-1)),
        "recursion_depth=3",
    ),
    "criteria of a relationship": (
        WithStaff,
        select(User).options(selectinload(User.posts.and_(Post.stars > 1))),
        "User.posts",
    ),
    "criteria of the statement": (
        WithStaff,
        select(User).options(selectinload(User.posts), with_loader_criteria(Post, Post.stars > 1)),
        "with_loader_criteria",
    ),
    "objects as they are": (
        msgspec.defstruct("Loaded", [("posts", list[Any])]),
        select(User).options(selectinload(User.posts)),
        "Loaded.posts takes",
    ),
    "extra fields": (
        pydantic.create_model("Extra", __config__={"extra": "allow"}, id=(int, ...)),
        select(User).options(selectinload(User.posts)),
        "Extra takes the objects",
    ),
    "an expression of an option": (
        msgspec.defstruct("Given", [("given", int), ("parts", list[PartOut])]),
        select(Whole).options(
            with_expression(Whole.given, Whole.id + 1), selectinload(Whole.parts)
        ),
        "with_expression",
    ),
    "a union": (
        WithStaff,
        select(User).from_statement(select(User)).options(selectinload(User.posts)),
        r"no select\(\)",
    ),
}


def test_what_is_no_tree_is_refused(oracle: Oracle) -> None:
    for cls, statement, reason in REFUSALS.values():
        with oracle.recorded() as seen, pytest.raises(UnsupportedOption, match=reason) as refused:
            into(oracle, cls, statement, strategy="json")
        assert "leave strategy out" in str(refused.value)
        assert not seen


def test_strategies_that_there_are_not(oracle: Oracle) -> None:
    for strategy, error in (("jsonb", ValueError), ("", ValueError), (True, TypeError)):
        with pytest.raises(error, match=r"into\(strategy=.*'json'.*, not "):
            into(oracle, WithStaff, select(User), strategy=strategy)


def test_what_does_not_fit_is_refused_as_ever(oracle: Oracle) -> None:
    statement = select(User).options(selectinload(User.posts))
    cls = dataclasses.make_dataclass("Without", [("id", int)])
    messages = set()
    for strategy in (None, "json"):
        with pytest.raises(RowMismatch) as error:
            into(oracle, cls, statement, strategy=strategy)
        messages.add(str(error.value))
    assert len(messages) == 1


def test_the_synchronous_face(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    with db.begin() as session:
        session.execute(insert(User), [{"id": 1, "name": "ada"}])
        session.execute(insert(Post), [{"id": 1, "title": "one", "author_id": 1}])
    statement = select(User).options(selectinload(User.posts))
    expected = [WithStaff(1, posts=[PostOut("one", None)])]
    assert db.into(WithStaff, statement, strategy="json").all() == expected
    with db.begin() as session, session.stream_into(WithStaff, statement, strategy="json") as rows:
        assert rows.all() == expected


def test_related_rows_that_come_twice(sync_engine: Engine) -> None:
    """Counted as often as by the row-by-row way, which versions of SQLAlchemy differ in."""
    Own.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    with db.begin() as session:
        session.execute(insert(Whole), [{"id": 1}, {"id": 2}])
        session.execute(insert(Part), [{"id": n, "whole_id": n // 3} for n in (3, 4, 5)])
        links = [(3, 1), (4, 5), (3, 9), (5, 7), (4, 2)]
        rows = [{"whole_id": 1, "part_id": part, "rank": rank} for part, rank in links]
        session.execute(insert(twice), rows)
    kinds = {
        "parts": list[PartOut],
        "bag": set[PartOut],
        "keyed": dict[int, PartOut],
    }
    for loader in (selectinload, subqueryload):
        for key, kind in kinds.items():
            cls = msgspec.defstruct("WholeOut", [("id", int), (key, kind)])
            statement = select(Whole).order_by(Whole.id).options(loader(getattr(Whole, key)))
            found = db.into(cls, statement, strategy="json").all()
            assert [unkeyed(each, key) for each in found] == [
                unkeyed(each, key) for each in db.into(cls, statement)
            ]
    cls = msgspec.defstruct("WholeOut", [("id", int), ("only", PartOut | None)])
    statement = select(Whole).order_by(Whole.id).options(selectinload(Whole.only))
    results = []
    for strategy in (None, "json"):
        with pytest.warns(SAWarning, match="Multiple rows returned with uselist=False"):
            results.append(db.into(cls, statement, strategy=strategy).all())  # type: ignore[arg-type]
    assert results[0] == results[1] == [cls(1, PartOut(3)), cls(2, None)]


def unkeyed(whole: Any, key: str) -> Any:
    found = getattr(whole, key)
    return whole.id, sorted(found) if isinstance(found, dict) else found
