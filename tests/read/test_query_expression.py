"""``query_expression()``: what a statement gives it, its default, or None, as in the ORM."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import AsyncSession as OrmSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    defer,
    immediateload,
    joinedload,
    load_only,
    mapped_column,
    query_expression,
    raiseload,
    registry,
    relationship,
    selectinload,
    with_expression,
)
from sqlmodel import Field, SQLModel

from naked_sqla import AsyncSessionFactory, NotLoadedError, to_naked, to_orm


class Base(DeclarativeBase):
    pass


class Shop(Base):
    __tablename__ = "qe_shops"
    id: Mapped[int] = mapped_column(primary_key=True)
    wares: Mapped[list[Ware]] = relationship(back_populates="shop", order_by="Ware.id")


class Ware(Base):
    __tablename__ = "qe_wares"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("qe_shops.id"))
    gross: Mapped[int | None] = query_expression()
    rank: Mapped[int | None] = query_expression(default_expr=literal(7))
    shop: Mapped[Shop | None] = relationship(back_populates="wares")


KEYS = ("id", "price", "gross", "rank")

# what the ORM reads without a statement of its own
STATEMENTS: dict[str, Callable[[], Any]] = {
    "plain": lambda: select(Ware),
    "given": lambda: select(Ware).options(with_expression(Ware.gross, Ware.price + 1)),
    "default given": lambda: select(Ware).options(with_expression(Ware.rank, Ware.price)),
    "alias": lambda: select(aliased(Ware, select(Ware).subquery())),
    "joined": lambda: select(Shop).options(joinedload(Shop.wares)),
    "joined and given": lambda: select(Shop).options(
        joinedload(Shop.wares).with_expression(Ware.gross, literal(3))
    ),
    "selectin": lambda: select(Shop).options(selectinload(Shop.wares)),
    "immediate": lambda: select(Shop).options(immediateload(Shop.wares)),
    "raise": lambda: select(Ware).options(raiseload("*")),
    "from_statement": lambda: select(Ware).from_statement(select(Ware.__table__)),
    "returning": lambda: update(Ware).values(price=1).returning(Ware),
    "inserted": lambda: insert(Ware).values(id=9, price=2).returning(Ware),
}


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(insert(Shop.__table__), [{"id": 1}])
        await conn.execute(insert(Ware.__table__), [{"id": 1, "price": 1, "shop_id": 1}])
    return AsyncSessionFactory(engine)


def shown(item: Any) -> dict[str, Any]:
    """Give what is read, and what is loaded."""
    ware = item.wares[0] if isinstance(item, Shop) else item
    return {key: getattr(ware, key) for key in KEYS} | {"loaded": sorted({*vars(ware)} & {*KEYS})}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_as_the_orm(db: AsyncSessionFactory, name: str) -> None:
    make = STATEMENTS[name]
    async with OrmSession(db.engine) as session:
        theirs = [shown(each) for each in (await session.scalars(make())).unique()]
    for _ in range(2):
        async with db.begin() as session:
            ours = [shown(each) for each in (await session.scalars(make())).unique()]
            await session.rollback()
        assert ours == theirs


async def test_deferred(db: AsyncSessionFactory) -> None:
    """There the ORM runs a SELECT, of NULL or of the default; here nothing does."""
    for option in (load_only(Ware.price), defer(Ware.rank)):
        ware = await db.scalar(select(Ware).options(option))
        assert ware.gross is None
        with pytest.raises(NotLoadedError, match=r"Ware\.rank"):
            ware.rank  # noqa: B018 - reading it is the test
    options = defer(Ware.gross, raiseload=True), defer(Ware.rank, raiseload=True)
    ware = await db.scalar(select(Ware).options(*options))
    for key in ("gross", "rank"):
        with pytest.raises(NotLoadedError, match=rf"Ware\.{key}"):
            getattr(ware, key)


async def test_preload_and_get(db: AsyncSessionFactory) -> None:
    shop = await db.get_one(Shop, 1)
    await db.preload(shop, Shop.wares)
    assert shown(shop) == shown(await db.get_one(Ware, 1))
    assert (shop.wares[0].gross, shop.wares[0].rank) == (None, 7)


async def test_objects(db: AsyncSessionFactory) -> None:
    ware = await db.scalar(select(Ware))
    copies = (copy.copy(ware), copy.deepcopy(ware), pickle.loads(pickle.dumps(ware)))
    for each in (*copies, to_naked(to_orm(ware))):
        assert (each.gross, each.rank) == (None, 7)
        assert "gross" not in vars(each)
    instance = to_orm(ware)
    assert (instance.gross, instance.rank) == (None, 7)
    assert type(ware).gross is Ware.gross
    ware.gross = 5
    assert (ware.gross, vars(ware)["gross"]) == (5, 5)
    del ware.gross
    assert ware.gross is None
    async with OrmSession(db.engine) as session:
        loaded = (await session.scalars(select(Ware))).one()
        assert (to_naked(loaded).gross, to_naked(loaded).rank) == (None, 7)
    async with OrmSession(db.engine) as session:
        deferred = select(Ware).options(defer(Ware.rank), defer(Ware.gross))
        loaded = (await session.scalars(deferred)).one()
        for key in ("rank", "gross"):
            with pytest.raises(NotLoadedError, match=key):
                getattr(to_naked(loaded), key)


class WareOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    gross: int | None
    rank: int | None


@dataclasses.dataclass
class WareRow:
    id: int
    gross: int | None
    rank: int | None


@dataclasses.dataclass
class Bare:
    id: int


async def test_into_other_classes(db: AsyncSessionFactory) -> None:
    ware = await db.scalar(select(Ware))
    assert WareOut.model_validate(ware).model_dump() == {"id": 1, "gross": None, "rank": 7}
    only = load_only(Ware.id, Ware.rank)
    for cls in (WareOut, WareRow):
        (row,) = await db.into(cls, select(Ware).options(only))
        assert (row.id, row.gross, row.rank) == (1, None, 7)
        given = select(Ware).options(only, with_expression(Ware.gross, literal(2)))
        (row,) = await db.into(cls, given)
        assert row.gross == 2
    assert list(await db.into(Bare, select(Ware).options(load_only(Ware.id)))) == [Bare(1)]


class GoodBase(SQLModel, registry=registry()):
    pass


class Good(GoodBase, table=True):
    __tablename__ = "qe_goods"
    id: int = Field(primary_key=True)


Good.gross = query_expression()


async def test_a_class_that_keeps_its_values_itself(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        await conn.run_sync(Good.metadata.create_all)
        await conn.execute(insert(Good.__table__), {"id": 1})
    db = AsyncSessionFactory(engine)
    assert (await db.scalar(select(Good))).gross is None
    given = select(Good).options(with_expression(Good.gross, literal(2)))
    assert (await db.scalar(given)).gross == 2
