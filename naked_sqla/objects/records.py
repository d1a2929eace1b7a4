"""Records: the values of a loaded object, where nobody asks for the mapped object itself.

A record has the loaded attributes of a mapped class and nothing else of it: it is not an instance
of it, and none of its code runs when one is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from naked_sqla.objects.attributes import NotLoaded
from naked_sqla.objects.naked import NakedClass, is_loadable

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = ("RecordClass",)


class RecordClass(NakedClass):
    """The class of records, described as naked classes are: what loads them need not tell them
    apart."""

    __slots__ = ()

    def __init__(
        self, mapper: Mapper[Any], loaded: tuple[str, ...], unset: tuple[str, ...] = ()
    ) -> None:
        self.model = mapper.class_
        self.loaded = loaded
        self.unset = unset
        self.plain = all(key.isidentifier() and not key.startswith("__") for key in loaded)
        in_slots = loaded if self.plain else ()
        # what a further statement adds for a subclass has no slot
        namespace: dict[str, Any] = {
            "__slots__": (*in_slots, "__dict__"),
            "__naked__": self,
            **dict.fromkeys(unset),
        }
        for attribute in mapper.attrs:
            if attribute.key not in (*loaded, *unset) and is_loadable(attribute):
                namespace[attribute.key] = NotLoaded(self.model, attribute.key, attribute)
        self.cls = type(f"{self.model.__name__}Record", (), namespace)
        self.variables = self.cls.__dict__["__dict__"].__get__
        self.make = type.__call__.__get__(self.cls)
        self.slots = {key: self.cls.__dict__[key] for key in in_slots}
