"""Rows by object: one call writes one object or many, and gives back what is stored.

All functions take a synchronous ``Connection`` first (in an async session: within its greenlet).
Objects are instances of mapped classes (constructed, or loaded by this library or an ORM session),
or dictionaries, dataclasses, attrs classes, named tuples and pydantic models, for which ``model``
says the mapped class.  Column attributes are written, with the foreign keys that a many-to-one
says; a relationship that a row can't hold raises.  The caller's objects stay as they are; what
comes back are new naked objects, without relationships.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import InvalidRequestError

from naked_sqla.exception import InvalidStatement
from naked_sqla.hiding import shown
from naked_sqla.write.changing import Change, update_rows
from naked_sqla.write.changing_one import can_match_one, match_one, update_one
from naked_sqla.write.deleting import delete_rows
from naked_sqla.write.finding import raise_stale
from naked_sqla.write.inserting import insert_objects, returns_whole_rows, stored_rows
from naked_sqla.write.keys import chunks
from naked_sqla.write.names import given_values, names_of_attributes
from naked_sqla.write.rows import has_expressions
from naked_sqla.write.tables import Written
from naked_sqla.write.updates import Alike, change_of, updates_of
from naked_sqla.write.updating_alike import update_alike
from naked_sqla.write.upserting import Upsert
from naked_sqla.write.values import (
    grouped,
    read_all,
    reader_of,
    written_class,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = (
    "delete",
    "delete_all",
    "insert",
    "insert_all",
    "update",
    "update_all",
    "upsert",
    "upsert_all",
)


def insert(conn: Connection, obj: Any, *, model: Any = None) -> Any:
    """Insert one object; what was not set is left out, so that the database's default applies.

    :return: the stored row as a naked object, its key and server defaults filled in.
    :raises InvalidStatement: ``obj`` can't be read as a row of a mapped class.
    :raises UnknownAttribute: it has a key that the mapped class does not have.
    """
    reader = reader_of(type(obj), model, "insert")
    return insert_objects(conn, reader.written, [reader.read(obj)])[0]


def insert_all(
    conn: Connection, objs: Iterable[Any], *, batch_size: int | None = None, model: Any = None
) -> list[Any]:
    """Insert objects, of one class or several, with one statement for each run of the same columns.

    :param batch_size: at most so many rows in one statement.
    :return: the stored rows as naked objects, in the order of ``objs``.
    :raises InvalidStatement: an object can't be read as a row of a mapped class, or ``batch_size``
        is not a positive number.
    :raises UnknownAttribute: an object has a key that its class does not have.
    """
    if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
        raise InvalidStatement(
            f"insert_all(batch_size={batch_size!r}): the number of rows in one statement is 1 or "
            f"more. Leave it out to have SQLAlchemy choose."
        )
    # read all objects before writing: if one can't be stored, nothing is
    read = [(r, read_all(r, same)) for r, same in grouped(objs, model, "insert_all")]
    stored: list[Any] = []
    for reader, rows in read:
        for part in chunks(rows, batch_size or len(rows)):
            stored += insert_objects(conn, reader.written, part)
    return stored


# ---------------------------------------------------------------- UPDATE


def update(
    conn: Connection,
    target: Any,
    /,
    *fields: Any,
    returning: bool = True,
    **values: Any,
) -> Any:
    """Update one row by its primary key.

    ``update(conn, obj, *fields)`` stores what the object has for some attributes, or for all of its
    columns but the key; ``update(conn, Model, ident, **values)`` stores values, which may be SQL
    expressions.  A version among them is the one that the row is expected to have.

    :param fields: names of attributes, or attributes; or the key of the row.  A column with
        ``onupdate`` takes that, unless it is named here or a key of a dictionary.
    :param returning: give the stored row, which takes a second statement where the class has
        several tables; False: give the number of rows, which is 1.
    :raises RowGone: there is no such row, or it is one of another class.
    :raises VersionConflict: the row has another version by now.
    :raises UnknownAttribute: for a name that the class does not have.
    """
    if isinstance(target, type):
        return _update_by_ident(conn, written_class(target), fields, values, returning)
    model = values.pop("model", None)
    if values:
        raise InvalidStatement(
            f"update({type(target).__name__}, {', '.join(values)}=...): values come from the "
            f"object. Set them on it, or write update({type(target).__name__}, key, ...=...)."
        )
    reader = reader_of(type(target), model, "update")
    written, says_all = reader.written, isinstance(target, Mapping)
    row = reader.named(target) if fields else reader.said(target)
    names = names_of_attributes(written, fields) if fields else None
    change = change_of(written, row, names, says_all)
    return _update(conn, written, [change], returning, single=True)


def _update_by_ident(
    conn: Connection,
    written: Written,
    ident: Sequence[Any],
    values: dict[str, Any],
    returning: bool,
) -> Any:
    ident, row = given_values(written, ident, values)
    key = _key_of(written, "update", ident)
    taken = [name for name in written.all_keys if name in row]
    if taken:
        raise InvalidStatement(
            f"update({written.name}, {taken[0]}=...): the primary key of a row is not changed by "
            f"update(). Write a statement: update({written.name}).where(...).values(...)."
        )
    version = written.version
    if version is not None and version in row:
        if row[version] is None:
            raise InvalidStatement(
                f"update({written.name}, {version}=None): a version is the one that the row is "
                f"expected to have. Leave it out to update the row whatever version it has."
            )
        key = {**key, version: row[version]}
        row = {name: value for name, value in row.items() if name != version}
    return _update(conn, written, [Change(written, key, row)], returning, single=True)


def update_all(
    conn: Connection,
    objs: Iterable[Any],
    *fields: Any,
    returning: bool = True,
    model: Any = None,
) -> Any:
    """Update rows by their primary keys, one batch for each run of objects with the same columns.

    :param fields: names of attributes, or attributes; none: all columns that an object has, but
        the key.
    :param returning: give the stored rows, in the order of ``objs``, which takes a SELECT for each
        500; False: give their number.
    :raises RowGone: there are no such rows, or they are of another class; it names their keys.
    :raises VersionConflict: rows have other versions by now; it names all of them.
    :raises UnknownAttribute: for a name that the class does not have.
    """
    # read all objects before writing: if one can't be stored, nothing is
    read = [
        (reader.written, updates_of(conn, reader, same, fields))
        for reader, same in grouped(objs, model, "update_all")
    ]
    if not returning:
        return sum(_update_many(conn, *group, False) for group in read)
    return [obj for group in read for obj in _update_many(conn, *group, True)]


def _update_many(
    conn: Connection,
    written: Written,
    updates: tuple[Alike, ...] | list[Change],
    returning: bool,
) -> Any:
    if isinstance(updates, list):
        return _update(conn, written, updates, returning)
    identities = update_alike(conn, updates)
    return _stored(conn, written, identities) if returning else len(identities)


def _update(
    conn: Connection,
    written: Written,
    changes: Sequence[Change],
    returning: bool,
    single: bool = False,
) -> Any:
    if single and changes[0].values:
        if not returning and can_match_one(conn, written, changes[0]):
            return match_one(conn, written, changes[0])
        if returning and conn.dialect.update_returning and returns_whole_rows(written):
            return update_one(conn, written, changes[0])
    matched = update_rows(conn, written, changes)
    if not returning:
        return matched
    stored = _stored(conn, written, [change.identity for change in changes])
    return stored[0] if single else stored


def _stored(conn: Connection, written: Written, identities: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The rows that were updated, as they are now."""
    stored = stored_rows(conn, written, identities)
    gone = [key for key, obj in zip(identities, stored, strict=True) if obj is None]
    if gone:
        raise_stale(written, gone, [])
    return stored


# ---------------------------------------------------------------- INSERT ... ON CONFLICT


def upsert(
    conn: Connection, obj: Any, *, on: Any = None, update: Any = None, model: Any = None
) -> Any:
    """Insert an object, or update the row that is there; arguments as in :func:`upsert_all`.

    :return: the stored row as a naked object.
    """
    reader = reader_of(type(obj), model, "upsert")
    return Upsert(conn, reader.written, on, update).rows([reader.read(obj)])[0]


def upsert_all(
    conn: Connection,
    objs: Iterable[Any],
    *,
    on: Any = None,
    update: Any = None,
    model: Any = None,
) -> list[Any]:
    """Insert objects; where a row is there already, update it (INSERT ... ON CONFLICT).

    :param on: the attributes of a unique constraint; left out: the primary key.
    :param update: the attributes that a row takes from the object where it is there already; left
        out: all that the object has, but the key; an empty list: none (insert or ignore).
    :return: the stored rows as naked objects, in the order of ``objs``.
    :raises RowExcluded: a row is there that the criteria of the factory exclude.
    :raises InvalidStatement: the database is neither SQLite nor PostgreSQL, or the class is stored
        in several tables.
    :raises UnknownAttribute: for a name that the class does not have.
    """
    read = [
        (Upsert(conn, reader.written, on, update), read_all(reader, same))
        for reader, same in grouped(objs, model, "upsert_all")
    ]
    return [obj for upserts, rows in read for obj in upserts.rows(rows)]


# ---------------------------------------------------------------- DELETE


def delete(
    conn: Connection, target: Any, /, *ident: Any, missing_ok: bool = False, model: Any = None
) -> bool:
    """Delete one row by its primary key: of an object, or of ``Model, ident``.

    :param missing_ok: give False where there is no such row, instead of raising.
    :return: True when there was one.
    :raises RowGone: there is no such row, or it is one of another class.
    :raises VersionConflict: the row has another version by now.
    """
    if isinstance(target, type):
        written = written_class(target)
        row = _key_of(written, "delete", ident)
    elif ident:
        raise InvalidStatement(
            f"delete({type(target).__name__}, {shown(ident[0])}): the key comes from the object. "
            f"Write delete(obj), or delete(Model, key)."
        )
    else:
        reader = reader_of(type(target), model, "delete")
        written, row = reader.written, reader.key(target)
    return delete_rows(conn, written, [row], missing_ok) == 1


def delete_all(
    conn: Connection, objs: Iterable[Any], *, missing_ok: bool = False, model: Any = None
) -> int:
    """Delete rows by the primary keys of objects, 500 with one statement.

    :param missing_ok: leave out what is not there, instead of raising.
    :return: the number of rows that were there.
    :raises RowGone: there are no such rows, or they are of another class; it names their keys.
    :raises VersionConflict: rows have other versions by now; it names all of them.
    """
    groups = grouped(objs, model, "delete_all")
    read = [(reader.written, [reader.key(obj) for obj in same]) for reader, same in groups]
    return sum(delete_rows(conn, written, rows, missing_ok) for written, rows in read)


def _key_of(written: Written, what: str, ident: Sequence[Any]) -> Mapping[str, Any]:
    """The primary key that was passed, by attribute."""
    names = ", ".join(written.keys)
    if len(ident) != 1:
        raise InvalidRequestError(
            f"{what}({written.name}, ...) takes the primary key ({names}) as one argument, got "
            f"{len(ident)}. Write {what}({written.name}, 1), with a tuple for a composite key."
        )
    key = ident[0]
    if isinstance(key, Mapping):
        row = written.translate(key)
        if set(row) != set(written.keys):
            raise InvalidRequestError(
                f"{what}({written.name}, {shown(key)}): incorrect names of values in the "
                f"identifier; the primary key is {names}."
            )
        return row
    values = key if isinstance(key, tuple | list) else (key,)
    if len(values) != len(written.keys) or has_expressions(map(type, values)):
        raise InvalidRequestError(
            f"{what}({written.name}, {shown(key)}): incorrect number of values in the identifier; "
            f"the primary key is {names}. Pass a tuple in this order, or a dictionary by these "
            f"names."
        )
    return dict(zip(written.keys, values, strict=True))
