"""How an object is filled from a row: frozen descriptions, like those of a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from naked_sqla.into.fields import Field, Style, Target
from naked_sqla.read.plan import Cell, Item

__all__ = ("Absent", "Composed", "Filling", "Made", "Record", "Source", "Whole")


@dataclass(frozen=True, slots=True)
class Composed:
    """A value made from several columns: a composite."""

    build: Any
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """A naked object, or a bundle's row.

    :ivar absent: the message when it is None, where None is not allowed.
    """

    item: Item
    absent: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """Objects made from the loaded objects of a relationship."""

    cell: Cell
    make: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Absent:
    """Always None."""


@dataclass(frozen=True, slots=True)
class Filling:
    """A field and its source."""

    field: Field
    source: Source


@dataclass(frozen=True, slots=True)
class Record:
    """An object of a class, with the sources of its fields.

    :ivar style: how it is made: the style of its class, or a more general one.
    :ivar fillings: in the order of the fields, those of columns without a field last.
    :ivar identity: it is None where all of these are NULL (``partial=False``: any); empty: never.
    :ivar absent: the message when it is None, where None is not allowed.
    """

    target: Target
    style: Style
    fillings: tuple[Filling, ...]
    extra: tuple[Filling, ...] = ()
    identity: tuple[Cell, ...] = ()
    partial: bool = True
    absent: str | None = None


Source = Cell | Composed | Whole | Made | Absent | Record
