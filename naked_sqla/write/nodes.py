"""New objects and named relationships, as ``insert()`` with relationships sees them."""

from __future__ import annotations

from typing import Any

from naked_sqla._sqlalchemy import mappings
from naked_sqla.exception import InvalidStatement
from naked_sqla.objects.foreign_keys import foreign_of
from naked_sqla.write.between import Between, between_of, relationship_of
from naked_sqla.write.related import related_of
from naked_sqla.write.tables import Written
from naked_sqla.write.values import written_class

__all__ = ("Known", "NewObject", "NotYet", "Step")


class Step:
    """A named relationship.

    :ivar between: its table in between, or None.
    """

    def __init__(self, attribute: Any, call: str) -> None:
        self.prop = prop = relationship_of(attribute, call, "Team.projects")
        self.foreign = foreign_of(prop)
        self.between: Between | None = None
        if prop.viewonly:
            raise InvalidStatement(
                f"{call}(): {self.foreign.name} is viewonly, and stores nothing. Name the "
                f"relationship that it is a view of."
            )
        if prop.secondary is not None:
            self.between = between_of(attribute, call)
        elif not self.foreign.plain:
            raise InvalidStatement(
                f"{call}(): {self.foreign.name} is joined by more than its foreign key, which is "
                f"not taken from it. Write the foreign key, and store each object by itself."
            )


class NotYet:
    """A key that the database has still to make."""

    def __repr__(self) -> str:
        return "a key that is made when it is stored"


class NewObject:
    """A new object.

    :ivar values: what it holds, by attribute.
    :ivar owners: named one-to-many relationships that it is in, each with its owner.
    :ivar stored: the naked object of its row.
    """

    __slots__ = ("mapper", "obj", "owners", "stored", "values", "written")

    def __init__(self, obj: Any) -> None:
        self.obj = obj
        self.written: Written = written_class(type(obj))
        self.mapper = self.written.mapper
        self.values: dict[str, Any] = dict(vars(obj))
        state = self.values.pop(mappings.INSTANCE_STATE, None)
        related = related_of(self.written)
        for key in related.unread.intersection(self.values) if related is not None else ():
            self.values[key] = state.attrs[key].history.added
        self.owners: dict[Step, NewObject] = {}
        self.stored: Any = None

    def get(self, key: str) -> Any:
        """The value of an attribute, as far as it is known before the object is stored."""
        value = self.values.get(key)
        return NotYet() if value is None else value


class Known(dict[str, Any]):
    """What is known of an object before it is stored."""

    def __init__(self, node: NewObject) -> None:
        super().__init__(node.values)
        self._node = node

    def get(self, key: str, default: Any = None) -> Any:
        return self._node.get(key)
