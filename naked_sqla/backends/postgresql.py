"""PostgreSQL behind any driver."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sqlalchemy import VARCHAR, Enum, Integer, String, Unicode, Uuid, any_, bindparam, cast, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DataError
from sqlalchemy.types import NullType

from naked_sqla.backends import own, xact_status
from naked_sqla.backends.base import Backend
from naked_sqla.backends.documents import PostgreSQLDocuments
from naked_sqla.backends.positions import is_of
from naked_sqla.backends.prepared import PreparedTransactions
from naked_sqla.exception import InvalidStatement

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, Connection, Engine, Index, UniqueConstraint
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.types import TypeEngine

    from naked_sqla.backends.terms import Terms

__all__ = ("END_PROCESS", "PostgreSQL")

# Ends a process by its number, and no stranger that has got the number since.
END_PROCESS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = {pid} "
    "AND usename = current_user AND datname = current_database() AND state <> 'idle' "
    "AND backend_start < clock_timestamp() - interval '0.5 seconds'"
)

_NONE: Any = object()

# Months count 30 days, in PostgreSQL as in the drivers; the drivers' years have 365.
_YEAR = dt.timedelta(days=360)

# Serialization failure, deadlock, a lock that was not to be had.
_CONFLICTS = ("40001", "40P01", "55P03")
# The connection is lost, or the server ends it: shutdown, crash, a database that was dropped.
_LOST = ("08000", "08003", "08006", "57P01", "57P02")
# Seconds that the server gives a transaction beyond its time: the client is to be the first.
_LATER = 1.0
# Query canceled, lock not available.
_LIMITS = {"57014": "statement_timeout", "55P03": "lock_timeout"}
# No connection: refused, too many of them, a server that is starting.
_UNCONNECTED = frozenset({"08001", "08004", "53300", "57P03"})


class PostgreSQL(Backend):
    """A failed statement gives up the transaction; the server enforces what is read-only."""

    has_on_conflict = True
    writes_in_with = True
    prepared = PreparedTransactions()
    has_materialized_views = True
    documents = PostgreSQLDocuments()
    notify = "SELECT pg_notify(:channel, :payload)"
    snapshot_options: ClassVar = {"isolation_level": "REPEATABLE READ"}
    pays_for_transactions = True
    has_row_values = True
    nulls_sort = "as_largest"
    terms = frozenset({"timeout", "statement_timeout", "lock_timeout", "settings"})
    server_has_limits = True
    transient_states = frozenset({*_CONFLICTS, *_LOST})
    resolves_commits = True

    def before_read_only(self, conn: Connection) -> Mapping[str, Any]:
        return {"postgresql_readonly": True}

    def begin_on(self, conn: Connection, terms: Terms, snapshot: bool) -> None:
        settings = self.settings_of(terms)
        if settings:
            self.set_local(conn, settings)

    def set_local(self, conn: Connection, settings: Mapping[str, str]) -> None:
        sql, given = set_config(settings, ":{}")
        own.run(conn, sql, given)

    def current_settings(self, conn: Connection, names: Iterable[str]) -> dict[str, str]:
        # one that was never set is empty when it is set back
        return {
            name: conn.scalar(
                text("SELECT current_setting(:name, true)"),
                {"name": name},
                execution_options=own.OPTIONS,
            )
            or ""
            for name in names
        }

    def settings_of(self, terms: Terms) -> Mapping[str, str]:
        settings: dict[str, str] = {}
        # In case that the client is gone, or has forgotten about it.
        late = None if terms.timeout is None else terms.timeout + _LATER
        limits = [one for one in (terms.statement_timeout, late) if one is not None]
        if limits:
            settings["statement_timeout"] = _milliseconds(min(limits))
        if late is not None:
            settings["idle_in_transaction_session_timeout"] = _milliseconds(late)
        if terms.lock_timeout is not None:
            settings["lock_timeout"] = _milliseconds(terms.lock_timeout)
        return {**settings, **(terms.settings or {})}

    def limit_behind(self, error: BaseException) -> str | None:
        state = getattr(getattr(error, "orig", None) or error, "sqlstate", None)
        return _LIMITS.get(str(state))

    def is_connect_error(self, error: BaseException) -> bool:
        state = getattr(error, "sqlstate", None)
        return state in _UNCONNECTED or super().is_connect_error(error)

    def answers_commit(self, error: BaseException) -> bool:
        orig: Any = getattr(error, "orig", None)
        state = getattr(orig, "sqlstate", getattr(orig, "pgcode", _NONE))
        if state is _NONE:
            return super().answers_commit(error)
        # Only what the server says has a code, but for lost connections; and pgbouncer has such
        # codes of its own. A server that crashes says so wherever it is.
        return state is not None and state[:2] != "08" and state != "57P02"

    def transaction_id(self, conn: Connection) -> Any:
        return xact_status.id_of(conn)

    def outcome_of(
        self, engine: Engine, transaction: Any
    ) -> Literal["committed", "rolled_back", "unknown"]:
        return xact_status.outcome_of(engine, transaction)

    def insert(self, entity: Any) -> Any:
        return postgresql.insert(entity)

    def explain(self, analyze: bool, as_json: bool) -> str:
        form = "JSON" if as_json else "TEXT"
        return f"EXPLAIN (ANALYZE {'ON' if analyze else 'OFF'}, FORMAT {form}) "

    def plan(self, rows: Sequence[Any], as_json: bool) -> Any:
        if not as_json:
            return super().plan(rows, as_json)
        found = rows[0][0]
        return json.loads(found) if isinstance(found, str) else found

    def nulls_meet(self, unique: UniqueConstraint | Index) -> bool:
        return bool(unique.dialect_options["postgresql"]["nulls_not_distinct"])

    def as_stored(self, bind: BindParameter[Any]) -> ColumnElement[Any]:
        # A number or a time is compared as the driver sends it, and stored rounded.
        plain = isinstance(bind.type, Integer | String | Uuid | NullType)
        return bind if plain else cast(bind, bind.type)

    def refuses_position(self, value: Any) -> str | None:
        if isinstance(value, dt.timedelta) and abs(value) >= _YEAR:
            return "what drivers make of years, which are 360 days to PostgreSQL"
        return None

    def takes_position(self, value: Any, of: TypeEngine[Any] | None) -> bool:
        if isinstance(value, str) and "\x00" in value:
            return False
        if isinstance(value, int) and value.bit_length() > 63:
            return False
        return of is None or is_of(value, of)

    def refuses_values(self, error: DBAPIError) -> bool:
        state = getattr(error.orig, "sqlstate", None)
        return state in _OF_VALUES if state else isinstance(error, DataError)


# Out of range, no such time, no UTF-8, no text of the type, no operator for these types.
_OF_VALUES = frozenset(
    {"22000", "22003", "22007", "22008", "22009", "22021", "22P02", "22P03", "42883"}
)


def keys_in_array(column: ColumnElement[Any], keys: Sequence[Any]) -> ColumnElement[bool] | None:
    """The keys as one array, for drivers that send arrays: a parameter for each costs more."""
    of = column.type
    if not isinstance(of, Integer | Uuid | String) or isinstance(of, Enum):
        return None
    if getattr(of, "length", None) is not None:
        # the cast would cut a key to the column's length, and find another row
        if not isinstance(of, VARCHAR) and type(of) not in (String, Unicode):
            return None
        of = String()
    kinds = set(map(type, keys))
    if len(kinds) > 1 and {kind for kind in kinds if issubclass(kind, str)} not in (set(), kinds):
        names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise InvalidStatement(
            f"the keys for {column} are of different types, {names}. Pass all of them as the "
            f"column stores them."
        )
    return column == any_(bindparam(None, list(keys), type_=postgresql.ARRAY(of)))


def _milliseconds(seconds: float) -> str:
    return str(max(1, math.ceil(seconds * 1000)))


def set_config(settings: Mapping[str, str], place: str) -> tuple[str, dict[str, str]]:
    """The SELECT that sets settings for one transaction, with its parameters.

    :param place: of a parameter, as the driver writes it.
    """
    given: dict[str, str] = {}
    calls: list[str] = []
    for number, (name, value) in enumerate(settings.items()):
        given |= {f"name{number}": name, f"value{number}": value}
        places = place.format(f"name{number}"), place.format(f"value{number}")
        calls.append(f"set_config({places[0]}, {places[1]}, true)")
    return f"SELECT {', '.join(calls)}", given
