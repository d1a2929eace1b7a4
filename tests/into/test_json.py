"""Rows as JSON: equal to what pydantic and msgspec write of objects built from the ORM's."""

import datetime
import decimal
import enum
import json
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import attrs
import fastapi
import msgspec
import pydantic
import pytest
from fastapi.responses import StreamingResponse
from sqlalchemy import (
    JSON,
    URL,
    Column,
    Date,
    DateTime,
    Enum,
    ForeignKey,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Table,
    Text,
    Uuid,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    literal_column,
    select,
    text,
    union_all,
)
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import AsyncSession as OrmSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    attribute_keyed_dict,
    joinedload,
    load_only,
    mapped_column,
    relationship,
    selectinload,
    with_loader_criteria,
)
from typing_extensions import TypedDict

from naked_sqla import AsyncSessionFactory, SessionFactory
from naked_sqla.exception import InvalidSessionState, RowMismatch, UnsupportedOption
from naked_sqla.into import encoding

from ..ext._server import serving


class Base(DeclarativeBase):
    pass


class Mood(enum.Enum):
    FINE = "fine"
    SAD = "sad"


class Team(Base):
    __tablename__ = "json_team"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    motto: Mapped[str | None]
    members: Mapped[list["Member"]] = relationship(order_by="Member.id")
    by_name: Mapped[dict[str, "Member"]] = relationship(
        collection_class=attribute_keyed_dict("name"), order_by="Member.id", viewonly=True
    )


class Member(Base):
    __tablename__ = "json_member"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("json_team.id"), index=True)
    name: Mapped[str]
    team: Mapped[Team | None] = relationship(viewonly=True)
    roles: Mapped[list["Role"]] = relationship(secondary=lambda: member_role, order_by="Role.id")
    friends: Mapped[list["Member"]] = relationship(
        secondary=lambda: friends,
        primaryjoin=lambda: Member.id == friends.c.one,
        secondaryjoin=lambda: Member.id == friends.c.other,
        order_by="Member.name.desc()",
    )


class Role(Base):
    __tablename__ = "json_role"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    since: Mapped[datetime.datetime | None]


member_role = Table(
    "json_member_role",
    Base.metadata,
    Column("member_id", ForeignKey("json_member.id"), primary_key=True),
    Column("role_id", ForeignKey("json_role.id"), primary_key=True),
)
friends = Table(
    "json_friends",
    Base.metadata,
    Column("one", ForeignKey("json_member.id"), primary_key=True),
    Column("other", ForeignKey("json_member.id"), primary_key=True),
)


class Typed(Base):
    __tablename__ = "json_typed"

    id: Mapped[int] = mapped_column(primary_key=True)
    flag: Mapped[bool | None]
    number: Mapped[float | None]
    price: Mapped[decimal.Decimal | None] = mapped_column(Numeric(12, 3))
    day: Mapped[datetime.date | None]
    moment: Mapped[datetime.datetime | None]
    hour: Mapped[datetime.time | None]
    uid: Mapped[uuid.UUID | None]
    mood: Mapped[Mood | None] = mapped_column(Enum(Mood, native_enum=False))
    extra: Mapped[Any] = mapped_column(JSON)
    word: Mapped[str | None]


class Raw(Base):
    __tablename__ = "json_raw"

    id: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


TYPED: list[dict[str, Any]] = [
    {
        "id": 1,
        "flag": True,
        "number": 1.5,
        "price": decimal.Decimal("12.340"),
        "day": datetime.date(2026, 2, 28),
        "moment": datetime.datetime(2026, 2, 28, 12, 30, 5),
        "hour": datetime.time(23, 59, 59),
        "uid": uuid.UUID(int=2**127),
        "mood": Mood.SAD,
        "extra": {"a": [1, None, "x"]},
        "word": 'a "quoted" \\ line\n\t\u0001 ☃ 𝄞 </script>',
    },
    {
        "id": 2,
        "flag": False,
        "number": -0.1,
        "price": decimal.Decimal("0.000"),
        "day": datetime.date(1, 1, 1),
        "moment": datetime.datetime(1999, 12, 31, 23, 59, 59, 120000),
        "hour": datetime.time(0, 0, 0, 5),
        "uid": uuid.UUID(int=1),
        "mood": None,
        "extra": [],
        "word": "",
    },
    dict.fromkeys(
        ("flag", "number", "price", "day", "moment", "hour", "uid", "mood", "extra", "word")
    )
    | {"id": 3},
]


def fill(conn: Any) -> None:
    Base.metadata.create_all(conn)
    conn.execute(
        insert(Team),
        [
            {"id": 1, "name": "red", "motto": None},
            {"id": 2, "name": "blue", "motto": "go"},
            {"id": 3, "name": "empty", "motto": ""},
        ],
    )
    conn.execute(
        insert(Member),
        [
            {"id": 1, "team_id": 1, "name": "ada"},
            {"id": 2, "team_id": 2, "name": "bob"},
            {"id": 3, "team_id": 1, "name": "cy"},
            {"id": 4, "team_id": None, "name": "dan"},
        ],
    )
    conn.execute(
        insert(Role),
        [
            {"id": 1, "title": "lead", "since": datetime.datetime(2026, 1, 1, 0, 0, 0, 500000)},
            {"id": 2, "title": "dev", "since": None},
        ],
    )
    pairs = [(1, 1), (1, 2), (2, 2), (4, 1)]
    conn.execute(insert(member_role), [{"member_id": m, "role_id": r} for m, r in pairs])
    circle = [(1, 2), (1, 3), (2, 1), (3, 3)]
    conn.execute(insert(friends), [{"one": a, "other": b} for a, b in circle])
    conn.execute(insert(Typed), TYPED)
    conn.execute(insert(Raw), {"id": 1, "data": b"\x00\xff"})


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(fill)
    return AsyncSessionFactory(engine)


async def from_orm(db: AsyncSessionFactory, statement: Any, build: Any) -> list[Any]:
    async with OrmSession(db.engine) as session:
        return [build(obj) for obj in (await session.scalars(statement)).unique()]


def pretty(found: bytes) -> Any:
    assert isinstance(found, bytes)
    return json.loads(found)


class MemberOut(pydantic.BaseModel):
    id: int
    name: str


class TeamOut(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(
        alias_generator=lambda name: name.capitalize(), populate_by_name=True
    )

    id: int
    name: str
    motto: str | None


class Whole(TeamOut):
    members: list[MemberOut]


class TypedOut(pydantic.BaseModel):
    id: int
    flag: bool | None
    number: float | None
    price: decimal.Decimal | None
    day: datetime.date | None
    moment: datetime.datetime | None
    hour: datetime.time | None
    uid: uuid.UUID | None
    mood: Mood | None
    extra: Any
    word: str | None


class OfDatabase(pydantic.BaseModel):
    """What the database can write."""

    id: int
    flag: bool | None
    day: datetime.date | None
    moment: datetime.datetime | None
    uid: uuid.UUID | None
    word: str | None


TEAMS = select(Team).order_by(Team.id.desc())
MEMBERS = TEAMS.options(selectinload(Team.members))


def as_pydantic(objects: list[Any]) -> Any:
    return json.loads(pydantic.TypeAdapter(list[Any]).dump_json(objects, by_alias=True))


async def test_models(db: AsyncSessionFactory) -> None:
    expected = await from_orm(
        db, TEAMS, lambda team: TeamOut(id=team.id, name=team.name, motto=team.motto)
    )
    assert pretty(await db.json(TEAMS, into=TeamOut)) == as_pydantic(expected)
    assert pretty(await db.json(TEAMS.where(Team.id > 5), into=TeamOut)) == []
    async with db.begin() as session:
        assert pretty(await session.json(TEAMS, into=TeamOut)) == as_pydantic(expected)
    async with db.read() as reader:
        assert pretty(await reader.json(TEAMS, into=TeamOut)) == as_pydantic(expected)


async def test_models_with_collections(db: AsyncSessionFactory) -> None:
    expected = await from_orm(
        db,
        MEMBERS,
        lambda team: Whole(
            id=team.id,
            name=team.name,
            motto=team.motto,
            members=[MemberOut(id=each.id, name=each.name) for each in team.members],
        ),
    )
    assert pretty(await db.json(MEMBERS, into=Whole)) == as_pydantic(expected)


@pytest.mark.parametrize("cls", [TypedOut, OfDatabase])
async def test_types(db: AsyncSessionFactory, cls: Any) -> None:
    statement = select(Typed).order_by(Typed.id)
    expected = await from_orm(
        db,
        statement,
        lambda obj: cls(**{name: getattr(obj, name) for name in cls.model_fields}),
    )
    assert pretty(await db.json(statement, into=cls)) == as_pydantic(expected)
    columns = select(*(getattr(Typed, name) for name in cls.model_fields)).order_by(Typed.id)
    assert pretty(await db.json(columns, into=cls)) == as_pydantic(expected)
    everything = pretty(await db.json(columns))
    assert everything == as_pydantic(expected)


async def test_bytes_and_durations(db: AsyncSessionFactory) -> None:
    assert pretty(await db.json(select(Raw))) == [{"id": 1, "data": "AP8="}]

    class RawOut(pydantic.BaseModel):
        data: bytes

    # as pydantic writes it
    with pytest.raises(Exception, match="utf"):
        await db.json(select(Raw.data), into=RawOut)


class RoleOut(pydantic.BaseModel):
    title: str
    since: datetime.datetime | None


class FriendOut(pydantic.BaseModel):
    name: str
    roles: list[RoleOut]


class DeepMember(pydantic.BaseModel):
    id: int
    roles: list[RoleOut]
    friends: list[FriendOut]
    team: TeamOut | None


class DeepTeam(pydantic.BaseModel):
    name: str
    members: list[DeepMember]


async def test_many_levels(db: AsyncSessionFactory) -> None:
    members = selectinload(Team.members)
    statement = TEAMS.where(Team.id != 9).options(
        members.selectinload(Member.roles),
        members.selectinload(Member.friends).selectinload(Member.roles),
        members.selectinload(Member.team),
    )

    def roles(member: Member) -> list[RoleOut]:
        return [RoleOut(title=role.title, since=role.since) for role in member.roles]

    def build(team: Team) -> DeepTeam:
        return DeepTeam(
            name=team.name,
            members=[
                DeepMember(
                    id=each.id,
                    roles=roles(each),
                    friends=[FriendOut(name=f.name, roles=roles(f)) for f in each.friends],
                    team=TeamOut(id=team.id, name=team.name, motto=team.motto),
                )
                for each in team.members
            ],
        )

    expected = as_pydantic(await from_orm(db, statement, build))
    seen: list[str] = []
    event.listen(db.engine.sync_engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    for _ in range(2):
        assert pretty(await db.json(statement, into=DeepTeam)) == expected
    if db.engine.dialect.name == "postgresql":
        assert len(seen) == 2
    alone = select(Member).order_by(Member.id).options(selectinload(Member.team))

    class Alone(pydantic.BaseModel):
        id: int
        team: TeamOut | None

    assert [
        each["team"] and each["team"]["Name"] for each in pretty(await db.json(alone, into=Alone))
    ] == ["red", "blue", "red", None]
    picky = TEAMS.options(selectinload(Team.members.and_(Member.id > 1)))
    assert [len(team["Members"]) for team in pretty(await db.json(picky, into=Whole))] == [0, 1, 1]


@dataclass
class MemberData:
    id: int
    name: str


@dataclass
class TeamData:
    name: str
    members: list[MemberData]


class MemberStruct(msgspec.Struct, rename="upper"):
    id: int
    name: str


class TeamStruct(msgspec.Struct, rename="camel"):
    name: str
    members: tuple[MemberStruct, ...]


@attrs.define
class TeamAttrs:
    name: str
    members: list[MemberData]


class MemberTuple(NamedTuple):
    id: int
    name: str


class TeamDict(TypedDict):
    name: str
    members: list[MemberTuple]


NAMES = TEAMS.options(
    load_only(Team.name), selectinload(Team.members).load_only(Member.id, Member.name)
)


@pytest.mark.parametrize(
    ("cls", "id", "name"),
    [
        (TeamData, "id", "name"),
        (TeamStruct, "ID", "NAME"),
        (TeamAttrs, "id", "name"),
        (TeamDict, "id", "name"),
    ],
)
async def test_kinds_of_classes(db: AsyncSessionFactory, cls: Any, id: str, name: str) -> None:
    expected = await from_orm(
        db,
        NAMES,
        lambda team: {
            "name": team.name,
            "members": [{id: each.id, name: each.name} for each in team.members],
        },
    )
    assert pretty(await db.json(NAMES, into=cls)) == expected


# ---------------------------------------------------------------- without a class


async def test_everything_that_was_loaded(db: AsyncSessionFactory) -> None:
    assert pretty(await db.json(TEAMS)) == await from_orm(
        db, TEAMS, lambda team: {"id": team.id, "name": team.name, "motto": team.motto}
    )
    deep = (
        select(Team)
        .order_by(Team.id)
        .options(
            load_only(Team.name),
            selectinload(Team.members).selectinload(Member.team).load_only(Team.motto),
            selectinload(Team.by_name).load_only(Member.name),
        )
    )

    def build(team: Team) -> Any:
        return {
            "id": team.id,
            "name": team.name,
            "members": [
                {
                    "id": each.id,
                    "team_id": each.team_id,
                    "name": each.name,
                    "team": {"id": team.id, "motto": team.motto},
                }
                for each in team.members
            ],
            "by_name": {
                name: {"id": each.id, "name": each.name} for name, each in team.by_name.items()
            },
        }

    found = pretty(await db.json(deep))
    assert found == await from_orm(db, deep, build)
    up = select(Member).order_by(Member.id).options(joinedload(Member.team))
    assert pretty(await db.json(up)) == await from_orm(
        db,
        up,
        lambda each: {
            "id": each.id,
            "team_id": each.team_id,
            "name": each.name,
            "team": each.team
            and {"id": each.team.id, "name": each.team.name, "motto": each.team.motto},
        },
    )


T2 = aliased(Team)
STATEMENTS: dict[str, Any] = {
    "columns": select(Team.id, Team.name.label("called")).order_by(Team.id),
    "expressions": select(Team.id, func.upper(Team.name).label("loud")).order_by(Team.id),
    "order by a label": select(Team.id.label("n")).order_by(text("n DESC")),
    "distinct": select(Member.team_id).distinct().order_by(Member.team_id),
    "group by": select(Member.team_id, func.count().label("n"))
    .group_by(Member.team_id)
    .order_by(func.count(), Member.team_id),
    "limit": select(Team).order_by(Team.id.desc()).limit(2).offset(1),
    "join": select(Member.name, Team.motto).join(Member.team).order_by(Member.id),
    "outer join": select(Member.id, Team.name).outerjoin(Member.team).order_by(Member.id),
    "alias": select(T2).where(T2.id != 2).order_by(T2.id),
    "union": union_all(select(Team.id), select(Member.id)).order_by("id"),
    "text": text("SELECT id, name FROM json_team ORDER BY id"),
    "table": select(Team.__table__).order_by(Team.id),
    "load_only": select(Team).options(load_only(Team.motto)).order_by(Team.id),
    "criteria": select(Team).options(with_loader_criteria(Team, Team.id > 1)).order_by(Team.id),
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_statements(db: AsyncSessionFactory, name: str) -> None:
    statement = STATEMENTS[name]
    async with OrmSession(db.engine) as session:
        rows = (await session.execute(statement)).all()
    expected = []
    for row in rows:
        item = row[0]
        if isinstance(item, Team):
            loaded = [key for key in ("id", "name", "motto") if key in vars(item)]
            expected.append({key: getattr(item, key) for key in loaded})
        else:
            expected.append(dict(row._mapping))
    for _ in range(2):
        assert pretty(await db.json(statement)) == expected
    async with db.begin() as session, session.stream_json(statement) as lines:
        found = [line async for line in lines]
    assert [json.loads(line) for line in found] == expected
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in found)


async def test_parameters(db: AsyncSessionFactory) -> None:
    statement = select(Team).where(Team.id == bindparam("key"))
    for key in (1, 2):
        found = pretty(await db.json(statement, {"key": key}))
        assert [team["id"] for team in found] == [key]
    for low in (1, 2, 3):
        found = pretty(await db.json(select(Team.id).where(Team.id >= low).order_by(Team.id)))
        assert found == [{"id": number} for number in range(low, 4)]


async def test_the_values_of_the_statement_in_hand(db: AsyncSessionFactory) -> None:
    """What is kept of a statement is neither its values nor its aliases."""
    wanted = select(Team.id).where(Team.id == bindparam("wanted"))
    default = select(Team.id).where(Team.id == bindparam("wanted", 3))
    for key in (1, 2, 3):
        for statement in (wanted.params(wanted=key), default.params(wanted=key)):
            assert pretty(await db.json(statement)) == [{"id": key}]
    assert pretty(await db.json(default)) == [{"id": 3}]
    with pytest.raises(StatementError, match="A value is required for bind parameter 'wanted'"):
        await db.json(wanted)
    derived = AsyncSessionFactory(
        db.engine, options=[with_loader_criteria(Team, Team.id == 2, include_aliases=True)]
    )
    for factory, options in ((derived, None), (db, {"mine": 1}), (db, None), (db, None)):
        twin = aliased(Team)
        whole = select(twin).where(twin.id < 3).order_by(twin.id)
        columns = select(twin.id, twin.name).where(twin.id < 3).order_by(twin.id)
        members = whole.options(selectinload(twin.members))
        for statement in (whole, columns, members):
            found = pretty(await factory.json(statement, execution_options=options))
            assert [team["id"] for team in found] == ([2] if factory is derived else [1, 2])


class NameAndId(pydantic.BaseModel):
    name: str
    id: int


class Renamed(pydantic.BaseModel):
    id: int
    motto: str = pydantic.Field(validation_alias="name")


async def test_the_order_by_a_place_or_a_label(db: AsyncSessionFactory) -> None:
    """The class has its fields in another order, and under other names."""
    by_name = [{"name": name, "id": id} for name, id in (("blue", 2), ("empty", 3), ("red", 1))]
    columns = select(Team.id, Team.name)
    for order in (text("2"), literal_column("2"), "name", text("json_team.name"), Team.name):
        assert pretty(await db.json(columns.order_by(order), into=NameAndId)) == by_name
    for statement in (
        select(Team.id, func.lower(Team.name).label("name"), Team.motto).order_by("name"),
        select(Team.id, Team.name, (0 - Team.id).label("motto")).order_by(text("motto DESC")),
    ):
        rows = (await db.execute(statement)).all()
        found = pretty(await db.json(statement, into=NameAndId))
        assert [each["id"] for each in found] == [row.id for row in rows]
    renamed = pretty(await db.json(columns.order_by(text("motto"), Team.id), into=Renamed))
    mottos = [row.id for row in await db.execute(columns.order_by(text("motto"), Team.id))]
    assert [each["id"] for each in renamed] == mottos


async def test_what_an_outer_join_did_not_find(db: AsyncSessionFactory) -> None:
    """An object without values, whose collections are empty, whoever writes the array."""
    team = aliased(Team)
    statement = (
        select(team)
        .select_from(Member)
        .outerjoin(team, Member.team_id == team.id)
        .order_by(Member.id)
    )
    statement = statement.options(load_only(team.name), selectinload(team.members))
    missing = {"id": None, "name": None, "members": []}
    for options in (None, {"mine": 1}):
        found = pretty(await db.json(statement, execution_options=options))
        assert found[3] == missing
        assert len(found[0]["members"]) == 2
    by_name = statement.options(selectinload(team.by_name))
    assert pretty(await db.json(by_name))[3] == {**missing, "by_name": {}}


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"])
async def test_a_column_without_a_field_may_make_rows(db: AsyncSessionFactory) -> None:
    many = select(Team.name, Team.id, func.generate_series(1, 2).label("n")).order_by(Team.id)
    found = pretty(await db.json(many, into=NameAndId))
    assert [each["id"] for each in found] == [1, 1, 2, 2, 3, 3]


OF_ANOTHER_TYPE: dict[str, tuple[Any, str]] = {
    "numeric": (String, "1.50"),
    "numeric(9)": (Integer, "10000"),
    "float8": (Integer, "NaN"),
    "oid": (Integer, "5"),
    "json": (String, '{"a": 1}'),
    "bytea": (Text, r"\x00ff"),
    "timestamptz": (DateTime, "2026-07-01 12:30+00"),
    "timestamp": (Date, "2026-07-01 12:30"),
    "interval": (String, "1 day"),
    "char(32)": (Uuid(native_uuid=False), "6f1de4f0000000000000000000000001"),
    # and those that are written alike
    "varchar": (Integer, "five"),
    "bpchar": (String, "ab "),
    "bool": (String, "t"),
    "uuid": (Uuid, "6f1de4f0-0000-0000-0000-000000000001"),
}


class Local(DeclarativeBase):
    pass


def columns_of_another_type() -> dict[str, Any]:
    of_type = {f"v{n}": type_ for n, (type_, _) in enumerate(OF_ANOTHER_TYPE.values())}
    return {key: mapped_column(type_, nullable=True) for key, type_ in of_type.items()}


class Box(Local):
    __tablename__ = "json_box"
    locals().update(columns_of_another_type())

    id: Mapped[int] = mapped_column(primary_key=True)
    things: Mapped[list["Thing"]] = relationship(order_by="Thing.id")


class Thing(Local):
    __tablename__ = "json_thing"
    locals().update(columns_of_another_type())

    id: Mapped[int] = mapped_column(primary_key=True)
    box_id: Mapped[int] = mapped_column(ForeignKey(Box.id), index=True)


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"])
async def test_whatever_type_the_column_has(db: AsyncSessionFactory) -> None:
    """The mapping says what is read; the driver's values follow the type in the database."""
    columns = ", ".join(f"v{n} {sql}" for n, sql in enumerate(OF_ANOTHER_TYPE))
    values = ", ".join(f"'{value}'" for _, value in OF_ANOTHER_TYPE.values())
    async with db.begin() as session:
        await session.execute(text(f"CREATE TABLE json_box (id int, {columns})"))
        await session.execute(text(f"CREATE TABLE json_thing (id int, {columns}, box_id int)"))
        literals = values.replace(":", r"\:")
        await session.execute(text(f"INSERT INTO json_box VALUES (1, {literals})"))
        await session.execute(text("INSERT INTO json_box VALUES (2)"))
        await session.execute(text(f"INSERT INTO json_thing VALUES (1, {literals}, 1)"))
    for number, sql in enumerate(OF_ANOTHER_TYPE):
        key = f"v{number}"
        for statement in (
            select(getattr(Box, key)).order_by(Box.id),
            select(Box)
            .options(load_only(Box.id), selectinload(Box.things).load_only(getattr(Thing, key)))
            .order_by(Box.id),
        ):
            async with db.begin() as session, session.stream_json(statement) as lines:
                expected = [json.loads(line) async for line in lines]
                assert pretty(await session.json(statement)) == expected, sql
            assert pretty(await db.json(statement)) == expected, sql
            assert len(expected) == 2


async def test_criteria_of_a_factory(db: AsyncSessionFactory) -> None:
    derived = AsyncSessionFactory(db.engine, options=[with_loader_criteria(Team, Team.id == 2)])
    assert [team["id"] for team in pretty(await derived.json(TEAMS))] == [2]


async def test_what_returning_gives(db: AsyncSessionFactory) -> None:
    statement = insert(Team).values(id=9, name="new").returning(Team.id, Team.name)
    assert pretty(await db.json(statement)) == [{"id": 9, "name": "new"}]
    again = insert(Team).values(id=10, name="x").returning(Team)
    assert pretty(await db.json(again, into=TeamOut)) == [{"Id": 10, "Name": "x", "Motto": None}]
    assert await db.count(select(Team).where(Team.id > 8)) == 2


# ---------------------------------------------------------------- code of the class's own


class Shouting(pydantic.BaseModel):
    name: str

    @pydantic.field_validator("name")
    @classmethod
    def shout(cls, value: str) -> str:
        return value.upper()


class Computed(pydantic.BaseModel):
    name: str

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def length(self) -> int:
        return len(self.name)


class Constrained(pydantic.BaseModel):
    name: Annotated[str, pydantic.StringConstraints(to_upper=True)]


class Defaulted(pydantic.BaseModel):
    name: str
    more: list[int] = [1, 2]


class Rounded(pydantic.BaseModel):
    name: str
    id: float


class Serialized(pydantic.BaseModel):
    name: str = pydantic.Field(serialization_alias="called", exclude=False)
    id: int = pydantic.Field(exclude=True)


class Parent(pydantic.BaseModel):
    members: list[Shouting]


@dataclass
class Posted:
    name: str

    def __post_init__(self) -> None:
        self.name += "!"


class Tagged(msgspec.Struct, tag="team"):
    name: str


@attrs.define
class Converted:
    name: str = attrs.field(converter=str.upper)


@pytest.mark.parametrize(
    "cls", [Shouting, Computed, Constrained, Defaulted, Rounded, Serialized, Posted, Tagged]
)
async def test_classes_with_code_of_their_own(db: AsyncSessionFactory, cls: Any) -> None:
    names = ["name", "id"] if cls in (Rounded, Serialized) else ["name"]
    statement = select(*(getattr(Team, name) for name in names)).order_by(Team.id)
    async with OrmSession(db.engine) as session:
        rows = (await session.execute(statement)).all()
    objects = [cls(**row._mapping) for row in rows]
    if issubclass(cls, pydantic.BaseModel):
        expected = as_pydantic(objects)
    else:
        expected = json.loads(msgspec.json.encode(objects))
    for _ in range(2):
        assert pretty(await db.json(statement, into=cls)) == expected
    async with db.begin() as session, session.stream_json(statement, into=cls) as lines:
        assert [json.loads(line) async for line in lines] == expected


async def test_a_class_with_code_of_its_own_inside(db: AsyncSessionFactory) -> None:
    found = pretty(await db.json(MEMBERS, into=Parent))
    assert found[-1] == {"members": [{"name": "ADA"}, {"name": "CY"}]}
    converted = pretty(await db.json(select(Team.name).order_by(Team.id), into=Converted))
    assert converted[0] == {"name": "RED"}


async def test_pydantic_validates_what_the_columns_do_not_say(db: AsyncSessionFactory) -> None:
    class Strict(pydantic.BaseModel):
        motto: str

    with pytest.raises(pydantic.ValidationError):
        await db.json(TEAMS, into=Strict)

    class Outer(pydantic.BaseModel):
        name: str
        motto: str | None

    statement = select(Member.id, Team.name, Team.motto).outerjoin(Member.team)
    with pytest.raises(pydantic.ValidationError):
        await db.json(statement, into=Outer)


# ---------------------------------------------------------------- errors, and where it is made


async def test_what_does_not_fit(db: AsyncSessionFactory) -> None:
    with pytest.raises(RowMismatch, match="'members'"):
        await db.json(TEAMS, into=Whole)
    with pytest.raises(RowMismatch, match=r"Team, Member|one entity, or columns"):
        await db.json(select(Team, Member).join(Team.members))

    class Own:
        def __init__(self, name: str) -> None:
            self.name = name

    with pytest.raises(RowMismatch, match="can't write Own objects"):
        await db.json(select(Team.name), into=Own)
    with pytest.raises(UnsupportedOption):
        await db.json(TEAMS, execution_options={"yield_per": 5})
    async with db.begin() as session:
        await session.rollback()
        with pytest.raises(InvalidSessionState):
            await session.json(TEAMS)


async def test_one_statement_and_few_bytes(db: AsyncSessionFactory) -> None:
    seen: list[str] = []
    event.listen(db.engine.sync_engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    await db.json(TEAMS, into=TeamOut)
    assert len(seen) == 1
    on_postgresql = db.engine.dialect.name == "postgresql"
    assert ("json_agg" if on_postgresql else "json_group_array") in seen[0]
    await db.json(MEMBERS, into=Whole)
    selects = [sql for sql in seen if sql.startswith("SELECT")]
    assert len(selects) == 2


async def test_a_stream_with_collections(db: AsyncSessionFactory) -> None:
    expected = pretty(await db.json(MEMBERS, into=Whole))
    async with db.begin() as session:
        options = {"yield_per": 1}
        async with session.stream_json(MEMBERS, into=Whole, execution_options=options) as lines:
            assert [json.loads(line) async for line in lines] == expected


async def test_a_route_returns_it_as_it_is(db: AsyncSessionFactory) -> None:
    app = fastapi.FastAPI()

    @app.get("/teams", response_model=list[Whole])
    async def teams() -> fastapi.Response:
        body = await db.json(MEMBERS, into=Whole)
        return fastapi.Response(body, media_type="application/json")

    @app.get("/lines")
    async def lines() -> StreamingResponse:
        async def read() -> AsyncIterator[bytes]:
            async with db.begin() as session, session.stream_json(MEMBERS, into=Whole) as found:
                async for line in found:
                    yield line

        return StreamingResponse(read(), media_type="application/x-ndjson")

    expected = pretty(await db.json(MEMBERS, into=Whole))
    async with serving(app) as client:
        response = await client.get("/teams")
        assert response.headers["content-type"] == "application/json"
        assert response.json() == expected
        streamed = await client.get("/lines")
        assert [json.loads(line) for line in streamed.text.splitlines()] == expected
        described = (await client.get("/openapi.json")).json()["paths"]["/teams"]
    assert "Whole" in json.dumps(described)


class Hidden:
    """Hides modules from imports."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(name)


@pytest.mark.parametrize("hidden", [("orjson",), ("msgspec",), ("orjson", "msgspec")])
async def test_either_library_will_do(
    db: AsyncSessionFactory, hidden: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = select(Typed).order_by(Typed.id)
    raw = select(Raw)
    expected = pretty(await db.json(statement)), pretty(await db.json(raw))
    for name in [name for name in sys.modules if name.partition(".")[0] in hidden]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Hidden(*hidden), *sys.meta_path])
    encoding._encoder.cache_clear()
    try:
        if len(hidden) == 2:
            with pytest.raises(ImportError, match="pip install orjson"):
                await db.json(statement)
        else:
            assert (pretty(await db.json(statement)), pretty(await db.json(raw))) == expected
    finally:
        encoding._encoder.cache_clear()


def test_the_synchronous_face(tmp_path: Any) -> None:
    engine = create_engine(URL.create("sqlite", database=str(tmp_path / "json.db")))
    with engine.begin() as conn:
        fill(conn)
    db = SessionFactory(engine)
    assert pretty(db.json(TEAMS, into=TeamOut))[0] == {"Id": 3, "Name": "empty", "Motto": ""}
    with db.begin() as session:
        lines = session.stream_json(MEMBERS, into=Whole).all()
        assert [json.loads(line) for line in lines] == pretty(session.json(MEMBERS, into=Whole))
    engine.dispose()
