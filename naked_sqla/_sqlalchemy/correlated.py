"""Relationships as subqueries: what their options, orders and tables say of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, PrimaryKeyConstraint, UniqueConstraint, inspect
from sqlalchemy.sql import visitors

from naked_sqla._sqlalchemy.relationships import adapt

__all__ = ("has_criteria", "is_indexed", "order_of")


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
    indexes += [
        list(constraint.columns)
        for constraint in getattr(table, "constraints", ())
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint)
    ]
    return bool(columns) and any(set(index[: len(columns)]) == columns for index in indexes)
