"""What a loaded object is: a plain instance of the model, to Python and to any library."""

from __future__ import annotations

import abc
import copy
import dataclasses
import functools
import gc
import json
import pickle
import subprocess
import sys
import threading
import typing
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
from sqlalchemy import URL, MetaData, event, insert, inspect, select
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Mapper,
    Session,
    lazyload,
    load_only,
    mapped_column,
    with_parent,
)
from sqlalchemy.orm.exc import UnmappedInstanceError
from sqlalchemy.orm.instrumentation import ClassManager

from naked_sqla.exception import BaseNakedSQLAException, NotLoadedError

from ..models import behaviour, data, inheritance, sqlmodels, styles, types
from ..models.behaviour import Rich, Talkative, Validated
from ..models.blog import Post, User
from ..models.columns import Invoice, Point, Renamed, Reserved, Segment, Spaced
from ..models.inheritance import Cat, Director, Engineer, Person
from ..models.styles import DataParent, DataPoint, Hashable, KwOnly, NoInit, PostInit
from ..models.types import Colour, Mutables, Sample
from ..oracle import Oracle, create_zoo, mapper_of, open_oracle

MODELS = data.models("sqlite")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    """The zoo on SQLite: what an object is does not depend on where it came from."""
    path = tmp_path_factory.mktemp("naked") / "zoo.sqlite"
    url = URL.create("sqlite+aiosqlite", database=str(path))
    create_zoo(url)
    with open_oracle("sqlite", url) as found:
        yield found


@pytest.fixture(params=list(MODELS))
def loaded(request: pytest.FixtureRequest, zoo: Oracle) -> Any:
    """A loaded object of each model."""
    return first(zoo, MODELS[request.param])


def first(zoo: Oracle, model: Any, *options: Any, **by: Any) -> Any:
    """Load the first object of a model."""
    order = inspect(model).mapper.primary_key
    statement = select(model).filter_by(**by).order_by(*order).limit(1)
    return zoo.one(statement.options(lazyload("*"), *options))


def from_orm(zoo: Oracle, model: Any, *options: Any, **by: Any) -> Any:
    """Load the same object with the ORM session."""

    async def main() -> Any:
        order = inspect(model).mapper.primary_key
        async with zoo.engine.connect() as conn:

            def load(sync: Any) -> Any:
                with Session(sync, expire_on_commit=False) as session:
                    statement = (
                        select(model)
                        .filter_by(**by)
                        .options(lazyload("*"), *options)
                        .order_by(*order)
                    )
                    return session.scalars(statement).unique().first()

            return await conn.run_sync(load)

    return zoo.run(main())


# --- to Python, it is an instance of the model ---


def test_is_an_instance(loaded: Any) -> None:
    model = mapper_of(loaded).class_  # type: ignore[union-attr]
    assert loaded.__class__ is model
    assert isinstance(loaded, model)
    assert all(isinstance(loaded, base) for base in model.__mro__)
    assert not isinstance(loaded, type("Other", (), {}))


def test_has_no_state(loaded: Any) -> None:
    assert "_sa_instance_state" not in vars(loaded)
    assert "_sa_instance_state" not in dir(loaded)
    assert not hasattr(loaded, "_sa_instance_state")


def test_vars_are_what_was_loaded(loaded: Any) -> None:
    mapper = mapper_of(loaded)
    assert mapper is not None
    for key, value in vars(loaded).items():
        assert getattr(loaded, key) is value
    for key in mapper.relationships.keys():  # noqa: SIM118 - no dictionary
        assert key not in vars(loaded)


def test_repr_and_str(loaded: Any) -> None:
    assert loaded.__class__.__name__ in repr(loaded)
    for shown in (str(loaded), format(loaded)):
        assert len(shown) > 0


def test_copy(loaded: Any) -> None:
    for made in (copy.copy(loaded), copy.deepcopy(loaded)):
        assert made is not loaded
        assert made.__class__ is loaded.__class__
        if not isinstance(loaded, behaviour.Stateful):
            same_values(loaded, made)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(zoo: Oracle, protocol: int) -> None:
    for name, model in MODELS.items():
        one = first(zoo, model)
        made = pickle.loads(pickle.dumps(one, protocol))
        assert made.__class__ is one.__class__, name
        if model is not behaviour.Stateful:
            same_values(one, made)


def same_values(one: Any, other: Any) -> None:
    """Check that two objects have the same attributes, loaded and not loaded."""
    mapper = mapper_of(one)
    assert mapper is not None
    assert vars(one).keys() == vars(other).keys()
    for key, value in vars(one).items():
        found = vars(other)[key]
        assert type(found) is type(value)
        assert found == value
    for key in mapper.relationships.keys():  # noqa: SIM118 - no dictionary
        with pytest.raises(NotLoadedError):
            getattr(other, key)


def test_weak_references(loaded: Any) -> None:
    assert weakref.ref(loaded)() is loaded


def test_attributes_of_its_own(loaded: Any) -> None:
    """Whatever name is set is there, as on any object."""
    loaded.__dict__["_by_dict"] = 1
    assert loaded._by_dict == 1
    assert vars(loaded)["_by_dict"] == 1
    loaded._by_name = 2
    assert vars(loaded)["_by_name"] == 2
    assert copy.copy(loaded).__class__ is loaded.__class__
    del loaded._by_name
    assert "_by_name" not in vars(loaded)


def test_assignment_of_each_attribute(loaded: Any) -> None:
    """A mapped attribute, loaded or not, takes a plain value and gives it back."""
    mapper = mapper_of(loaded)
    assert mapper is not None
    composites = {key for prop in mapper.composites for key in (prop.key, *prop_keys(prop))}
    for key in [*mapper.column_attrs.keys(), *mapper.relationships.keys()]:
        if key in composites:
            continue
        value = object()
        setattr(loaded, key, value)
        assert getattr(loaded, key) is value
        assert vars(loaded)[key] is value


def prop_keys(prop: Any) -> list[str]:
    """Give the names of the attributes that a composite is made of."""
    return [attribute.key for attribute in prop.props]


def test_missing_names_are_attribute_errors(loaded: Any) -> None:
    with pytest.raises(AttributeError):
        loaded.there_is_no_such_name  # noqa: B018 - reading it is the test
    assert getattr(loaded, "there_is_no_such_name", 7) == 7
    assert not hasattr(loaded, "there_is_no_such_name")


def test_each_not_loaded_attribute_says_so(loaded: Any) -> None:
    model = loaded.__class__
    mapper = mapper_of(loaded)
    assert mapper is not None
    for key in mapper.relationships.keys():  # noqa: SIM118 - no dictionary
        for read in (
            lambda key=key: getattr(loaded, key),
            lambda key=key: getattr(loaded, key, None),
            lambda key=key: hasattr(loaded, key),
        ):
            with pytest.raises(NotLoadedError) as caught:
                read()
            assert f"{model.__name__}.{key}" in str(caught.value)
            advice = ("selectinload(", "a statement of their own")
            assert any(text in str(caught.value) for text in advice)


def test_not_loaded_is_no_attribute_error() -> None:
    assert not issubclass(NotLoadedError, AttributeError | LookupError | TypeError | ValueError)
    assert issubclass(NotLoadedError, BaseNakedSQLAException)


def test_not_loaded_messages(zoo: Oracle) -> None:
    """Each names class and attribute, and what to write."""
    for obj, key, advice in (
        (first(zoo, User), "posts", ".options(selectinload(User.posts))"),
        (first(zoo, User), "posts", "session.preload(objects, User.posts)"),
        (first(zoo, Invoice), "memo", "undefer(Invoice.memo)"),
        (first(zoo, Invoice), "forbidden", "undefer(Invoice.forbidden)"),
        (first(zoo, User, load_only(User.name)), "age", "load_only"),
        (first(zoo, Segment, load_only(Segment.low)), "start", "Segment.start_x"),
        (first(zoo, Person, id=2), "language", "Engineer.language"),
    ):
        with pytest.raises(NotLoadedError) as caught:
            getattr(obj, key)
        assert f"{obj.__class__.__name__}.{key}" in str(caught.value)
        assert advice in str(caught.value)


def test_synonyms_and_hybrids_of_what_is_not_loaded(zoo: Oracle) -> None:
    invoice = first(zoo, Invoice, load_only(Invoice.id))
    for key in ("tax", "both", "double", "size"):
        with pytest.raises(NotLoadedError):
            getattr(invoice, key)
    with pytest.raises(NotLoadedError):
        invoice.above(1)
    with pytest.raises(NotLoadedError):
        list(invoice.articles)


# --- the model's own behaviour ---


def test_methods_and_properties(zoo: Oracle) -> None:
    rich = first(zoo, Rich)
    assert rich.loud == "one!"
    rich.loud = "two!"
    assert rich.name == "two"
    assert rich.constant == "constant"
    assert rich.add(1, 2) == 3
    assert rich.by_dunder_class() is Rich
    assert rich.make("x").name == "x"
    assert type(rich.make("x")) is Rich
    assert rich.who() == "Rich"
    assert type(rich.sibling()) is Rich
    assert rich.sibling().name == "sibling"


def test_cached_property(zoo: Oracle) -> None:
    rich = first(zoo, Rich)
    before = Rich.computed
    assert rich.expensive is rich.expensive
    assert Rich.computed == before + 1
    assert "expensive" in vars(rich)
    del rich.expensive
    assert rich.expensive == ["one"]
    assert Rich.computed == before + 2


def test_special_methods(zoo: Oracle) -> None:
    one, two = first(zoo, Rich, id=1), first(zoo, Rich, id=2)
    assert one == first(zoo, Rich, id=1)
    assert one != two
    assert one == Rich(id=1)
    assert Rich(id=1) == one
    assert hash(one) == hash(Rich(id=1))
    assert len({one, first(zoo, Rich, id=1), Rich(id=1)}) == 1
    assert sorted([two, one])[0] is one
    assert len(one) == 3
    assert bool(one) is False
    assert list(one) == [1, "one"]
    assert one["name"] == "one"
    assert "one" in one
    assert one("!") == "one!"
    with one as entered:
        assert entered is one
    assert str(one) == "rich one"
    assert f"{one:x}" == "<xone>"
    assert repr(one).startswith("<tests.models.behaviour.Rich object at 0x")


def test_falsy_objects_are_objects(zoo: Oracle) -> None:
    """An object whose ``bool()`` is False is not taken for a row that is not there."""
    rows = zoo.rows(select(Rich, User).join(User, User.id == Rich.id))
    assert [row[0].id for row in rows] == [1, 2]


def test_identity_is_equality_by_default(zoo: Oracle) -> None:
    one, other = first(zoo, User), first(zoo, User)
    assert one == one
    assert one != other
    assert hash(one) != hash(other) or one is not other


def test_super_and_mixins(zoo: Oracle) -> None:
    mixed = first(zoo, styles.Mixed)
    assert mixed.describe() == "mixed, named mix, thing 1, base"
    assert mixed.slotted() == "slotted"
    assert first(zoo, styles.GenericThing).kind() == "generic"
    assert first(zoo, Engineer).title() == "Ing. eng"
    assert first(zoo, Cat).sound() == "meow ..."
    assert isinstance(first(zoo, Director), Person)


def test_polymorphic_methods(zoo: Oracle) -> None:
    people = [row[0] for row in zoo.rows(select(Person).order_by(Person.id))]
    assert [p.__class__.__name__ for p in people] == [
        "Person", "Engineer", "Manager", "Director", "Engineer",
    ]  # fmt: skip
    assert [p.title() for p in people] == ["pat", "Ing. eng", "man", "dir", "Ing. eng2"]


def test_hybrids(zoo: Oracle) -> None:
    invoice = first(zoo, Invoice)
    assert (invoice.double, invoice.size, invoice.above(10)) == (200, "small", True)
    invoice.double = 10
    assert invoice.net == 5


def test_synonym(zoo: Oracle) -> None:
    invoice = first(zoo, Invoice)
    assert (invoice.tax, invoice.both) == (20, 120)
    invoice.tax = 7
    assert (invoice.tax, invoice.vat) == (7, 7)


def test_composite(zoo: Oracle) -> None:
    segment = first(zoo, Segment)
    assert segment.start == Point(1, 2)
    segment.start = Point(8, 9)
    assert segment.start == Point(8, 9)
    assert (segment.start_x, segment.start_y) == (8, 9)


def test_reconstructor(zoo: Oracle) -> None:
    """The hook that a model has for loading is called, the constructor is not."""
    made = first(zoo, behaviour.Reconstructed)
    assert made.cache == ["loaded"]
    assert (made.id, made.name) == (1, "one")


def test_constructors_are_not_called(zoo: Oracle) -> None:
    assert first(zoo, PostInit).name == "loaded"
    before = list(behaviour.Listened.events)
    first(zoo, behaviour.Listened)
    assert behaviour.Listened.events == before
    assert first(zoo, styles.Imperative).shout() == "imp!"


def test_attribute_access_overrides(zoo: Oracle) -> None:
    before = len(Talkative.seen)
    talkative = first(zoo, Talkative)
    assert len(Talkative.seen) == before
    assert talkative.dynamic_thing == "made up dynamic_thing"
    with pytest.raises(NotLoadedError, match=r"Talkative\.secret"):
        talkative.secret  # noqa: B018 - reading it is the test
    talkative.name = "other"
    assert Talkative.seen[before:] == ["name"]
    assert talkative.name == "other"
    talkative.secret = "known"
    assert talkative.secret == "known"


def test_assignment_is_plain(zoo: Oracle) -> None:
    """Nobody validates, coerces or tracks."""
    before = len(Validated.calls)
    validated = first(zoo, Validated)
    validated.name = 7
    assert validated.name == 7
    assert len(Validated.calls) == before
    user = first(zoo, User)
    user.posts = "anything"
    assert user.posts == "anything"


def test_reserved_names(zoo: Oracle) -> None:
    """Attributes may have any name that the ORM takes."""
    one, theirs = first(zoo, Reserved), from_orm(zoo, Reserved)
    for key in inspect(Reserved).column_attrs.keys():  # noqa: SIM118 - no dictionary
        assert getattr(one, key) == getattr(theirs, key)
    spaced = first(zoo, Spaced)
    assert [getattr(spaced, key) for key in ("class", "two words", "quote'\"{}")] == ["c", "t", "q"]
    renamed = first(zoo, Renamed)
    assert (renamed.a, renamed.b, renamed.klass) == ("in b", "in a", "k")


def test_mutables_can_be_changed(zoo: Oracle) -> None:
    one = first(zoo, Mutables)
    one.mapping["b"] = 2
    one.sequence.append(3)
    one.collection.add(3)
    assert (one.mapping, one.sequence, one.collection) == ({"a": 1, "b": 2}, [1, 2, 3], {1, 2, 3})
    again = pickle.loads(pickle.dumps(one))
    assert again.mapping == one.mapping
    again.mapping["c"] = 3
    assert "c" not in one.mapping
    deep = copy.deepcopy(one)
    deep.sequence.append(4)
    assert one.sequence == [1, 2, 3]


def test_objects_share_nothing(zoo: Oracle) -> None:
    one, other = (row[0] for row in zoo.rows(select(Sample).where(Sample.id == 1).limit(1)) * 2)
    assert one is other
    fresh = first(zoo, Sample)
    fresh.json["new"] = 1
    assert "new" not in first(zoo, Sample).json


# --- match, dispatch, typing ---


def test_match(zoo: Oracle) -> None:
    match first(zoo, User):
        case Post():
            raise AssertionError
        case User(id=1, name=name):
            assert name == "ann"
        case _:
            raise AssertionError
    match first(zoo, Rich):
        case Rich(1, name):
            assert name == "one"
        case _:
            raise AssertionError
    match first(zoo, DataPoint):
        case DataPoint(x, y):
            assert (x, y) == (10, 20)
        case _:
            raise AssertionError


def test_dispatch(zoo: Oracle) -> None:
    @functools.singledispatch
    def kind(obj: object) -> str:
        return "object"

    @kind.register
    def _(obj: User) -> str:
        return "user"

    @kind.register
    def _(obj: Person) -> str:
        return "person"

    @kind.register
    def _(obj: Engineer) -> str:
        return "engineer"

    people = [row[0] for row in zoo.rows(select(Person).order_by(Person.id))]
    assert kind(first(zoo, User)) == "user"
    assert [kind(p) for p in people] == ["person", "engineer", "person", "person", "engineer"]


def test_abstract_base_classes_and_protocols(zoo: Oracle) -> None:
    class Registered(abc.ABC):  # noqa: B024 - the registration is the test
        pass

    Registered.register(User)

    @typing.runtime_checkable
    class Greets(typing.Protocol):
        def greeting(self) -> str: ...

    user = first(zoo, User)
    assert isinstance(user, Registered)
    assert not isinstance(first(zoo, Post), Registered)
    assert isinstance(user, Greets)
    assert not isinstance(first(zoo, Post), Greets)


def test_type_of_an_object_in_a_statement(zoo: Oracle) -> None:
    """``type(obj)`` is not the model, but a statement made of it is the model's."""
    for model in (User, DataPoint, Person, Cat, behaviour.Strict, sqlmodels.Hero):
        one = first(zoo, model)
        found = zoo.rows(select(type(one)).order_by(*inspect(model).primary_key))
        assert found[0][0].__class__ is model
        assert type(one).__name__ == model.__name__
        assert type(one).__qualname__ == model.__qualname__
        assert type(one).__module__ == model.__module__
        assert issubclass(type(one), model)
        assert inspect(one.__class__) is inspect(model)


def test_class_attributes_on_the_type(zoo: Oracle) -> None:
    kind: Any = type(first(zoo, User))
    assert str(kind.posts.any()) == str(User.posts.any())
    assert kind.__table__ is User.__table__
    assert kind.__mapper__ is User.__mapper__


# --- dataclasses ---


def test_dataclass_functions(zoo: Oracle) -> None:
    point = first(zoo, DataPoint)
    values = {"id": 1, "x": 10, "y": 20, "label": "p", "note": "n"}
    assert dataclasses.is_dataclass(point)
    assert [field.name for field in dataclasses.fields(point)] == list(values)
    assert dataclasses.asdict(point) == values
    assert dataclasses.astuple(point) == tuple(values.values())
    other = dataclasses.replace(point, x=11)
    assert type(other) is DataPoint
    assert (other.x, other.y, other.label, other.note) == (11, 20, "p", "n")
    assert point.x == 10


def test_loaded_equals_constructed(zoo: Oracle) -> None:
    point = first(zoo, DataPoint)
    made = DataPoint(x=10, y=20, label="p", note="n")
    made.id = 1
    assert point == made
    assert made == point
    assert repr(point) == repr(made)
    made.y = 21
    assert point != made
    assert made != point
    assert first(zoo, DataPoint) == first(zoo, DataPoint)
    named = first(zoo, Hashable)
    assert named == Hashable(id=1, name="h")
    assert hash(named) == hash(Hashable(id=1))
    assert first(zoo, DataParent) == DataParent(id=1, name="compare is off", children=[])
    assert first(zoo, styles.DecoratedData) == styles.DecoratedData(id=1, name="deco data")
    assert first(zoo, styles.ImperativeData).name == "imp data"


def test_dataclass_order_and_repr(zoo: Oracle) -> None:
    one, two = first(zoo, KwOnly, id=1), KwOnly(id=2, name="zz")
    assert one < two
    assert two > one
    assert repr(one) == repr(two)
    assert repr(first(zoo, DataPoint)) == "DataPoint(id=1, x=10, y=20, label='p')"
    assert repr(first(zoo, NoInit)) == "NoInit(id=1, name='ni')"


def test_dataclass_with_what_is_not_loaded(zoo: Oracle) -> None:
    """A field that was not loaded is loud, and showing an object is not reading it."""
    parent = first(zoo, DataParent)
    with pytest.raises(NotLoadedError, match=r"DataParent\.children"):
        dataclasses.asdict(parent)
    with pytest.raises(NotLoadedError, match=r"DataParent\.children"):
        dataclasses.replace(parent, id=2)
    point = first(zoo, DataPoint, load_only(DataPoint.x))
    assert "x=10" in repr(point)
    with pytest.raises(NotLoadedError, match=r"DataPoint\.y"):
        dataclasses.asdict(point)
    with pytest.raises(NotLoadedError, match="DataPoint"):
        point == first(zoo, DataPoint)  # noqa: B015 - comparing is the test


# --- other people's libraries ---


def test_pydantic_from_attributes(zoo: Oracle) -> None:
    class UserOut(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(from_attributes=True)
        id: int
        name: str
        nickname: str | None = None

    class PostsOut(UserOut):
        posts: list[Any] = []

    user = first(zoo, User)
    assert UserOut.model_validate(user) == UserOut(id=1, name="ann", nickname="annie")
    with pytest.raises(Exception, match=r"User\.posts") as caught:
        PostsOut.model_validate(user)
    assert isinstance(caught.value, NotLoadedError | pydantic.ValidationError)
    few = first(zoo, User, load_only(User.name))
    with pytest.raises(Exception, match=r"User\.nickname"):
        UserOut.model_validate(few)
    user.posts = []
    assert PostsOut.model_validate(user).posts == []


def test_pydantic_instance_of(zoo: Oracle) -> None:
    class Holder(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
        user: User

    user = first(zoo, User)
    assert Holder(user=user).user is user


def test_jsonable_encoder(zoo: Oracle) -> None:
    from fastapi.encoders import jsonable_encoder

    for model in (User, DataPoint, Post, Person, Reserved, sqlmodels.Team, styles.Decorated):
        assert jsonable_encoder(first(zoo, model)) == jsonable_encoder(from_orm(zoo, model))
    listed = [row[0] for row in zoo.rows(select(User).order_by(User.id))]
    assert json.dumps(jsonable_encoder({"users": listed}))


class PointOut(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(from_attributes=True)
    id: int
    x: int


def test_fastapi_response(zoo: Oracle) -> None:
    from fastapi import FastAPI

    app = FastAPI()
    point = first(zoo, DataPoint)

    @app.get("/as-model", response_model=PointOut)
    def as_model() -> Any:
        return point

    @app.get("/as-list")
    def as_list() -> list[PointOut]:
        return [point]  # type: ignore[list-item]

    assert zoo.run(asgi_get(app, "/as-model")) == {"id": 1, "x": 10}
    assert zoo.run(asgi_get(app, "/as-list")) == [{"id": 1, "x": 10}]


async def asgi_get(app: Any, path: str) -> Any:
    """Give the JSON that an ASGI application answers with."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return json.loads(b"".join(message.get("body", b"") for message in sent))


def test_sqlmodel(zoo: Oracle) -> None:
    hero, theirs = first(zoo, sqlmodels.Hero), from_orm(zoo, sqlmodels.Hero)
    assert hero.shout() == "DEADPOND"
    assert hero.model_dump() == theirs.model_dump()
    assert json.loads(hero.model_dump_json()) == json.loads(theirs.model_dump_json())
    assert repr(hero).startswith("Hero(")
    assert "name='deadpond'" in repr(hero)
    assert hero == sqlmodels.Hero(**hero.model_dump())
    assert "_sa_instance_state" not in vars(hero)
    with pytest.raises(NotLoadedError, match=r"Hero\.team"):
        hero.team  # noqa: B018 - reading it is the test
    hero.name = "other"
    assert hero.name == "other"
    assert hero.model_copy().name == "other"
    hero.team = None
    assert hero.team is None


# --- pickle across processes ---

READER = """
import pickle, sys
from naked_sqla.exception import NotLoadedError
for obj in pickle.load(sys.stdin.buffer):
    try:
        obj.posts
        state = "loaded"
    except NotLoadedError:
        state = "not loaded"
    except AttributeError:
        state = "no such attribute"
    print(obj.__class__.__name__, sorted(vars(obj)), state, isinstance(obj, obj.__class__))
"""


def test_pickle_into_another_process(zoo: Oracle) -> None:
    """The other process has run no statement, and does not know of naked classes yet."""
    objects = [
        first(zoo, User),
        first(zoo, User, load_only(User.name)),
        first(zoo, DataPoint),
        first(zoo, Segment),
        first(zoo, Person, id=2),
    ]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READER],
        input=pickle.dumps(objects),
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stderr == b""
    assert done.stdout.decode().splitlines() == [
        "User ['age', 'boss_id', 'id', 'name', 'nickname'] not loaded True",
        "User ['id', 'name'] not loaded True",
        "DataPoint ['id', 'label', 'note', 'x', 'y'] no such attribute True",
        "Segment ['end', 'high', 'id', 'low', 'range', 'start', 'start_x', 'start_y', 'x2', 'y2']"
        " no such attribute True",
        "Engineer ['firm_id', 'id', 'kind', 'name'] no such attribute True",
    ]


COMPARER = """
import pickle, sys
obj = pickle.loads(sys.stdin.buffer.read())
print(obj.__class__.boss == obj)
"""


def test_a_statement_compares_with_an_object_before_anything_else_is_imported(zoo: Oracle) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", COMPARER],
        input=pickle.dumps(first(zoo, User)),
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stderr == b""
    assert b":param_1 = " in done.stdout


def test_pickle_keeps_what_was_set(zoo: Oracle) -> None:
    user = first(zoo, User, load_only(User.name))
    user.age = 41
    user.posts = [first(zoo, Post)]
    user.note = "by hand"
    made = pickle.loads(pickle.dumps(user))
    assert (made.age, made.note, made.posts[0].title) == (41, "by hand", "first")
    with pytest.raises(NotLoadedError):
        made.nickname  # noqa: B018 - reading it is the test


def test_pickle_with_a_state_of_its_own(zoo: Oracle) -> None:
    made = pickle.loads(pickle.dumps(first(zoo, behaviour.Stateful)))
    assert (made.id, made.name) == (1, "one (restored)")
    assert copy.copy(first(zoo, behaviour.Stateful)).name == "one (restored)"


def test_copies_of_composites(zoo: Oracle) -> None:
    """A composite that is None although one of its columns is not: the column keeps its value."""
    segment = first(zoo, Segment, id=2)
    assert (segment.low, segment.high, segment.range) == (None, 1, None)
    copies = copy.copy(segment), copy.deepcopy(segment), pickle.loads(pickle.dumps(segment))
    for made in copies:
        assert (made.low, made.high, made.range) == (None, 1, None)
        assert made.start == segment.start


def test_deepcopy_of_a_graph(zoo: Oracle) -> None:
    user, post = first(zoo, User), first(zoo, Post)
    user.posts, post.author = [post], user
    made = copy.deepcopy(user)
    assert made.posts[0].author is made
    assert made.posts[0] is not post
    again = pickle.loads(pickle.dumps(user))
    assert again.posts[0].author is again


# --- the application does not notice naked classes ---


def test_bases_do_not_see_naked_classes(zoo: Oracle) -> None:
    strict = dict(behaviour.StrictBase.registered)
    made = list(behaviour.RegisteringMeta.registered)
    listed = list(behaviour.Enumerated.subclasses)
    for model in (behaviour.Strict, behaviour.MetaMade, behaviour.Enumerated):
        for key in ("id", "name"):
            one = first(zoo, model, load_only(getattr(model, key)))
            assert one.__class__ is model
    assert strict == behaviour.StrictBase.registered
    assert made == behaviour.RegisteringMeta.registered
    assert listed == behaviour.Enumerated.subclasses
    assert first(zoo, behaviour.Strict).shout() == "ONE"


def test_mapping_is_as_it_was(zoo: Oracle) -> None:
    """No event of a mapper or of a class fires, no registry grows, no class is instrumented."""

    class Base(DeclarativeBase):
        pass

    class Watched(Base):
        __tablename__ = "tags"
        id: Mapped[int] = mapped_column(primary_key=True)
        label: Mapped[str]

    Base.registry.configure()
    seen: list[Any] = []

    def note(*args: Any) -> None:
        seen.append(args)

    listeners: list[tuple[Any, str]] = [
        (Mapper, "instrument_class"),
        (Mapper, "after_mapper_constructed"),
        (Mapper, "mapper_configured"),
        (Mapper, "before_configured"),
        (Mapper, "after_configured"),
        (Watched, "init"),
        (Watched, "class_instrument"),
        (Watched, "attribute_instrument"),
    ]
    for target, name in listeners:
        event.listen(target, name, note)
    before = (
        set(Base.registry.mappers),
        set(dir(Watched)),
        set(inspect(Watched).class_manager),
        [sub.class_ for sub in inspect(Watched).self_and_descendants],
    )
    try:
        assert zoo.one(select(Watched).where(Watched.id == 1)).label == "red"
        zoo.one(select(Watched).where(Watched.id == 1).options(load_only(Watched.id)))
        zoo.rows(insert(Watched).returning(Watched), [{"id": 50, "label": "x"}])
    finally:
        for target, name in listeners:
            event.remove(target, name, note)
    after = (
        set(Base.registry.mappers),
        set(dir(Watched)),
        set(inspect(Watched).class_manager),
        [sub.class_ for sub in inspect(Watched).self_and_descendants],
    )
    assert seen == []
    assert after == before
    assert isinstance(inspect(Watched).class_manager, ClassManager)


def test_mapping_a_subclass_afterwards(zoo: Oracle) -> None:
    """A model can be subclassed and mapped after objects of it were loaded."""
    first(zoo, inheritance.Animal)

    class Base(DeclarativeBase):
        pass

    class Old(Base):
        __tablename__ = "tags"
        id: Mapped[int] = mapped_column(primary_key=True)
        label: Mapped[str]

    assert zoo.one(select(Old).where(Old.id == 1)).label == "red"

    class New(Old):
        pass

    assert zoo.one(select(New).where(New.id == 1)).__class__ is New
    assert isinstance(zoo.one(select(New).where(New.id == 1)), Old)


def test_automap(zoo: Oracle) -> None:
    """Classes that reflection made are models like any other."""
    metadata = MetaData()

    async def reflect() -> None:
        async with zoo.engine.connect() as conn:
            await conn.run_sync(lambda sync: metadata.reflect(sync, only=["orders", "order_lines"]))

    zoo.run(reflect())
    base: Any = automap_base(metadata=metadata)
    base.prepare()
    order = first(zoo, base.classes.orders)
    assert order.__class__ is base.classes.orders
    assert (order.year, order.number) == (2024, 1)
    with pytest.raises(NotLoadedError, match="order_lines_collection"):
        order.order_lines_collection  # noqa: B018 - reading it is the test


def test_the_orm_refuses_loaded_objects(zoo: Oracle) -> None:
    """A loaded object has no state: the ORM says so, instead of half adopting it."""
    user = first(zoo, User)
    assert not hasattr(user, "_sa_instance_state")
    with Session() as session, pytest.raises(UnmappedInstanceError):
        session.add(user)
    with pytest.raises(AttributeError, match=r"not tracked.*Write Post\(author_id=user\.id\)"):
        Post(author=user)
    with pytest.raises(AttributeError, match=r"not tracked.*parent_id=parent\.id"):
        user._sa_instance_state  # noqa: B018


def test_statements_compare_with_loaded_objects(zoo: Oracle) -> None:
    user = first(zoo, User)
    theirs = from_orm(zoo, User)
    assert inspect(user).mapper is inspect(User)
    assert inspect(user).detached
    for make in (
        lambda it: select(Post).where(Post.author == it),
        lambda it: select(Post).where(with_parent(it, User.posts)),
        lambda it: select(Post).where(~(Post.author == it)),
    ):
        ours = sorted(post.id for (post,) in zoo.rows(make(user)))
        assert ours == sorted(post.id for (post,) in zoo.rows(make(theirs)))
    with pytest.raises(AttributeError, match=r"Child\.parent_id != parent\.id"):
        _ = Post.author != user


def test_the_orm_still_works(zoo: Oracle) -> None:
    """Loaded objects of both kinds live side by side."""
    ours, theirs = first(zoo, User), from_orm(zoo, User)
    assert type(theirs) is User
    assert type(ours) is not User
    assert (ours.id, ours.name) == (theirs.id, theirs.name)
    made = User(id=1, name="x")
    assert made.posts == []
    assert first(zoo, DataPoint) == from_orm(zoo, DataPoint)


def test_new_is_not_called_twice(zoo: Oracle) -> None:
    """A model that makes its instances itself makes these too, once for each row."""
    before = behaviour.Newly.made
    rows = zoo.rows(select(behaviour.Newly).order_by(behaviour.Newly.id))
    assert [row[0].name for row in rows] == ["one", None]
    assert behaviour.Newly.made - before in (0, 2)


def test_a_missed_outer_join_is_none(zoo: Oracle) -> None:
    rows = zoo.rows(select(User, Post).outerjoin(User.posts).where(User.id == 3))
    assert len(rows) == 1
    assert rows[0].User.id == 3
    assert rows[0].Post is None


def test_objects_are_freed_by_reference_count(zoo: Oracle) -> None:
    one = first(zoo, User)
    watched = weakref.ref(one)
    gc.disable()
    try:
        del one
        assert watched() is None
    finally:
        gc.enable()


def test_objects_cross_threads(zoo: Oracle) -> None:
    """An object knows no session and no loop: any thread may read it."""
    user = first(zoo, User)
    read: list[Any] = []
    thread = threading.Thread(target=lambda: read.append((user.name, copy.copy(user).id)))
    thread.start()
    thread.join()
    assert read == [("ann", 1)]


def test_types_of_values(zoo: Oracle) -> None:
    sample, theirs = first(zoo, Sample), from_orm(zoo, Sample)
    for key, value in vars(sample).items():
        assert type(value) is type(getattr(theirs, key)), key
    assert sample.colour is Colour.RED
    assert sample.never_null == "full"
    assert zoo.one(select(Sample).where(Sample.id == 2)).never_null == ""
    assert isinstance(sample.money, types.Money)
