"""Scenes of a single row: one statement without a block, and ``get``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from benchmarks.contenders import BASELINE, Contender, Operation
from benchmarks.models import User
from benchmarks.readers import Read, reader
from benchmarks.scenes import Scene, Site, contender
from benchmarks.shapes import USER, key_of, objects

OBJECTS = reader("obj", objects(USER))
POSITIONS = reader("row", [f"row[{i}]" for i in range(len(USER))])

_CORE = select(User.__table__).where(User.__table__.c.id == bindparam("key"))
_MODEL = select(User).where(User.id == bindparam("key"))
_SQL = "SELECT id, name, email, age FROM users WHERE id = $1"


def scenes() -> list[Scene]:
    """The scenes of this module."""
    return [
        Scene(
            "one_shot",
            "1 row, without a block",
            _one_shot,
            repeats=10,
            statements={"orm": 1, "naked_block": 1, "naked": 1, "naked_get": 1},
        ),
        Scene(
            "get",
            "1 row by primary key",
            _get,
            repeats=10,
            statements={"orm": 1, "naked": 1, "naked_shot": 1},
        ),
    ]


def _core(engine: AsyncEngine, begin: bool = True) -> Operation:
    opened = engine.begin if begin else engine.connect

    async def operation(read: Read, n: int) -> Any:
        async with opened() as conn:
            result = await conn.execute(_CORE, {"key": key_of(n)})
            return read((result.one(),))

    return operation


def _autocommit(engine: AsyncEngine) -> Operation:
    return _core(engine.execution_options(isolation_level="AUTOCOMMIT"), begin=False)


def _cores(site: Site) -> list[Contender]:
    return [
        contender(BASELINE, "Core, engine.begin()", _core(site.engine()), POSITIONS),
        contender("core_again", "Core, engine.begin(), again", _core(site.engine()), POSITIONS),
        contender("core_auto", "Core, AUTOCOMMIT", _autocommit(site.engine()), POSITIONS),
    ]


def _block(begin: Any) -> Operation:
    async def operation(read: Read, n: int) -> Any:
        async with begin() as session:
            result = await session.scalars(_MODEL, {"key": key_of(n)})
            return read((result.one(),))

    return operation


def _get_in_block(begin: Any) -> Operation:
    async def operation(read: Read, n: int) -> Any:
        async with begin() as session:
            return read((await session.get(User, key_of(n)),))

    return operation


def _one_shot(site: Site) -> list[Contender]:
    from naked_sqla import AsyncSessionFactory

    db = AsyncSessionFactory(site.engine())

    async def scalars(read: Read, n: int) -> Any:
        result = await db.scalars(_MODEL, {"key": key_of(n)})
        return read((result.one(),))

    orm = async_sessionmaker(site.engine(), expire_on_commit=False)
    block = AsyncSessionFactory(site.engine())
    return [
        *_pools(site),
        *_cores(site),
        contender("orm", "ORM AsyncSession", _block(orm.begin), OBJECTS),
        contender("naked_block", "naked_sqla, in a block", _block(block.begin), OBJECTS),
        contender("naked", "naked_sqla, db.scalars()", scalars, OBJECTS),
        contender("naked_get", "naked_sqla, db.get()", _shot(site), OBJECTS),
    ]


def _shot(site: Site) -> Operation:
    from naked_sqla import AsyncSessionFactory

    db = AsyncSessionFactory(site.engine())

    async def operation(read: Read, n: int) -> Any:
        return read((await db.get(User, key_of(n)),))

    return operation


def _get(site: Site) -> list[Contender]:
    from naked_sqla import AsyncSessionFactory

    orm = async_sessionmaker(site.engine(), expire_on_commit=False)
    naked = AsyncSessionFactory(site.engine())
    return [
        *_cores(site),
        contender("orm", "ORM AsyncSession, get()", _get_in_block(orm.begin), OBJECTS),
        contender("naked", "naked_sqla, session.get()", _get_in_block(naked.begin), OBJECTS),
        contender("naked_shot", "naked_sqla, db.get()", _shot(site), OBJECTS),
    ]


def _pools(site: Site) -> list[Contender]:
    """The bare asyncpg pool: rows, no objects; its ``release()`` asks the server to reset."""
    if site.url.drivername != "postgresql+asyncpg":
        return []

    def operation(transaction: bool, **options: Any) -> Operation:
        pools: list[Any] = []

        async def opened() -> Any:
            import asyncpg

            url = site.url
            pool = await asyncpg.create_pool(
                user=url.username,
                password=url.password,
                database=url.database,
                host=url.query.get("host") or url.host,
                port=url.port,
                min_size=1,
                **options,
            )
            site.closers.append(pool.close)
            pools.append(pool)
            return pool

        async def in_transaction(read: Read, n: int) -> Any:
            pool = pools[0] if pools else await opened()
            async with pool.acquire() as conn, conn.transaction():
                return read((await conn.fetchrow(_SQL, key_of(n)),))

        async def alone(read: Read, n: int) -> Any:
            pool = pools[0] if pools else await opened()
            async with pool.acquire() as conn:
                return read((await conn.fetchrow(_SQL, key_of(n)),))

        return in_transaction if transaction else alone

    async def nothing(conn: Any) -> None:
        """In place of the pool's reset, which is a round trip."""

    return [
        contender("pool", "asyncpg pool, transaction", operation(True), POSITIONS),
        contender(
            "pool_kept",
            "asyncpg pool, transaction, no reset",
            operation(True, reset=nothing),
            POSITIONS,
        ),
        contender("pool_alone", "asyncpg pool, no transaction", operation(False), POSITIONS),
    ]
