"""Further statements: the relationships of all objects of a result, one statement for each.

What there is to do is a list of steps.  A step gives those that follow from it, so that nothing is
recursive, however deep the objects are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.exc import SAWarning

from naked_sqla._sqlalchemy import relationships
from naked_sqla.objects.collections import Collection
from naked_sqla.objects.naked import description_of
from naked_sqla.read.further import FurtherStatements
from naked_sqla.read.keys import compares_columns, may_differ, same_keys, types_of_keys
from naked_sqla.read.loading import KEYS, ByKey, Loading, Row, Step
from naked_sqla.read.plan import Later, LaterClass
from naked_sqla.read.relationships import UNLIMITED, next_depth

if TYPE_CHECKING:
    from naked_sqla.read.records import AsRecords, Below

__all__ = ("load_later", "load_relationship")

_CHUNK = 500


def _do(steps: list[Step]) -> None:
    waiting = steps[::-1]
    while waiting:
        waiting.extend(reversed(waiting.pop()()))


def load_later(
    hydrate: Callable[..., list[Any]],
    later: Sequence[Later | LaterClass],
    records: Below,
    state: Any,
    statement: Any,
    loading: Loading,
) -> Callable[[Iterable[Any]], list[Any]]:
    """A hydrator with further statements, as a function of rows alone.

    :param hydrate: takes rows, and a list for each of ``later``.
    :param records: which of the objects to load are made as records.
    :param state: the ORM compile state of the statement.
    :param statement: the statement in hand, whose bound values the options hold.
    """

    def load(rows: Iterable[Any]) -> list[Any]:
        waiting: list[list[Any]] = [[] for _ in later]
        loaded = hydrate(rows, *waiting)
        further = FurtherStatements(state, statement, loading.parameters)
        steps: list[Step] = []
        for item, objects in zip(later, waiting, strict=True):
            if not objects:
                continue
            if isinstance(item, LaterClass):
                load_one: Any = partial(_load_class, further)
            else:
                load_one = partial(_load_relationship, further.statement_for)
            steps.append(partial(load_one, item, objects, loading, records.get(item)))
        if loading.steps is None:
            _do(steps)
        else:
            loading.steps += steps
        return loaded

    return load


# given a relationship and how its rows are found: the further statement
_Build = Callable[[Later, Any], Any]


def load_relationship(item: Later, objects: Sequence[Any], build: _Build, loading: Loading) -> None:
    """Load one relationship of some objects, and set it on each of them.

    :param objects: loaded objects of the class that has the relationship.
    :param build: gives the statement.
    """
    _do([partial(_load_relationship, build, item, objects, loading)])


def _load_relationship(
    build: _Build,
    item: Later,
    objects: Sequence[Any],
    loading: Loading,
    records: AsRecords | None = None,
) -> list[Step]:
    prop = item.prop
    info, columns = _info(item, objects)
    below = loading.below(columns is None and _is_shared(prop), records)
    known: ByKey = {}
    if item.depth is not None:
        below.depths = {**(below.depths or {}), prop: next_depth(item.depth)}
        if item.depth == UNLIMITED:
            known = below.known.get((prop, info.load_only_child), known)
            below.known = {**below.known, (prop, info.load_only_child): known}
    keys = _keys(objects, columns or _identity(prop.parent))
    wanted = [key for key in dict.fromkeys(keys) if not _is_null(key) and key not in known]
    if wanted:
        known.update(_fetch(build(item, info), wanted, item, info, below))
    assign = partial(_assign, item, objects, keys, known, columns is None)
    return [*(below.steps or ()), assign]


def _info(item: Later, objects: Sequence[Any]) -> tuple[Any, list[str] | None]:
    """How the rows of a relationship are found, and the attributes whose values name the related
    rows; None where those of the parents are named.
    """
    prop = item.prop
    if item.by == "subquery" and compares_columns(prop):
        return relationships.joined_info(prop), None
    info = relationships.select_in_info(prop, by_child=True)
    if not info.load_only_child:
        return info, None
    columns = _foreign_keys(prop, info.child_lookup_cols, objects)
    return (
        (info, columns) if columns else (relationships.select_in_info(prop, by_child=False), None)
    )


def _load_class(
    further: FurtherStatements,
    item: LaterClass,
    objects: Sequence[Any],
    loading: Loading,
    records: AsRecords | None,
) -> list[Step]:
    """Load the columns of a subclass, and set them on objects that lack them."""
    statement = further.class_statement_for(item)
    names = _identity(inspect(description_of(type(objects[0])).model))
    keys = _keys(objects, names)
    wanted = list(dict.fromkeys(keys))
    found: dict[Any, Any] = {}
    below = loading.below(loading.shared, records)
    for start in range(0, len(wanted), _CHUNK):
        rows = loading.fetch(below, statement, {KEYS: wanted[start : start + _CHUNK]})
        found.update(zip(_keys(rows, names), rows, strict=True))
    return [*(below.steps or ()), partial(_complete, objects, keys, found)]


def _complete(objects: Sequence[Any], keys: list[Any], found: Mapping[Any, Any]) -> list[Step]:
    for obj, key in zip(objects, keys, strict=True):
        loaded = found.get(key)
        if loaded is None:
            continue
        naked, source = description_of(type(obj)), description_of(type(loaded))
        held = naked.variables(obj)
        for name in source.loaded:
            # a value that the statement for a subclass has set stays: it may override the parent
            if not naked.has(name) and name not in held:
                naked.setter(name)(obj, source.getter(name)(loaded))
    return []


def _identity(mapper: Any) -> list[str]:
    return [mapper.get_property_by_column(column).key for column in mapper.primary_key]


def _foreign_keys(prop: Any, columns: Iterable[Any], objects: Iterable[Any]) -> list[str] | None:
    """The attributes that hold the key of the related row; None when some object lacks one."""
    names = [relationships.local_attribute(prop, column) for column in columns]
    kinds = {type(obj) for obj in objects}
    if all(name and all(description_of(k).has(name) for k in kinds) for name in names):
        return [name for name in names if name]
    return None


def _is_shared(prop: Any) -> bool:
    """True when one related row may belong to several parents."""
    return prop.secondary is not None or not prop.uselist


def _keys(objects: Sequence[Any], names: list[str]) -> list[Any]:
    return list(map(attrgetter(*names), objects))


def _fetch(statement: Any, wanted: list[Any], item: Later, info: Any, loading: Loading) -> ByKey:
    """The related objects for each key, in the order of the rows.

    Which row is for which key the database says; ``selectinload()`` compares in Python, as the
    ORM's does.
    """
    size = relationships.option_setting(item.option, "chunksize") or _CHUNK
    width = len(info.pk_cols)
    found: ByKey = {}
    for start in range(0, len(wanted), size):
        chunk = wanted[start : start + size]
        rows = loading.fetch(loading, statement, {KEYS: chunk})
        grouped = _grouped(rows, width)
        by_python = item.by == "selectin"
        if not by_python and may_differ(
            item.prop, set(chunk), grouped.keys(), info.load_only_child
        ):
            types = types_of_keys(item.prop, info)
            same = same_keys(loading.conn, loading.options, info.pk_cols, types, chunk)
            grouped = _regrouped(rows, width, same)
        if loading.shared and (relationships.SELECT_IN_IS_UNIQUE or not by_python):
            grouped = {key: _distinct(group) for key, group in grouped.items()}
        for key in chunk:
            found[key] = grouped.get(key, [])
    return found


def _grouped(rows: list[Row], width: int) -> ByKey:
    """The related objects by the keys of their rows."""
    grouped: ByKey = {}
    if width > 1:
        rows = [(row[:width], row[width]) for row in rows]
    for key, related in rows:
        group = grouped.get(key)
        if group is None:
            grouped[key] = [related]
        else:
            group.append(related)
    return grouped


def _regrouped(rows: list[Row], width: int, same: Mapping[Any, list[Any]]) -> ByKey:
    """The related objects by the keys that were asked for.

    :param same: for each key of a row those that the database finds equal to it.
    """
    grouped: ByKey = {}
    for row in rows:
        for key in same.get(row[0] if width == 1 else row[:width], ()):
            grouped.setdefault(key, []).append(row[width])
    return grouped


def _distinct(objects: list[Any]) -> list[Any]:
    if len(objects) < 2 or len(set(map(id, objects))) == len(objects):
        return objects
    return list({id(obj): obj for obj in objects}.values())


def _is_null(key: Any) -> bool:
    return key is None or (isinstance(key, tuple) and None in key)


def _assign(
    item: Later,
    objects: Sequence[Any],
    keys: list[Any],
    found: Mapping[Any, list[Any]],
    to_parent: bool,
) -> list[Step]:
    setters = {
        kind: description_of(kind).setter(item.key) for kind in {type(obj) for obj in objects}
    }
    collection = item.collection
    if collection is None:
        _assign_one(item, objects, keys, found, to_parent, setters)
        return []
    # a list of its own for each object: two of them may be the same row
    make = collection.whole or partial(_one_by_one, collection)
    for obj, key in zip(objects, keys, strict=True):
        setters[type(obj)](obj, make(found.get(key, ())))
    return []


def _one_by_one(collection: Collection, related: Iterable[Any]) -> Any:
    value = collection.make()
    append = collection.appender(value)
    for each in related:
        append(each)
    return value


def _assign_one(
    item: Later,
    objects: Sequence[Any],
    keys: list[Any],
    found: Mapping[Any, list[Any]],
    to_parent: bool,
    setters: Mapping[type, Callable[[Any, Any], None]],
) -> None:
    for obj, key in zip(objects, keys, strict=True):
        related = found.get(key, ())
        if len(related) > 1 and to_parent:
            warnings.warn(
                f"Multiple rows returned with uselist=False for eagerly-loaded attribute "
                f"'{item.prop}' ",
                SAWarning,
                stacklevel=3,
            )
        setters[type(obj)](obj, related[0] if related else None)
