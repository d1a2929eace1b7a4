"""Statements: their parts, keys and options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnClause, Label, TextClause
from sqlalchemy.orm import context as _context
from sqlalchemy.orm.context import FromStatement as FromStatement
from sqlalchemy.sql import visitors

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper


# Stops a result from remapping its columns to the invoked statement: our plan belongs to the
# cached one (the ORM session sets the same option).
_ORM_EXECUTION_OPTIONS: Any = _context._orm_load_exec_options


def orm_options(options: Mapping[str, Any] | None) -> Any:
    """Execution options for a statement whose rows are loaded by its cached compiled form."""
    return _ORM_EXECUTION_OPTIONS.union(options) if options else _ORM_EXECUTION_OPTIONS


def is_executable(statement: Any) -> bool:
    """True if ``Connection.execute`` takes an object: statements, functions, DDL, sequences."""
    return (
        not isinstance(statement, type)
        and hasattr(statement, "_execute_on_connection")
        # a lambda statement has no such flag in early 2.0 releases
        and (getattr(statement, "supports_execution", False) or hasattr(statement, "_resolved"))
    )


def raw_columns(statement: Any) -> Sequence[Any]:
    """The arguments of ``select()``, unexpanded; empty for other statements."""
    columns: Sequence[Any] = getattr(statement, "_raw_columns", ())
    return columns


def is_orm_statement(statement: Any) -> bool:
    """True when a mapped entity in the statement makes the ORM compile it."""
    return bool(getattr(statement, "_propagate_attrs", {}).get("compile_state_plugin") == "orm")


def selected_columns(statement: Any) -> Sequence[Any]:
    """The columns that a statement returns."""
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


def bound_keys(statement: Any) -> list[str]:
    """The keys of the bound values of a statement; others of its form have theirs in this order."""
    return [bind.key for bind in _binds(statement)]


def bound_values(statement: Any, keys: Sequence[str]) -> dict[str, Any]:
    """The values of a statement as parameters of another of its form.

    :param keys: of :func:`bound_keys` for the other one.
    """
    binds = zip(keys, _binds(statement), strict=True)
    return {key: bind.effective_value for key, bind in binds if not bind.required}


def is_bound(statement: Any, parameters: Mapping[str, Any] | None) -> bool:
    """True where each value of a statement is given, or one of :func:`bound_values`."""
    statement = getattr(statement, "_resolved", statement)
    cache_key = statement._generate_cache_key()
    # 2.1 keeps the values of params() beside the key
    if cache_key is None or (len(cache_key) > 2 and cache_key[2]):
        return False
    return not any(
        bind.required and (not parameters or bind.key not in parameters)
        for bind in cache_key.bindparams
    )


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


def cache_key_of(statement: Any) -> Any:
    """The key of a statement in the compiled cache: all of it but its values.

    :return: None for a statement that can't be cached.
    """
    if not hasattr(statement, "_generate_cache_key"):
        return None
    # Connection.execute() makes the same key a moment later, and it is memoized
    found = statement._generate_cache_key()
    return None if found is None else found.key


def mappers_in(statement: Any) -> Iterator[Mapper[Any]]:
    """The mappers of the columns of a SELECT, and of the SELECTs inside it."""
    for part in visitors.iterate(statement):
        for column in raw_columns(part):
            entity = entity_of_part(column)
            if entity is not None:
                yield entity.mapper


def has_hints(element: Any) -> bool:
    """True for a SELECT with text of the caller's as a hint, prefix or suffix."""
    return any(
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


def resolved(statement: Any) -> Any:
    """The statement that a ``lambda_stmt()`` stands for; any other as it is."""
    return getattr(statement, "_resolved", statement)


def written_names(statement: Any) -> Sequence[str | None]:
    """The names of a plain statement's columns as they were written; nothing where it has none.

    In a compound select the entities of its first select are columns already, which SQLAlchemy
    calls by their column names; here they go by their attributes.
    """
    try:
        columns = tuple(statement._all_selected_columns)
    except (AttributeError, NotImplementedError):
        # a text() without columns(), and statements without rows
        return ()
    first = statement
    while hasattr(first, "selects"):
        first = first.selects[0]
    names: list[str | None] = []
    for column in raw_columns(first):
        entity = entity_of_part(column)
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
    # a from_statement() has None for columns that it does not return
    for column in (*raw_columns(statement), *(getattr(statement, "_returning", None) or ())):
        entity = entity_of_part(column)
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
        target = entity_of_part(right)
        attribute = onclause
        if target is None and hasattr(right, "property"):
            attribute, target = right, right.entity
        if target is not None and hasattr(getattr(attribute, "property", None), "mapper"):
            yield attribute.parent, attribute.key, target


def has_joins(statement: Any) -> bool:
    """True for a SELECT that joins, or says where it selects from."""
    return bool(getattr(statement, "_setup_joins", True) or getattr(statement, "_from_obj", True))


def is_plain_select(statement: Any) -> bool:
    """True for a SELECT whose rows do not depend on which columns are selected."""
    return not (
        statement._distinct
        or statement._distinct_on
        or statement._group_by_clauses
        or statement._having_criteria
        or statement._for_update_arg is not None
        or statement._independent_ctes
        or statement._prefixes
        or statement._suffixes
        or statement._statement_hints
    )


# In text of the caller's: a column of the result by its place, or by a name that the library gives
_PLACE = r"(?i)(?:^|,)\s*\d|\bc\d+\b"


def names_results(statement: Any, labels_only: bool = False) -> bool:
    """True for a SELECT whose order or groups may name what is selected, by a place or a name.

    :param labels_only: a column that is selected without a label may go by its name.
    """
    labels = {column.name.lower() for column in statement._raw_columns if isinstance(column, Label)}
    for clause in (
        *statement._order_by_clauses,
        *statement._group_by_clauses,
        *statement._distinct_on,
    ):
        whole = clause
        while whole.__visit_name__ in ("unary", "label_reference"):
            whole = whole.element
        for part in visitors.iterate(clause):
            text = _text_of(part)
            if text is not None and (
                not labels_only
                or (part is whole and re.search(_PLACE, text))
                or any(label in text.lower() for label in labels)
            ):
                return True
    return False


def _text_of(part: Any) -> str | None:
    """The text of a part that the database reads as it is, or that names a label."""
    if part.__visit_name__ == "textual_label_reference":
        return str(part.element)
    if isinstance(part, TextClause):
        return part.text
    is_text = isinstance(part, ColumnClause) and (part.is_literal or part.table is None)
    return part.name if is_text else None


def is_plain_column(expression: Any) -> bool:
    """True for a column of a table, an alias or a subquery, of which each row has one value."""
    if hasattr(expression, "__clause_element__"):
        expression = expression.__clause_element__()
    return (
        isinstance(expression, ColumnClause)
        and not expression.is_literal
        and expression.table is not None
    )


def options_of(statement: Any) -> Sequence[Any]:
    """The arguments of ``options()``."""
    options: Sequence[Any] = statement._with_options
    return options


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
    """A SELECT without its loader options."""
    statement = statement._generate()
    statement._with_options = ()
    return statement


def entity_of_part(part: Any) -> Any:
    """The mapper or alias that the ORM has annotated a part of a statement with, or None."""
    return getattr(part, "_annotations", {}).get("parententity")


def mapper_of_part(part: Any) -> Mapper[Any] | None:
    """The mapper that a part of a statement belongs to, as the ORM has annotated it."""
    entity = entity_of_part(part)
    return None if entity is None else entity.mapper
