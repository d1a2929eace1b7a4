"""Annotations of a class: which of its fields can be objects of their own."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from dataclasses import dataclass
from enum import Enum
from typing import Any

import typing_extensions

from naked_sqla.objects.classes import mapper_of

__all__ = ("QUALIFIERS", "Alternatives", "alternatives", "hints_of", "is_fillable")

QUALIFIERS = (
    typing_extensions.Required,
    typing_extensions.NotRequired,
    typing_extensions.ReadOnly,
    # 3.13 has its own
    getattr(typing, "ReadOnly", typing_extensions.ReadOnly),
)


@dataclass(frozen=True, slots=True)
class Alternatives:
    """The values that an annotation allows.

    :ivar types: the members of its union.
    :ivar none: None is one of them.
    """

    types: tuple[Any, ...]
    none: bool


def alternatives(annotation: Any) -> Alternatives:
    """Take an annotation apart: unions, ``Annotated``, ``InitVar``, ``type X = ...``."""
    found: list[Any] = []
    _collect(annotation, found)
    kept = tuple(item for item in found if item is not type(None) and item is not None)
    anything = any(item is Any or item is object for item in kept)
    return Alternatives(kept, anything or len(kept) < len(found))


def _collect(annotation: Any, found: list[Any]) -> None:
    if isinstance(annotation, dataclasses.InitVar):
        annotation = annotation.type
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        for item in typing.get_args(annotation):
            _collect(item, found)
    elif origin is typing.Annotated or origin in QUALIFIERS:
        _collect(typing.get_args(annotation)[0], found)
    elif isinstance(annotation, typing_extensions.TypeAliasType):
        _collect(annotation.__value__, found)
    else:
        found.append(annotation)


def hints_of(thing: Any) -> dict[str, Any]:
    """The annotations of a class or function; those that can't be resolved as they are written."""
    if not isinstance(thing, type) and not inspect.isfunction(thing):
        return {}
    try:
        return typing_extensions.get_type_hints(thing, include_extras=True)
    except Exception:  # noqa: BLE001 - an annotation may be any expression, and raise anything
        pass
    hints: dict[str, Any] = {}
    for owner in reversed(thing.__mro__) if isinstance(thing, type) else (thing,):
        names = vars(sys.modules.get(owner.__module__, types)).copy()
        if isinstance(owner, type):
            names |= vars(owner)
        for name, hint in inspect.get_annotations(owner).items():
            hints[name] = _resolved(hint, names)
    return hints


def _resolved(hint: Any, names: dict[str, Any]) -> Any:
    if not isinstance(hint, str):
        return hint
    try:
        return eval(hint, names)
    except Exception:  # noqa: BLE001 - as above
        return hint


def is_fillable(annotation: Any) -> bool:
    """True for a class whose fields columns can fill, as opposed to the type of a value."""
    cls = typing.get_origin(annotation) or annotation
    if not isinstance(cls, type) or mapper_of(cls) is not None:
        return False
    if typing_extensions.is_typeddict(cls) or dataclasses.is_dataclass(cls):
        return True
    if hasattr(cls, "__attrs_attrs__") or hasattr(cls, "__struct_config__"):
        return True
    if hasattr(cls, "__pydantic_fields_set__"):
        return True
    if issubclass(cls, tuple):
        return hasattr(cls, "_fields")
    if issubclass(cls, Enum) or cls.__module__.partition(".")[0] in sys.stdlib_module_names:
        return False
    return inspect.isfunction(cls.__init__) or inspect.isfunction(cls.__new__)
