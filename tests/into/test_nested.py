"""Objects with the relationships that options load: equal to those built by hand from the ORM's."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest
from sqlalchemy import func, insert, literal, select, text
from sqlalchemy import inspect as sa_inspect
from sqlalchemy.ext.asyncio import AsyncSession as OrmSession
from sqlalchemy.orm import (
    Bundle,
    aliased,
    contains_eager,
    immediateload,
    joinedload,
    load_only,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    with_loader_criteria,
)
from typing_extensions import TypedDict

from naked_sqla.exception import RowMismatch, UnsupportedOption

from ..models.blog import Comment, Hub, Post, Tag, User
from ..models.inheritance import Engineer, Firm, Manager, Person
from ..models.related import Country
from ..oracle import Oracle
from ..read.test_oracle_eager import RELATIONSHIPS, keys_of

# a class and, for each of its fields that is a relationship, how its objects are built
Build = Callable[[Any], Any]


def by_hand(oracle: Oracle, statement: Any, build: Build) -> list[Any]:
    """Build objects from those that the ORM has loaded."""

    async def main() -> list[Any]:
        async with OrmSession(oracle.engine) as session:
            result = await session.scalars(statement)
            return [build(obj) for obj in result.unique()]

    return oracle.run(main())


def into(oracle: Oracle, cls: Any, statement: Any, parameters: Any = None, **more: Any) -> Any:
    return oracle.naked(
        lambda session: _all(session.into(cls, statement, parameters, **more)),
    )


async def _all(call: Any) -> Any:
    return (await call).all()


def streamed(oracle: Oracle, cls: Any, statement: Any, size: int) -> list[Any]:
    async def work(session: Any) -> list[Any]:
        options = {"yield_per": size}
        async with session.stream_into(cls, statement, execution_options=options) as result:
            return [item async for item in result]

    return oracle.naked(work)


# ---------------------------------------------------------------- kinds of relationships


def columns_of(model: Any) -> list[str]:
    mapper = sa_inspect(model)
    return [prop.key for prop in mapper.column_attrs if not prop.deferred]


def struct_of(model: Any, name: str, more: Sequence[tuple[str, Any]] = ()) -> Any:
    # a Struct takes values as they are, and leaves out columns that it has no field for
    fields = [(key, Any) for key in columns_of(model)]
    return msgspec.defstruct(name, [*fields, *more])


def built(cls: Any, model: Any, obj: Any, **more: Any) -> Any:
    return None if obj is None else cls(**{k: getattr(obj, k) for k in columns_of(model)}, **more)


@pytest.mark.parametrize("name", RELATIONSHIPS)
@pytest.mark.parametrize("loader", [selectinload, joinedload, subqueryload])
def test_each_relationship(oracle: Oracle, name: str, loader: Any) -> None:
    model, attribute = RELATIONSHIPS[name]
    prop = attribute.property
    below = prop.mapper.class_
    child = struct_of(below, "Child")

    def of(value: Any) -> Any:
        if not prop.uselist:
            return built(child, below, value)
        if isinstance(value, Mapping):
            return {key: built(child, below, each) for key, each in value.items()}
        return [built(child, below, each) for each in value]

    kind: Any = child | None
    if prop.uselist:
        collection = prop.collection_class
        keyed = collection is not None and isinstance(collection(), dict)
        kind = dict[str, child] if keyed else list[child]  # type: ignore[valid-type]
    parent = struct_of(model, "Parent", [(attribute.key, kind)])
    statement = select(model).order_by(*keys_of(model)).options(loader(attribute))
    found = into(oracle, parent, statement)
    expected = by_hand(
        oracle,
        statement,
        lambda obj: built(parent, model, obj, **{attribute.key: of(getattr(obj, attribute.key))}),
    )
    unordered = prop.uselist and not prop.order_by
    assert [_plain(obj, attribute.key, unordered) for obj in found] == [
        _plain(obj, attribute.key, unordered) for obj in expected
    ]


def _plain(obj: Any, key: str, unordered: bool) -> Any:
    values = msgspec.structs.asdict(obj)
    if unordered and isinstance(values[key], list):
        values[key] = sorted(values[key], key=repr)
    return values


# ---------------------------------------------------------------- kinds of classes


@dataclass
class TagData:
    id: int
    label: str


@dataclass
class PostData:
    title: str
    tags: list[TagData]


@dataclass
class UserData:
    name: str
    posts: list[PostData]


class TagModel(pydantic.BaseModel):
    id: int
    label: str = pydantic.Field(alias="caption")


class PostModel(pydantic.BaseModel):
    title: str
    tags: list[TagModel]


class UserModel(pydantic.BaseModel):
    name: str
    posts: list[PostModel]


class TagStruct(msgspec.Struct, rename="camel"):
    id: int
    label: str


class PostStruct(msgspec.Struct, rename="camel"):
    title: str
    tags: list[TagStruct]


class UserStruct(msgspec.Struct):
    name: str
    posts: list[PostStruct]


@attrs.define
class TagAttrs:
    id: int
    label: str


@attrs.define
class PostAttrs:
    title: str
    _tags: list[TagAttrs] = attrs.field(alias="tags")


@attrs.define
class UserAttrs:
    name: str
    posts: list[PostAttrs]


class TagTuple(NamedTuple):
    id: int
    label: str


class PostTuple(NamedTuple):
    title: str
    tags: list[TagTuple]


class UserTuple(NamedTuple):
    name: str
    posts: list[PostTuple]


class TagDict(TypedDict):
    id: int
    label: str


class PostDict(TypedDict):
    title: str
    tags: list[TagDict]


class UserDict(TypedDict):
    name: str
    posts: list[PostDict]


KINDS: dict[str, tuple[Any, Any, Any]] = {
    "dataclass": (UserData, PostData, TagData),
    "msgspec": (UserStruct, PostStruct, TagStruct),
    "attrs": (UserAttrs, PostAttrs, TagAttrs),
    "NamedTuple": (UserTuple, PostTuple, TagTuple),
    "TypedDict": (UserDict, PostDict, TagDict),
    "pydantic": (
        UserModel,
        PostModel,
        lambda id, label: TagModel(id=id, caption=label),
    ),
}

DEEP = (
    select(User)
    .order_by(User.id)
    .options(
        load_only(User.name),
        selectinload(User.posts).load_only(Post.title).selectinload(Post.tags),
    )
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("validate", [True, False])
def test_each_kind_of_class(oracle: Oracle, kind: str, validate: bool) -> None:
    user, post, tag = KINDS[kind]

    def build(obj: User) -> Any:
        posts = [
            post(title=each.title, tags=[tag(id=t.id, label=t.label) for t in each.tags])
            for each in obj.posts
        ]
        return user(name=obj.name, posts=posts)

    expected = by_hand(oracle, DEEP, build)
    found = into(oracle, user, DEEP, validate=validate)
    assert found == expected
    assert [type(obj) for obj in found] == [type(obj) for obj in expected]
    assert any(obj for obj in found)
    # one statement a level, and the same a second time
    with oracle.recorded() as seen:
        assert into(oracle, user, DEEP, validate=validate) == expected
    assert len(seen) == 3
    assert streamed(oracle, user, DEEP, 2) == expected


# ---------------------------------------------------------------- what fields may be


@dataclass(frozen=True)
class FrozenTag:
    id: int
    label: str


@pytest.mark.parametrize(
    ("annotation", "make"),
    [
        (list[FrozenTag], list),
        (tuple[FrozenTag, ...], tuple),
        (set[FrozenTag], set),
        (frozenset[FrozenTag], frozenset),
        (Sequence[FrozenTag], list),
        (list[FrozenTag] | None, list),
    ],
)
@pytest.mark.parametrize("base", ["dataclass", "pydantic"])
def test_the_collection_is_that_of_the_field(
    oracle: Oracle, annotation: Any, make: Any, base: str
) -> None:
    cls: Any
    if base == "dataclass":
        cls = dataclasses.make_dataclass("PostOut", [("id", int), ("tags", annotation)])
    else:
        cls = pydantic.create_model("PostOut", id=(int, ...), tags=(annotation, ...))
    statement = select(Post).order_by(Post.id).options(load_only(Post.id), selectinload(Post.tags))
    found = into(oracle, cls, statement)
    assert found == by_hand(
        oracle,
        statement,
        lambda post: cls(
            id=post.id, tags=make(FrozenTag(id=tag.id, label=tag.label) for tag in post.tags)
        ),
    )
    assert {type(obj.tags) for obj in found} == {make}


def test_a_dictionary_has_the_keys_of_the_relationship(oracle: Oracle) -> None:
    class CommentOut(msgspec.Struct):
        text: str | None

    class PostOut(msgspec.Struct):
        id: int
        comments: dict[str, CommentOut]

    statement = select(Post).order_by(Post.id).options(selectinload(Post.comments))
    expected = by_hand(
        oracle,
        statement,
        lambda post: PostOut(
            post.id, {slug: CommentOut(each.text) for slug, each in post.comments.items()}
        ),
    )
    assert into(oracle, PostOut, statement) == expected
    assert any(post.comments for post in expected)

    class PostList(msgspec.Struct):
        id: int
        comments: list[CommentOut]

    assert into(oracle, PostList, statement) == [
        PostList(post.id, list(post.comments.values())) for post in expected
    ]


def test_loaded_objects_as_they_are(oracle: Oracle) -> None:
    @dataclass
    class PostOut:
        id: int
        tags: Any
        author: User | None

    statement = (
        select(Post)
        .order_by(Post.id)
        .options(load_only(Post.id), selectinload(Post.tags), selectinload(Post.author))
    )
    found = into(oracle, PostOut, statement)
    assert [[tag.label for tag in post.tags] for post in found] == by_hand(
        oracle, statement, lambda post: [tag.label for tag in post.tags]
    )
    assert all(isinstance(tag, Tag) for post in found for tag in post.tags)
    assert {isinstance(post.author, User) for post in found} == {True, False}

    @dataclass
    class WithModels:
        id: int
        tags: list[Tag]
        author: User | None

    assert all(isinstance(post.tags, list) for post in into(oracle, WithModels, statement))


@dataclass
class Staff:
    """Refers to itself, down to the last."""

    id: int
    name: str
    staff: "list[Staff]"


class Endless(msgspec.Struct):
    name: str
    staff: "list[Endless]"


class Defaulted(msgspec.Struct):
    """The last level keeps the default."""

    id: int
    staff: "list[Defaulted]" = []


class Boss(pydantic.BaseModel):
    name: str
    boss: "Boss | None"


def test_classes_that_refer_to_themselves(oracle: Oracle) -> None:
    def build(user: User) -> Staff:
        return Staff(user.id, user.name, [build(each) for each in user.staff])

    whole = select(User).where(User.boss_id.is_(None)).order_by(User.id)
    statement = whole.options(
        load_only(User.id, User.name),
        selectinload(User.staff, recursion_depth=-1).load_only(User.id, User.name),
    )
    deep = whole.options(selectinload(User.staff, recursion_depth=6))
    assert into(oracle, Staff, statement) == by_hand(oracle, deep, build)

    def limit(user: User, levels: int) -> Defaulted:
        return Defaulted(user.id, [limit(each, levels - 1) for each in user.staff if levels])

    limited = whole.options(selectinload(User.staff, recursion_depth=1))
    assert into(oracle, Defaulted, limited) == by_hand(oracle, deep, lambda user: limit(user, 2))
    with pytest.raises(RowMismatch, match=r"User\.staff\.staff.*'staff'"):
        into(oracle, Staff, limited)


def test_up_to_the_last_one(oracle: Oracle) -> None:
    statement = select(User).order_by(User.id).options(selectinload(User.boss, recursion_depth=-1))

    def build(user: User | None) -> "Boss | None":
        return None if user is None else Boss(name=user.name, boss=build(user.boss))

    deep = select(User).order_by(User.id).options(selectinload(User.boss, recursion_depth=6))
    assert into(oracle, Boss, statement) == by_hand(oracle, deep, build)


def test_a_hierarchy_fills_the_class_of_its_base(oracle: Oracle) -> None:
    class PersonOut(msgspec.Struct):
        id: int
        name: str

    class FirmOut(msgspec.Struct):
        id: int
        people: list[PersonOut]

    class WithLanguage(msgspec.Struct):
        name: str
        language: str | None = None
        budget: int | None = None

    class FirmWithLanguages(msgspec.Struct):
        id: int
        people: list[WithLanguage]

    statement = select(Firm).order_by(Firm.id).options(selectinload(Firm.people))
    assert into(oracle, FirmOut, statement) == by_hand(
        oracle,
        statement,
        lambda firm: FirmOut(firm.id, [PersonOut(each.id, each.name) for each in firm.people]),
    )
    loaded = statement.options(selectinload(Firm.people).selectin_polymorphic([Engineer, Manager]))
    assert into(oracle, FirmWithLanguages, loaded) == by_hand(
        oracle,
        loaded,
        lambda firm: FirmWithLanguages(
            firm.id,
            [
                WithLanguage(
                    each.name, getattr(each, "language", None), getattr(each, "budget", None)
                )
                for each in firm.people
            ],
        ),
    )
    people = select(Person).order_by(Person.id)
    people = people.options(selectin_polymorphic(Person, [Engineer, Manager]))
    assert into(oracle, WithLanguage, people) == by_hand(
        oracle,
        people,
        lambda each: WithLanguage(
            each.name, getattr(each, "language", None), getattr(each, "budget", None)
        ),
    )


# ---------------------------------------------------------------- kinds of statements


class PostOut(msgspec.Struct):
    title: str
    tags: list[TagStruct]


class PostRow(msgspec.Struct):
    number: int
    post: PostOut
    author: UserStruct | None
    text: str


def test_items_side_by_side(oracle: Oracle) -> None:
    statement = (
        select(Post, User, Post.id.label("number"), literal("x").label("text"))
        .outerjoin(Post.author)
        .order_by(Post.id)
        .options(selectinload(Post.tags), joinedload(User.posts).selectinload(Post.tags))
    )

    def post(obj: Post) -> Any:
        return PostOut(obj.title, [TagStruct(tag.id, tag.label) for tag in obj.tags])

    async def main() -> list[Any]:
        async with OrmSession(oracle.engine) as session:
            return [
                PostRow(
                    number,
                    post(obj),
                    None
                    if user is None
                    else UserStruct(
                        user.name,
                        [
                            PostStruct(p.title, [TagStruct(t.id, t.label) for t in p.tags])
                            for p in user.posts
                        ],
                    ),
                    text,
                )
                for obj, user, number, text in (await session.execute(statement)).unique()
            ]

    expected = oracle.run(main())
    assert into(oracle, PostRow, statement) == expected
    assert {row.author is None for row in expected} == {True, False}


ONE_LEVEL: dict[str, Any] = {
    "where": select(Post).where(Post.id.in_([1, 3])),
    "alias": select(aliased(Post, name="p")),
    "criteria": select(Post).options(with_loader_criteria(Tag, Tag.id > 1)),
}


@pytest.mark.parametrize("name", ONE_LEVEL)
def test_statements(oracle: Oracle, name: str) -> None:
    statement = ONE_LEVEL[name]
    entity = statement.column_descriptions[0]["entity"]
    statement = statement.order_by(entity.id).options(selectinload(entity.tags))

    def build(post: Post) -> Any:
        return PostOut(post.title, [TagStruct(tag.id, tag.label) for tag in post.tags])

    assert into(oracle, PostOut, statement) == by_hand(oracle, statement, build)


def test_text(oracle: Oracle) -> None:
    named = text("SELECT id, title FROM posts ORDER BY id")
    options = [selectinload(Post.tags)]
    statement = select(Post).from_statement(named).options(*options)
    assert into(oracle, PostOut, statement) == by_hand(
        oracle,
        statement,
        lambda post: PostOut(post.title, [TagStruct(tag.id, tag.label) for tag in post.tags]),
    )

    class WithBody(msgspec.Struct):
        body: str | None
        tags: list[TagStruct]

    with pytest.raises(RowMismatch, match=r"WithBody can't be filled: Post\.body is not loaded"):
        into(oracle, WithBody, statement)


def test_values_in_options_are_those_of_the_call(oracle: Oracle) -> None:
    for least in (1, 2, 3):
        statement = (
            select(Post)
            .order_by(Post.id)
            .options(selectinload(Post.tags.and_(Tag.id >= least)), load_only(Post.title))
        )
        found = into(oracle, PostData, statement)
        assert [[tag.id for tag in post.tags] for post in found] == by_hand(
            oracle, statement, lambda post: [tag.id for tag in post.tags]
        )


def test_what_returning_gives(oracle: Oracle) -> None:
    class UserOut(msgspec.Struct):
        name: str
        posts: list[PostOut]

    statement = insert(User).values(id=900, name="new").returning(User)
    statement = statement.options(selectinload(User.posts).selectinload(Post.tags))
    assert into(oracle, UserOut, statement) == [UserOut("new", [])]


def test_a_collection_that_a_join_contains(oracle: Oracle) -> None:
    statement = (
        select(Post)
        .join(Post.tags)
        .order_by(Post.id, Tag.id)
        .options(contains_eager(Post.tags), load_only(Post.title))
    )
    found = into(oracle, PostData, statement)
    assert found == by_hand(
        oracle,
        statement,
        lambda post: PostData(post.title, [TagData(tag.id, tag.label) for tag in post.tags]),
    )


def test_relationships_of_the_mapping_are_left_out(oracle: Oracle) -> None:
    class HubOut(msgspec.Struct):
        name: str | None
        owner: Any

    statement = select(Hub).order_by(Hub.id).options(immediateload(Hub.owner))
    with oracle.recorded() as seen:
        found = into(oracle, HubOut, statement)
    assert [hub.name for hub in found] == by_hand(oracle, statement, lambda hub: hub.name)
    assert len(seen) == 2


# ---------------------------------------------------------------- what does not fit

REFUSED: dict[str, tuple[Any, Any, str]] = {
    "not loaded": (UserData, select(User), r"'posts'.*selectinload\(User\.posts\)"),
    "not loaded below": (
        UserStruct,
        select(User).options(selectinload(User.posts)),
        r"User\.posts in the statement: no column for its field 'tags'.*selectinload\(Post\.tags\)",
    ),
    "no field": (
        TagData,
        select(Tag).options(selectinload(Tag.posts)),
        r"no field in TagData for the column Tag\.posts",
    ),
    "columns below": (
        dataclasses.make_dataclass("PostOut", [("title", str), ("tags", list[TagTuple])]),
        select(Post).options(selectinload(Post.tags)),
        r"no field in PostOut for the columns Post\.id",
    ),
    "no collection": (
        msgspec.defstruct("PostOut", [("tags", TagData)]),
        select(Post).options(selectinload(Post.tags)),
        r"PostOut\.tags is a TagData, and Post\.tags has any number",
    ),
    "a fixed tuple": (
        msgspec.defstruct("PostOut", [("tags", tuple[TagData, TagData])]),
        select(Post).options(selectinload(Post.tags)),
        "any number of objects",
    ),
    "a collection of values": (
        msgspec.defstruct("PostOut", [("tags", list[int])]),
        select(Post).options(selectinload(Post.tags)),
        r"the objects of Post\.tags can't fill it",
    ),
    "a value": (
        msgspec.defstruct("PostOut", [("author", int)]),
        select(Post).options(selectinload(Post.author)),
        r"the objects of Post\.author can't fill it",
    ),
    "several classes": (
        msgspec.defstruct("PostOut", [("author", TagData | UserData)]),
        select(Post).options(selectinload(Post.author)),
        "several classes",
    ),
    "no hash": (
        msgspec.defstruct("PostOut", [("tags", set[TagData])]),
        select(Post).options(selectinload(Post.tags)),
        "TagData objects have no hash",
    ),
    "no keys": (
        msgspec.defstruct("PostOut", [("tags", dict[str, TagData])]),
        select(Post).options(selectinload(Post.tags)),
        "have no keys",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_the_statement_runs(oracle: Oracle, name: str) -> None:
    cls, statement, message = REFUSED[name]
    with oracle.recorded() as seen, pytest.raises(RowMismatch, match=message):
        into(oracle, cls, statement)
    assert seen == []


def test_bundles_are_refused(oracle: Oracle) -> None:
    statement = select(Post, Bundle("rest", Post.stars)).options(selectinload(Post.tags))
    with pytest.raises(UnsupportedOption, match="Bundle 'rest'"):
        into(oracle, PostOut, statement)


def test_none_where_the_field_does_not_allow_it(oracle: Oracle) -> None:
    class Author(msgspec.Struct):
        name: str

    class WithAuthor(msgspec.Struct):
        author: Author

    statement = select(Post).options(selectinload(Post.author))
    with pytest.raises(RowMismatch, match=r"a Author, and Post\.author is None.*Author \| None"):
        into(oracle, WithAuthor, statement)


def test_errors_of_pydantic_name_the_place(oracle: Oracle) -> None:
    class Strict(pydantic.BaseModel):
        label: int

    class PostOut(pydantic.BaseModel):
        tags: list[Strict]

    class Outer(pydantic.BaseModel):
        posts: list[PostOut]

    statement = select(User).where(User.id == 1)
    statement = statement.options(selectinload(User.posts).selectinload(Post.tags))
    with pytest.raises(pydantic.ValidationError) as caught:
        into(oracle, Outer, statement)
    assert caught.value.errors()[0]["loc"] == ("posts", 0, "tags", 0, "label")


def test_a_strict_model_takes_models(oracle: Oracle) -> None:
    class PostOut(pydantic.BaseModel, strict=True):
        title: str
        tags: list[TagModel]

    statement = select(Post).order_by(Post.id).options(selectinload(Post.tags))
    assert into(oracle, PostOut, statement) == by_hand(
        oracle,
        statement,
        lambda post: PostOut(
            title=post.title, tags=[TagModel(id=t.id, caption=t.label) for t in post.tags]
        ),
    )


def test_objects_that_hold_themselves(oracle: Oracle) -> None:
    async def work(session: Any) -> Any:
        from sqlalchemy import update

        await session.execute(update(User).where(User.id == 1).values(boss_id=2))
        statement = select(User).options(selectinload(User.staff, recursion_depth=-1))
        return (await session.into(Endless, statement)).all()

    with pytest.raises(RowMismatch, match="holds itself"):
        oracle.naked(work)


def test_a_collection_of_the_applications_own(oracle: Oracle) -> None:
    class Named(msgspec.Struct):
        name: str

    class CountryOut(msgspec.Struct):
        id: int
        shelf: tuple[Named, ...]
        by_shout: list[Named]

    statement = (
        select(Country)
        .order_by(Country.id)
        .options(selectinload(Country.shelf), selectinload(Country.by_shout))
    )
    assert into(oracle, CountryOut, statement) == by_hand(
        oracle,
        statement,
        lambda country: CountryOut(
            country.id,
            tuple(Named(city.name) for city in country.shelf),
            [Named(city.name) for city in country.by_shout.values()],
        ),
    )


def test_counts_beside_collections(oracle: Oracle) -> None:
    class PostWithCount(msgspec.Struct):
        title: str
        tags: list[TagStruct]
        said: int

    said = select(func.count(Comment.id)).where(Comment.post_id == Post.id).scalar_subquery()
    statement = select(Post, said.label("said")).order_by(Post.id)
    statement = statement.options(selectinload(Post.tags))
    found = into(oracle, PostWithCount, statement)
    assert [(post.title, len(post.tags)) for post in found] == by_hand(
        oracle, statement, lambda post: (post.title, len(post.tags))
    )
