"""Further statements: the relationships of all objects of a result, one statement for each.

The statement is the one that ``selectinload`` runs: the related rows, with the key of the parent
they belong to, for a chunk of keys.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select
from sqlalchemy.exc import SAWarning

from naked_sqla import _compat
from naked_sqla.om.naked import description_of
from naked_sqla.om.plan import Later, LaterClass
from naked_sqla.om.relations import Depths, next_depth

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("Loading", "load_later", "load_relationship")

_CHUNK = 500

_Row = tuple[Any, ...]


@dataclass(slots=True)
class Loading:
    """How further statements are run on behalf of a statement.

    :ivar fetch: runs a statement with parameters, gives its rows as tuples.
    :ivar conn: the connection of the statement.
    :ivar options: the execution options of the statement.
    :ivar depths: what is left of ``recursion_depth``, by relationship.
    :ivar shared: True when several rows may hold the same object, which is then made once.
    """

    fetch: Callable[[Loading, Any, Mapping[str, Any]], list[_Row]]
    conn: Connection
    options: Mapping[str, Any] | None = None
    depths: Depths | None = None
    shared: bool = False


def load_later(
    hydrate: Callable[..., list[Any]],
    later: Sequence[Later | LaterClass],
    state: Any,
    statement: Any,
    loading: Loading,
) -> Callable[[Iterable[Any]], list[Any]]:
    """A hydrator with further statements, as a function of rows alone.

    :param hydrate: takes rows, and a list for each of ``later``.
    :param state: the ORM compile state of the statement.
    :param statement: the statement in hand, whose bound values the options hold.
    """

    def load(rows: Iterable[Any]) -> list[Any]:
        waiting: list[list[Any]] = [[] for _ in later]
        loaded = hydrate(rows, *waiting)
        source = _Source(state, statement)
        for item, objects in zip(later, waiting, strict=True):
            if not objects:
                continue
            if isinstance(item, LaterClass):
                _load_class(source.class_statement_for(item), objects, loading)
            else:
                load_relationship(item, objects, source.statement_for, loading)
        return loaded

    return load


# given a relationship and how its rows are found: the further statement
_Build = Callable[[Later, Any], Any]


def load_relationship(
    item: Later, objects: Sequence[Any], build: _Build, loading: Loading
) -> list[Any]:
    """Load one relationship of some objects, and set it on each of them.

    :param objects: loaded objects of the class that has the relationship.
    :param build: gives the statement.
    :return: the related objects, each once.
    """
    prop = item.prop
    info = _compat.select_in_info(prop, by_child=True)
    columns: list[str] | None = None
    if info.load_only_child:
        columns = _foreign_keys(prop, info.child_lookup_cols, objects)
        if columns is None:
            info = _compat.select_in_info(prop, by_child=False)
    below = loading
    if item.depth is not None:
        depths = {**(below.depths or {}), prop: next_depth(item.depth)}
        below = replace(below, depths=depths)
    below = replace(below, shared=columns is None and _is_shared(prop))
    statement = build(item, info)
    keys = _keys(objects, columns or _identity(prop.parent))
    found = _fetch(statement, keys, item, info, below)
    _assign(item, objects, keys, found, to_parent=columns is None)
    return [obj for group in found.values() for obj in group]


def _load_class(statement: Any, objects: Sequence[Any], loading: Loading) -> None:
    """Load the columns of a subclass, and set them on objects that lack them."""
    names = _identity(objects[0].__class__.__mapper__)
    keys = _keys(objects, names)
    wanted = list(dict.fromkeys(keys))
    found: dict[Any, Any] = {}
    for start in range(0, len(wanted), _CHUNK):
        rows = loading.fetch(loading, statement, {"primary_keys": wanted[start : start + _CHUNK]})
        found.update(zip(_keys(rows, names), rows, strict=True))
    for obj, key in zip(objects, keys, strict=True):
        loaded = found.get(key)
        if loaded is None:
            continue
        naked, source = description_of(type(obj)), description_of(type(loaded))
        for name in source.loaded:
            if not naked.has(name):
                naked.setter(name)(obj, source.getter(name)(loaded))


def _identity(mapper: Any) -> list[str]:
    return [mapper.get_property_by_column(column).key for column in mapper.primary_key]


def _foreign_keys(prop: Any, columns: Iterable[Any], objects: Iterable[Any]) -> list[str] | None:
    """The attributes that hold the key of the related row; None when some object lacks one."""
    names = [_compat.local_attribute(prop, column) for column in columns]
    kinds = {type(obj) for obj in objects}
    if all(name and all(description_of(k).has(name) for k in kinds) for name in names):
        return [name for name in names if name]
    return None


def _is_shared(prop: Any) -> bool:
    """True when one related row may belong to several parents."""
    return prop.secondary is not None or not prop.uselist


def _keys(objects: Sequence[Any], names: list[str]) -> list[Any]:
    return list(map(attrgetter(*names), objects))


def _fetch(
    statement: Any, keys: list[Any], item: Later, info: Any, loading: Loading
) -> dict[Any, list[Any]]:
    """The related objects by key, in the order of the rows."""
    size = _compat.option_setting(item.option, "chunksize") or _CHUNK
    width = len(info.pk_cols)
    found: dict[Any, list[Any]] = {}
    wanted = [key for key in dict.fromkeys(keys) if not _is_null(key)]
    for start in range(0, len(wanted), size):
        rows = loading.fetch(loading, statement, {"primary_keys": wanted[start : start + size]})
        for row in rows:
            key = row[0] if width == 1 else row[:width]
            found.setdefault(key, []).append(row[width])
    return found


def _is_null(key: Any) -> bool:
    return key is None or (isinstance(key, tuple) and None in key)


def _assign(
    item: Later,
    objects: Sequence[Any],
    keys: list[Any],
    found: Mapping[Any, list[Any]],
    to_parent: bool,
) -> None:
    setters = {
        kind: description_of(kind).setter(item.key) for kind in {type(obj) for obj in objects}
    }
    collection = item.collection
    for obj, key in zip(objects, keys, strict=True):
        related = found.get(key, ())
        if collection is None:
            if len(related) > 1 and to_parent:
                warnings.warn(
                    f"Multiple rows returned with uselist=False for eagerly-loaded attribute "
                    f"'{item.prop}' ",
                    SAWarning,
                    stacklevel=2,
                )
            setters[type(obj)](obj, related[0] if related else None)
            continue
        value = collection.make()
        append = collection.appender(value)
        for each in related:
            append(each)
        setters[type(obj)](obj, value)


@dataclass(frozen=True, slots=True)
class _Source:
    """A statement on whose behalf further ones are run."""

    state: Any
    statement: Any

    def statement_for(self, item: Later, info: Any) -> Any:
        """The further statement; kept with the compiled one unless options hold bound values."""
        cache = _compat.state_cache(self.state)
        key = (_Source, item, info.load_with_join)
        statement = cache.get(key)
        if statement is None:
            statement = self._build(item, info)
            if not _compat.options_hold_values(self.state):
                cache[key] = statement
        return statement

    def class_statement_for(self, item: LaterClass) -> Any:
        """The further statement for the columns of a subclass; kept like the others."""
        cache = _compat.state_cache(self.state)
        statement = cache.get((_Source, item))
        if statement is None:
            context = _compat.LoadContext(self.state, self.statement)
            statement = _compat.subclass_select(context, item.path, item.entity, item.asked)
            if not _compat.options_hold_values(self.state):
                cache[_Source, item] = statement
        return statement

    def _build(self, item: Later, info: Any) -> Any:
        context = _compat.LoadContext(self.state, self.statement)
        options = list(_compat.further_options(context))
        criteria = _compat.extra_criteria(item.option, context, item.target)
        if criteria is not None:
            options.append(criteria)
        statement = related_select(item.prop, item.target, info).options(*options)
        path = _compat.further_path(self.state, item.path)
        return _compat.continue_path(statement, path, recursive=item.depth is not None)


def related_select(prop: Any, target: Any, info: Any) -> Any:
    """``SELECT`` of the related rows with the keys of their parents, for ``primary_keys``."""
    pk_cols, in_expr, entity = info.pk_cols, info.in_expr, target.entity
    secondary = None if info.load_with_join else prop.secondary
    if not info.load_with_join and secondary is None and target.is_aliased_class:
        pk_cols = [_compat.adapt(target, column) for column in pk_cols]
        in_expr = _compat.adapt(target, in_expr)
    statement = select(*pk_cols, entity)
    if secondary is not None:
        statement = statement.select_from(secondary).join(
            entity, _compat.secondary_join(prop, target)
        )
    elif info.load_with_join:
        parent = _compat.parent_alias(prop)
        statement = statement.select_from(parent).join(getattr(parent, prop.key).of_type(entity))
    else:
        statement = statement.select_from(entity)
    statement = statement.where(in_expr.in_(bindparam("primary_keys")))
    if not prop.order_by:
        return statement
    if info.load_with_join:
        return _compat.order_joined(statement, prop)
    order = prop.order_by
    if target.is_aliased_class:
        order = [_compat.adapt(target, element) for element in order]
    return statement.order_by(*order)
