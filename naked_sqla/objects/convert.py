"""Between naked objects and instances of the ORM."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import inspect

from naked_sqla._sqlalchemy import mappings
from naked_sqla.objects.collections import collection_of
from naked_sqla.objects.naked import description_of, naked_class

__all__ = ("to_naked", "to_orm")

C = TypeVar("C")


def to_orm(obj: C) -> C:
    """A stock detached ORM instance of the same row, for ``session.merge()`` and its kin.

    It has the column attributes that ``obj`` has; all others, relationships too, are not loaded.

    :param obj: an object that this library has loaded.
    :raises TypeError: ``obj`` was not loaded by this library.
    """
    converted: C = mappings.detached(description_of(type(obj)).model, vars(obj))
    return converted


def to_naked(instance: C) -> C:
    """A naked object of an ORM instance, with just the attributes that the instance has loaded.

    Loaded relationships come along, as naked objects; the instance stays as it is, and no SQL runs.

    :param instance: an object of the ORM, in a session or not.
    :raises TypeError: ``instance`` is not an instance of a mapped class of the ORM.
    """
    state: Any = inspect(instance, raiseerr=False)
    if not hasattr(state, "mapper") or not hasattr(state, "dict"):
        raise TypeError(
            f"{instance!r} is not an instance of a mapped class. Pass an object that an ORM "
            f"session has loaded, or that calling a mapped class has made."
        )
    converted: C = _naked(instance, {})
    return converted


def _naked(instance: Any, made: dict[int, Any]) -> Any:
    found = made.get(id(instance))
    if found is not None:
        return found
    state: Any = inspect(instance)
    mapper = state.mapper
    loaded = mappings.instance_values(instance)
    keys = [attribute.key for attribute in mapper.column_attrs if attribute.key in loaded]
    whole = [
        prop
        for prop in mapper.composites
        if all(key in loaded for key in mappings.composite_keys(prop))
    ]
    relations = [prop for prop in mapper.relationships if prop.key in loaded]
    slots = (*keys, *(p.key for p in whole), *(p.key for p in relations))
    deferred = mappings.deferred_keys(instance)
    unset = tuple(
        prop.key
        for prop, _ in mappings.query_expressions(mapper)
        if prop.key not in loaded and prop.key not in deferred
    )
    naked = naked_class(mapper, slots, unset)
    obj = made[id(instance)] = naked.make()
    for key in keys:
        naked.setter(key)(obj, loaded[key])
    for prop in whole:
        parts = [loaded[key] for key in mappings.composite_keys(prop)]
        naked.setter(prop.key)(obj, mappings.composite_factory(prop)(*parts))
    for prop in relations:
        naked.setter(prop.key)(obj, _related(prop, loaded[prop.key], made))
    return obj


def _related(prop: Any, value: Any, made: dict[int, Any]) -> Any:
    if value is None:
        return None
    collection = collection_of(prop)
    if collection is None:
        return _naked(value, made)
    items = value.values() if isinstance(value, dict) else value
    plain = collection.make()
    append = collection.appender(plain)
    for item in items:
        append(_naked(item, made))
    return plain
