"""Classes matched with trees: what fills an object from the arrays of its level."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy.exc import SAWarning
from sqlalchemy.orm.interfaces import MANYTOONE

from naked_sqla._sqlalchemy import column_types, correlated, relationships
from naked_sqla.into.emitting import filler
from naked_sqla.into.fields import Field, Style, Target
from naked_sqla.into.filling import Filling, Source
from naked_sqla.into.nested_match import NestedMatcher
from naked_sqla.into.related_shape import ObjectShape, RelatedColumn
from naked_sqla.into.related_values import layout_of, moved
from naked_sqla.into.row_shape import Column, RowShape, Structure
from naked_sqla.into.tree_select import Branch, BranchRows, Leaf, is_single
from naked_sqla.into.tree_values import Values, refuse
from naked_sqla.read.keys import are_lenient, compares_columns
from naked_sqla.read.plan import Cell, Later
from naked_sqla.read.relationships import UNLIMITED

__all__ = ("TreeMatcher", "check_class")

_Rows = list[list[Any]]
_Collect = Callable[[Any], Any]


class _Arrays:
    """Fills objects of one class from the arrays of a relationship."""

    __slots__ = ("all",)

    def __init__(self, fill: Callable[[Iterable[Any]], list[Any]]) -> None:
        self.all = fill

    def one(self, row: Any) -> Any:
        return self.all((row,))[0]


class TreeMatcher(NestedMatcher):
    """Matches classes with the rows of trees.

    :ivar values: how columns go through JSON.
    :ivar branches: the relationships that fields take, by their cells.
    """

    def __init__(
        self,
        row_shape: RowShape,
        validate: bool,
        values: Values,
        about: str = "",
        inside: bool = False,
    ) -> None:
        super().__init__(row_shape, validate, None, about, inside)
        self.values = values
        self.branches: dict[Cell, Branch] = {}

    def whole(self, structure: Structure, absent: str | None) -> Source:
        refuse(f"a field takes {structure.shown} objects as they are, and none are made")

    def column(self, target: Target, wanted: Field, column: Column) -> Source:
        if isinstance(column, RelatedColumn):
            _check(column)
        return super().column(target, wanted, column)

    def maker(self, target: Target, wanted: Field, column: RelatedColumn) -> Any:
        make = super().maker(target, wanted, column)
        branch = None if column.cell is None else self.branches.get(column.cell)
        if branch is None:
            refuse(
                f"{target.shown}.{wanted.name} takes the objects of {column.shown} as they are, "
                f"and none are made"
            )
        collect = _collector(branch)
        return make if collect is None else lambda found: make(collect(found))

    def extra(self, target: Target, left: list[Column]) -> tuple[Filling, ...]:
        for column in left:
            if isinstance(column, RelatedColumn):
                refuse(
                    f"{target.shown} takes the objects of {column.shown} as they are, and none "
                    f"are made"
                )
        return super().extra(target, left)

    def filled(self, column: RelatedColumn, shape: ObjectShape, cls: Any, inside: bool) -> Any:
        check_class(shape, column.shown)
        row_shape = RowShape(len(shape.keys), (shape.structure,), joins=False)
        matcher = type(self)(row_shape, self.validate, self.values, column.shown, inside)
        record = matcher.root(cls)
        if inside and record.style is Style.VALIDATE:
            # the outer model validates it, and its errors name the place
            record = replace(record, style=Style.DICT)
        layout = layout_of(record, [shape], alone=True)
        keys = layout.keys[0] or ()
        by_key = {branch.column.names[0]: branch for branch in matcher.branches.values()}
        hidden = [key for key in _hidden(column) if key not in keys]
        parts = tuple(
            by_key.get(key) or Leaf(key, self.values.way(shape, key, f"{column.shown}.{key}"))
            for key in (*keys, *hidden)
        )
        width = max(len(parts), layout.width)
        if width > self.values.trees.width:
            refuse(f"{column.shown} has {width} values in a row, and the database takes fewer")
        if column.cell is not None:
            self.branches[column.cell] = Branch(column, BranchRows(parts))
        return _Arrays(filler(moved(layout.record, lambda cell: _read(cell, parts)), width))


def _read(cell: Cell, parts: tuple[Leaf | Branch, ...]) -> Cell:
    part = parts[cell.index] if parts else None
    return cell._replace(convert=part.way.read) if isinstance(part, Leaf) else cell


def check_class(shape: ObjectShape, shown: str) -> None:
    """Refuse objects that lie in several tables, or are of several classes."""
    mapper: Any = shape.structure.model.__mapper__  # type: ignore[union-attr]
    if shape.varied or mapper.inherits is not None or mapper.polymorphic_on is not None:
        refuse(f"{shown} is of a class in a hierarchy")


def _check(column: RelatedColumn) -> None:
    """Refuse a relationship that a subquery would not give as the row-by-row way does."""
    later, shown = column.later, column.shown
    if later is None:
        refuse(f"{shown} is loaded in the same rows; load it with selectinload()")
    prop = later.prop
    if column.partial or later.target is not prop.mapper:
        refuse(f"{shown} is of a class in a hierarchy, or of an alias")
    if later.depth == UNLIMITED:
        refuse(
            f"{shown} is loaded down to the last level, and a statement has so many levels as "
            f"are written; give the number, as in recursion_depth=3"
        )
    if correlated.has_criteria(later.option):
        refuse(f"{shown} is loaded with criteria, {shown}.and_()")
    types = [side.type for pair in prop.local_remote_pairs for side in pair]
    if later.by == "selectin" and (are_lenient(types) or compares_columns(prop)):
        refuse(f"{shown} has keys that the database and Python compare in different ways")
    if column.collection is None:
        return
    made = column.collection.make()
    plain = type(made) is list or (type(made) is set and _is_told_by_identity(later))
    if not plain and column_types.key_attribute(made) is None:
        refuse(f"{shown} is kept in a collection of its own kind, {type(made).__name__}")


def _is_told_by_identity(later: Later) -> bool:
    return later.prop.mapper.class_.__hash__ is object.__hash__


def _key_of(column: RelatedColumn) -> str | None:
    """The attribute that is the key in the collection of a relationship."""
    if column.collection is None:
        return None
    return column_types.key_attribute(column.collection.make())


def _is_repeated(column: RelatedColumn) -> bool:
    """True where a row may come twice, and counts once."""
    later: Any = column.later
    if correlated.has_each_once(later.prop):
        return False
    if column.collection is not None and type(column.collection.make()) is set:
        return True
    return relationships.SELECT_IN_IS_UNIQUE or later.by != "selectin"


def _hidden(column: RelatedColumn) -> list[str]:
    """The attributes that a collection needs, whether or not an object has them."""
    key = _key_of(column)
    found = [] if key is None else [key]
    return [*found, *_identity(column)] if _is_repeated(column) else found


def _identity(column: RelatedColumn) -> list[str]:
    mapper = column.later.prop.mapper  # type: ignore[union-attr]
    return [mapper.get_property_by_column(part).key for part in mapper.primary_key]


def _collector(branch: Branch) -> _Collect | None:
    """What makes the rows of a relationship one, or a collection; None: they are."""
    column = branch.column
    at = {
        part.key: number for number, part in enumerate(branch.level.parts) if isinstance(part, Leaf)
    }
    once = _once([at[key] for key in _identity(column)]) if _is_repeated(column) else None
    if column.collection is None:
        later: Any = column.later
        return None if is_single(later) else partial(_first, column, once)
    key = _key_of(column)
    if key is not None:
        part: Any = branch.level.parts[at[key]]
        return _keyed(at[key], part.way.read, once)
    if once is not None:
        return lambda rows: once(rows or ())
    return lambda rows: rows or ()


def _once(positions: list[int]) -> _Collect:
    """Leaves out rows that came before."""

    def once(rows: _Rows) -> _Rows:
        found: dict[Any, list[Any]] = {}
        for row in rows:
            found.setdefault(tuple([row[at] for at in positions]), row)
        return list(found.values())

    return once


def _keyed(at: int, read: Any, once: _Collect | None) -> _Collect:
    """Puts rows into a dictionary; of those with one key the last counts."""

    def keyed(rows: _Rows | None) -> dict[Any, list[Any]]:
        found = _collected(rows, once)
        return {row[at] if read is None else read(row[at]): row for row in found}

    return keyed


def _collected(rows: _Rows | None, once: _Collect | None) -> _Rows:
    found: _Rows = [] if rows is None else rows
    return found if once is None else once(found)


def _first(column: RelatedColumn, once: _Collect | None, rows: _Rows | None) -> Any:
    """The one related row, as the ORM takes it."""
    found = _collected(rows, once)
    prop = column.later.prop  # type: ignore[union-attr]
    if len(found) > 1 and prop.direction is not MANYTOONE:
        warnings.warn(
            f"Multiple rows returned with uselist=False for eagerly-loaded attribute '{prop}' ",
            SAWarning,
            stacklevel=2,
        )
    return found[0] if found else None
