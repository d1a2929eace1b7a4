"""A pooled connection goes back as it came, wherever its use is cancelled.

SQLAlchemy notes how to set an isolation level back only after it has set it; a cancellation in
between would leave AUTOCOMMIT on the connection, and the next block without a transaction.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSessionFactory

from .._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "pooled_row"

    id: Mapped[int] = mapped_column(primary_key=True)


async def _one_shot(db: AsyncSessionFactory) -> None:
    await db.scalars(select(Row))


async def _serializable(db: AsyncSessionFactory) -> None:
    async with db.begin(isolation_level="SERIALIZABLE") as session:
        await session.execute(select(Row))


@pytest.mark.parametrize("use", [_one_shot, _serializable])
@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_a_cancelled_use_leaves_no_options_behind(
    engine: AsyncEngine, backend: str, kind: Kind, moment: Moment, use: Any
) -> None:
    single = create_async_engine(engine.url, pool_size=1, max_overflow=0)
    db = AsyncSessionFactory(single)
    async with single.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)

    async def write_and_fail(run: Run) -> None:
        async with db.begin() as session:
            if backend != "sqlite":
                level = await session.scalar(text("SHOW transaction_isolation"))
                assert level == "read committed", f"after point {run.point}"
            await session.execute(insert(Row), {"id": 1})
            raise KeyError

    async def check(run: Run) -> None:
        with pytest.raises(KeyError):
            await write_and_fail(run)
        # in AUTOCOMMIT the row of the block that was rolled back would be there
        assert (await db.scalars(select(Row))).all() == [], f"after point {run.point}"

    points = await cancelled_everywhere(lambda: use(db), kind, moment, check)
    assert points > 0
    await single.dispose()


@pytest.mark.parametrize("value", [True, False])
async def test_cancelled_while_psycopg_switches_autocommit(
    engine: AsyncEngine, backend: str, value: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``set_autocommit()`` suspends only when the event loop was busy: here it does always."""
    import psycopg

    if backend != "psycopg":
        # the other drivers switch without a suspension
        return
    single = create_async_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=2)
    db = AsyncSessionFactory(single)
    async with single.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    await db.scalars(select(Row))
    original = psycopg.AsyncConnection.set_autocommit
    fired: list[bool] = []

    async def set_autocommit(self: Any, new: bool) -> None:
        await original(self, new)
        if new is value and not fired:
            fired.append(new)
            task.cancel()
            await asyncio.sleep(0)

    monkeypatch.setattr(psycopg.AsyncConnection, "set_autocommit", set_autocommit)
    task = asyncio.create_task(_one_shot(db))
    await asyncio.wait([task])
    assert fired == [value]
    assert task.cancelled()
    assert single.pool.checkedout() == 0  # type: ignore[attr-defined]
    async with db.begin() as session:
        raw = (await session.conn.get_raw_connection()).driver_connection
        assert not raw.autocommit
    await single.dispose()
