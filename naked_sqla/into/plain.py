"""Classes whose JSON is that of dictionaries with their fields: no object has to be made.

A class with code of its own (validators, converters, serializers, computed fields) is not among
them, nor a pydantic model with a field that its column may fail to validate for.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import typing_extensions
from sqlalchemy import Boolean, Date, DateTime, Enum, Float, Integer, Numeric, String, Time, Uuid

from naked_sqla._sqlalchemy import select_clauses
from naked_sqla.into.annotations import alternatives
from naked_sqla.into.fields import Field, Style, Target
from naked_sqla.into.targets import has_plain_init, target_of

__all__ = ("NotPlain", "holds_value", "is_model", "plain_target")


class NotPlain(Exception):
    """The JSON of a class has to be made of its objects."""


def plain_target(cls: Any, validate: bool) -> Target:
    """The fields of a class as a dictionary has them: their keywords are the names in JSON.

    :raises NotPlain: its JSON is not that of such a dictionary.
    """
    target = target_of(cls, validate)
    if target.unfillable or target.extras == "take" or not _is_plain(cls, target):
        raise NotPlain
    names = _names(cls, target)
    fields = tuple(replace(field, keyword=names[field.name]) for field in target.fields)
    return replace(target, style=Style.DICT, fields=fields)


def is_model(cls: Any) -> bool:
    """True for a pydantic model."""
    return hasattr(cls, "__pydantic_complete__") and hasattr(cls, "model_fields")


def _is_plain(cls: Any, target: Target) -> bool:
    if typing_extensions.is_typeddict(cls) or target.style is Style.TUPLE:
        return True
    if is_model(cls):
        return _is_plain_model(cls)
    if hasattr(cls, "__struct_config__"):
        config = cls.__struct_config__
        return not (config.tag_field or config.array_like or config.omit_defaults) and not hasattr(
            cls, "__post_init__"
        )
    if hasattr(cls, "__attrs_attrs__"):
        return _is_plain_attrs(cls)
    return dataclasses.is_dataclass(cls) and has_plain_init(cls, [*target.fields])


def _is_plain_attrs(cls: Any) -> bool:
    hooks = ("__attrs_pre_init__", "__attrs_post_init__")
    return (
        cls.__init__.__code__.co_filename.startswith("<attrs generated")
        and not any(hasattr(cls, hook) for hook in hooks)
        and not any(field.converter or field.validator for field in cls.__attrs_attrs__)
    )


# settings that change neither values nor names, or are looked at here
_KNOWN_SETTINGS = frozenset(
    {
        "alias_generator",
        "arbitrary_types_allowed",
        "defer_build",
        "extra",
        "from_attributes",
        "frozen",
        "json_schema_extra",
        "populate_by_name",
        "protected_namespaces",
        "strict",
        "title",
        "use_attribute_docstrings",
        "validate_by_alias",
        "validate_by_name",
    }
)


def _is_plain_model(cls: Any) -> bool:
    base = sys.modules["pydantic"].BaseModel
    found = cls.__pydantic_decorators__
    decorators = (getattr(found, name) for name in found.__slots__ if name != "__dict__")
    return (
        cls.model_config.keys() <= _KNOWN_SETTINGS
        and not any(isinstance(each, dict) and each for each in decorators)
        and cls.__pydantic_post_init__ is None
        and not cls.__pydantic_custom_init__
        and cls.__get_pydantic_core_schema__.__func__ is base.__get_pydantic_core_schema__.__func__
        and not any(
            info.metadata or info.exclude or getattr(info, "exclude_if", None)
            for info in cls.model_fields.values()
        )
    )


def _names(cls: Any, target: Target) -> dict[str, str]:
    """Field -> its name in JSON."""
    if is_model(cls):
        return {name: info.serialization_alias or name for name, info in cls.model_fields.items()}
    if hasattr(cls, "__struct_config__"):
        return {field.name: field.names[-1] for field in target.fields}
    return {field.name: field.name for field in target.fields}


_TYPES: tuple[tuple[type, type[Any]], ...] = (
    (bool, Boolean),
    (int, Integer),
    (enum.Enum, Enum),
    (str, String),
    (uuid.UUID, Uuid),
    (float, Float),
    (decimal.Decimal, Numeric),
    (datetime.datetime, DateTime),
    (datetime.date, Date),
    (datetime.time, Time),
)


def _value_type(type_: Any) -> Any:
    """The type of a column's values, where it is sure; None otherwise."""
    if not type(type_).__module__.startswith("sqlalchemy."):
        return None
    for value, kind in _TYPES:
        if isinstance(type_, kind):
            if kind is Enum:
                return type_.enum_class
            if kind is Uuid:
                return value if type_.as_uuid else str
            if kind in (Float, Numeric):
                return decimal.Decimal if type_.asdecimal else float
            return value
    return None


def holds_value(field: Field, expression: Any, sure: frozenset[int] | None) -> bool:
    """True where a field of a pydantic model takes each value of a column as it is.

    :param sure: the tables that are in each row, see ``sure_tables()``.
    """
    value = _value_type(getattr(expression, "type", None))
    allowed = alternatives(field.annotation)
    if value is None or not any(choice in (value, Any, object) for choice in _plain(allowed.types)):
        return False
    return allowed.none or select_clauses.is_never_null(expression, sure)


def _plain(types: tuple[Any, ...]) -> Iterator[Any]:
    """The alternatives of a field whose values differ; more might take a value for another."""
    if len(types) == 1:
        yield from types
