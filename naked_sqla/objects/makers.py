"""Empty instances of naked classes, made as the ORM makes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ("maker_of",)


def maker_of(model: Any, cls: Any, loaded: tuple[str, ...]) -> Callable[[], Any]:
    """The function that makes an empty instance of a naked class."""
    if model.__new__.__module__ == "sqlmodel.main":
        return _sqlmodel_maker(model, cls, loaded)
    if model.__new__ is not object.__new__:
        # the ORM calls the model's own __new__ too
        return partial(model.__new__, cls)
    # of all ways to make an object the one without an argument tuple
    make: Callable[[], Any] = type.__call__.__get__(cls)
    return make


def _sqlmodel_maker(model: Any, cls: Any, loaded: tuple[str, ...]) -> Callable[[], Any]:
    """Do the work of SQLModel's own ``__new__``, three times as fast.

    It leaves an object with no field set, whose dump with ``exclude_unset`` is empty; here the
    fields that were loaded are set.  The objects share the set, and setting a field replaces it.
    """
    fields = {key for key in loaded if key in model.model_fields}
    new = object.__new__
    set_fields = model.__pydantic_fields_set__.__set__
    set_extra = model.__pydantic_extra__.__set__
    set_private = model.__pydantic_private__.__set__

    def make() -> Any:
        obj = new(cls)
        set_fields(obj, fields)
        set_extra(obj, None)
        set_private(obj, None)
        return obj

    return make
