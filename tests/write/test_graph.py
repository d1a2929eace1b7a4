"""insert(obj, Team.projects, ...): objects with their relationships, next to the unit of work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    Integer,
    Table,
    delete,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    WriteOnlyMapped,
    attribute_keyed_dict,
    mapped_column,
    relationship,
)

from naked_sqla import AsyncSessionFactory, InvalidStatement, NotLoadedError, SessionFactory, to_orm
from naked_sqla.testing import count_statements


class Base(DeclarativeBase):
    pass


member = Table(
    "g_member",
    Base.metadata,
    Column("team_id", ForeignKey("g_team.id"), primary_key=True),
    Column("user_id", ForeignKey("g_user.id"), primary_key=True),
    Column("role", Integer, default=7),
)


class User(Base):
    __tablename__ = "g_user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    teams: Mapped[set[Team]] = relationship(secondary=member, back_populates="members")


class Team(Base):
    __tablename__ = "g_team"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("g_user.id"))
    owner: Mapped[User | None] = relationship()
    members: Mapped[list[User]] = relationship(secondary=member, back_populates="teams")
    projects: Mapped[list[Project]] = relationship(back_populates="team")
    badge: Mapped[Badge | None] = relationship()
    seen: Mapped[list[Project]] = relationship(viewonly=True)
    log: WriteOnlyMapped[Entry] = relationship()


class Badge(Base):
    """Its key is its foreign key."""

    __tablename__ = "g_badge"

    team_id: Mapped[int] = mapped_column(ForeignKey("g_team.id"), primary_key=True)
    color: Mapped[str] = mapped_column(default="red")


class Entry(Base):
    __tablename__ = "g_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("g_team.id"))
    line: Mapped[str]


class Project(Base):
    __tablename__ = "g_project"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    kind: Mapped[str] = mapped_column(default="project")
    version: Mapped[int] = mapped_column()
    team_id: Mapped[int | None] = mapped_column(ForeignKey("g_team.id"))
    team: Mapped[Team | None] = relationship(back_populates="projects")
    tasks: Mapped[dict[str, Task]] = relationship(
        collection_class=attribute_keyed_dict("title"), back_populates="project"
    )
    __mapper_args__ = {
        "polymorphic_on": "kind",
        "polymorphic_identity": "project",
        "version_id_col": version,
    }


class Venture(Project):
    """A subclass with a table of its own."""

    __tablename__ = "g_venture"

    id: Mapped[int] = mapped_column(ForeignKey("g_project.id"), primary_key=True)
    risk: Mapped[int] = mapped_column(default=3)
    __mapper_args__ = {"polymorphic_identity": "venture"}


class Task(Base):
    __tablename__ = "g_task"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    project_id: Mapped[int] = mapped_column(ForeignKey("g_project.id"))
    project: Mapped[Project] = relationship(back_populates="tasks")


class Node(MappedAsDataclass, Base, kw_only=True):
    __tablename__ = "g_node"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    name: Mapped[str]
    size: Mapped[int] = mapped_column(default=4)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("g_node.id"), init=False)
    children: Mapped[list[Node]] = relationship(default_factory=list, back_populates="parent")
    parent: Mapped[Node | None] = relationship(
        remote_side="Node.id", default=None, repr=False, back_populates="children"
    )


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(text("INSERT INTO g_user (id, name) VALUES (1000, 'old')"))
    return AsyncSessionFactory(engine)


# ---------------------------------------------------------------- next to the unit of work


async def contents(conn: Any) -> dict[str, Any]:
    """Give what is stored, with names in place of generated keys."""
    found = {}
    for name, sql in {
        "teams": "SELECT t.name, u.name FROM g_team t LEFT JOIN g_user u ON u.id = t.owner_id",
        "users": "SELECT name FROM g_user",
        "members": "SELECT t.name, u.name, m.role FROM g_member m JOIN g_team t ON t.id = m.team_id"
        " JOIN g_user u ON u.id = m.user_id",
        "projects": "SELECT p.title, p.kind, p.version, t.name, v.risk FROM g_project p"
        " LEFT JOIN g_team t ON t.id = p.team_id LEFT JOIN g_venture v ON v.id = p.id",
        "tasks": "SELECT k.title, p.title FROM g_task k JOIN g_project p ON p.id = k.project_id",
        "badges": "SELECT b.color, t.name FROM g_badge b JOIN g_team t ON t.id = b.team_id",
        "entries": "SELECT e.line, t.name FROM g_entry e JOIN g_team t ON t.id = e.team_id",
        "nodes": "SELECT n.name, n.size, p.name FROM g_node n LEFT JOIN g_node p"
        " ON p.id = n.parent_id",
    }.items():
        found[name] = sorted(map(repr, map(tuple, await conn.execute(text(sql)))))
    return found


def a_team(old: Any) -> list[Any]:
    ann, bob = User(name="ann"), User(name="bob")
    team = Team(name="red", owner=ann, members=[ann, bob, old])
    team.badge = Badge(color="blue")
    one = Project(title="one", tasks={"a": Task(title="a"), "b": Task(title="b")})
    team.projects = [one, Venture(title="two"), Venture(title="three", risk=9)]
    Task(title="c", project=team.projects[1])
    team.log.add_all([Entry(line="x"), Entry(line="y")])
    return [team]


def teams_without(old: Any) -> list[Any]:
    green = Team(name="green", id=7, members=[old])
    Project(title="p", team=green)
    return [green, Team(name="blue", projects=[Project(title="q")], members=[User(name="u")])]


def both_sides(old: Any) -> list[Any]:
    ann = User(name="ann")
    red, blue = Team(name="red"), Team(name="blue")
    ann.teams = {red, blue}
    red.members.append(User(name="eve"))
    return [red]


def from_below(old: Any) -> list[Any]:
    team = Team(name="red", owner=User(name="ann"))
    return [Project(title=f"p{i}", team=team, tasks={"a": Task(title="a")}) for i in range(3)]


def a_tree(old: Any) -> list[Any]:
    return [
        Node(name="root", children=[Node(name="l", children=[Node(name="ll")]), Node(name="r")]),
        Node(name="lone"),
    ]


def a_chain(old: Any) -> list[Any]:
    below = Node(name="0")
    for i in range(1, 5):
        below = Node(name=str(i), parent=below)
    return [below]


# What is constructed, the relationships that are named, and how many statements it takes.
CASES: dict[str, tuple[Callable[[Any], list[Any]], list[Any], int | None]] = {
    "a team": (
        a_team,
        [Team.owner, Team.members, Team.badge, Team.projects, Project.tasks, Team.log],
        None,
    ),
    "teams": (teams_without, [Team.members, Team.projects], None),
    "both sides": (both_sides, [Team.members, User.teams], 3),
    "one side": (both_sides, [User.teams, Team.members], 3),
    "from below": (from_below, [Project.team, Team.owner, Project.tasks], None),
    "a tree": (a_tree, [Node.children], 3),
    "a chain": (a_chain, [Node.parent], 5),
}


@pytest.mark.parametrize("case", CASES)
async def test_the_unit_of_work_stores_the_same(
    db: AsyncSessionFactory, case: str, backend: str
) -> None:
    make, named, count = CASES[case]
    async with AsyncSession(db.engine) as orm:
        old = await orm.get(User, 1000)
        orm.add_all(make(old))
        await orm.flush()
        expected = await contents(orm)
        await orm.rollback()
    objs = make(to_orm(await db.get_one(User, 1000)))
    async with db.begin() as session:
        with count_statements(db.engine) as sent:
            stored = await session.insert_all(objs, *named)
        assert await contents(session.conn) == expected
        if count is not None:
            assert len(sent) == count
        assert [type(obj).__name__ for obj in stored] == [type(obj).__name__ for obj in objs]
        # what was constructed stays as it is
        assert {obj.id for obj in objs} <= {None, 7}
        await session.rollback()


async def test_what_is_given_back(db: AsyncSessionFactory) -> None:
    old = to_orm(await db.get_one(User, 1000))
    team = a_team(old)[0]
    named = [Team.owner, Team.members, Team.badge, Team.projects, Project.tasks]
    with pytest.raises(InvalidStatement, match=r"Team.log has 2 objects.*Or name it"):
        await db.insert(team, *named)
    with count_statements(db.engine) as sent:
        stored = await db.insert(team, *named, Team.log)
    assert stored.__class__ is Team
    assert stored.owner is stored.members[0]
    assert [user.name for user in stored.members] == ["ann", "bob", "old"]
    assert stored.members[2] is old
    assert [type(p).__name__ for p in stored.projects] == ["Project", "Venture", "Venture"]
    assert {t.project_id for t in stored.projects[0].tasks.values()} == {stored.projects[0].id}
    assert list(stored.projects[0].tasks) == ["a", "b"]
    assert stored.projects[2].tasks == {}
    assert stored.badge.team_id == stored.id
    with pytest.raises(NotLoadedError):
        print(stored.projects[0].team)
    written = [one.sql.split()[2] for one in sent if one.sql.startswith("INSERT")]
    assert list(dict.fromkeys(written))[:3] == ["g_user", "g_team", "g_badge"]
    assert written[-1] == "g_member"
    # two classes of projects; ventures with a risk, and without one
    assert {name: written.count(name) for name in written if written.count(name) > 1} == {
        "g_project": 2,
        "g_venture": 2,
    }
    assert team.id is None
    assert team.projects[0].team_id is None
    one = await db.insert(Team(name="x"), Team.members, Team.owner, Team.projects)
    assert (one.members, one.owner, one.projects) == ([], None, [])


async def test_parts_of_a_batch(db: AsyncSessionFactory) -> None:
    teams = [Team(name=f"t{i}", projects=[Project(title=f"{i}")]) for i in range(5)]
    stored = await db.insert_all(teams, Team.projects, batch_size=2)
    assert [team.projects[0].title for team in stored] == ["0", "1", "2", "3", "4"]
    assert [team.projects[0].team_id for team in stored] == [team.id for team in stored]
    assert await db.insert_all([], Team.projects) == []
    with pytest.raises(InvalidStatement, match="batch_size=0"):
        await db.insert_all(teams, Team.projects, batch_size=0)


# ---------------------------------------------------------------- what is refused


def in_a_circle() -> Node:
    node = Node(name="a")
    node.parent = Node(name="b", parent=node)
    return node


def two_owners() -> Team:
    project = Project(title="p")
    team = Team(name="a", projects=[project])
    vars(project)["team"] = Team(name="b")
    return team


async def test_refused_before_anything_is_sent(db: AsyncSessionFactory) -> None:
    old = await db.get_one(User, 1000)
    loaded = await db.insert(Project(title="p"))
    wrong: list[tuple[Any, list[Any], str]] = [
        (Team(name="a"), [Team.name], r"Team\.name, which is not a relationship"),
        (Team(name="a"), ["projects"], "'projects', which is not a relationship"),
        (Team(name="a"), [(Team.projects, Project.tasks)], "which is not a relationship"),
        (Team(name="a"), [Team.seen], "viewonly"),
        (Team(name="a"), [Project.tasks], r"Project\.tasks is named, and nothing leads"),
        (Team(name="a"), [Team.projects.of_type(Venture)], r"Write Team\.projects"),
        (old, [User.teams], "a User that was loaded"),
        ({"name": "a"}, [Team.projects], "not a dict that is none"),
        (Team(name="a", projects=[Project(title="p", team_id=3)]), [Team.projects], "team_id is 3"),
        (Team(name="a", id=4, projects=[Project(title="p", team_id=3)]), [Team.projects], "3"),
        (two_owners(), [Team.projects], "refers to another"),
        (in_a_circle(), [Node.parent], "in a circle"),
        (Team(name="a", projects=[Project(title="p", tasks={"a": Task(title="a")})]),
         [Team.projects], r"Project\.tasks has an object.*Or name it.*Project\.tasks"),
        (Team(name="a", owner=User(name="b")), [Team.members], r"Team\.owner is a User without id"),
    ]  # fmt: skip
    team = Team(name="a")
    team.__dict__["projects"] = [loaded]
    wrong.append((team, [Team.projects], r"a Project that is stored already.*team_id=\.\.\."))
    team = Team(name="a")
    team.__dict__["projects"] = [Task(title="t")]
    wrong.append((team, [Team.projects], "has a Task, and not a Project"))
    with count_statements(db.engine) as sent:
        for obj, named, message in wrong:
            with pytest.raises(InvalidStatement, match=message):
                await db.insert(obj, *named)
            with pytest.raises(InvalidStatement, match=message):
                await db.insert_all([obj], *named)
        with pytest.raises(InvalidStatement, match="model=Team"):
            await db.insert(Team(name="a"), Team.projects, model=Team)  # type: ignore[call-overload]
    assert len(sent) == 0


async def test_all_or_nothing(db: AsyncSessionFactory) -> None:
    team = Team(name="a", projects=[Project(title="p", id=5), Project(title="q", id=5)])
    with pytest.raises(IntegrityError):
        await db.insert(team, Team.projects)
    assert await db.count(select(Team)) == 0


def test_sync(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)
    db = SessionFactory(sync_engine)
    with db.begin() as session:
        team = session.insert(
            Team(name="a", projects=[Project(title="p")], members=[User(name="b")]),
            Team.projects,
            Team.members,
        )
        assert team.projects[0].team_id == team.id
        (stored,) = session.insert_all([Node(name="a", children=[Node(name="b")])], Node.children)
        assert stored.children[0].parent_id == stored.id
    db.execute(delete(member))
