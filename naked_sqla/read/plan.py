"""The meaning of a row: immutable descriptions, made from a statement, testable without a database.

A :class:`Plan` says for each item of a result row what it is and from which columns of the driver's
row it is built.  Positions count the columns of the driver's row from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from naked_sqla._frozen import Frozen

if TYPE_CHECKING:
    from naked_sqla.objects.collections import Collection
    from naked_sqla.objects.naked import NakedClass

__all__ = (
    "Attribute",
    "Cell",
    "Composite",
    "Constant",
    "Entity",
    "Group",
    "Item",
    "Joined",
    "Later",
    "LaterClass",
    "Plan",
    "Polymorphic",
    "Value",
    "Variant",
)


class Cell(Frozen):
    """One column of the driver's row.

    :ivar index: its position.
    :ivar convert: the result processor of its type, or None when the driver's value is the value.
    """

    index: int
    convert: Callable[[Any], Any] | None = None


class Attribute(Frozen):
    """A column attribute of an entity.

    :ivar coerce: wraps the value, called with key and value when it is not None (``Mutable``).
    """

    key: str
    cell: Cell
    coerce: Callable[[str, Any], Any] | None = None


class Composite(Frozen):
    """A composite attribute, built from the values of column attributes, in their order."""

    key: str
    parts: tuple[str, ...]
    build: Callable[..., Any]


class Joined(Frozen):
    """A relationship whose objects stand in the same row.

    :ivar collection: None for a to-one relationship.
    """

    key: str
    target: Entity | Polymorphic
    collection: Collection | None = None


class Later(Frozen, unhashed=("path", "option", "target")):
    """A relationship that a further statement loads, for all objects of a result together.

    :ivar prop: the relationship.
    :ivar path: where options for it are found, within its statement.
    :ivar option: the loader option that asks for it, or None when the mapping does.
    :ivar target: the mapper, or the alias of an ``of_type()``, that is selected.
    :ivar depth: for ``recursion_depth``: how many levels are left, this one included; -1: all.
    :ivar by: as which of the ORM's ways of loading it behaves.
    """

    prop: Any
    path: Any
    option: Any
    target: Any
    collection: Collection | None = None
    depth: int | None = None
    by: Literal["selectin", "subquery", "immediate"] = "immediate"

    @property
    def key(self) -> str:
        """The attribute that is set."""
        return str(self.prop.key)


class LaterClass(Frozen, unhashed=("path",)):
    """The columns of a subclass, which a further statement loads.

    :ivar entity: the mapper of the subclass, or an alias of it.
    :ivar asked: the mapper of the entity that the statement selects.
    :ivar path: of that entity within its statement.
    """

    entity: Any
    asked: Any
    path: Any


class Entity(Frozen):
    """An object of one class.

    :ivar naked: the class to make, and how.
    :ivar identity: the primary key; the entity is None when all of it is NULL
        (``partial=False``: when any of it is, the mapper's ``allow_partial_pks``).
    :ivar reconstructor: the model's ``@reconstructor``, called on each object.
    :ivar joined: relationships that are in the row.
    :ivar later: relationships and columns that further statements load.
    :ivar row: the columns by which rows of a view are told apart, whose key several may share.
    """

    naked: NakedClass
    identity: tuple[Cell, ...]
    attributes: tuple[Attribute, ...]
    composites: tuple[Composite, ...] = ()
    partial: bool = True
    reconstructor: Callable[[Any], Any] | None = None
    joined: tuple[Joined, ...] = ()
    later: tuple[Later | LaterClass, ...] = ()
    row: tuple[Cell, ...] = ()

    @property
    def name(self) -> str:
        """The name of the mapped class."""
        return self.naked.model.__name__


class Variant(Frozen):
    """The class of a discriminator value; ``entity`` is None for a class that was not asked for."""

    value: Any
    entity: Entity | None
    name: str


class Polymorphic(Frozen):
    """An object whose class is told by a discriminator column.

    :ivar name: the name of the mapped class that was asked for.
    :ivar column: the name of the discriminator, for messages.
    """

    name: str
    column: str
    discriminator: Cell
    identity: tuple[Cell, ...]
    variants: tuple[Variant, ...]
    partial: bool = True


class Value(Frozen):
    """A column of the result row."""

    name: str
    cell: Cell


class Constant(Frozen):
    """A row item that no column stands for."""

    name: str
    value: Any = None


class Group(Frozen):
    """A ``Bundle``: its items as a tuple, passed to ``build``."""

    name: str
    items: tuple[Item, ...]
    build: Callable[[tuple[Any, ...]], Any]


Item = Entity | Polymorphic | Value | Constant | Group


class Plan(Frozen, uncompared=("hierarchies",)):
    """The meaning of a statement's rows.

    :ivar width: the number of columns of a driver row.
    :ivar items: the items of a result row.
    :ivar scalar: True when a row has one item that stands for the row (a single entity), so that
        rows of one are only made where somebody asks for rows.
    :ivar unify: True when rows with the same primary key give the same object, as they have to
        where a joined collection makes several rows of one.
    :ivar hierarchies: the classes of each polymorphic entity by their discriminators; a class that
        is mapped later is in there, and not in the plan.
    """

    width: int
    items: tuple[Item, ...]
    scalar: bool
    unify: bool = False
    hierarchies: tuple[Mapping[Any, Any], ...] = ()

    @property
    def multiplied(self) -> bool:
        """True when a joined collection makes several rows of one."""
        return any(map(_multiplies, self.items))

    @property
    def later(self) -> tuple[Later | LaterClass, ...]:
        """Everything that further statements load, each once: columns of classes, subclasses
        first; then relationships in the order of the items."""
        return tuple(sorted(dict.fromkeys(_later(self.items)), key=_turn))


def _multiplies(item: Item) -> bool:
    if isinstance(item, Entity):
        return any(j.collection is not None or _multiplies(j.target) for j in item.joined)
    if isinstance(item, Polymorphic):
        return any(v.entity is not None and _multiplies(v.entity) for v in item.variants)
    return isinstance(item, Group) and any(map(_multiplies, item.items))


def _turn(later: Later | LaterClass) -> int:
    return 0 if isinstance(later, Later) else -len(list(later.entity.mapper.iterate_to_root()))


def _later(items: Iterable[Item]) -> Iterator[Later | LaterClass]:
    for item in items:
        if isinstance(item, Entity):
            yield from item.later
            yield from _later(joined.target for joined in item.joined)
        elif isinstance(item, Polymorphic):
            yield from _later(v.entity for v in item.variants if v.entity is not None)
        elif isinstance(item, Group):
            yield from _later(item.items)
