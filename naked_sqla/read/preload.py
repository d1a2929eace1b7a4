"""Relationships of objects in hand: the same further statements, with no statement before them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import QueryableAttribute, RelationshipProperty, lazyload

from naked_sqla._sqlalchemy import relationships
from naked_sqla.exception import InvalidStatement
from naked_sqla.objects.collections import collection_of
from naked_sqla.objects.naked import NakedClass, description_of
from naked_sqla.read.criteria import filtered
from naked_sqla.read.eager import load_relationship
from naked_sqla.read.fetching import loading_on
from naked_sqla.read.further import related_select
from naked_sqla.read.plan import Later

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.read.loading import Loading

__all__ = ("Path", "preload")

# a relationship, or the steps to one
Path = QueryableAttribute[Any] | Sequence[QueryableAttribute[Any]]


def preload(
    conn: Connection,
    objects: Any,
    paths: Iterable[Path],
    *,
    force: bool = False,
    eager: bool = True,
) -> None:
    """Load relationships of objects that are loaded already, and set them on these objects.

    One statement for each relationship and level (and for each 500 keys).  Relationships that are
    loaded already stay, and cost nothing.

    :param objects: one object, or any iterable of objects and ``None``.
    :param paths: ``User.posts``, or ``(User.posts, Post.comments)`` for several levels;
        ``.and_()`` and ``.of_type()`` are understood.
    :param force: load again the relationships that are loaded already.
    :param eager: load also the relationships that the related classes are mapped to load.
    :raises TypeError: an object that no statement of this library loaded, or of another class.
    :raises InvalidStatement: a path that is not a relationship.
    """
    roots = _objects(objects)
    loading = loading_on(conn, None)
    for path in paths:
        steps = path if isinstance(path, tuple | list) else (path,)
        found = roots
        for step in steps:
            found = _preload_step(found, step, loading, force, eager)


def _objects(objects: Any) -> list[Any]:
    if objects is None:
        return []
    if isinstance(objects, Iterable) and not hasattr(type(objects), "__naked__"):
        return [obj for obj in objects if obj is not None]
    return [objects]


def _preload_step(
    objects: list[Any], step: Any, loading: Loading, force: bool, eager: bool
) -> list[Any]:
    """Load one relationship of some objects; gives the objects that it leads to."""
    prop = _relationship(step)
    for obj in objects:
        if not isinstance(obj, prop.parent.class_):
            raise TypeError(
                f"preload({step}) was given a {type(obj).__name__}, which has no such "
                f"relationship. Pass objects of {prop.parent.class_.__name__}, or None."
            )
    waiting = [obj for obj in objects if force or not _is_loaded(obj, prop.key)]
    if waiting:
        target, criteria = relationships.attribute_target(step)
        item = Later(prop, None, None, target, collection_of(prop))

        def build(item: Later, info: Any) -> Any:
            statement = filtered(loading.conn, related_select(item.prop, item.target, info))
            if criteria is not None:
                statement = statement.options(criteria)
            return statement if eager else statement.options(lazyload("*"))

        load_relationship(item, waiting, build, loading)
    return _distinct(obj for parent in objects for obj in _related(parent, prop.key))


def _relationship(step: Any) -> Any:
    prop = getattr(step, "property", None)
    if not isinstance(step, QueryableAttribute) or not isinstance(prop, RelationshipProperty):
        shown = str(step) if isinstance(step, QueryableAttribute) else repr(step)
        raise InvalidStatement(
            f"preload() can't load {shown}: it is not a relationship. Pass attributes like "
            f"User.posts, or a tuple of them for several levels: (User.posts, Post.comments)."
        )
    return prop


def _is_loaded(obj: Any, key: str) -> bool:
    naked: NakedClass = description_of(type(obj))
    return naked.has(key) or key in naked.variables(obj)


def _related(obj: Any, key: str) -> Iterable[Any]:
    value = getattr(obj, key)
    if value is None:
        return ()
    if isinstance(value, dict):
        return value.values()
    return (value,) if hasattr(type(value), "__naked__") else value


def _distinct(objects: Iterable[Any]) -> list[Any]:
    return list({id(obj): obj for obj in objects}.values())
