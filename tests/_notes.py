"""One small model, and the few things that the tests of sessions do with it."""

from __future__ import annotations

from sqlalchemy import Engine, func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(unique=True)


async def create(engine: AsyncEngine) -> None:
    """Create the table."""
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)


async def stored(engine: AsyncEngine) -> list[str]:
    """The texts that another connection sees."""
    async with engine.connect() as conn:
        return list((await conn.scalars(select(Note.text).order_by(Note.text))).all())


def create_sync(engine: Engine) -> None:
    """Create the table."""
    Base.metadata.create_all(engine)


def stored_sync(engine: Engine) -> list[str]:
    """The texts that another connection sees."""
    with engine.connect() as conn:
        return list(conn.scalars(select(Note.text).order_by(Note.text)).all())


def checked_out(engine: AsyncEngine | Engine) -> int:
    """How many connections are out of the pool."""
    count: int = engine.pool.checkedout()  # type: ignore[attr-defined]
    return count


COUNT = select(func.count()).select_from(Note)
