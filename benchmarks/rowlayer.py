"""The row layer alone: rows that are in memory, a plan that is built, objects that are read.

No driver, no statement, no connection is in these times. The hand-written loops, naked_sqla's
hydrator and the ORM's loader (``sqlalchemy.orm.loading.instances``, with a session whose identity
map is empty) are given the same list of tuples. What SQLAlchemy reads it from is its own
``CursorResult`` over a buffer, so that its ``Row`` objects are real. Nothing here waits, so the
processor's time is measured: by the clock, a busy machine interrupts the slower ones more often.
"""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import process_time_ns
from typing import Any

from sqlalchemy import Connection, create_engine, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.orm import Session, loading

from benchmarks import data
from benchmarks.models import Base, User
from benchmarks.readers import Read, Reader, reader, unpacking
from benchmarks.shapes import USER, objects
from benchmarks.stats import ratio

Rows = list[tuple[Any, ...]]


class Plain:
    """What a hand-written loop builds: a class with an ``__init__``."""

    def __init__(self, id: int, name: str, email: str, age: int | None) -> None:
        self.id = id
        self.name = name
        self.email = email
        self.age = age


class Slotted:
    """The same with ``__slots__``."""

    __slots__ = ("age", "email", "id", "name")

    def __init__(self, id: int, name: str, email: str, age: int | None) -> None:
        self.id = id
        self.name = name
        self.email = email
        self.age = age


def plain(rows: Rows) -> list[Plain]:
    """Build plain objects."""
    return [Plain(a, b, c, d) for a, b, c, d in rows]


def slotted(rows: Rows) -> list[Slotted]:
    """Build objects with slots."""
    return [Slotted(a, b, c, d) for a, b, c, d in rows]


def plain_loop(rows: Rows) -> list[Plain]:
    """Build plain objects with ``append`` in place of a comprehension."""
    result = []
    for a, b, c, d in rows:
        result.append(Plain(a, b, c, d))
    return result


class InMemory:
    """SQLAlchemy's results of ``select(User)``, over rows that no driver has to fetch."""

    def __init__(self) -> None:
        self.engine = create_engine("sqlite://")
        Base.metadata.create_all(self.engine)
        self.session = Session(self.engine)
        with _captured_loading() as captured:
            self.session.scalars(select(User)).all()
        self.orm_cursor, self.context = captured[0]
        self.core_cursor = self.session.connection().execute(select(User.__table__))
        self.core_cursor.all()

    def close(self) -> None:
        """Give the connection back."""
        self.session.close()
        self.engine.dispose()

    def forget(self) -> None:
        """Empty the identity map, so that the next load makes new objects."""
        self.session.expunge_all()

    def orm(self, rows: Rows) -> list[Any]:
        """Load instances as the ORM does."""
        found = loading.instances(_over(self.orm_cursor, rows), self.context)
        return list(found.scalars().all())

    def core(self, rows: Rows) -> list[Any]:
        """Make Core's ``Row`` objects."""
        return list(_over(self.core_cursor, rows).all())


class _Closed:
    """Stands for the driver's cursor: the result closes it after the last row."""

    def close(self) -> None:
        """Nothing to close."""


_CLOSED = _Closed()


def _over(cursor: CursorResult[Any], rows: Rows) -> CursorResult[Any]:
    """Return an exhausted cursor result, made to read the rows."""
    cursor.cursor = _CLOSED  # type: ignore[assignment]
    cursor.cursor_strategy = FullyBufferedCursorFetchStrategy(None, initial_buffer=rows)
    cursor._soft_closed = False
    return cursor


@contextmanager
def _captured_loading() -> Any:
    """Yield a list of the arguments that the ORM's loader is called with."""
    calls: list[tuple[Any, Any]] = []
    original = loading.instances

    def instances(cursor: Any, context: Any) -> Any:
        calls.append((cursor, context))
        return original(cursor, context)

    loading.instances = instances
    try:
        yield calls
    finally:
        loading.instances = original


def hydrate(memory: InMemory) -> Callable[[Rows], list[Any]]:
    """Return the function that naked_sqla generates for ``select(User)``."""
    from naked_sqla.read.hydrator import hydrator
    from naked_sqla.read.planner import plan_of

    cursor = memory.orm_cursor
    return hydrator(plan_of(cursor.context.compiled.compile_state, cursor._metadata))


class Replay:
    """A connection that executes once and answers with the rows it is given ever after."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.rows: Rows = []
        self.cursor: CursorResult[Any] | None = None

    def execute(self, *args: Any, **kwargs: Any) -> CursorResult[Any]:
        """Return the result of the first execution, made to read the rows."""
        if self.cursor is None:
            self.cursor = self.conn.execute(*args, **kwargs)
            self.cursor.all()
        return _over(self.cursor, self.rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.conn, name)


def whole(memory: InMemory) -> Callable[[Rows], list[Any]]:
    """Return what reads the rows as a session does: checks, cache look-up, hydrator, result."""
    from naked_sqla.read.statement import execute

    replay = Replay(memory.session.connection())
    statement = select(User)

    def build(rows: Rows) -> list[Any]:
        replay.rows = rows
        return list(execute(replay, statement).scalars().all())  # type: ignore[arg-type]

    return build


@dataclass(frozen=True)
class Layer:
    """One way from rows to objects."""

    title: str
    build: Callable[[Rows], list[Any]]
    reader: Reader


def _layers(memory: InMemory) -> dict[str, Layer]:
    attributes = reader("obj", objects(USER))
    by_position = reader("row", [f"row[{i}]" for i in range(len(USER))])
    return {
        "plain": Layer("hand-written, plain class", plain, attributes),
        "plain_loop": Layer("hand-written, plain class, append", plain_loop, attributes),
        "slotted": Layer("hand-written, class with slots", slotted, attributes),
        "naked": Layer("naked_sqla's hydrator", hydrate(memory), attributes),
        "naked_whole": Layer("naked_sqla, statement to result", whole(memory), attributes),
        "tuples": Layer("the tuples themselves, unpacked", list, unpacking(len(USER))),
        "core": Layer("Core's rows, by position", memory.core, by_position),
        "orm": Layer("the ORM's loader", memory.orm, attributes),
    }


def measure(rounds: int) -> dict[str, Any]:
    """Return the medians of all layers and the ratios that have goals."""
    rows = [tuple(row[name] for name in USER) for row in data.users()]
    memory = InMemory()
    layers = _layers(memory)
    for name, layer in layers.items():
        memory.forget()
        if layer.reader.collect(layer.build(rows)) != rows:
            raise ValueError(f"the row layer {name!r} does not give back the rows")
    times: dict[str, list[float]] = {name: [] for name in layers}
    order, dice = list(layers), random.Random("row layer")
    gc.freeze()
    for _ in range(rounds):
        dice.shuffle(order)
        memory.forget()
        gc.collect()
        gc.disable()
        for name in order:
            times[name].append(_timed(layers[name].build, layers[name].reader.touch, rows))
        gc.enable()
    memory.close()
    ours = times["naked"]
    return {
        "rounds": rounds,
        "runs": {
            name: {
                "title": layer.title,
                "median": median(times[name]),
                "to_ours": asdict(ratio(times[name], ours)),
            }
            for name, layer in layers.items()
        },
        "ratios": {
            "to_plain": asdict(ratio(ours, times["plain"])),
            "to_slotted": asdict(ratio(ours, times["slotted"])),
            "orm_to_ours": asdict(ratio(times["orm"], ours)),
            "orm_to_whole": asdict(ratio(times["orm"], times["naked_whole"])),
        },
    }


def _timed(build: Callable[[Rows], list[Any]], touch: Read, rows: Rows) -> float:
    start = process_time_ns()
    objects_ = build(rows)
    touch(objects_)
    spent = process_time_ns() - start
    return spent / 1e9


def main(rounds: str, output: str) -> None:
    """Measure and write the result's JSON to a file."""
    Path(output).write_text(json.dumps(measure(int(rounds))))
