"""PostgreSQL through asyncpg."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import AsyncIterable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, TypeDecorator
from sqlalchemy.dialects import postgresql

from naked_sqla._sqlalchemy import asyncpg as adapter
from naked_sqla._sqlalchemy import connections, greenlets
from naked_sqla.backends.asking import AskAgain
from naked_sqla.backends.notifications import AsyncpgListener
from naked_sqla.backends.postgresql import END_PROCESS, PostgreSQL, keys_in_array
from naked_sqla.backends.trees import AsyncpgTrees
from naked_sqla.exception import InvalidStatement

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.types import TypeEngine

    from naked_sqla._sqlalchemy.unopened import Unopened
    from naked_sqla.backends.contracts import Copied, Fetched, Stop, Stoppable
    from naked_sqla.backends.terms import Terms

__all__ = ("Asyncpg",)

# Types that asyncpg sends as text only; its COPY is binary.
_AS_TEXT = (
    postgresql.CITEXT,
    postgresql.HSTORE,
    postgresql.MACADDR,
    postgresql.MACADDR8,
    postgresql.MONEY,
    postgresql.REGCLASS,
    postgresql.REGCONFIG,
    postgresql.TSQUERY,
    postgresql.TSVECTOR,
)

# It sends nothing after a message that came while nothing was asked: a killed backend says so.
_UNSENT = "cannot switch to state"


class Asyncpg(PostgreSQL):
    """asyncpg prepares every statement, and does not tell how many rows a batch has matched."""

    gives_up_connecting = True
    updates_from_arrays = True
    has_copy = True
    can_listen = True
    trees = AsyncpgTrees()

    def begin_on(self, conn: Connection, terms: Terms, snapshot: bool) -> None:
        # The simple protocol takes several statements, and no parameters.
        limits = self.settings_of(terms._replace(settings=None))
        if limits:
            sql = "; ".join(f"SET LOCAL {name} = {value}" for name, value in limits.items())
            with connections.wrapping_errors(conn, sql):
                connections.begin_with(conn, sql)
        if terms.settings:
            self.set_local(conn, terms.settings)

    def is_transient(self, error: BaseException) -> bool:
        # imported by whoever raised it
        asyncpg: Any = sys.modules.get("asyncpg")
        return super().is_transient(error) or (
            asyncpg is not None
            and isinstance(error, asyncpg.InterfaceError)
            # the word for a lost connection, which SQLAlchemy goes by too
            and "connection is closed" in str(error)
        )

    def is_cut(self, conn: Connection) -> bool:
        return bool(connections.of_the_driver(conn).is_closed())

    def is_idle(self, raw: Any) -> bool:
        return not (raw.is_closed() or raw.is_in_transaction())

    def stop(self, transaction: Stoppable) -> Stop | None:
        return AskAgain(transaction, _pid, connections.ask_to_cancel, END_PROCESS)

    def listener(self, raw: Any, is_async: bool) -> Any:
        return AsyncpgListener(raw)

    def answers_commit(self, error: BaseException) -> bool:
        return super().answers_commit(error) or _UNSENT in str(getattr(error, "orig", error))

    def torn(self, conn: Connection, error: BaseException) -> BaseException | None:
        return adapter.lost(conn, error) if _is_disorder(error) else None

    def after_refusal(self, conn: Connection) -> None:
        """End what the server took for a transaction of one statement in autocommit.

        asyncpg checks the values of a statement after it has sent its text, and when it refuses one
        it never sends the end of it (Sync).  The server waits, and takes a BEGIN ISOLATION LEVEL
        for the middle of a transaction; then this connection fails for good.
        """
        if conn.closed or conn.invalidated:
            return
        try:
            raw: Any = conn.connection.driver_connection
            greenlets.await_only(raw.execute("SELECT 1"))
        except Exception:  # noqa: BLE001 - whatever it is, nobody can use this connection
            conn.invalidate()
        except BaseException:
            conn.invalidate()
            raise

    def can_fetch(self, conn: Connection | Unopened) -> bool:
        return adapter.can_fetch(conn)

    def fetch(
        self, conn: Connection | Unopened, sql: str, arguments: Any, alone: bool = False
    ) -> Iterable[Any]:
        rows: list[Any] = greenlets.await_only(adapter.fetch(conn, sql, arguments, alone))
        return rows

    def fetch_told(
        self, conn: Connection | Unopened, sql: str, arguments: Any, alone: bool = False
    ) -> Fetched:
        rows = greenlets.await_only(adapter.fetch(conn, sql, arguments, alone))
        return rows, len(rows), None

    def with_keys(
        self, column: ColumnElement[Any], keys: Sequence[Any], version: tuple[Any, ...] | None
    ) -> ColumnElement[bool] | None:
        return keys_in_array(column, keys)

    def refuses_position(self, value: Any) -> str | None:
        if isinstance(value, dt.date) and _is_limit(value):
            return "what asyncpg gives for infinity too"
        return super().refuses_position(value)

    def can_copy(self, of: TypeEngine[Any], dialect: Dialect) -> bool:
        found: Any = of.dialect_impl(dialect)
        while isinstance(found, TypeDecorator):
            found = found.impl_instance
        if isinstance(found, ARRAY):
            return self.can_copy(found.item_type, dialect)
        if isinstance(found, postgresql.DOMAIN):
            return self.can_copy(found.data_type, dialect)
        return not isinstance(found, _AS_TEXT)

    def copy(self, conn: Connection, records: Copied, rows: Iterator[Any]) -> int:
        return int(greenlets.await_only(self.copy_async(conn, records, rows)))

    async def copy_async(
        self, conn: Connection, records: Copied, rows: Iterable[Any] | AsyncIterable[Any]
    ) -> int:
        raw: Any = conn.connection.driver_connection
        try:
            status = await raw.copy_records_to_table(
                records.table, schema_name=records.schema, columns=records.names, records=rows
            )
        except conn.dialect.loaded_dbapi.asyncpg.InternalClientError as error:
            if "no binary format encoder" not in str(error):
                raise
            raise InvalidStatement(
                f"copy_in(): asyncpg can't send a column of {records.table} with COPY, which is "
                f"binary there ({error}). Use insert_all()."
            ) from error
        return int(status.split()[-1])


def _is_disorder(error: BaseException) -> bool:
    """True for an error after which asyncpg never gets to its next answer."""
    driver = getattr(error, "orig", None) or error
    said, raised_by = str(driver), type(driver).__module__
    return (
        # of a message that it can't read; it awaits the rest of it from then on
        raised_by.startswith("asyncpg.pgproto")
        or (raised_by.startswith("asyncpg.") and _UNSENT in said)
    )


def _pid(raw: Any) -> int:
    pid: int = raw.get_server_pid()
    return pid


def _is_limit(value: dt.date) -> bool:
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None) in (dt.datetime.min, dt.datetime.max)
    return value in (dt.date.min, dt.date.max)
