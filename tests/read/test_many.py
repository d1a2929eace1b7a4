"""``get_many()`` and ``loader()``: objects by many keys."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import ForeignKey, String, insert, select
from sqlalchemy.exc import (
    ArgumentError,
    InvalidRequestError,
    MultipleResultsFound,
    NoResultFound,
    SQLAlchemyError,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    load_only,
    mapped_column,
    relationship,
    selectinload,
)

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    InvalidSessionState,
    InvalidStatement,
    NotLoadedError,
    SessionFactory,
)
from naked_sqla.testing import count_statements

from .._examples import examples
from ..models.blog import User
from ..models.columns import Pair
from ..models.inheritance import Animal, Person
from ..oracle import Comparison, Oracle, OrmSession


def theirs(oracle: Oracle, model: Any, idents: Any, options: Any = None) -> list[Any]:
    """What ``get()`` of the ORM gives for each key."""

    async def main() -> list[Any]:
        async with oracle.engine.connect() as conn:
            session = OrmSession(bind=conn, expire_on_commit=False)
            found = [await session.get(model, ident, options=options) for ident in idents]
            session.expunge_all()
            return found

    return oracle.run(main())


def check(
    oracle: Oracle, model: Any, idents: Any, options: Any = None, statements: Any = (1,)
) -> None:
    expected = theirs(oracle, model, idents, options)

    async def work(session: AsyncSession) -> list[Any]:
        with oracle.recorded() as executed:
            found = await session.get_many(model, iter(idents), options=options, missing="none")
        assert len(executed) in (statements if idents else (0,))
        skipped = await session.get_many(model, idents, options=options, missing="skip")
        assert len(skipped) == len([obj for obj in found if obj is not None])
        return found

    found = oracle.naked(work)
    differences = list(Comparison(expected, hidden=True).differences(expected, found))
    assert not differences, differences


CASES: dict[str, tuple[Any, ...]] = {
    "in the order of the keys": (User, [3, 1, 5, 2]),
    "some are missing": (User, [99, 1, 98, 2, -1]),
    "the same twice": (User, [2, 1, 2, 2]),
    "none": (User, []),
    "composite": (Pair, [(2, "b"), (1, "a"), (9, "z"), (1, "b")]),
    "by name": (Pair, [{"right": "a", "left": 1}, {"left": 2, "right": "b"}]),
    "polymorphic": (Person, [1, 2, 3, 4, 5, 6]),
    "single table": (Animal, [4, 3, 2, 1]),
    "selectin": (User, [2, 1], [selectinload(User.posts)], (2,)),
    "joined": (User, [2, 1], [joinedload(User.posts)]),
    "columns": (User, [2, 1], [load_only(User.name)]),
}


@pytest.mark.parametrize("name", CASES)
def test_next_to_get_of_the_orm(oracle: Oracle, name: str) -> None:
    check(oracle, *CASES[name])


@given(
    idents=st.lists(st.integers(-2, 8), max_size=12),
    pairs=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abAz")), max_size=6),
)
@examples(40)
def test_random_keys(oracle: Oracle, idents: list[int], pairs: list[Any]) -> None:
    check(oracle, User, idents)
    # which of two spellings is stored, only the database tells
    check(oracle, Pair, pairs, None, (1, 2))


@pytest.mark.parametrize(
    ("model", "idents", "error", "says"),
    [
        (User, [1, None], InvalidRequestError, "None finds no row"),
        (User, [(1, 2)], InvalidRequestError, "incorrect number of values"),
        (Pair, [1], InvalidRequestError, "left, right"),
        (User, [{"nmae": 1}], InvalidRequestError, "incorrect names"),
        (User, [{"id": []}], InvalidRequestError, "has no hash"),
        (User, [1, 98, 99], NoResultFound, "primary keys 98, 99 of User"),
        ("User", [1], ArgumentError, "get_many(User, [1, 2])"),
        (select(User), [1], ArgumentError, "get_many"),
    ],
)
def test_refused(
    oracle: Oracle, model: Any, idents: Any, error: type[Exception], says: str
) -> None:
    async def work(session: AsyncSession) -> None:
        with pytest.raises(error) as caught:
            await session.get_many(model, idents)
        assert says in str(caught.value)

    oracle.naked(work)


def test_another_word(oracle: Oracle) -> None:
    async def work(session: AsyncSession) -> None:
        with pytest.raises(ValueError, match="'none' for None"):
            await session.get_many(User, [1], missing="ignore")  # type: ignore[call-overload]

    oracle.naked(work)


# --- many rows, and keys that only the database finds equal ---


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("owner.code"))
    rank: Mapped[int]


class Owner(Base):
    __tablename__ = "owner"

    code: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    things: Mapped[list[Thing]] = relationship(order_by=Thing.id, viewonly=True)


class Padded(Base):
    __tablename__ = "padded"

    word: Mapped[str] = mapped_column(String(collation="NOCASE"), primary_key=True)


SIZE = 1200


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    tables = [Owner.__table__, Thing.__table__]
    async with engine.begin() as conn:
        await conn.run_sync(lambda sync: Base.metadata.create_all(sync, tables))  # type: ignore[arg-type]
        owners = [{"code": i, "name": f"o{i}"} for i in range(1, SIZE + 1)]
        await conn.execute(insert(Owner.__table__).values(owners))  # type: ignore[arg-type]
        things = [{"id": i, "owner_id": i % 3 + 1, "rank": -i} for i in range(1, 10)]
        await conn.execute(insert(Thing.__table__).values(things))  # type: ignore[arg-type]
    return AsyncSessionFactory(engine)


async def test_any_number(db: AsyncSessionFactory) -> None:
    wanted = list(range(SIZE, 0, -1))
    with count_statements(db.engine) as sent:
        found = await db.get_many(Owner, wanted)
    assert [owner.code for owner in found] == wanted
    selects = [one for one in sent if "FROM owner" in one.sql]
    assert len(selects) == 1
    with count_statements(db.engine) as sent:
        found = await db.loader(Owner, (Owner.code, Owner.name)).load_many(
            [(code, f"o{code}") for code in wanted]
        )
    assert [owner and owner.code for owner in found] == wanted
    assert len([one for one in sent if "FROM owner" in one.sql]) == 3
    assert [o.code for o in await db.read().get_many(Owner, [2, 7])] == [2, 7]
    (owner,) = await db.get_many(Owner, [1], options=[load_only(Owner.code)])
    with pytest.raises(NotLoadedError):
        print(owner.name)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_the_database_decides_which_keys_are_equal(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(lambda sync: Base.metadata.create_all(sync, [Padded.__table__]))  # type: ignore[list-item]
        await conn.execute(insert(Padded.__table__), [{"word": "Ann"}, {"word": "bob"}])  # type: ignore[arg-type]
    db = AsyncSessionFactory(engine)
    for wanted in (["ann", "BOB"], ["ANN", "Ann"], ["bob", "x", "aNN"]):
        found = await db.get_many(Padded, wanted, missing="none")
        one_by_one = [await db.get(Padded, word) for word in wanted]
        assert [o and o.word for o in found] == [o and o.word for o in one_by_one]


@pytest.mark.parametrize("backend", ["sqlite", "psycopg"], indirect=True)
def test_on_the_synchronous_face(sync_engine: Any) -> None:
    Base.metadata.create_all(sync_engine, [Owner.__table__])  # type: ignore[list-item]
    db = SessionFactory(sync_engine)
    db.execute(insert(Owner), [{"code": 1, "name": "a"}, {"code": 2, "name": "b"}])
    assert [owner.name for owner in db.get_many(Owner, [2, 1])] == ["b", "a"]
    assert not hasattr(db, "loader")


# --- the loader ---


async def test_one_statement_for_a_turn(db: AsyncSessionFactory) -> None:
    owners = db.loader(Owner)
    with count_statements(db.engine) as sent:
        found = await asyncio.gather(*(owners.load(code) for code in (3, 1, 3, 5000)))
    assert [owner and owner.code for owner in found] == [3, 1, 3, None]
    assert found[0] is found[2]
    assert len(sent) == 1
    with count_statements(db.engine) as sent:
        assert await owners.load(1) is found[1]
        assert await owners.load_many([3, 5000]) == [found[0], None]
    assert len(sent) == 0
    with count_statements(db.engine) as sent:
        owners.clear(1)
        assert await owners.load(1) is not found[1]
        owners.clear()
        await owners.load_many([1, 3])
    assert len(sent) == 2


async def test_lists_by_another_key(db: AsyncSessionFactory) -> None:
    things = db.loader(Thing, key=Thing.owner_id, many=True, order_by=Thing.rank)
    with count_statements(db.engine) as sent:
        found = await things.load_many([1, 2, 9])
    assert len(sent) == 1
    assert [[thing.id for thing in some] for some in found] == [[9, 6, 3], [7, 4, 1], []]
    found[0].clear()
    assert len(await things.load(1)) == 3
    names = db.loader(Owner, Owner.name, options=[selectinload(Owner.things)])
    owner = await names.load("o2")
    assert owner is not None
    assert [thing.id for thing in owner.things] == [1, 4, 7]
    pairs = db.loader(Thing, (Thing.owner_id, Thing.rank))
    one, none = await pairs.load_many([(1, -3), (1, -4)])
    assert one is not None
    assert (one.id, none) == (3, None)


async def test_errors_reach_whom_they_belong(db: AsyncSessionFactory, backend: str) -> None:
    owners = db.loader(Owner)
    keys: list[Any] = [1, None, "x", (1, 2), 2, 2**70, []]
    found = await asyncio.gather(*map(owners.load, keys), return_exceptions=True)
    assert isinstance(found[0], Owner)
    assert isinstance(found[4], Owner)
    assert isinstance(found[1], InvalidRequestError)
    assert isinstance(found[3], InvalidRequestError)
    assert isinstance(found[6], InvalidRequestError)
    if backend == "sqlite":
        assert found[2] is None
    else:
        assert isinstance(found[2], SQLAlchemyError)
    assert found[5] is None or isinstance(found[5], Exception)
    several = db.loader(Thing, Thing.owner_id)
    both = await asyncio.gather(several.load(1), several.load(77), return_exceptions=True)
    assert isinstance(both[0], MultipleResultsFound)
    assert both[1] is None


async def test_a_failed_key_is_asked_for_anew(db: AsyncSessionFactory) -> None:
    missing = db.loader(Padded)
    for _ in range(2):
        with count_statements(db.engine) as sent:
            found = await asyncio.gather(
                missing.load("a"), missing.load("b"), return_exceptions=True
            )
        assert all(isinstance(error, SQLAlchemyError) for error in found)
        assert len(sent) == 1


async def test_a_cancelled_caller_leaves_the_others(db: AsyncSessionFactory) -> None:
    owners = db.loader(Owner)
    first, second = asyncio.create_task(owners.load(1)), asyncio.create_task(owners.load(1))
    await asyncio.sleep(0)
    first.cancel()
    owner = await second
    assert owner is not None
    assert owner.code == 1
    assert first.cancelled()
    again = asyncio.create_task(owners.load(7))
    await asyncio.sleep(0)
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
    assert await owners.load(7) is not None
    gc.collect()


async def test_in_a_session(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        owners, things = session.loader(Owner), session.loader(Thing, Thing.owner_id, many=True)
        owner, some = await asyncio.gather(owners.load(1), things.load(1))
        assert owner is not None
        assert (owner.code, len(some)) == (1, 3)
    with pytest.raises(InvalidSessionState):
        await owners.load(2)
    assert (await db.read().loader(Owner).load(2)) is not None


async def test_what_is_known_is_not_asked_for(db: AsyncSessionFactory) -> None:
    owners, things = db.loader(Owner), db.loader(Thing, Thing.owner_id, many=True)
    owner = Owner(code=1, name="given")
    with count_statements(db.engine) as sent:
        owners.prime(1, owner)
        owners.prime(2, None)
        things.prime(1, [])
        assert await owners.load_many([1, 2]) == [owner, None]
        assert await things.load(1) == []
        owners.prime(1, None)
        assert await owners.load(1) is owner
    assert len(sent) == 0


async def test_values_that_are_to_be_hidden(database_url: Any, db: AsyncSessionFactory) -> None:
    hiding = create_async_engine(database_url, hide_parameters=True)
    owners = AsyncSessionFactory(hiding).loader(Thing, Thing.owner_id)
    for key in (1, ["secret"]):
        with pytest.raises(SQLAlchemyError) as caught:
            await owners.load(key)
        assert "hidden" in str(caught.value)
        assert "secret" not in str(caught.value)
    with pytest.raises(NoResultFound) as caught:
        await AsyncSessionFactory(hiding).get_many(Owner, [4711])
    assert "4711" not in str(caught.value)
    await hiding.dispose()


async def test_no_loader(db: AsyncSessionFactory) -> None:
    with pytest.raises(InvalidStatement, match="name its foreign key"):
        db.loader(Owner, Owner.things)
    with pytest.raises(InvalidStatement, match="an attribute of the class"):
        db.loader(Owner, "name")
    with pytest.raises(ArgumentError):
        db.loader("Owner")  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        db.loader(Owner, execution_options="x")  # type: ignore[call-overload]
