"""Criteria of a factory, next to the ORM's recipe with ``do_orm_execute``."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Table,
    bindparam,
    delete,
    event,
    func,
    insert,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
    subqueryload,
    with_loader_criteria,
)
from sqlalchemy.orm import (
    Session as SyncOrmSession,
)

from naked_sqla import (
    AsyncSessionFactory,
    InvalidBind,
    RowGone,
    SessionFactory,
    UnsupportedOption,
    VersionConflict,
)
from naked_sqla.testing import count_statements, sandbox

from ..models.blog import Post, Profile, Tag, User
from ..oracle import Comparison, Oracle, OrmSession, unique_rows
from ..pages.test_paginate import CASES as OF_PAGES

CRITERIA = [
    with_loader_criteria(User, User.id != 2, include_aliases=True),
    with_loader_criteria(Post, lambda cls: cls.stars > 1, include_aliases=True),
]
other = aliased(User)
CASES: dict[str, Any] = {
    **{name: one for name, one in OF_PAGES.items() if name not in ("fetch", "joined and rows")},
    "selectin below": select(User)
    .options(selectinload(User.posts).selectinload(Post.author))
    .order_by(User.id),
    "subquery load": select(User).options(subqueryload(User.posts)).order_by(User.id),
    "joined to one": select(Post).options(joinedload(Post.author)).order_by(Post.id),
    "joined below": select(Profile).options(joinedload(Profile.user)),
    "many to many": select(Tag).options(selectinload(Tag.posts)).order_by(Tag.id),
    "an alias": select(User, other).join(other, other.boss_id == User.id).order_by(other.id),
    "in a subquery": select(User.id).where(User.id.in_(select(Post.author_id))).order_by(User.id),
    "exists": select(Post).where(Post.author.has()).order_by(Post.id),
    "scalar subquery": select(select(func.count(User.id)).scalar_subquery()),
    "from a cte": select(select(User).cte()).order_by("id"),
    "union": union_all(select(User.id), select(Post.id)),
}


def recipe(conn: Any) -> OrmSession:
    return OrmSession(bind=conn, expire_on_commit=False, sync_session_class=_Filtered)


class _Filtered(SyncOrmSession):
    pass


@event.listens_for(_Filtered, "do_orm_execute")
def _filter(state: Any) -> None:
    if not state.is_column_load and not state.is_relationship_load:
        state.statement = state.statement.options(*CRITERIA)


def rows(result: Any) -> Any:
    return unique_rows(result)["rows"]


class Naked:
    """A session of a factory with the criteria, on a connection of the oracle's."""

    def __init__(self, oracle: Oracle) -> None:
        self.db = AsyncSessionFactory(oracle.engine, options=CRITERIA, auto_commit=False)


@pytest.mark.parametrize("name", CASES)
def test_reads(oracle: Oracle, name: str) -> None:
    statement = CASES[name]
    theirs = oracle.outcome(recipe, statement, None, None, rows, ())
    assert theirs.error is None, theirs.error

    async def main() -> Any:
        db = Naked(oracle).db
        async with db.begin() as session:
            found = rows(await session.execute(statement))
            if name != "bind" and "limit" not in name:
                assert await session.count(statement) == len(await session.all(statement))
            return found

    found = oracle.run(main())
    differences = list(Comparison(theirs.value, hidden=True).differences(theirs.value, found))
    assert not differences, differences


WRITES: dict[str, Any] = {
    "update": update(User).values(age=7),
    "update some": update(Post).where(Post.id < 3).values(stars=9),
    "delete": delete(Post).where(Post.id > 4),
}


@pytest.mark.parametrize("name", WRITES)
def test_writes_by_statement(oracle: Oracle, name: str) -> None:
    statement = WRITES[name].execution_options(synchronize_session=False)
    look = statement.table.select().order_by(*statement.table.primary_key)
    theirs = oracle.outcome(recipe, statement, None, None, lambda r: r.rowcount, [look])
    assert theirs.error is None, theirs.error

    async def main() -> Any:
        async with Naked(oracle).db.begin() as session:
            count = (await session.execute(statement)).rowcount  # type: ignore[attr-defined]
            return count, (await session.conn.execute(look)).all()

    count, stored = oracle.run(main())
    assert (count, stored) == (theirs.value, theirs.stored[0])


# --- a service with tenants and soft delete ---


class Base(DeclarativeBase):
    pass


class SoftDelete:
    gone: Mapped[bool] = mapped_column(default=False)


class Team(SoftDelete, Base):
    __tablename__ = "team_of_criteria"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[int]
    members: Mapped[list[Member]] = relationship(order_by="Member.id", viewonly=True)
    fans: Mapped[list[Member]] = relationship(secondary="fan_of_criteria")


class Member(SoftDelete, Base):
    __tablename__ = "member_of_criteria"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team_of_criteria.id"))


Table(
    "fan_of_criteria",
    Base.metadata,
    Column("team_id", ForeignKey("team_of_criteria.id"), primary_key=True),
    Column("member_id", ForeignKey("member_of_criteria.id"), primary_key=True),
)


class Thing(Base):
    __tablename__ = "thing_of_criteria"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[int]
    kind: Mapped[str]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {
        "polymorphic_on": "kind",
        "polymorphic_identity": "thing",
        "version_id_col": version,
    }


class Special(Thing):
    __tablename__ = "special_of_criteria"

    id: Mapped[int] = mapped_column(ForeignKey("thing_of_criteria.id"), primary_key=True)
    size: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "special"}


ALIVE = with_loader_criteria(SoftDelete, lambda cls: cls.gone.is_(False), include_aliases=True)


def of_tenant(tenant: int) -> Any:
    return with_loader_criteria(Team, Team.tenant == tenant)


@pytest.fixture
async def plain(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    await db.execute(
        insert(Team),
        [{"id": i, "tenant": i % 2, "gone": i in (3, 4)} for i in range(1, 7)],
    )
    await db.execute(
        insert(Member),
        [{"id": i, "team_id": i % 6 + 1, "gone": i > 9} for i in range(1, 13)],
    )
    return db


async def ids(db: Any, model: Any = Team) -> list[int]:
    return list(await db.all(select(model.id).order_by(model.id)))


async def test_everything_that_reads(plain: AsyncSessionFactory) -> None:
    db = AsyncSessionFactory(plain.engine, options=[ALIVE])
    teams = select(Team).order_by(Team.id)
    assert await ids(db) == [1, 2, 5, 6]
    assert await ids(db.read()) == [1, 2, 5, 6]
    assert await db.get(Team, 3) is None
    assert [team.id for team in await db.get_many(Team, [5, 3, 1], missing="skip")] == [5, 1]
    assert await db.count(teams) == 4
    assert not await db.exists(select(Team).where(Team.id == 4))
    page = await db.paginate(teams, per_page=3)
    assert ([team.id for team in page], page.total) == ([1, 2, 5], 4)
    keyset = await db.keyset(teams, per_page=3)
    following = await db.keyset(teams, per_page=3, after=keyset.next_cursor)
    assert [team.id for team in following] == [6]
    team = await db.one(teams.where(Team.id == 5).options(selectinload(Team.members)))
    assert [member.id for member in team.members] == [4]
    for preloading in (db, db.read()):
        five = await db.get_one(Team, 5)
        await preloading.preload(five, Team.members)
        assert [member.id for member in five.members] == [4]
    async with db.begin() as session:
        assert await ids(session) == [1, 2, 5, 6]
        async with session.stream_scalars(teams) as streamed:
            assert [team.id async for team in streamed] == [1, 2, 5, 6]
        loader = session.loader(Member, Member.team_id, many=True)
        assert [member.id for member in await loader.load(5)] == [4]
    assert await ids(plain) == [1, 2, 3, 4, 5, 6]


async def test_derived_factories(plain: AsyncSessionFactory) -> None:
    db = plain.with_options(ALIVE)
    tenant = db.with_options(of_tenant(1))
    assert await ids(tenant) == [1, 5]
    assert await ids(db.with_options(of_tenant(0))) == [2, 6]
    assert await ids(tenant.with_options(without="SoftDelete")) == [1, 3, 5]
    assert await ids(tenant.with_options(without=[SoftDelete, Team])) == [1, 2, 3, 4, 5, 6]
    assert await ids(tenant) == [1, 5]
    assert await ids(plain) == [1, 2, 3, 4, 5, 6]
    assert tenant.engine.pool is plain.engine.pool
    assert type(tenant) is AsyncSessionFactory
    async with tenant.begin() as session:
        assert tenant.current_session() is session
    with pytest.raises(UnsupportedOption, match="criteria for: SoftDelete, Team"):
        tenant.with_options(without="Member")


async def test_writes(plain: AsyncSessionFactory) -> None:
    db = plain.with_options(ALIVE, of_tenant(1))
    await db.execute(update(Team).values(tenant=1))
    assert await plain.all(select(Team.tenant).order_by(Team.id)) == [1, 0, 1, 0, 1, 0]
    await db.execute(delete(Member).where(Member.id >= 9))
    assert await plain.count(select(Member)) == 11
    some = update(Team).where(Team.id == bindparam("key"))
    with pytest.raises(UnsupportedOption, match="with_options"):
        await db.execute(some.values(tenant=1), [{"key": 1}, {"key": 2}])


async def everything(db: AsyncSessionFactory) -> list[Any]:
    teams = await db.all(select(Team.id, Team.tenant, Team.gone).order_by(Team.id))
    return [*teams, *await db.all(select(Member.id, Member.gone).order_by(Member.id))]


# A write by key of the rows 1 and 5 of a tenant, and of others, which are not there for it.
BY_KEY: dict[str, Any] = {
    "update": lambda db, row: db.update(row, "gone"),
    "update by ident": lambda db, row: db.update(Team, row.id, gone=row.gone),
    "update, counted": lambda db, row: db.update(Team, row.id, gone=row.gone, returning=False),
    "update_all": lambda db, row: db.update_all([row], "gone"),
    "update_all, counted": lambda db, row: db.update_all([row], "gone", returning=False),
    "update_all of two": lambda db, row: db.update_all([Team(id=5, gone=False), row], "gone"),
    "execute": lambda db, row: db.execute(update(Team), [{"id": row.id, "gone": row.gone}]),
    "delete": lambda db, row: db.delete(row),
    "delete by ident": lambda db, row: db.delete(Team, row.id),
    "delete_all": lambda db, row: db.delete_all([row]),
    "delete_all of two": lambda db, row: db.delete_all([Team(id=5), row]),
}


@pytest.mark.parametrize("tenants", ["equal", "among"])
async def test_writes_by_key(plain: AsyncSessionFactory, tenants: str) -> None:
    """A row outside of the criteria is as if it were not there; one inside is written."""
    of_one = with_loader_criteria(Team, Team.tenant.in_([1, 77]))
    db = plain.with_options(ALIVE, of_tenant(1) if tenants == "equal" else of_one)
    await plain.execute(delete(Member))
    before = await everything(plain)
    for name, write in BY_KEY.items():
        for outside in (2, 3, 4, 99):
            row = await plain.get(Team, outside) or Team(id=outside)
            row.gone = True
            with pytest.raises(RowGone) as told:
                await write(db, row)
            assert list(told.value.gone) == [outside], name
            assert await everything(plain) == before, name
        async with db.begin() as session:
            row = await session.get_one(Team, 1)
            row.gone = True
            await write(session, row)
            assert await session.get(Team, 1) is None
            unfiltered = await session.conn.execute(Team.__table__.select())
            assert {team.id: team.gone for team in unfiltered}.get(1, True) is True
            await session.rollback()
    assert await db.delete(Team, 2, missing_ok=True) is False
    assert await db.delete_all([Team(id=i) for i in range(1, 5)], missing_ok=True) == 1
    assert await ids(plain) == [2, 3, 4, 5, 6]
    # it is given back as it was stored, though it is outside now
    assert (await db.update(Team, 5, tenant=2)).tenant == 2
    assert await ids(db) == []
    # an INSERT looks at no criteria
    assert (await db.insert(Team(id=9, tenant=3))).id == 9
    assert await ids(db) == []
    with count_statements(plain.engine) as sent, pytest.raises(RowGone):
        await db.update(Team, 9, tenant=1)
    # the UPDATE, and the SELECT for the error
    assert len(sent) == 2
    assert "tenant" in sent[0].sql.partition("WHERE")[2]


async def test_several_tables_and_versions(plain: AsyncSessionFactory) -> None:
    """The criteria are about the base; the rows lie in two tables, with a version."""
    db = plain.with_options(with_loader_criteria(Thing, lambda cls: cls.owner == 1))
    mine, theirs = await plain.insert_all([Special(owner=1, size=1), Special(owner=2, size=1)])
    assert (await db.update(Special, mine.id, size=2, version=1)).version == 2
    mine.size = 3
    with pytest.raises(VersionConflict):
        await db.update(mine)
    for write in (
        db.update(Special, theirs.id, size=2),
        db.update(Thing, theirs.id, owner=1),
        db.update_all([theirs, theirs]),
        db.delete(theirs),
        db.delete(Thing, theirs.id),
        db.delete_all([theirs, Special(id=mine.id)]),
        db.execute(update(Special), [{"id": theirs.id, "size": 9}]),
    ):
        with pytest.raises(RowGone):
            await write
    assert await plain.all(select(Special.size).order_by(Special.id)) == [2, 1]
    assert await db.delete(Thing, mine.id) is True
    assert await plain.all(select(Thing.id)) == [theirs.id]


async def test_what_is_refused(plain: AsyncSessionFactory) -> None:
    with pytest.raises(UnsupportedOption, match="belong to a statement"):
        plain.with_options(selectinload(Team.members))
    with pytest.raises(UnsupportedOption, match="belong to a statement"):
        AsyncSessionFactory(plain.engine, options=[joinedload(Team.members)])
    with pytest.raises(UnsupportedOption, match="stream"):
        plain.with_options(execution_options={"yield_per": 3})
    with pytest.raises(InvalidBind):
        plain.with_options(execution_options={"bind_key": "logs"})


async def test_execution_options(plain: AsyncSessionFactory, database_url: Any) -> None:
    seen: list[Any] = []
    event.listen(
        plain.engine.sync_engine,
        "before_cursor_execute",
        lambda conn, cursor, sql, values, context, many: seen.append(
            context.execution_options.get("mine")
        ),
    )
    derived = plain.with_options(execution_options={"mine": 3})
    assert await ids(derived) == await ids(plain)
    async with derived.begin() as session:
        await ids(session)
    assert seen == [3, None, 3]
    routed = AsyncSessionFactory(plain.engine, binds={"logs": plain.engine})
    of_logs = routed.with_options(ALIVE, execution_options={"bind_key": "logs"})
    assert await ids(of_logs) == await ids(routed.with_options(ALIVE)) == [1, 2, 5, 6]
    async with routed.with_options(ALIVE).begin() as session:
        assert await ids(session) == [1, 2, 5, 6]


async def test_in_a_sandbox(plain: AsyncSessionFactory) -> None:
    async with sandbox(plain.with_options(ALIVE)) as db:
        assert await ids(db) == [1, 2, 5, 6]
        assert await ids(db.with_options(of_tenant(1))) == [1, 5]
        assert await ids(db.with_options(without=SoftDelete)) == [1, 2, 3, 4, 5, 6]
        async with db.with_options(of_tenant(1)).begin() as session:
            assert await ids(session) == [1, 5]
        assert await ids(db) == [1, 2, 5, 6]


@pytest.mark.parametrize("backend", ["sqlite", "psycopg"], indirect=True)
def test_on_the_synchronous_face(sync_engine: Any) -> None:
    Base.metadata.create_all(sync_engine)
    plain = SessionFactory(sync_engine)
    plain.execute(insert(Team), [{"id": 1, "tenant": 1}, {"id": 2, "tenant": 2, "gone": True}])
    db = SessionFactory(sync_engine, options=[ALIVE])
    assert db.all(select(Team.id)) == plain.with_options(ALIVE).all(select(Team.id)) == [1]
