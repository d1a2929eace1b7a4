"""Statements that return rows: ORM compile state -> plan.

The ORM's compile state says what the columns of a statement mean; this module reads it the way the
ORM's own loader does (``sqlalchemy.orm.loading``), and writes down a :class:`~.plan.Plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import ColumnProperty

from naked_sqla import _compat
from naked_sqla.om.hydrator import hydrator
from naked_sqla.om.naked import naked_class
from naked_sqla.om.plan import (
    Attribute,
    Cell,
    Composite,
    Constant,
    Entity,
    Group,
    Item,
    Plan,
    Polymorphic,
    Value,
    Variant,
)
from naked_sqla.om.result import Keys, Loader, identity_of, to_result, unhashable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result
    from sqlalchemy.engine import CursorResult
    from sqlalchemy.orm import Mapper

__all__ = ("empty_result", "entity_result", "keys_of", "plan_of")

# plans of one compiled statement differ only where a driver tells column types per execution
_PLANS_PER_STATEMENT = 8


class _Loaders:
    """The loaders of one compiled statement; kept with it, and gone with it."""

    __slots__ = ("by_plan", "current", "keys", "polymorphic")

    def __init__(self, state: Any) -> None:
        self.keys = keys_of(state)
        self.polymorphic = [
            entity.mapper.polymorphic_map
            for entity in _compat.entities_of(state)
            if isinstance(entity, _compat.MapperEntity) and entity.mapper.polymorphic_map
        ]
        # one value, since two threads may load the same statement
        self.current: tuple[Any, tuple[Any, ...], Loader] | None = None
        self.by_plan: dict[Plan, Loader] = {}

    def find(self, state: Any, metadata: Any, raw: bool) -> Loader:
        """The loader for a metadata, which SQLAlchemy mostly caches too."""
        # a subclass mapped after the statement was compiled is a variant that the plan lacks
        stamp = (raw, *map(len, self.polymorphic))
        current = self.current
        if current is not None and current[0] is metadata and current[1] == stamp:
            return current[2]
        plan = plan_of(state, metadata, raw)
        loader = self.by_plan.get(plan)
        if loader is None:
            fixed = self.keys.metadata(()) if self.keys.is_fixed else None
            loader = Loader(hydrator(plan), self.keys, plan.scalar, fixed)
            if len(self.by_plan) >= _PLANS_PER_STATEMENT:
                self.by_plan.clear()
            self.by_plan[plan] = loader
        self.current = metadata, stamp, loader
        return loader


def entity_result(result: CursorResult[Any], statement: Any) -> Result[Any]:
    """The result of a statement, with its entities as naked objects.

    :param result: the fresh cursor result of ``statement``; it is read to its end.
    :param statement: the statement as the caller passed it.
    :return: ``result`` itself, buffered, when its rows hold no entities.
    :raises ConversionError: a value can't be converted by the type of its column.
    """
    found = _compat.entity_state(result)
    if found is None:
        if result.returns_rows:
            _compat.buffer_rows(result)
        return result
    state, is_dml = found
    cache = _compat.state_cache(state)
    loaders: _Loaders | None = cache.get(_Loaders)
    if loaders is None:
        loaders = cache[_Loaders] = _Loaders(state)
    raw = _compat.is_raw_readable(result)
    loader = loaders.find(state, _compat.metadata_of(result), raw)
    rows = loader.hydrate(_compat.raw_rows(result) if raw else result.all())
    metadata = loader.metadata
    if metadata is None:
        columns = _compat.translation_columns(state, statement, is_dml)
        metadata = loader.keys.metadata(columns)
    return to_result(rows, metadata, loader.scalar)


def empty_result(conn: Connection, statement: Any) -> Result[Any]:
    """The result of a DML statement that runs for no parameters at all: its keys, and no rows."""
    if not _compat.returning_columns(statement):
        return _compat.null_result()
    compiled = statement.compile(dialect=conn.dialect)
    state = _compat.compiled_entity_state(compiled)
    if state is None:
        columns = _compat.selected_columns(statement)
        labels = tuple(str(column.key) for column in columns)
        keys = Keys(
            labels, tuple((c,) for c in columns), (None,) * len(labels), (None,) * len(labels)
        )
        return to_result([], keys.metadata(()), scalar=False)
    keys = keys_of(state)
    metadata = keys.metadata(_compat.translation_columns(state, statement, is_dml=True))
    entities = _compat.entities_of(state)
    return to_result([], metadata, len(entities) == 1 and entities[0].supports_single_entity)


def keys_of(state: Any) -> Keys:
    """By what the items of a statement's rows are found."""
    entities = _compat.entities_of(state)
    return Keys(
        labels=tuple(_compat.label_of(entity) for entity in entities),
        extra=tuple(_compat.extra_keys(entity) for entity in entities),
        invoked=tuple(_compat.invoked_key_index(entity) for entity in entities),
        unique=tuple(_unique_key(entity) for entity in entities),
    )


def _unique_key(entity: Any) -> Callable[[Any], Any] | None:
    if isinstance(entity, _compat.MapperEntity):
        return identity_of(entity.mapper)
    if isinstance(entity, _compat.BundleEntity):
        return None
    return unhashable(entity.column.type)


def plan_of(state: Any, metadata: Any, raw: bool = True) -> Plan:
    """What the rows of a statement mean.

    :param state: the ORM compile state of the statement.
    :param metadata: the metadata of its cursor result, which knows the position of each column.
    :param raw: True for rows as the driver gives them, False for rows that SQLAlchemy has
        converted.
    """
    processors = _compat.processors_of(metadata)
    if not raw:
        processors = (None,) * len(metadata.keys)
    reader = _Reader(state, metadata, processors)
    entities = _compat.entities_of(state)
    return Plan(
        width=len(processors),
        items=tuple(reader.item(entity) for entity in entities),
        scalar=len(entities) == 1 and entities[0].supports_single_entity,
    )


class _Reader:
    """Reads one compile state; mirrors ``sqlalchemy.orm.loading._instance_processor``."""

    def __init__(self, state: Any, metadata: Any, processors: tuple[Any, ...]) -> None:
        self.state = state
        self.metadata = metadata
        self.processors = processors

    def item(self, entity: Any) -> Item:
        if isinstance(entity, _compat.MapperEntity):
            return self.entity(entity)
        if isinstance(entity, _compat.BundleEntity):
            return self.bundle(entity)
        name = _compat.label_of(entity)
        if isinstance(entity, _compat.IdentityTokenEntity):
            return Constant(str(name))
        column = _compat.column_of(self.state, entity)
        return Value(str(name), self.cell(column))

    def cell(self, column: Any) -> Cell:
        index = _compat.position_of(self.metadata, column, required=True)
        return self.cell_at(index or 0)

    def cell_at(self, index: int) -> Cell:
        return Cell(index, self.processors[index])

    def bundle(self, entity: Any) -> Group:
        parts = _compat.sub_entities(entity)
        labels = tuple(_compat.label_of(part) for part in parts)
        getters = tuple(itemgetter(position) for position in range(len(parts)))
        build = entity.bundle.create_row_processor(self.state.select_statement, getters, labels)
        return Group(_compat.label_of(entity), tuple(self.item(part) for part in parts), build)

    def entity(self, entity: Any) -> Entity | Polymorphic:
        mapper = entity.mapper
        adapter = _compat.entity_adapter(self.state, entity)
        column = _compat.polymorphic_column(entity)
        if not mapper.polymorphic_map or column is None:
            return self.one_class(entity, mapper, adapter)
        discriminator = column if adapter is None else adapter.columns[column]
        return Polymorphic(
            name=mapper.class_.__name__,
            column=str(column),
            discriminator=self.cell(discriminator),
            identity=self.identity(mapper, adapter),
            variants=tuple(
                Variant(
                    value,
                    self.one_class(entity, sub, adapter) if sub.isa(mapper) else None,
                    str(sub),
                )
                for value, sub in mapper.polymorphic_map.items()
            ),
            partial=mapper.allow_partial_pks,
        )

    def identity(self, mapper: Mapper[Any], adapter: Any) -> tuple[Cell, ...]:
        return tuple(
            self.cell(column if adapter is None else adapter.columns[column])
            for column in mapper.primary_key
        )

    def one_class(self, entity: Any, mapper: Mapper[Any], adapter: Any) -> Entity:
        coercions = dict(_compat.mutable_coercions(mapper))
        attributes = tuple(
            Attribute(prop.key, self.cell_at(index), coercions.get(prop.key))
            for prop, index in self.loaded_columns(entity, mapper, adapter)
        )
        loaded = {attribute.key for attribute in attributes}
        composites = tuple(
            Composite(prop.key, _compat.composite_keys(prop), _compat.composite_factory(prop))
            for prop in mapper.composites
            if loaded.issuperset(_compat.composite_keys(prop))
        )
        keys = (*(item.key for item in attributes), *(item.key for item in composites))
        return Entity(
            naked=naked_class(mapper, keys),
            identity=self.identity(mapper, adapter),
            attributes=attributes,
            composites=composites,
            partial=mapper.allow_partial_pks,
            reconstructor=_compat.reconstructor(mapper),
        )

    def loaded_columns(
        self, entity: Any, mapper: Mapper[Any], adapter: Any
    ) -> Iterator[tuple[ColumnProperty[Any], int]]:
        """The column attributes that the statement loads, and where they stand in a row."""
        setups = _compat.memoized_setups(self.state, entity)
        for prop in mapper.attrs:
            if not isinstance(prop, ColumnProperty) or not prop.instrument:
                continue
            index = None
            if prop in setups:
                column = setups[prop]
                if column is None:
                    continue
                index = self.find(column, adapter)
            if index is None:
                index = _compat.probe_position(
                    prop, self.state, entity, mapper, self.metadata, adapter
                )
            if index is not None:
                yield prop, index

    def find(self, column: Any, adapter: Any) -> int | None:
        if adapter is not None:
            adapted = adapter.columns[column]
            if adapted is not None:
                index = _compat.position_of(self.metadata, adapted)
                if index is not None:
                    return index
        return _compat.position_of(self.metadata, column)
