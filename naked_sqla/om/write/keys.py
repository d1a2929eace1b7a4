"""Finding many rows by their primary keys with few statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from naked_sqla.backends import backend_of
from naked_sqla.om.write.tables import among

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("criteria_for",)

_Key = tuple[Any, ...]


def criteria_for(conn: Connection, columns: Sequence[Any], keys: Sequence[_Key]) -> Iterator[Any]:
    """WHERE clauses that together find the rows whose columns have one of some keys."""
    backend, version = backend_of(conn.dialect), conn.dialect.server_version_info
    if len(columns) > 1:
        yield from _each(columns, keys, backend.keys_per_statement)
        return
    for part in _parts(keys, backend.keys_per_array):
        found = backend.with_keys(columns[0], [key[0] for key in part], version)
        if found is None:
            yield from _each(columns, part, backend.keys_per_statement)
        else:
            yield found


def _each(columns: Sequence[Any], keys: Sequence[_Key], size: int) -> Iterator[Any]:
    return (among(columns, part) for part in _parts(keys, size))


def _parts(keys: Sequence[_Key], size: int) -> Iterator[Sequence[_Key]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
