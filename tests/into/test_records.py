"""Nested results are filled without a mapped object on the way; the shapes that need some are
named."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest
from sqlalchemy import Column, ForeignKey, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncSession as OrmSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    attribute_keyed_dict,
    composite,
    immediateload,
    joinedload,
    keyfunc_mapping,
    mapped_column,
    reconstructor,
    relationship,
    selectin_polymorphic,
    selectinload,
    subqueryload,
)
from typing_extensions import TypedDict

from ..oracle import Oracle

# the mapped classes of all objects that were made
made: list[str] = []


class Base(DeclarativeBase):
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        made.append(cls.__name__)
        return object.__new__(cls)

    @reconstructor
    def loaded(self) -> None:
        made.append("loaded")


user_roles = Table(
    "rec_user_roles",
    Base.metadata,
    Column("user_id", ForeignKey("rec_users.id"), primary_key=True),
    Column("role_id", ForeignKey("rec_roles.id"), primary_key=True),
)


class Shelf(list[Any]):
    """A collection of the application's own."""


@dataclass
class Place:
    x: int
    y: int


class Team(Base):
    __tablename__ = "rec_teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    members: Mapped[list[User]] = relationship(back_populates="team", order_by="User.id")
    by_name: Mapped[dict[str, User]] = relationship(
        collection_class=attribute_keyed_dict("name"), viewonly=True
    )
    by_shout: Mapped[dict[str, User]] = relationship(
        collection_class=keyfunc_mapping(lambda user: user.shout()), viewonly=True
    )
    shelf: Mapped[Shelf] = relationship("User", collection_class=Shelf, viewonly=True)
    as_set: Mapped[set[User]] = relationship(viewonly=True)
    valued: Mapped[set[Valued]] = relationship(viewonly=True)


class User(Base):
    __tablename__ = "rec_users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("rec_teams.id"))
    team: Mapped[Team | None] = relationship(back_populates="members")
    roles: Mapped[list[Role]] = relationship(
        secondary=user_roles, back_populates="users", order_by="Role.id"
    )

    def shout(self) -> str:
        return self.name.upper()


class Role(Base):
    __tablename__ = "rec_roles"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str]
    users: Mapped[list[User]] = relationship(
        secondary=user_roles, back_populates="roles", order_by=User.id
    )


class Valued(Base):
    """Equal by value, so that a set holds one of several."""

    __table__ = User.__table__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Valued)

    def __hash__(self) -> int:
        return 1


class Spot(Base):
    __tablename__ = "rec_spots"

    id: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[Place] = composite(mapped_column("x"), mapped_column("y"))
    team_id: Mapped[int] = mapped_column(ForeignKey("rec_teams.id"))
    team: Mapped[Team] = relationship()


class Node(Base):
    __tablename__ = "rec_nodes"

    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("rec_nodes.id"))
    children: Mapped[list[Node]] = relationship(order_by="Node.id")
    staff: Mapped[list[Person]] = relationship(order_by="Person.id")


class Person(Base):
    __tablename__ = "rec_persons"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    node_id: Mapped[int] = mapped_column(ForeignKey("rec_nodes.id"))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}


class Engineer(Person):
    __tablename__ = "rec_engineers"

    id: Mapped[int] = mapped_column(ForeignKey("rec_persons.id"), primary_key=True)
    language: Mapped[str]
    role_id: Mapped[int | None] = mapped_column(ForeignKey("rec_roles.id"))
    role: Mapped[Role | None] = relationship()
    __mapper_args__ = {"polymorphic_identity": "engineer"}


ROWS: list[tuple[Any, list[dict[str, Any]]]] = [
    (
        Team.__table__,
        [{"id": 1, "name": "A"}, {"id": 2, "name": "B"}, {"id": 3, "name": "empty"}],
    ),
    (
        Spot.__table__,
        [{"id": 1, "x": 1, "y": 2, "team_id": 1}, {"id": 2, "x": 3, "y": 4, "team_id": 1}],
    ),
    (
        User.__table__,
        [{"id": n, "name": f"u{n}", "team_id": (1, 1, 2, None)[n - 1]} for n in range(1, 5)],
    ),
    (Role.__table__, [{"id": n, "label": f"r{n}"} for n in (1, 2, 3)]),
    (
        user_roles,
        [{"user_id": user, "role_id": role} for user, role in [(1, 1), (1, 2), (2, 1), (3, 2)]],
    ),
    (
        Node.__table__,
        [{"id": n, "parent_id": parent} for n, parent in [(1, None), (2, 1), (3, 1), (4, 2)]],
    ),
    (
        Person.__table__,
        [
            {"id": 1, "kind": "person", "node_id": 1},
            {"id": 2, "kind": "engineer", "node_id": 1},
            {"id": 3, "kind": "engineer", "node_id": 4},
        ],
    ),
    (
        Engineer.__table__,
        [
            {"id": 2, "language": "C", "role_id": 1},
            {"id": 3, "language": "Go", "role_id": None},
        ],
    ),
]


@pytest.fixture(scope="module", autouse=True)
def tables(oracle: Oracle) -> Iterator[None]:
    async def create() -> None:
        async with oracle.engine.begin() as conn:
            await conn.run_sync(Base.metadata.create_all)
            for table, rows in ROWS:
                await conn.execute(insert(table), rows)

    async def drop() -> None:
        async with oracle.engine.begin() as conn:
            await conn.run_sync(Base.metadata.drop_all)

    oracle.run(create())
    yield
    oracle.run(drop())


# ---------------------------------------------------------------- kinds of classes

Kind = Callable[[str, dict[str, Any]], Any]

KINDS: dict[str, Kind] = {
    "dataclass": lambda name, fields: dataclasses.make_dataclass(name, [*fields.items()]),
    "pydantic": lambda name, fields: pydantic.create_model(
        name,
        **{key: (value, ...) for key, value in fields.items()},  # type: ignore[call-overload]
    ),
    "msgspec": lambda name, fields: msgspec.defstruct(name, [*fields.items()], frozen=True),
    "attrs": lambda name, fields: attrs.make_class(
        name, {key: attrs.field(type=value) for key, value in fields.items()}
    ),
    "TypedDict": TypedDict,  # type: ignore[dict-item]
    "NamedTuple": lambda name, fields: NamedTuple(name, [*fields.items()]),  # type: ignore[misc]
}


def plain(obj: Any) -> Any:
    """Objects of any class as dictionaries."""
    if isinstance(obj, list | set):
        return [plain(each) for each in obj]
    if isinstance(obj, dict):
        return {key: plain(each) for key, each in obj.items()}
    if isinstance(obj, tuple):
        return {key: plain(each) for key, each in obj._asdict().items()}  # type: ignore[attr-defined]
    names = (
        getattr(type(obj), "model_fields", None)
        or getattr(type(obj), "__struct_fields__", None)
        or [field.name for field in getattr(type(obj), "__attrs_attrs__", ())]
        or getattr(type(obj), "__dataclass_fields__", None)
    )
    return {name: plain(getattr(obj, name)) for name in names} if names else obj


def tree(obj: Any, fields: dict[str, Any]) -> Any:
    """What the ORM has loaded, as dictionaries."""
    if obj is None:
        return None
    if isinstance(obj, list | set):
        return [tree(each, fields) for each in obj]
    return {
        key: tree(getattr(obj, key), below) if isinstance(below, dict) else getattr(obj, key, None)
        for key, below in fields.items()
    }


def class_of(kind: Kind, model: Any, fields: dict[str, Any], numbers: Iterator[int]) -> Any:
    """A class of a kind for a tree of fields."""
    found = {}
    for key, below in fields.items():
        if not isinstance(below, dict):
            found[key] = below
            continue
        prop = model.__mapper__.relationships.get(key) or Engineer.__mapper__.relationships[key]
        cls = class_of(kind, prop.mapper.class_, below, numbers)
        found[key] = list[cls] if prop.uselist else cls | None  # type: ignore[valid-type]
    return kind(f"{model.__name__}{next(numbers)}", found)


ROLE = {"id": int, "label": str}
USER = {"id": int, "name": str, "team_id": int | None}
TEAM = {"id": int, "name": str}
NODE = {"id": int, "parent_id": int | None}
PERSON = {"id": int, "kind": str, "node_id": int, "language": str | None, "role_id": int | None}

# the class, the fields, and the options for a loader
SHAPES: dict[str, tuple[Any, dict[str, Any], Callable[[Any], list[Any]]]] = {
    "many_to_many_below_one_to_many": (
        Team,
        {**TEAM, "members": {**USER, "roles": ROLE}},
        lambda load: [load(Team.members).options(load(User.roles))],
    ),
    "many_to_one_and_shared_children": (
        User,
        {**USER, "team": TEAM, "roles": ROLE},
        lambda load: [load(User.team), load(User.roles)],
    ),
    "there_and_back": (
        Team,
        {**TEAM, "members": {**USER, "team": {**TEAM, "members": USER}}},
        lambda load: [load(Team.members).options(load(User.team).options(load(Team.members)))],
    ),
    "many_to_many_there_and_back": (
        Role,
        {**ROLE, "users": {**USER, "roles": ROLE}},
        lambda load: [load(Role.users).options(load(User.roles))],
    ),
    "a_tree": (
        Node,
        {**NODE, "children": {**NODE, "children": {**NODE, "children": NODE}}},
        lambda load: [
            load(Node.children).options(load(Node.children).options(load(Node.children)))
        ],
    ),
    "subclasses": (
        Node,
        {**NODE, "staff": PERSON},
        lambda load: [load(Node.staff).options(selectin_polymorphic(Person, [Engineer]))],
    ),
    "a_set": (Team, {**TEAM, "as_set": USER}, lambda load: [load(Team.as_set)]),
}

LOADERS = {
    "selectin": selectinload,
    "joined": joinedload,
    "subquery": subqueryload,
    "immediate": immediateload,
}


def by_orm(oracle: Oracle, statement: Any, fields: dict[str, Any]) -> Any:
    async def main() -> Any:
        async with OrmSession(oracle.engine) as session:
            found = (await session.scalars(statement)).unique().all()
            return tree([*found], fields)

    return oracle.run(main())


def into(oracle: Oracle, cls: Any, statement: Any) -> list[Any]:
    """The objects of a second run, when the statement is known."""

    async def work(session: Any) -> list[Any]:
        await session.into(cls, statement)
        return list((await session.into(cls, statement)).all())

    made.clear()
    return oracle.naked(work)


def unordered(value: Any) -> Any:
    """A tree whose sets are sorted."""
    if isinstance(value, dict):
        return {
            key: sorted(below, key=repr) if key == "as_set" else unordered(below)
            for key, below in value.items()
        }
    return [*map(unordered, value)] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("kind", "loader"),
    [*((kind, "selectin") for kind in KINDS), *(("dataclass", other) for other in [*LOADERS][1:])],
)
def test_no_mapped_object(oracle: Oracle, kind: str, loader: str) -> None:
    shapes = SHAPES if loader == "selectin" else ("there_and_back", "subclasses")
    for shape in shapes:
        model, fields, options = SHAPES[shape]
        statement = select(model).order_by(model.id).options(*options(LOADERS[loader]))
        cls = class_of(KINDS[kind], model, fields, itertools.count())
        found = plain(into(oracle, cls, statement))
        assert made == [], shape
        assert unordered(found) == unordered(by_orm(oracle, statement, fields)), shape
        assert made != []


@dataclass
class Leaf:
    id: int
    parent_id: int | None
    children: list[Leaf]


@dataclass
class Last:
    id: int
    parent_id: int | None


@dataclass
class Middle(Last):
    children: list[Last]


@dataclass
class Top(Last):
    children: list[Middle]


@pytest.mark.parametrize("depth", [1, -1])
def test_a_tree_down_to_its_leaves(oracle: Oracle, depth: int) -> None:
    statement = (
        select(Node).where(Node.id == 1).options(selectinload(Node.children, recursion_depth=depth))
    )
    found = into(oracle, Leaf if depth < 0 else Top, statement)
    assert made == []
    last: Any = {"id": 4, "parent_id": 2}
    if depth < 0:
        last["children"] = []
    second: Any = {"id": 3, "parent_id": 1, "children": []}
    first: Any = {"id": 2, "parent_id": 1, "children": [last]}
    assert plain(found) == [{"id": 1, "parent_id": None, "children": [first, second]}]


def test_json_and_streams(oracle: Oracle) -> None:
    model, fields, options = SHAPES["many_to_many_below_one_to_many"]
    statement = select(model).order_by(model.id).options(*options(selectinload))
    cls = class_of(KINDS["pydantic"], model, fields, itertools.count())

    async def work(session: Any) -> Any:
        written = msgspec.json.decode(await session.json(statement, into=cls))
        async with session.stream_json(statement) as lines:
            streamed = [msgspec.json.decode(line) async for line in lines]
        async with session.stream_into(cls, statement) as result:
            objects = [obj async for obj in result]
        return written, streamed, plain(objects)

    made.clear()
    written, streamed, objects = oracle.naked(work)
    assert made == []
    expected = by_orm(oracle, statement, fields)
    assert written == objects == expected
    assert [each["members"] for each in streamed] == [each["members"] for each in expected]


@dataclass
class TeamData:
    id: int
    name: str


@dataclass
class SpotData:
    id: int
    place: Place
    team_id: int
    team: TeamData
    label: str


def test_composites_and_several_items(oracle: Oracle) -> None:
    statement = (
        select(Spot, Role.label)
        .where(Spot.id == Role.id)
        .order_by(Spot.id)
        .options(selectinload(Spot.team))
    )
    found = into(oracle, SpotData, statement)
    assert made == []
    team = TeamData(1, "A")
    assert found == [
        SpotData(1, Place(1, 2), 1, team, "r1"),
        SpotData(2, Place(3, 4), 1, team, "r2"),
    ]


# ---------------------------------------------------------------- shapes with mapped objects


class Small(msgspec.Struct):
    id: int


# what is made, for a field and its annotation: only what is related
MAPPED: dict[str, tuple[Any, Any, list[str]]] = {
    "a_field_takes_them": (Team.members, list[User], ["User"]),
    "a_field_takes_anything": (Team.members, Any, ["User"]),
    "keyed_by_an_attribute": (Team.by_name, dict[str, Small], ["User"]),
    "keyed_by_a_function": (Team.by_shout, dict[str, Small], ["User"]),
    "a_collection_of_its_own": (Team.shelf, list[Small], ["User"]),
    "a_set_of_objects_equal_by_value": (Team.valued, list[Small], ["Valued"]),
}


@pytest.mark.parametrize("loader", ["selectin", "joined"])
@pytest.mark.parametrize("shape", MAPPED)
def test_mapped_objects_that_somebody_asks_for(oracle: Oracle, shape: str, loader: str) -> None:
    attribute, annotation, expected = MAPPED[shape]
    out = msgspec.defstruct("Out", [("id", int), (attribute.key, annotation)])
    found = into(oracle, out, select(Team).where(Team.id == 1).options(LOADERS[loader](attribute)))
    assert sorted({*made} - {"loaded"}) == expected
    assert len(getattr(found[0], attribute.key)) == (1 if expected == ["Valued"] else 2)
