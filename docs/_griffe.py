"""What mkdocstrings reads: docstrings in full, and overloads without their doubles."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

import griffe

from tools.explained import explained


class Reference(griffe.Extension):
    """Explain each parameter, and list each error, of all functions of the package."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        everything = list(_within(pkg))
        methods = {
            item.name: inspect.cleandoc(item.docstring.value)
            for item in everything
            if item.docstring is not None
            and item.is_function
            and item.parent.is_class
            and item.path.startswith("naked_sqla.sessions._async")
        }
        for item in everything:
            if item.is_function:
                item.overloads = [*filter(_is_of_sqlalchemy_2_1, item.overloads or ())] or None
                for one in (item, *(item.overloads or ())):
                    _print_plainly(one)
            if item.docstring is not None:
                doc = inspect.cleandoc(item.docstring.value)
                doc = explained(doc, _names(item), methods.get).printed()
                # reST's mark of a block of code; for Markdown the indentation is enough
                item.docstring.value = re.sub(r"::$", ":", doc, flags=re.MULTILINE)


def _within(owner: Any) -> Iterator[Any]:
    """All classes and functions of a module."""
    for member in owner.members.values():
        if member.is_alias:
            continue
        if member.is_function or member.is_class:
            yield member
        if member.is_class or member.is_module:
            yield from _within(member)


def _names(item: Any) -> list[str]:
    """The parameters of a function, or of a class's constructor, those of all overloads."""
    if item.is_class:
        item = item.members.get("__init__")
        if item is None or item.is_alias or item.docstring is not None:
            return []
    # where there are overloads, the function behind them is not shown
    names = [parameter.name for one in item.overloads or [item] for parameter in one.parameters]
    return [name.lstrip("*") for name in dict.fromkeys(names) if name not in ("self", "cls")]


def _is_of_sqlalchemy_2_1(overload: Any) -> bool:
    """SQLAlchemy 2.0 has a signature of its own: Result[tuple[int, str]] for Result[int, str]."""
    return "TupleRows" not in str(next(iter(overload.parameters)).annotation)


def _print_plainly(function: Any) -> None:
    for expression in (function.returns, *(one.annotation for one in function.parameters)):
        _without_comma(expression)


def _without_comma(expression: Any) -> None:
    """Have ``Result[*tuple[T, *Ts]]`` printed as it is written, without a comma at its end."""
    if isinstance(expression, list | tuple):
        for each in expression:
            _without_comma(each)
    elif isinstance(expression, griffe.Expr):
        part = getattr(expression, "slice", None)
        if isinstance(part, griffe.ExprTuple) and len(part.elements) == 1:
            expression.slice = part.elements[0]
        for field in dataclasses.fields(expression):
            if field.name != "parent":
                _without_comma(getattr(expression, field.name))
