"""SQLModel tables: pydantic models whose loaded objects keep the promises of naked objects."""

import copy
import json
import pickle
import uuid
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from pydantic import ValidationError
from sqlalchemy import insert, update
from sqlalchemy.engine import Result, ScalarResult
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import load_only, registry, selectinload
from sqlmodel import Field, Relationship, SQLModel, col, func, select

from naked_sqla import AsyncSession, AsyncSessionFactory, NotLoadedError
from naked_sqla.ext.fastapi import get_or_404, session_dependency


class Base(SQLModel, registry=registry()):
    pass


class TeamBase(Base):
    name: str


class Team(TeamBase, table=True):
    __tablename__ = "sqlmodel_team"

    id: int | None = Field(default=None, primary_key=True)
    heroes: list["Hero"] = Relationship(back_populates="team")


class HeroBase(Base):
    name: str
    age: int | None = None
    rank: str = "private"


class Hero(HeroBase, table=True):
    __tablename__ = "sqlmodel_hero"

    id: int | None = Field(default=None, primary_key=True)
    token: uuid.UUID = Field(default_factory=uuid.uuid4)
    born: date | None = None
    team_id: int | None = Field(default=None, foreign_key="sqlmodel_team.id")
    team: Team | None = Relationship(back_populates="heroes")

    @property
    def loud(self) -> str:
        return self.name.upper()


class HeroPublic(HeroBase):
    id: int


class TeamPublic(TeamBase):
    id: int


class HeroWithTeam(HeroPublic):
    team: TeamPublic | None = None


class HeroUpdate(Base):
    name: str | None = None
    age: int | None = None


TOKEN = uuid.UUID(int=7)


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    async with db.begin() as session:
        await session.execute(insert(Team), [{"id": 1, "name": "red"}])
        rows = [
            {"id": 1, "name": "ada", "age": 36, "team_id": 1, "token": TOKEN},
            {"id": 2, "name": "bob", "age": None, "team_id": None},
        ]
        await session.execute(insert(Hero), rows)
    return db


@pytest.fixture
async def ada(db: AsyncSessionFactory) -> Hero:
    return await db.get_one(Hero, 1)


async def test_exec(db: AsyncSessionFactory) -> None:
    heroes = await db.exec(select(Hero).where(col(Hero.age).is_not(None)))
    assert isinstance(heroes, ScalarResult)
    ada = heroes.one()
    assert isinstance(ada, Hero)
    assert ada.__class__ is Hero
    assert (ada.loud, ada.token, ada.born) == ("ADA", TOKEN, None)
    names = await db.exec(select(Hero.name).order_by(col(Hero.id)))
    assert names.all() == ["ada", "bob"]
    pairs = await db.exec(select(Hero, Team).join(Team, isouter=True).order_by(col(Hero.id)))
    assert isinstance(pairs, Result)
    assert [(hero.name, team and team.name) for hero, team in pairs] == [
        ("ada", "red"),
        ("bob", None),
    ]
    assert (await db.exec(select(func.count()).select_from(Hero))).one() == 2


async def test_defaults_are_stored(db: AsyncSessionFactory) -> None:
    bob = await db.get_one(Hero, 2)
    assert bob.rank == "private"
    assert isinstance(bob.token, uuid.UUID)
    made = Hero(id=3, name="cy", born=date(2000, 1, 1))
    await db.execute(insert(Hero), made.model_dump())
    cy = (await db.exec(select(Hero).where(Hero.name == "cy"))).one()
    assert cy.born == date(2000, 1, 1)
    assert cy.token == made.token


async def test_dumps(db: AsyncSessionFactory, ada: Hero) -> None:
    whole = {
        "id": 1,
        "name": "ada",
        "age": 36,
        "rank": "private",
        "token": TOKEN,
        "born": None,
        "team_id": 1,
    }
    assert ada.model_dump() == whole
    assert json.loads(ada.model_dump_json()) == {**whole, "token": str(TOKEN)}
    assert ada.model_dump(include={"name"}) == {"name": "ada"}
    assert ada.model_dump(exclude_none=True).keys() == whole.keys() - {"born"}
    # What was loaded was set, by the row.
    assert ada.model_fields_set == whole.keys()
    assert ada.model_dump(exclude_unset=True) == whole
    assert json.loads(ada.model_dump_json(exclude_unset=True)) == {**whole, "token": str(TOKEN)}
    part = (await db.exec(select(Hero).where(Hero.id == 1).options(load_only(Hero.name)))).one()
    assert part.model_dump() == part.model_dump(exclude_unset=True) == {"id": 1, "name": "ada"}
    assert part.model_fields_set == {"id", "name"}


async def test_setting_what_was_not_loaded(db: AsyncSessionFactory) -> None:
    """The objects of a result share what pydantic knows of them, and no object shows it."""
    one, other = (await db.exec(select(Hero).options(load_only(Hero.name)))).all()
    with pytest.raises(NotLoadedError, match=r"Hero\.age"):
        one.age  # noqa: B018 - reading it is the test
    one.age = 7
    one.team = None
    one.name = "new"
    assert one.model_fields_set == {"id", "name", "age"}
    assert one.model_dump(exclude_unset=True) == {"id": 1, "name": "new", "age": 7}
    assert other.model_fields_set == {"id", "name"}
    third = (await db.exec(select(Hero).options(load_only(Hero.name)))).first()
    assert third is not None
    assert third.model_fields_set == {"id", "name"}
    assert one.team is None
    with pytest.raises(ValueError, match='no field "nonsense"'):
        one.nonsense = 1  # type: ignore[attr-defined]
    assert one.sqlmodel_update({"name": "again"}) is one
    assert one.name == "again"


async def test_equality_copies_and_pickles(ada: Hero) -> None:
    made = Hero(**ada.model_dump())
    assert ada == made
    assert made == ada
    assert repr(ada) == repr(made)
    for same in (
        copy.copy(ada),
        copy.deepcopy(ada),
        ada.model_copy(),
        ada.model_copy(deep=True),
        pickle.loads(pickle.dumps(ada)),
    ):
        assert same == ada
        assert same is not ada
        assert same.model_fields_set == ada.model_fields_set
        same.name = "other"
        assert ada.name == "ada"
        with pytest.raises(NotLoadedError, match=r"Hero\.team"):
            same.team  # noqa: B018 - reading it is the test
    older = ada.model_copy(update={"age": 40})
    assert (older.age, ada.age, older != ada) == (40, 36, True)


async def test_validation(db: AsyncSessionFactory, ada: Hero) -> None:
    public = HeroPublic.model_validate(ada)
    assert public.model_dump() == {"id": 1, "name": "ada", "age": 36, "rank": "private"}
    # What is not loaded is neither left out nor None.
    with pytest.raises(ValidationError, match=r"NotLoadedError: Hero\.team is not loaded"):
        HeroWithTeam.model_validate(ada)
    with pytest.raises(NotLoadedError, match=r"Hero\.team"):
        Hero.model_validate(ada)
    assert Hero.model_validate(ada.model_dump()) == ada
    await db.preload(ada, Hero.team)
    assert HeroWithTeam.model_validate(ada).team == TeamPublic(id=1, name="red")
    full = (await db.exec(select(Team).options(selectinload(Team.heroes)))).one()
    assert [hero.name for hero in full.heroes] == ["ada"]
    assert "heroes" not in full.model_dump()


@pytest.fixture
async def client(db: AsyncSessionFactory) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    Session = Annotated[AsyncSession, Depends(session_dependency(db))]  # noqa: N806

    @app.get("/public/{key}", response_model=HeroPublic)
    async def public(key: int, session: Session) -> Any:
        return await get_or_404(session, Hero, key)

    @app.get("/table/{key}")
    async def table(key: int, session: Session) -> Hero:
        return await get_or_404(session, Hero, key)

    @app.get("/tables", response_model=list[Hero], response_model_exclude_unset=True)
    async def tables(session: Session) -> Any:
        return (await session.exec(select(Hero).order_by(col(Hero.id)))).all()

    @app.get("/publics", response_model=list[HeroPublic], response_model_exclude_none=True)
    async def publics(session: Session) -> Any:
        return (await session.exec(select(Hero).order_by(col(Hero.id)))).all()

    @app.get("/full/{key}", response_model=HeroWithTeam)
    async def full(key: int, session: Session) -> Any:
        return await session.get(Hero, key, options=[selectinload(Hero.team)])  # type: ignore[arg-type]

    @app.get("/forgotten/{key}", response_model=HeroWithTeam)
    async def forgotten(key: int, session: Session) -> Any:
        return await session.get(Hero, key)

    @app.patch("/{key}", response_model=HeroPublic)
    async def patch(key: int, changes: HeroUpdate, session: Session) -> Any:
        values = changes.model_dump(exclude_unset=True)
        statement = update(Hero).where(col(Hero.id) == key).values(values).returning(Hero)
        return (await session.exec(statement)).one()

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


ADA = {"id": 1, "name": "ada", "age": 36, "rank": "private"}


async def test_response_models(client: httpx.AsyncClient) -> None:
    assert (await client.get("/public/1")).json() == ADA
    assert (await client.get("/public/9")).json() == {"detail": "Hero 9 was not found."}
    whole = {**ADA, "token": str(TOKEN), "born": None, "team_id": 1}
    assert (await client.get("/table/1")).json() == whole
    ada, bob = (await client.get("/tables")).json()
    assert ada == whole
    assert bob.keys() == whole.keys()
    bob = {"id": 2, "name": "bob", "rank": "private"}
    assert (await client.get("/publics")).json() == [ADA, bob]
    assert (await client.get("/full/1")).json() == {**ADA, "team": {"id": 1, "name": "red"}}
    assert (await client.get("/full/2")).json()["team"] is None
    # Not loaded: neither null nor left out.
    assert (await client.get("/forgotten/1")).status_code == 500
    answer = await client.patch("/2", json={"age": 5})
    assert answer.json() == {"id": 2, "name": "bob", "age": 5, "rank": "private"}
