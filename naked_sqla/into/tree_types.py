"""The types that the columns of a tree have in the database, compared with those of the mapping.

The driver's values follow the type in the database, and what JSON gives follows the mapping.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import false, literal_column, select
from sqlalchemy.orm import aliased, outerjoin

from naked_sqla._sqlalchemy import mappings
from naked_sqla.backends.trees import Trees
from naked_sqla.into.tree_select import Branch, Leaf
from naked_sqla.into.tree_values import refuse

__all__ = ("Types", "types_of")


@dataclass(frozen=True, slots=True)
class Types:
    """The types of columns, told by the rows of a statement.

    :ivar column: tells them, the same in each row.
    """

    trees: Trees
    column: Any
    leaves: tuple[tuple[Any, str, Leaf], ...]

    def check(self, text: str) -> None:
        """Refuse columns that have another type in the database.

        :param text: the value of :attr:`column`.
        """
        found = [each for level in json.loads(text) for each in level]
        for (model, shown, leaf), each in zip(self.leaves, found, strict=True):
            name = self.trees.name_of_other(leaf.way.kinds, each)
            if name is not None:
                mapped = mappings.column_of(model, leaf.key).type
                refuse(
                    f"{shown}.{leaf.key} is of the type {name} in the database and {mapped!r} in "
                    f"the mapping, and not known to come back from JSON exactly as the driver "
                    f"gives it"
                )


def types_of(trees: Trees, branches: Iterable[Branch]) -> Types | None:
    """The types of all columns below the rows; None where it is the values that have types."""
    # a class may be at several levels
    levels: dict[Any, dict[str, tuple[Any, str, Leaf]]] = {}
    for model, shown, leaf in _leaves(branches):
        if leaf.way.kinds:
            levels.setdefault(model, {}).setdefault(leaf.key, (model, shown, leaf))
    if not levels:
        return None
    told = [_told(trees, model, leaves) for model, leaves in levels.items()]
    leaves = tuple(leaf for level in levels.values() for leaf in level.values())
    column = trees.text(trees.row(told)).label("types")
    return Types(trees, column, leaves)


def _told(trees: Trees, model: Any, keys: Iterable[str]) -> Any:
    """The types of columns of a table, of which no row is read."""
    alias = aliased(model)
    one = select(literal_column("1").label("one")).subquery()
    kinds = [trees.kind(getattr(alias, key)) for key in keys]
    rows = select(trees.row(kinds)).select_from(outerjoin(one, alias, false()))
    return rows.scalar_subquery()


def _leaves(branches: Iterable[Branch]) -> Iterator[tuple[Any, str, Leaf]]:
    for branch in branches:
        column: Any = branch.column
        for part in branch.level.parts:
            if isinstance(part, Branch):
                yield from _leaves((part,))
            else:
                yield column.later.prop.mapper.class_, column.shown, part
