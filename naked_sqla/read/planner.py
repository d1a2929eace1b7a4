"""Statements that return rows: ORM compile state -> plan.

The ORM's compile state says what the columns of a statement mean; this module reads it the way the
ORM's own loader does (``sqlalchemy.orm.loading``), and writes down a :class:`~.plan.Plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import ColumnProperty

from naked_sqla._frozen import Frozen
from naked_sqla._sqlalchemy import compile_states, mappings, relationships, results, statements
from naked_sqla.objects.classes import is_view
from naked_sqla.objects.collections import collection_of
from naked_sqla.objects.naked import naked_class
from naked_sqla.read.plan import (
    Attribute,
    Cell,
    Composite,
    Constant,
    Entity,
    Group,
    Item,
    Joined,
    Later,
    LaterClass,
    Plan,
    Polymorphic,
    Value,
    Variant,
)
from naked_sqla.read.relationships import Depths, relationships_of
from naked_sqla.read.result import Keys, identity_of, unhashable

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = ("keys_of", "plan_of")


def keys_of(state: Any) -> Keys:
    """Read the keys by which the items of a statement's rows are found."""
    entities = compile_states.entities_of(state)
    columns = statements.raw_columns(state.select_statement)
    return Keys(
        aliased=tuple(
            # an item of several columns shifts those after it: then the keys stay as they are
            len(entities) == len(columns) and compile_states.is_aliased(entity)
            for entity in entities
        ),
        labels=tuple(compile_states.label_of(entity) for entity in entities),
        extra=tuple(compile_states.extra_keys(entity) for entity in entities),
        invoked=tuple(compile_states.invoked_key_index(entity) for entity in entities),
        unique=tuple(_unique_key(entity) for entity in entities),
    )


def _unique_key(entity: Any) -> Callable[[Any], Any] | None:
    if isinstance(entity, compile_states.MapperEntity):
        return identity_of(entity.mapper)
    if isinstance(entity, compile_states.BundleEntity):
        return None
    return unhashable(entity.column.type)


def plan_of(
    state: Any,
    metadata: Any,
    raw: bool = True,
    depths: Depths | None = None,
    shared: bool = False,
    sentinels: int = 0,
) -> Plan:
    """Make the plan of a statement's rows.

    :param state: the ORM compile state of the statement.
    :param metadata: the metadata of its cursor result, which knows the position of each column.
    :param raw: True for rows as the driver gives them, False for rows that SQLAlchemy has
        converted.
    :param depths: for a further statement: how many levels of recursive relationships are left.
    :param shared: for a further statement: True when several rows may hold the same object.
    :param sentinels: columns at the end of a row that only serve to sort the rows.
    """
    processors = results.processors_of(metadata, sentinels)
    if not raw:
        processors = (None,) * len(metadata.keys)
    planner = _Planner(state, metadata, processors, depths or {})
    entities = compile_states.entities_of(state)
    plan = Plan(
        width=len(processors),
        items=tuple(planner.item(entity) for entity in entities),
        scalar=len(entities) == 1 and entities[0].supports_single_entity,
        unify=shared,
        hierarchies=tuple(planner.hierarchies),
    )
    return plan._replace(unify=True) if plan.multiplied else plan


class Node(Frozen):
    """Where an entity stands in a statement.

    :ivar entity: the item of the statement that it belongs to.
    :ivar path: where options for it are found.
    :ivar adapter: translates the mapper's columns to those of the statement, or None.
    """

    entity: Any
    path: Any
    adapter: Any

    def column(self, column: Any) -> Any:
        """A mapped column in terms of the statement; None when the statement can't have it."""
        return column if self.adapter is None else self.adapter.columns[column]


class _Planner:
    """Reads one compile state; mirrors ``sqlalchemy.orm.loading._instance_processor``."""

    def __init__(
        self, state: Any, metadata: Any, processors: tuple[Any, ...], depths: Depths
    ) -> None:
        self.state = state
        self.metadata = metadata
        self.processors = processors
        self.depths = depths
        self.hierarchies: list[Any] = []

    def item(self, entity: Any) -> Item:
        if isinstance(entity, compile_states.MapperEntity):
            adapter = compile_states.entity_adapter(self.state, entity)
            node = Node(entity, compile_states.entity_path(entity), adapter)
            return self.entity_at(node, entity.mapper, compile_states.polymorphic_column(entity))
        if isinstance(entity, compile_states.BundleEntity):
            return self.bundle(entity)
        name = str(compile_states.label_of(entity))
        if isinstance(entity, compile_states.IdentityTokenEntity):
            return Constant(name)
        return Value(name, self.cell(compile_states.column_of(self.state, entity)))

    def cell(self, column: Any) -> Cell:
        index = results.position_of(self.metadata, column, required=True)
        return self.cell_at(index or 0)

    def cell_at(self, index: int) -> Cell:
        return Cell(index, self.processors[index])

    def bundle(self, entity: Any) -> Group:
        parts = compile_states.sub_entities(entity)
        labels = tuple(compile_states.label_of(part) for part in parts)
        getters = tuple(itemgetter(position) for position in range(len(parts)))
        build = entity.bundle.create_row_processor(self.state.select_statement, getters, labels)
        return Group(
            compile_states.label_of(entity), tuple(self.item(part) for part in parts), build
        )

    def entity_at(self, node: Node, mapper: Mapper[Any], column: Any) -> Entity | Polymorphic:
        """An entity, or one entity for each class that its discriminator can tell.

        :param column: the discriminator, or None.
        """
        if column is not None:
            self.hierarchies.append(mapper.polymorphic_map)
        if not mapper.polymorphic_map or column is None:
            return self.entity_of_class(node, mapper)
        return Polymorphic(
            name=mapper.class_.__name__,
            column=str(column),
            discriminator=self.cell(node.column(column)),
            identity=self.identity(node, mapper),
            variants=tuple(
                Variant(
                    value,
                    self.entity_of_class(node, sub, mapper)
                    if self.may_hold(node, sub, mapper)
                    else None,
                    str(sub),
                )
                for value, sub in mapper.polymorphic_map.items()
            ),
            partial=mapper.allow_partial_pks,
        )

    def may_hold(self, node: Node, sub: Mapper[Any], asked: Mapper[Any]) -> bool:
        """True where a row of one class may be one of another: not where that is concrete, with
        rows of its own, and the statement does not select from its table."""
        if not sub.isa(asked):
            return False
        between = (mapper for mapper in sub.iterate_to_root() if mapper.isa(asked))
        if not any(mapper.concrete for mapper in between if mapper is not asked):
            return True
        positions = (results.position_of(self.metadata, node.column(c)) for c in sub.primary_key)
        return None not in positions

    def identity(self, node: Node, mapper: Mapper[Any]) -> tuple[Cell, ...]:
        return tuple(self.cell(node.column(column)) for column in mapper.primary_key)

    def entity_of_class(
        self, node: Node, mapper: Mapper[Any], asked: Mapper[Any] | None = None
    ) -> Entity:
        """An entity of one class.

        :param asked: for a polymorphic entity: the mapper that the statement selects.
        """
        coercions = dict(mappings.mutable_coercions(mapper))
        attributes = tuple(
            Attribute(prop.key, self.cell_at(index), coercions.get(prop.key))
            for prop, index in self.loaded_columns(node, mapper)
        )
        loaded = {attribute.key for attribute in attributes}
        composites = tuple(
            Composite(prop.key, mappings.composite_keys(prop), mappings.composite_factory(prop))
            for prop in mapper.composites
            if loaded.issuperset(mappings.composite_keys(prop))
        )
        joined, later = self.loaded_relationships(node, mapper)
        keys = (item.key for group in (attributes, composites, joined, later) for item in group)
        classes: tuple[LaterClass, ...] = ()
        if asked is not None and asked is not mapper:
            found = relationships.subclass_loads(self.state, node.path, mapper, asked)
            classes = tuple(LaterClass(entity, asked, node.path) for entity in found)
        return Entity(
            naked=naked_class(mapper, tuple(keys), tuple(self.unset_keys(node, mapper, loaded))),
            identity=self.identity(node, mapper),
            attributes=attributes,
            composites=composites,
            partial=mapper.allow_partial_pks,
            reconstructor=mappings.reconstructor(mapper),
            joined=joined,
            later=(*later, *classes),
            row=self.row_of_view(mapper, attributes),
        )

    def row_of_view(self, mapper: Mapper[Any], loaded: Iterable[Attribute]) -> tuple[Cell, ...]:
        """What tells the rows of a view apart; empty for a table."""
        # as the driver gives them: converted values may have no hash
        return tuple(Cell(item.cell.index) for item in loaded) if is_view(mapper) else ()

    def loaded_relationships(
        self, node: Node, mapper: Mapper[Any]
    ) -> tuple[tuple[Joined, ...], tuple[Later, ...]]:
        """The relationships that are loaded: with the row, and by further statements."""
        joined: list[Joined] = []
        later: list[Later] = []
        for found in relationships_of(self.state, self.metadata, node, mapper, self.depths):
            if isinstance(found, Later):
                later.append(found)
                continue
            prop, path, adapter = found
            below = Node(node.entity, relationships.path_entity(path, prop), adapter)
            target = self.entity_at(below, prop.mapper, prop.mapper.polymorphic_on)
            joined.append(Joined(prop.key, target, collection_of(prop)))
        return tuple(joined), tuple(later)

    def loaded_columns(
        self, node: Node, mapper: Mapper[Any]
    ) -> Iterator[tuple[ColumnProperty[Any], int]]:
        """The column attributes that the statement loads, and where they stand in a row."""
        setups = compile_states.memoized_setups(self.state, node.path)
        for prop in mapper.attrs:
            if not isinstance(prop, ColumnProperty) or not prop.instrument:
                continue
            index = None
            if prop in setups:
                column = setups[prop]
                if column is None:
                    continue
                index = self.position(node, column)
            if index is None:
                index = compile_states.probe_position(prop, self.state, node, mapper, self.metadata)
            if index is not None:
                yield prop, index

    def unset_keys(self, node: Node, mapper: Mapper[Any], loaded: Container[str]) -> Iterator[str]:
        """The query expressions that are None, because the statement has no expression for them.

        One that the statement defers counts as not loaded, unless it has no expression at all.
        """
        setups = compile_states.memoized_setups(self.state, node.path)
        for prop, has_default in mappings.query_expressions(mapper):
            if prop.key in loaded:
                continue
            deferred = setups.get(prop, prop) is None
            raises = deferred and compile_states.raises_on_read(self.state, node.path, prop)
            if not deferred or not (has_default or raises):
                yield prop.key

    def position(self, node: Node, column: Any) -> int | None:
        adapted = node.column(column)
        if adapted is not None and adapted is not column:
            index = results.position_of(self.metadata, adapted)
            if index is not None:
                return index
        return results.position_of(self.metadata, column)
