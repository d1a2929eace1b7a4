"""Which objects of a statement are made as records: all that no field takes as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import inspect

from naked_sqla.objects.collections import Collection
from naked_sqla.objects.naked import naked_class
from naked_sqla.objects.records import RecordClass
from naked_sqla.read.plan import Entity, Joined, Later, LaterClass, Plan, Polymorphic

__all__ = ("AsRecords", "Below", "OfItems", "takes_records", "with_records")


class AsRecords:
    """The objects of one entity, made as records, and those of its relationships.

    :ivar below: by relationship; None for mapped objects, and all that they hold.
    """

    __slots__ = ("below",)

    def __init__(self) -> None:
        self.below: dict[str, AsRecords | None] = {}


# for the last items of a row; None for mapped objects
OfItems = tuple[AsRecords | None, ...]

# what further statements load
Below = Mapping[Later | LaterClass, AsRecords | None]

# of relationships that no field takes
_UNREAD = AsRecords()


def with_records(plan: Plan, records: OfItems) -> tuple[Plan, Below]:
    """A plan that makes records, and which of the objects of its further statements are."""
    below: dict[Later | LaterClass, AsRecords | None] = {}
    first = len(plan.items) - len(records)
    made = tuple(map(_item, plan.items[first:], records, [below] * len(records)))
    return plan._replace(items=(*plan.items[:first], *made)), below


def _item(item: Any, records: AsRecords | None, below: dict[Any, AsRecords | None]) -> Any:
    if records is None or not isinstance(item, Entity | Polymorphic):
        return item
    if isinstance(item, Polymorphic):
        variants = (v._replace(entity=_item(v.entity, records, below)) for v in item.variants)
        return item._replace(variants=tuple(variants))
    for later in item.later:
        if isinstance(later, LaterClass):
            below[later] = records
        else:
            below[later] = _related(records, later, later.prop.mapper)
    mapper: Any = inspect(item.naked.model)
    joined = tuple(
        each._replace(
            target=_item(
                each.target, _related(records, each, mapper.relationships[each.key].mapper), below
            )
        )
        for each in item.joined
    )
    computed = {composite.key for composite in item.composites}
    keys = tuple(key for key in item.naked.loaded if key not in computed)
    return item._replace(
        naked=naked_class(mapper, keys, item.naked.unset, RecordClass),
        composites=(),
        reconstructor=None,
        joined=joined,
    )


def _related(records: AsRecords, relationship: Later | Joined, mapper: Any) -> AsRecords | None:
    """How the objects of a relationship are made."""
    collection = relationship.collection
    if collection is not None and not takes_records(collection, mapper):
        return None
    return records.below.get(relationship.key, _UNREAD)


def takes_records(collection: Collection, mapper: Any) -> bool:
    """True for a collection that does not look at its objects: one of the application's own may,
    and so may a set of objects that are equal by their values."""
    if collection.make is set:
        return all(sub.class_.__hash__ is object.__hash__ for sub in mapper.self_and_descendants)
    return collection.make is list
