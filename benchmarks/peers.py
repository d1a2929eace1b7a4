"""One read, by each library: one row by its key and a thousand, with a transaction and without.

Every contender has the same server, a pool of its own, and makes what it makes of a row: tuples,
records, objects.  The four values of each row are read and compared before anything is measured.
In each round every contender has its turn, in random order, with five reads of one row or one of a
thousand; the processor's time is that of this
process, the clock's is that and the server's.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import asyncpg
import psycopg_pool
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from databases import Database
from piccolo.columns import Integer, Varchar
from piccolo.engine.postgres import PostgresEngine
from piccolo.table import Table
from sqlalchemy import URL, make_url, select
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlmodel import Field, SQLModel
from sqlmodel import select as sqlmodel_select
from sqlmodel.ext.asyncio.session import AsyncSession as SQLModelSession
from tortoise import Tortoise
from tortoise.transactions import in_transaction

from benchmarks.database import fill, new_engine
from benchmarks.models import User
from benchmarks.tortoise_models import TortoiseUser
from naked_sqla import AsyncSessionFactory

Work = Callable[[], Awaitable[list[Any]]]
Read = Callable[[bool], Work | None]
ONE, ALL = "one row by key", "1000 rows"
SQL_ONE = "SELECT id, name, email, age FROM users WHERE id = "
SQL_ALL = "SELECT id, name, email, age FROM users ORDER BY id"
KEY = 7
IN_A_ROW = 5
"""Reads of one row: as in a service, the processor has the code of a library at hand."""
BASE = "Core, by position"


class SQLModelUser(SQLModel, table=True):
    """The same table, for SQLModel."""

    __tablename__ = "users"
    id: int = Field(primary_key=True)
    name: str
    email: str
    age: int | None = None


class Users(SQLAlchemyAsyncRepository[User]):
    """The repository of advanced-alchemy."""

    model_type = User


def _objects(found: Any) -> list[Any]:
    return [(obj.id, obj.name, obj.email, obj.age) for obj in found]


def _keys(found: Any) -> list[Any]:
    return [(row["id"], row["name"], row["email"], row["age"]) for row in found]


def _positions(found: Any) -> list[Any]:
    return [(row[0], row[1], row[2], row[3]) for row in found]


class Peers:
    """The contenders, each with its pool; entered before and left after all is measured."""

    def __init__(self, url: URL) -> None:
        self.url = url
        host = url.query.get("host", url.host)
        self.where = {"host": str(host), "user": url.username or "postgres"}
        self.where["database"] = url.database or "postgres"
        if url.port is not None:
            self.where["port"] = str(url.port)
        if url.password is not None:
            self.where["password"] = str(url.password)

    @asynccontextmanager
    async def works(self) -> AsyncIterator[dict[str, dict[str, tuple[Work, Work]]]]:
        """For each scene and contender, how it reads one row, and how a thousand."""
        async with AsyncExitStack() as stack:
            inside: dict[str, tuple[Work, Work]] = {}
            alone: dict[str, tuple[Work, Work]] = {}
            for add in (_naked, _core, _sessions):
                engine = new_engine(self.url)
                stack.push_async_callback(engine.dispose)
                add(engine, inside, alone)
            await self._asyncpg(stack, inside, alone)
            await self._psycopg(stack, inside, alone)
            await self._piccolo(stack, inside, alone)
            await self._tortoise(stack, inside, alone)
            await self._databases(stack, inside, alone)
            yield {"with a transaction": inside, "without": alone}

    async def _asyncpg(self, stack: AsyncExitStack, inside: Any, alone: Any) -> None:
        pool = await stack.enter_async_context(asyncpg.create_pool(**self.where))

        def read(sql: str, *given: Any) -> tuple[Work, Work]:
            async def within() -> list[Any]:
                async with pool.acquire() as conn, conn.transaction():
                    return _positions(await conn.fetch(sql, *given))

            async def by_itself() -> list[Any]:
                return _positions(await pool.fetch(sql, *given))

            return within, by_itself

        one, every = read(SQL_ONE + "$1", KEY), read(SQL_ALL)
        inside["asyncpg, by hand"], alone["asyncpg, by hand"] = zip(one, every, strict=True)

    async def _psycopg(self, stack: AsyncExitStack, inside: Any, alone: Any) -> None:
        names = {"database": "dbname"}
        given = {names.get(name, name): value for name, value in self.where.items()}

        async def pool(autocommit: bool) -> Any:
            made: Any = psycopg_pool.AsyncConnectionPool(
                kwargs={**given, "autocommit": autocommit}, open=False
            )
            await stack.enter_async_context(made)
            return made

        def read(pool: Any, sql: str, *given: Any) -> Work:
            async def work() -> list[Any]:
                async with pool.connection() as conn:
                    cursor = await conn.execute(sql, given or None)
                    return _positions(await cursor.fetchall())

            return work

        for scene, autocommit in ((inside, False), (alone, True)):
            made = await pool(autocommit)
            one, every = read(made, SQL_ONE + "%s", KEY), read(made, SQL_ALL)
            scene["psycopg, by hand"] = one, every

    async def _piccolo(self, stack: AsyncExitStack, inside: Any, alone: Any) -> None:
        engine = PostgresEngine(config=dict(self.where), extensions=())
        await engine.start_connection_pool()
        stack.push_async_callback(engine.close_connection_pool)
        body = {
            "id": Integer(primary_key=True),
            "name": Varchar(),
            "email": Varchar(),
            "age": Integer(null=True),
        }
        user: Any = type("PiccoloUser", (Table,), body, tablename="users", db=engine)

        async def one() -> list[Any]:
            return _objects([await user.objects().where(user.id == KEY).first()])

        async def every() -> list[Any]:
            return _objects(await user.objects().order_by(user.id))

        def within(work: Work) -> Work:
            async def inner() -> list[Any]:
                async with engine.transaction():
                    return await work()

            return inner

        inside["piccolo"], alone["piccolo"] = (within(one), within(every)), (one, every)

    async def _tortoise(self, stack: AsyncExitStack, inside: Any, alone: Any) -> None:
        connection = {"engine": "tortoise.backends.asyncpg", "credentials": dict(self.where)}
        models = {"models": {"models": ["benchmarks.tortoise_models"]}}
        config: Any = {"connections": {"default": connection}, "apps": models}
        config["apps"]["models"]["default_connection"] = "default"
        await Tortoise.init(config=config)
        stack.push_async_callback(Tortoise.close_connections)

        async def one() -> list[Any]:
            return _objects([await TortoiseUser.get(id=KEY)])

        async def every() -> list[Any]:
            return _objects(await TortoiseUser.all().order_by("id"))

        def within(work: Work) -> Work:
            async def inner() -> list[Any]:
                async with in_transaction():
                    return await work()

            return inner

        inside["tortoise-orm"], alone["tortoise-orm"] = (within(one), within(every)), (one, every)

    async def _databases(self, stack: AsyncExitStack, inside: Any, alone: Any) -> None:
        url = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        database = Database(url)
        await stack.enter_async_context(database)
        table = User.__table__
        first = select(table).where(table.c.id == KEY)
        ordered = select(table).order_by(table.c.id)

        async def one() -> list[Any]:
            return _keys([await database.fetch_one(first)])

        async def every() -> list[Any]:
            return _keys(await database.fetch_all(ordered))

        def within(work: Work) -> Work:
            async def inner() -> list[Any]:
                async with database.transaction():
                    return await work()

            return inner

        inside["databases"], alone["databases"] = (within(one), within(every)), (one, every)


def _naked(engine: AsyncEngine, inside: Any, alone: Any) -> None:
    db = AsyncSessionFactory(engine)
    ordered = select(User).order_by(User.id)

    async def one() -> list[Any]:
        async with db.begin() as session:
            return _objects([await session.get(User, KEY)])

    async def every() -> list[Any]:
        async with db.begin() as session:
            return _objects(await session.scalars(ordered))

    async def one_alone() -> list[Any]:
        return _objects([await db.get(User, KEY)])

    async def every_alone() -> list[Any]:
        return _objects(await db.scalars(ordered))

    inside["naked_sqla"], alone["naked_sqla"] = (one, every), (one_alone, every_alone)


def _core(engine: AsyncEngine, inside: Any, alone: Any) -> None:
    table = User.__table__
    first = select(table).where(table.c.id == KEY)
    ordered = select(table).order_by(table.c.id)
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")

    def read(opened: Callable[[], Any], statement: Any, how: Any) -> Work:
        async def work() -> list[Any]:
            async with opened() as conn:
                found: list[Any] = how((await conn.execute(statement)).all())
                return found

        return work

    for scene, opened in ((inside, engine.begin), (alone, autocommit.connect)):
        for name, how in (("Core, by position", _positions), ("Core, by name", _objects)):
            scene[name] = read(opened, first, how), read(opened, ordered, how)


def _sessions(engine: AsyncEngine, inside: Any, alone: Any) -> None:
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    ordered = select(User).order_by(User.id)
    modelled = sqlmodel_select(SQLModelUser).order_by("id")

    def orm(opened: Callable[[], Any]) -> tuple[Work, Work]:
        async def one() -> list[Any]:
            async with opened() as session:
                return _objects([await session.get(User, KEY)])

        async def every() -> list[Any]:
            async with opened() as session:
                return _objects(await session.scalars(ordered))

        return one, every

    def sqlmodel(opened: Callable[[], Any]) -> tuple[Work, Work]:
        async def one() -> list[Any]:
            async with opened() as session:
                return _objects([await session.get(SQLModelUser, KEY)])

        async def every() -> list[Any]:
            async with opened() as session:
                return _objects(await session.exec(modelled))

        return one, every

    def alchemy(opened: Callable[[], Any]) -> tuple[Work, Work]:
        async def one() -> list[Any]:
            async with opened() as session:
                return _objects([await Users(session=session).get(KEY)])

        async def every() -> list[Any]:
            async with opened() as session:
                return _objects(await Users(session=session).list(order_by=("id", False)))

        return one, every

    for scene, bind in ((inside, engine), (alone, autocommit)):
        made = async_sessionmaker(bind, expire_on_commit=False)
        of_sqlmodel = async_sessionmaker(bind, class_=SQLModelSession, expire_on_commit=False)
        begin = scene is inside
        scene["the ORM"] = orm(made.begin if begin else made)
        scene["SQLModel"] = sqlmodel(of_sqlmodel.begin if begin else of_sqlmodel)
        scene["advanced-alchemy"] = alchemy(made.begin if begin else made)


async def measure(url: str, rounds: int) -> dict[str, Any]:
    """The times of each contender, by the clock and of the processor, and their ratios to Core."""
    found: dict[str, Any] = {"versions": {name: version(name) for name in PACKAGES}}
    parsed = make_url(url)
    engine = new_engine(parsed)
    await fill(engine)
    await engine.dispose()
    async with Peers(parsed).works() as scenes:
        for scene, contenders in scenes.items():
            for i, title in enumerate((ONE, ALL)):
                works = {name: pair[i] for name, pair in contenders.items()}
                found[f"{title}, {scene}"] = await _times(works, rounds, 1 if i else IN_A_ROW)
    return found


PACKAGES = (
    "sqlalchemy",
    "asyncpg",
    "psycopg",
    "sqlmodel",
    "advanced-alchemy",
    "piccolo",
    "tortoise-orm",
    "databases",
)


async def _times(works: dict[str, Work], rounds: int, in_a_row: int) -> dict[str, dict[str, float]]:
    base = await works[BASE]()
    for name, work in works.items():
        for _ in range(3):
            if await work() != base:
                raise SystemExit(f"{name} did not read what Core reads")
    clock: dict[str, list[float]] = {name: [] for name in works}
    cpu: dict[str, list[float]] = {name: [] for name in works}
    names = [*works]
    gc.disable()
    for _ in range(rounds):
        random.shuffle(names)
        for name in names:
            began, used = perf_counter(), process_time()
            for _ in range(in_a_row):
                await works[name]()
            clock[name].append((perf_counter() - began) / in_a_row)
            cpu[name].append((process_time() - used) / in_a_row)
        gc.collect()
    gc.enable()
    return {
        name: {
            "seconds": median(clock[name]),
            # round by round: a machine that is busy for a while slows all of a round
            "to_core": _to(clock[name], clock[BASE]),
            "cpu_to_core": _to(cpu[name], cpu[BASE]),
        }
        for name in works
    }


def _to(times: list[float], base: list[float]) -> float:
    return median(a / b for a, b in zip(times, base, strict=True))


def main(url: str, rounds: str, output: str) -> None:
    """Measure all of them in one process, and write JSON."""
    Path(output).write_text(json.dumps(asyncio.run(measure(url, int(rounds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
