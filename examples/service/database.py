"""The engine, the factory, and the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from alembic import command
from alembic.config import Config
from fastapi import Depends, Header, Request
from sqlalchemy import Connection, Engine, event, inspect, select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import with_loader_criteria

from examples.models import Airline, Airport, Flight, OfTenant, Plane, SoftDelete
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
    # Nobody sees what was deleted, whatever the statement says.
    there = with_loader_criteria(
        SoftDelete, lambda cls: cls.deleted_at.is_(None), include_aliases=True
    )
    return AsyncSessionFactory(engine, options=[there])


def _prepare_sqlite(engine: Engine) -> None:
    """Have foreign keys checked, and readers that do not hold up the writer."""

    @event.listens_for(engine, "connect")
    def connect(dbapi_connection: Any, _: Any) -> None:
        cursor = dbapi_connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.close()


async def prepare_database(db: AsyncSessionFactory, *, demo_data: bool) -> None:
    """Run the migrations that have not run yet, and fill the tables if they are empty."""
    async with db.engine.begin() as conn:
        await conn.run_sync(_migrate)
    async with db.begin() as session:
        if demo_data and await session.scalar(select(Airline.carrier).limit(1)) is None:
            for model in (Airline, Airport, Plane, Flight):
                await session.insert_all(rows_of(model), model=model)


def _migrate(conn: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = conn
    found = inspect(conn).get_table_names()
    if "flights" in found and "alembic_version" not in found:
        # made before there were migrations
        command.stamp(config, "0001")
    command.upgrade(config, "head")


async def _factory(request: Request) -> AsyncSessionFactory:
    db: AsyncSessionFactory = request.app.state.db
    return db


Database = Annotated[AsyncSessionFactory, Depends(_factory)]

Tenant = Annotated[str, Header(alias="X-Tenant", pattern=r"^[a-z0-9-]{1,30}$")]


async def _of_tenant(db: Database, tenant: Tenant) -> AsyncSessionFactory:
    own = with_loader_criteria(OfTenant, lambda cls: cls.tenant == tenant, include_aliases=True)
    return db.with_options(own)


# Sees the rows of one tenant; it costs nothing to make one for a request.
TenantDatabase = Annotated[AsyncSessionFactory, Depends(_of_tenant)]
