"""The collections of to-many relationships."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from naked_sqla._frozen import Frozen
from naked_sqla._sqlalchemy import relationships

__all__ = ("Collection", "collection_of")


class Collection(Frozen):
    """The collection that holds the objects of a to-many relationship.

    :ivar make: gives an empty one.
    :ivar appender: given a collection, gives the function that adds an object to it.
    :ivar whole: makes one of all its objects at once; None: they are added one by one.
    """

    make: Callable[[], Any]
    appender: Callable[[Any], Callable[[Any], Any]]
    whole: Callable[[Iterable[Any]], Any] | None = None


_LIST = Collection(list, attrgetter("append"), list)
_SET = Collection(set, attrgetter("add"), set)


def collection_of(prop: Any) -> Collection | None:
    """The collection of a relationship's objects; None for a to-one relationship."""
    if not prop.uselist:
        return None
    factory = relationships.collection_factory(prop)
    kind = type(factory())
    if kind.__module__ == "sqlalchemy.orm.collections":
        # the instrumented twin of a builtin: here it is the builtin
        return _SET if issubclass(kind, set) else _LIST
    return Collection(factory, relationships.collection_appender)
