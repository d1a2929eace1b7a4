"""Finding many rows by their primary keys with few statements."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Integer, Uuid, bindparam, tuple_

from naked_sqla._sqlalchemy import mappings
from naked_sqla.backends import backend_of
from naked_sqla.write.rows import has_expressions

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("among", "are_exact", "by_key", "chunks", "criteria_for", "has_key", "keys_of_objects")

_Key = tuple[Any, ...]
_Item = TypeVar("_Item")


def criteria_for(conn: Connection, columns: Sequence[Any], keys: Sequence[_Key]) -> Iterator[Any]:
    """WHERE clauses that together find the rows whose columns have one of some keys."""
    backend, version = backend_of(conn.dialect), conn.dialect.server_version_info
    if len(columns) > 1:
        yield from _each(columns, keys, backend.keys_per_statement)
        return
    for part in chunks(keys, backend.keys_per_array):
        found = backend.with_keys(columns[0], [key[0] for key in part], version)
        if found is None:
            yield from _each(columns, part, backend.keys_per_statement)
        else:
            yield found


def keys_of_objects(objs: Iterable[Any], names: Sequence[str]) -> list[_Key]:
    """The values that objects have for some attributes."""
    return list(zip(*[map(attrgetter(name), objs) for name in names], strict=True))


def by_key(
    objs: Sequence[Any], found: Sequence[_Key], keys: Iterable[_Key]
) -> dict[_Key, Any] | None:
    """Objects by their keys; None where these are not exactly the keys that were asked for.

    Then keys are stored, or read, in another form, and only the database tells which is which.

    :param found: the keys of the objects, in their order.
    :param keys: those that were asked for.
    """
    try:
        by = dict(zip(found, objs, strict=True))
        return by if len(by) == len(objs) and by.keys() == set(keys) else None
    except TypeError:
        # an array, which is no key of a dictionary
        return None


def has_key(conn: Connection, columns: Sequence[Any], key: _Key) -> Iterator[Any]:
    """The criteria that a row has a key, which may be stored in another form than it is given."""
    backend = backend_of(conn.dialect)
    for column, value in zip(columns, key, strict=True):
        if value is None or has_expressions((type(value),)):
            yield column == value
        else:
            yield column == backend.as_stored(bindparam(None, value, type_=column.type))


def among(columns: Sequence[Any], keys: Sequence[tuple[Any, ...]]) -> Any:
    """The criterion that some columns have one of some keys."""
    if len(columns) == 1:
        # typed by the column, as one key in a comparison is
        (column,) = columns
        values = [key[0] for key in keys]
        if has_expressions(set(map(type, values))):
            return column.in_(values)
        return column.in_(bindparam(None, values, type_=column.type, expanding=True))
    return tuple_(*columns).in_(keys)


def _each(columns: Sequence[Any], keys: Sequence[_Key], size: int) -> Iterator[Any]:
    return (among(columns, part) for part in chunks(keys, size))


def are_exact(conn: Connection, columns: Sequence[Any], keys: Sequence[tuple[Any, ...]]) -> bool:
    """True when the database finds keys equal just where Python does.

    Numbers and UUIDs; not texts, whose collation may be anything, declared in the model or not.
    """
    database = backend_of(conn.dialect).name
    for column, values in zip(columns, zip(*keys, strict=True), strict=True):
        of = mappings.type_on(database, column.type)
        types = set(map(type, values))
        number = isinstance(of, Integer) and types == {int}
        if not number and not (isinstance(of, Uuid) and of.native_uuid and types == {uuid.UUID}):
            return False
    return True


def chunks(keys: Sequence[_Item], size: int = 500) -> Iterator[Sequence[_Item]]:
    """Keys, or rows, in parts of at most ``size``."""
    return (keys[start : start + size] for start in range(0, len(keys), size))
