"""Column types as a dialect has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Double, Float
from sqlalchemy.orm.mapped_collection import _AttrGetter

__all__ = (
    "innermost",
    "is_float",
    "is_stock",
    "json_loads",
    "key_attribute",
    "reader",
    "rewrites_columns",
)


def innermost(type_: Any, dialect: Any) -> Any:
    """The type whose values the driver gives: without decorators, as the dialect implements it."""
    return type_._unwrapped_dialect_impl(dialect)


def is_stock(type_: Any) -> bool:
    """True for a type that SQLAlchemy brings along, and no subclass of it."""
    return type(type_).__module__.startswith("sqlalchemy.")


def is_float(type_: Any) -> bool:
    """True for a type whose driver's values are floats; PostgreSQL's of 2.0 is no ``Float``."""
    return isinstance(type_, Float | Double) or type_.__visit_name__ == "float"


def rewrites_columns(type_: Any) -> bool:
    """True for a type that selects an SQL expression in place of its column."""
    return bool(type_._has_column_expression)


def reader(type_: Any, dialect: Any, code: Any) -> Callable[[Any], Any] | None:
    """What makes a value of the driver one of the type, with its decorators.

    :param code: of the column's type in the database, as the driver's cursor tells it.
    """
    found: Callable[[Any], Any] | None = type_._cached_result_processor(dialect, code)
    return found


def json_loads(dialect: Any) -> Callable[[Any], Any]:
    """How a dialect reads JSON: ``create_engine(json_deserializer=...)``, or the standard way."""
    return getattr(dialect, "_json_deserializer", None) or json.loads


def key_attribute(collection: Any) -> str | None:
    """The attribute whose value is the key in an ``attribute_keyed_dict()``; None for others."""
    get = getattr(collection, "keyfunc", None)
    if not isinstance(get, _AttrGetter):
        return None
    return str(get.attr_name)
