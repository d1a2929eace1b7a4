"""link(), unlink(), relink() of a factory with criteria, next to the ORM's collections."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Column, Engine, ForeignKey, String, Table, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
    selectinload,
    with_loader_criteria,
)

from naked_sqla import (
    AsyncSessionFactory,
    Relinked,
    RowExcluded,
    RowGone,
    SessionFactory,
    UnsupportedOption,
)
from naked_sqla.testing import count_statements


class Base(DeclarativeBase):
    pass


class SoftDelete:
    gone: Mapped[bool] = mapped_column(default=False)


def between(name: str, to: str, *more: Any) -> Table:
    own = Column("team_id", ForeignKey("teams.id"), primary_key=True)
    return Table(name, Base.metadata, own, Column("who", ForeignKey(to), primary_key=True), *more)


class Team(SoftDelete, Base):
    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    members: Mapped[list[User]] = relationship(secondary="members", order_by="User.id")
    fans: Mapped[list[User]] = relationship(secondary="fans", order_by="User.id")
    watchers: Mapped[list[User]] = relationship(secondary="watchers", order_by="User.id")
    guests: Mapped[list[User]] = relationship(secondary="guests", order_by="User.id")


class User(SoftDelete, Base):
    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[int]
    email: Mapped[str] = mapped_column(String, unique=True)
    friends: Mapped[list[User]] = relationship(
        secondary=lambda: friends,
        primaryjoin=lambda: User.id == friends.c.me,
        secondaryjoin=lambda: User.id == friends.c.them,
    )


class Watching(SoftDelete, Base):
    """The rows in between are objects, which are deleted softly too."""

    __tablename__ = "watchers"

    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), primary_key=True)
    who: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)


class Visit(SoftDelete, Base):
    __tablename__ = "visits"

    id: Mapped[int] = mapped_column(primary_key=True)


class Guest(Visit):
    """The rows in between are in two tables."""

    __tablename__ = "guests"

    id: Mapped[int] = mapped_column(ForeignKey("visits.id"), primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    who: Mapped[int] = mapped_column(ForeignKey("people.id"))


between("members", "people.id")
# it refers to a column that is no key
between("fans", "people.email")
friends = Table(
    "friends",
    Base.metadata,
    Column("me", ForeignKey("people.id"), primary_key=True),
    Column("them", ForeignKey("people.id"), primary_key=True),
)

ALIVE = with_loader_criteria(SoftDelete, lambda cls: cls.gone.is_(False), include_aliases=True)
OF_ONE = with_loader_criteria(User, User.tenant.in_([1, 77]), include_aliases=True)
INSIDE, OUTSIDE = (1, 2, 3, 4), (5, 6, 7)


def rows() -> list[Any]:
    people = [(1, 1, False), (2, 1, False), (3, 1, False), (4, 77, False)]
    people += [(5, 1, True), (6, 2, False), (7, 2, True)]
    return [
        *(Team(id=i, gone=i == 3) for i in (1, 2, 3)),
        *(User(id=i, tenant=t, gone=g, email=f"{i}@x") for i, t, g in people),
    ]


@pytest.fixture
async def plain(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    plain = AsyncSessionFactory(engine)
    await plain.insert_all(rows())
    return plain


@pytest.fixture
def db(plain: AsyncSessionFactory) -> AsyncSessionFactory:
    return plain.with_options(ALIVE, OF_ONE)


async def stored(db: AsyncSessionFactory, name: str = "members") -> list[tuple[Any, ...]]:
    table = Base.metadata.tables[name]
    return sorted(map(tuple, await db.all(select(*table.c))))


async def test_what_is_outside_is_not_there(
    plain: AsyncSessionFactory, db: AsyncSessionFactory
) -> None:
    """An object outside, given on either side, is an error; nothing is written."""
    await plain.link(1, Team.members, [1, 5, 6])
    await plain.link(3, Team.members, [1, 2])
    await plain.link(1, User.friends, [2, 5])
    before = await stored(plain), await stored(plain, "friends")
    gone = await plain.get_one(User, 5)
    for method in (db.link, db.unlink, db.relink):
        for given in ([2, 6, 5], [User(id=2), gone, User(id=6)]):
            with pytest.raises(RowGone) as told:
                await method(1, Team.members, given)
            assert (told.value.model, sorted(told.value.gone)) == (User, [5, 6])
        for own in (3, Team(id=3), 99):
            with pytest.raises(RowGone) as told:
                await method(own, Team.members, [1])
            assert told.value.model is Team
            assert told.value.gone == (3 if own != 99 else 99,)
        with pytest.raises(RowGone):
            await method(1, User.friends, [2, 5])
        with pytest.raises(RowGone):
            await method(5, User.friends, [2])
    with pytest.raises(RowGone):
        await db.relink(3, Team.members, [])
    assert (await stored(plain), await stored(plain, "friends")) == before


async def test_links_inside(plain: AsyncSessionFactory, db: AsyncSessionFactory) -> None:
    """Links to what is outside are neither counted nor taken away."""
    for own, attribute, name, one in (
        (1, Team.members, "members", lambda i: i),
        (2, Team.fans, "fans", lambda i: User(id=i, email=f"{i}@x")),
        (1, User.friends, "friends", lambda i: i),
    ):
        key = str if name != "fans" else "{}@x".format
        await plain.link(own, attribute, map(one, OUTSIDE))
        assert await db.link(own, attribute, map(one, (1, 2))) == 2
        assert await db.link(own, attribute, map(one, (2, 3))) == 1
        assert await db.unlink(own, attribute, map(one, (1, 4))) == 1
        assert await db.relink(own, attribute, map(one, (3, 4))) == Relinked(1, 1)
        left = [(own, key(i)) for i in (3, 4, *OUTSIDE)]
        assert [(a, str(b)) for a, b in await stored(plain, name)] == left
        assert await db.relink(own, attribute, []) == Relinked(0, 2)
        assert [(a, str(b)) for a, b in await stored(plain, name)] == left[2:]
        # without the criteria these are links as all others
        lifted = db.with_options(without=[SoftDelete, User])
        assert await lifted.relink(own, attribute, [one(5)]) == Relinked(0, 2)
    with pytest.raises(RowGone, match=r"with email '5@x', the row with email '6@x'|'6@x' is gone"):
        await db.link(2, Team.fans, [User(id=5, email="5@x"), User(id=6, email="6@x")])


async def test_the_orm_stores_the_same(plain: AsyncSessionFactory, db: AsyncSessionFactory) -> None:
    """The same change of a collection that the ORM has loaded within the criteria."""
    load = select(Team).options(selectinload(Team.members), ALIVE, OF_ONE)
    for before, wanted in (((1, 2, 5, 6), [2, 3]), ((1, 7), []), ((), [1, 4]), ((5, 2), [2])):
        results = []
        for through in ("orm", "naked"):
            await plain.relink(1, Team.members, before)
            if through == "naked":
                await db.relink(1, Team.members, wanted)
            else:
                async with AsyncSession(plain.engine) as orm, orm.begin():
                    team = (await orm.scalars(load.where(Team.id == 1))).one()
                    chosen = select(User).where(User.id.in_(wanted))
                    team.members = list(await orm.scalars(chosen))
            results.append(await stored(plain))
        assert results[0] == results[1]


async def test_statements(
    plain: AsyncSessionFactory, db: AsyncSessionFactory, backend: str
) -> None:
    """A SELECT for each side that has criteria."""
    ones = plain.with_options(OF_ONE)
    for factory, looks in ((plain, 0), (ones, 1), (db, 2)):
        with count_statements(plain.engine) as sent:
            await factory.link(1, Team.members, INSIDE)
        assert len(sent) == 1 + looks
        with count_statements(plain.engine) as sent:
            await factory.relink(1, Team.members, INSIDE[1:])
        assert len(sent) == (2 if backend == "sqlite" else 1) + looks
        with count_statements(plain.engine) as sent:
            assert await factory.unlink(1, Team.members, INSIDE) == 3
        assert len(sent) == 1 + looks
    with count_statements(plain.engine) as sent:
        assert await db.link(1, Team.members, []) == await db.unlink(1, Team.members, []) == 0
    assert len(sent) == 2


async def test_rows_in_between_that_have_criteria(plain: AsyncSessionFactory) -> None:
    """Their criteria hold: a row outside stays, and is in the way of a new link."""
    await plain.insert_all(
        [Watching(team_id=1, who=1), Watching(team_id=1, who=2, gone=True)],
    )
    db = plain.with_options(with_loader_criteria(Watching, Watching.gone.is_(False)))
    assert await db.unlink(1, Team.watchers, [2]) == 0
    assert await db.relink(1, Team.watchers, [3]) == Relinked(1, 1)
    watching = select(Watching.who, Watching.gone).order_by(Watching.who)
    assert await plain.all(watching) == [(2, True), (3, False)]
    for method in (db.link, db.relink):
        with pytest.raises(RowExcluded, match=r"^\w+\(\): watchers has rows .*outside") as told:
            await method(1, Team.watchers, [2, 3])
        assert (told.value.model, told.value.excluded) == (Watching, ((1, 2),))
    assert await plain.count(select(Watching)) == 2
    # the other side of a row that is stored in two tables
    both = plain.with_options(ALIVE)
    for method in (both.link, both.unlink, both.relink):
        with pytest.raises(UnsupportedOption, match=r"Guest.*visits, guests.*SoftDelete"):
            await method(1, Team.guests, [1])


def test_sync(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine)
    plain = SessionFactory(sync_engine)
    plain.insert_all(rows())
    plain.link(1, Team.members, [1, 5, 6])
    db = plain.with_options(ALIVE, OF_ONE)
    assert db.relink(1, Team.members, [2]) == Relinked(1, 1)
    with pytest.raises(RowGone), db.begin() as session:
        session.unlink(1, Team.members, [2, 5])
    members = Base.metadata.tables["members"]
    assert sorted(plain.all(select(members.c.who))) == [2, 5, 6]
