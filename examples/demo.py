"""The main job on real rows: four days of flights from New York, in an SQLite file.

Run it with ``make demo``, or with ``python -m examples.demo`` where naked_sqla is installed.
Each step prints the code that runs, and then what that code shows.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
import tempfile
import textwrap
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import selectinload

from examples.models import Airline, Airport, Base, Flight, Plane
from examples.rows import rows_of
from naked_sqla import AsyncSessionFactory, ConcurrentSessionUse, NotLoadedError

Step = Callable[[AsyncSessionFactory], Awaitable[None]]
STEPS: list[Step] = []


def step(function: Step) -> Step:
    """Add ``function`` to the demo: its docstring is the title, its body is shown and run."""
    STEPS.append(function)
    return function


def show(*values: object) -> None:
    """Print values as the outcome of a step."""
    text = "  ".join(str(value) for value in values)
    print(textwrap.indent(textwrap.fill(text, 110, break_long_words=False), "      "))


@step
async def store_rows(db: AsyncSessionFactory) -> None:
    """Store rows: an insert and a list of dictionaries; the block commits at its end"""
    async with db.begin() as session:
        for model in (Airline, Airport, Plane, Flight):
            rows = rows_of(model)
            await session.execute(insert(model), rows)
            show(f"{model.__name__}: {len(rows)} rows")


@step
async def read_entities(db: AsyncSessionFactory) -> None:
    """Read entities: plain objects of your own classes, with your own methods"""
    async with db.begin() as session:
        flights = (await session.scalars(select(Flight).where(Flight.dest == "SFO"))).all()
    for flight in flights[:3]:
        show(flight, f"cancelled: {flight.cancelled}")
    show(f"{len(flights)} flights; isinstance(_, Flight): {isinstance(flights[0], Flight)}")


@step
async def read_columns(db: AsyncSessionFactory) -> None:
    """Read columns and aggregates: what the blizzard of 8 February did"""
    cancelled = func.count().filter(Flight.dep_time.is_(None)).label("cancelled")
    per_day = select(Flight.day, func.count().label("flights"), cancelled).group_by(Flight.day)
    async with db.begin() as session:
        for row in await session.execute(per_day.order_by(Flight.day)):
            show(f"{row.day}: {row.cancelled:3} of {row.flights} flights cancelled")


@step
async def join(db: AsyncSessionFactory) -> None:
    """Join: several entities to a row, unpacked"""
    late = select(Flight, Airline).join(Flight.airline).order_by(Flight.dep_delay.desc()).limit(3)
    async with db.begin() as session:
        for flight, airline in await session.tuples(late.where(Flight.dep_delay.is_not(None))):
            show(f"{airline.name}: {flight}")


@step
async def outer_join(db: AsyncSessionFactory) -> None:
    """Outer join: a plane that is not in the data is None, not an object full of None"""
    some = select(Flight, Plane).outerjoin(Flight.plane).where(Flight.dest == "ORD").limit(4)
    async with db.begin() as session:
        for flight, plane in await session.tuples(some):
            show(f"{flight}: {plane}")


@step
async def change_rows(db: AsyncSessionFactory) -> None:
    """Change rows: UPDATE ... RETURNING gives the objects as they are now"""
    merge = update(Airline).where(Airline.carrier == "FL").values(name="Southwest, was AirTran")
    async with db.begin() as session:
        airline = (await session.scalars(merge.returning(Airline))).one()
    show(airline)


@step
async def not_loaded(db: AsyncSessionFactory) -> None:
    """What was not loaded says so: no hidden query, no invented None"""
    async with db.begin() as session:
        flight = (await session.scalars(select(Flight).limit(1))).one()
    try:
        print(flight.plane)
    except NotLoadedError as error:
        show(f"NotLoadedError: {error}")


@step
async def eager(db: AsyncSessionFactory) -> None:
    """Load relationships where you say so: one further statement for each of the two levels"""
    loading = selectinload(Airline.flights).selectinload(Flight.plane)
    virgin = select(Airline).where(Airline.carrier == "VX").options(loading)
    async with db.begin() as session:
        airline = (await session.scalars(virgin)).one()
    seats = sum(flight.plane.seats for flight in airline.flights if flight.plane)
    show(f"{airline.name}: {len(airline.flights)} flights, on planes with {seats} seats in all")


@step
async def one_shot(db: AsyncSessionFactory) -> None:
    """One statement needs no block: the factory runs it"""
    jfk = await db.get_one(Airport, "JFK")
    number = await db.scalar(select(func.count()).where(Flight.origin == jfk.faa))
    show(f"{jfk.name}: {number} flights")


@step
async def into(db: AsyncSessionFactory) -> None:
    """Fill your own classes from rows, by name: a dataclass here, or pydantic, msgspec, attrs"""

    @dataclass
    class Delay:
        airline: str
        minutes: float

    minutes = func.round(func.avg(Flight.dep_delay), 1).label("minutes")
    delays = select(Airline.name.label("airline"), minutes).join(Airline.flights)
    worst = delays.group_by(Airline.carrier).order_by(minutes.desc()).limit(3)
    for delay in await db.into(Delay, worst):
        show(f"{delay.airline}: {delay.minutes} minutes late on average")


@step
async def failed_transaction(db: AsyncSessionFactory) -> None:
    """A failed transaction leaves nothing behind"""
    try:
        async with db.begin() as session:
            await session.execute(insert(Airline), {"carrier": "ZZ", "name": "Zeppelin Lines"})
            await session.execute(insert(Airline), {"carrier": "UA", "name": "a second United"})
    except IntegrityError as error:
        show(f"IntegrityError: {error.orig}")
    async with db.begin() as session:
        zeppelin = await session.scalars(select(Airline).where(Airline.carrier == "ZZ"))
        show(f"Zeppelin Lines: {zeppelin.one_or_none()}; the session is {session.state}")
    show(f"after the block it is {session.state}")


@step
async def one_task_at_a_time(db: AsyncSessionFactory) -> None:
    """One task at a time: a session is a transaction, and gather() on it is a mistake"""
    async with db.begin() as session:
        counts = (session.scalars(select(func.count()).select_from(m)) for m in (Flight, Plane))
        outcomes = await asyncio.gather(*counts, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, ConcurrentSessionUse):
            show(f"ConcurrentSessionUse: {outcome}")
        elif not isinstance(outcome, BaseException):
            show(f"the first count: {outcome.one()}")


def code_of(function: Step) -> str:
    """Give the source of the body of ``function``, without its docstring."""
    source = textwrap.dedent(inspect.getsource(function))
    definition = ast.parse(source).body[0]
    if not isinstance(definition, ast.AsyncFunctionDef):
        raise TypeError(f"{function} is not an async function")
    start = definition.body[1]
    first = min(node.lineno for node in (start, *getattr(start, "decorator_list", ())))
    return textwrap.dedent("\n".join(source.splitlines()[first - 1 :]))


async def main() -> None:
    """Make a database in a temporary folder and run every step on it."""
    bold, dim, plain = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")
    with tempfile.TemporaryDirectory() as folder:
        engine = create_async_engine(f"sqlite+aiosqlite:///{Path(folder) / 'flights.sqlite'}")
        async with engine.begin() as conn:
            await conn.run_sync(Base.metadata.create_all)
        db = AsyncSessionFactory(engine)
        for number, function in enumerate(STEPS, 1):
            print(f"{bold}{number}. {function.__doc__}{plain}\n")
            print(dim + textwrap.indent(code_of(function), "    ") + plain + "\n")
            await function(db)
            print()
        await engine.dispose()
    print("The models are in examples/models.py: stock SQLAlchemy. Read on in docs/quickstart.md.")


if __name__ == "__main__":
    asyncio.run(main())
