"""upsert() and upsert_all() of a factory with criteria: what they exclude is never changed."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, String, UniqueConstraint, func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
    with_loader_criteria,
)

from naked_sqla import AsyncSessionFactory, RowExcluded, SessionFactory, VersionConflict
from naked_sqla.testing import count_statements


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "teams"
    __table_args__ = ({"schema": "mapped"},)

    id: Mapped[int] = mapped_column(primary_key=True)
    active: Mapped[bool]


class User(Base):
    __tablename__ = "people"
    __table_args__ = (UniqueConstraint("tenant", "name"), {"schema": "mapped"})

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[int]
    name: Mapped[str] = mapped_column(String(20))
    age: Mapped[int] = mapped_column(default=0)
    left_in: Mapped[int | None]
    team_id: Mapped[int | None] = mapped_column(ForeignKey(Team.id))
    team: Mapped[Team | None] = relationship()


class Page(Base):
    __tablename__ = "pages"
    __table_args__ = ({"schema": "mapped"},)

    slug: Mapped[str] = mapped_column(String(9), primary_key=True)
    gone: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


# each sees the users 1 and 2, and not 3 and 4
CRITERIA = {
    "equal": User.tenant == 1,
    "list": User.tenant.in_([1, 77]),
    "lambda": lambda cls: cls.tenant < 2,
    "null": User.left_in < 2010,
    "related": User.team.has(Team.active),
    "subquery": User.team_id.in_(select(Team.id).where(Team.active)),
}


def rows() -> list[Any]:
    return [
        Team(id=1, active=True),
        Team(id=2, active=False),
        *(User(id=i, tenant=1, name=f"u{i}", left_in=2000, team_id=1) for i in (1, 2)),
        User(id=3, tenant=2, name="u3", team_id=2),
        User(id=4, tenant=2, name="u4", left_in=2020),
        Page(slug="a"),
        Page(slug="b", gone=True),
    ]


@pytest.fixture
async def plain(engine: AsyncEngine, backend: str) -> AsyncSessionFactory:
    async with engine.connect() as conn:
        schema = "main" if backend == "sqlite" else await conn.scalar(select(func.current_schema()))
    names = {"schema_translate_map": {"mapped": schema}}
    async with engine.begin() as conn:
        await conn.execution_options(**names)
        await conn.run_sync(Base.metadata.create_all)
    plain = AsyncSessionFactory(engine).with_options(execution_options=names)
    await plain.insert_all(rows())
    return plain


async def ages(db: AsyncSessionFactory) -> list[int]:
    return await db.all(select(User.age).order_by(User.id))


@pytest.mark.parametrize("name", CRITERIA)
async def test_rows_outside_stay(plain: AsyncSessionFactory, name: str) -> None:
    db = plain.with_options(with_loader_criteria(User, CRITERIA[name]))
    one = User(id=1, tenant=1, name="u1", age=9)
    assert (await db.upsert(one)).age == 9
    both = await db.upsert_all([one, User(id=2, tenant=1, name="u2", age=8)], update=["age"])
    assert [user.age for user in both] == [9, 8]
    three, four = (User(id=i, tenant=2, name=f"u{i}", age=7) for i in (3, 4))
    for write in (
        lambda: db.upsert(three),
        lambda: db.upsert(three, on=["tenant", "name"], update=["age"]),
        lambda: db.upsert(three, update=[]),
        lambda: db.upsert_all([one, three], update=["age"]),
        lambda: db.upsert_all([one, three], update=[]),
        lambda: db.upsert_all([three, three], update=["age"]),
    ):
        with pytest.raises(RowExcluded, match=r"User: .* primary key 3 ") as told:
            await write()
        assert (told.value.model, told.value.excluded) == (User, (3,))
        assert await ages(plain) == [9, 8, 0, 0]
    with pytest.raises(RowExcluded) as told:
        await db.upsert_all([User(id=2, tenant=1, name="u2", age=5), four, three])
    # with a list in the criteria, rows are upserted one by one
    assert sorted(told.value.excluded) == ([4] if name == "list" else [3, 4])
    assert "db.with_options(without=[User])" in str(told.value)
    assert await ages(plain) == [9, 8, 0, 0]
    # a new row may be outside, as with insert(); a row inside may be moved out
    new = [User(id=i, tenant=5, name=f"n{i}", left_in=2020, team_id=2) for i in (10, 11)]
    assert [user.id for user in await db.upsert_all(new)] == [10, 11]
    moved = User(id=2, tenant=2, name="u2", left_in=2020, team_id=2, age=1)
    assert (await db.upsert(moved)).tenant == 2
    assert await db.get(User, 2) is None
    with pytest.raises(RowExcluded):
        await db.upsert(moved)
    assert (await plain.upsert(three)).age == 7


async def test_existing_rows_inside_are_given(plain: AsyncSessionFactory) -> None:
    db = plain.with_options(with_loader_criteria(User, User.tenant == 1))
    kept = await db.upsert_all(
        [User(tenant=1, name="u2", age=5), User(id=12, tenant=3, name="new")],
        on=["tenant", "name"],
        update=[],
    )
    assert [(user.id, user.age) for user in kept] == [(2, 0), (12, 0)]
    with count_statements(plain.engine) as sent:
        await db.upsert_all([User(id=i, tenant=1, name=f"u{i}", age=3) for i in (1, 2)])
    assert len(sent) == 1
    assert "WHERE" in sent[0].sql
    with count_statements(plain.engine) as sent, pytest.raises(RowExcluded):
        await db.upsert(User(id=3, tenant=1, name="mine"))
    # the INSERT, the row that stays, and whether it is inside
    assert len(sent) == 3
    # of other classes there is nothing to look at
    with count_statements(plain.engine) as sent:
        await db.upsert(Team(id=1, active=False))
    assert len(sent) == 1
    assert "WHERE" not in sent[0].sql


async def test_versions(plain: AsyncSessionFactory) -> None:
    db = plain.with_options(with_loader_criteria(Page, Page.gone.is_(False)))
    assert (await db.upsert(Page(slug="a", gone=False, version=1))).version == 2
    with pytest.raises(VersionConflict):
        await db.upsert(Page(slug="a", gone=False, version=1))
    for version in (1, 7):
        with pytest.raises(RowExcluded) as told:
            await db.upsert(Page(slug="b", gone=False, version=version))
        assert told.value.excluded == ("b",)
    assert await plain.all(select(Page.version).order_by(Page.slug)) == [2, 1]


def test_sync(sync_engine: Engine) -> None:
    Base.metadata.create_all(sync_engine.execution_options(schema_translate_map={"mapped": None}))
    plain = SessionFactory(sync_engine)
    plain = plain.with_options(execution_options={"schema_translate_map": {"mapped": None}})
    plain.insert_all(rows())
    db = plain.with_options(with_loader_criteria(User, CRITERIA["related"]))
    with db.begin() as session:
        assert session.upsert(User(id=1, tenant=1, name="u1", age=4)).age == 4
        with pytest.raises(RowExcluded), session.begin_nested():
            session.upsert(User(id=3, tenant=2, name="u3", age=4))
    assert plain.all(select(User.age).order_by(User.id)) == [4, 0, 0, 0]
