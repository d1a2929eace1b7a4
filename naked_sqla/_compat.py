"""The only door to private or version-dependent SQLAlchemy names, each with its reason.

Nothing else in the package may import an underscored SQLAlchemy name, or read an underscored
attribute of an SQLAlchemy object.  When a SQLAlchemy release moves one of these, this module is
the one to mend, and ``tests/test_public.py`` says which name is gone.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy.util
from sqlalchemy import and_, inspect, inspection
from sqlalchemy.engine import result as _result
from sqlalchemy.engine.interfaces import BindTyping
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Load, mapperlib
from sqlalchemy.orm import base as _orm_base
from sqlalchemy.orm import context as _context
from sqlalchemy.orm import util as _orm_util

# The row item kinds of an ORM statement: what a result column or group of columns means.
from sqlalchemy.orm.context import FromStatement as FromStatement
from sqlalchemy.orm.context import _BundleEntity as BundleEntity
from sqlalchemy.orm.context import _IdentityTokenEntity as IdentityTokenEntity
from sqlalchemy.orm.context import _MapperEntity as MapperEntity
from sqlalchemy.sql import elements as _elements
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import WARN_LINTING
from sqlalchemy.sql.functions import GenericFunction, next_value

from naked_sqla.exception import InvalidStatement

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import CursorResult, Result
    from sqlalchemy.orm import Mapper
    from sqlalchemy.orm.interfaces import MapperProperty

# 2.1 put an underscore before the ORM compile states; the classes are the same.
_any_context: Any = _context
ORMCompileState: Any = getattr(_any_context, "_ORMCompileState", None) or (
    _any_context.ORMCompileState
)

# What the ORM notes for a column attribute that a statement leaves out (deferred, raising).
_NOT_IN_ROW = (
    _orm_base._DEFER_FOR_STATE,
    _orm_base._RAISE_FOR_STATE,
    _orm_base._SET_DEFERRED_EXPIRED,
)

# The metadata and result classes the ORM itself builds its results from.
SimpleResultMetaData: Any = _result.SimpleResultMetaData
IteratorResult: Any = _result.IteratorResult
ChunkedIteratorResult: Any = _result.ChunkedIteratorResult

# 2.1 takes a factory for the uniqueness filters, 2.0 the filters.
_FILTERS_BY_FACTORY = "_create_unique_filters" in _result.SimpleResultMetaData.__slots__

# Stops a result from remapping its columns to the invoked statement: our plan belongs to the
# cached one (the ORM session sets the same option).
_ORM_EXECUTION_OPTIONS: Any = _context._orm_load_exec_options

# The annotation by which Session.execute() tells the compiler how an ORM INSERT is meant.
_ORM_INSERT = {"dml_strategy": "orm"}


# ---------------------------------------------------------------- statements


def orm_options(options: Mapping[str, Any] | None) -> Any:
    """Execution options for a statement whose entities are loaded from its cached compiled form."""
    return _ORM_EXECUTION_OPTIONS.union(options) if options else _ORM_EXECUTION_OPTIONS


def is_executable(statement: Any) -> bool:
    """True for what ``Connection.execute`` takes: statements, functions, DDL, sequences."""
    return (
        not isinstance(statement, type)
        and hasattr(statement, "_execute_on_connection")
        # a lambda statement has no such flag in early 2.0 releases
        and (getattr(statement, "supports_execution", False) or hasattr(statement, "_resolved"))
    )


def raw_columns(statement: Any) -> Sequence[Any]:
    """What the caller put into ``select()``, unexpanded; empty for other statements."""
    columns: Sequence[Any] = getattr(statement, "_raw_columns", ())
    return columns


def is_orm_statement(statement: Any) -> bool:
    """True when a mapped entity in the statement makes the ORM compile it."""
    return bool(getattr(statement, "_propagate_attrs", {}).get("compile_state_plugin") == "orm")


def subject_mapper(statement: Any) -> Mapper[Any] | None:
    """The mapper of the table that an ORM INSERT, UPDATE or DELETE is about."""
    entity = statement.table._annotations.get("parententity")
    mapper: Mapper[Any] | None = None if entity is None else entity.mapper
    return mapper


def as_orm_insert(statement: Any) -> Any:
    """The INSERT annotated as ``Session.execute()`` does it, so that its RETURNING has entities."""
    return statement._annotate(_ORM_INSERT)


def values_of(statement: Any) -> Iterator[Mapping[Any, Any]]:
    """The dictionaries given to ``values()``, as SQLAlchemy keeps them."""
    if getattr(statement, "_values", None):
        yield statement._values
    for block in getattr(statement, "_multi_values", ()):
        for item in block:
            if isinstance(item, Mapping):
                yield item


def has_where(statement: Any) -> bool:
    """True when ``where()`` was called on an UPDATE or DELETE."""
    return bool(statement._where_criteria)


def has_values(statement: Any) -> bool:
    """True when an INSERT or UPDATE has its values in the statement itself."""
    return bool(
        getattr(statement, "_values", None)
        or getattr(statement, "_multi_values", ())
        or getattr(statement, "_ordered_values", None)
        or getattr(statement, "select", None) is not None
    )


def returning_columns(statement: Any) -> Sequence[Any]:
    """What the caller put into ``returning()``."""
    columns: Sequence[Any] = statement._returning
    return columns


def selected_columns(statement: Any) -> Sequence[Any]:
    """What a statement returns, expanded to columns."""
    columns: Sequence[Any] = tuple(statement._all_selected_columns)
    return columns


def bind_names(statement: Any) -> frozenset[str]:
    """The names that the caller gave to bound parameters of a statement."""
    return frozenset([bind.key for bind in _binds(statement) if not bind.unique])


def required_names(statement: Any) -> frozenset[str]:
    """The names among :func:`bind_names` that have no value of their own."""
    return frozenset([bind.key for bind in _binds(statement) if not bind.unique and bind.required])


def count_binds(statement: Any, name: str) -> int:
    """How many bound parameters of a statement the caller gave this name."""
    return sum(1 for bind in _binds(statement) if bind.key == name and not bind.unique)


def knows_binds(statement: Any, parameters: Mapping[str, Any]) -> bool:
    """True when each parameter names a bound parameter, as :func:`bind_names` has them; quick."""
    binds = _binds(statement)
    for name in parameters:
        for bind in binds:
            if bind.key == name and not bind.unique:
                break
        else:
            return False
    return True


def _binds(statement: Any) -> Sequence[Any]:
    statement = getattr(statement, "_resolved", statement)
    # Connection.execute() makes the same key a moment later, and it is memoized
    cache_key = statement._generate_cache_key()
    if cache_key is None:
        return [e for e in visitors.iterate(statement) if e.__visit_name__ == "bindparam"]
    binds: Sequence[Any] = cache_key.bindparams
    return binds


# ---------------------------------------------------------------- compile state


def entity_state(result: CursorResult[Any]) -> tuple[Any, bool] | None:
    """The ORM compile state that knows the entities of a result, and whether it came from DML.

    :return: ``None`` when the rows are plain rows (Core, text, compounds, ``*``).
    """
    state = getattr(result.context.compiled, "compile_state", None)
    if isinstance(state, ORMCompileState):
        found, is_dml = state, False
    else:
        found, is_dml = getattr(state, "from_statement_ctx", None), True
    if found is None or found.compile_options._is_star:
        return None
    return found, is_dml


def compiled_entity_state(compiled: Any) -> Any:
    """The compile state with the entities of a compiled ORM INSERT with RETURNING, or None."""
    return getattr(compiled.compile_state, "from_statement_ctx", None)


def entities_of(state: Any) -> Sequence[Any]:
    """The row items of an ORM statement, in order."""
    entities: Sequence[Any] = state._entities
    return entities


def entity_path(entity: Any) -> Any:
    """Where options for an entity of a statement are found."""
    return entity.path


def state_cache(state: Any) -> dict[Any, Any]:
    """Where the ORM keeps what it derived from a compiled statement; it lives as long as that."""
    attributes: dict[Any, Any] = state.attributes
    return attributes


def memoized_setups(state: Any, path: Any) -> Mapping[Any, Any]:
    """Column attribute -> the column it is fetched from; None when the statement leaves it out."""
    setups = path.get(state.attributes, "memoized_setups", {})
    return {
        prop: None if any(column is symbol for symbol in _NOT_IN_ROW) else column
        for prop, column in setups.items()
    }


def entity_adapter(state: Any, entity: Any) -> Any:
    """What translates the mapper's columns to those of the statement (aliases), or None."""
    adapter = entity._get_entity_clauses(state)
    nested = state.compound_eager_adapter
    if nested is None:
        return adapter
    return adapter.wrap(nested) if adapter else nested


def polymorphic_column(entity: Any) -> Any:
    """The discriminator of an entity: of its ``with_polymorphic`` or of its mapper, or None."""
    column = entity._polymorphic_discriminator
    return entity.mapper.polymorphic_on if column is None else column


class _Probe:
    """Answers the ORM's row processors with positions instead of getters."""

    def __init__(self, metadata: Any) -> None:
        self._metadata = metadata

    def _getter(self, column: Any, raiseerr: bool = True) -> Any:
        index = self._metadata._index_for_key(column, raiseerr)
        return None if index is None else _Position(index)


class _Position:
    def __init__(self, index: int) -> None:
        self.index = index


class _ProbeContext:
    """As much of a QueryContext as a column's loader strategy looks at."""

    refresh_state = None

    def __init__(self, state: Any) -> None:
        self.compile_state = state
        self.attributes = state.attributes
        self.query = state.select_statement


def probe_position(
    prop: MapperProperty[Any], state: Any, node: Any, mapper: Any, metadata: Any
) -> int | None:
    """Where the ORM's own loader strategy finds a column attribute in a row; None: nowhere.

    :param node: has ``entity``, ``path`` and ``adapter`` of what the attribute is loaded for.
    """
    populators: dict[str, list[tuple[str, Any]]] = {
        name: [] for name in ("new", "quick", "deferred", "expire", "existing", "eager")
    }
    prop.create_row_processor(
        _ProbeContext(state),  # type: ignore[arg-type]
        node.entity,
        node.path,
        mapper,
        _Probe(metadata),  # type: ignore[arg-type]
        node.adapter,
        populators,
    )
    for _, getter in populators["quick"]:
        if isinstance(getter, _Position):
            return getter.index
    return None


def column_of(state: Any, entity: Any) -> Any:
    """The column that a column item of a row is fetched from (as ``_ColumnEntity`` decides)."""
    column = entity._fetch_column
    if column is None:
        column = entity.column
        if state._from_obj_alias:
            column = state._from_obj_alias.columns[column]
        if column._annotations:
            column = column._deannotate()
    if state.compound_eager_adapter:
        column = state.compound_eager_adapter.columns[column]
    return column


def label_of(entity: Any) -> str:
    """The key of a row item."""
    label: str = entity._label_name
    return label


def sub_entities(entity: Any) -> Sequence[Any]:
    """The items of a bundle."""
    entities: Sequence[Any] = entity._entities
    return entities


def extra_keys(entity: Any) -> tuple[Any, ...]:
    """What a row item can be looked up by in ``row._mapping``, besides its key."""
    extra: tuple[Any, ...] = entity._extra_entities
    return extra


def is_aliased(entity: Any) -> bool:
    """True for a row item that belongs to an ``aliased()`` class."""
    found = getattr(entity, "entity_zero", None)
    return found is not None and found.is_aliased_class


def alias_keys(column: Any) -> tuple[Any, ...]:
    """What an item of ``select()`` that belongs to an alias can be looked up by in a row."""
    annotations = column._annotations
    entity, key = annotations.get("parententity"), annotations.get("proxy_key")
    if entity is None:
        return ()
    return (entity.entity if key is None else getattr(entity.entity, key),)


def invoked_key_index(entity: Any) -> int | None:
    """The position in the *invoked* statement's columns of an ad-hoc expression.

    The expression object differs between two executions of one cached statement, and
    ``row._mapping[expression]`` has to find the one in hand.
    """
    if not getattr(entity, "translate_raw_column", False):
        return None
    index: int = entity.raw_column_index
    return index


def translation_columns(state: Any, statement: Any, is_dml: bool) -> Sequence[Any]:
    """The columns that :func:`invoked_key_index` counts in."""
    return raw_columns(state.select_statement if is_dml else statement)


# ---------------------------------------------------------------- results


def metadata_of(result: Any) -> Any:
    """The metadata of a cursor result; SQLAlchemy caches it on the compiled statement."""
    return result._metadata


def position_of(metadata: Any, column: Any, required: bool = False) -> int | None:
    """Where a column stands in a row; None when it does not, or an error when it is required."""
    index: int | None = metadata._index_for_key(column, required)
    return index


def processors_of(metadata: Any, sentinels: int = 0) -> tuple[Callable[[Any], Any] | None, ...]:
    """The result processor of each column of a driver row.

    :param sentinels: the number of columns at its end that only serve to sort the rows.
    """
    processors = tuple(metadata._processors)
    # 2.1 counts the sentinels in, 2.0 does not
    return processors + (None,) * (len(metadata._keys) + sentinels - len(processors))


def sentinels_of(result: CursorResult[Any]) -> int:
    """The number of columns of a driver row that only serve to sort the rows of an INSERT."""
    return result.context._num_sentinel_cols


def is_raw_readable(result: Any) -> bool:
    """False when SQLAlchemy wants to see the rows itself: echo="debug", rearranged columns."""
    return not result._echo and not result._metadata._translated_indexes


def raw_rows(result: Any) -> Iterable[Any]:
    """All rows as the driver gave them, unprocessed; closes the cursor."""
    rows: Iterable[Any] = result._fetchall_impl()
    return rows


def raw_chunk(result: Any, size: int, raw: bool = True) -> Sequence[Any]:
    """Up to ``size`` further rows, as the driver gives them or converted; empty at the end."""
    rows: Sequence[Any] = result._fetchmany_impl(size) if raw else result.fetchmany(size)
    return rows


def yield_per_of(result: Any) -> int | None:
    """The execution option ``yield_per`` that a cursor result was made with."""
    size: int | None = result.context.execution_options.get("yield_per")
    return size


def buffer_rows(result: CursorResult[Any]) -> None:
    """Fetch the rows of a cursor result now, so that it outlives the transaction."""
    from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

    strategy: Any = result.cursor_strategy
    # no cursor: the rows were SQLAlchemy's own, such as the primary key of an INSERT
    if result.cursor is not None and not isinstance(strategy, FullyBufferedCursorFetchStrategy):
        description = result.cursor.description
        # this closes the cursor, so that nothing touches the connection later on
        rows = strategy.fetchall(result, result.cursor)
        result.cursor_strategy = FullyBufferedCursorFetchStrategy(None, description, rows)


def row_metadata(
    keys: Sequence[str],
    extra: Sequence[tuple[Any, ...]],
    filters: Sequence[Callable[[Any], Any] | None],
) -> Any:
    """Result metadata with one uniqueness filter for each item."""
    if _FILTERS_BY_FACTORY:
        return SimpleResultMetaData(keys, extra, _create_unique_filters=lambda result: filters)
    return SimpleResultMetaData(keys, extra, _unique_filters=filters)


# ---------------------------------------------------------------- relationships


def has_key(metadata: Any, column: Any) -> bool:
    """True when a row has this column."""
    return bool(metadata._has_key(column))


def related_path(path: Any, prop: Any) -> Any:
    """The path of a relationship, below the path of the entity that has it."""
    return path[prop]


def path_entity(path: Any, prop: Any) -> Any:
    """The path of what a relationship leads to, below the path of the relationship."""
    return path[prop.entity]


def loader_of(state: Any, path: Any, prop: Any) -> tuple[dict[str, Any], Any]:
    """How a relationship is to be loaded: the strategy, and the option that asks for it or None.

    As ``StrategizedProperty.create_row_processor`` decides: the option at the path, the wildcard,
    the mapping.
    """
    option = prop._get_context_loader(state, path)
    if option is not None and option.strategy:
        return dict(option.strategy), option
    return dict(prop.strategy_key), option


def eager_is_off(state: Any) -> bool:
    """True for a statement compiled without eager loads."""
    return not state.compile_options._enable_eagerloads


def joined_adapter(state: Any, path: Any, prop: Any, option: Any) -> Any:
    """What translates the columns of a joined relationship to those of the statement.

    :param path: of the relationship.
    :return: False when the statement has no columns for it; None when they are as mapped.
    """
    strategy = prop._get_strategy((("lazy", "joined"),))
    adapter: Any = False
    if option is not None:
        adapter = strategy._init_user_defined_eager_proc(option, state, state.attributes)
    if adapter is False:
        found = path.get(state.attributes, "eager_row_processor")
        return False if found is None else found
    nested = state.compound_eager_adapter
    if nested is None:
        return adapter
    return adapter.wrap(nested) if adapter else nested


def applies_to(path: Any, entity: Any, prop: Any) -> bool:
    """False where a relationship of a subclass is not one of the entity that was asked for."""
    parent = prop.parent
    if len(path) == 1:
        return bool(_orm_util._entity_isa(entity.entity_zero, parent))
    return bool(_orm_util._entity_isa(path[-1], parent) or parent.isa(path[-1].mapper))


def current_path(state: Any) -> Any:
    """The path that a further statement continues; empty for the caller's own."""
    return state.current_path or _orm_util.PathRegistry.root


def further_path(state: Any, path: Any) -> Any:
    """The path of a relationship as seen from the caller's own statement."""
    return current_path(state) + path


def is_deep(statement: Any) -> bool:
    """True for a further statement whose path is too particular for the compiled cache."""
    # Session.execute() draws the same line
    return len(getattr(statement._compile_options, "_current_path", ())) > 10


def is_cycle(state: Any, path: Any, prop: Any) -> bool:
    """True where following relationships that the mapping loads eagerly has to end.

    :param path: of the entity that has the relationship, within its statement.
    """
    if path[prop].contains(state.attributes, "loader"):
        return False
    whole = (current_path(state) + path)[prop]
    if prop.join_depth:
        return bool(whole.length / 2 > prop.join_depth)
    return bool(whole.contains_mapper(prop.mapper))


def option_setting(option: Any, name: str) -> Any:
    """A setting of a loader option (``recursion_depth``, ``chunksize``), or None."""
    return None if option is None else option.local_opts.get(name)


def related_entity(state: Any, path: Any, prop: Any) -> Any:
    """What a relationship leads to: its own target, or the ``of_type()`` of an option.

    :param path: of the relationship.
    """
    chosen = path.get(state.attributes, "path_with_polymorphic", None)
    return prop.entity if chosen is None else inspect(chosen)


# Where an association is there twice, 2.0 gives the related object once for a parent, 2.1 twice.
SELECT_IN_IS_UNIQUE = not hasattr(_result.Result, "_raw_all_tuples")


def select_in(prop: Any) -> Any:
    """What ``selectinload`` knows of a relationship: ``in_expr``, ``pk_cols``, and so on."""
    return prop._get_strategy((("lazy", "selectin"),))


def select_in_info(prop: Any, by_child: bool) -> Any:
    """How the further statement of a relationship finds its rows.

    :param by_child: False when the foreign keys of the parents are not loaded.
    """
    strategy = select_in(prop)
    info = strategy._query_info
    return info if by_child or not info.load_only_child else strategy._fallback_query_info


# prop -> its joined form, which SQLAlchemy keeps for some relationships only
_joined: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def joined_info(prop: Any) -> Any:
    """How the further statement of a relationship finds its rows by a join with the parents."""
    strategy = select_in(prop)
    for info in (strategy._query_info, getattr(strategy, "_fallback_query_info", None)):
        if info is not None and info.load_with_join:
            return info
    found = _joined.get(prop)
    if found is None:
        found = _joined[prop] = strategy._init_for_join()
    return found


def affinity(type_: Any) -> Any:
    """The generic type that a type is one of: ``Integer``, ``String``, and so on."""
    return type_._type_affinity


def parent_alias(prop: Any) -> Any:
    """The alias of the parent class in the joined form of the further statement."""
    return select_in(prop)._parent_alias


def adapt(entity: Any, element: Any) -> Any:
    """A column or criterion in terms of an alias."""
    return entity._adapt_element(element)


def local_attribute(prop: Any, column: Any) -> str | None:
    """The attribute of a relationship's parent class that holds a column of its foreign key."""
    found = prop.parent._columntoproperty.get(column)
    return None if found is None else str(found.key)


def secondary_join(prop: Any, entity: Any) -> Any:
    """The condition between a secondary table and the related entity."""
    condition = prop._join_condition.secondaryjoin
    return entity._adapter.traverse(condition) if entity.is_aliased_class else condition


class LoadContext:
    """As much of a ``QueryContext`` as options need to take the values of the statement in hand.

    A further statement is built from the options of the cached statement, whose paths it fits, with
    the bound values of the invoked one.
    """

    def __init__(self, state: Any, statement: Any) -> None:
        self.compile_state = state
        self.attributes = state.attributes
        self.query = self.user_passed_query = statement


def further_options(context: LoadContext) -> tuple[Any, ...]:
    """The options of a statement, for the further statements that load on its behalf."""
    cached = context.compile_state.select_statement
    if cached is context.query:
        return tuple(cached._with_options)
    return tuple(
        option._adapt_cached_option_to_uncached_option(context, invoked)
        for option, invoked in zip(cached._with_options, context.query._with_options, strict=False)
    )


def options_hold_values(state: Any) -> bool:
    """True when an option carries criteria, whose bound values differ between executions."""
    return any(
        option._is_criteria_option or any(e._extra_criteria for e in getattr(option, "context", ()))
        for option in state.select_statement._with_options
    )


def subclass_loads(state: Any, path: Any, mapper: Any, asked: Any) -> list[Any]:
    """The entities whose own columns a further statement loads for rows of a subclass.

    :param path: of the entity that was asked for.
    :param mapper: of the subclass.
    :param asked: the mapper of the entity that was asked for.
    :return: mappers, or aliases of a ``selectin_polymorphic()`` option.
    """
    chosen = None
    option = state.attributes.get(("loader", path.path))
    if option is not None and dict(option.strategy or ()).get("selectinload_polymorphic"):
        chosen = option.local_opts["entities"]
    via = mapper._should_selectin_load(chosen, asked)
    if via is None or via is asked:
        return []
    if not via.is_mapper:
        return [via]
    found = []
    while via is not None and via is not asked:
        # a statement for a subclass loads what its parents have too
        if chosen or mapper._would_selectin_load_only_from_given_mapper(via):
            found.append(via)
        via = via.inherits
    return found


def subclass_select(context: LoadContext, path: Any, entity: Any, asked: Any) -> Any:
    """The statement of :func:`subclass_loads` for one entity, for ``primary_keys``.

    :param path: of the entity that was asked for, within the statement of ``context``.
    """
    mapper = entity.mapper
    statement, enable, disable = mapper._subclass_load_via_in(entity, asked)
    path = further_path(context.compile_state, path)
    options = further_options(context)
    if path.parent:
        enable, disable = enable._prepend_path(path), disable._prepend_path(path)
    else:
        options = tuple(
            option
            for option in options
            if not isinstance(option, Load)
            or _orm_util._entity_corresponds_to(entity, option.path[0])  # type: ignore[arg-type]
        )
    return continue_path(statement.options(enable, *options, disable), path.parent, False)


def extra_criteria(option: Any, context: LoadContext, entity: Any) -> Any:
    """The ``.and_()`` criteria of a relationship option, as an option of a further statement."""
    if option is None or not option._extra_criteria:
        return None
    return _orm_util.LoaderCriteriaOption(entity, option._generate_extra_criteria(context))


def attribute_target(attribute: Any) -> tuple[Any, Any]:
    """What ``User.posts``, with its ``of_type()``, leads to, and its ``and_()`` as an option."""
    chosen, criteria = attribute._of_type, attribute._extra_criteria
    entity = attribute.property.entity if chosen is None else inspect(chosen)
    if not criteria:
        return entity, None
    return entity, _orm_util.LoaderCriteriaOption(entity, and_(*criteria))


def continue_path(statement: Any, path: Any, recursive: bool) -> Any:
    """The further statement, as the continuation of a path: options for what lies below apply."""
    if recursive:
        path = path._truncate_recursive()
    return statement._set_compile_options(
        ORMCompileState.default_compile_options + {"_current_path": path}
    )


def order_joined(statement: Any, prop: Any) -> Any:
    """The further statement in its joined form, ordered as the relationship says."""

    def order(state: Any) -> None:
        state.eager_order_by += tuple(prop.order_by)

    # named otherwise in early 2.0 releases
    add = getattr(statement, "_add_compile_state_func", None) or statement._add_context_option
    return add(order, prop)


def require_unique(result: Any) -> None:
    """Make a result raise unless ``unique()`` is called, as the ORM does for joined collections."""

    def refuse(obj: Any) -> Any:
        raise InvalidRequestError(
            "The unique() method must be invoked on this Result, as it contains results that "
            "include joined eager loads against collections"
        )

    result._unique_filter_state = (set(), refuse)


def needs_unique(result: Any) -> bool:
    """True for a result that raises unless ``unique()`` is called."""
    return result._unique_filter_state is not None


def collection_appender(collection: Any) -> Callable[[Any], Any]:
    """How a collection of the relationship's own class takes an object that was loaded."""
    append = collection._sa_appender
    return lambda item: append(item, _sa_initiator=False)


def collection_adapter(collection: Any) -> Iterable[Any] | None:
    """What gives the objects of an instrumented collection, whatever its class; None for others."""
    adapter: Iterable[Any] | None = getattr(collection, "_sa_adapter", None)
    return adapter


def collection_factory(prop: Any) -> Callable[[], Any]:
    """What makes an empty collection of a relationship: list, set, dict, or the declared class."""
    factory: Callable[[], Any] = prop.parent.class_manager[prop.key].impl.collection_factory
    return factory


# ---------------------------------------------------------------- mappings


def register_inspection(cls: type, function: Callable[[Any], Any]) -> None:
    """Make ``sqlalchemy.inspect()`` of instances of a class call a function."""
    inspection._inspects(cls)(function)


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
    """What builds the value of a composite (2.1: None where ``return_none_on`` says so)."""
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


def type_on(dialect: Any, type_: Any) -> Any:
    """The type that a column has on a database: its variant; a decorator stays what it is."""
    return type_._variant_mapping.get(dialect.name, type_)


def has_several_tables(mapper: Mapper[Any]) -> bool:
    """True for a class whose rows live in several tables (joined inheritance, mapped joins)."""
    return len(mapper.tables) > 1


def cache_key_of(statement: Any) -> Any:
    """What the statement is known by in the compiled cache: all of it but its values; or None."""
    found = statement._generate_cache_key()
    return None if found is None else found.key


def mappers_in(statement: Any) -> Iterator[Mapper[Any]]:
    """The mappers of what stands in the columns of a SELECT and of those it is made of."""
    for part in visitors.iterate(statement):
        for column in raw_columns(part):
            entity = getattr(column, "_annotations", {}).get("parententity")
            if entity is not None:
                yield entity.mapper


def locks_or_hints(element: Any) -> bool:
    """True for a SELECT with ``FOR UPDATE``, or with text of the caller's in odd places."""
    return getattr(element, "_for_update_arg", None) is not None or any(
        getattr(element, name, ())
        for name in ("_hints", "_statement_hints", "_prefixes", "_suffixes")
    )


def inner_statement(statement: Any) -> Any:
    """The statement inside ``select(...).from_statement(...)``, or None."""
    return statement.element if isinstance(statement, FromStatement) else None


def has_options(statement: Any) -> bool:
    """True for a statement on which ``options()`` was called."""
    return bool(getattr(statement, "_with_options", ()))


def with_inner_options(statement: Any, *options: Any) -> Any:
    """``select(...).from_statement(inner)`` with options added to ``inner``."""
    statement = statement._generate()
    statement.element = statement.element.options(*options)
    return statement


def is_empty_select(statement: Any) -> bool:
    """True for ``select()`` without columns."""
    return hasattr(statement, "_raw_columns") and not statement._raw_columns


def set_rowcount(result: Any, rows: int) -> None:
    """Make ``result.rowcount`` say what several statements affected together."""
    result.context._rowcount = rows
    # reading it once has memoized it
    vars(result).pop("rowcount", None)


def has_sane_rowcount(result: Any, sets: int) -> bool:
    """True when the driver tells how many rows this many parameter sets matched together."""
    dialect = result.context.dialect
    return bool(
        dialect.supports_sane_rowcount if sets == 1 else dialect.supports_sane_multi_rowcount
    )


def null_result(affected: int = 0, keys: Sequence[Any] = ()) -> Result[Any]:
    """A result without rows, of no statement or of several.

    :param affected: how many rows were written.
    :param keys: the primary keys of inserted rows.
    """
    from sqlalchemy.engine.cursor import null_dml_result

    result: Any = null_dml_result()
    result.rowcount = affected
    result.inserted_primary_key_rows = list(keys)
    return result  # type: ignore[no-any-return]


# ---------------------------------------------------------------- sessions

# The greenlet in which SQLAlchemy's drivers may await: 2.1 imports greenlet on first use only.
_concurrency: Any = getattr(sqlalchemy.util.concurrency, "_concurrency_shim", None) or getattr(
    sqlalchemy.util, "_concurrency_py3k", None
)
AsyncIoGreenlet: Any = _concurrency._AsyncIoGreenlet
current_greenlet: Any = _concurrency.getcurrent


def engine_isolation_level(dialect: Any) -> Any:
    """What ``create_engine(isolation_level=...)`` was given; SQLAlchemy has no public reader."""
    return getattr(dialect, "_on_connect_isolation_level", None)


class WayBack:
    """The way of a connection back to its pool, which a cancellation may tear.

    What comes out of ``Connection.close()`` then leaves the pool's record checked out for good.

    :param last: called with the pool's record when all else is set back.
    """

    __slots__ = ("_last", "_pool", "_record", "_torn")

    def __init__(self, conn: Any, last: Callable[[Any], None]) -> None:
        self._last = last
        self._pool = conn.engine.pool
        self._record = getattr(getattr(conn, "_dbapi_connection", None), "_connection_record", None)
        self._torn = False
        if self._record is not None:
            # the finalizers run from the right: this one is the last thing before the return
            self._record.finalize_callback.appendleft(self._arrived)

    def _arrived(self, _connection: Any) -> None:
        self._torn = True
        self._last(self._record)
        self._torn = False

    def give_up(self) -> None:
        """Throw the connection away, unless it has arrived, and free its place in the pool."""
        record = self._record
        # a record whose connection is gone is returned without a call of its finalizers
        if record is None or not (self._torn or self._arrived in record.finalize_callback):
            return
        record.finalize_callback.clear()
        if record.dbapi_connection is not None:
            record.invalidate()
        if record.fairy_ref is not None:
            record.checkin()
        else:
            self._pool._return_conn(record)


def prepares_in_transactions_only(conn: Any) -> bool:
    """True for an asyncpg connection without prepared statements that are kept.

    They are switched off for a pooler such as pgbouncer, which may send what follows PREPARE to
    another server, unless a transaction is open.
    """
    return getattr(conn.connection.dbapi_connection, "_prepared_statement_cache", True) is None


def at_return(conn: Any, reset: Callable[[Any], None]) -> None:
    """Have a pooled connection set back when it returns, whoever returns it.

    Where this fails the connection is thrown away.  SQLAlchemy keeps its own setting back of the
    isolation level in the same place.
    """
    record = conn._dbapi_connection._connection_record

    def back(raw: Any) -> None:
        try:
            reset(raw)
        except Exception:  # noqa: BLE001
            # nobody is to get it as it is
            record.invalidate()

    record.finalize_callback.append(back)


def pool_is_exhausted(pool: Any) -> bool:
    """True when a checkout would wait for a connection to come back rather than make one."""
    limit: int = getattr(pool, "_max_overflow", -1)
    return limit > -1 and pool.checkedin() == 0 and pool.overflow() >= limit


# ---------------------------------------------------------------- rows into other classes


def without_adaption(options: Mapping[str, Any] | None) -> Any:
    """Execution options that leave out the adaption of Core results to the invoked statement.

    Nobody looks up columns in rows that become records, so that the cached metadata will do.
    """
    return orm_options(options)


def resolved(statement: Any) -> Any:
    """The statement that a ``lambda_stmt()`` stands for; any other as it is."""
    return getattr(statement, "_resolved", statement)


def statement_key(statement: Any) -> Any:
    """What the compiled cache finds a statement by; None for one that can't be cached."""
    if not hasattr(statement, "_generate_cache_key"):
        return None
    # Connection.execute() makes the same key a moment later, and it is memoized
    found = statement._generate_cache_key()
    return None if found is None else found.key


def compiled_state(compiled: Any) -> tuple[Any, bool] | None:
    """What :func:`entity_state` finds, of a compiled statement."""
    state = getattr(compiled, "compile_state", None)
    if isinstance(state, ORMCompileState):
        found, is_dml = state, False
    else:
        found, is_dml = getattr(state, "from_statement_ctx", None), True
    if found is None or found.compile_options._is_star:
        return None
    return found, is_dml


class CompiledMetadata:
    """The columns of a compiled statement, before a cursor has described them.

    Answers as much as a plan asks of the metadata of a cursor result.
    """

    def __init__(self, compiled: Any) -> None:
        columns = compiled._result_columns
        self.keys = self._keys = tuple(column.keyname for column in columns)
        self._processors = (None,) * len(columns)
        self._positions: dict[Any, int] = {}
        for position, column in enumerate(columns):
            for key in column.objects:
                self._positions.setdefault(key, position)

    def _index_for_key(self, key: Any, raiseerr: bool = True) -> int | None:
        position = self._positions.get(key)
        # a column found by its name only: which one it is does not matter yet
        return 0 if position is None and raiseerr else position

    def _has_key(self, key: Any) -> bool:
        return key in self._positions


def written_names(statement: Any) -> Sequence[str | None]:
    """The names of a plain statement's columns as they were written; nothing where it has none.

    In a compound select the entities of its first select are columns already, which SQLAlchemy
    calls by their column names; here they go by their attributes.
    """
    try:
        columns = tuple(statement._all_selected_columns)
    except (AttributeError, NotImplementedError):
        # a text() without columns(), and what is not about rows at all
        return ()
    first = statement
    while hasattr(first, "selects"):
        first = first.selects[0]
    names: list[str | None] = []
    for column in raw_columns(first):
        entity = getattr(column, "_annotations", {}).get("parententity")
        if entity is None or not getattr(column, "is_selectable", False):
            names += map(written_name, getattr(column, "_select_iterable", (column,)))
            continue
        keys = {c.key: prop.key for prop in entity.mapper.column_attrs for c in prop.columns}
        names += [keys.get(part.key) for part in column._select_iterable]
    return names if len(names) == len(columns) else [written_name(column) for column in columns]


def mappers_of(statement: Any) -> Iterator[Mapper[Any]]:
    """The mappers of the entities that a statement returns, of an ORM INSERT and its kin too."""
    if not is_orm_statement(statement):
        return
    # a from_statement() says None for what it does not return
    for column in (*raw_columns(statement), *(getattr(statement, "_returning", None) or ())):
        entity = getattr(column, "_annotations", {}).get("parententity")
        if entity is not None and getattr(column, "is_selectable", False):
            yield entity.mapper


def written_name(column: Any) -> str | None:
    """The attribute, label or column name that a selected expression was written with."""
    name = getattr(column, "_annotations", {}).get("proxy_key") or getattr(column, "key", None)
    # an anonymous label is a template: %(1234 name)s
    return name if isinstance(name, str) and not name.startswith("%(") else None


def joins_of(state: Any) -> Iterator[tuple[Any, str, Any]]:
    """Each join along a relationship: from which entity, the relationship's key, to which."""
    statement = state.select_statement
    blocks = [statement, *getattr(statement, "_memoized_select_entities", ())]
    for right, onclause, *_ in (join for b in blocks for join in getattr(b, "_setup_joins", ())):
        target = getattr(right, "_annotations", {}).get("parententity")
        attribute = onclause
        if target is None and hasattr(right, "property"):
            attribute, target = right, right.entity
        if target is not None and hasattr(getattr(attribute, "property", None), "mapper"):
            yield attribute.parent, attribute.key, target


def defers_columns(statement: Any) -> bool:
    """True when an option (``load_only``, ``defer``) says which columns of entities are loaded."""
    return any(
        dict(element.strategy or ()).get("deferred")
        for option in getattr(statement, "_with_options", ())
        for element in getattr(option, "context", ())
    )


# ---------------------------------------------------------------- writing

# COPY speaks to the driver, which has to be awaited inside of SQLAlchemy's greenlet.
await_only: Any = sqlalchemy.util.await_only
greenlet_spawn: Any = sqlalchemy.util.greenlet_spawn


def written_tables(mapper: Mapper[Any]) -> Iterator[tuple[Any, dict[str, Any], tuple[Any, ...]]]:
    """Each table of a class, parents first: itself, attribute key -> column, its primary key."""
    for table in sorted_tables(mapper):
        if mapper._pks_by_table.get(table):
            attributes = {
                str(mapper._columntoproperty[column].key): column
                for column in mapper._cols_by_table[table]
            }
            yield table, attributes, tuple(mapper._pks_by_table[table])


def inheriting_mappers(mapper: Mapper[Any]) -> list[Mapper[Any]]:
    """Subclasses whose rows are rows of a class too, parents first: not those of a table alone."""
    found: list[Mapper[Any]] = []
    for sub in mapper.self_and_descendants:
        # a concrete class has its own rows, and so have the classes that inherit from it
        if not sub.concrete and (sub.inherits is mapper or sub.inherits in found):
            found.append(sub)
    return found


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


def version_is_generated(mapper: Mapper[Any]) -> bool:
    """True when the client makes the next version of a row."""
    return mapper.version_id_col is not None and mapper.version_id_generator is not False


def counts_versions(mapper: Mapper[Any]) -> bool:
    """True when the next version of a row is the number after the last."""
    if mapper.version_id_col is None or mapper.version_id_generator is False:
        return False
    generator: Any = mapper.version_id_generator
    return getattr(generator, "__module__", None) == "sqlalchemy.orm.mapper"


def values_by_column(statement: Any) -> Mapping[Any, Any]:
    """What ``values()`` was given, by column or key, of a statement for a single row."""
    return getattr(statement, "_values", None) or {}


def where_criteria(statement: Any) -> Sequence[Any]:
    """What an UPDATE or DELETE was given by ``where()``."""
    criteria: Sequence[Any] = statement._where_criteria
    return criteria


def has_post_values(statement: Any) -> bool:
    """True for an INSERT with ON CONFLICT, or what other databases have in its place."""
    return statement._post_values_clause is not None


def options_of(statement: Any) -> Sequence[Any]:
    """What ``options()`` was given."""
    options: Sequence[Any] = statement._with_options
    return options


def bound_rows(result: Any) -> tuple[Sequence[str], list[tuple[Any, ...]]] | None:
    """The names of bound parameters and the values that the driver got for each row.

    :return: None where the driver takes parameters by name.
    """
    compiled = result.context.compiled
    if not compiled.positional:
        return None
    return compiled.positiontup, result.context.parameters


@contextmanager
def options_meanwhile(conn: Connection, options: Mapping[str, Any]) -> Iterator[None]:
    """Have all statements of a connection run with execution options, and then as before.

    ``Connection.execution_options()`` only adds some, and takes none away.
    """
    before = conn._execution_options
    conn._execution_options = before.union(options)
    try:
        yield
    finally:
        conn._execution_options = before


class Batch:
    """An executemany whose parameters go to the driver in the driver's own form.

    SQLAlchemy makes two dictionaries and a tuple for each row of a batch, which takes longer than
    the driver does.  Events of the cursor, logging and errors are those of any statement.

    :ivar order: the names of the parameters, in the order of a row.
    """

    __slots__ = ("_compiled", "order")

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        names = compiled.positiontup if compiled.positional else compiled.bind_names.values()
        self.order: tuple[str, ...] = tuple(names)

    @classmethod
    def of(cls, conn: Connection, statement: Any, names: Iterable[str]) -> Batch | None:
        """The batch of an UPDATE that has nothing but the named parameters.

        :return: None where somebody listens for statements, or where each row needs SQLAlchemy: for
            a default of the client, names that change, sizes that the driver is told.
        """
        options, dialect = conn.get_execution_options(), conn.dialect
        if (
            conn.dispatch.before_execute
            or conn.dispatch.after_execute
            or options.get("schema_translate_map")
            or dialect.bind_typing is BindTyping.SETINPUTSIZES
        ):
            return None
        # compiled as Connection does it: the cache is shared
        compiled: Any = statement._compile_w_cache(
            dialect,
            compiled_cache=options.get("compiled_cache", conn.engine._compiled_cache),
            column_keys=sorted(names),
            for_executemany=True,
            schema_translate_map=None,
            linting=dialect.compiler_linting | WARN_LINTING,
        )[0]
        plain = not (
            compiled.update_prefetch
            or compiled.post_compile_params
            or compiled.literal_execute_params
            or compiled.escaped_bind_names
        )
        batch = cls(compiled)
        return batch if plain and set(batch.order) == set(names) else None

    def run(self, conn: Connection, rows: list[tuple[Any, ...]]) -> int:
        """Execute it with rows in ``order``; how many rows the database has matched, or -1.

        :raises StatementError: a value can't be converted.
        """
        compiled = self._compiled
        processors = [compiled._bind_processors.get(name) for name in self.order]
        given: Any = rows
        if any(processors):
            columns = zip(*rows, strict=True)
            try:
                converted = [
                    values if convert is None else map(convert, values)
                    for convert, values in zip(processors, columns, strict=True)
                ]
                given = list(zip(*converted, strict=True))
            except Exception as error:  # noqa: BLE001 - it is handed on
                conn._handle_dbapi_exception(error, compiled.string, None, None, None)
        if not compiled.positional:
            given = [dict(zip(self.order, row, strict=True)) for row in given]
        result = conn.exec_driver_sql(
            compiled.string, given, execution_options={"preserve_rowcount": True}
        )
        return result.rowcount


def raise_from_driver(conn: Connection, error: Exception, sql: str) -> None:
    """Raise an error of a driver, or of a value, as SQLAlchemy does for its own statements."""
    adapter: Any = conn.connection.dbapi_connection
    translate = getattr(adapter, "_handle_exception", None)
    translated: BaseException = error
    kind: Any = conn.dialect.loaded_dbapi.Error
    if translate is not None and not isinstance(error, kind):
        try:
            translate(error)
        except Exception as raised:  # noqa: BLE001 - it is looked at below
            translated = raised
    try:
        raise translated
    except Exception as raised:  # noqa: BLE001 - it is handed on
        conn._handle_dbapi_exception(raised, sql, None, None, None)


def has_bind_expression(type_: Any) -> bool:
    """True for a type whose values an SQL expression turns into what is stored."""
    return bool(type_._has_bind_expression)


def quoted(name: str) -> str:
    """A name as it stands in SQL that goes to the driver as it is."""
    return '"' + name.replace('"', '""') + '"'


# Where an instance of the ORM keeps its state, in its own __dict__.
INSTANCE_STATE = "_sa_instance_state"


def relationship_being_set() -> Any:
    """The relationship that is just taking an object, whose state SQLAlchemy asks for, or None.

    To be called by what answers for the state.  SQLAlchemy says in no other way which relationship
    it is: the variables of the function that keeps both sides alike are where it is found.
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


def instance_values(instance: Any) -> dict[str, Any]:
    """What is set on, or loaded into, an instance of the ORM, by attribute key."""
    values: dict[str, Any] = instance._sa_instance_state.dict
    return values


# ---------------------------------------------------------------- DDL


def names_tables(event: Mapping[str, Any]) -> bool:
    """True for a ``create_all()`` or ``drop_all()`` that names its tables.

    :param event: the keywords of an event of a ``MetaData``; ``tables`` are those that it creates
        or drops, named or not.
    """
    return event["_ddl_runner"].tables is not None


def checks_views(checkfirst: Any) -> bool:
    """True where ``checkfirst`` says to look for a view before it is created or dropped."""
    views = getattr(type(checkfirst), "VIEWS", None)
    # a flag for each kind of object on 2.1
    return bool(checkfirst if views is None else checkfirst & views)


# ---------------------------------------------------------------- one statement on a factory

# Strategies of loader options that shape the statement itself, and never lead to another one.
_IN_THE_STATEMENT = ("deferred", "instrument", "undefer_group", "query_expression", "raiseload")


def may_load_further(statement: Any) -> bool:
    """True when a loader option of a statement may lead to further statements."""
    for option in getattr(statement, "_with_options", ()):
        for load in getattr(option, "context", ()):
            for name, value in load.strategy or ():
                if name in _IN_THE_STATEMENT or (name == "lazy" and str(value).startswith("raise")):
                    continue
                return True
    return False


def computes_only(function: Any) -> bool:
    """True for a function of SQLAlchemy's own, such as ``count()``; not for ``nextval()``."""
    return isinstance(function, GenericFunction) and not isinstance(function, next_value)


# ---------------------------------------------------------------- streams


def scalars_at_once(result: Any) -> bool:
    """True when a result gives the single item of each row, and no rows."""
    return bool(result._source_supports_scalars)


def is_unique(result: Any) -> bool:
    """True when ``unique()`` was called on a result."""
    return result._unique_filter_state is not None


def sync_result(result: Any) -> Any:
    """The synchronous result that an ``AsyncResult`` or ``AsyncScalarResult`` reads."""
    # in 2.0 the scalars of an AsyncResult read that one
    while (source := getattr(result, "_real_result", None)) is not None:
        result = source
    return result


def next_item(result: Any) -> Any:
    """The next item of an async result whose source has one in hand."""
    return result._onerow_getter(result)


def as_stream(result: Any, factory: Any) -> Any:
    """A result of ``factory(metadata, chunks, size, scalars, raw)`` that reads what this one does.

    :param result: of ``statement.stream()``: a cursor result, or one that loads objects in chunks.
    """
    raw = getattr(result, "raw", None)
    if isinstance(result, ChunkedIteratorResult):
        return factory(
            result._metadata, result.chunks, yield_per_of(raw), scalars_at_once(result), raw
        )

    def chunks(size: int | None) -> Iterator[Sequence[Any]]:
        while rows := result._fetchmany_impl(size):
            yield rows

    return factory(result._metadata, chunks, yield_per_of(result), False, result)


def bound_values(result: Any) -> Sequence[Mapping[str, Any]]:
    """The parameters of a result's statement by name, defaults included, before their types."""
    values: Sequence[Mapping[str, Any]] = result.context.compiled_parameters
    return values


def logs_rows(conn: Connection) -> bool:
    """True when SQLAlchemy wants to see the rows itself, to log them (``echo="debug"``)."""
    return bool(conn._echo and conn.engine._should_log_debug())


def is_missing_bind(error: Any) -> bool:
    """True for the error that a parameter set has no value for a bound parameter."""
    return getattr(error.orig, "code", None) == "cd3x"


# ---------------------------------------------------------------- pages


def order_by_of(statement: Any) -> Sequence[Any]:
    """What ``order_by()`` was given, coerced."""
    clauses: Sequence[Any] = statement._order_by_clauses
    return clauses


def group_by_of(statement: Any) -> Sequence[Any]:
    """What ``group_by()`` was given, coerced; nothing for a compound select."""
    clauses: Sequence[Any] = getattr(statement, "_group_by_clauses", ())
    return clauses


def referred_label(element: Any) -> Any:
    """What a reference in ORDER BY or GROUP BY stands for: an expression, or the name as a string.

    Any other element is given back as it is.
    """
    kind = type(element).__name__
    if kind in ("_label_reference", "_textual_label_reference"):
        return element.element
    return element


def is_distinct(statement: Any) -> bool:
    """True after ``distinct()``."""
    return bool(getattr(statement, "_distinct", False))


def is_distinct_on(statement: Any) -> bool:
    """True for PostgreSQL's DISTINCT ON."""
    if getattr(statement, "_distinct_on", ()):
        return True
    # 2.1 has an extension for it, and deprecates distinct() with expressions
    extension = getattr(statement, "_pre_columns_clause", None)
    return extension is not None and any(
        getattr(element, "_distinct_on", ()) for element in visitors.iterate(extension)
    )


def is_extended(statement: Any) -> bool:
    """True for a SELECT with a clause that SQLAlchemy itself does not know (2.1: ``ext()``)."""
    return any(
        getattr(statement, f"_{place}_clause", None) is not None
        for place in ("pre_columns", "post_select", "post_criteria", "post_body")
    )


def is_limited(statement: Any) -> bool:
    """True for a statement with LIMIT, OFFSET or FETCH."""
    return bool(statement._has_row_limiting_clause)


def limit_and_offset(statement: Any) -> tuple[int | None, int] | None:
    """The LIMIT (or FETCH) and OFFSET of a statement, None where they are no plain numbers."""
    fetch = statement._fetch_clause
    if fetch is not None and any((statement._fetch_clause_options or {}).values()):
        return None
    limit = statement._limit_clause if fetch is None else fetch
    numbers: list[int | None] = []
    for clause in (limit, statement._offset_clause):
        number = None if clause is None else getattr(clause, "effective_value", None)
        if clause is not None and not isinstance(number, int):
            return None
        numbers.append(number)
    return numbers[0], numbers[1] or 0


def locks(element: Any) -> bool:
    """True for a SELECT with FOR UPDATE."""
    return getattr(element, "_for_update_arg", None) is not None


def without_lock(statement: Any) -> Any:
    """A SELECT without its FOR UPDATE."""
    if not locks(statement):
        return statement
    statement = statement._generate()
    statement._for_update_arg = None
    return statement


def without_options(statement: Any) -> Any:
    """A SELECT without what ``options()`` was given."""
    statement = statement._generate()
    statement._with_options = ()
    return statement


def criteria_options(statement: Any) -> Sequence[Any]:
    """The options ``with_loader_criteria()`` of a statement, which hold in its subqueries too."""
    return [
        option
        for option in getattr(statement, "_with_options", ())
        if getattr(option, "_is_criteria_option", False)
    ]


def contained_collection(statement: Any) -> str | None:
    """The collection that a ``contains_eager()`` option fills from the rows, or None."""
    for option in getattr(statement, "_with_options", ()):
        for load in getattr(option, "context", ()):
            if "eager_from_alias" not in (load.local_opts or ()):
                continue
            for step in load.path.path:
                if getattr(step, "uselist", False):
                    return str(step)
    return None


def width_of(result: Any) -> int:
    """How many items a row of a result has; ``keys()`` leaves out those without a name."""
    return len(result._metadata._keys)


def narrow_metadata(result: Any, width: int) -> Any:
    """Result metadata for the first columns of a result, with all that they are found by."""
    metadata = result._metadata
    extra: list[tuple[Any, ...]] = [()] * width
    keys = tuple(metadata._keys)[:width]
    for key, record in metadata._keymap.items():
        position = record[0]
        named = isinstance(key, str) and key in keys
        if position is not None and position < width and not named:
            extra[position] += (key,)
    return SimpleResultMetaData(keys, extra)


# ---------------------------------------------------------------- tests of applications


# A connection's execution options can be added to, but not taken away, in public.
def set_back_options(conn: Any, options: Any) -> None:
    """Give a connection the execution options that it had before."""
    conn._execution_options = options


# The statements that SQLAlchemy makes of savepoints are internal to its dialects.
def is_savepoint(context: Any) -> bool:
    """True for the execution of SAVEPOINT, and of what ends one."""
    statement = getattr(getattr(context, "compiled", None), "statement", None)
    return isinstance(statement, _SAVEPOINTS)


_SAVEPOINTS = (
    _elements.SavepointClause,
    _elements.RollbackToSavepointClause,
    _elements.ReleaseSavepointClause,
)


# ---------------------------------------------------------------- several databases


def mapper_of_part(part: Any) -> Mapper[Any] | None:
    """The mapper that a part of a statement belongs to, as the ORM has annotated it."""
    entity = getattr(part, "_annotations", {}).get("parententity")
    return None if entity is None else entity.mapper


def mappers_on(table: Any) -> list[Mapper[Any]]:
    """The mappers of a table; of an association table those that it relates.

    There is no public way from a table to its classes.
    """
    # registry.mappers fails where an AbstractConcreteBase is not configured yet
    mappers = [
        manager.mapper
        for registry in mapperlib._all_registries()
        for manager in registry._managers
        if manager.is_mapped
    ]
    found = [mapper for mapper in mappers if mapper.local_table == table]
    found = found or [mapper for mapper in mappers if table in mapper.tables]
    if found or table.info or table.metadata.info:
        return found
    return [
        mapper
        for mapper in mappers
        if any(prop.secondary == table for prop in mapper.relationships)
    ]


def relationship_options(options: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """The relationships that loader options name, and how each is to be loaded.

    The relationship is ``None`` for a wildcard such as ``lazyload("*")``.
    """
    for option in options:
        for load in getattr(option, "context", None) or (option,):
            lazy = dict(getattr(load, "strategy", None) or ()).get("lazy", _NO_OPTION)
            if lazy is _NO_OPTION:
                continue
            steps = getattr(load.path, "path", load.path)
            props = [step for step in steps[-2:] if hasattr(step, "secondary")]
            yield (props[-1] if props else None), lazy


_NO_OPTION = object()
