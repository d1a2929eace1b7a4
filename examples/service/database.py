"""The engine, the factory, and the tables."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import Engine, event, select
from sqlalchemy.ext.asyncio import create_async_engine

from examples.models import Airline, Airport, Base, Flight, Plane
from examples.rows import rows_of
from naked_sqla import AsyncSessionFactory

from .settings import Settings


def make_factory(settings: Settings) -> AsyncSessionFactory:
    """Make the one factory of the application; it connects when the first session needs it."""
    engine = create_async_engine(
        settings.database_url,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.pool_timeout,
        pool_pre_ping=True,
    )
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine.sync_engine)
    return AsyncSessionFactory(engine)


def _prepare_sqlite(engine: Engine) -> None:
    """Have foreign keys checked, and readers that do not hold up the writer."""

    @event.listens_for(engine, "connect")
    def connect(dbapi_connection: Any, _: Any) -> None:
        cursor = dbapi_connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.close()


async def create_tables(db: AsyncSessionFactory, *, demo_data: bool) -> None:
    """Create the tables that are not there, and fill them if they are empty."""
    async with db.begin() as session:
        conn = await session.connection()
        await conn.run_sync(Base.metadata.create_all)
        if demo_data and await session.scalar(select(Airline.carrier).limit(1)) is None:
            for model in (Airline, Airport, Plane, Flight):
                await session.insert_all(rows_of(model), model=model)


async def _factory(request: Request) -> AsyncSessionFactory:
    db: AsyncSessionFactory = request.app.state.db
    return db


Database = Annotated[AsyncSessionFactory, Depends(_factory)]
