"""Mapped classes and their instances."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, inspection
from sqlalchemy.orm import make_transient_to_detached, mapperlib
from sqlalchemy.orm.attributes import set_committed_value

from naked_sqla.exception import InvalidStatement

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper


# Where an instance of the ORM keeps its state, in its own __dict__.
INSTANCE_STATE = "_sa_instance_state"


def affinity(type_: Any) -> Any:
    """The generic type that a type is one of: ``Integer``, ``String``, and so on."""
    return type_._type_affinity


def register_inspection(cls: type, function: Callable[[Any], Any]) -> None:
    """Make ``sqlalchemy.inspect()`` of instances of a class call a function."""
    inspection._inspects(cls)(function)


def detached(model: type[Any], values: Mapping[str, Any]) -> Any:
    """A stock, detached instance of a mapped class, with the column attributes among values."""
    mapper = inspect(model)
    instance = mapper.class_manager.new_instance()
    for attribute in mapper.column_attrs:
        if attribute.key in values:
            set_committed_value(instance, attribute.key, values[attribute.key])
    fire_mutable_load(instance)
    make_transient_to_detached(instance)
    return instance


def state_of(instance: Any) -> Any:
    """The state of an ORM instance, which keeps the instance alive."""
    state: Any = inspect(instance)
    state._strong_obj = instance
    return state


def class_manager_item(mapper: Mapper[Any]) -> tuple[str, Any]:
    """The class attribute by which SQLAlchemy finds the mapping of a class."""
    return "_sa_class_manager", mapper.class_manager


def mutable_coercions(mapper: Mapper[Any]) -> Iterator[tuple[str, Callable[[str, Any], Any]]]:
    """Attribute key and ``coerce`` of each ``Mutable.as_mutable()`` type of a mapping.

    ``sqlalchemy.ext.mutable`` keeps them in the closure of a "load" listener only.
    """
    for listener in mapper.class_manager.dispatch.load:
        function = getattr(listener, "__wrapped__", listener)
        if getattr(function, "__module__", None) != "sqlalchemy.ext.mutable":
            continue
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        if {"cls", "key", "coerce"} <= cells.keys() and cells["coerce"].cell_contents:
            yield cells["key"].cell_contents, cells["cls"].cell_contents.coerce


def reconstructor(mapper: Mapper[Any]) -> Callable[[Any], Any] | None:
    """The ``@reconstructor`` method of a mapped class, or None."""
    method: Callable[[Any], Any] | None = getattr(mapper, "_reconstructor", None)
    return method


def composite_factory(prop: Any) -> Callable[..., Any]:
    """The function that builds a composite (2.1: gives None where ``return_none_on`` says so)."""
    factory: Callable[..., Any] = (
        getattr(prop, "_construct_composite", None) or prop.composite_class
    )
    return factory


def composite_keys(prop: Any) -> tuple[str, ...]:
    """The column attributes of a composite, in the order of its constructor."""
    return tuple(prop._attribute_keys)


def composite_values(prop: Any, value: Any) -> tuple[Any, ...]:
    """The column values of a composite value.

    :raises InvalidStatement: it has not the attributes that the composite's class has.
    """
    try:
        return tuple(prop._composite_values_from_instance(value))
    except AttributeError as error:
        made = getattr(prop.composite_class, "__qualname__", prop.composite_class)
        raise InvalidStatement(
            f"{prop.key!r} is a composite of {made}, got {value!r}. Pass one of these, or None."
        ) from error


def discriminator(mapper: Mapper[Any]) -> tuple[str, Any] | None:
    """Attribute key and value that an INSERT of this class sets, as the ORM's bulk insert does."""
    if mapper._set_polymorphic_identity is None:
        return None
    return str(mapper._polymorphic_attr_key), mapper.polymorphic_identity


def type_on(database: str, type_: Any) -> Any:
    """The type that a column has on a database: its variant; a decorator stays what it is."""
    return type_._variant_mapping.get(database, type_)


def written_tables(mapper: Mapper[Any]) -> Iterator[tuple[Any, dict[str, Any], tuple[Any, ...]]]:
    """Each table of a class, parents first: itself, attribute key -> column, its primary key."""
    for table in sorted_tables(mapper):
        if mapper._pks_by_table.get(table):
            attributes = {
                str(mapper._columntoproperty[column].key): column
                for column in mapper._cols_by_table[table]
            }
            yield table, attributes, tuple(mapper._pks_by_table[table])


def sorted_tables(mapper: Mapper[Any]) -> Sequence[Any]:
    """The tables of a hierarchy, each after those that it refers to."""
    tables: Sequence[Any] = tuple(mapper.base_mapper._sorted_tables)
    return tables


def inherited_keys(mapper: Mapper[Any], table: Any) -> Iterator[tuple[str, str]]:
    """Attributes whose value, once a row of ``table`` has it, is that of a subclass's key too."""
    for owner, pairs in mapper._table_to_equated[table]:
        for parent, child in pairs:
            properties = owner._columntoproperty
            yield str(properties[parent].key), str(properties[child].key)


def attribute_of(mapper: Mapper[Any], column: Any) -> str | None:
    """The key of the attribute that holds a column, or None."""
    found = mapper._columntoproperty.get(column)
    return None if found is None else str(found.key)


def orm_defaults(mapper: Mapper[Any], table: Any) -> Iterator[tuple[str, Any]]:
    """Dataclass defaults that no column default delivers (2.1 keeps them out of the instance)."""
    for key, _, value in getattr(mapper, "_insert_orm_defaults", {}).get(table, ()):
        yield str(key), value


def counts_versions(mapper: Mapper[Any]) -> bool:
    """True when the next version of a row is the number after the last."""
    if mapper.version_id_col is None or mapper.version_id_generator is False:
        return False
    generator: Any = mapper.version_id_generator
    return getattr(generator, "__module__", None) == "sqlalchemy.orm.mapper"


def relationship_being_set() -> Any:
    """The relationship that is just taking an object, whose state SQLAlchemy asks for, or None.

    The descriptor that answers for the state calls it.  SQLAlchemy has no other way to tell the
    relationship: it stands in the variables of the function that keeps both sides alike.
    """
    frame = sys._getframe(1).f_back
    if frame is None or not frame.f_code.co_name.startswith("emit_backref_from_"):
        return None
    state, initiator = frame.f_locals.get("state"), frame.f_locals.get("initiator")
    mapper, key = getattr(state, "mapper", None), getattr(initiator, "key", None)
    return None if mapper is None or key is None else mapper.relationships.get(key)


def fire_mutable_load(instance: Any) -> None:
    """Tell mutable values of an instance whose they are, as the ORM's loader does."""
    state = instance._sa_instance_state
    for listener in state.manager.dispatch.load:
        function = getattr(listener, "__wrapped__", listener)
        if getattr(function, "__module__", None) == "sqlalchemy.ext.mutable":
            function(state)


def query_expressions(mapper: Mapper[Any]) -> Iterator[tuple[Any, bool]]:
    """Each ``query_expression()`` of a class, and whether it has a ``default_expr``."""
    for prop in mapper.column_attrs:
        if ("query_expression", True) in prop.strategy_key:
            strategy: Any = prop._get_strategy(prop.strategy_key)
            yield prop, strategy._have_default_expression


def deferred_keys(instance: Any) -> set[str]:
    """The attributes of an ORM instance that reading would load."""
    state = instance._sa_instance_state
    return {*state.callables, *state.expired_attributes}


def instance_values(instance: Any) -> dict[str, Any]:
    """Attribute key -> value, for all that an instance of the ORM has loaded or was given."""
    values: dict[str, Any] = instance._sa_instance_state.dict
    return values


def _mappers() -> list[Mapper[Any]]:
    # registry.mappers fails where an AbstractConcreteBase is not configured yet
    return [
        manager.mapper
        for registry in mapperlib._all_registries()
        for manager in registry._managers
        if manager.is_mapped
    ]


# Nor is there a way from the name of a table to its classes.
def attributes_of(table: str, column: str, fits: Callable[[Any], bool]) -> set[str]:
    """The attributes that mapped classes have for a column, all by their names.

    :param fits: False for a table of this name that is not meant.
    """
    return {
        str(mapper._columntoproperty[of].key)
        for mapper in _mappers()
        for candidate in mapper.tables
        if candidate.name == table and fits(candidate)
        for of in candidate.columns
        if of.name == column and of in mapper._columntoproperty
    }


def mappers_on(table: Any) -> list[Mapper[Any]]:
    """The mappers of a table; of an association table those that it relates.

    There is no public way from a table to its classes.
    """
    mappers = _mappers()
    found = [mapper for mapper in mappers if mapper.local_table == table]
    found = found or [mapper for mapper in mappers if table in mapper.tables]
    if found or table.info or table.metadata.info:
        return found
    return [
        mapper
        for mapper in mappers
        if any(prop.secondary == table for prop in mapper.relationships)
    ]


def column_of(model: type[Any], key: str) -> Any:
    """The column, or the expression, that a column attribute stands for."""
    return inspect(model).column_attrs[key].columns[0]
