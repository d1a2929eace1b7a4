"""A class to fill: its fields, the column names that fill them, and how an object is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

__all__ = ("Default", "Extras", "Field", "Form", "Style", "Target")

# the fate of a column that has no field
Extras = Literal["refuse", "ignore", "take"]


class Style(Enum):
    """How an object of a class is made from its values."""

    CALL = "call the class"
    STORE = "store the attributes of an empty object, as the generated __init__ does"
    SLOTS = "the same, past the __setattr__ that freezes the class"
    VARIABLES = "the same, in the object's __dict__"
    TUPLE = "a tuple of this class"
    DICT = "a dictionary"
    VALIDATE = "let pydantic validate a dictionary"
    CONSTRUCT = "what pydantic's model_construct() does"
    MODEL_CONSTRUCT = "model_construct(), which the class has of its own"


@dataclass(frozen=True, slots=True)
class Default:
    """The value of a field that no column fills, where the class does not set it itself.

    :ivar make: makes the value; None when it is always :attr:`value`.
    :ivar takes_data: :attr:`make` is called with the values before it.
    """

    value: Any = None
    make: Callable[..., Any] | None = None
    takes_data: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a class.

    :ivar name: as the author of the class calls it.
    :ivar keyword: as the constructor calls it.
    :ivar names: the columns it can be filled from; more than one where it has aliases.
    :ivar annotation: its type; :data:`typing.Any` where there is none.
    :ivar required: it has no default.
    :ivar positional: the constructor takes it by position.
    """

    name: str
    keyword: str
    names: tuple[str, ...]
    annotation: Any = Any
    required: bool = True
    positional: bool = False
    default: Default | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A class to be filled.

    :ivar cls: the class itself.
    :ivar shown: its name, for messages.
    :ivar extras: the fate of a column that has no field.
    :ivar quiet: names of columns that are dropped without an error.
    :ivar unfillable: fields that no column can fill, and why.
    """

    cls: Any
    shown: str
    style: Style
    fields: tuple[Field, ...]
    extras: Extras = "refuse"
    quiet: frozenset[str] = frozenset()
    unfillable: tuple[tuple[str, str], ...] = ()

    def named(self, name: str) -> tuple[Field, ...]:
        """The fields that a column of a name fills."""
        return tuple(field for field in self.fields if name in field.names)


class Form:
    """A use of a class other than its objects: what becomes of rows instead.

    It is passed where a class is, and compares by value.
    """

    @property
    def cls(self) -> Any:
        """The class itself."""
        raise NotImplementedError

    def matcher(self, kind: Any) -> Any:
        """The class that matches rows, for one that matches them with objects."""
        return kind

    def finished(self, objects: list[Any]) -> list[Any]:
        """What comes of filled objects."""
        return objects
