"""Reads the shape of a statement's rows.

Two ways lead here.  An ORM statement is read from its plan, so that entities and attributes are
known; the rows of any other statement are columns and nothing else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Select, inspect

from naked_sqla._sqlalchemy import (
    compile_states,
    loader_options,
    results,
    select_clauses,
    statements,
)
from naked_sqla.exception import UnsupportedOption
from naked_sqla.into.row_shape import Column, Computed, EntityName, RowItem, RowShape, Structure
from naked_sqla.read.plan import Cell, Constant, Entity, Group, Item, Polymorphic, Value
from naked_sqla.read.planner import plan_of

__all__ = (
    "RowReader",
    "column_of_result",
    "entities_of",
    "expression_of",
    "orm_row_shape",
    "plain_row_shape",
    "told_apart",
)


T = TypeVar("T")


def plain_row_shape(
    metadata: Any, statement: Any, raw: bool = True, sentinels: int = 0
) -> RowShape:
    """Read the shape of rows without entities: columns.

    :param metadata: of the cursor result, or of the compiled statement.
    :param statement: the compiled one, which may know the columns by better names.
    :param raw: False for rows whose values SQLAlchemy has converted.
    :param sentinels: columns at the end of a row that only serve to sort the rows.
    """
    keys = tuple(metadata.keys)
    processors = results.processors_of(metadata, sentinels) if raw else (None,) * len(keys)
    written = statements.written_names(statement)
    if len(written) != len(keys):
        written = [None] * len(keys)
    selected: Any = [None] * len(keys)
    sure: frozenset[int] = frozenset()
    if isinstance(statement, Select) and not statements.is_orm_statement(statement):
        found = statements.selected_columns(statement)
        if len(found) == len(keys):
            selected, sure = found, select_clauses.sure_tables(statement)
    items = tuple(
        replace(column_of_result(Cell(index, processors[index]), key, name), expression=column)
        for index, (key, name, column) in enumerate(zip(keys, written, selected, strict=True))
    )
    return RowShape(len(processors), told_apart(items), sure=sure)


def column_of_result(cell: Cell | None, key: str, written: str | None) -> Column:
    """A column of a result.

    :param key: its name in SQLAlchemy: the database's name in a union, a number behind a name
        that occurs twice.
    :param written: its name in the statement.
    """
    name = str(written or key)
    return Column((name,) if name == key else (name, key), name, cell)


def told_apart(items: tuple[T, ...]) -> tuple[T | Column, ...]:
    """Items whose columns go by SQLAlchemy's names where the statement does not tell them apart."""
    columns = [item for item in items if isinstance(item, Column)]
    times = Counter(column.shown for column in columns)

    def named(column: Column) -> Column:
        name, *others = column.names
        if times[name] > 1:
            return replace(column, names=(*others, name))
        # the database's name of a column may be the statement's name of another
        return replace(column, names=(name, *(other for other in others if not times[other])))

    return tuple(named(item) if isinstance(item, Column) else item for item in items)


def orm_row_shape(state: Any, metadata: Any, raw: bool, sentinels: int) -> RowShape:
    """Read the shape of an ORM statement's rows.

    :param state: its compile state.
    :param metadata: of the cursor result, or of the compiled statement.
    :raises UnsupportedOption: it loads relationships in a way that has no place in one row.
    """
    plan = plan_of(state, metadata, raw, sentinels=sentinels)
    reader = RowReader(state)
    items = compile_states.entities_of(state)
    shapes = told_apart(tuple(map(reader.row_item, items, plan.items)))
    joins = statements.has_joins(state.select_statement)
    return RowShape(plan.width, shapes, joins, select_clauses.sure_tables(state.statement))


class RowReader:
    """Reads one compile state, next to the plan made of it."""

    def __init__(self, state: Any) -> None:
        self.entities = [
            entity.entity_zero
            for entity in compile_states.entities_of(state)
            if isinstance(entity, compile_states.MapperEntity)
        ]
        self.joins = list(statements.joins_of(state))
        self.defers = loader_options.defers_columns(state.select_statement)

    def row_item(self, entity: Any, item: Item) -> RowItem:
        if isinstance(item, Value):
            name = statements.written_name(entity.column)
            return replace(column_of_result(item.cell, item.name, name), expression=entity.column)
        if isinstance(item, Constant):
            return Column((item.name,), item.name, None)
        if isinstance(item, Group):
            return self.bundle(entity, item)
        return self.entity(entity, item)

    def bundle(self, entity: Any, item: Group) -> Structure:
        parts = told_apart(
            tuple(map(self.row_item, compile_states.sub_entities(entity), item.items)),
        )
        return Structure(
            shown=f"Bundle {item.name!r}",
            names=(EntityName(item.name),),
            item=item,
            model=None,
            entity=None,
            columns=tuple(part for part in parts if isinstance(part, Column)),
            below=tuple(part for part in parts if isinstance(part, Structure)),
        )

    def entity(self, entity: Any, item: Entity | Polymorphic) -> Structure:
        return _structure(item, *self.names(entity), self.defers, entity.entity_zero)

    def names(self, entity: Any) -> tuple[str, list[EntityName]]:
        """The name of an entity for messages, and those by which a field takes it."""
        zero = entity.entity_zero
        label = compile_states.label_of(entity) if entity.is_aliased_class else None
        names = [EntityName(name) for name in (label, *_class_names(zero.mapper.class_)) if name]
        names += [
            EntityName(key, 1, parent) for parent, key, target in self.joins if target is zero
        ]
        names += self.sole_relationship(zero)
        shown = zero.mapper.class_.__name__
        return f"{shown} as {label!r}" if label else shown, names

    def sole_relationship(self, zero: Any) -> Iterator[EntityName]:
        """The relationship that leads to an entity, where there is one only."""
        ways = [
            (parent, relationship.key)
            for parent in self.entities
            if parent is not zero
            for relationship in parent.mapper.relationships
            if not relationship.uselist and zero.mapper.isa(relationship.mapper)
        ]
        if len(ways) == 1:
            yield EntityName(ways[0][1], 2, ways[0][0])


def _structure(
    item: Entity | Polymorphic, shown: str, names: Sequence[EntityName], defers: bool, zero: Any
) -> Structure:
    entities = entities_of(item)
    # by place too: subclasses may have attributes of one name in columns of their own
    columns: dict[tuple[str, int], Column] = {}
    computed: dict[tuple[str, Any], Computed] = {}
    below: dict[tuple[str, Any], Structure] = {}
    for entity in entities:
        cells = {attribute.key: attribute.cell for attribute in entity.attributes}
        primary = _primary(item, entity)
        implied = _implied(item, cells, primary) if defers else ()
        of = shown if entity is entities[0] else entity.name
        if isinstance(item, Polymorphic):
            # the column that all classes have: another class's own is NULL
            cells |= {key: cells[key]._replace(index=at) for key, at in primary.items()}
        for key, cell in cells.items():
            expression = expression_of(entity, zero, key)
            column = Column((key,), f"{of}.{key}", cell, key in implied, expression)
            columns.setdefault((key, cell.index), column)
        for key in entity.naked.unset:
            # always None; a class needs no field for it
            columns.setdefault((key, -1), Column((key,), f"{of}.{key}", None, True))
        for composite in entity.composites:
            made = tuple(cells[part] for part in composite.parts)
            computed.setdefault(
                (composite.key, tuple(cell.index for cell in made)),
                Computed(composite.key, composite.build, composite.parts, made),
            )
        for joined in entity.joined:
            if joined.collection is not None:
                _refuse_loading(shown, joined.key)
            target = _structure(
                joined.target, f"{shown}.{joined.key}", (EntityName(joined.key),), defers, None
            )
            below.setdefault((joined.key, joined.target.identity), target)
        for later in entity.later:
            _refuse_loading(shown, str(getattr(later, "key", "subclasses")))
    return Structure(
        shown=shown,
        names=tuple(names),
        item=item,
        model=entities[0].naked.model if zero is None else zero.mapper.class_,
        entity=zero,
        columns=tuple(columns.values()),
        computed=tuple(computed.values()),
        below=tuple(below.values()),
        identity=item.identity,
        partial=item.partial,
        spreads=zero is not None,
    )


def expression_of(entity: Entity, zero: Any, key: str) -> Any:
    """The attribute of an entity as a statement has it.

    :param zero: the entity of the statement, or None for an object of a relationship.
    """
    return getattr(entity.naked.model if zero is None else zero.entity, key, None)


def entities_of(item: Entity | Polymorphic) -> list[Entity]:
    """The entities an item may be, the class that was asked for first."""
    if isinstance(item, Entity):
        return [item]
    found = [variant.entity for variant in item.variants if variant.entity is not None]
    found.sort(key=lambda entity: entity.name != item.name)
    return found


def _primary(item: Entity | Polymorphic, entity: Entity) -> dict[str, int]:
    """The loaded attributes of the primary key, and where it is."""
    mapper: Any = inspect(entity.naked.model)
    keys = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
    if len(keys) != len(item.identity):
        # of a concrete subclass with a key of its own
        return {}
    loaded = {attribute.key for attribute in entity.attributes}
    at = zip(keys, item.identity, strict=True)
    return {key: cell.index for key, cell in at if key in loaded}


def _implied(
    item: Entity | Polymorphic, cells: Mapping[str, Cell], primary: Iterable[str]
) -> set[str]:
    """The attributes that no option leaves out: the primary key and the discriminator."""
    keys = set(primary)
    if isinstance(item, Polymorphic):
        keys |= {key for key, cell in cells.items() if cell == item.discriminator}
    return keys


def _refuse_loading(shown: str, key: str) -> None:
    raise UnsupportedOption(
        f"{shown}.{key} is loaded as a collection or by a further statement, and only the database "
        f"knows the columns of this statement. Name them with text(...).columns(...), leave the "
        f"option out, or read {shown} objects with scalars()."
    )


def _class_names(cls: type) -> tuple[str, str]:
    name = cls.__name__
    return name, re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
