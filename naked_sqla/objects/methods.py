"""Methods that dataclasses, attrs and pydantic generate, for objects that are loaded in part.

``==``, ``<`` and ``hash()`` use the loaded attributes: they compare two objects that have the same
ones, and raise for others.  ``repr()`` marks the others as not loaded.  A method that was
written by hand stays.
"""

from __future__ import annotations

import dataclasses
import reprlib
import sys
from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet
from typing import Any, NoReturn

from naked_sqla._frozen import Frozen
from naked_sqla.exception import NotLoadedError
from naked_sqla.objects.attributes import NotLoaded, not_loaded_remedy

__all__ = ("methods_of",)

_ORDER = ("__lt__", "__le__", "__gt__", "__ge__")


class _Generated(Frozen):
    """A method that a library wrote for a class.

    :ivar names: the attributes that it reads.
    :ivar of: the same method for some of these.
    """

    names: tuple[str, ...]
    of: Callable[[tuple[str, ...]], Any]


def methods_of(model: Any, unloaded: AbstractSet[str]) -> dict[str, Any]:
    """The methods of a naked class that replace those a library generated for its model.

    :param model: the mapped class.
    :param unloaded: mapped attributes that its objects are loaded without.
    """
    found: dict[str, Any] = {}
    for name in ("__eq__", *_ORDER):
        written = _generated(model, name)
        if written is not None:
            found[name] = _comparison(model, name, written, unloaded)
    written = _generated(model, "__hash__")
    if written is not None and not unloaded.isdisjoint(written.names):
        found["__hash__"] = _hash(model, written)
    elif "__eq__" in found:
        # Python takes it away from a class that has an __eq__ of its own
        found["__hash__"] = model.__hash__
    shown = _shown(model)
    if any(name in unloaded for name, _ in shown):
        found["__repr__"] = _repr(shown)
    return found


# ---------------------------------------------------------------- who wrote a method


def _owner(model: type, name: str) -> Any:
    """The class that a method comes from."""
    return next(base for base in model.__mro__ if name in base.__dict__)


def _is_by_dataclasses(owner: type, method: Any) -> bool:
    code = getattr(getattr(method, "__wrapped__", method), "__code__", None)
    return (
        "__dataclass_fields__" in owner.__dict__
        and code is not None
        and code.co_qualname.startswith("__create_fn__.")
    )


def _is_by_attrs(owner: type, method: Any) -> bool:
    code = getattr(method, "__code__", None)
    return (
        "__attrs_attrs__" in owner.__dict__
        and code is not None
        and (
            code.co_filename.startswith("<attrs generated")
            or method.__globals__.get("__name__") == "attr._make"
        )
    )


def _generated(model: Any, name: str) -> _Generated | None:
    """The attributes of a generated comparison or ``__hash__``; None for one that is left alone."""
    owner = _owner(model, name)
    method = owner.__dict__[name]
    if _is_by_dataclasses(owner, method):
        return _by_dataclasses(owner, name)
    if _is_by_attrs(owner, method):
        return _by_attrs(owner, name)
    pydantic = sys.modules.get("pydantic")
    if name == "__eq__" and pydantic is not None and owner is pydantic.BaseModel:
        # it compares the fields that are set
        return _Generated(tuple(model.model_fields), lambda names: method)
    return None


def _by_dataclasses(owner: Any, name: str) -> _Generated:
    names = tuple(
        field.name
        for field in dataclasses.fields(owner)
        if (field.hash if name == "__hash__" and field.hash is not None else field.compare)
    )

    def of(some: tuple[str, ...]) -> Any:
        return getattr(dataclasses.make_dataclass("Some", some, order=True, unsafe_hash=True), name)

    return _Generated(names, of)


def _by_attrs(owner: Any, name: str) -> _Generated:
    attr: Any = sys.modules["attr"]
    fields = {
        field.name: field
        for field in owner.__attrs_attrs__
        if (
            field.order
            if name in _ORDER
            else field.hash
            if name == "__hash__" and field.hash is not None
            else field.eq
        )
    }

    def of(some: tuple[str, ...]) -> Any:
        kept = {
            key: attr.ib(eq=fields[key].eq_key or True, order=fields[key].order_key or True)
            for key in some
        }
        return getattr(attr.make_class("Some", kept, order=True, unsafe_hash=True), name)

    return _Generated(tuple(fields), of)


# ---------------------------------------------------------------- comparisons


def _missing(obj: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Which of some attributes an object was loaded without; of a loaded object."""
    cls = type(obj)
    variables = cls.__naked__.variables(obj)
    return tuple(
        name
        for name in names
        if isinstance(cls.__dict__.get(name), NotLoaded) and name not in variables
    )


def _without(model: Any, name: str, written: _Generated) -> Callable[[tuple[str, ...]], Any]:
    """Give the method of a model for objects without some attributes."""
    whole = getattr(model, name)
    made: dict[tuple[str, ...], Any] = {(): whole}

    def without(missing: tuple[str, ...]) -> Any:
        found = made.get(missing)
        if found is None:
            some = tuple(name for name in written.names if name not in missing)
            if not some:
                raise NotLoadedError(
                    f"{_named(model, missing[0])} is not loaded, and nothing else that objects of "
                    f"the class are compared by. {_remedy(model, missing[0])}"
                )
            found = made[missing] = written.of(some)
        return found

    return without


def _comparison(
    model: Any, name: str, written: _Generated, unloaded: AbstractSet[str]
) -> Callable[[Any, Any], Any]:
    without = _without(model, name, written)
    names = written.names
    complete = unloaded.isdisjoint(names)
    whole = getattr(model, name)

    def compare(self: Any, other: Any) -> Any:
        if complete and type(other) in (model, type(self)):
            return whole(self, other)
        if other.__class__ is not model:
            return NotImplemented
        missing = _missing(self, names)
        if "__naked__" in type(other).__dict__:
            same = _missing(other, names)
        else:
            # an instance of the ORM: reading a missing attribute would give a default, or load it
            same = tuple(key for key in missing if key not in other.__dict__)
        if same != missing:
            _refuse(model, set(same) ^ set(missing), names)
        return without(missing)(self, other)

    compare.__name__ = name
    return compare


def _refuse(model: Any, unlike: Collection[str], names: tuple[str, ...]) -> NoReturn:
    key = next(name for name in names if name in unlike)
    raise NotLoadedError(
        f"{_named(model, key)} is loaded in only one of the two objects that are compared, and "
        f"{model.__name__} compares it. {_remedy(model, key)}"
    )


def _named(model: Any, key: str) -> str:
    return f"{model.__name__}.{key}"


def _remedy(model: Any, key: str) -> str:
    attribute: Any = getattr(model, key)
    return not_loaded_remedy(model, key, attribute.property)


def _hash(model: Any, written: _Generated) -> Callable[[Any], int]:
    without = _without(model, "__hash__", written)

    def hash_of_loaded(self: Any) -> int:
        found: int = without(_missing(self, written.names))(self)
        return found

    return hash_of_loaded


# ---------------------------------------------------------------- repr


def _shown(model: type) -> list[tuple[str, Callable[[Any], str]]]:
    """The attributes that a generated ``repr()`` shows, and how; none of one written by hand."""
    owner = _owner(model, "__repr__")
    method = owner.__dict__["__repr__"]
    if _is_by_dataclasses(owner, method):
        return [(field.name, repr) for field in dataclasses.fields(owner) if field.repr]
    if _is_by_attrs(owner, method):
        fields: Any = owner.__attrs_attrs__
        return [(f.name, repr if f.repr is True else f.repr) for f in fields if f.repr]
    return []


def _repr(shown: list[tuple[str, Callable[[Any], str]]]) -> Callable[[Any], str]:
    @reprlib.recursive_repr()
    def show(self: Any) -> str:
        parts = []
        for name, text in shown:
            try:
                parts.append(f"{name}={text(getattr(self, name))}")
            except NotLoadedError:
                parts.append(f"{name}=<not loaded>")
        return f"{self.__class__.__qualname__}({', '.join(parts)})"

    return show
