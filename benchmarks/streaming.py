"""All flights as a stream: throughput, and the memory that it takes.

Every contender reads every attribute of every row, ``yield_per`` rows at a time, from a
server-side cursor. Throughput is measured in one process, round by round; memory in a process for
each contender, which first connects and runs a statement and then is idle: what counts is its
resident memory at the highest, less what it was when idle. Linux only: elsewhere the memory is
left out.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from sqlalchemy import make_url, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from benchmarks.database import new_engine
from benchmarks.flights import FLIGHTS
from benchmarks.flightsdb import COLUMNS, Flight, load
from benchmarks.stats import ratio

YIELD_PER = 1000
OPTIONS = {"yield_per": YIELD_PER}
_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@dataclass(frozen=True)
class Streamer:
    """One way of streaming all flights; ``read`` reads one object or row."""

    title: str
    run: Callable[[AsyncEngine, Callable[[Any], Awaitable[Any]]], Awaitable[Any]]
    target: str
    expressions: tuple[str, ...]
    parts: bool = False
    """Read in partitions, which spares the loop an await for each row."""


async def _core(engine: AsyncEngine, read: Callable[[Any], Awaitable[Any]]) -> Any:
    async with engine.begin() as conn:
        return await read(await conn.stream(select(Flight.__table__), execution_options=OPTIONS))


async def _orm(engine: AsyncEngine, read: Callable[[Any], Awaitable[Any]]) -> Any:
    async with async_sessionmaker(engine, expire_on_commit=False).begin() as session:
        return await read(await session.stream_scalars(select(Flight), execution_options=OPTIONS))


async def _naked(engine: AsyncEngine, read: Callable[[Any], Awaitable[Any]]) -> Any:
    from naked_sqla import AsyncSessionFactory

    async with AsyncSessionFactory(engine).begin() as session:
        return await read(await session.stream_scalars(select(Flight), execution_options=OPTIONS))


_POSITIONS = tuple(f"item[{i}]" for i in range(len(COLUMNS)))
_NAMES = tuple(f"item.{name}" for name in COLUMNS)

STREAMERS = {
    "core": Streamer("Core, by position", _core, "row", _POSITIONS),
    "orm": Streamer("ORM AsyncSession", _orm, "obj", _NAMES),
    "orm_parts": Streamer("ORM AsyncSession, partitions()", _orm, "obj", _NAMES, True),
    "naked": Streamer("naked_sqla", _naked, "obj", _NAMES),
    "naked_parts": Streamer("naked_sqla, partitions()", _naked, "obj", _NAMES, True),
}


def _readers(streamer: Streamer) -> tuple[Any, Any]:
    """Return two loops over a result: one that reads every value, one that digests them too."""
    values = "".join(f"v{i} = {text}; " for i, text in enumerate(streamer.expressions))
    names = ", ".join(f"v{i}" for i in range(len(streamer.expressions)))
    head = "    async for item in result:\n        "
    if streamer.parts:
        head = "    async for part in result.partitions():\n        for item in part:\n            "
    source = (
        f"async def touch(result):\n{head}{values}\n"
        f"async def digest(result):\n    count = seen = 0\n"
        f"{head}{values}count += 1; seen = hash((seen, {names}))\n"
        f"    return count, seen\n"
    )
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    return namespace["touch"], namespace["digest"]


async def throughput(url: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Load the flights, compare what the contenders read, time them."""
    engines = {name: new_engine(make_url(url)) for name in STREAMERS}
    await load(engines["core"], make_url(url))
    expected = None
    for name, streamer in STREAMERS.items():
        found = await streamer.run(engines[name], _readers(streamer)[1])
        expected = expected or found
        if found != expected or found[0] != FLIGHTS:
            raise ValueError(f"{streamer.title} streams {found}, Core {expected}")
    touch = {name: _readers(streamer)[0] for name, streamer in STREAMERS.items()}
    times: dict[str, dict[str, list[float]]] = {n: {"times": [], "cpu": []} for n in STREAMERS}
    order, dice = list(STREAMERS), random.Random("streaming")
    gc.freeze()
    for _ in range(rounds):
        dice.shuffle(order)
        for name in order:
            gc.collect()
            # The collector stays on: nobody streams this much without it.
            cpu, start = process_time(), perf_counter()
            await STREAMERS[name].run(engines[name], touch[name])
            times[name]["times"].append(perf_counter() - start)
            times[name]["cpu"].append(process_time() - cpu)
    for engine in engines.values():
        await engine.dispose()
    return times


async def memory(url: str, name: str) -> dict[str, float]:
    """Return the resident memory, idle and at its highest, in megabytes."""
    engine = new_engine(make_url(url))
    if name.startswith("naked"):
        import naked_sqla  # noqa: F401
    async with engine.begin() as conn:
        await conn.execute(text("SELECT 1"))
    gc.collect()
    idle = _idle()
    await STREAMERS[name].run(engine, _readers(STREAMERS[name])[0])
    peak = _resident("VmHWM")
    await engine.dispose()
    return {"idle": idle, "peak": peak, "above": peak - idle}


def _idle() -> float:
    """Have the kernel forget the highest so far; return what is resident now."""
    _CLEAR.write_text("5")
    return _resident("VmRSS")


def _resident(field: str) -> float:
    line = next(x for x in _STATUS.read_text().splitlines() if x.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def _measures_memory(name: str) -> bool:
    return _CLEAR.exists() and not STREAMERS[name].parts


def _measured_alone(url: str, name: str) -> dict[str, float]:
    code = "import sys; from benchmarks.streaming import alone; alone(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, url, name], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def alone(url: str, name: str) -> None:
    """Print the memory of one contender as JSON."""
    print(json.dumps(asyncio.run(memory(url, name))))


def main(url: str, rounds: str, output: str) -> None:
    """Measure and write the result's JSON to a file."""
    times = asyncio.run(throughput(url, int(rounds)))
    ours, baseline = times["naked"], times["core"]
    contenders = {
        name: {
            "title": streamer.title,
            "median": median(times[name]["times"]),
            "to_core": asdict(ratio(times[name]["times"], baseline["times"])),
            "to_ours": asdict(ratio(times[name]["times"], ours["times"])),
            "cpu_to_core": asdict(ratio(times[name]["cpu"], baseline["cpu"])),
            "cpu_to_ours": asdict(ratio(times[name]["cpu"], ours["cpu"])),
            "to_ours_parts": asdict(ratio(times[name]["times"], times["naked_parts"]["times"])),
            "cpu_to_ours_parts": asdict(ratio(times[name]["cpu"], times["naked_parts"]["cpu"])),
            "memory": _measured_alone(url, name) if _measures_memory(name) else None,
        }
        for name, streamer in STREAMERS.items()
    }
    found = {"rows": FLIGHTS, "rounds": int(rounds), "yield_per": YIELD_PER}
    Path(output).write_text(json.dumps({**found, "contenders": contenders}))
