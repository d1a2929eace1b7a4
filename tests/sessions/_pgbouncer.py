"""A pgbouncer in transaction mode in front of a server, where one is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import URL

PORT: Final = 6432

_CONFIG = """
[databases]
* = {server}

[pgbouncer]
unix_socket_dir = {folder}
listen_port = {port}
listen_addr =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
logfile = {folder}/log
pidfile = {folder}/pid
"""


def pgbouncer_program() -> str | None:
    """Where the program is, ``None`` where it is not installed."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def may_end_by_itself() -> bool:
    """True for a version that may end while it passes a cancel request on.

    See https://github.com/pgbouncer/pgbouncer/issues/822 and 927.
    """
    program = pgbouncer_program()
    if program is None:
        return False
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    major, minor = said.split()[1].split(".")[:2]
    return (1, 18) <= (int(major), int(minor)) < (1, 21)


@contextlib.contextmanager
def running_pgbouncer(server: URL, size: int) -> Iterator[URL]:
    """Give the URL of a pgbouncer that runs until the block ends.

    :param server: the URL of a server.
    :param size: how many connections to the server it opens.
    """
    program = pgbouncer_program()
    assert program is not None
    host = str(server.query.get("host") or server.host)
    user = None
    if os.geteuid() == 0:
        # It does not run as root; and only its owner comes to the server's socket.
        user = Path(host).owner() if Path(host).is_dir() else "nobody"
    folder = Path(tempfile.mkdtemp(prefix="naked_sqla_pgb_"))
    if user is not None:
        shutil.chown(folder, user)
    config = folder / "pgbouncer.ini"
    where = {
        "host": host,
        "port": server.port or server.query.get("port") or 5432,
        "user": server.username or "postgres",
        "password": server.password,
    }
    to_server = " ".join(f"{name}={value}" for name, value in where.items() if value)
    config.write_text(_CONFIG.format(server=to_server, folder=folder, port=PORT, size=size))
    process = subprocess.Popen([program, "-q", str(config)], user=user, stderr=subprocess.DEVNULL)
    try:
        _wait_for(folder / f".s.PGSQL.{PORT}", process)
        yield server.set(query={"host": str(folder), "port": str(PORT)})
        if process.poll() is not None:
            log = (folder / "log").read_text()
            raise RuntimeError(f"pgbouncer ended by itself: {process.returncode}\n{log[-2000:]}")
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            return
        time.sleep(0.01)
    log = path.parent / "log"
    raise RuntimeError(f"pgbouncer does not run: {log.read_text() if log.exists() else ''}")
