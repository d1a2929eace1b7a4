"""The other ways to read, next to the ORM: streams, sessions on a synchronous connection,
one-shots, ``eager="explicit"``, ``get()``, ``preload()``.  All hold what ``execute()`` holds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import pytest
from sqlalchemy import Row, inspect, select
from sqlalchemy.exc import MultipleResultsFound
from sqlalchemy.ext.asyncio import AsyncSession as OrmSession
from sqlalchemy.orm import lazyload, selectinload
from sqlalchemy.pool import QueuePool

from naked_sqla import AsyncSession, AsyncSessionFactory, Session

from ..models import data
from ..oracle import Comparison, Oracle, all_rows, mapper_of, unique_rows
from ..read.test_oracle_eager import CASES, RELATIONSHIPS

Ours = Callable[[AsyncSessionFactory, Any], Awaitable[Any]]

STREAMED = {"yield_per": 2}


async def by_stream(db: AsyncSessionFactory, statement: Any) -> Any:
    async with db.begin() as session:
        result = await session.stream(statement, execution_options=STREAMED)
        return {"keys": list(result.keys()), "rows": [row async for row in result]}


async def by_synchronous_session(db: AsyncSessionFactory, statement: Any) -> Any:
    async with db.engine.connect() as conn:
        return await conn.run_sync(lambda c: unique_rows(Session(c).execute(statement)))


async def by_synchronous_stream(db: AsyncSessionFactory, statement: Any) -> Any:
    def read(conn: Any) -> Any:
        result = Session(conn).stream(statement, execution_options=STREAMED)
        return {"keys": list(result.keys()), "rows": result.all()}

    async with db.engine.connect() as conn:
        return await conn.run_sync(read)


async def by_one_shot(db: AsyncSessionFactory, statement: Any) -> Any:
    return unique_rows(await db.execute(statement))


WAYS: dict[str, Ours] = {
    "stream": by_stream,
    "synchronous": by_synchronous_session,
    "synchronous stream": by_synchronous_stream,
    "one-shot": by_one_shot,
}


def differences(
    oracle: Oracle,
    theirs: Any,
    ours: Callable[[AsyncSessionFactory], Awaitable[Any]],
    read: Callable[[Any], Any] = unique_rows,
    **more: Any,
) -> Iterator[str]:
    """Tell where what the ORM gave for a statement is not what ours gave, or not its error."""
    expected = oracle.outcome(lambda conn: OrmSession(bind=conn), theirs, None, None, read, ())
    if expected.error is not None:
        with pytest.raises(type(expected.error)):
            oracle.run(ours(AsyncSessionFactory(oracle.engine, **more)))
        return
    value = oracle.run(ours(AsyncSessionFactory(oracle.engine, **more)))
    assert cast(QueuePool, oracle.engine.pool).checkedout() == 0
    for rows in (expected.value["rows"], value["rows"]):
        rows.sort(key=_key)
    yield from Comparison(expected.value["rows"]).differences(expected.value, value)


def _key(row: Any) -> Any:
    items = row if isinstance(row, Row) else (row,)
    return repr([inspect_key(item) if mapper_of(item) else item for item in items])


def inspect_key(item: Any) -> Any:
    if item is None:
        return None
    mapper = mapper_of(item)
    assert mapper is not None
    return [getattr(item, mapper.get_property_by_column(c).key) for c in mapper.primary_key]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_ways(oracle: Oracle, name: str, way: str) -> None:
    """The same objects as by ``execute()``; rows that chunks would tear are refused."""
    make, read = CASES[name][0], all_rows if "stream" in way else unique_rows
    found = list(differences(oracle, make(), lambda db: WAYS[way](db, make()), read))
    assert not found, "\n".join(found[:10])


@pytest.mark.parametrize("name", CASES)
def test_explicit(oracle: Oracle, name: str) -> None:
    """Only what the statement asks for: the ORM's ``lazyload("*")``."""
    statement = CASES[name][0]().options(lazyload("*"))
    found = list(
        differences(
            oracle, statement, lambda db: by_one_shot(db, CASES[name][0]()), eager="explicit"
        )
    )
    assert not found, "\n".join(found[:10])


@pytest.mark.parametrize("name", RELATIONSHIPS)
def test_preload(oracle: Oracle, name: str) -> None:
    """Objects in hand get what ``selectinload()`` would have loaded."""
    model, attribute = RELATIONSHIPS[name]
    theirs = select(model).options(lazyload("*"), selectinload(attribute))

    async def ours(db: AsyncSessionFactory) -> Any:
        rows = (await db.execute(select(model))).all()
        await db.preload([row[0] for row in rows], attribute)
        return {"keys": [model.__name__], "rows": rows}

    found = list(differences(oracle, theirs, ours, eager="explicit"))
    assert not found, "\n".join(found[:10])


@pytest.mark.parametrize("name", sorted(data.models("postgresql")))
def test_get(oracle: Oracle, name: str) -> None:
    """``get()`` gives what the ORM's gives, for each stored key."""
    model = data.models("postgresql" if oracle.postgresql else "sqlite").get(name)
    if model is None:
        return
    mapper = inspect(model)

    async def main() -> None:
        async with oracle.engine.connect() as conn:
            keys = [tuple(row) for row in await conn.execute(select(*mapper.primary_key))]
            async with OrmSession(conn) as orm:
                naked = AsyncSession(conn)
                for key in keys[:5]:
                    try:
                        theirs = await orm.get(model, key)
                    except MultipleResultsFound:
                        with pytest.raises(MultipleResultsFound, match="2 rows have this"):
                            await naked.get(model, key)
                        continue
                    ours = await naked.get(model, key)
                    found = list(Comparison(theirs).differences(theirs, ours))
                    assert not found, "\n".join(found[:10])
                    orm.expunge_all()

    oracle.run(main())
