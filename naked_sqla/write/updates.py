"""What ``update()`` and ``update_all()`` take from objects: a change of each, or columns for all.

Most of the time of a batch goes into making something for each row.  Objects of one class that
store the same attributes need no more than the values of each attribute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from naked_sqla.exception import InvalidStatement, UnknownAttribute
from naked_sqla.write.changing import Change
from naked_sqla.write.finding import within
from naked_sqla.write.names import names_of_attributes
from naked_sqla.write.related import related_of
from naked_sqla.write.rows import has_expressions, have_same_keys
from naked_sqla.write.tables import Written
from naked_sqla.write.values import ObjectReader

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("Alike", "change_of", "updates_of")


class Alike(NamedTuple):
    """The UPDATE of objects of one class with one table and no version.

    :ivar written: how the class is written.
    :ivar names: the attributes that are stored.
    :ivar values: by attribute, of these and of the key: a value for each object.
    :ivar types: the types of these values; no SQL expressions, and keys are complete.
    """

    written: Written
    names: Sequence[str]
    values: dict[str, Sequence[Any]]
    types: dict[str, set[type]]


def updates_of(
    conn: Connection, reader: ObjectReader, objs: Sequence[Any], fields: Sequence[Any]
) -> tuple[Alike, ...] | list[Change]:
    """What is stored of objects of one class: columns for each run of objects with the same
    attributes, or a change of each object.

    :param fields: names of attributes, or attributes; none: all columns that an object has, but
        the key.
    :raises InvalidStatement: an object or a name can't be stored.
    :raises UnknownAttribute: the class or an object does not have a named attribute.
    """
    written = reader.written
    fits = len(written.parts) == 1 and written.version is None
    fits = fits and not within(conn, written).criteria
    loaded = _of_loaded(written, objs, fields) if fits else None
    if loaded is not None:
        return (loaded,)
    held = reader.held(objs) if fits else None
    found = None if held is None else _of_rows(written, held, fields, False)
    if found is not None:
        return found
    rows = list(map(reader.named if fields else reader.said, objs))
    says_all = isinstance(objs[0], Mapping)
    if fits and held is None:
        found = _of_rows(written, rows, fields, says_all)
    if found is not None:
        return found
    names = names_of_attributes(written, fields) if fields else None
    return [change_of(written, row, names, says_all) for row in rows]


def change_of(
    written: Written, row: Mapping[str, Any], names: Sequence[str] | None, says_all: bool
) -> Change:
    """What is stored of one object.

    :param row: its column attributes.
    :param names: the attributes to store; None: all.
    :param says_all: it names the attributes to store, as a dictionary does; an object has all of
        its class.
    """
    fixed, version = written.all_keys, written.version
    if names is None:
        unsaid = () if says_all else written.unsaid(row)
        values = {
            k: v for k, v in row.items() if k not in fixed and k not in unsaid and k != version
        }
        return Change(written, row, values)
    for name in names:
        if name in fixed:
            raise InvalidStatement(
                f"update({written.name}, {name!r}): the primary key tells which row it is, and is "
                f"not changed by update(). Write a statement: update({written.name}).where(...)."
            )
        if name in written.computed:
            raise InvalidStatement(
                f"update({written.name}, {name!r}): the database computes {name}, so that no value "
                f"of it is stored. Leave it out."
            )
        if name not in row:
            raise UnknownAttribute(
                f"update({written.name}, {name!r}): the object has no value for {name}. Set it, or "
                f"load it first."
            )
    return Change(written, row, {name: row[name] for name in names if name != version})


# ---------------------------------------------------------------- as columns


def _of_rows(
    written: Written, rows: Sequence[Any], fields: Sequence[Any], says_all: bool
) -> tuple[Alike, ...] | None:
    """What is stored of objects, in runs; None if a row has to be looked at by itself.

    :param rows: their column attributes.
    """
    if set(map(type, rows)) != {dict}:
        # one that makes up a missing value
        return None
    fixed = written.all_keys
    if fields:
        named = tuple(dict.fromkeys(names_of_attributes(written, fields)))
        if not (fixed | written.computed).isdisjoint(named):
            return None
        alike = _of_run(written, named, rows)
        return None if alike is None else (alike,)
    runs: list[tuple[list[str], list[Any]]] = []
    same = have_same_keys(rows)
    for _, group in [((), rows)] if same else groupby(rows, key=lambda row: row.keys()):
        run = list(group)
        if not says_all and not _are_of_one_kind(written, run):
            return None
        left_out = fixed if says_all else fixed | written.unsaid(run[0])
        names = [key for key in run[0] if key in written.columns and key not in left_out]
        if runs and set(runs[-1][0]) == set(names):
            runs[-1][1].extend(run)
        else:
            runs.append((names, run))
    found = [_of_run(written, *run) for run in runs]
    return None if None in found else tuple(alike for alike in found if alike is not None)


def _of_run(written: Written, names: Sequence[str], rows: Sequence[Any]) -> Alike | None:
    try:
        values: dict[str, Sequence[Any]] = {
            name: list(map(itemgetter(name), rows)) for name in (*names, *written.keys)
        }
    except KeyError:
        return None
    return _alike(written, names, values)


def _are_of_one_kind(written: Written, rows: Sequence[Mapping[str, Any]]) -> bool:
    """True when all rows have the discriminator of the class, or none of them."""
    if written.kind is None:
        return True
    name, kind = written.kind
    return len({row.get(name) == kind for row in rows}) == 1


def _of_loaded(written: Written, objs: Sequence[Any], fields: Sequence[Any]) -> Alike | None:
    """What is stored of loaded objects; None if their rows have to be looked at."""
    naked = getattr(type(objs[0]), "__naked__", None)
    if naked is None or not naked.slots:
        return None
    if not fields and not _says_no_more(written, naked, objs):
        return None
    names = names_of_attributes(written, fields) if fields else naked.loaded
    fixed = written.all_keys | written.computed
    if not fields:
        name = "" if written.kind is None else written.kind[0]
        kinds = [getattr(obj, name, None) for obj in objs] if name in naked.loaded else [None]
        if any(kind != kinds[0] for kind in kinds):
            return None
        fixed |= written.unsaid({name: kinds[0]})
    kept = [name for name in dict.fromkeys(names) if name in written.columns and name not in fixed]
    if (fields and len(kept) != len(fields)) or not {*written.keys, *kept} <= set(naked.loaded):
        return None
    try:
        values: dict[str, Sequence[Any]] = {
            name: list(map(attrgetter(name), objs)) for name in (*kept, *written.keys)
        }
    except AttributeError:
        # a value was deleted
        return None
    return _alike(written, kept, values)


def _says_no_more(written: Written, naked: Any, objs: Sequence[Any]) -> bool:
    """True when the objects have no values besides the columns that were loaded.

    :raises InvalidStatement: for a relationship that the rows can't hold.
    """
    related = related_of(written)
    if related is None and written.columns.keys() <= set(naked.loaded):
        return True
    # a value may be set that no statement has loaded
    others = any(map(naked.variables, objs))
    if others and any(not written.columns.keys().isdisjoint(naked.variables(o)) for o in objs):
        return False
    if related is None or (not others and related.keys.isdisjoint(naked.loaded)):
        return True
    columns = dict.fromkeys(written.columns)
    for values in map(vars, objs):
        row = {key: value for key, value in values.items() if key in columns}
        found = related.completed("update_all", row, values, "loaded", loaded=naked.loaded)
        if found is not row:
            return False
    return True


def _alike(
    written: Written, names: Sequence[str], values: dict[str, Sequence[Any]]
) -> Alike | None:
    """The UPDATE of some values; None where there is none, or a row needs more than its values."""
    types = {name: set(map(type, of)) for name, of in values.items()}
    kinds = set().union(*(types[key] for key in written.keys))
    if not names or has_expressions(set().union(*types.values())):
        return None
    # not the key of a row
    if type(None) in kinds or any(kind.__hash__ is None for kind in kinds):
        return None
    return Alike(written, names, values, types)
