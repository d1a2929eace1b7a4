"""The SELECT of whole trees: the rows of a statement, and in each the rows below it as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect, null, select
from sqlalchemy.orm import aliased

from naked_sqla._sqlalchemy import correlated, relationships
from naked_sqla.backends.trees import Trees
from naked_sqla.exception import ConversionError
from naked_sqla.into.related_shape import RelatedColumn
from naked_sqla.into.tree_values import Coded, refuse
from naked_sqla.read.plan import Later

__all__ = ("Branch", "BranchRows", "Leaf", "is_single", "put_odd", "tree_of")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column of a level."""

    key: str
    way: Coded


@dataclass(frozen=True, slots=True)
class Branch:
    """A relationship of a level."""

    column: RelatedColumn
    level: BranchRows


@dataclass(frozen=True, slots=True)
class BranchRows:
    """The rows of a relationship: what each has, in the order of its array."""

    parts: tuple[Leaf | Branch, ...]


def is_single(later: Later) -> bool:
    """True where the keys say that there is no second related row."""
    return bool(relationships.select_in_info(later.prop, by_child=True).load_only_child)


def tree_of(trees: Trees, branch: Branch, parent: Any) -> Any:
    """The rows of a relationship as JSON: an array, or the one row where there is no second.

    :param parent: the entity of the enclosing SELECT.
    """
    column = branch.column
    later: Any = column.later
    alias = aliased(later.prop.mapper.class_)
    owned = getattr(parent, later.key).of_type(alias)
    single = is_single(later)
    order = [] if single else _order(later, alias, owned, column.shown)
    parts = branch.level.parts
    values = [
        getattr(alias, part.key) if isinstance(part, Leaf) else tree_of(trees, part, alias)
        for part in parts
    ] or [null()]
    if order:
        named = [value.label(f"c{number}") for number, value in enumerate(values)]
        rows = select(*named).select_from(alias).where(owned).order_by(*order)
        within = rows.correlate(parent).subquery()
        return select(trees.rows(_row(trees, parts, within.c))).scalar_subquery()
    row = _row(trees, parts, values)
    tree = select(row if single else trees.rows(row)).select_from(alias)
    return tree.where(owned).correlate(parent).scalar_subquery()


def put_odd(trees: Trees, branch: Branch, found: Any) -> None:
    """Put the values that are written as objects into the rows of a relationship.

    :param found: as :func:`tree_of` writes it; changed in place.
    :raises ConversionError: a value does not come back exactly.
    """
    rows = [found] if is_single(branch.column.later) else found  # type: ignore[arg-type]
    for row in rows:
        for number, part in enumerate(branch.level.parts):
            value = row[number]
            if isinstance(part, Branch):
                if value is not None:
                    put_odd(trees, part, value)
            elif isinstance(value, dict):
                try:
                    row[number] = trees.odd_value(value)
                except ValueError as error:
                    shown = branch.column.shown
                    raise ConversionError(shown, part.key, value, str(error)) from None


def _row(trees: Trees, parts: Sequence[Leaf | Branch], columns: Iterable[Any]) -> Any:
    values: list[Any] = []
    for part, column in zip(parts, columns, strict=False):
        if isinstance(part, Branch):
            values.append(trees.within(column))
        else:
            values.append(column if part.way.write is None else part.way.write(column))
    return trees.row(values or [null()])


def _order(later: Later, alias: Any, owned: Any, shown: str) -> list[Any]:
    order = correlated.order_within(later.prop, inspect(alias), owned)
    if order is None:
        refuse(f"{shown} is sorted by columns of further tables")
    return order
