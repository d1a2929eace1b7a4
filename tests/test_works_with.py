"""One test for each line of docs/works-with.md, with the real package."""

from __future__ import annotations

import datetime as dt
import enum
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import msgspec
import orjson
import pandas as pd
import polars as pl
import pydantic
import pytest
import sqlalchemy
import strawberry
from factory import Factory, Sequence
from factory.alchemy import SQLAlchemyModelFactory
from fastapi import FastAPI
from litestar import Litestar, get
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from marshmallow_sqlalchemy import SQLAlchemyAutoSchema
from pandas.compat._optional import VERSIONS
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from sqladmin import Admin, ModelView
from sqlalchemy import Connection, MetaData, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, load_only, mapped_column
from sqlalchemy.pool import StaticPool

from naked_sqla import AsyncSession, AsyncSessionFactory

PAGE = Path(__file__).resolve().parent.parent / "docs" / "works-with.md"


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "works_user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    born: Mapped[dt.date | None] = mapped_column(default=None)


class Point(MappedAsDataclass, Base):
    __tablename__ = "works_point"

    id: Mapped[int] = mapped_column(primary_key=True)
    x: Mapped[int]
    note: Mapped[str | None] = mapped_column(default=None, deferred=True)


@pytest.fixture
async def db() -> AsyncIterator[AsyncSessionFactory]:
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    await create(engine, Base.metadata)
    db = AsyncSessionFactory(engine)
    await db.insert_all(
        [User(id=1, name="ada", born=dt.date(1815, 12, 10)), User(id=2, name="bob")]
    )
    await db.insert(Point(id=1, x=7))
    yield db
    await engine.dispose()


async def create(engine: AsyncEngine, metadata: MetaData) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(metadata.create_all)


USERS = select(User).order_by(User.id)
# POINT(1 2), as PostGIS sends it.
POINT = "0101000000000000000000f03f0000000000000040"


async def test_alembic(db: AsyncSessionFactory) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def differences(conn: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(conn), Base.metadata))

    async with db.begin() as session:
        await session.all(USERS)
        assert await session.conn.run_sync(differences) == []
        await session.execute(text("ALTER TABLE works_user ADD COLUMN more INTEGER"))
        ((kind, *_, column),) = await session.conn.run_sync(differences)
        assert (kind, column.name) == ("remove_column", "more")


# it has one registry in a process
@pytest.mark.alone
async def test_sqlmodel(db: AsyncSessionFactory) -> None:
    from sqlmodel import Field, SQLModel

    class Hero(SQLModel, table=True):
        __tablename__ = "works_hero"

        id: int | None = Field(default=None, primary_key=True)
        name: str

    await create(db.engine, SQLModel.metadata)
    stored = await db.insert(Hero(name="ada"))
    assert stored.model_dump() == {"id": 1, "name": "ada"}
    assert await db.all(select(Hero)) == [stored]


async def test_pydantic(db: AsyncSessionFactory) -> None:
    class UserOut(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(from_attributes=True)

        id: int
        name: str

    wanted = [UserOut(id=1, name="ada"), UserOut(id=2, name="bob")]
    assert (await db.into(UserOut, USERS)).all() == wanted
    assert pydantic.TypeAdapter(list[UserOut]).validate_python(await db.all(USERS)) == wanted
    stored = await db.insert(UserOut(id=3, name="cy"), model=User)
    assert stored.name == "cy"
    (part,) = await db.all(USERS.options(load_only(User.id)).limit(1))
    with pytest.raises(pydantic.ValidationError, match=r"User\.name is not loaded"):
        UserOut.model_validate(part)


async def test_msgspec(db: AsyncSessionFactory) -> None:
    class UserOut(msgspec.Struct):
        id: int
        name: str

    found = (await db.into(UserOut, USERS)).all()
    assert msgspec.json.encode(found) == b'[{"id":1,"name":"ada"},{"id":2,"name":"bob"}]'
    assert msgspec.convert(await db.all(USERS), list[UserOut], from_attributes=True) == found
    with pytest.raises(TypeError, match="Encoding objects of type"):
        msgspec.json.encode(await db.all(USERS))
    encoded = msgspec.json.encode(await db.all(USERS.limit(1)), enc_hook=vars)
    assert json.loads(encoded)[0]["name"] == "ada"


async def test_attrs(db: AsyncSessionFactory) -> None:
    @attrs.frozen
    class UserOut:
        id: int
        name: str

    found = (await db.into(UserOut, select(User.id, User.name).order_by(User.id))).all()
    assert [attrs.asdict(one) for one in found][1] == {"id": 2, "name": "bob"}
    assert (await db.insert(UserOut(3, "cy"), model=User)).id == 3


async def test_orjson(db: AsyncSessionFactory) -> None:
    wanted = b'{"id":1,"name":"ada","born":"1815-12-10"}'
    assert orjson.dumps(await db.get(User, 1), default=vars, option=orjson.OPT_SORT_KEYS) == (
        b'{"born":"1815-12-10","id":1,"name":"ada"}'
    )
    rows = (await db.execute(select(User.id, User.name, User.born).limit(1))).mappings()
    assert orjson.dumps([dict(row) for row in rows]) == b"[" + wanted + b"]"
    # a mapped dataclass too: orjson looks into the __dict__ of a dataclass, where nothing is
    point = await db.get(Point, 1)
    assert orjson.dumps(point, default=vars, option=orjson.OPT_PASSTHROUGH_DATACLASS) == (
        b'{"id":1,"x":7}'
    )
    # what was not loaded is left out
    assert orjson.dumps([point], default=vars) == b'[{"id":1,"x":7}]'
    with pytest.raises(TypeError, match="not JSON serializable"):
        orjson.dumps(point)
    # orjson would take the fields from the slots, and end the process at one that is not loaded
    assert "__dataclass_fields__" not in vars(type(point))


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_pgvector(engine: AsyncEngine) -> None:
    from pgvector.sqlalchemy import Vector

    class Vectors(DeclarativeBase):
        pass

    class Item(Vectors):
        __tablename__ = "works_item"

        id: Mapped[int] = mapped_column(primary_key=True)
        embedding: Mapped[Any] = mapped_column(Vector(2))

    db = AsyncSessionFactory(engine)
    await db.execute(text("CREATE EXTENSION vector"))
    await create(engine, Vectors.metadata)
    await db.insert_all([Item(embedding=[1, 1]), Item(embedding=[4, 5])])
    nearest = select(Item).order_by(Item.embedding.l2_distance([4, 4])).limit(1)
    found = await db.one(nearest)
    assert list(found.embedding) == [4, 5]


# its import listens to all engines of the process
@pytest.mark.alone
@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_geoalchemy2(engine: AsyncEngine) -> None:
    """Two functions stand for PostGIS, which the server of the tests does not have."""
    from geoalchemy2 import Geometry, WKBElement, WKTElement

    class Shapes(DeclarativeBase):
        pass

    class Place(Shapes):
        __tablename__ = "works_place"

        id: Mapped[int] = mapped_column(primary_key=True)
        at: Mapped[Any] = mapped_column(Geometry("POINT", spatial_index=False))

    db = AsyncSessionFactory(engine)
    for sql in (
        "CREATE DOMAIN geometry AS bytea",
        "CREATE FUNCTION ST_AsEWKB(geometry) RETURNS bytea RETURN $1",
        f"CREATE FUNCTION ST_GeomFromEWKT(text) RETURNS geometry RETURN decode('{POINT}', 'hex')",
        'CREATE TABLE works_place (id serial PRIMARY KEY, "at" geometry)',
    ):
        await db.execute(text(sql))
    stored = await db.insert(Place(at=WKTElement("POINT(1 2)")))
    (found,) = await db.all(select(Place))
    assert isinstance(found.at, WKBElement)
    assert stored.at.desc == found.at.desc == POINT


async def test_sqlalchemy_utils(db: AsyncSessionFactory) -> None:
    from sqlalchemy_utils import ChoiceType, EmailType, observes

    class Utils(DeclarativeBase):
        pass

    class Kind(enum.Enum):
        A = "a"

    class Thing(Utils):
        __tablename__ = "works_thing"

        id: Mapped[int] = mapped_column(primary_key=True)
        mail: Mapped[str] = mapped_column(EmailType)
        kind: Mapped[Any] = mapped_column(ChoiceType(Kind))
        shout: Mapped[str | None]

        @observes("mail")
        def observe(self, mail: str) -> None:
            self.shout = mail.upper()

    await create(db.engine, Utils.metadata)
    await db.insert(Thing(mail="Ada@X.org", kind=Kind.A))
    found = await db.one(select(Thing))
    assert (found.mail, found.kind) == ("ada@x.org", Kind.A)
    # observers listen to the flush of the ORM session
    assert found.shout is None


async def test_factory_boy(db: AsyncSessionFactory) -> None:
    class Users(Factory):  # type: ignore[misc,unused-ignore]
        class Meta:
            model = User

        name = Sequence("user {}".format)

    stored = await db.insert_all(Users.build_batch(2))
    assert [user.name for user in stored] == ["user 0", "user 1"]

    class InSession(SQLAlchemyModelFactory):  # type: ignore[misc,unused-ignore]
        class Meta:
            model = User
            sqlalchemy_session = db

        name = "x"

    with pytest.raises(AttributeError, match=r"has no 'add'.*await db.insert\(obj\)"):
        InSession()


async def test_polyfactory(db: AsyncSessionFactory) -> None:
    class Users(SQLAlchemyFactory[User]):
        __set_primary_key__ = False

    built = Users.build(name="cy")
    stored = await db.insert(built)
    assert (stored.name, stored.born) == ("cy", built.born)

    class InSession(SQLAlchemyFactory[User]):
        __async_session__ = db  # type: ignore[assignment]

    with pytest.raises(TypeError, match="is not callable"):
        await InSession.create_async()


async def test_marshmallow_sqlalchemy(db: AsyncSessionFactory) -> None:
    class UserSchema(SQLAlchemyAutoSchema):
        class Meta:
            model = User
            load_instance = True
            transient = True

    schema: Any = UserSchema()
    dumped = schema.dump(await db.all(USERS), many=True)
    assert dumped[0] == {"id": 1, "name": "ada", "born": "1815-12-10"}
    assert (await db.insert(schema.load({"name": "cy"}))).id == 3


@strawberry.type
class Person:
    id: int
    name: str


@strawberry.type
class Query:
    @strawberry.field
    async def users(self, info: strawberry.Info) -> list[Person]:
        return await info.context.all(USERS)  # type: ignore[no-any-return]


async def test_strawberry(db: AsyncSessionFactory) -> None:
    done = await strawberry.Schema(Query).execute("{ users { name } }", context_value=db)
    assert done.errors is None
    assert done.data == {"users": [{"name": "ada"}, {"name": "bob"}]}


class Out(msgspec.Struct):
    id: int
    name: str


async def in_session(state: State) -> AsyncIterator[AsyncSession]:
    async with state.db.begin() as session:
        yield session


@get("/users", dependencies={"session": Provide(in_session)})
async def list_users(session: NamedDependency[AsyncSession]) -> list[Out]:
    await session.insert(User(name="cy"))
    return list(await session.into(Out, USERS))


async def test_litestar(db: AsyncSessionFactory) -> None:
    app = Litestar([list_users], logging_config=None)
    app.state.db = db
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type,unused-ignore]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        found = await client.get("/users")
    assert [user["name"] for user in found.json()] == ["ada", "bob", "cy"]
    # the block has committed
    assert await db.count(select(User)) == 3


async def test_sqladmin(db: AsyncSessionFactory) -> None:
    class UserAdmin(ModelView, model=User):
        column_list = ["id", "name"]

    app = FastAPI()
    Admin(app, db.engine).add_view(UserAdmin)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        found = await client.get("/admin/user/list")
        assert "ada" in found.text
        made = await client.post("/admin/user/create", data={"name": "of the admin"})
        assert made.status_code in (200, 302)
    assert await db.exists(select(User).where(User.name == "of the admin"))


def version(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)[:3]]


async def test_pandas(db: AsyncSessionFactory) -> None:
    frame = pd.DataFrame((await db.execute(select(User.id, User.name))).mappings().all())
    assert list(frame["name"]) == ["ada", "bob"]
    frame = pd.DataFrame(map(vars, await db.all(USERS)))
    assert list(frame.columns) == ["id", "name", "born"]
    if version(sqlalchemy.__version__) >= version(VERSIONS["sqlalchemy"]):
        async with db.begin() as session:
            read = await session.conn.run_sync(lambda conn: pd.read_sql(USERS, conn))
        assert list(read["name"]) == ["ada", "bob"]
    await db.insert_all(frame[["name"]].to_dict("records"), model=User)
    assert await db.count(select(User)) == 4


async def test_polars(db: AsyncSessionFactory) -> None:
    result = await db.execute(select(User.id, User.name))
    frame = pl.DataFrame(result.all(), schema=list(result.keys()), orient="row")
    assert frame["name"].to_list() == ["ada", "bob"]
    async with db.begin() as session:
        read = await session.conn.run_sync(lambda conn: pl.read_database(USERS, conn))
    assert read["born"].to_list() == [dt.date(1815, 12, 10), None]
    await db.insert_all(frame.select("name").to_dicts(), model=User)
    assert await db.count(select(User)) == 4


async def test_opentelemetry(db: AsyncSessionFactory) -> None:
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = SQLAlchemyInstrumentor()
    instrumentor.instrument(
        engine=db.engine.sync_engine, tracer_provider=provider, skip_dep_check=True
    )
    try:
        await db.all(USERS)
    finally:
        instrumentor.uninstrument()
    assert "SELECT" in {span.name.split()[0] for span in exporter.get_finished_spans()}


# it listens to all engines of the process, for good
@pytest.mark.alone
async def test_sentry_sdk(db: AsyncSessionFactory) -> None:
    import sentry_sdk
    from sentry_sdk.integrations import sqlalchemy as integration
    from sentry_sdk.transport import Transport

    class Kept(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            sent.append(envelope.get_transaction_event())

    sent: list[Any] = []
    sentry_sdk.init(
        dsn="https://key@sentry.example/1",
        transport=Kept,
        traces_sample_rate=1.0,
        default_integrations=False,
        integrations=[integration.SqlalchemyIntegration()],
    )
    with sentry_sdk.start_transaction(name="users"):
        await db.all(USERS)
    assert [span["op"] for span in sent[0]["spans"]] == ["db"]


def test_each_line_of_the_page_has_a_test() -> None:
    lines = re.findall(r"^\| \[([\w-]+)\]", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    tests = [name.removeprefix("test_") for name in globals() if name.startswith("test_")]
    assert [line.lower().replace("-", "_") for line in lines] == tests[:-1]
