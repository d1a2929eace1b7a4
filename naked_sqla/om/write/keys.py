"""Finding many rows by their primary keys with few statements."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, Uuid

from naked_sqla import _compat
from naked_sqla.backends import backend_of
from naked_sqla.om.write.tables import among

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("are_exact", "criteria_for")

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


def are_exact(conn: Connection, columns: Sequence[Any], keys: Sequence[tuple[Any, ...]]) -> bool:
    """True when the database finds keys equal just where Python does.

    Numbers and UUIDs; not texts, whose collation may be anything, declared in the model or not.
    """
    for column, values in zip(columns, zip(*keys, strict=True), strict=True):
        of = _compat.type_on(conn.dialect, column.type)
        types = set(map(type, values))
        number = isinstance(of, Integer) and types == {int}
        if not number and not (isinstance(of, Uuid) and of.native_uuid and types == {uuid.UUID}):
            return False
    return True


def _parts(keys: Sequence[_Key], size: int) -> Iterator[Sequence[_Key]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
