"""The source that makes one object from the expressions of its fields, one way for each style."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from naked_sqla.into.fields import Default, Style
from naked_sqla.into.filling import Record
from naked_sqla.read.printing import Printer

__all__ = ("Parts", "is_plain", "made")


@dataclass(frozen=True, slots=True)
class Parts:
    """An object to be made.

    :ivar values: field -> expression, for those that are filled.
    :ivar extra: keyword and expression of columns that have no field.
    :ivar body: the lines before; more are added to it.
    """

    record: Record
    values: dict[str, str]
    extra: list[tuple[str, str]]
    body: list[str]

    @property
    def cls(self) -> Any:
        """The class of the object."""
        return self.record.target.cls

    def named(self) -> list[tuple[str, str]]:
        """Keyword and expression of all that is filled."""
        filled = [(f.field.keyword, self.values[f.field.name]) for f in self.record.fillings]
        return [*filled, *self.extra]


def made(printer: Printer, parts: Parts) -> str:
    """Print the lines before an object; return the expression for the object."""
    return _STYLES[parts.record.style](printer, parts)


def _call(printer: Printer, parts: Parts) -> str:
    by_position: list[str] = []
    by_name: list[tuple[str, str]] = []
    gap = False
    for field in parts.record.target.fields:
        value = parts.values.get(field.name)
        if value is None and field.default is not None:
            # it can only be passed by position, and later fields may be filled
            value = _default(printer, field.default)
        if value is None:
            gap = True
        elif field.positional and not gap:
            by_position.append(value)
        else:
            by_name.append((field.keyword, value))
    arguments = [*by_position, _keywords([*by_name, *parts.extra])]
    return f"{printer.bind('cls', parts.cls)}({', '.join(filter(None, arguments))})"


def _dict(printer: Printer, parts: Parts) -> str:
    return _literal(parts.named())


def _tuple(printer: Printer, parts: Parts) -> str:
    new, cls = printer.bind("new", tuple.__new__), printer.bind("cls", parts.cls)
    items = (
        parts.values.get(field.name) or _default(printer, field.default)
        for field in parts.record.target.fields
    )
    return f"{new}({cls}, ({', '.join(items)},))"


def _store(printer: Printer, parts: Parts) -> str:
    name = _empty(printer, parts)
    for field in parts.record.target.fields:
        value = parts.values[field.name]
        if is_plain(field.name):
            parts.body.append(f"{name}.{field.name} = {value}")
        else:
            parts.body.append(
                f"{printer.bind('setattr', setattr)}({name}, {field.name!r}, {value})"
            )
    return name


def _slots(printer: Printer, parts: Parts) -> str:
    name = _empty(printer, parts)
    for field in parts.record.target.fields:
        store = printer.bind("set", getattr(parts.cls, field.name).__set__)
        parts.body.append(f"{store}({name}, {parts.values[field.name]})")
    return name


def _variables(printer: Printer, parts: Parts) -> str:
    name, held = _with_variables(printer, parts)
    for field in parts.record.target.fields:
        parts.body.append(f"{held}[{field.name!r}] = {parts.values[field.name]}")
    return name


def _validate(printer: Printer, parts: Parts) -> str:
    cls = printer.bind("cls", parts.cls)
    validate = f"validate_{cls}"
    # read for each batch of rows, since model_rebuild() makes another
    line = f"{validate} = {cls}.__pydantic_validator__.validate_python"
    if line not in printer.prologue:
        printer.prologue.append(line)
    return f"{validate}({_literal(parts.named())})"


def _construct(printer: Printer, parts: Parts) -> str:
    """Print the work of ``BaseModel.model_construct()``, for the fields at hand."""
    cls = parts.cls
    name, held = _with_variables(printer, parts)
    for field in parts.record.target.fields:
        value = parts.values.get(field.name) or _default(printer, field.default, held)
        parts.body.append(f"{held}[{field.name!r}] = {value}")
    takes_any = parts.record.target.extras == "take"
    for slot, value in (
        ("__pydantic_fields_set__", f"{printer.bind('filled', set(parts.values))}.copy()"),
        ("__pydantic_extra__", _literal(parts.extra) if takes_any else "None"),
        ("__pydantic_private__", "None"),
    ):
        store = printer.bind("set", getattr(cls, slot).__set__)
        parts.body.append(f"{store}({name}, {value})")
    if cls.__pydantic_post_init__:
        parts.body.append(f"{name}.model_post_init(None)")
    return name


def _model_construct(printer: Printer, parts: Parts) -> str:
    filled = [(f.field.name, parts.values[f.field.name]) for f in parts.record.fillings]
    arguments = _keywords([*filled, *parts.extra])
    return f"{printer.bind('cls', parts.cls)}.model_construct({arguments})"


_STYLES: dict[Style, Callable[[Printer, Parts], str]] = {
    Style.CALL: _call,
    Style.STORE: _store,
    Style.SLOTS: _slots,
    Style.VARIABLES: _variables,
    Style.TUPLE: _tuple,
    Style.DICT: _dict,
    Style.VALIDATE: _validate,
    Style.CONSTRUCT: _construct,
    Style.MODEL_CONSTRUCT: _model_construct,
}


def _empty(printer: Printer, parts: Parts) -> str:
    name = printer.temporary("e")
    # without an argument to pass it is called faster
    make = printer.bind("make", partial(object.__new__, parts.cls))
    parts.body.append(f"{name} = {make}()")
    return name


def _with_variables(printer: Printer, parts: Parts) -> tuple[str, str]:
    name, held = _empty(printer, parts), printer.temporary("d")
    parts.body.append(f"{held} = {name}.__dict__")
    return name, held


def _default(printer: Printer, default: Default | None, data: str = "") -> str:
    if default is None or (default.make is None and default.value is None):
        return "None"
    if default.make is None:
        return printer.bind("default", default.value)
    return f"{printer.bind('default', default.make)}({data if default.takes_data else ''})"


def is_plain(name: str) -> bool:
    """True for a name that may stand after a dot in source."""
    # Python folds look-alike letters in source
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)


def _literal(items: Iterable[tuple[str, str]]) -> str:
    return f"{{{', '.join(f'{key!r}: {value}' for key, value in items)}}}"


def _keywords(items: Iterable[tuple[str, str]]) -> str:
    plain: list[str] = []
    other: list[tuple[str, str]] = []
    for key, value in items:
        if is_plain(key):
            plain.append(f"{key}={value}")
        else:
            other.append((key, value))
    return ", ".join([*plain, *([f"**{_literal(other)}"] if other else [])])
