"""Compiled statements: the columns of a row, as the ORM's compile state knows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import base as _orm_base
from sqlalchemy.orm import context as _context
from sqlalchemy.orm.context import FromStatement as FromStatement
from sqlalchemy.orm.context import _BundleEntity as BundleEntity
from sqlalchemy.orm.context import _IdentityTokenEntity as IdentityTokenEntity
from sqlalchemy.orm.context import _MapperEntity as MapperEntity

from naked_sqla._sqlalchemy.statements import raw_columns

if TYPE_CHECKING:
    from sqlalchemy.orm.interfaces import MapperProperty


# 2.1 put an underscore before the ORM compile states; the classes are the same.
_any_context: Any = _context

ORMCompileState: Any = getattr(_any_context, "_ORMCompileState", None) or (
    _any_context.ORMCompileState
)

# The ORM's marks for a column attribute that a statement leaves out (deferred, raising).
_NOT_IN_ROW = (
    _orm_base._DEFER_FOR_STATE,
    _orm_base._RAISE_FOR_STATE,
    _orm_base._SET_DEFERRED_EXPIRED,
)


def entity_state(compiled: Any) -> tuple[Any, bool] | None:
    """The ORM compile state that knows the entities of a row, and whether it came from DML.

    :return: ``None`` when the rows are plain rows (Core, text, compounds, ``*``).
    """
    state = getattr(compiled, "compile_state", None)
    if isinstance(state, ORMCompileState):
        found, is_dml = state, False
    else:
        found, is_dml = getattr(state, "from_statement_ctx", None), True
    if found is None or found.compile_options._is_star:
        return None
    return found, is_dml


def entities_of(state: Any) -> Sequence[Any]:
    """The row items of an ORM statement, in order."""
    entities: Sequence[Any] = state._entities
    return entities


def entity_path(entity: Any) -> Any:
    """Where options for an entity of a statement are found."""
    return entity.path


def state_cache(state: Any) -> dict[Any, Any]:
    """The ORM's own cache on a compiled statement; it lives as long as that."""
    attributes: dict[Any, Any] = state.attributes
    return attributes


# The ORM has a cache on its compiled statements; Core's get one of ours, under this name.
_OF_CORE = "_naked_sqla"


def cache_of(compiled: Any) -> dict[Any, Any] | None:
    """The same of a compiled SELECT; None where it has none yet."""
    state = compiled.compile_state
    is_orms = isinstance(state, ORMCompileState)
    found: dict[Any, Any] | None = state.attributes if is_orms else vars(compiled).get(_OF_CORE)
    return found


def made_cache_of(compiled: Any) -> dict[Any, Any] | None:
    """The same, made where there is none; None where nothing is known of the columns of a row."""
    found = entity_state(compiled)
    if found is not None:
        return state_cache(found[0])
    if isinstance(compiled.compile_state, ORMCompileState):
        return None
    cache: dict[Any, Any] = vars(compiled).setdefault(_OF_CORE, {})
    return cache


def memoized_setups(state: Any, path: Any) -> Mapping[Any, Any]:
    """Column attribute -> the column it is fetched from; None when the statement leaves it out."""
    setups = path.get(state.attributes, "memoized_setups", {})
    return {
        prop: None if any(column is symbol for symbol in _NOT_IN_ROW) else column
        for prop, column in setups.items()
    }


def raises_on_read(state: Any, path: Any, prop: Any) -> bool:
    """True for a column attribute that ``raiseload=True`` leaves out of a statement."""
    setups = path.get(state.attributes, "memoized_setups", {})
    return setups.get(prop) is _orm_base._RAISE_FOR_STATE


def entity_adapter(state: Any, entity: Any) -> Any:
    """Translates the mapper's columns to those of the statement (aliases), or None."""
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
    """The part of a QueryContext that a column's loader strategy reads."""

    refresh_state = None

    def __init__(self, state: Any) -> None:
        self.compile_state = state
        self.attributes = state.attributes
        self.query = state.select_statement


def probe_position(
    prop: MapperProperty[Any], state: Any, node: Any, mapper: Any, metadata: Any
) -> int | None:
    """Where the ORM's own loader strategy finds a column attribute in a row; None: nowhere.

    :param node: ``entity``, ``path`` and ``adapter`` of the object that has the attribute.
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
    """The keys of a row item in ``row._mapping``, besides its label."""
    extra: tuple[Any, ...] = entity._extra_entities
    return extra


def is_aliased(entity: Any) -> bool:
    """True for a row item that belongs to an ``aliased()`` class."""
    found = getattr(entity, "entity_zero", None)
    return found is not None and found.is_aliased_class


def alias_keys(column: Any) -> tuple[Any, ...]:
    """The keys in a row of an item of ``select()`` that belongs to an alias."""
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
