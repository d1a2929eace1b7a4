"""The contenders on SQLAlchemy; ``benchmarks.bare`` has the ones without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from benchmarks.byhand import builder
from benchmarks.legacy import NAME
from benchmarks.readers import Read, Reader, reader, unpacking
from benchmarks.shapes import Shape

Operation = Callable[[Read, int], Awaitable[Any]]
"""Does the n-th operation of a shape, hands what came back to the loop, returns what that says."""

BASELINE = "core"
EVERYTHING = frozenset({"row", "rows", "nothing"})
ROWS = frozenset({"rows"})


@dataclass(frozen=True)
class Contender:
    """One way of doing a shape."""

    name: str
    title: str
    operation: Callable[[Any], Operation]
    """Given the shape, or the scene."""
    reader: Callable[[Any], Reader]
    returns: frozenset[str] = EVERYTHING
    """What a shape must return for this contender to say anything new."""
    of_several: bool = False
    """Whether it says nothing new of rows of one entity."""
    prepare: Callable[[int], Awaitable[None]] | None = None
    """Called before the n-th operation, and not timed: makes what it is given."""

    async def ready(self, n: int) -> None:
        """Prepare the n-th operation."""
        if self.prepare is not None:
            await self.prepare(n)

    def takes(self, shape: Shape) -> bool:
        """Whether it is worth measuring for this shape."""
        return shape.returns in self.returns and not (self.of_several and shape.single_entity)


def _by_position(shape: Shape) -> Reader:
    return reader("row", [f"row[{i}]" for i in range(len(shape.names))])


def _by_name(shape: Shape) -> Reader:
    return reader("row", [f"row.{name}" for name in shape.names])


def _unpacked(shape: Shape) -> Reader:
    return unpacking(len(shape.names))


def by_attribute(shape: Shape) -> Reader:
    """Read the attributes of loaded objects."""
    return reader(shape.target, shape.attributes)


def _core(engine: AsyncEngine, iterate: bool = False) -> Callable[[Shape], Operation]:
    def operation(shape: Shape) -> Operation:
        call = shape.core

        async def rows(read: Read, n: int) -> Any:
            statement, parameters = call(n)
            async with engine.begin() as conn:
                result = await conn.execute(statement, parameters)
                return read(result.all())

        async def iterated(read: Read, n: int) -> Any:
            statement, parameters = call(n)
            async with engine.begin() as conn:
                result = await conn.execute(statement, parameters)
                return read(result)

        async def row(read: Read, n: int) -> Any:
            statement, parameters = call(n)
            async with engine.begin() as conn:
                result = await conn.execute(statement, parameters)
                return read((result.one(),))

        async def nothing(read: Read, n: int) -> Any:
            statement, parameters = call(n)
            async with engine.begin() as conn:
                await conn.execute(statement, parameters)

        ways: dict[str, Operation] = {"rows": rows, "row": row, "nothing": nothing}
        return iterated if iterate and shape.returns == "rows" else ways[shape.returns]

    return operation


def _core_objects(engine: AsyncEngine) -> Callable[[Shape], Operation]:
    """Core, and the objects made by hand of its rows."""

    def operation(shape: Shape) -> Operation:
        call, build = shape.core, builder(shape.name)

        async def rows(read: Read, n: int) -> Any:
            statement, parameters = call(n)
            async with engine.begin() as conn:
                result = await conn.execute(statement, parameters)
                return read(build(result.all()))

        return rows

    return operation


def _sessions(
    begin: Callable[[], AbstractAsyncContextManager[Any]],
) -> Callable[[Shape], Operation]:
    """The one body of code that the ORM and both naked ones run."""

    def operation(shape: Shape) -> Operation:
        call = shape.model

        async def entities(read: Read, n: int) -> Any:
            statement, parameters = call(n)
            async with begin() as session:
                result = await session.scalars(statement, parameters)
                return read(result.all())

        async def rows(read: Read, n: int) -> Any:
            statement, parameters = call(n)
            async with begin() as session:
                result = await session.execute(statement, parameters)
                return read(result.all())

        async def entity(read: Read, n: int) -> Any:
            statement, parameters = call(n)
            async with begin() as session:
                result = await session.scalars(statement, parameters)
                return read((result.one(),))

        async def nothing(read: Read, n: int) -> Any:
            statement, parameters = call(n)
            async with begin() as session:
                await session.execute(statement, parameters)

        if shape.returns == "rows":
            return entities if shape.single_entity else rows
        return entity if shape.returns == "row" else nothing

    return operation


def _tuples(begin: Callable[[], AbstractAsyncContextManager[Any]]) -> Callable[[Shape], Operation]:
    """Rows of several entities as plain tuples."""

    def operation(shape: Shape) -> Operation:
        call = shape.model

        async def rows(read: Read, n: int) -> Any:
            statement, parameters = call(n)
            async with begin() as session:
                return read(await session.tuples(statement, parameters))

        return rows

    return operation


def contenders(new_engine: Callable[[], AsyncEngine], legacy: bool) -> list[Contender]:
    """Return the SQLAlchemy contenders, each on an engine of its own.

    ``legacy`` says that the ``naked_sqla`` of this process is the package of version 0.1.0.
    """
    from naked_sqla.om.asession import AsyncSessionFactory

    orm = async_sessionmaker(new_engine(), expire_on_commit=False)
    naked = AsyncSessionFactory(new_engine())
    ours = ("legacy", NAME) if legacy else ("naked", "naked_sqla")
    tuples = _tuples(AsyncSessionFactory(new_engine()).begin)
    plain = Contender("naked_tuples", "tuples()", tuples, by_attribute, ROWS, of_several=True)
    return [
        Contender(BASELINE, "Core, by position", _core(new_engine()), _by_position),
        Contender("core_again", "Core, by position, again", _core(new_engine()), _by_position),
        Contender("core_unpack", "Core, unpacked", _core(new_engine()), _unpacked, ROWS),
        Contender("core_iter", "Core, iterated", _core(new_engine(), True), _by_position, ROWS),
        Contender(
            "core_name", "Core, by name", _core(new_engine()), _by_name, EVERYTHING - {"nothing"}
        ),
        Contender(
            "core_objects",
            "Core, hand-written objects",
            _core_objects(new_engine()),
            by_attribute,
            ROWS,
        ),
        Contender("orm", "ORM AsyncSession", _sessions(orm.begin), by_attribute),
        Contender(*ours, _sessions(naked.begin), by_attribute),
        *([] if legacy else [plain]),
    ]
