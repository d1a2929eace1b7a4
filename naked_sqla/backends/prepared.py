"""PostgreSQL's prepared transactions: what identifies them, and what became of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from naked_sqla.backends import own

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("PreparedTransactions",)

# txid_current() and txid_status() are there on each release; their successors came with 13.
_NUMBER = text("SELECT CAST(txid_current() AS text)").execution_options(**own.OPTIONS)

_IDENTITY = (
    "SELECT CAST(system_identifier AS text) || '_' || CAST(d.oid AS text) "
    "FROM pg_control_system(), pg_database AS d WHERE d.datname = current_database()"
)

# In the room that SQLAlchemy gives the pool's users on each of the driver's connections.
_KNOWN = "naked_sqla_identity"

_FOUND: dict[str | None, Literal["committed", "rolled_back"]] = {
    "committed": "committed",
    "aborted": "rolled_back",
}


class PreparedTransactions:
    """What :class:`naked_sqla.backends.contracts.Prepared` asks for."""

    names = (
        "SELECT gid, CAST(extract(epoch FROM clock_timestamp() - prepared) AS float) "
        "FROM pg_prepared_xacts WHERE starts_with(gid, 'naked_sqla_') "
        "AND owner = current_user AND database = current_database()"
    )
    identity = _IDENTITY

    def status(self, number: str) -> str:
        return f"SELECT txid_status({int(number)})"

    def outcome(self, status: str | None) -> Literal["committed", "rolled_back", "unknown"]:
        return _FOUND.get(status, "unknown")

    def assigned_id(self, conn: Connection) -> str:
        return str(conn.execute(_NUMBER).scalar())

    def identity_of(self, conn: Connection) -> str | None:
        """Ask once for each of the driver's connections.

        A server may keep the answer for its administrators: the transaction survives that.
        """
        known = conn.info
        if _KNOWN not in known:
            found: str | None = None
            try:
                with conn.begin_nested():
                    found = conn.exec_driver_sql(_IDENTITY, execution_options=own.OPTIONS).scalar()
            except DBAPIError:
                if conn.invalidated:
                    raise
            known[_KNOWN] = found
        identity: str | None = known[_KNOWN]
        return identity

    def outcome_of(
        self, conn: Connection, number: str
    ) -> Literal["committed", "rolled_back", "unknown"]:
        sql = self.status(number)
        return self.outcome(conn.exec_driver_sql(sql, execution_options=own.OPTIONS).scalar())
