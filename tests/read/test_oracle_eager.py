"""Relationships that a statement or a mapping asks for: next to the ORM, with their statements."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import and_, func, insert, literal, select, text, union_all, update
from sqlalchemy.orm import (
    aliased,
    contains_eager,
    defaultload,
    defer,
    immediateload,
    joinedload,
    lazyload,
    load_only,
    raiseload,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    undefer,
    with_expression,
    with_loader_criteria,
    with_polymorphic,
)

from naked_sqla.exception import NotLoadedError

from ..models.blog import Comment, Hub, Node, Post, Profile, Tag, User
from ..models.columns import Invoice, InvoiceLine, Pair, PairChild
from ..models.inheritance import (
    Engineer,
    Firm,
    Letterbox,
    Machine,
    MachinePart,
    Manager,
    Motor,
    Person,
    Plant,
    Turbine,
)
from ..models.related import (
    Album,
    Car,
    City,
    Cook,
    Country,
    Driver,
    Line,
    Member,
    Order,
    Shelf,
    Team,
    Worker,
)
from ..models.sqlmodels import Hero
from ..models.sqlmodels import Team as HeroTeam
from ..models.styles import DataChild, DataParent
from ..oracle import Oracle, unique_rows

# the statement, and how often it reaches the database
Case = tuple[Callable[[], Any], int]

U2 = aliased(User, name="u2")
P2 = aliased(Post, name="p2")
AnyWorker = with_polymorphic(Worker, "*")
FlatWorker = with_polymorphic(Worker, "*", flat=True)

# One relationship each, in every way of loading: (entity, attribute)
RELATIONSHIPS: dict[str, tuple[Any, Any]] = {
    "one to many": (User, User.posts),
    "many to one": (Post, Post.author),
    "one to one": (User, User.profile),
    "one to one, back": (Profile, Profile.user),
    "many to many": (Post, Post.tags),
    "self, up": (User, User.boss),
    "self, down": (User, User.staff),
    "self, many to many": (Member, Member.friends),
    "dictionary": (Post, Post.comments),
    "dictionary by function": (Country, Country.by_shout),
    "dictionary, viewonly": (Country, Country.by_name),
    "set": (Country, Country.as_set),
    "set, many to many": (Tag, Tag.posts),
    "own list class": (Country, Country.shelf),
    "ordering list": (Order, Order.lines),
    "composite key": (Order, Order.lines),
    "composite key, up": (Line, Line.order),
    "composite key, up, halves": (PairChild, PairChild.pair),
    "descending order": (Country, Country.cities),
    "not the primary key": (City, City.country),
    "own primaryjoin": (Country, Country.capital),
    "own secondaryjoin and order": (Country, Country.languages),
    "polymorphic": (Team, Team.workers),
    "of a subclass": (Driver, Driver.cars),
    "to a subclass": (Car, Car.driver),
    "of a base class": (Worker, Worker.team),
    "inherited": (Cook, Cook.team),
    "joined base": (Firm, Firm.people),
    "dataclass": (DataParent, DataParent.children),
    "dataclass, up": (DataChild, DataChild.parent),
    "dataclass, compared": (Album, Album.songs),
    "with typed columns": (Invoice, Invoice.lines),
    "with column properties": (InvoiceLine, InvoiceLine.invoice),
    "SQLModel": (HeroTeam, HeroTeam.heroes),
    "SQLModel, up": (Hero, Hero.team),
}


def keys_of(model: Any) -> list[Any]:
    """Give the columns that decide on an order."""
    return list(model.__mapper__.primary_key)


@pytest.mark.parametrize("name", RELATIONSHIPS)
@pytest.mark.parametrize("loader", [selectinload, subqueryload, immediateload])
def test_further_statement(oracle: Oracle, name: str, loader: Any) -> None:
    """The objects of the ORM, with one further statement for all of them."""
    model, attribute = RELATIONSHIPS[name]
    statement = select(model).order_by(*keys_of(model))
    # The ORM's immediateload leaves relationships of a polymorphic base unloaded.
    in_orm = selectinload if model is Worker else loader
    for _ in range(2):
        oracle.compare(
            statement.options(loader(attribute)), orm=statement.options(in_orm(attribute))
        )
        assert oracle.executed == 2


@pytest.mark.parametrize("name", RELATIONSHIPS)
def test_joined(oracle: Oracle, name: str) -> None:
    """The objects of the ORM, with no further statement; ``unique()`` where the ORM wants it."""
    model, attribute = RELATIONSHIPS[name]
    statement = select(model).options(joinedload(attribute)).order_by(*keys_of(model))
    for _ in range(2):
        oracle.compare(statement, read=unique_rows)
        assert oracle.executed == 1
        oracle.compare(statement)


@pytest.mark.parametrize("name", RELATIONSHIPS)
def test_contains_eager(oracle: Oracle, name: str) -> None:
    model, attribute = RELATIONSHIPS[name]
    target = attribute.property.mapper.class_
    if target is model or attribute.property.parent.common_parent(attribute.property.mapper):
        target = aliased(target)
        attribute = attribute.of_type(target)
    statement = (
        select(model).outerjoin(attribute).options(contains_eager(attribute)).order_by(
            *keys_of(model), *(getattr(target, key) for key in target_keys(target))
        )
    )  # fmt: skip
    oracle.compare(statement, read=unique_rows)
    assert oracle.executed == 1


def target_keys(target: Any) -> list[str]:
    """Give the names of the key attributes of a mapped class or an alias of one."""
    from sqlalchemy import inspect

    mapper = inspect(target).mapper
    return [mapper.get_property_by_column(column).key for column in mapper.primary_key]


@pytest.mark.parametrize("name", RELATIONSHIPS)
def test_with_an_alias_and_another_entity(oracle: Oracle, name: str) -> None:
    """The option says which of two entities it is for."""
    model, attribute = RELATIONSHIPS[name]
    alias = aliased(model, name="other_one")
    keys = target_keys(model)
    on = [getattr(alias, key) == getattr(model, key) for key in keys]
    statement = (
        select(model, alias, literal(1))
        .join(alias, and_(*on))
        .options(selectinload(getattr(alias, attribute.key)))
        .order_by(*keys_of(model))
    )
    oracle.compare(statement)
    assert oracle.executed == 2


CASES: dict[str, Case] = {
    # nested
    "two levels": (
        lambda: select(User).options(selectinload(User.posts).selectinload(Post.tags)),
        3,
    ),
    "three levels": (
        lambda: select(User).options(
            selectinload(User.staff).selectinload(User.posts).selectinload(Post.comments)
        ),
        4,
    ),
    "two branches": (
        lambda: select(User).options(selectinload(User.posts), selectinload(User.staff)),
        3,
    ),
    "two branches below": (
        lambda: select(User).options(
            selectinload(User.posts).options(selectinload(Post.tags), selectinload(Post.comments))
        ),
        4,
    ),
    "joined below selectin": (
        lambda: select(Post).options(selectinload(Post.author).joinedload(User.profile)),
        2,
    ),
    "selectin below joined": (
        lambda: select(User).options(joinedload(User.posts).selectinload(Post.tags)),
        2,
    ),
    "joined collection below a shared many to many": (
        lambda: select(Post).options(selectinload(Post.tags).joinedload(Tag.posts)),
        2,
    ),
    "joined dictionary below a shared many to many": (
        lambda: select(Tag).options(subqueryload(Tag.posts).joinedload(Post.comments)),
        2,
    ),
    "joined below joined": (
        lambda: select(User).options(joinedload(User.posts).joinedload(Post.comments)),
        1,
    ),
    "joined twice": (
        lambda: select(User).options(joinedload(User.posts), joinedload(User.staff)),
        1,
    ),
    "inner join": (
        lambda: select(Comment).options(joinedload(Comment.post, innerjoin=True)),
        1,
    ),
    "defaultload": (
        lambda: select(User).options(
            selectinload(User.posts), defaultload(User.posts).selectinload(Post.tags)
        ),
        3,
    ),
    "there and back": (
        lambda: select(User).options(selectinload(User.posts).selectinload(Post.author)),
        3,
    ),
    # with other options
    "load_only below": (
        lambda: select(User).options(selectinload(User.posts).load_only(Post.title)),
        2,
    ),
    "load_only below, joined": (
        lambda: select(User).options(joinedload(User.posts).load_only(Post.title)),
        1,
    ),
    "defer below": (lambda: select(User).options(selectinload(User.posts).defer(Post.body)), 2),
    "undefer below": (
        lambda: select(InvoiceLine).options(
            selectinload(InvoiceLine.invoice).undefer(Invoice.memo)
        ),
        2,
    ),
    "load_only above": (
        lambda: select(User).options(load_only(User.name), selectinload(User.posts)),
        2,
    ),
    "key left out above": (
        lambda: select(Post).options(defer(Post.author_id), joinedload(Post.author)),
        1,
    ),
    "raiseload below": (
        lambda: select(User).options(selectinload(User.posts).raiseload("*")),
        2,
    ),
    "raiseload the rest": (
        lambda: select(User).options(selectinload(User.posts), raiseload("*")),
        2,
    ),
    "lazyload": (lambda: select(User).options(selectinload(User.posts).lazyload(Post.tags)), 2),
    "the later option wins": (
        lambda: select(User).options(selectinload(User.posts), lazyload(User.posts)),
        2,
    ),
    # criteria
    "and_": (lambda: select(User).options(selectinload(User.posts.and_(Post.stars > 3))), 2),
    "and_, joined": (lambda: select(User).options(joinedload(User.posts.and_(Post.stars > 3))), 1),
    "and_, to one": (lambda: select(Post).options(selectinload(Post.author.and_(User.id > 1))), 2),
    "loader criteria": (
        lambda: select(User).options(
            selectinload(User.posts), with_loader_criteria(Post, Post.stars > 3)
        ),
        2,
    ),
    "loader criteria, function": (
        lambda: select(User).options(
            selectinload(User.posts), with_loader_criteria(Post, lambda cls: cls.stars > 3)
        ),
        2,
    ),
    "loader criteria, joined": (
        lambda: select(User).options(
            joinedload(User.posts), with_loader_criteria(Post, Post.stars > 3)
        ),
        1,
    ),
    # aliases and classes
    "of an alias": (lambda: select(U2).options(selectinload(U2.posts)), 2),
    "of an alias, joined": (lambda: select(U2).options(joinedload(U2.posts)), 1),
    "of_type alias": (lambda: select(User).options(selectinload(User.posts.of_type(P2))), 2),
    "of_type alias, joined": (lambda: select(User).options(joinedload(User.posts.of_type(P2))), 1),
    "of_type subclass": (
        lambda: select(Team).options(selectinload(Team.workers.of_type(Driver))),
        2,
    ),
    "of_type polymorphic": (
        lambda: select(Team).options(selectinload(Team.workers.of_type(AnyWorker))),
        2,
    ),
    "of_type polymorphic, joined": (
        lambda: select(Team).options(joinedload(Team.workers.of_type(FlatWorker))),
        1,
    ),
    "below of_type": (
        lambda: select(Team).options(
            selectinload(Team.workers.of_type(AnyWorker)).selectinload(AnyWorker.Driver.cars)
        ),
        3,
    ),
    "of a subclass, from the base": (
        lambda: select(AnyWorker).options(selectinload(AnyWorker.Driver.cars)),
        2,
    ),
    "contains_eager of an alias": (
        lambda: (
            select(User)
            .outerjoin(P2, User.posts)
            .options(contains_eager(User.posts.of_type(P2)))
            .order_by(P2.id)
        ),
        1,
    ),
    "contains_eager, two levels": (
        lambda: (
            select(User)
            .join(User.posts)
            .join(Post.tags)
            .options(contains_eager(User.posts).contains_eager(Post.tags))
            .order_by(Post.id, Tag.id)
        ),
        1,
    ),
    "contains_eager, then selectin": (
        lambda: (
            select(User)
            .join(User.posts)
            .options(contains_eager(User.posts).selectinload(Post.tags))
            .order_by(Post.id)
        ),
        2,
    ),
    "contains_eager, filtered": (
        lambda: (
            select(User).join(User.posts).where(Post.stars > 3).options(contains_eager(User.posts))
        ),
        1,
    ),
    "contains_eager, inner to one": (
        lambda: select(Post).join(Post.author).options(contains_eager(Post.author)),
        1,
    ),
    # shapes of statements
    "entity and column": (
        lambda: select(User, User.name, literal(1)).options(selectinload(User.posts)),
        2,
    ),
    "two entities": (
        lambda: (
            select(User, Post)
            .join(User.posts)
            .options(selectinload(User.staff), selectinload(Post.tags))
        ),
        3,
    ),
    "missed entity": (
        lambda: select(User, Post).outerjoin(User.posts).options(selectinload(Post.tags)),
        2,
    ),
    "missed entity, joined": (
        lambda: select(User, Post).outerjoin(User.posts).options(joinedload(Post.comments)),
        1,
    ),
    "limit": (
        lambda: select(User).order_by(User.id).limit(2).options(selectinload(User.posts)),
        2,
    ),
    "limit, joined": (
        lambda: select(User).order_by(User.id).limit(2).options(joinedload(User.posts)),
        1,
    ),
    "limit, subquery": (
        lambda: select(User).order_by(User.id).limit(2).options(subqueryload(User.posts)),
        2,
    ),
    "nobody": (lambda: select(User).where(User.id == 99).options(selectinload(User.posts)), 1),
    "nobody below": (
        lambda: (
            select(User)
            .where(User.id == 5)
            .options(selectinload(User.posts).selectinload(Post.tags))
        ),
        2,
    ),
    "duplicates": (
        lambda: select(User).join(User.posts).options(selectinload(User.posts)),
        2,
    ),
    "distinct": (
        lambda: select(User).join(User.posts).distinct().options(selectinload(User.posts)),
        2,
    ),
    "group by": (
        lambda: (
            select(User, func.count(Post.id))
            .join(User.posts)
            .group_by(User.id)
            .options(selectinload(User.posts))
        ),
        2,
    ),
    "over a subquery": (
        lambda: select(s := aliased(User, select(User).where(User.id < 3).subquery())).options(
            selectinload(s.posts)
        ),
        2,
    ),
    "over a subquery, joined": (
        lambda: select(s := aliased(User, select(User).where(User.id < 3).subquery())).options(
            joinedload(s.posts)
        ),
        1,
    ),
    "from_statement": (
        lambda: (
            select(User)
            .from_statement(select(User).where(User.id < 4))
            .options(selectinload(User.posts))
        ),
        2,
    ),
    "from_statement of text": (
        lambda: (
            select(User)
            .from_statement(text("SELECT * FROM users"))
            .options(selectinload(User.posts))
        ),
        2,
    ),
    "from_statement of a compound": (
        lambda: (
            select(User)
            .from_statement(union_all(select(User), select(User)))
            .options(selectinload(User.posts))
        ),
        2,
    ),
    "wildcard": (lambda: select(Profile).options(selectinload("*")), 5),
    "wildcard, joined": (lambda: select(Profile).options(joinedload(Profile.user)), 1),
    "bound values": (
        lambda: (
            select(User)
            .where(User.id.in_([1, 2]))
            .options(selectinload(User.posts.and_(Post.stars.in_([3, 5]))))
        ),
        2,
    ),
    # expressions and classes
    "with_expression": (
        lambda: select(Invoice).options(with_expression(Invoice.extra, Invoice.net + 5)),
        1,
    ),
    "with_expression below": (
        lambda: select(InvoiceLine).options(
            joinedload(InvoiceLine.invoice).with_expression(Invoice.extra, literal(4))
        ),
        1,
    ),
    "with_expression and undefer": (
        lambda: select(Invoice).options(
            with_expression(Invoice.extra, literal(1)), undefer(Invoice.memo)
        ),
        1,
    ),
    "selectin_polymorphic": (
        lambda: select(Worker).options(selectin_polymorphic(Worker, [Driver, Cook])),
        3,
    ),
    "selectin_polymorphic, one": (
        lambda: select(Person).options(selectin_polymorphic(Person, [Engineer])),
        2,
    ),
    "selectin_polymorphic, joined classes": (
        lambda: select(Person).options(selectin_polymorphic(Person, [Engineer, Manager])),
        3,
    ),
    "selectin_polymorphic, none of them": (
        lambda: (
            select(Worker)
            .where(Worker.id == 1)
            .options(selectin_polymorphic(Worker, [Driver, Cook]))
        ),
        1,
    ),
    "selectin_polymorphic, an attribute of the parent under another column": (
        lambda: select(Machine).options(selectin_polymorphic(Machine, [Turbine])),
        3,
    ),
    "selectin_polymorphic, both, rows of one": (
        lambda: (
            select(Machine)
            .where(Machine.id == 3)
            .options(selectin_polymorphic(Machine, [Motor, Turbine]))
        ),
        3,
    ),
    "selectin_polymorphic, from the middle": (
        lambda: select(Motor).options(selectin_polymorphic(Motor, [Turbine])),
        2,
    ),
    "selectin_polymorphic below selectin": (
        lambda: select(MachinePart).options(
            selectinload(MachinePart.machine).selectin_polymorphic([Turbine])
        ),
        4,
    ),
    "selectin_polymorphic and selectin": (
        # what is loaded of the other classes depends on the order of rows in the ORM
        lambda: (
            select(Machine)
            .where(Machine.kind != "motor")
            .options(selectin_polymorphic(Machine, [Turbine]), selectinload(Machine.parts))
        ),
        4,
    ),
    "mapped selectin polymorphic": (lambda: select(Plant), 2),
    "mapped selectin polymorphic, three levels": (lambda: select(Letterbox), 3),
    # what the mapping asks for
    "mapped eager, all": (lambda: select(Hub), 5),
    "mapped eager, self-referential": (lambda: select(Node), 1),
    "mapped eager, part switched off": (
        lambda: select(Hub).options(
            lazyload(Hub.joined), lazyload(Hub.selectin), lazyload(Hub.immediate)
        ),
        3,
    ),
    "mapped eager, another way": (lambda: select(Hub).options(selectinload(Hub.joined)), 6),
    "mapped eager, switched off": (lambda: select(Hub).options(lazyload("*")), 1),
    "mapped eager, with a column": (lambda: select(Hub.name, Hub), 5),
    "mapped eager, limit": (lambda: select(Hub).order_by(Hub.id).limit(1), 5),
}


@pytest.mark.parametrize("name", CASES)
def test_case(oracle: Oracle, name: str) -> None:
    """The objects of the ORM session, and the number of statements that it takes."""
    make, count = CASES[name]
    for _ in range(2):
        oracle.compare(make(), read=unique_rows, ordered=False)
        assert oracle.executed == count
    oracle.compare(make(), ordered=False)


@pytest.mark.parametrize("depth", [1, 2, 3, -1])
def test_recursion_depth(oracle: Oracle, depth: int) -> None:
    for model, attribute in ((Member, Member.children), (Member, Member.parent)):
        option = selectinload(attribute, recursion_depth=depth)
        oracle.compare(select(model).where(model.name == "top").options(option))
        oracle.compare(select(model).where(model.name == "deep").options(option))


@pytest.mark.parametrize("loader", [selectinload, subqueryload, joinedload])
def test_immediateload_honours_what_it_is_told(oracle: Oracle, loader: Any) -> None:
    """The ORM's ignores criteria and types, and loads all; here it is as the others are."""
    some = User.posts.and_(Post.stars > 3)
    drivers = Team.workers.of_type(Driver)
    anybody = Team.workers.of_type(FlatWorker)
    for model, path in (
        (User, some),
        (Team, anybody),
        *([(Team, drivers)] * (loader is selectinload)),
    ):
        statement = select(model).order_by(model.id)
        oracle.compare(
            statement.options(immediateload(path)),
            orm=statement.options(loader(path)),
            read=unique_rows,
        )


def test_a_subclass_overrides_an_attribute_of_its_parent(oracle: Oracle) -> None:
    """Its own column it is, in whatever order rows and classes come.

    The ORM gives whichever of the two statements was the first for the rows that there are.
    """
    for classes in ([Motor, Turbine], [Turbine, Motor]):
        for order in (Machine.id, Machine.id.desc()):
            statement = select(Machine).options(selectin_polymorphic(Machine, classes))
            rows = oracle.rows(statement.order_by(order))
            found = {type(m).__name__: vars(m).get("memo") for (m,) in rows}
            assert found == {"Machine": None, "Motor": "o2", "Turbine": "t3"}


def test_more_keys_than_one_statement_takes(oracle: Oracle) -> None:
    """Keys go in chunks of five hundred, as the ORM's do."""
    rows = [{"id": key, "name": f"n{key}"} for key in range(1000, 2200)]
    posts = [{"id": key, "title": "t", "author_id": key} for key in range(1000, 2200, 3)]
    oracle.compare(
        select(User).where(User.id >= 1000).order_by(User.id).options(selectinload(User.posts)),
        before=[insert(User.__table__).values(rows), insert(Post.__table__).values(posts)],
    )
    assert oracle.executed == 4


def test_returning_with_options(oracle: Oracle) -> None:
    """What INSERT and UPDATE return can have its relationships loaded."""
    oracle.compare(
        update(User).values(age=1).returning(User).options(selectinload(User.posts)), ordered=False
    )
    oracle.compare(
        insert(Post).returning(Post).options(selectinload(Post.author)),
        [{"id": 50, "title": "x", "author_id": 1}, {"id": 51, "title": "y"}],
    )


def test_collection_classes(oracle: Oracle) -> None:
    """Collections have the class that the relationship declares."""

    def load(attribute: Any) -> Any:
        country = oracle.one(
            select(Country).where(Country.id == 1).options(selectinload(attribute))
        )
        return getattr(country, attribute.key)

    assert type(load(Country.cities)) is list
    assert type(load(Country.as_set)) is set
    assert isinstance(load(Country.by_name), dict)
    assert list(load(Country.by_name)) == ["a1", "a2", "a0"]
    shelf = load(Country.shelf)
    assert isinstance(shelf, Shelf)
    assert shelf.labels() == ["a1", "a2", "a0"]
    assert [city.name for city in load(Country.cities)] == ["a2", "a1", "a0"]


def test_collections_are_plain(oracle: Oracle) -> None:
    """Nobody tracks what is done to a loaded collection."""
    user = oracle.one(select(User).where(User.id == 1).options(selectinload(User.posts)))
    post = user.posts.pop()
    user.posts.append("anything")
    assert post.id == 2
    with pytest.raises(NotLoadedError, match=r"Post\.author"):
        post.author  # noqa: B018 - reading it is the test
    for made in (copy.deepcopy(user), pickle.loads(pickle.dumps(user))):
        assert made.posts[0].title == "first"
        assert made.posts[1] == "anything"


def test_association_proxies(oracle: Oracle) -> None:
    user = oracle.one(select(User).where(User.id == 1).options(selectinload(User.posts)))
    assert list(user.post_titles) == ["first", "second"]
    country = oracle.one(
        select(Country).where(Country.id == 1).options(selectinload(Country.cities))
    )
    assert list(country.city_names) == ["a2", "a1", "a0"]


def test_dataclasses_with_relationships(oracle: Oracle) -> None:
    statement = select(Album).order_by(Album.id).options(selectinload(Album.songs))
    first, silence = (row[0] for row in oracle.rows(statement))
    assert dataclasses.asdict(first) == {
        "id": 1,
        "title": "first",
        "songs": [
            {"id": 1, "title": "s1", "album_id": 1},
            {"id": 2, "title": "s2", "album_id": 1},
        ],
    }
    assert silence == Album(id=2, title="silence")
    assert "Song(id=1" in repr(first)
    bare = oracle.one(select(Album).where(Album.id == 1))
    assert "not loaded" in repr(bare)
    with pytest.raises(NotLoadedError, match=r"Album\.songs"):
        dataclasses.asdict(bare)


def test_each_path_has_its_own_objects(oracle: Oracle) -> None:
    """No identity map: an object that two paths reach is two, each with what its path loaded."""
    statement = select(User).where(User.id == 1).options(
        selectinload(User.posts).selectinload(Post.author)
    )  # fmt: skip
    user = oracle.one(statement)
    author = user.posts[0].author
    assert author is not user
    assert (author.id, author.name) == (user.id, user.name)
    with pytest.raises(NotLoadedError, match=r"User\.posts"):
        author.posts  # noqa: B018 - reading it is the test


def test_dynamic_and_write_only(oracle: Oracle) -> None:
    """What can't be loaded as an attribute says so on read."""
    hub = oracle.rows(select(Hub).where(Hub.id == 1).options(lazyload("*")))[0][0]
    for key in ("dynamic", "write_only"):
        with pytest.raises(NotLoadedError, match=rf"Hub\.{key}"):
            getattr(hub, key)


def test_composite_keys(oracle: Oracle) -> None:
    oracle.compare(
        select(PairChild, Pair).outerjoin(PairChild.pair).options(selectinload(PairChild.pair)),
        ordered=False,
    )
