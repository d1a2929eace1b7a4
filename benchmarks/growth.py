"""How the cost of a unit grows: rows, columns, entities, levels of eager loading, tasks.

Each contender reads the same, and reads every attribute; each size is measured in rounds in which
every contender runs once, in random order.  Core gives rows, the others objects; "objects by hand"
makes those from Core's rows, of dataclasses with slots.  Several entities are read by ``tuples()``.
The collector runs as it does in an application: for large results it is a part of the cost.  What
is given is the processor time of the process, divided by the units: rows, values, objects or reads.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import make_dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from sqlalchemy import ForeignKey, MetaData, bindparam, insert, make_url, select
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    mapped_column,
    relationship,
    selectinload,
)

from benchmarks.database import new_engine
from naked_sqla import AsyncSessionFactory

NAMES = {"core": "Core", "hand": "objects by hand", "naked": "naked_sqla", "orm": "the ORM"}
AXES = {
    "rows": ("Rows of 4 columns", "rows", "row"),
    "columns": ("Columns, in 1000 rows", "columns", "value"),
    "entities": ("Entities in a row, 1000 rows", "entities", "object"),
    "levels": ("Levels of selectinload(), 5 objects below each", "levels", "object"),
    "tasks": ("Tasks that read one row each in begin()", "tasks", "read"),
}
SIZES = {
    "rows": (1, 10, 100, 1000, 10_000, 100_000, 1_000_000),
    "columns": (1, 3, 10, 30, 100),
    "entities": (1, 2, 3, 4),
    "levels": (1, 2, 3),
    "tasks": (1, 5, 20, 50),
}
ROOTS, BELOW = 20, 5
SECONDS, ROUNDS = 1.5, (3, 40)
"""The rounds of a size: as many as fit into the seconds, within these bounds."""


class Base(DeclarativeBase):
    """The tables of growth, in a metadata of their own."""

    metadata = MetaData()


class Row(Base):
    """Four columns, as many rows as are wanted."""

    __tablename__ = "growth_rows"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    number: Mapped[int]
    ratio: Mapped[float]


class Node(Base):
    """A tree: each node has ``BELOW`` children, down to the deepest level."""

    __tablename__ = "growth_nodes"
    id: Mapped[int] = mapped_column(primary_key=True)
    level: Mapped[int]
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("growth_nodes.id"), index=True)
    children: Mapped[list[Node]] = relationship(order_by="Node.id")


def _wide(width: int) -> Any:
    names: dict[str, Any] = {f"c{i}": mapped_column() for i in range(1, width)}
    annotations = {"id": Mapped[int]} | dict.fromkeys(names, Mapped[int])
    names["id"] = mapped_column(primary_key=True)
    body = {"__tablename__": f"growth_{width}", "__annotations__": annotations, **names}
    return type(f"Wide{width}", (Base,), body)


WIDES = {width: _wide(width) for width in SIZES["columns"]}

Work = Callable[[], Awaitable[object]]


async def fill(engine: AsyncEngine, rows: int) -> None:
    """Make the tables, and fill them."""
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.drop_all)
        await conn.run_sync(Base.metadata.create_all)
        for start in range(1, rows + 1, 10_000):
            some = range(start, min(start + 10_000, rows + 1))
            await conn.execute(
                insert(Row),
                [{"id": i, "name": f"name {i}", "number": i, "ratio": i / 8} for i in some],
            )
        for width, model in WIDES.items():
            names = [column.name for column in model.__table__.columns]
            assert len(names) == width
            await conn.execute(
                insert(model), [dict.fromkeys(names, i) | {"id": i} for i in range(1, 1001)]
            )
        await conn.execute(insert(Node), [*_nodes()])


def _nodes() -> Iterator[dict[str, Any]]:
    above: list[int | None] = [None] * ROOTS
    number = 0
    for level in range(max(SIZES["levels"]) + 1):
        now: list[int | None] = []
        for parent in above:
            number += 1
            now.append(number)
            yield {"id": number, "level": level, "name": f"node {number}", "parent_id": parent}
        above = [parent for parent in now for _ in range(BELOW)]


class Contenders:
    """The work of each contender, for each axis and size."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.db = AsyncSessionFactory(engine)
        self.orm = async_sessionmaker(engine, expire_on_commit=False)

    def works(self, axis: str, size: int) -> tuple[int, dict[str, Work]]:
        """The units of a size, and what is run."""
        found: tuple[int, dict[str, Work]] = getattr(self, f"_{axis}")(size)
        return found

    def _rows(self, size: int) -> tuple[int, dict[str, Work]]:
        names = ["id", "name", "number", "ratio"]
        table = Row.__table__
        core = select(table).where(table.c.id <= size)
        return size, self._reads(core, select(Row).where(Row.id <= size), [names])

    def _columns(self, size: int) -> tuple[int, dict[str, Work]]:
        model = WIDES[size]
        names = [column.name for column in model.__table__.columns]
        return 1000 * size, self._reads(select(model.__table__), select(model), [names])

    def _entities(self, size: int) -> tuple[int, dict[str, Work]]:
        kinds = [Row, *(aliased(Row) for _ in range(size - 1))]
        tables = [Row.__table__, *(Row.__table__.alias() for _ in range(size - 1))]
        ours, core = select(*kinds).where(Row.id <= 1000), select(*_labelled(tables))
        core = core.where(tables[0].c.id <= 1000)
        for kind, table in zip(kinds[1:], tables[1:], strict=True):
            ours = ours.join(kind, kind.id == Row.id)
            core = core.join(table, table.c.id == tables[0].c.id)
        return 1000 * size, self._reads(core, ours, [["id", "name", "number", "ratio"]] * size)

    def _reads(self, core: Any, entities: Any, names: list[list[str]]) -> dict[str, Work]:
        # written out, as one writes it: a getattr() with a variable costs more than the attribute
        row = _written("row", [f"row[{i}]" for i in range(sum(map(len, names)))])
        by_hand, made = _by_hand(names)
        if len(names) == 1:
            one = _written("obj", [f"obj.{name}" for name in names[0]])
        else:
            items = [f"o{i}.{name}" for i, own in enumerate(names) for name in own]
            one = _written(",".join(f"o{i}" for i in range(len(names))), items)

        async def by_core() -> object:
            async with self.engine.begin() as conn:
                return [row(found) for found in (await conn.execute(core)).all()]

        async def one_by_hand() -> object:
            async with self.engine.begin() as conn:
                return [one(obj) for obj in by_hand(await conn.execute(core), *made)]

        async def many_by_hand() -> object:
            async with self.engine.begin() as conn:
                return [one(*objects) for objects in by_hand(await conn.execute(core), *made)]

        async def scalars(opened: Callable[[], Any]) -> object:
            async with opened() as session:
                return [one(obj) for obj in (await session.scalars(entities)).all()]

        async def ours() -> object:
            async with self.db.begin() as session:
                return [one(*objects) for objects in await session.tuples(entities)]

        async def orm() -> object:
            async with self.orm.begin() as session:
                return [one(*objects) for objects in (await session.execute(entities)).tuples()]

        if len(names) == 1:
            return {
                "core": by_core,
                "hand": one_by_hand,
                "naked": lambda: scalars(self.db.begin),
                "orm": lambda: scalars(self.orm.begin),
            }
        return {"core": by_core, "hand": many_by_hand, "naked": ours, "orm": orm}

    def _levels(self, size: int) -> tuple[int, dict[str, Work]]:
        table = Node.__table__
        option = selectinload(Node.children)
        for _ in range(size - 1):
            option = option.selectinload(Node.children)
        statement = select(Node).where(Node.level == 0).order_by(Node.id).options(option)
        top = select(table).where(table.c.level == 0).order_by(table.c.id)
        below = (
            select(table)
            .where(table.c.parent_id.in_(bindparam("keys", expanding=True)))
            .order_by(table.c.id)
        )

        def read_rows(rows: Any, levels: list[dict[Any, list[Any]]]) -> list[Any]:
            found = levels[0] if levels else {}
            return [
                (row[0], row[1], row[2], row[3], read_rows(found.get(row[0], []), levels[1:]))
                for row in rows
            ]

        async def by_core() -> object:
            async with self.engine.begin() as conn:
                first: Any = (await conn.execute(top)).all()
                levels: list[dict[Any, list[Any]]] = []
                keys = [row[0] for row in first]
                for _ in range(size):
                    rows: Any = (await conn.execute(below, {"keys": keys})).all()
                    found: dict[Any, list[Any]] = {}
                    for row in rows:
                        found.setdefault(row[3], []).append(row)
                    levels.append(found)
                    keys = [row[0] for row in rows]
                return read_rows(first, levels)

        async def by_hand() -> object:
            async with self.engine.begin() as conn:
                first = [_Node(*row, None) for row in await conn.execute(top)]
                above = first
                for _ in range(size):
                    keys = [node.id for node in above]
                    nodes = [_Node(*row, None) for row in await conn.execute(below, {"keys": keys})]
                    found: dict[Any, list[Any]] = {}
                    for node in nodes:
                        found.setdefault(node.parent_id, []).append(node)
                    for node in above:
                        node.children = found.get(node.id, [])
                    above = nodes
                return [read(node, size) for node in first]

        def read(node: Any, left: int) -> object:
            children = [read(child, left - 1) for child in node.children] if left else []
            return node.id, node.level, node.name, node.parent_id, children

        async def by(opened: Callable[[], Any]) -> object:
            async with opened() as session:
                nodes = (await session.scalars(statement)).all()
                return [read(node, size) for node in nodes]

        works: dict[str, Work] = {
            "core": by_core,
            "hand": by_hand,
            "naked": lambda: by(self.db.begin),
            "orm": lambda: by(self.orm.begin),
        }
        return sum(ROOTS * BELOW**number for number in range(size + 1)), works

    def _tasks(self, size: int) -> tuple[int, dict[str, Work]]:
        works = self._rows(1)[1]

        def together(work: Work) -> Work:
            return lambda: asyncio.gather(*(work() for _ in range(size)))

        return size, {name: together(work) for name, work in works.items()}


_Node: Any = make_dataclass("_Node", ["id", "level", "name", "parent_id", "children"], slots=True)


def _by_hand(names: list[list[str]]) -> tuple[Callable[..., list[Any]], list[Any]]:
    """What makes objects of rows, as one writes it, and the classes that it is given."""
    classes = [make_dataclass(f"Made{i}", own, slots=True) for i, own in enumerate(names)]
    if len(names) == 1:
        return lambda rows, made: [made(*row) for row in rows], classes
    arguments, made, at = ["rows"], [], 0
    for i, own in enumerate(names):
        arguments.append(f"made{i}")
        made.append(f"made{i}({', '.join(f'row[{at + j}]' for j in range(len(own)))})")
        at += len(own)
    return eval(f"lambda {', '.join(arguments)}: [({', '.join(made)}) for row in rows]"), classes


def _written(arguments: str, items: list[str]) -> Callable[..., Any]:
    read: Callable[..., Any] = eval(f"lambda {arguments}: ({', '.join(items)},)")
    return read


def _labelled(tables: list[Any]) -> Iterator[Any]:
    for number, table in enumerate(tables):
        yield from (column.label(f"{column.name}_{number}") for column in table.columns)


async def measure(url: str, largest: int, seconds: float) -> dict[str, Any]:
    """The seconds of processor time for each unit, of each contender."""
    engine = new_engine(make_url(url))
    await fill(engine, largest)
    contenders = Contenders(engine)
    found: dict[str, Any] = {}
    for axis, sizes in SIZES.items():
        lines: dict[str, list[tuple[int, float]]] = {name: [] for name in NAMES}
        for size in sizes:
            if axis == "rows" and size > largest:
                continue
            units, works = contenders.works(axis, size)
            for name, cost in (await _costs(works, seconds)).items():
                lines[name].append((size, cost / units))
        found[axis] = lines
    await engine.dispose()
    return found


async def _costs(works: dict[str, Work], seconds: float) -> dict[str, float]:
    results = {name: await work() for name, work in works.items()}
    if any(result != results["core"] for result in results.values()):
        raise SystemExit("the contenders did not read the same")
    results.clear()
    for work in works.values():
        # the direct way is taken from the second time on
        await work()
    times: dict[str, list[float]] = {name: [] for name in works}
    names = [*works]
    end = perf_counter() + seconds
    while len(times["core"]) < ROUNDS[1] and (
        perf_counter() < end or len(times["core"]) < ROUNDS[0]
    ):
        random.shuffle(names)
        for name in names:
            gc.collect()
            start = process_time()
            await works[name]()
            times[name].append(process_time() - start)
    return {name: median(some) for name, some in times.items()}


def main(url: str, largest: str, seconds: str, output: str) -> None:
    """Measure one driver, in a process of its own."""
    found = asyncio.run(measure(url, int(largest), float(seconds)))
    Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
