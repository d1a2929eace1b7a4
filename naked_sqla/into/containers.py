"""Collections that the fields of a class hold, and those that relationships are loaded in."""

from __future__ import annotations

import collections
import collections.abc
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import typing_extensions

from naked_sqla._sqlalchemy import relationships
from naked_sqla.objects.collections import Collection

__all__ = ("Container", "container_of", "is_hashable", "iterator_of")

_ABC = collections.abc

# the types of fields, and what is made for them
_KINDS: Mapping[Any, Callable[[Iterable[Any]], Any]] = {
    list: list,
    _ABC.Sequence: list,
    _ABC.MutableSequence: list,
    _ABC.Collection: list,
    _ABC.Iterable: list,
    collections.deque: collections.deque,
    set: set,
    _ABC.MutableSet: set,
    _ABC.Set: frozenset,
    frozenset: frozenset,
    tuple: tuple,
    dict: dict,
    _ABC.Mapping: dict,
    _ABC.MutableMapping: dict,
}


@dataclass(frozen=True, slots=True)
class Container:
    """The collection that a field holds.

    :ivar make: makes it from objects, a dictionary from pairs.
    :ivar of: the annotation of its objects.
    """

    make: Callable[[Iterable[Any]], Any]
    of: Any

    @property
    def is_set(self) -> bool:
        """True where its objects have to be hashable."""
        return self.make in (set, frozenset)

    @property
    def is_dict(self) -> bool:
        """True where its objects have keys."""
        return self.make is dict


def container_of(annotation: Any) -> Container | None:
    """Read the annotation of a collection; None for any other."""
    origin = typing.get_origin(annotation) or annotation
    make = _KINDS.get(origin) if isinstance(origin, collections.abc.Hashable) else None
    if make is None:
        return None
    arguments = typing.get_args(annotation)
    if make is dict:
        return Container(make, arguments[1] if len(arguments) == 2 else Any)
    if make is tuple and arguments and arguments[1:] != (...,):
        # so many objects, each of a type of its own: a relationship has any number
        return None
    return Container(make, arguments[0] if arguments else Any)


def iterator_of(collection: Collection) -> Callable[[Any], Iterable[Any]]:
    """How the objects of a loaded collection are read."""
    kind = type(collection.make())
    if issubclass(kind, dict):
        return dict.values
    if issubclass(kind, list | set | tuple):
        return iter
    return relationships.collection_iterator(kind)


def is_hashable(cls: Any) -> bool:
    """True for a class whose objects a set can hold."""
    if typing_extensions.is_typeddict(cls):
        return False
    config = getattr(cls, "__struct_config__", None)
    if config is not None:
        # msgspec gives every Struct a __hash__, which refuses unless it is frozen
        return bool(config.frozen or not config.eq)
    return getattr(cls, "__hash__", None) is not None
