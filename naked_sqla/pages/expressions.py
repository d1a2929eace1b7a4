"""SQL expressions: the columns they name, and whether they are ever NULL."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BinaryExpression,
    BindParameter,
    Boolean,
    Case,
    Cast,
    Date,
    DateTime,
    Float,
    Integer,
    Interval,
    Label,
    LargeBinary,
    Numeric,
    Over,
    String,
    Table,
    Time,
    TryCast,
    Uuid,
    type_coerce,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import (
    BooleanClauseList,
    CollationClause,
    ColumnClause,
    ExpressionClauseList,
    Grouping,
    TypeCoerce,
    UnaryExpression,
)
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import SelectBase
from sqlalchemy.types import NullType

__all__ = (
    "columns_of",
    "conjuncts",
    "has_aggregate",
    "has_grouping_sets",
    "has_window",
    "is_fixed",
    "is_opaque",
    "never_null",
    "parts",
    "unwrapped",
)

# Functions that are NULL only for NULL, on every database.  Not among them: arithmetic (SQLite has
# no NaN, and gives NULL for inf - inf and x / 0), ceil and floor (NULL for text, on SQLite).
_STRICT = frozenset({"char_length", "concat", "date_trunc", "length", "round"})
_STRICT_FOR: dict[str, tuple[type, ...]] = {
    "abs": (Float, Integer, Numeric),
    # of a range without an end they are NULL
    **dict.fromkeys(("lower", "ltrim", "rtrim", "trim", "upper"), (String,)),
}
_COMPARISONS = frozenset(
    {operators.eq, operators.ge, operators.gt, operators.le, operators.lt, operators.ne}
)
# types without a value that a cast makes NULL, as it makes JSON null
_PLAIN = (
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Time,
    Uuid,
)
# types for which a cast gives a value or raises: MySQL gives NULL for text that is not a date
_TOTAL = (Boolean, Float, Integer, Numeric, String)

_GROUPING = frozenset({"cube", "grouping_sets", "rollup"})
_AGGREGATES = frozenset(
    {"array_agg", "avg", "count", "group_concat", "max", "min", "string_agg", "sum", "total"}
)


def unwrapped(expression: Any) -> Any:
    """An expression without its label and parentheses."""
    while isinstance(expression, Label | Grouping):
        expression = expression.element
    return expression


def parts(expression: Any) -> Iterator[Any]:
    """An expression and all that it is made of, but nothing of a subquery in it."""
    stack = [expression]
    while stack:
        element = stack.pop()
        yield element
        if not isinstance(element, SelectBase):
            stack.extend(element.get_children())


def columns_of(expression: Any) -> Iterator[Any]:
    """The columns of tables and subqueries that an expression names."""
    for element in parts(expression):
        if isinstance(element, ColumnClause) and element.table is not None:
            yield element


def is_opaque(expression: Any) -> bool:
    """True for an expression with a subquery in it, whose columns :func:`columns_of` leaves out."""
    return any(isinstance(element, SelectBase) for element in parts(expression))


def is_fixed(expression: Any) -> bool:
    """True for an expression that another statement of the same shape may share.

    One without values, subqueries and aliases, which differ between such statements.
    """
    return not any(
        isinstance(element, SelectBase | BindParameter)
        or (isinstance(element, ColumnClause) and not isinstance(element.table, Table))
        for element in parts(expression)
    )


def has_window(expression: Any) -> bool:
    """True for an expression with a window function."""
    return any(isinstance(element, Over) for element in parts(expression))


def conjuncts(criterion: Any) -> Iterator[Any]:
    """The conditions that all have to hold for a condition to hold."""
    stack = [] if criterion is None else [criterion]
    while stack:
        element = unwrapped(stack.pop())
        if isinstance(element, BooleanClauseList) and element.operator is operators.and_:
            stack.extend(element.clauses)
        else:
            yield element


def never_null(expression: Any, column_never_null: Callable[[Any], bool]) -> bool:
    """True for an expression that is known to be NULL in no row; False where nothing is known.

    :param column_never_null: the same for a column.
    """

    def known(element: Any) -> bool:
        element = unwrapped(element)
        if isinstance(element, ColumnClause):
            return column_never_null(element)
        if isinstance(element, BindParameter):
            return _is_value(element)
        if isinstance(element, TypeCoerce):
            return known(element.clause)
        if isinstance(element, Cast):
            return _is_total(element) and known(element.clause)
        if isinstance(element, FunctionElement):
            return _function_is_known(element, known)
        if isinstance(element, Case):
            return element.else_ is not None and all(
                map(known, [element.else_, *(then for _, then in element.whens)])
            )
        if isinstance(element, UnaryExpression):
            return element.operator is operators.neg and known(element.element)
        if isinstance(element, BinaryExpression):
            return _binary_is_known(element, known)
        if isinstance(element, ExpressionClauseList):
            return element.operator is operators.concat_op and all(map(known, element.clauses))
        return False

    return known(expression)


def _is_value(parameter: Any) -> bool:
    """True for a parameter that no type, and no driver, makes a NULL of."""
    value = parameter.effective_value
    if isinstance(value, float | Decimal):
        # SQLite stores NaN as NULL
        return math.isfinite(value)
    plain = isinstance(value, int | str | bytes | dt.date | dt.time | dt.timedelta | uuid.UUID)
    return plain and isinstance(parameter.type, (*_PLAIN, NullType))


def _is_total(cast: Cast[Any]) -> bool:
    """True for a cast that gives a value for each value."""
    plain = isinstance(cast.type, _TOTAL) and isinstance(cast.clause.type, _PLAIN)
    return plain and not isinstance(cast, TryCast)


def _binary_is_known(expression: Any, known: Callable[[Any], bool]) -> bool:
    operator = expression.operator
    if operator in (operators.is_, operators.is_not):
        return True
    if isinstance(expression.right, CollationClause):
        return known(expression.left)
    strict = operator in _COMPARISONS or operator is operators.concat_op
    return strict and known(expression.left) and known(expression.right)


def _function_is_known(function: Any, known: Callable[[Any], bool]) -> bool:
    name = _name(function)
    arguments = list(getattr(function, "clauses", ()))
    if not name:
        return False
    if name == "count":
        return True
    if name == "coalesce":
        return any(map(known, arguments))
    kinds = _STRICT_FOR.get(name, (object,) if name in _STRICT else ())
    return bool(arguments) and all(
        isinstance(argument.type, kinds) and known(argument) for argument in arguments
    )


def _name(function: Any) -> str:
    """The name of a function of the database; empty for one in a schema, which may do anything."""
    if getattr(function, "packagenames", ()):
        return ""
    return str(getattr(function, "name", "")).lower()


def has_grouping_sets(clauses: Iterable[Any]) -> bool:
    """True for a GROUP BY whose rows have NULLs for columns that they are not grouped by."""
    return _calls(clauses, _GROUPING)


def has_aggregate(expressions: Iterable[Any]) -> bool:
    """True when one of the expressions is known to be an aggregate."""
    return _calls(expressions, _AGGREGATES)


def _calls(expressions: Iterable[Any], names: frozenset[str]) -> bool:
    return any(
        isinstance(part, FunctionElement) and _name(part) in names
        for expression in expressions
        for part in parts(expression)
    )


def raw(expression: Any) -> Any:
    """An expression whose values are as the driver gives and takes them.

    The database compares stored values: a type that rounds, or formats in another way than the row
    was written, would skip rows.
    """
    if isinstance(expression, UnaryExpression):
        # `NOT a = b` is `NOT (a = b)`, and SQLAlchemy sets no parentheses around its left side
        expression = Grouping(expression)
    return type_coerce(expression, NullType())
