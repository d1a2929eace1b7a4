"""link(), unlink(), relink(): rows of a table in between, next to the ORM's collections."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    String,
    Table,
    UniqueConstraint,
    and_,
    func,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, load_only, mapped_column, relationship
from sqlalchemy.orm.attributes import set_attribute

from naked_sqla import (
    AsyncSessionFactory,
    InvalidSessionState,
    InvalidStatement,
    Relinked,
    SessionFactory,
)
from naked_sqla.testing import count_statements

# ruff: noqa: PT012 - a savepoint is rolled back by what is raised in it


class Base(DeclarativeBase):
    pass


def between(name: str, *more: Any, key: bool = False, email: bool = False) -> Table:
    """Make a table between teams and users."""
    theirs: Any = (
        Column("email", ForeignKey("person.email"))
        if email
        else Column("user_id", ForeignKey("person.id"), primary_key=key)
    )
    own: Any = Column("team_id", ForeignKey("team.id"), primary_key=key)
    return Table(name, Base.metadata, own, theirs, *more)


member = between("member", Column("role", Integer, default=7), key=True)
# nothing says that a row is there once; it refers to a column that is no key
fan = between("fan", email=True)
# a function makes a value of each row
guest = between(
    "guest", Column("token", String, primary_key=True, default=lambda: uuid.uuid4().hex)
)
# a user captains one team
captain = between("captain", UniqueConstraint("user_id"), UniqueConstraint("team_id", "user_id"))


class Team(Base):
    __tablename__ = "team"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    owner: Mapped[User | None] = relationship()
    members: Mapped[list[User]] = relationship(secondary=member, back_populates="teams")
    fans: Mapped[list[User]] = relationship(secondary=fan)
    guests: Mapped[list[User]] = relationship(secondary=guest)
    captains: Mapped[list[User]] = relationship(secondary=captain)
    seen: Mapped[list[User]] = relationship(secondary=member, viewonly=True)
    chosen: Mapped[list[User]] = relationship(
        secondary=member,
        primaryjoin=lambda: and_(Team.id == member.c.team_id, member.c.role == 1),
        overlaps="members,teams",
    )
    projects: Mapped[list[Project]] = relationship()
    names: AssociationProxy[list[str]] = association_proxy("members", "name")


class User(Base):
    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str | None] = mapped_column(unique=True)
    teams: Mapped[list[Team]] = relationship(secondary=member, back_populates="members")


class Project(Base):
    __tablename__ = "project"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))


node_edge = Table(
    "edge",
    Base.metadata,
    Column("above", ForeignKey("node.id"), primary_key=True),
    Column("below", ForeignKey("node.id"), primary_key=True),
)


class Node(Base):
    __tablename__ = "node"

    id: Mapped[int] = mapped_column(primary_key=True)
    below: Mapped[list[Node]] = relationship(
        secondary=node_edge,
        primaryjoin=id == node_edge.c.above,
        secondaryjoin=id == node_edge.c.below,
        back_populates="above",
    )
    above: Mapped[list[Node]] = relationship(
        secondary=node_edge,
        primaryjoin=id == node_edge.c.below,
        secondaryjoin=id == node_edge.c.above,
        back_populates="below",
    )


room_tag = Table(
    "room_tag",
    Base.metadata,
    Column("house", Integer, primary_key=True),
    Column("room", Integer, primary_key=True),
    Column("tag", String, primary_key=True),
    ForeignKeyConstraint(["house", "room"], ["room.house", "room.number"]),
    ForeignKeyConstraint(["house", "tag"], ["tag.house", "tag.word"]),
)


class Room(Base):
    __tablename__ = "room"

    house: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    tags: Mapped[list[Tag]] = relationship(secondary=room_tag, viewonly=False)


class Tag(Base):
    __tablename__ = "tag"

    house: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(primary_key=True)


def rows() -> list[Any]:
    return [
        *(Team(id=i, name=f"team {i}") for i in (1, 2)),
        *(User(id=i, name=f"u{i}", email=f"u{i}@x") for i in range(1, 7)),
        *(Node(id=i) for i in range(1, 5)),
        Room(house=1, number=2),
        *(Tag(house=1, word=word) for word in ("big", "new")),
        Tag(house=2, word="old"),
    ]


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    await db.insert_all(rows())
    return db


async def stored(db: AsyncSessionFactory, table: Table, *columns: str) -> list[tuple[Any, ...]]:
    names = columns or [c.name for c in table.columns]
    return sorted(map(tuple, await db.all(select(*(table.c[name] for name in names)))))


async def test_links_are_stored_once(db: AsyncSessionFactory) -> None:
    team = await db.get_one(Team, 1)
    users = await db.all(select(User).order_by(User.id))
    async with db.begin() as session:
        with count_statements(db.engine) as sent:
            assert await session.link(team, Team.members, users[:2]) == 2
            assert await session.link(1, Team.members, [users[1], 3, {"id": 3}, (3,)]) == 1
            assert await session.link(User(id=6), User.teams, iter([team, 2])) == 2
        assert len(sent) == 3
    assert await stored(db, member) == [(1, 1, 7), (1, 2, 7), (1, 3, 7), (1, 6, 7), (2, 6, 7)]
    with count_statements(db.engine) as sent:
        assert await db.link(team, Team.members, []) == 0
        assert await db.unlink(team, Team.members, []) == 0
    assert len(sent) == 0
    with count_statements(db.engine) as sent:
        assert await db.unlink(team, Team.members, [users[0], 6, 5]) == 2
        assert await db.unlink(users[1], User.teams, [2]) == 0
    assert len(sent) == 2
    with count_statements(db.engine) as sent:
        assert await db.relink(1, Team.members, [3, 4, users[4], 4]) == Relinked(2, 1)
    assert len(sent) == 2
    assert await stored(db, member) == [(1, 3, 7), (1, 4, 7), (1, 5, 7), (2, 6, 7)]
    assert await db.relink(1, Team.members, [5, 4, 3]) == (0, 0)
    done = await db.relink(team, Team.members, [])
    assert (done.added, done.removed) == (0, 3)
    assert await stored(db, member) == [(2, 6, 7)]
    assert "members" not in vars(team)


async def test_the_orm_stores_the_same(db: AsyncSessionFactory) -> None:
    """The same changes of the same collections, by the ORM session."""
    pairs = [(1, [1, 2, 3]), (2, [3, 4]), (1, [2, 4]), (2, []), (1, [4, 5, 6])]
    for team_id, user_ids in pairs:
        async with AsyncSession(db.engine) as orm, orm.begin():
            team = await orm.get_one(Team, team_id)
            users = [await orm.get_one(User, user_id) for user_id in user_ids]
            await orm.run_sync(lambda _, t=team, u=users: set_attribute(t, "members", u))
        expected = await stored(db, member)
        await db.relink(team_id, Team.members, [])
        await db.relink(team_id, Team.members, user_ids)
        assert await stored(db, member) == expected


async def test_tables_without_a_constraint(db: AsyncSessionFactory, backend: str) -> None:
    """What is there is looked for: also twice there, with values of functions, or forbidden."""
    team = await db.get_one(Team, 1)
    users = await db.all(select(User).order_by(User.id))
    with count_statements(db.engine) as sent:
        assert await db.link(team, Team.fans, users[:3]) == 3
        assert await db.link(team, Team.fans, users[1:4]) == 1
    assert len(sent) == 2
    await db.execute(insert(fan), {"team_id": 1, "email": "u1@x"})
    assert await db.unlink(team, Team.fans, [users[0], users[1]]) == 3
    with count_statements(db.engine) as sent:
        assert await db.relink(team, Team.fans, [users[4], users[3]]) == Relinked(1, 1)
    assert len(sent) == (2 if backend == "sqlite" else 1)
    assert await stored(db, fan) == [(1, "u4@x"), (1, "u5@x")]
    with pytest.raises(InvalidStatement, match=r"User.email, which the primary key 1"):
        await db.link(team, Team.fans, [1])
    assert await db.link(team, Team.guests, [1, 2]) == 2
    assert await db.relink(team, Team.guests, [2, 3, 4]) == Relinked(2, 1)
    tokens = await db.all(select(guest.c.token))
    assert len(set(tokens)) == 3
    assert await db.link(1, Team.captains, [1]) == 1
    assert await db.link(1, Team.captains, [1]) == 0
    # another constraint than that of the pair is an error, not a link that is left out
    with pytest.raises(IntegrityError):
        await db.link(2, Team.captains, [1, 2])
    with pytest.raises(IntegrityError):
        await db.relink(2, Team.captains, [1])
    assert await stored(db, captain) == [(1, 1)]


async def test_itself_and_composite_keys(db: AsyncSessionFactory, backend: str) -> None:
    assert await db.link(1, Node.below, [2, 3]) == 2
    assert await db.link(2, Node.above, [1, 4]) == 1
    with count_statements(db.engine) as sent:
        assert await db.relink(3, Node.above, [4, 3]) == Relinked(2, 1)
    assert len(sent) == (2 if backend == "sqlite" else 1)
    assert await stored(db, node_edge) == [(1, 2), (3, 3), (4, 2), (4, 3)]
    room = await db.get_one(Room, (1, 2))
    assert await db.link(room, Room.tags, [(1, "big"), {"word": "new", "house": 1}]) == 2
    assert await db.link((1, 2), Room.tags, [(1, "big")]) == 0
    assert await db.relink((1, 2), Room.tags, [(1, "big")]) == Relinked(0, 1)
    assert await stored(db, room_tag) == [(1, 2, "big")]
    for method in (db.link, db.unlink, db.relink):
        with pytest.raises(InvalidStatement, match=r"room_tag.house would be 1 for the Room and 2"):
            await method(room, Room.tags, [(2, "old")])
    assert await db.unlink(room, Room.tags, [(1, "big"), (1, "new")]) == 1


async def test_many(db: AsyncSessionFactory) -> None:
    """Many links, over the bounds of one statement."""
    await db.insert_all([User(id=i, name="n", email=f"e{i}") for i in range(10, 1310)])
    users = await db.all(select(User).where(User.id >= 10).order_by(User.id))
    assert await db.link(1, Team.members, users[:1200]) == 1200
    assert await db.link(1, Team.fans, users[:600]) == 600
    assert await db.relink(1, Team.members, users[100:]) == Relinked(100, 100)
    assert await db.relink(1, Team.fans, users[50:700]) == Relinked(100, 50)
    assert await db.unlink(1, Team.members, users) == 1200
    assert await db.scalar(select(func.count()).select_from(fan)) == 650


async def test_refused_before_anything_is_sent(db: AsyncSessionFactory) -> None:
    team, loaded = Team(id=1), await db.get_one(User, 1)
    partly = await db.first(select(User).options(load_only(User.name)))
    wrong: list[tuple[Any, Any, Any, str]] = [
        (team, Team.owner, [1], r"not many-to-many.*update\(Team, key, owner_id=user.id\)"),
        (team, Team.projects, [1], r"not many-to-many.*update\(Project, key, team_id=team.id\)"),
        (team, Team.seen, [1], "Team.seen is viewonly.*that writes member"),
        (team, Team.chosen, [1], "joined by more than the foreign keys"),
        (team, Team.name, [1], "Team.name, which is not a relationship"),
        (team, "members", [1], "'members', which is not a relationship"),
        (team, Team.names, [1], "not a relationship"),
        (team, Team.members.and_(User.id > 1), [1], "Write Team.members"),
        (team, aliased(Team).members, [1], "Write Team.members"),
        (Team(name="new"), Team.members, [1], "a Team without id is not stored"),
        (team, Team.members, [User(name="new")], "a User without id is not stored"),
        (team, Team.members, [Project(id=1)], "a Project where a User belongs"),
        (loaded, Team.members, [1], "a User where a Team belongs"),
        (team, Team.fans, [partly], "User.email of an object is not loaded"),
        (team, Team.members, loaded, "takes an iterable of objects"),
        (team, Team.members, "12", "takes an iterable of objects"),
    ]
    with count_statements(db.engine) as sent:
        for obj, attribute, objs, message in wrong:
            for method in (db.link, db.unlink, db.relink):
                with pytest.raises(InvalidStatement, match=message) as told:
                    await method(obj, attribute, objs)
                assert str(told.value).startswith(f"{method.__name__}(")
        for key in (None, (1, 2), {"name": "x"}):
            with pytest.raises(InvalidRequestError, match=r"^link\(Team, "):
                await db.link(key, Team.members, [1])
            with pytest.raises(InvalidRequestError, match=r"^link\(User, "):
                await db.link(1, Team.members, [key])
    assert len(sent) == 0
    assert await stored(db, member) == []


async def test_the_transaction(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.link(1, Team.members, [1])
        await session.rollback()
    with pytest.raises(InvalidSessionState, match=r"^link\(\) on a closed session"):
        await session.link(1, Team.members, [1])
    assert await stored(db, member) == []
    async with db.read() as reading:
        with pytest.raises(InvalidSessionState, match="link"):
            await reading.link(1, Team.members, [1])
    async with db.begin() as session:
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await session.link(1, Team.members, [99])
                if db.engine.dialect.name == "sqlite":
                    raise IntegrityError("", {}, Exception())
        await session.link(1, Team.members, [2], execution_options={"mine": 1})
    assert await stored(db, member) == [(1, 2, 7)]


def test_sync(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    db.insert_all(rows())
    with db.begin() as session:
        assert session.link(1, Team.members, [1, 2]) == 2
        assert session.unlink(1, Team.members, [1]) == 1
        assert session.relink(1, Team.members, [3]) == Relinked(1, 1)
    assert db.link(1, Team.members, [3, 4]) == 1
    assert db.all(select(member.c.user_id).order_by(member.c.user_id)) == [3, 4]
