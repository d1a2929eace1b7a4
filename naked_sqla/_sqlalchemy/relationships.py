"""Relationships: how a statement, or the mapping, loads them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import and_, inspect
from sqlalchemy.engine import result as _result
from sqlalchemy.orm import Load
from sqlalchemy.orm import util as _orm_util

from naked_sqla._sqlalchemy.compile_states import ORMCompileState

# Where an association is there twice, 2.0 gives the related object once for a parent, 2.1 twice.
SELECT_IN_IS_UNIQUE = not hasattr(_result.Result, "_raw_all_tuples")


def related_path(path: Any, prop: Any) -> Any:
    """The path of a relationship, below the path of the entity that has it."""
    return path[prop]


def path_entity(path: Any, prop: Any) -> Any:
    """The path of a relationship's target, below the path of the relationship."""
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
    """Translates the columns of a joined relationship to those of the statement.

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
    """The target of a relationship: its own, or the ``of_type()`` of an option.

    :param path: of the relationship.
    """
    chosen = path.get(state.attributes, "path_with_polymorphic", None)
    return prop.entity if chosen is None else inspect(chosen)


def select_in(prop: Any) -> Any:
    """The strategy of ``selectinload`` for a relationship: ``in_expr``, ``pk_cols``, and so on."""
    return prop._get_strategy((("lazy", "selectin"),))


def select_in_info(prop: Any, by_child: bool) -> Any:
    """How the further statement of a relationship finds its rows.

    :param by_child: False when the foreign keys of the parents are not loaded.
    """
    strategy = select_in(prop)
    info = strategy._query_info
    return info if by_child or not info.load_only_child else strategy._fallback_query_info


_JOINED = "_naked_sqla_joined"
_joining = threading.Lock()


def joined_info(prop: Any) -> Any:
    """How the further statement of a relationship finds its rows by a join with the parents."""
    strategy = select_in(prop)
    for info in (strategy._query_info, getattr(strategy, "_fallback_query_info", None)):
        if info is not None and info.load_with_join:
            return info
    # kept where SQLAlchemy keeps its own two: it lives as long as the mapping
    with _joining:
        # once: the strategy keeps the alias that goes with it
        if not hasattr(prop, _JOINED):
            setattr(prop, _JOINED, strategy._init_for_join())
    return getattr(prop, _JOINED)


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
    """The part of a ``QueryContext`` that options need to take the values of the statement in hand.

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
        # a statement for a subclass loads the columns of its parents too
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
    """The target of ``User.posts``, with its ``of_type()``; and its ``and_()`` as an option."""
    chosen, criteria = attribute._of_type, attribute._extra_criteria
    entity = attribute.property.entity if chosen is None else inspect(chosen)
    if not criteria:
        return entity, None
    return entity, _orm_util.LoaderCriteriaOption(entity, and_(*criteria))


def continue_path(statement: Any, path: Any, recursive: bool) -> Any:
    """The further statement, as the continuation of a path: options for the levels below apply."""
    if recursive:
        path = path._truncate_recursive()
    return statement._set_compile_options(
        ORMCompileState.default_compile_options + {"_current_path": path}
    )


def order_joined(statement: Any, prop: Any) -> Any:
    """The further statement in its joined form, in the order of the relationship."""

    def order(state: Any) -> None:
        state.eager_order_by += tuple(prop.order_by)

    # named otherwise in early 2.0 releases
    add = getattr(statement, "_add_compile_state_func", None) or statement._add_context_option
    return add(order, prop)


def reverse_of(prop: Any) -> Iterable[Any]:
    """The relationships of the related class that ``back_populates`` ties to this one."""
    return tuple(prop._reverse_property)


def collection_appender(collection: Any) -> Callable[[Any], Any]:
    """How a collection of the relationship's own class takes an object that was loaded."""
    append = collection._sa_appender
    return lambda item: append(item, _sa_initiator=False)


def collection_iterator(kind: type) -> Callable[[Any], Iterable[Any]]:
    """How the objects in a collection of the relationship's own class are read."""
    iterator: Callable[[Any], Iterable[Any]] = kind._sa_iterator  # type: ignore[attr-defined]
    return iterator


def collection_adapter(collection: Any) -> Iterable[Any] | None:
    """An iterable of the objects in an instrumented collection of any class; None for others."""
    adapter: Iterable[Any] | None = getattr(collection, "_sa_adapter", None)
    return adapter


def collection_factory(prop: Any) -> Callable[[], Any]:
    """The function that makes an empty collection: list, set, dict, or the declared class."""
    factory: Callable[[], Any] = prop.parent.class_manager[prop.key].impl.collection_factory
    return factory
