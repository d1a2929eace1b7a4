"""Class -> :class:`~.fields.Target`: the fields that columns can fill.

pydantic, msgspec and attrs are not imported here: a class that is made with one of them has it
imported already.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import partial
from typing import Any

import typing_extensions

from naked_sqla.exception import RowMismatch
from naked_sqla.into.annotations import QUALIFIERS, hints_of
from naked_sqla.into.fields import Default, Extras, Field, Style, Target
from naked_sqla.objects.classes import mapper_of

__all__ = ("has_plain_init", "target_of")


def target_of(cls: Any, validate: bool = True) -> Target:
    """Read the fields of a class.

    :param validate: False for pydantic models that are made without validation.
    :raises RowMismatch: it is not a class, or its fields have no names.
    """
    origin = typing.get_origin(cls) or cls
    if not isinstance(origin, type):
        raise RowMismatch(
            f"{cls!r} is not a class that rows can fill. Pass a dataclass, a pydantic model, a "
            f"msgspec Struct, an attrs class, a NamedTuple, a TypedDict, or a class with keyword "
            f"arguments."
        )
    if typing_extensions.is_typeddict(origin):
        return _typed_dict(origin)
    if mapper_of(origin) is not None:
        raise RowMismatch(
            f"{origin.__name__} is a mapped class, and rows fill classes that are not mapped. "
            f"For {origin.__name__} objects write scalars(select({origin.__name__}))."
        )
    pydantic, msgspec = sys.modules.get("pydantic"), sys.modules.get("msgspec")
    if pydantic is not None and issubclass(origin, pydantic.BaseModel):
        return _pydantic(origin, validate)
    if msgspec is not None and issubclass(origin, msgspec.Struct):
        return _msgspec(origin, msgspec)
    if issubclass(origin, tuple) and hasattr(origin, "_fields"):
        return _named_tuple(origin)
    return _called(origin)


# ---------------------------------------------------------------- kinds of classes


def _typed_dict(cls: Any) -> Target:
    fields = []
    for name, hint in hints_of(cls).items():
        required = name in cls.__required_keys__
        annotation = hint
        # a postponed annotation hides NotRequired from the class itself
        while (origin := typing.get_origin(annotation)) in QUALIFIERS:
            if origin is typing_extensions.Required:
                required = True
            elif origin is typing_extensions.NotRequired:
                required = False
            annotation = typing.get_args(annotation)[0]
        fields.append(Field(name, name, (name,), annotation, required))
    return Target(cls, cls.__name__, Style.DICT, tuple(fields))


def _named_tuple(cls: Any) -> Target:
    if not _is_generated(cls.__new__) or cls.__init__ is not object.__init__:
        return _called(cls)
    hints = hints_of(cls)
    defaults = cls._field_defaults
    fields = tuple(
        Field(
            name,
            name,
            (name,),
            hints.get(name, Any),
            required=name not in defaults,
            default=Default(defaults[name]) if name in defaults else None,
        )
        for name in cls._fields
    )
    return Target(cls, cls.__name__, Style.TUPLE, fields)


def _msgspec(cls: Any, msgspec: Any) -> Target:
    config = cls.__struct_config__
    fields = tuple(
        Field(
            field.name,
            field.name,
            tuple(dict.fromkeys((field.name, field.encode_name))),
            field.type,
            field.required,
        )
        for field in _resolved(cls, partial(msgspec.structs.fields, cls))
    )
    # the tag is not a field, yet msgspec expects it in the data that it decodes
    quiet = frozenset([config.tag_field] if config.tag_field else [])
    extras: Extras = "refuse" if config.forbid_unknown_fields else "ignore"
    return Target(cls, cls.__name__, Style.CALL, fields, extras, quiet)


def _pydantic(cls: Any, validate: bool) -> Target:
    if not cls.__pydantic_complete__:
        _resolved(cls, cls.model_rebuild)
    if cls.__pydantic_root_model__:
        raise RowMismatch(
            f"{cls.__name__} is a RootModel: it has one value and no fields that columns could "
            f"fill by name. Use a model with fields, or scalars() for a single column."
        )
    config = cls.model_config
    fields = tuple(_pydantic_field(name, info, config) for name, info in cls.model_fields.items())
    if validate:
        style = Style.VALIDATE
    elif _constructs_plainly(cls):
        style = Style.CONSTRUCT
    else:
        style = Style.MODEL_CONSTRUCT
    return Target(cls, cls.__name__, style, fields, _pydantic_extras(config))


def _resolved(cls: Any, resolve: Callable[[], Any]) -> Any:
    """Call a function that needs all annotations of a class.

    :raises RowMismatch: an annotation names a class that its module does not define at the top.
    """
    try:
        return resolve()
    except NameError as error:
        how = f", or call {cls.__name__}.model_rebuild() where it is" if _is_model(cls) else ""
        raise RowMismatch(
            f"{cls.__name__} can't be filled yet: its annotations name {error.name!r}, which is "
            f"not defined at the top of module {cls.__module__}. Next: define it there{how}."
        ) from error


def _is_model(cls: Any) -> bool:
    return hasattr(cls, "__pydantic_complete__")


def _pydantic_extras(config: Mapping[str, Any]) -> Extras:
    match config.get("extra"):
        case "forbid":
            return "refuse"
        case "allow":
            return "take"
    return "ignore"


def _pydantic_field(name: str, info: Any, config: Mapping[str, Any]) -> Field:
    by_name = bool(config.get("populate_by_name") or config.get("validate_by_name"))
    by_alias = config.get("validate_by_alias") is not False
    aliases, paths = [], []
    choices = getattr(info.validation_alias, "choices", None) or [info.validation_alias]
    for alias in (*choices, info.alias):
        if isinstance(alias, str):
            aliases.append(alias)
        elif alias is not None:
            paths.append(alias.path[0])
    keyword = name
    names = [name, *aliases]
    if by_alias and aliases:
        keyword = aliases[0]
    elif by_alias and paths and not by_name:
        # pydantic takes it out of another value, so that is the column it needs
        keyword = paths[0]
        names = paths[:1]
    return Field(
        name,
        keyword,
        tuple(dict.fromkeys(names)),
        info.annotation,
        info.is_required(),
        default=None if info.is_required() else _pydantic_default(info),
    )


def _pydantic_default(info: Any) -> Default:
    if info.default_factory is not None:
        takes_data = bool(getattr(info, "default_factory_takes_validated_data", False))
        return Default(make=info.default_factory, takes_data=takes_data)
    if info.default is None or isinstance(info.default, str | int | float | bytes | Enum):
        return Default(info.default)
    # a copy for each object, where pydantic makes one
    return Default(make=info.get_default)


def _constructs_plainly(cls: Any) -> bool:
    """True when ``model_construct()`` is pydantic's own, on an object like any other."""
    base = sys.modules["pydantic"].BaseModel
    return bool(
        cls.model_construct.__func__ is base.model_construct.__func__
        and cls.__new__ is object.__new__
        and base.__slots__
        == ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
    )


def _called(cls: Any) -> Target:
    """A class by the signature of its constructor: dataclasses, attrs classes, any other."""
    try:
        if cls.__module__ == "builtins":
            raise TypeError
        signature = inspect.signature(cls)
    except (TypeError, ValueError):
        raise RowMismatch(
            f"{cls.__name__} has no arguments with names of their own, so that no column can fill "
            f"it. Use a dataclass or a TypedDict; tuples() for plain rows, execute(...).mappings() "
            f"for dictionaries, scalars() for a single column."
        ) from None
    written = _written_names(cls)
    hints = {**hints_of(cls.__init__), **hints_of(cls)}
    fields = []
    extras: Extras = "refuse"
    if hasattr(cls, "__pydantic_validator__"):
        extras = _pydantic_extras(getattr(cls, "__pydantic_config__", None) or {})
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            extras = "take"
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            fields.append(_argument(parameter, written, hints))
    style = _style(cls, fields)
    return Target(
        cls, cls.__name__, style, tuple(fields), extras, unfillable=tuple(_unfillable(cls))
    )


def _argument(
    parameter: inspect.Parameter, written: Mapping[str, str], hints: Mapping[str, Any]
) -> Field:
    name = written.get(parameter.name, parameter.name)
    optional = parameter.default is not parameter.empty
    # a positional-only argument can't be left out before another
    by_position = optional and parameter.kind is parameter.POSITIONAL_ONLY
    return Field(
        name,
        parameter.name,
        tuple(dict.fromkeys((name, parameter.name))),
        hints.get(name, Any),
        required=not optional,
        positional=parameter.kind is not parameter.KEYWORD_ONLY,
        default=Default(parameter.default) if by_position else None,
    )


def _written_names(cls: Any) -> dict[str, str]:
    """Argument -> the name of its field, where they may differ."""
    names: dict[str, str] = {}
    for attribute in getattr(cls, "__attrs_attrs__", ()):
        names[attribute.alias] = attribute.name
    for name, info in (getattr(cls, "__pydantic_fields__", None) or {}).items():
        if isinstance(info.validation_alias, str):
            names[info.validation_alias] = name
    return names


def _unfillable(cls: Any) -> Iterator[tuple[str, str]]:
    shown = cls.__name__
    if dataclasses.is_dataclass(cls):
        fields: Any = dataclasses.fields(cls)
    else:
        fields = getattr(cls, "__attrs_attrs__", ())
    for field in fields:
        if not field.init:
            yield field.name, f"{field.name} is set by {shown} itself (init=False)"


def _style(cls: Any, fields: list[Field]) -> Style:
    """The fastest way that has the same effect as calling the class."""
    if not dataclasses.is_dataclass(cls) or not has_plain_init(cls, fields):
        return Style.CALL
    if cls.__setattr__ is object.__setattr__:
        # since 3.13 a call of a class runs its __init__ without leaving the interpreter loop
        return Style.STORE if sys.version_info < (3, 13) else Style.CALL
    settings: Any = cls
    if not settings.__dataclass_params__.frozen or not _is_generated(cls.__setattr__):
        return Style.CALL
    found = [inspect.getattr_static(cls, field.name, None) for field in fields]
    if all(isinstance(slot, types.MemberDescriptorType) for slot in found):
        return Style.SLOTS
    if settings.__dictoffset__ and not any(hasattr(type(item), "__set__") for item in found):
        return Style.VARIABLES
    return Style.CALL


def has_plain_init(cls: Any, fields: list[Field]) -> bool:
    """True for a dataclass whose ``__init__`` does nothing but store its arguments."""
    own = dataclasses.fields(cls)
    return (
        type(cls).__call__ is type.__call__
        and cls.__new__ is object.__new__
        and _is_generated(cls.__init__)
        and not hasattr(cls, "__post_init__")
        and not hasattr(cls, "__pydantic_validator__")
        and sorted(f.name for f in own) == sorted(f.name for f in fields)
    )


def _is_generated(function: Any) -> bool:
    """True for a method that dataclasses or namedtuple wrote."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename.startswith("<string")
