"""A pooled connection goes back as it came, wherever its use is cancelled.

SQLAlchemy notes how to set an isolation level back only after it has set it; a cancellation in
between would leave AUTOCOMMIT on the connection, and the next block without a transaction.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSessionFactory

from ._cancelling import VARIANTS, Kind, Moment, Run, cancelled_everywhere

pytestmark = pytest.mark.anyio


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
