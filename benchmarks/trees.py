"""Nested ``into()``, row by row and with ``strategy="json"``: ``python -m benchmarks.trees``.

For each scene the results are compared first.  Then both ways run in turns, in one process; the
figures are medians, in milliseconds of processor time (of this process) and of the clock.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Any, Literal

from sqlalchemy import ForeignKey, Numeric, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from benchmarks.database import DRIVERS, database, new_engine
from naked_sqla import AsyncSessionFactory


class Base(DeclarativeBase):
    """The tables of these scenes."""


class Shop(Base):
    """The first level."""

    __tablename__ = "tree_shops"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    about: Mapped[str]
    orders: Mapped[list[Order]] = relationship(order_by="Order.id")


class Order(Base):
    """The second level: whole numbers and text."""

    __tablename__ = "tree_orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey(Shop.id), index=True)
    name: Mapped[str]
    note: Mapped[str | None]
    pieces: Mapped[int]
    lines: Mapped[list[Line]] = relationship(order_by="Line.id")
    shop: Mapped[Shop] = relationship(viewonly=True)


class Line(Base):
    """The third level: what has to be converted."""

    __tablename__ = "tree_lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), index=True)
    article: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    sent: Mapped[dt.datetime]


@dataclass
class LineOut:
    """What an application fills."""

    article: str
    price: Decimal
    sent: dt.datetime


@dataclass
class OrderOut:
    """Without what lies below it."""

    id: int
    name: str
    note: str | None
    pieces: int


@dataclass
class OrderLines(OrderOut):
    """With it."""

    lines: list[LineOut]


@dataclass
class OrderShop(OrderOut):
    """With what lies above it."""

    shop: ShopName


@dataclass
class ShopName:
    """A shop alone."""

    name: str


@dataclass
class OrderAbout(OrderOut):
    """With a long text above it, which is the same for many rows."""

    shop: ShopAbout


@dataclass
class ShopAbout:
    """A shop alone."""

    about: str


@dataclass
class ShopOrders:
    """Two levels."""

    name: str
    orders: list[OrderOut]


@dataclass
class ShopLines:
    """Three levels."""

    name: str
    orders: list[OrderLines]


_FEW = selectinload(Shop.orders).load_only(Order.name, Order.note, Order.pieces)
_LINES = selectinload(Order.lines).load_only(Line.article, Line.price, Line.sent)
_SHOPS = select(Shop.name, Shop).with_only_columns(Shop).order_by(Shop.id)


@dataclass(frozen=True)
class Tree:
    """A scene: so many shops, orders for each, and lines for each of these."""

    title: str
    shops: int
    orders: int
    lines: int
    cls: Any
    statement: Any


def _trees() -> list[Tree]:
    two = _SHOPS.options(_loaded(Shop.name), _FEW)
    three = _SHOPS.options(_loaded(Shop.name), _FEW.options(_LINES))
    up = select(Order).order_by(Order.id).options(
        _loaded(Order.name, Order.note, Order.pieces),
        selectinload(Order.shop).load_only(Shop.name),
    )  # fmt: skip
    about = select(Order).order_by(Order.id).options(
        _loaded(Order.name, Order.note, Order.pieces),
        selectinload(Order.shop).load_only(Shop.about),
    )  # fmt: skip
    lines = select(Order).order_by(Order.id).options(
        _loaded(Order.name, Order.note, Order.pieces), _LINES
    )  # fmt: skip
    return [
        Tree("1 parent, 10 children", 1, 10, 0, ShopOrders, two),
        Tree("100 parents, 10 children", 100, 10, 0, ShopOrders, two),
        Tree("1000 parents, 10 children", 1000, 10, 0, ShopOrders, two),
        Tree("1000 parents, 1 child", 1000, 1, 0, ShopOrders, two),
        Tree("10 parents, 1000 children", 10, 1000, 0, ShopOrders, two),
        Tree("1 parent, 10 children, 5 below each", 1, 10, 5, ShopLines, three),
        Tree("100 parents, 10 children, 5 below each", 100, 10, 5, ShopLines, three),
        Tree("1000 parents, 5 children with decimals, dates", 100, 10, 5, OrderLines, lines),
        Tree("1000 rows of 10 parents", 10, 100, 0, OrderShop, up),
        Tree("1000 rows of 10 parents of 4 KB", 10, 100, 0, OrderAbout, about),
    ]


def _loaded(*attributes: Any) -> Any:
    from sqlalchemy.orm import load_only

    return load_only(*attributes)


async def _fill(engine: AsyncEngine, tree: Tree) -> None:
    day = dt.datetime(2026, 1, 1, 12)
    about = "a word about it " * 256
    shops = [{"id": n, "name": f"shop {n}", "about": about} for n in range(1, tree.shops + 1)]
    orders = [
        {"shop_id": shop["id"], "name": f"order {n}", "note": None if n % 3 else "soon",
         "pieces": n, "id": number * tree.orders + n + 1}
        for number, shop in enumerate(shops)
        for n in range(tree.orders)
    ]  # fmt: skip
    lines = [
        {"order_id": order["id"], "article": f"article {n}", "price": Decimal(n * 100 + 99) / 100,
         "sent": day + dt.timedelta(minutes=n)}
        for order in orders
        for n in range(tree.lines)
    ]  # fmt: skip
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.drop_all)
        await conn.run_sync(Base.metadata.create_all)
        for model, rows in ((Shop, shops), (Order, orders), (Line, lines)):
            if rows:
                await conn.execute(insert(model), rows)
        if engine.dialect.name != "sqlite":
            await conn.exec_driver_sql("ANALYZE")


async def _measured(engine: AsyncEngine, tree: Tree, rounds: int) -> dict[str, Any]:
    await _fill(engine, tree)
    db = AsyncSessionFactory(engine)
    ways: dict[str, Literal["json"] | None] = {"rows": None, "json": "json"}
    taken: dict[str, tuple[list[float], list[float]]] = {way: ([], []) for way in ways}
    async with db.begin() as session:

        async def read(strategy: Literal["json"] | None) -> list[Any]:
            return [*(await session.into(tree.cls, tree.statement, strategy=strategy))]

        if await read(None) != await read("json"):
            raise SystemExit(f"{tree.title}: the two ways differ")
        for number in range(rounds + 3):
            for way, strategy in ways.items():
                gc.collect()
                gc.disable()
                clock, processor = time.perf_counter(), time.process_time()
                await read(strategy)
                spent = time.process_time() - processor, time.perf_counter() - clock
                gc.enable()
                if number >= 3:
                    for kept, seconds in zip(taken[way], spent, strict=True):
                        kept.append(seconds * 1000)
    return {way: tuple(map(median, both)) for way, both in taken.items()}


async def _run(driver: str, rounds: int, words: Sequence[str]) -> None:
    with database(driver) as url:
        engine = new_engine(url)
        for tree in _trees():
            if not all(word in tree.title for word in words):
                continue
            found = await _measured(engine, tree, rounds)
            rows, as_json = found["rows"], found["json"]
            shown = [f"{value:8.2f}" for pair in zip(rows, as_json, strict=True) for value in pair]
            ratios = [f"{b / a:5.2f}" for a, b in zip(rows, as_json, strict=True)]
            print(f"| {driver} | {tree.title} | {' | '.join((*shown, *ratios))} |", flush=True)
        await engine.dispose()


def main(arguments: Sequence[str]) -> None:
    """Run the scenes with all words in their titles on the drivers that are named, or on all."""
    words = [each for each in arguments if not each.isdigit() and each not in DRIVERS]
    rounds = next((int(each) for each in arguments if each.isdigit()), 30)
    print("| driver | scene | processor: rows | json | clock: rows | json | processor | clock |")
    print("|---|---|---|---|---|---|---|---|")
    for driver in [each for each in arguments if each in DRIVERS] or list(DRIVERS):
        asyncio.run(_run(driver, rounds, words))


if __name__ == "__main__":
    main(sys.argv[1:])
