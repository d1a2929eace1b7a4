"""Runs migrations: on the connection of the service, or on one of its own for the command line."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection

from examples.models import Base
from examples.service.database import make_factory
from examples.service.settings import Settings


def run(conn: Connection) -> None:
    """Run what is missing, in one transaction."""
    context.configure(connection=conn, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


async def run_by_command() -> None:
    """Connect as the service does."""
    engine = make_factory(Settings.from_environment()).engine
    async with engine.begin() as conn:
        await conn.run_sync(run)
    await engine.dispose()


given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(run_by_command())
else:
    run(given)
