"""Relationships as subqueries: what their options, orders and tables say of it."""

from __future__ import annotations

from functools import reduce
from typing import Any

from sqlalchemy import Column, PrimaryKeyConstraint, UniqueConstraint, inspect
from sqlalchemy.sql import visitors
from sqlalchemy.sql.util import ClauseAdapter

from naked_sqla._sqlalchemy.relationships import adapt

__all__ = ("has_criteria", "has_each_once", "is_indexed", "order_of", "order_within")


def has_criteria(option: Any) -> bool:
    """True for a loader option that filters: ``Team.members.and_(...)``."""
    return bool(getattr(option, "_extra_criteria", ()))


def order_of(prop: Any, alias: Any) -> list[Any] | None:
    """The order of a relationship's objects in terms of an alias of their class; None where columns
    of other tables decide."""
    order = list(prop.order_by or ())
    table = prop.mapper.local_table
    for element in order:
        columns = [each for each in visitors.iterate(element) if isinstance(each, Column)]
        if not columns or any(column.table is not table for column in columns):
            return None
    entity = inspect(alias)
    return [adapt(entity, element) for element in order]


def order_within(prop: Any, entity: Any, owned: Any) -> list[Any] | None:
    """The order of a relationship's objects within the subquery that selects them.

    :param entity: the alias of their class.
    :param owned: the condition of the subquery, which has an alias of its own for the table in
        between.
    :return: None where columns of other tables decide.
    """
    order = list(prop.order_by or ())
    adapters = [ClauseAdapter(entity.selectable)]
    if prop.secondary is not None:
        tables: list[Any] = [
            getattr(part, "table", None) for part in visitors.iterate(owned.expression)
        ]
        found = {each for each in tables if getattr(each, "element", None) is prop.secondary}
        if len(found) != 1:
            return None
        adapters.append(ClauseAdapter(found.pop()))
    known = (prop.mapper.local_table, prop.secondary)
    adapted = []
    for element in order:
        columns = [each for each in visitors.iterate(element) if isinstance(each, Column)]
        if not columns or any(column.table not in known for column in columns):
            return None
        adapted.append(reduce(lambda found, adapter: adapter.traverse(found), adapters, element))
    return adapted


def has_each_once(prop: Any) -> bool:
    """True where a related row belongs to an object once, by the keys of the table in between."""
    if prop.secondary is None:
        return True
    pairs = {there for _, there in (*prop.synchronize_pairs, *prop.secondary_synchronize_pairs)}
    return any(
        set(constraint.columns) <= pairs for constraint in _unique_constraints(prop.secondary)
    )


def is_indexed(prop: Any) -> bool:
    """True where the tables say that the related rows of one object are found by an index."""
    if prop.secondary is None:
        return _starts_index(prop.mapper.local_table, set(prop.remote_side))
    to_parent = {there for _, there in prop.synchronize_pairs}
    to_child = {there for _, there in prop.secondary_synchronize_pairs}
    # where an association is there twice, versions differ in what they load
    return set(prop.secondary.primary_key) == to_parent | to_child and (
        _starts_index(prop.secondary, to_parent)
        and _starts_index(
            prop.mapper.local_table, {here for here, _ in prop.secondary_synchronize_pairs}
        )
    )


def _starts_index(table: Any, columns: set[Any]) -> bool:
    indexes = [list(index.columns) for index in getattr(table, "indexes", ())]
    indexes += [list(constraint.columns) for constraint in _unique_constraints(table)]
    return bool(columns) and any(set(index[: len(columns)]) == columns for index in indexes)


def _unique_constraints(table: Any) -> list[Any]:
    return [
        constraint
        for constraint in getattr(table, "constraints", ())
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint) and constraint.columns
    ]
