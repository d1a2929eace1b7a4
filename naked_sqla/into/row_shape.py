"""The shape of a statement's rows, by name: columns, entities, bundles.

``row_reader.py`` reads it from a statement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from naked_sqla.read.plan import Cell, Item

__all__ = ("Column", "Computed", "EntityName", "RowItem", "RowShape", "Structure")


@dataclass(frozen=True, slots=True)
class Column:
    """A value of the row.

    :ivar names: the names of fields that it may fill, best first.
    :ivar shown: its name in messages.
    :ivar cell: None for a value that is always None.
    :ivar implied: it is loaded with its entity though the statement did not ask for it.
    :ivar expression: the column of the statement, where it is known.
    """

    names: tuple[str, ...]
    shown: str
    cell: Cell | None
    implied: bool = False
    expression: Any = None


@dataclass(frozen=True, slots=True)
class Computed:
    """A composite: a value made from several columns of the same entity."""

    name: str
    build: Callable[..., Any]
    parts: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class EntityName:
    """A name of an entity: a field of this name takes it as a nested object.

    :ivar rank: how sure the name is: 0 its own, 1 a relationship it was joined by, 2 the only
        relationship that leads to it.
    :ivar parent: for a relationship: the entity that has it.
    """

    name: str
    rank: int = 0
    parent: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """Several values that belong together: an entity or a bundle.

    :ivar item: the whole as one object: a naked object, a bundle's row.
    :ivar model: the mapped class, or None for a bundle.
    :ivar identity: where all of it is NULL there is no object; empty: there always is.
    :ivar spreads: where no field takes it, its columns fill fields of their own.
    :ivar below: relationships loaded with it, entities in a bundle.
    """

    shown: str
    names: tuple[EntityName, ...]
    item: Item
    model: type | None
    entity: Any
    columns: tuple[Column, ...]
    computed: tuple[Computed, ...] = ()
    below: tuple[Structure, ...] = ()
    identity: tuple[Cell, ...] = ()
    partial: bool = True
    spreads: bool = True


RowItem = Column | Structure


@dataclass(frozen=True, slots=True)
class RowShape:
    """The items of a row.

    :ivar width: the number of columns of a driver's row.
    :ivar joins: several tables are joined: an entity may be missing in a row.
    :ivar sure: the tables that are in each row, see ``sure_tables()``; None: all of them.
    """

    width: int
    items: tuple[RowItem, ...]
    joins: bool = True
    sure: frozenset[int] | None = frozenset()
