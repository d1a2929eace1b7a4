"""Which relationships of an entity a statement loads, and how: with its rows, or by a further one.

Mirrors what ``JoinedLoader``, ``SelectInLoader`` and the other strategies of
``sqlalchemy.orm.strategies`` decide.  ``selectinload``, ``subqueryload`` and ``immediateload`` all
mean one further statement for all objects of a result here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import InvalidRequestError

from naked_sqla._sqlalchemy import relationships, results
from naked_sqla.objects.collections import collection_of
from naked_sqla.read.plan import Later

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = ("UNLIMITED", "Depths", "next_depth", "relationships_of")

# relationship -> how many more levels of it are loaded
Depths = Mapping[Any, int]

UNLIMITED = -1
_EXHAUSTED = -2

_LATER = frozenset({"selectin", "subquery", "immediate"})


def relationships_of(
    state: Any, metadata: Any, node: Any, mapper: Mapper[Any], depths: Depths
) -> Iterator[Later | tuple[Any, Any, Any]]:
    """The relationships of a class that a statement loads.

    :param node: where the entity stands in the statement.
    :param mapper: of the entity, or of one of its subclasses.
    :param depths: levels of ``recursion_depth`` that the statements further up left over.
    :return: a :class:`~.plan.Later`, or for a joined one the relationship, its path, and the
        adapter for its columns.
    """
    if relationships.eager_is_off(state):
        return
    for prop in mapper.relationships:
        strategy, option = relationships.loader_of(state, node.path, prop)
        lazy = strategy.get("lazy")
        if lazy in ("joined", False):
            path = relationships.related_path(node.path, prop)
            adapter = relationships.joined_adapter(state, path, prop, option)
            if adapter is not False and _has_identity(metadata, prop.mapper, adapter):
                _check_loadable(prop)
                yield prop, path, adapter
        elif lazy in _LATER:
            later = _later(state, node, prop, lazy, option, depths)
            if later is not None:
                yield later


def next_depth(depth: int) -> int:
    """The rest of a ``recursion_depth`` one level down: 0 is the last level that is loaded."""
    if depth == UNLIMITED:
        return UNLIMITED
    return depth - 1 if depth > 0 else _EXHAUSTED


def _has_identity(metadata: Any, mapper: Mapper[Any], adapter: Any) -> bool:
    columns = mapper.primary_key
    if adapter is not None:
        columns = tuple(adapter.columns[column] for column in columns)
    return all(results.has_key(metadata, column) for column in columns)


def _check_loadable(prop: Any) -> None:
    if prop.lazy in ("dynamic", "write_only"):
        raise InvalidRequestError(
            f"'{prop}' does not support object population - eager loading cannot be applied."
        )


def _later(
    state: Any, node: Any, prop: Any, lazy: Any, option: Any, depths: Depths
) -> Later | None:
    if not relationships.applies_to(node.path, node.entity, prop):
        return None
    depth = depths.get(prop, relationships.option_setting(option, "recursion_depth"))
    if depth is None:
        if relationships.is_cycle(state, node.path, prop):
            return None
    elif prop.mapper is not prop.parent and not prop.parent.common_parent(prop.mapper):
        raise InvalidRequestError(
            f"recursion_depth option on relationship {prop} not valid for "
            f"non-self-referential relationship"
        )
    elif depth == _EXHAUSTED:
        return None
    _check_loadable(prop)
    path = relationships.related_path(node.path, prop)
    target = relationships.related_entity(state, path, prop)
    return Later(prop, path, option, target, collection_of(prop), depth, lazy)
