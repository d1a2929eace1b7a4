"""``==``, ``<``, ``hash()`` and ``repr()`` of objects that are not wholly loaded.

What dataclasses, attrs and pydantic write for a class goes by the loaded attributes; what somebody
wrote by hand stays as it is.
"""

from __future__ import annotations

import copy
import dataclasses
import operator
import pickle
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from sqlalchemy import Column, ForeignKey, Integer, String, Table, create_engine, insert, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    Session,
    defer,
    load_only,
    mapped_column,
    registry,
    relationship,
    selectinload,
)

from naked_sqla import NotLoadedError, SessionFactory

from ..models.sqlmodels import Hero, SQLModelBase
from ..models.sqlmodels import Team as Band

Loads = tuple[Any, ...]


class DataBase(MappedAsDataclass, DeclarativeBase):
    pass


class Team(DataBase, order=True, unsafe_hash=True):
    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    motto: Mapped[str | None] = mapped_column(default=None, compare=False)
    players: Mapped[list[Player]] = relationship(
        default_factory=list, back_populates="team", order_by="Player.id"
    )


class Player(DataBase):
    __tablename__ = "players"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"), default=None)
    team: Mapped[Team | None] = relationship(default=None, back_populates="players", compare=False)


class Blind(DataBase):
    """Its key is not compared."""

    __tablename__ = "blind"

    id: Mapped[int] = mapped_column(primary_key=True, compare=False)
    name: Mapped[str | None] = mapped_column(default=None)


class Own(DataBase):
    """Compared and shown as somebody wrote it."""

    __tablename__ = "own"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(default=None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and (other.id, other.name) == (self.id, self.name)

    def __hash__(self) -> int:
        return hash((self.id, self.name))

    def __repr__(self) -> str:
        return f"<own {self.name}>"


class Inheriting(Own, init=False):
    """A dataclass too, whose ``==`` is written anew by dataclasses."""

    __tablename__ = "inheriting"

    id: Mapped[int] = mapped_column(ForeignKey("own.id"), primary_key=True)
    extra: Mapped[str | None] = mapped_column(default=None)


imperative = registry()


@dataclasses.dataclass(frozen=True, order=True)
class Frozen:
    id: int
    name: str | None = None
    nodes: list[Any] = dataclasses.field(default_factory=list)


@attrs.define(slots=False, order=True, unsafe_hash=True)
class Node:
    """An attrs class: its names compare without regard to case."""

    id: int
    name: str = attrs.field(default="", eq=str.lower, repr=str.upper)
    note: str | None = attrs.field(default=None, eq=False, repr=False)
    frozen_id: int | None = attrs.field(default=None, hash=False)
    frozen: Frozen | None = attrs.field(default=None, hash=False)


@attrs.define(slots=False, eq=False, repr=False)
class Same:
    """An attrs class that leaves ``==`` and ``repr()`` as they are."""

    id: int
    name: str | None = None


def columns(*more: Any) -> list[Any]:
    return [Column("id", Integer, primary_key=True), Column("name", String(30)), *more]


imperative.map_imperatively(
    Frozen,
    Table("frozen", imperative.metadata, *columns()),
    properties={"nodes": relationship(Node, back_populates="frozen")},
)
imperative.map_imperatively(
    Node,
    Table(
        "nodes",
        imperative.metadata,
        *columns(Column("note", String(30)), Column("frozen_id", ForeignKey("frozen.id"))),
    ),
    properties={"frozen": relationship(Frozen, back_populates="nodes")},
)
imperative.map_imperatively(Same, Table("same", imperative.metadata, *columns()))


ROWS: tuple[tuple[Any, list[dict[str, Any]]], ...] = (
    (Team, [{"id": 1, "name": "a", "motto": "m"}, {"id": 2, "name": "b", "motto": "n"}]),
    (Player, [{"id": n, "name": f"p{n}", "team_id": 1} for n in (1, 2)]),
    (Blind, [{"id": 1, "name": "same"}, {"id": 2, "name": "same"}]),
    (Own, [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]),
    (Frozen, [{"id": 1, "name": "f"}, {"id": 2, "name": "g"}]),
    (Node, [{"id": n, "name": "Node", "note": str(n), "frozen_id": 1} for n in (1, 2)]),
    (Same, [{"id": 1, "name": "s"}]),
    (Band, [{"id": 1, "name": "band"}]),
    (Hero, [{"id": n, "name": f"h{n}", "age": n, "team_id": 1} for n in (1, 2)]),
)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionFactory]:
    """On SQLite: what an object is does not depend on where it came from."""
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('compared') / 'test.sqlite'}")
    for metadata in (DataBase.metadata, imperative.metadata, SQLModelBase.metadata):
        metadata.create_all(engine)
    with engine.begin() as conn:
        for model, rows in ROWS:
            conn.execute(insert(model.__table__), rows)
        conn.execute(insert(Inheriting.__table__), [{"id": 1, "extra": "x"}])
    yield SessionFactory(engine)
    engine.dispose()


def load(db: SessionFactory, model: Any, *options: Any) -> list[Any]:
    """The objects of a model in the order of their keys, loaded anew for each call."""
    with db.begin() as session:
        return list(session.scalars(select(model).options(*options).order_by(model.id)).all())


MODELS = (Team, Player, Blind, Frozen, Node, Hero)
TEAM_WITH_PLAYERS = (selectinload(Team.players),)

# a model and two ways to load it, of which one gives less
DIFFERENT: tuple[tuple[Any, Loads, Loads, str], ...] = (
    (Team, (), TEAM_WITH_PLAYERS, "Team.players"),
    (Team, (defer(Team.name),), (), "Team.name"),
    (Team, (defer(Team.name),), TEAM_WITH_PLAYERS, "Team.name"),
    (Player, (defer(Player.team_id),), (), "Player.team_id"),
    (Blind, (load_only(Blind.id),), (), "Blind.name"),
    (Frozen, (), (selectinload(Frozen.nodes),), "Frozen.nodes"),  # type: ignore[arg-type]
    (Node, (), (selectinload(Node.frozen),), "Node.frozen"),  # type: ignore[arg-type]
    (Hero, (load_only(Hero.name),), (), "Hero.age"),  # type: ignore[arg-type]
)


@pytest.mark.parametrize("model", MODELS)
def test_two_loads_of_a_row_are_equal(db: SessionFactory, model: Any) -> None:
    """Relationships are not loaded, on both sides."""
    ours, again = load(db, model), load(db, model)
    assert ours == again
    assert not ours != again  # noqa: SIM202 - != has a method of its own
    if model is not Blind:
        assert ours[0] != again[1]
        assert ours[1] in again
        assert again.index(ours[1]) == 1
    assert ours[0] != "something else"
    assert ours[0] is not None
    assert ours[0] != object()


@pytest.mark.parametrize("options", [TEAM_WITH_PLAYERS, (defer(Team.name),), (load_only(Team.id),)])
def test_two_loads_alike_are_equal(db: SessionFactory, options: Loads) -> None:
    ours, again = load(db, Team, *options), load(db, Team, *options)
    assert ours == again
    assert ours[0] != again[1]
    assert (ours[0] < again[1], ours[0] < again[0], ours[0] <= again[0]) == (True, False, True)
    assert (ours[1] > again[0], ours[1] >= again[1]) == (True, True)


@pytest.mark.parametrize(("model", "less", "more", "named"), DIFFERENT)
def test_unlike_loads_are_an_error(
    db: SessionFactory, model: Any, less: Loads, more: Loads, named: str
) -> None:
    """Whatever the other attributes say, and in both directions."""
    fewer, all_of_it = load(db, model, *less), load(db, model, *more)
    for one, other in ((fewer, all_of_it), (all_of_it, fewer)):
        for index in (0, 1):
            for compare in (operator.eq, operator.ne):
                with pytest.raises(NotLoadedError, match=named) as raised:
                    compare(one[0], other[index])
                assert "one of the two" in str(raised.value)
    if model not in (Player, Blind, Hero):
        for compare in (operator.lt, operator.le, operator.gt, operator.ge):
            with pytest.raises(NotLoadedError, match=named):
                compare(fewer[0], all_of_it[1])
            with pytest.raises(NotLoadedError, match=named):
                compare(all_of_it[0], fewer[1])


def test_constructed(db: SessionFactory) -> None:
    """A constructed object has its relationships; one that was loaded without them has not."""
    made = Team(id=1, name="a", players=[])
    loaded = load(db, Team)[0]
    for one, other in ((made, loaded), (loaded, made)):
        with pytest.raises(NotLoadedError, match=r"Team\.players"):
            operator.eq(one, other)
        with pytest.raises(NotLoadedError, match=r"Team\.players"):
            operator.lt(one, other)
    with_players = load(db, Team, selectinload(Team.players))
    assert with_players[1] == Team(id=2, name="b")
    assert Team(id=2, name="b", motto="is not compared") == with_players[1]
    assert with_players[1] != Team(id=3, name="b")
    assert Team(id=3, name="b") > with_players[1]
    same = load(db, Player)[0]
    assert same == Player(id=1, name="p1", team_id=1)
    assert Player(id=1, name="p1", team_id=1) == same
    assert Player(id=1, name="p1", team_id=1) in load(db, Player)


def test_an_instance_of_the_orm(db: SessionFactory) -> None:
    """What neither has loaded is not compared, and is not loaded for it."""
    with Session(db.engine) as session:
        theirs = session.scalars(select(Team).order_by(Team.id)).all()
        session.expunge_all()
    ours = load(db, Team)
    assert ours == list(theirs)
    assert list(theirs) == ours
    assert ours[0] < theirs[1]
    assert theirs[0] < ours[1]
    assert theirs[1] not in ours[:1]


def test_what_was_set_is_loaded(db: SessionFactory) -> None:
    """An assigned attribute, one by preload() and one by the statement are alike."""
    first, assigned = load(db, Team)[1], load(db, Team)[1]
    assigned.players = []
    with pytest.raises(NotLoadedError, match=r"Team\.players"):
        operator.eq(first, assigned)
    with db.begin() as session:
        session.preload(first, Team.players)
    assert first == assigned == load(db, Team, selectinload(Team.players))[1]
    assert first == Team(id=2, name="b")
    assigned.players = [Player(id=1, name="p")]
    assert first != assigned
    assert first < assigned


def test_hash(db: SessionFactory) -> None:
    """It goes by what is loaded, as == does."""
    ours, again = load(db, Team), load(db, Team)
    assert list(map(hash, ours)) == list(map(hash, again))
    assert len({*ours, *again}) == 2
    assert {team: team.id for team in ours}[again[1]] == 2
    nodes, more = load(db, Node), load(db, Node)
    assert len({*nodes, *more}) == 2
    assert hash(nodes[0]) == hash(Node(1, "NODE", "other", 7, None))
    frozen = load(db, Frozen)
    assert len({*frozen, *load(db, Frozen)}) == 2
    # a list has no hash, loaded or constructed
    for whole in (*load(db, Team, *TEAM_WITH_PLAYERS), Team(id=1, name="a")):
        with pytest.raises(TypeError, match="unhashable"):
            hash(whole)
    for players in (load(db, Player), [Player(1, "p")]):
        with pytest.raises(TypeError, match="unhashable"):
            hash(players[0])
    with pytest.raises(NotLoadedError, match=r"Own\.name"):
        hash(load(db, Own, load_only(Own.id))[0])


def test_nothing_to_compare(db: SessionFactory) -> None:
    """Two objects without a single attribute to compare are not said to be equal."""
    ours, again = load(db, Blind, load_only(Blind.id)), load(db, Blind, load_only(Blind.id))
    with pytest.raises(NotLoadedError, match=r"Blind\.name"):
        operator.eq(ours[0], again[1])


def test_attrs(db: SessionFactory) -> None:
    ours = load(db, Node)
    with pytest.raises(NotLoadedError, match=r"Node\.frozen"):
        operator.eq(ours[0], Node(1, "node", None, 1, None))
    ours[0].frozen = None
    assert ours[0] == Node(1, "node", "is not compared", 1, None)
    assert Node(1, "nODE", "is not compared", 1, None) == ours[0]
    assert ours[0] != Node(2, "node", None, 1, None)
    assert load(db, Node)[0] < load(db, Node)[1]
    bare = load(db, Node, load_only(Node.id))  # type: ignore[arg-type]
    assert bare == load(db, Node, load_only(Node.id))  # type: ignore[arg-type]
    same = load(db, Same, load_only(Same.id))  # type: ignore[arg-type]
    assert same[0] == same[0]
    assert same != load(db, Same, load_only(Same.id))  # type: ignore[arg-type]


def test_written_by_hand(db: SessionFactory) -> None:
    """It reads what it reads."""
    assert load(db, Own) == load(db, Own)
    bare = load(db, Own, load_only(Own.id))
    with pytest.raises(NotLoadedError, match=r"Own\.name is not loaded"):
        operator.eq(bare[0], load(db, Own)[0])
    with pytest.raises(NotLoadedError, match=r"Own\.name is not loaded"):
        repr(bare[0])
    less = (load_only(Inheriting.extra),)
    assert load(db, Inheriting, *less) == load(db, Inheriting, *less)


def test_another_class(db: SessionFactory) -> None:
    """Objects of two classes differ, without a look at their attributes."""
    assert load(db, Team)[0] != load(db, Player)[0]
    assert load(db, Team)[0] not in load(db, Player)
    with pytest.raises(TypeError, match="'<' not supported"):
        operator.lt(load(db, Team)[0], load(db, Frozen)[0])


def test_sqlmodel(db: SessionFactory) -> None:
    """pydantic compares fields; one that was not loaded is not 'different'."""
    name = (load_only(Hero.name),)  # type: ignore[arg-type]
    assert load(db, Hero) == load(db, Hero)
    assert load(db, Hero, *name) == load(db, Hero, *name)
    assert load(db, Hero)[0] == Hero(id=1, name="h1", age=1, team_id=1)
    assert Hero(id=1, name="h1", age=1, team_id=1) == load(db, Hero)[0]
    assert load(db, Hero)[0] != Hero(id=1, name="h1", age=2, team_id=1)
    # a relationship is no field
    assert load(db, Hero, selectinload(Hero.team)) == load(db, Hero)  # type: ignore[arg-type]
    for one, other in ((load(db, Hero, *name)[0], Hero(id=1, name="h1")),) * 2:
        for left, right in ((one, other), (other, one)):
            with pytest.raises(NotLoadedError, match=r"Hero\.age"):
                operator.eq(left, right)


@pytest.mark.parametrize("model", MODELS)
def test_copies_are_equal(db: SessionFactory, model: Any) -> None:
    first = load(db, model)[0]
    for made in (copy.copy(first), copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        assert made == first
        assert repr(made) == repr(first)


def test_repr(db: SessionFactory) -> None:
    """What is not loaded is shown as that."""
    assert repr(load(db, Team)[0]) == "Team(id=1, name='a', motto='m', players=<not loaded>)"
    assert repr(load(db, Node)[0]) == "Node(id=1, name=NODE, frozen_id=1, frozen=<not loaded>)"
    bare = load(db, Node, load_only(Node.id))[0]  # type: ignore[arg-type]
    assert repr(bare) == (
        "Node(id=1, name=<not loaded>, frozen_id=<not loaded>, frozen=<not loaded>)"
    )
    bare.frozen = bare
    assert repr(bare).endswith("frozen=...)")
    assert repr(load(db, Hero, load_only(Hero.name))[0]) == "Hero(id=1, name='h1')"  # type: ignore[arg-type]
    assert repr(load(db, Same, load_only(Same.id))[0]).startswith("<")  # type: ignore[arg-type]
