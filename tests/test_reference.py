"""The reference has all that is public, and explains each parameter of each overload."""

from __future__ import annotations

import builtins
import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest
import sqlalchemy.exc
import starlette.exceptions

import naked_sqla
from naked_sqla import AsyncSession, AsyncSessionFactory, Session, SessionFactory, observers, view
from naked_sqla import exception as errors
from naked_sqla import testing as helpers
from naked_sqla.ext import fastapi, opentelemetry
from naked_sqla.sessions._async.batch_loader import BatchLoader
from tools.explained import explained

from ._pages import DOCS

MODULES = (naked_sqla, fastapi, opentelemetry, helpers, observers, view, errors)
ENTRIES = re.findall(
    r"^::: naked_sqla\.(\S+)(?:\n    options:\n((?:      .*\n)*))?",
    "\n".join(page.read_text(encoding="utf-8") for page in DOCS.glob("reference/*.md")) + "\n",
    re.MULTILINE,
)


def methods(kind: type) -> dict[str, Any]:
    """The public methods and properties of a class."""
    return {
        name: method
        for name, method in inspect.getmembers(kind)
        if not name.startswith("_") and (callable(method) or isinstance(method, property))
    }


METHODS: dict[str, Any] = {**methods(AsyncSession), **methods(AsyncSessionFactory)}


def functions() -> Iterator[tuple[str, Any]]:
    """All public functions and methods that the reference explains, and the constructors."""
    for kind in (AsyncSession, AsyncSessionFactory, Session, SessionFactory, BatchLoader):
        for name, method in methods(kind).items():
            if not isinstance(method, property):
                yield f"{kind.__name__}.{name}", method
    for module in MODULES:
        for name in module.__all__:
            found = getattr(module, name)
            if inspect.isfunction(found):
                yield f"{module.__name__}.{name}", found
    for kind in (AsyncSession, AsyncSessionFactory, Session, SessionFactory, fastapi.PageParams):
        yield kind.__name__, kind
    for kind in (fastapi.CursorParams, view.CreateView, view.DropView):
        yield kind.__name__, kind
    yield "RefreshMaterializedView", view.RefreshMaterializedView


FUNCTIONS = dict(functions())


def names_of(function: Any) -> list[str]:
    """The parameters of a function; of its overloads, where it has some."""
    init = function.__init__ if inspect.isclass(function) else inspect.unwrap(function)
    found: dict[str, None] = {}
    for each in typing.get_overloads(init) or [init]:
        found |= dict.fromkeys(inspect.signature(each).parameters)
    return [name for name in found if name not in ("self", "cls")]


def test_each_parameter_is_explained() -> None:
    of = {name: inspect.getdoc(method) for name, method in METHODS.items()}
    for function, found in FUNCTIONS.items():
        doc = inspect.getdoc(found)
        assert doc, function
        names = names_of(found)
        said = explained(doc, names, of.get)
        assert [each for each in names if not said.parameters.get(each)] == [], function
        # nor one that it does not take
        assert set(said.parameters) <= {*names, "cls"}, function
        assert "rrors as in" not in said.text, function


def test_each_error_has_a_name() -> None:
    known = (errors, builtins, sqlalchemy.exc, starlette.exceptions, pydantic)
    for function, found in FUNCTIONS.items():
        for error in re.findall(r"^:raises (\w+):", inspect.getdoc(found) or "", re.MULTILINE):
            assert any(hasattr(module, error) for module in known), (function, error)


def test_what_is_said_elsewhere_stands_in_full() -> None:
    said = explained(
        "One.\n\nMore; arguments and errors as in :meth:`execute`.",
        ["statement", "parameters"],
        {"execute": "Run.\n\n:param parameters: a\n    list.\n:raises TypeError: why."}.get,
    )
    assert said.text == "One.\n\nMore."
    assert said.parameters == {"statement": "the statement to run.", "parameters": "a list."}
    assert said.printed().endswith(":raises TypeError: why.")
    with pytest.raises(LookupError, match="no such method"):
        explained("Errors as in :meth:`nowhere`.", [], {}.get)


def test_the_reference_has_all_that_is_public() -> None:
    shown: set[str] = set()
    for path, options in ENTRIES:
        members = re.findall(r"^        - (\w+)$", options, re.MULTILINE)
        shown |= {path, *(f"{path}.{member}" for member in members)}
    for name in naked_sqla.__all__:
        assert name in shown, name
    for module in (fastapi, helpers):
        path = module.__name__.partition(".")[2]
        assert {f"{path}.{name}" for name in module.__all__} <= shown
    assert "observers" in shown
    listed = {name.rpartition(".")[2] for name in shown if name.startswith("Async")}
    assert set(METHODS) - listed == set()
