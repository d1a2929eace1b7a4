"""Naked classes: the classes of the objects in a result.

For a mapped class and a set of loaded attributes there is one *naked class*: a subclass that
SQLAlchemy's instrumentation does not know, whose instances keep the loaded attributes in slots and
whose other mapped attributes raise :class:`~naked_sqla.exception.NotLoadedError`.  ``__class__``
answers with the mapped class, so that ``isinstance``, ``==``, ``repr`` and ``dataclasses`` see it.

Building one runs no code of the application: ``type.__new__`` is called directly (no metaclass
code), and :class:`Naked` stands first among the bases, so that its ``__init_subclass__`` is the one
that is found.
"""

from __future__ import annotations

import abc
import threading
import types
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.orm import ColumnProperty, CompositeProperty, RelationshipProperty

from naked_sqla._sqlalchemy import mappings
from naked_sqla.objects.attributes import (
    BoundToModel,
    CompositeAttribute,
    NotLoaded,
    Unset,
    Untracked,
    Variables,
)
from naked_sqla.objects.classes import refuse_reserved
from naked_sqla.objects.makers import maker_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = ("Naked", "NakedClass", "description_of", "is_loadable", "naked_class")


class Naked:
    """The first base of every naked class; ``isinstance(obj, Naked)`` tells a loaded object."""

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Do nothing: the mapped class's own hook must not see a naked class."""


def _state_of(obj: Any) -> Any:
    """The result of ``inspect(obj)``: the state of a detached twin, made for this call.

    It lets statements compare with loaded objects: ``Post.author == user``, ``with_parent()``.
    """
    return mappings.state_of(mappings.detached(description_of(type(obj)).model, vars(obj)))


# here, and not where objects are converted: a module that nobody may have imported
mappings.register_inspection(Naked, _state_of)


class NakedType(type):
    """The metaclass of naked classes: calling one makes an instance of the mapped class."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Do nothing: the metaclass of the mapped class must not see its twin."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return description_of(cls).model(*args, **kwargs)


class NakedClass:
    """A naked class and how its instances are made.

    :ivar cls: the class itself.
    :ivar model: the mapped class.
    :ivar loaded: keys of the attributes that are loaded, in the order of their slots.
    :ivar unset: keys of query expressions that the statement has no expression for: they are None.
    :ivar make: gives an empty instance: no attribute is set yet.
    :ivar plain: True when ``obj.key = value`` is nothing but a slot store.
    :ivar variables: the real ``__dict__`` of an instance.
    """

    __slots__ = (
        "__weakref__",
        "cls",
        "loaded",
        "make",
        "model",
        "plain",
        "slots",
        "unset",
        "variables",
    )

    def __init__(
        self, mapper: Mapper[Any], loaded: tuple[str, ...], unset: tuple[str, ...] = ()
    ) -> None:
        model: Any = mapper.class_
        self.model: type = model
        self.loaded = loaded
        self.unset = unset
        self.variables = _dict_getter(model)
        in_slots = _can_have_slots(model, loaded)
        self.plain = in_slots and model.__setattr__ is object.__setattr__
        self.slots: dict[str, Any] = {}
        namespace = _namespace(mapper, self, in_slots)
        self.cls = _new_type(model, namespace)
        self.make: Callable[[], Any] = maker_of(model, self.cls, loaded)
        if in_slots:
            self.slots = {key: self.cls.__dict__[key] for key in loaded}
        _add_composites(mapper, self)
        # the class keeps its description: an instance alone keeps both alive
        type.__setattr__(self.cls, "__naked__", self)

    def getter(self, key: str) -> Callable[[Any], Any]:
        """A function that reads a loaded attribute where :meth:`setter` stores it."""
        if key in self.slots:
            read: Callable[[Any], Any] = self.slots[key].__get__
            return read
        variables = self.variables
        return lambda obj: variables(obj)[key]

    def setter(self, key: str) -> Callable[[Any, Any], None]:
        """A function that stores a loaded attribute, past any ``__setattr__`` of the model."""
        if key in self.slots:
            store: Callable[[Any, Any], None] = self.slots[key].__set__
            return store
        variables = self.variables

        def store_in_dict(obj: Any, value: Any) -> None:
            variables(obj)[key] = value

        return store_in_dict

    def has(self, key: str) -> bool:
        """True when instances were loaded with this attribute."""
        return key in self.loaded


def description_of(cls: type) -> NakedClass:
    """The description of a naked class.

    :raises TypeError: for any other class.
    """
    found: NakedClass | None = cls.__dict__.get("__naked__")
    if found is None:
        raise TypeError(
            f"{cls.__name__} is not the class of an object that naked_sqla has loaded. Pass "
            f"objects from a result."
        )
    return found


_lock = threading.Lock()
_classes: weakref.WeakKeyDictionary[Any, weakref.WeakValueDictionary[Any, NakedClass]]
_classes = weakref.WeakKeyDictionary()


def naked_class(
    mapper: Mapper[Any],
    loaded: tuple[str, ...],
    unset: tuple[str, ...] = (),
    kind: type[NakedClass] = NakedClass,
) -> NakedClass:
    """The naked class of a mapped class for a set of loaded attributes; made once.

    :param mapper: the mapper of the class.
    :param loaded: keys of the loaded attributes, composites included.
    :param unset: keys of query expressions that are None.
    :param kind: of class.
    :raises InvalidStatement: for a class that maps an attribute of a name that is not free.
    """
    with _lock:
        by_keys = _classes.get(mapper)
        if by_keys is None:
            by_keys = _classes[mapper] = weakref.WeakValueDictionary()
        found = by_keys.get((kind, loaded, unset))
        if found is None:
            refuse_reserved(mapper.class_)
            found = by_keys[kind, loaded, unset] = kind(mapper, loaded, unset)
        return found


def restore(model: type, loaded: tuple[str, ...], unset: tuple[str, ...] = ()) -> Any:
    """Make an empty loaded object, which ``pickle`` and ``copy`` then fill."""
    return naked_class(inspect(model), loaded, unset).make()


def _dict_getter(model: Any) -> Callable[[Any], dict[str, Any]]:
    for base in model.__mro__:
        found = base.__dict__.get("__dict__")
        if isinstance(found, types.GetSetDescriptorType):
            return found.__get__
    # SQLAlchemy does not map a class whose instances have no __dict__
    raise TypeError(f"{model.__qualname__} has no instance __dict__: it can't be a mapped class")


def _can_have_slots(model: Any, loaded: tuple[str, ...]) -> bool:
    """False for classes that keep their values in ``__dict__`` themselves (pydantic's, SQLModel's),
    and for attribute names that a slot can't have."""
    return not hasattr(model, "__pydantic_fields_set__") and all(
        key.isidentifier() and not key.startswith("__") for key in loaded
    )


_metaclasses: weakref.WeakKeyDictionary[type, Any] = weakref.WeakKeyDictionary()


def _metaclass(of_model: Any) -> Any:
    if of_model is type:
        return NakedType
    found = _metaclasses.get(of_model)
    if found is None:
        bases = (NakedType, of_model)
        found = type.__new__(type(of_model), of_model.__name__, bases, {})
        _metaclasses[of_model] = found
    return found


def _new_type(model: type, namespace: dict[str, Any]) -> type:
    metaclass = _metaclass(type(model))
    # an ABC keeps its isinstance() caches per class: sharing the model's would poison them
    make = abc.ABCMeta.__new__ if issubclass(metaclass, abc.ABCMeta) else type.__new__
    cls: type = make(metaclass, model.__name__, (Naked, model), namespace)
    return cls


def _namespace(mapper: Mapper[Any], naked: NakedClass, in_slots: bool) -> dict[str, Any]:
    model: Any = naked.model
    loaded = naked.loaded
    key, manager = mappings.class_manager_item(mapper)
    namespace: dict[str, Any] = {
        "__module__": model.__module__,
        "__qualname__": model.__qualname__,
        "__doc__": model.__doc__,
        "__slots__": loaded if in_slots else (),
        "__class__": property(lambda self: model),
        # select(type(obj)) and class-level SQLAlchemy helpers see the model's mapping
        key: manager,
        "_sa_instance_state": Untracked(model),
    }
    for attribute in mapper.attrs:
        if attribute.key in naked.unset:
            namespace[attribute.key] = Unset(model, attribute.key)
        elif attribute.key not in loaded and is_loadable(attribute):
            namespace[attribute.key] = NotLoaded(model, attribute.key, attribute)
    for name in _classmethods(model) - namespace.keys() - set(loaded):
        namespace[name] = BoundToModel(model, name)
    if in_slots:
        namespace["__dict__"] = property(
            lambda self: Variables(self, naked.slots, naked.variables(self))
        )
    else:
        for attribute in mapper.attrs:
            if attribute.key in loaded:
                # not a data descriptor, so the value in __dict__ comes first
                namespace[attribute.key] = NotLoaded(model, attribute.key, attribute)
        namespace["__setattr__"] = _untracked_setattr(model, naked, set(mapper.attrs.keys()))
    if model.__new__ is object.__new__:
        namespace["__new__"], namespace["__init__"] = object.__new__, object.__init__
    unloaded = {key for key, value in namespace.items() if isinstance(value, NotLoaded)}
    # imported when it is first used, with the first class
    from naked_sqla.objects.methods import methods_of

    namespace |= methods_of(model, unloaded)
    if model.__reduce_ex__ is object.__reduce_ex__ and model.__reduce__ is object.__reduce__:
        namespace["__reduce_ex__"] = lambda self, protocol: _reduce(self, naked)
        if not hasattr(model, "__setstate__"):
            namespace["__setstate__"] = lambda self, state: _set_state(self, naked, state)
    return namespace


def is_loadable(attribute: Any) -> bool:
    """True for an attribute that a statement can load; a synonym reads another attribute."""
    if isinstance(attribute, ColumnProperty):
        return attribute.instrument
    return isinstance(attribute, RelationshipProperty | CompositeProperty)


def _classmethods(model: type) -> set[str]:
    return {
        name
        for base in model.__mro__[:-1]
        for name, value in base.__dict__.items()
        if isinstance(value, classmethod) and not (name.startswith("__") and name.endswith("__"))
    }


def _add_composites(mapper: Mapper[Any], naked: NakedClass) -> None:
    for prop in mapper.composites:
        if prop.key in naked.loaded:
            read, store = naked.getter(prop.key), naked.setter(prop.key)
            attribute = CompositeAttribute(prop, naked.model, read, store)
            type.__setattr__(naked.cls, prop.key, attribute)


def _untracked_setattr(
    model: Any, naked: NakedClass, mapped: set[str]
) -> Callable[[Any, str, Any], None]:
    fields = getattr(model, "model_fields", {})

    def set_plainly(self: Any, name: str, value: Any) -> None:
        if name not in mapped:
            model.__setattr__(self, name, value)
            return
        naked.variables(self)[name] = value
        # pydantic's exclude_unset reads it
        fields_set = getattr(self, "__pydantic_fields_set__", None)
        if fields_set is not None and name in fields and name not in fields_set:
            # a new set: objects of one result share theirs
            object.__setattr__(self, "__pydantic_fields_set__", fields_set | {name})

    return set_plainly


def _reduce(obj: Any, naked: NakedClass) -> tuple[Any, ...]:
    cls: Any = type(obj)
    if cls.__getstate__ is not object.__getstate__:
        state: Any = obj.__getstate__()
    else:
        slots = {key: slot.__get__(obj) for key, slot in naked.slots.items() if _is_set(slot, obj)}
        state = (dict(naked.variables(obj)) or None, slots)
    return restore, (naked.model, naked.loaded, naked.unset), state


def _set_state(obj: Any, naked: NakedClass, state: tuple[dict[str, Any] | None, Any]) -> None:
    """Put the state of :func:`_reduce` into an empty object, past descriptors and properties."""
    others, slots = state
    for key, value in slots.items():
        naked.slots[key].__set__(obj, value)
    if others:
        naked.variables(obj).update(others)


def _is_set(slot: Any, obj: Any) -> bool:
    try:
        slot.__get__(obj)
    except AttributeError:
        return False
    return True
