"""One process: one driver, all contenders of all shapes, checked and then timed."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import json
import os
import platform
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, make_url, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import has_compiled_ext

from benchmarks.bare import DRIVERS, bare
from benchmarks.contenders import BASELINE, Contender, contenders
from benchmarks.database import fill, new_engine, reset, table_named
from benchmarks.shapes import Shape, all_shapes

if TYPE_CHECKING:
    from benchmarks.scenes import Scene

# A shape that takes longer than this hangs: the process dumps its stacks and ends.
PATIENCE = 600
CHECKS = 5
WARMUPS = 3
LEGACY_SHAPES = ("one", "one_built", "thousand", "wide", "join")


class UnequalResults(Exception):
    """Two contenders did not return, or did not leave behind, the same values."""


class WrongStatements(Exception):
    """A contender runs more, or fewer, statements than it may."""


@dataclass(frozen=True)
class Task:
    """What a process is told to measure."""

    driver: str
    url: str
    rounds: int
    shapes: list[str]
    legacy: bool


class Bench:
    """The contenders of one driver, ready to run."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.url = make_url(task.url)
        self.engines: list[AsyncEngine] = []
        self.closers: list[Callable[[], Awaitable[Any]]] = []
        self.admin = self.engine()

    def engine(self) -> AsyncEngine:
        """Return a new engine, to be disposed at the end."""
        self.engines.append(new_engine(self.url))
        return self.engines[-1]

    async def run(self) -> dict[str, Any]:
        """Return, by shape, the times of each contender's samples, in seconds per operation."""
        await fill(self.admin)
        driver = DRIVERS[self.task.driver]()
        await driver.open(self.url)
        entrants = contenders(self.engine, self.task.legacy)
        if not self.task.legacy:
            entrants.insert(0, bare(driver))
        try:
            found = {
                shape.name: await self.shape(shape, [e for e in entrants if e.takes(shape)])
                for shape in all_shapes()
                if self.wanted(shape)
            }
            return found if self.task.legacy else found | await self.scenes()
        finally:
            await driver.close()
            for close in self.closers:
                await close()
            for engine in self.engines:
                await engine.dispose()

    async def scenes(self) -> dict[str, Any]:
        """Return the same of the scenes."""
        # Not at the top: version 0.1.0 has none of what they use.
        from benchmarks.all_scenes import all_scenes
        from benchmarks.scenes import Site

        site = Site(self.url, self.engine, self.closers)
        found = {}
        for scene in all_scenes():
            if self.wanted(scene) and self.task.driver in scene.drivers:
                await self.count(scene)
                found[scene.name] = await self.shape(scene, scene.entrants(site))
        return found

    async def count(self, scene: Scene) -> None:
        """Raise ``WrongStatements`` unless each contender runs as many as the scene says.

        On an engine of its own, since listening makes an engine slower.
        """
        from benchmarks.scenes import Site

        engine, seen = self.engine(), list[str]()

        @event.listens_for(engine.sync_engine, "before_cursor_execute")
        def note(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        for entrant in scene.entrants(Site(self.url, lambda: engine, self.closers)):
            asked = scene.statements.get(entrant.name)
            if asked is not None:
                operation, touch = entrant.operation(scene), entrant.reader(scene).touch
                await entrant.ready(0)
                await operation(touch, 0)
                await entrant.ready(1)
                seen.clear()
                await operation(touch, 1)
                if len(seen) != asked:
                    raise WrongStatements(
                        f"{entrant.title} runs {len(seen)} statements in {scene.title!r}, not"
                        f" {asked}: {seen}"
                    )

    def wanted(self, shape: Shape | Scene) -> bool:
        """Whether this process measures a shape."""
        if self.task.legacy and shape.name not in LEGACY_SHAPES:
            return False
        return not self.task.shapes or shape.name in self.task.shapes

    async def shape(self, shape: Shape | Scene, entrants: list[Contender]) -> dict[str, Any]:
        """Check and time one shape."""
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        await self.check(shape, entrants)
        print(f"  {shape.title}", file=sys.stderr, flush=True)
        times = await self.measure(shape, entrants)
        faulthandler.cancel_dump_traceback_later()
        return {
            "title": shape.title,
            "repeats": shape.repeats,
            "contenders": {e.name: {"title": e.title, **times[e.name]} for e in entrants},
        }

    async def check(self, shape: Shape | Scene, entrants: list[Contender]) -> None:
        """Raise ``UnequalResults`` unless all contenders give and leave the same values."""
        expected: Any = None
        for entrant in sorted(entrants, key=lambda e: e.name != BASELINE):
            operation, collect = entrant.operation(shape), entrant.reader(shape).collect
            await self.clean(shape)
            got = []
            for n in range(getattr(shape, "checks", None) or CHECKS):
                await entrant.ready(n)
                got.append(await operation(collect, n))
            found = (got, await self.contents(shape))
            if expected is None:
                expected = found
            elif found != expected:
                raise UnequalResults(
                    f"{entrant.title} differs from the baseline in {shape.title!r}:"
                    f" {_difference(found, expected)}"
                )

    async def clean(self, shape: Shape | Scene) -> None:
        """Undo what the shape wrote."""
        if shape.writes:
            async with self.admin.begin() as conn:
                await reset(conn, shape.writes)

    async def contents(self, shape: Shape | Scene) -> list[tuple[Any, ...]]:
        """Return the rows of the table that the shape writes to."""
        if not shape.writes:
            return []
        table = table_named(shape.writes)
        async with self.admin.begin() as conn:
            rows = await conn.execute(select(table).order_by(table.c.id))
            return [tuple(row) for row in rows]

    async def measure(
        self, shape: Shape | Scene, entrants: list[Contender]
    ) -> dict[str, dict[str, list[float]]]:
        """Run the rounds; every contender once in each, in random order.

        Returns, by contender, the seconds per operation in each round: by the clock (``times``),
        and of this process's processor time, all threads together (``cpu``).
        """
        runs = {e.name: (e.operation(shape), e.reader(shape).touch, e.ready) for e in entrants}
        found: dict[str, dict[str, list[float]]] = {n: {"times": [], "cpu": []} for n in runs}
        order, repeats, n = list(runs), shape.repeats, 0
        dice = random.Random(shape.name)
        # What exists by now is not looked at again, so that collecting between rounds is quick.
        gc.freeze()
        most = getattr(shape, "rounds", None) or self.task.rounds
        for turn in range(min(self.task.rounds, most) + WARMUPS):
            await self.clean(shape)
            dice.shuffle(order)
            gc.collect()
            gc.disable()
            for name in order:
                operation, touch, ready = runs[name]
                # Five contenders run Core's code: without this it alone would be in the
                # processor's caches whenever its turn comes.
                await ready(n)
                await operation(touch, n)
                # For one operation, and with other values than those that were just written.
                await ready(n + 1)
                cpu, start = process_time_ns(), perf_counter_ns()
                for i in range(n, n + repeats):
                    await operation(touch, i)
                spent, cpu = perf_counter_ns() - start, process_time_ns() - cpu
                if turn >= WARMUPS:
                    found[name]["times"].append(spent / repeats / 1e9)
                    found[name]["cpu"].append(cpu / repeats / 1e9)
            gc.enable()
            n += repeats
        return found


def _difference(found: Any, expected: Any) -> str:
    """Return the first place where two nested lists differ, as text."""
    for ours, theirs in zip(found, expected, strict=False):
        if ours != theirs:
            if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
                return _difference(ours, theirs)
            return f"{ours!r} is not {theirs!r}"
    return f"{len(found)} values, not {len(expected)}: {found!r:.300} and {expected!r:.300}"


def environment() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "machine": f"{platform.system()} {platform.machine()}",
        "sqlalchemy": version("sqlalchemy"),
        "compiled_extensions": has_compiled_ext(),
        "load": round(os.getloadavg()[1], 1),
        "processors": os.cpu_count(),
        "drivers": {name: version(name) for name in ("aiosqlite", "asyncpg", "psycopg")},
    }


def _require_legacy() -> None:
    """Raise ``ImportError`` unless the ``naked_sqla`` of this process is the package from PyPI."""
    import naked_sqla

    home = Path(naked_sqla.__file__ or "").resolve()
    if version("naked-sqla") != "0.1.0" or home.is_relative_to(
        Path(__file__).parents[1] / "naked_sqla"
    ):
        raise ImportError(
            f"naked_sqla is {home}; naked-sqla 0.1.0 is needed: python -m benchmarks legacy"
        )


def main(task_json: str, output: str) -> None:
    """Measure what the JSON of a ``Task`` says and write the result's JSON to a file."""
    task = Task(**json.loads(task_json))
    if task.legacy:
        _require_legacy()
    result = {
        "driver": task.driver,
        "rounds": task.rounds,
        "environment": environment(),
        "shapes": asyncio.run(Bench(task).run()),
    }
    Path(output).write_text(json.dumps(result))
