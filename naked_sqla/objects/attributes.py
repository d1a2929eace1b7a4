"""The attributes of a naked class that are more than a slot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import ColumnProperty, CompositeProperty, RelationshipProperty

from naked_sqla._sqlalchemy import mappings
from naked_sqla.exception import NotLoadedError

if TYPE_CHECKING:
    from sqlalchemy.orm.interfaces import MapperProperty

_MISSING = object()


class NotLoaded:
    """A mapped attribute that the statement did not load: reading it raises.

    Not a data descriptor: a value that the caller sets afterwards is read as usual.
    """

    __slots__ = ("_hint", "_key", "_model")

    def __init__(self, model: type, key: str, prop: MapperProperty[Any]) -> None:
        self._model = model
        self._key = key
        self._hint = prop

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        if obj is None:
            return getattr(self._model, self._key)
        raise NotLoadedError(not_loaded_message(self._model, self._key, self._hint))


class Unset:
    """A ``query_expression()`` that the statement has no expression for: None, as in the ORM."""

    __slots__ = ("_key", "_model")

    def __init__(self, model: type, key: str) -> None:
        self._model = model
        self._key = key

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        return getattr(self._model, self._key) if obj is None else None


def not_loaded_message(model: type, key: str, prop: MapperProperty[Any]) -> str:
    """The text of ``NotLoadedError``: the fact, the attribute, the next step."""
    return (
        f"{model.__name__}.{key} is not loaded: the statement did not load it, and reading an "
        f"attribute never runs SQL. {not_loaded_remedy(model, key, prop)}"
    )


def not_loaded_remedy(model: type, key: str, prop: MapperProperty[Any]) -> str:
    """Say how to load an attribute."""
    name = f"{model.__name__}.{key}"
    if isinstance(prop, CompositeProperty):
        columns = ", ".join(f"{model.__name__}.{part}" for part in mappings.composite_keys(prop))
        return f"Load all of its columns ({columns})."
    if isinstance(prop, ColumnProperty):
        if ("query_expression", True) in prop.strategy_key:
            return f"Give it an expression: .options(with_expression({name}, ...))."
        if prop.deferred:
            return f"Write .options(undefer({name})), or select the column itself."
        return (
            f"Load it with the statement: keep it in load_only(), leave it out of defer(), "
            f"or write .options(undefer({name})); for a column of a subclass select that class."
        )
    if isinstance(prop, RelationshipProperty) and prop.lazy in ("dynamic", "write_only"):
        return (
            f"It is mapped lazy={prop.lazy!r}, which no statement loads. Select the related "
            f"rows with a statement of their own."
        )
    return (
        f"Load it with the statement, .options(selectinload({name})), or for objects in "
        f"hand, session.preload(objects, {name})."
    )


class Untracked:
    """Where SQLAlchemy's instrumentation looks for an object's state: a loaded object has none."""

    __slots__ = ("_model",)

    def __init__(self, model: type) -> None:
        self._model = model

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        # an AttributeError, since that is how SQLAlchemy finds out that an object is not tracked
        fact = f"this {self._model.__name__} was loaded by naked_sqla and is not tracked"
        prop = mappings.relationship_being_set()
        if prop is not None:
            # imported when it is first used, by this error
            from naked_sqla.objects.foreign_keys import foreign_of

            foreign = foreign_of(prop)
            raise AttributeError(f"{fact}, so {foreign.name} can't take it. {foreign.advice}")
        raise AttributeError(
            f"{fact}, so it can't be put into a session, nor into a relationship of an object that "
            f"is constructed, nor be compared with != to a relationship. Use its key: "
            f"parent_id=parent.id, Child.parent_id != parent.id."
        )


class BoundToModel:
    """A class method of the model: called on an instance, its ``cls`` is the model."""

    __slots__ = ("_model", "_name")

    def __init__(self, model: type, name: str) -> None:
        self._model = model
        self._name = name

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        return getattr(self._model, self._name)


class CompositeAttribute:
    """A loaded composite: a plain value; setting it sets its columns too, as SQLAlchemy's does."""

    __slots__ = ("_keys", "_model", "_prop", "_read", "_store")

    def __init__(
        self,
        prop: CompositeProperty[Any],
        model: type,
        read: Callable[[Any], Any],
        store: Callable[[Any, Any], None],
    ) -> None:
        self._prop = prop
        self._model = model
        self._read = read
        self._store = store
        self._keys = mappings.composite_keys(prop)

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        if obj is None:
            return getattr(self._model, self._prop.key)
        return self._read(obj)

    def __set__(self, obj: Any, value: Any) -> None:
        self._store(obj, value)
        parts = [None] * len(self._keys)
        if value is not None:
            parts = list(mappings.composite_values(self._prop, value))
        for key, part in zip(self._keys, parts, strict=True):
            setattr(obj, key, part)


class Variables(dict[str, Any]):
    """The result of ``vars(obj)``: the loaded attributes, and others that were set.

    A copy that writes through, so that ``vars(obj).update(...)`` and ``functools.cached_property``
    work as on any object.

    :param slots: the slots of the object's class, by attribute key.
    :param others: the object's real ``__dict__``.
    """

    __slots__ = ("_others", "_owner", "_slots")

    def __init__(self, obj: Any, slots: Mapping[str, Any], others: dict[str, Any]) -> None:
        self._owner = obj
        self._slots = slots
        self._others = others
        values: dict[str, Any] = {}
        for key, slot in slots.items():
            try:
                values[key] = slot.__get__(obj)
            except AttributeError:
                continue
        values.update(others)
        super().__init__(values)

    def __setitem__(self, key: str, value: Any) -> None:
        slot = self._slots.get(key)
        if slot is None:
            self._others[key] = value
        else:
            slot.__set__(self._owner, value)
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        slot = self._slots.get(key)
        if slot is None:
            del self._others[key]
        else:
            slot.__delete__(self._owner)

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any) -> Variables:  # type: ignore[override,misc]
        self.update(other)
        return self

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        if key not in self:
            if default is _MISSING:
                raise KeyError(key)
            return default
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        key = next(reversed(self), None)
        if key is None:
            raise KeyError("vars() is empty")
        return key, self.pop(key)

    def clear(self) -> None:
        for key in list(self):
            del self[key]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return dict, (dict(self),)
