"""Writing by object on sessions and factories, asynchronous and synchronous."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect as inspection
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    Table,
    UniqueConstraint,
    create_engine,
    func,
    insert,
    null,
    select,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm.exc import StaleDataError

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    ConcurrentSessionUse,
    InvalidSessionState,
    InvalidStatement,
    NotLoadedError,
    SessionFactory,
    TransactionRolledBack,
    UnknownAttribute,
    to_naked,
    to_orm,
)
from naked_sqla.sessions._async.writes import AsyncWrites
from naked_sqla.sessions._sync.writes import SyncWrites

from .._notes import checked_out

# ruff: noqa: PT012 - what a block raises at its end is what many of these are about


on_postgresql = pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    __table_args__ = (UniqueConstraint("first", "last"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    visits: Mapped[int] = mapped_column(default=0)
    level: Mapped[str | None] = mapped_column(server_default="new")
    first: Mapped[str | None]
    last: Mapped[str | None]
    posts: Mapped[list[Post]] = relationship(back_populates="author", lazy="selectin")


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    author: Mapped[User] = relationship(back_populates="posts")


class Draft(Base):
    __tablename__ = "draft"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str | None]
    version: Mapped[int] = mapped_column()
    posts: Mapped[list[Post]] = relationship(secondary="label")
    __mapper_args__ = {"version_id_col": version}


@dataclasses.dataclass
class UserIn:
    name: str
    visits: int = 5


label = Table(
    "label",
    Base.metadata,
    Column("post_id", ForeignKey("post.id"), primary_key=True),
    Column("draft_id", ForeignKey("draft.id"), primary_key=True),
)


class UserPatch(BaseModel):
    id: int
    name: str = "nobody"
    level: str | None = None


METHODS = sorted(
    {name for cls in AsyncWrites.__mro__[:-1] for name in vars(cls) if not name.startswith("_")}
)

# A method of a session or a factory, called by its name.
Call = Callable[..., Any]


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    return AsyncSessionFactory(engine)


@pytest.fixture
def sync_db(sync_engine: Engine) -> SessionFactory:
    Base.metadata.create_all(sync_engine)
    return SessionFactory(sync_engine)


@pytest.fixture
def memory() -> Iterator[Engine]:
    """A synchronous engine on a database in memory."""
    engine = create_engine("sqlite://")
    yield engine
    engine.dispose()


def caller(face: Any) -> Call:
    """Calls a method of any face, and awaits what is to be awaited."""

    async def call(name: str, /, *args: Any, **kwargs: Any) -> Any:
        value = getattr(face, name)(*args, **kwargs)
        return await value if inspection.isawaitable(value) else value

    return call


async def names(db: AsyncSessionFactory | SessionFactory) -> list[str]:
    """What another connection sees."""
    found = await caller(db)("scalars", select(User.name).order_by(User.name))
    return list(found.all())


# ---------------------------------------------------------------- what each method does


async def scenario(call: Call) -> None:
    """Every method once, on rows of one table."""
    given = User(name="ann")
    ann = await call("insert", given)
    assert ann.id >= 1
    assert (ann.name, ann.visits, ann.level, ann.first) == ("ann", 0, "new", None)
    assert ann.__class__ is User
    assert given.id is None
    bob = await call("insert", {"name": "bob", "level": null()}, model=User)
    assert (bob.level, bob.visits) == (None, 0)
    eve = await call("insert", UserIn("eve"), model=User)
    assert (eve.visits, eve.level) == (5, "new")
    more = [User(name=f"u{i}") for i in (3, 1, 2)]
    stored = await call("insert_all", more, batch_size=2)
    assert [u.name for u in stored] == ["u3", "u1", "u2"]
    assert [u.id for u in stored] == sorted({u.id for u in stored})

    ann.name, ann.visits = "anna", 3
    found = await call("update", ann, "visits")
    assert (found.name, found.visits) == ("ann", 3)
    assert (await call("update", ann, User.name)).name == "anna"
    assert await call("update", ann, returning=False) == 1
    found = await call("update", User, ann.id, visits=User.visits + 1, level=func.upper("old"))
    assert (found.visits, found.level) == (4, "OLD")
    assert await call("update", User, (ann.id,), visits=0, returning=False) == 1
    patched = await call("update", UserPatch(id=ann.id, level="x"), model=User)
    assert (patched.name, patched.level) == ("anna", "x")
    for user in stored:
        user.visits = 9
    found = await call("update_all", stored, User.visits)
    assert [(u.name, u.visits) for u in found] == [("u3", 9), ("u1", 9), ("u2", 9)]
    assert await call("update_all", stored, "visits", returning=False) == 3

    found = await call("upsert", User(name="bob", visits=7), on=User.name)
    assert (found.id, found.visits, found.level) == (bob.id, 7, None)
    found = await call("upsert_all", [User(name="new"), User(name="bob")], on="name", update=[])
    assert [(u.name, u.visits) for u in found] == [("new", 0), ("bob", 7)]
    keyed = await call("upsert", User(id=bob.id, name="rob"))
    assert (keyed.name, keyed.visits) == ("rob", 7)
    pair = await call("insert", User(name="pair", first="a", last="b"))
    again = {"name": "twin", "first": "a", "last": "b"}
    found = await call("upsert", again, on=[User.first, "last"], update="name", model=User)
    assert (found.id, found.name) == (pair.id, "twin")

    assert await call("delete", pair) is True
    assert await call("delete", pair, missing_ok=True) is False
    assert await call("delete", User, bob.id) is True
    assert await call("delete", {"id": bob.id}, model=User, missing_ok=True) is False
    assert await call("delete_all", [*stored, pair], missing_ok=True) == 3
    with pytest.raises(StaleDataError, match=f"User: the row with primary key {pair.id} is gone"):
        await call("delete", pair)


LEFT = ["anna", "eve", "new"]


async def test_in_an_async_session(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        with pytest.raises(StaleDataError):
            async with session.begin_nested():
                await scenario(caller(session))
                await session.update(User, 12345, name="x")
    assert await names(db) == []
    async with db.begin() as session:
        await scenario(caller(session))
        assert session.state == "open"
    assert await names(db) == LEFT
    assert checked_out(db.engine) == 0


async def test_on_an_async_factory(db: AsyncSessionFactory) -> None:
    await scenario(caller(db))
    assert await names(db) == LEFT
    assert checked_out(db.engine) == 0


async def test_in_a_session(sync_db: SessionFactory) -> None:
    with sync_db.begin() as session:
        await scenario(caller(session))
        session.rollback()
    assert await names(sync_db) == []
    with sync_db.begin() as session:
        await scenario(caller(session))
    assert await names(sync_db) == LEFT


async def test_on_a_factory(sync_db: SessionFactory) -> None:
    await scenario(caller(sync_db))
    assert await names(sync_db) == LEFT
    assert checked_out(sync_db.engine) == 0


async def test_a_session_on_a_connection(engine: AsyncEngine, db: AsyncSessionFactory) -> None:
    async with engine.connect() as conn:
        session = AsyncSession(conn)
        await session.insert(User(name="a"))
        await session.rollback()
        session = AsyncSession(conn)
        await session.insert(User(name="b"))
        await session.commit()
    assert await names(db) == ["b"]


def test_both_faces_have_the_same_methods() -> None:
    for cls in (AsyncWrites, SyncWrites):
        assert [name for name in dir(cls) if name[0] != "_"] == METHODS
    for name in METHODS:
        theirs = inspection.signature(getattr(AsyncWrites, name))
        ours = inspection.signature(getattr(SyncWrites, name))
        assert list(theirs.parameters) == list(ours.parameters)


# ---------------------------------------------------------------- who may call them, and when

CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "insert": ((User(name="x"),), {}),
    "insert_all": (([User(name="x")],), {}),
    "update": ((User, 1), {"name": "x"}),
    "update_all": (([{"id": 1, "name": "x"}],), {"model": User}),
    "upsert": ((User(name="x"),), {}),
    "upsert_all": (([User(name="x")],), {}),
    "delete": ((User, 1), {}),
    "delete_all": (([User(id=1)],), {}),
    "link": ((1, Draft.posts, [1]), {}),
    "unlink": ((Draft(id=1), Draft.posts, [1]), {}),
    "relink": ((1, Draft.posts, []), {}),
    "copy_in": ((User, [{"name": "x"}]), {}),
    "notify": (("channel", "x"), {}),
}


def test_no_method_is_left_out() -> None:
    assert sorted(CALLS) == METHODS


@pytest.mark.parametrize("method", METHODS)
async def test_closed_sessions(db: AsyncSessionFactory, memory: Engine, method: str) -> None:
    args, kwargs = CALLS[method]
    async with db.begin() as session:
        await session.commit()
        with pytest.raises(InvalidSessionState, match=rf"^{method}\(\) on a closed session"):
            await caller(session)(method, *args, **kwargs)
    with SessionFactory(memory).begin() as sync_session:
        pass
    with pytest.raises(InvalidSessionState, match=rf"^{method}\(\) on a closed session"):
        await caller(sync_session)(method, *args, **kwargs)
    assert await names(db) == []


@pytest.mark.parametrize("method", METHODS)
async def test_a_factory_that_does_not_commit(
    db: AsyncSessionFactory, memory: Engine, method: str
) -> None:
    args, kwargs = CALLS[method]
    for factory in (
        AsyncSessionFactory(db.engine, auto_commit=False),
        SessionFactory(memory, auto_commit=False),
    ):
        with pytest.raises(InvalidSessionState, match=rf"^{method}\(\) of a factory with") as told:
            await caller(factory)(method, *args, **kwargs)
        assert "session.commit()" in str(told.value)
    assert checked_out(db.engine) == 0
    autocommit = AsyncSessionFactory(db.engine.execution_options(isolation_level="AUTOCOMMIT"))
    with pytest.raises(InvalidSessionState, match="AUTOCOMMIT"):
        await caller(autocommit)(method, *args, **kwargs)
    assert await names(db) == []


@pytest.mark.parametrize("method", METHODS)
async def test_concurrent_use(db: AsyncSessionFactory, method: str) -> None:
    """A second task is told so at once, and the first one's work is stored."""
    args, kwargs = CALLS[method]
    async with db.begin() as session:
        first = asyncio.create_task(session.insert(User(name="first")), name="first")
        await asyncio.sleep(0)
        with pytest.raises(ConcurrentSessionUse, match="'first' is inside it"):
            await caller(session)(method, *args, **kwargs)
        assert (await first).name == "first"
        await session.insert(User(name="last"))
    assert await names(db) == ["first", "last"]


@pytest.mark.parametrize("method", METHODS)
async def test_concurrent_use_by_threads(sync_db: SessionFactory, method: str) -> None:
    args, kwargs = CALLS[method]
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[User]:
        yield User(name="first")
        inside.set()
        assert go_on.wait(20)

    with sync_db.begin() as session:
        thread = threading.Thread(target=lambda: session.insert_all(slow()), name="first")
        thread.start()
        assert inside.wait(20)
        with pytest.raises(ConcurrentSessionUse, match="'first' is inside it"):
            await caller(session)(method, *args, **kwargs)
        go_on.set()
        thread.join()
    assert await names(sync_db) == ["first"]


# ---------------------------------------------------------------- failures


async def test_a_swallowed_error(db: AsyncSessionFactory, backend: str) -> None:
    """PostgreSQL has given the transaction up; SQLite goes on after the failed statement."""

    async def attempts() -> None:
        async with db.begin() as session:
            await session.insert(User(name="kept"))
            with pytest.raises(IntegrityError):
                await session.insert_all([User(name="a"), User(name="kept")])

    if backend == "sqlite":
        await attempts()
        assert await names(db) == ["kept"]
    else:
        with pytest.raises(TransactionRolledBack) as raised:
            await attempts()
        assert isinstance(raised.value.__cause__, IntegrityError)
        assert await names(db) == []


async def test_a_savepoint_around_it(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.insert(User(name="kept"))
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await session.insert_all([User(name="a"), User(name="kept")])
        await session.insert(User(name="more"))
    assert await names(db) == ["kept", "more"]


async def test_a_refusal_does_not_end_the_transaction(db: AsyncSessionFactory) -> None:
    """What is refused before anything is sent leaves the session as it was."""
    async with db.begin() as session:
        await session.insert(User(name="kept"))
        with pytest.raises(UnknownAttribute, match=r"nmae.*Did you mean 'name'"):
            await session.insert({"nmae": "x"}, model=User)
        with pytest.raises(InvalidStatement, match="model=User"):
            await session.insert({"name": "x"})
        with pytest.raises(InvalidRequestError, match="No primary key"):
            await session.update(User(name="x"))
        with pytest.raises(StaleDataError, match="primary key 99 is gone"):
            await session.update(User, 99, name="x")
        assert await session.scalar(select(func.count(User.id))) == 1
    assert await names(db) == ["kept"]


async def test_stale_versions(db: AsyncSessionFactory) -> None:
    draft = await db.insert(Draft(text="a"))
    draft.text = "b"
    newer = await db.update(draft)
    assert (draft.version, newer.version) == (1, 2)
    for attempt in (
        lambda: db.update(draft),
        lambda: db.update_all([draft]),
        lambda: db.delete(draft),
        lambda: db.delete_all([draft]),
    ):
        with pytest.raises(StaleDataError, match=f"key {draft.id} has another version by now"):
            await attempt()
    assert (await db.get_one(Draft, draft.id)).text == "b"
    assert await db.delete(newer)


async def test_update_all_is_all_or_nothing(db: AsyncSessionFactory) -> None:
    """On a factory: one row that is gone, and none is written."""
    users = await db.insert_all([User(name=f"u{i}") for i in range(5)])
    await db.delete(users[2])
    for user in users:
        user.level = "changed"
    with pytest.raises(StaleDataError, match=f"primary key {users[2].id} is gone"):
        await db.update_all(users)
    with pytest.raises(StaleDataError, match=f"primary key {users[2].id} is gone"):
        await db.delete_all(users)
    levels = await db.scalars(select(User.level))
    assert levels.all() == ["new"] * 4


# ---------------------------------------------------------------- relationships, the ORM


async def test_relationships_are_not_cascaded(db: AsyncSessionFactory) -> None:
    with pytest.raises(InvalidStatement, match=r"User\.posts has an object"):
        await db.insert(User(name="ann", posts=[Post(title="unseen")]))
    ann = await db.insert(User(name="ann"))
    with pytest.raises(NotLoadedError):
        ann.posts  # noqa: B018
    assert await db.scalar(select(func.count(Post.id))) == 0
    async with db.begin() as session:
        posts = [Post(title=t, author_id=ann.id) for t in ("one", "two")]
        await session.insert_all(posts)
    loaded = await db.get_one(User, ann.id)
    assert [post.title for post in loaded.posts] == ["one", "two"]
    loaded.name = "anna"
    loaded.posts[0].title = "unseen"
    assert (await db.update(loaded)).name == "anna"
    again = await db.get_one(User, ann.id)
    assert [post.title for post in again.posts] == ["one", "two"]


async def test_to_the_orm_and_back(db: AsyncSessionFactory) -> None:
    ann = await db.insert(User(name="ann"))
    async with db.begin() as session:

        def merge(conn: Any) -> User:
            with OrmSession(conn) as orm:
                instance = to_orm(ann)
                instance.level = "merged"
                merged = orm.merge(instance)
                orm.flush()
                return to_naked(merged)

        naked = await session.conn.run_sync(merge)
        assert naked.level == "merged"
        naked.level = "back"
        assert (await session.update(naked)).level == "back"
    assert (await db.get_one(User, ann.id)).level == "back"


# ---------------------------------------------------------------- COPY


async def some(count: int, twice: int | None = None) -> AsyncIterator[dict[str, Any]]:
    """Rows, each after a suspension; row ``twice`` has the name of the first one."""
    for i in range(count):
        await asyncio.sleep(0)
        yield {"name": f"c{0 if i == twice else i:03}"}


@on_postgresql
async def test_copy(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        assert await session.copy_in(User, some(3)) == 3
        assert await session.copy_in(User, [("x", 5)], columns=["name", User.visits]) == 1
        assert await session.copy_in(User, []) == 0
        assert await session.scalar(select(func.count(User.id))) == 4
    assert await names(db) == ["c000", "c001", "c002", "x"]
    assert (await db.scalars(select(User.visits).order_by(User.name))).all() == [0, 0, 0, 5]
    assert await db.copy_in(User, (User(name=f"d{i}") for i in range(2))) == 2
    assert len(await names(db)) == 6


@on_postgresql
async def test_copy_from_another_session(db: AsyncSessionFactory) -> None:
    """What one session streams another one copies; neither holds more than a chunk."""
    await db.copy_in(User, some(300))
    async with db.begin() as source, db.begin() as target:
        statement = select(User.name, User.id).order_by(User.id)
        async with source.stream(statement, execution_options={"yield_per": 50}) as rows:
            copied = (Draft(text=name, version=1, id=key) async for name, key in rows)
            assert await target.copy_in(Draft, copied) == 300
    assert await db.scalar(select(func.count(Draft.id))) == 300
    assert checked_out(db.engine) == 0


@on_postgresql
async def test_a_copy_that_fails(db: AsyncSessionFactory) -> None:
    """It is a failed statement: nothing can be committed, unless a savepoint was around it."""
    for rows in (lambda: some(50, twice=30), lambda: [{"name": "x"}, {"name": "x"}]):
        with pytest.raises(TransactionRolledBack) as raised:
            async with db.begin() as session:
                await session.insert(User(name="lost"))
                with pytest.raises(IntegrityError):
                    await session.copy_in(User, rows())
        assert isinstance(raised.value.__cause__, IntegrityError)
        with pytest.raises(DBAPIError, match="aborted"):
            async with db.begin() as session:
                with pytest.raises(IntegrityError):
                    await session.copy_in(User, rows())
                await session.insert(User(name="lost"))
        assert await names(db) == []
        async with db.begin() as session:
            with pytest.raises(IntegrityError):
                async with session.begin_nested():
                    await session.copy_in(User, rows())
            await session.insert(User(name="kept"))
        assert await names(db) == ["kept"]
        with pytest.raises(IntegrityError):
            await db.copy_in(User, rows())
        await db.delete_all((await db.scalars(select(User))).all())
    assert checked_out(db.engine) == 0


class Broken(Exception):
    """Raised by the rows themselves."""


async def broken() -> AsyncIterator[dict[str, Any]]:
    async for row in some(3):
        yield row
    raise Broken


@on_postgresql
async def test_rows_that_fail(db: AsyncSessionFactory) -> None:
    """The error of the rows comes out, and nothing of the copy is stored."""
    with pytest.raises(Broken):
        async with db.begin() as session:
            await session.copy_in(User, broken())
    with pytest.raises(Broken):
        await db.copy_in(User, broken())
    assert await names(db) == []
    async with db.begin() as session:
        with pytest.raises(Broken):
            async with session.begin_nested():
                await session.copy_in(User, broken())
        await session.insert(User(name="kept"))
    assert await names(db) == ["kept"]


@on_postgresql
async def test_rows_that_fail_and_are_swallowed(db: AsyncSessionFactory) -> None:
    with pytest.raises(TransactionRolledBack) as raised:
        async with db.begin() as session:
            await session.insert(User(name="lost"))
            with pytest.raises(Broken):
                await session.copy_in(User, broken())
    assert isinstance(raised.value.__cause__, Broken)
    assert await names(db) == []


@on_postgresql
async def test_rows_that_use_the_session(db: AsyncSessionFactory) -> None:
    """The connection is in the middle of the COPY."""
    async with db.begin() as session:

        async def rows() -> AsyncIterator[dict[str, Any]]:
            yield {"name": "a"}
            await session.scalar(select(func.count(User.id)))

        with pytest.raises(ConcurrentSessionUse):
            async with session.begin_nested():
                await session.copy_in(User, rows())
        await session.insert(User(name="kept"))
    assert await names(db) == ["kept"]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_copy_elsewhere(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        with pytest.raises(InvalidStatement, match=r"sqlite.*Use insert_all\(\)"):
            await session.copy_in(User, some(3))
        await session.insert(User(name="kept"))
    assert await names(db) == ["kept"]


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
def test_copy_in_a_synchronous_session(sync_db: SessionFactory) -> None:
    with sync_db.begin() as session:
        assert session.copy_in(User, ({"name": f"s{i}"} for i in range(3))) == 3
        with pytest.raises(InvalidStatement, match="AsyncSession"):
            session.copy_in(User, some(3))  # type: ignore[arg-type]

        def rows() -> Iterator[dict[str, Any]]:
            yield {"name": "a"}
            session.insert(User(name="b"))

        with pytest.raises(ConcurrentSessionUse), session.begin_nested():
            session.copy_in(User, rows())
    assert sync_db.copy_in(User, [User(name="s9")]) == 1
    with (
        pytest.raises(TransactionRolledBack),
        sync_db.begin() as session,
        pytest.raises(IntegrityError),
    ):
        session.copy_in(User, [User(name="s9")])
    assert sync_db.scalar(select(func.count(User.id))) == 4


# ---------------------------------------------------------------- many rows, one of them bad

MANY = 100_000


@pytest.fixture(scope="module")
def bad_rows() -> list[dict[str, Any]]:
    rows = [{"id": i, "name": f"n{i}"} for i in range(1, MANY + 1)]
    rows[MANY // 2]["name"] = "n7"
    return rows


async def by_statement(session: AsyncSession, rows: Any) -> None:
    await session.execute(insert(User), rows)


async def by_objects(session: AsyncSession, rows: Any) -> None:
    await session.insert_all(rows, model=User)


async def by_copy(session: AsyncSession, rows: Any) -> None:
    await session.copy_in(User, rows)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", [by_statement, by_objects, by_copy])
async def test_one_bad_value_among_many(
    db: AsyncSessionFactory, backend: str, way: Any, bad_rows: list[dict[str, Any]]
) -> None:
    """The error leaves the block and nothing is stored; nor of the statement alone."""
    if way is by_copy and backend == "sqlite":
        return
    with pytest.raises(IntegrityError):
        async with db.begin() as session:
            await session.insert(User(id=0, name="before"))
            await way(session, bad_rows)
    assert await names(db) == []
    async with db.begin() as session:
        await session.insert(User(id=0, name="before"))
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await way(session, bad_rows)
    assert await names(db) == ["before"]


async def test_the_dict_of_an_instance(db: AsyncSessionFactory) -> None:
    """``__dict__`` has what the ORM keeps there, and says so."""
    user = User(name="x")
    for write in (
        lambda: db.execute(insert(User), [user.__dict__]),
        lambda: db.execute(insert(User), vars(user)),
        lambda: db.execute(insert(User).values(**vars(user))),
        lambda: db.execute(insert(User.__table__), [vars(user)]),
        lambda: db.insert(vars(user), model=User),
        lambda: db.upsert_all([vars(user)], model=User),
    ):
        with pytest.raises(UnknownAttribute, match=r"'_sa_instance_state'.*Pass the instance"):
            await write()
    assert await names(db) == []
