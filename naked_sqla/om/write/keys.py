"""Finding many rows by their primary keys with few statements."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Enum, Integer, String, Uuid, any_, bindparam, func, select
from sqlalchemy.dialects import postgresql

from naked_sqla.om.write.tables import among

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("criteria_for",)

# keys in one statement, where each is a parameter, and where all of them are one
_CHUNK = 500
_ARRAY = 10_000

# json_each() is there unless SQLite was built without it
_HAS_JSON = (3, 38)


def criteria_for(
    conn: Connection, columns: Sequence[Any], keys: Sequence[tuple[Any, ...]]
) -> Iterator[Any]:
    """WHERE clauses that together find the rows whose columns have one of some keys."""
    if len(columns) == 1:
        values = [key[0] for key in keys]
        if _fits_postgresql(conn, columns[0]):
            array = postgresql.ARRAY(columns[0].type)
            for chunk in _chunks(values, _ARRAY):
                yield columns[0] == any_(bindparam(None, chunk, type_=array))
            return
        if _fits_sqlite(conn, columns[0], values):
            for chunk in _chunks(values, _ARRAY):
                given = bindparam(None, json.dumps(chunk), type_=String())
                yield columns[0].in_(select(func.json_each(given).table_valued("value").c.value))
            return
    for part in _chunks(keys, _CHUNK):
        yield among(columns, part)


def _fits_postgresql(conn: Connection, column: Any) -> bool:
    """True when the keys can be one array: a parameter for each costs more than the rows."""
    if conn.dialect.name != "postgresql" or conn.dialect.driver not in ("asyncpg", "psycopg"):
        return False
    return isinstance(column.type, Integer | Uuid | String) and not isinstance(column.type, Enum)


def _fits_sqlite(conn: Connection, column: Any, values: Sequence[Any]) -> bool:
    """The same for a list of numbers in JSON, whose comparison needs no conversion."""
    if conn.dialect.name != "sqlite" or not isinstance(column.type, Integer):
        return False
    version = conn.dialect.server_version_info
    return version is not None and version >= _HAS_JSON and set(map(type, values)) == {int}


def _chunks(values: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield list(values[start : start + size])
