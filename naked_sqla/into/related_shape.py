"""The shape of loaded objects, by name: their attributes, and the relationships that a statement
loads with them, to any depth.

It is read from plans: that of the statement, and those of the further statements that it will lead
to, which are compiled and not run.  So a class is matched before the first row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import inspect

from naked_sqla._sqlalchemy import (
    compile_states,
    loader_options,
    relationships,
    select_clauses,
    statements,
)
from naked_sqla.exception import UnsupportedOption
from naked_sqla.into.row_reader import RowReader, entities_of, expression_of, told_apart
from naked_sqla.into.row_shape import Column, Computed, EntityName, RowItem, RowShape, Structure
from naked_sqla.objects.collections import Collection
from naked_sqla.read.further import FurtherStatements
from naked_sqla.read.plan import (
    Cell,
    Composite,
    Entity,
    Group,
    Item,
    Joined,
    Later,
    Plan,
    Polymorphic,
    Value,
)
from naked_sqla.read.planner import plan_of
from naked_sqla.read.records import AsRecords
from naked_sqla.read.relationships import UNLIMITED, next_depth

__all__ = ("ObjectShape", "RelatedColumn", "ShapeReader")


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """Objects of an entity as rows of values: the object itself, then its attributes.

    :ivar keys: the attributes.
    :ivar varied: True for objects of several classes.
    :ivar lacking: attributes that some class of the objects does not have.
    :ivar records: which objects of its relationships are made as records.
    """

    structure: Structure
    keys: tuple[str, ...]
    varied: bool
    lacking: frozenset[str]
    records: AsRecords


@dataclass(frozen=True, slots=True)
class RelatedColumn(Column):
    """A relationship: a column whose values are objects.

    :ivar collection: of a to-many relationship.
    :ivar shape: gives the shape of its objects.
    :ivar partial: some class of the objects that have it lacks it.
    :ivar endless: the relationship, where it is loaded again for its own objects, down to the last.
    :ivar later: what a further statement loads; None where it is in the row.
    :ivar records: which objects of the relationships beside it are made as records.
    """

    collection: Collection | None = None
    shape: Callable[[], ObjectShape] | None = None
    partial: bool = False
    endless: Any = None
    later: Later | None = None
    records: AsRecords = field(default_factory=AsRecords, compare=False)


@dataclass(slots=True)
class _Loaded:
    """What is loaded of one class."""

    model: Any
    columns: dict[str, None]
    unset: frozenset[str]
    composites: dict[str, Composite]
    related: dict[str, tuple[ShapeReader, Joined | Later]]

    def has(self, key: str) -> bool:
        """True for an attribute that is loaded."""
        return key in self.columns or key in self.related or key in self.unset

    def may_be_read(self, key: str) -> bool:
        """True for an attribute that is loaded, or that the class does not have at all."""
        return self.has(key) or not inspect(self.model).has_property(key)


class ShapeReader:
    """Reads the objects of one statement.

    :param parameters: of the caller's statement, which its loader options may use.
    :param depths: for a further statement: how many levels of recursive relationships are left.
    """

    def __init__(
        self,
        dialect: Any,
        state: Any,
        statement: Any,
        parameters: Any,
        depths: Mapping[Any, int] | None = None,
    ) -> None:
        self.dialect = dialect
        self.state = state
        self.parameters = parameters if isinstance(parameters, Mapping) else None
        self.depths = depths or {}
        self.further = FurtherStatements(state, statement, self.parameters)
        self.defers = loader_options.defers_columns(state.select_statement)

    def row_shape(self, plan: Plan) -> tuple[RowShape, list[ObjectShape | None]]:
        """The shape of a row of loaded items, and that of each item that is an object.

        :raises UnsupportedOption: a bundle stands beside the objects.
        """
        reader = _ItemReader(self)
        entities = compile_states.entities_of(self.state)
        items = told_apart(tuple(map(reader.row_item, entities, plan.items)))
        joins = statements.has_joins(self.state.select_statement)
        sure = select_clauses.sure_tables(self.state.statement)
        return RowShape(reader.width, items, joins, sure), reader.objects

    def object_shape(
        self, item: Any, shown: str, names: Sequence[EntityName], zero: Any, first: int = 0
    ) -> ObjectShape:
        """The shape of the objects of an entity.

        :param names: by which a field takes them; none where a relationship says so.
        :param first: the position of the object among the values of its row; its attributes follow.
            -1: it is not among them.
        """
        loaded = list(map(self.loaded, entities_of(item)))
        cells: dict[str, Cell] = {}
        columns: list[Column] = []
        computed: dict[str, Computed] = {}
        implied = _always_loaded(item, loaded[0].model) if self.defers else set()
        records = AsRecords()
        for key in dict.fromkeys(key for each in loaded for key in (*each.columns, *each.related)):
            if not all(each.may_be_read(key) for each in loaded):
                continue
            cells[key] = cell = Cell(first + 1 + len(cells))
            expression = expression_of(entities_of(item)[0], zero, key)
            column = Column((key,), f"{shown}.{key}", cell, key in implied, expression)
            found = [each.related[key] for each in loaded if key in each.related]
            if found:
                column = _related(*found[0], column, len(found) < len(loaded), records)
            columns.append(column)
        for each in loaded:
            columns += [
                # always None; a class needs no field for it
                Column((key,), f"{shown}.{key}", None, True)
                for key in each.unset
                if key not in cells
            ]
            for key, made in each.composites.items():
                if cells.keys() >= set(made.parts):
                    parts = tuple(cells[part] for part in made.parts)
                    computed.setdefault(key, Computed(key, made.build, made.parts, parts))
        structure = Structure(
            shown=shown,
            names=tuple(names),
            item=item,
            model=loaded[0].model if zero is None else zero.mapper.class_,
            entity=zero,
            columns=tuple(columns),
            computed=tuple(computed.values()),
            identity=(Cell(first),),
        )
        lacking = {key for key in cells if not all(each.has(key) for each in loaded)}
        return ObjectShape(structure, tuple(cells), len(loaded) > 1, frozenset(lacking), records)

    def loaded(self, entity: Entity) -> _Loaded:
        found = _Loaded(
            entity.naked.model,
            {attribute.key: None for attribute in entity.attributes},
            frozenset(entity.naked.unset),
            {composite.key: composite for composite in entity.composites},
            {joined.key: (self, joined) for joined in entity.joined},
        )
        for later in entity.later:
            if isinstance(later, Later):
                found.related[later.key] = self, later
                continue
            below, item = self.compiled(self.further.class_statement_for(later), self.depths)
            for each in map(below.loaded, entities_of(item)):
                found.columns |= each.columns
                found.composites |= each.composites
                found.related |= each.related
        return found

    def later(self, later: Later, shown: str) -> ObjectShape:
        """The shape of the objects that a further statement will load."""
        info = relationships.select_in_info(later.prop, by_child=False)
        depths = self.depths
        if later.depth is not None:
            depths = {**depths, later.prop: next_depth(later.depth)}
        below, item = self.compiled(self.further.statement_for(later, info), depths)
        return below.object_shape(item, shown, (), None, -1)

    def compiled(self, statement: Any, depths: Mapping[Any, int]) -> tuple[ShapeReader, Any]:
        """A further statement, and the entity that it loads."""
        compiled = statement.compile(dialect=self.dialect)
        state, _ = compile_states.entity_state(compiled) or (None, False)
        plan = plan_of(state, compile_states.CompiledMetadata(compiled), True, depths)
        reader = ShapeReader(self.dialect, state, statement, self.parameters, depths)
        return reader, plan.items[-1]


class _ItemReader(RowReader):
    """Reads the items of a row, whose values are those of :class:`ObjectShape`, side by side."""

    def __init__(self, reader: ShapeReader) -> None:
        super().__init__(reader.state)
        self.reader = reader
        self.objects: list[ObjectShape | None] = []
        self.width = 0

    def row_item(self, entity: Any, item: Item) -> RowItem:
        if isinstance(item, Value):
            item = item._replace(cell=Cell(self.width))
        if not isinstance(item, Entity | Polymorphic):
            self.objects.append(None)
            self.width += 1
        return super().row_item(entity, item)

    def bundle(self, entity: Any, item: Group) -> Structure:
        raise UnsupportedOption(
            f"Bundle {item.name!r} stands beside an entity whose relationships are loaded with it, "
            f"and only entities and columns can. Select the columns of the bundle one by one."
        )

    def entity(self, entity: Any, item: Entity | Polymorphic) -> Structure:
        shown, names = self.names(entity)
        shape = self.reader.object_shape(item, shown, names, entity.entity_zero, self.width)
        self.objects.append(shape)
        self.width += 1 + len(shape.keys)
        return shape.structure


def _related(
    reader: ShapeReader, found: Joined | Later, column: Column, partial: bool, records: AsRecords
) -> RelatedColumn:
    if isinstance(found, Later):
        shape = _Lazily(lambda: reader.later(found, column.shown))
    else:
        shape = _Lazily(lambda: reader.object_shape(found.target, column.shown, (), None, -1))
    endless = found.prop if isinstance(found, Later) and found.depth == UNLIMITED else None
    return RelatedColumn(
        column.names,
        column.shown,
        column.cell,
        collection=found.collection,
        shape=shape,
        partial=partial,
        endless=endless,
        later=found if isinstance(found, Later) else None,
        records=records,
    )


class _Lazily:
    """Reads a shape when it is first asked for: a field may not want it."""

    __slots__ = ("made", "make")

    def __init__(self, make: Callable[[], ObjectShape]) -> None:
        self.make = make
        self.made: ObjectShape | None = None

    def __call__(self) -> ObjectShape:
        if self.made is None:
            self.made = self.make()
        return self.made


def _always_loaded(item: Item, model: Any) -> set[str]:
    """The attributes that no option leaves out: the primary key and the discriminator."""
    mapper: Any = inspect(model)
    columns = [*mapper.primary_key]
    if isinstance(item, Polymorphic) and mapper.polymorphic_on is not None:
        columns.append(mapper.polymorphic_on)
    return {mapper.get_property_by_column(column).key for column in columns}
