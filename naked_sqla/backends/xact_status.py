"""What became of a transaction of PostgreSQL's, asked for by its number."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Literal

from sqlalchemy import text

from naked_sqla._sqlalchemy import greenlets
from naked_sqla.backends import own

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

logger = logging.getLogger("naked_sqla")

_ID = text("SELECT CAST(pg_current_xact_id_if_assigned() AS text)").execution_options(**own.OPTIONS)
_STATUS = text("SELECT pg_xact_status(CAST(CAST(:id AS text) AS xid8))").execution_options(
    **own.OPTIONS
)
# The connection that nobody holds any more may live on in the server, with its locks.
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE backend_xid = CAST(CAST(CAST(:id AS text) AS xid8) AS xid)"
).execution_options(**own.OPTIONS)

_FOUND: dict[str | None, Literal["committed", "rolled_back"]] = {
    "committed": "committed",
    "aborted": "rolled_back",
}

# Seconds for which a server is asked that can't say yet, or can't be reached; between two
# questions; and after which the server is told to end what is still under way.
_LIMIT = 5.0
_PAUSE = 0.05
_PATIENCE = 1.0


def id_of(conn: Connection) -> str | None:
    """The number of the open transaction; ``None`` for one that has written nothing."""
    found: str | None = conn.execute(_ID).scalar()
    return found


def outcome_of(
    engine: Engine, number: str | None
) -> Literal["committed", "rolled_back", "unknown"]:
    """Ask until the server says what became of a transaction, for some seconds."""
    if number is None:
        return "committed"
    begun = time.monotonic()
    while True:
        waited = time.monotonic() - begun
        try:
            status = _ask(engine, number, end=waited > _PATIENCE)
        except Exception:
            logger.info("the outcome of a transaction could not be asked for", exc_info=True)
        else:
            if status != "in progress":
                return _FOUND.get(status, "unknown")
        if waited > _LIMIT:
            return "unknown"
        greenlets.sleep(engine, _PAUSE)


def _ask(engine: Engine, number: str, *, end: bool) -> str | None:
    with engine.connect() as conn:
        if end:
            conn.execute(_END, {"id": number})
        found: str | None = conn.execute(_STATUS, {"id": number}).scalar()
        return found
