"""What an SQL expression is about: its columns, and whether it is ever NULL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import BinaryExpression, BindParameter, Case, Cast, Label, Over, Table, type_coerce
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import (
    BooleanClauseList,
    CollationClause,
    ColumnClause,
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
    "has_window",
    "is_fixed",
    "is_opaque",
    "never_null",
    "parts",
    "unwrapped",
)

# functions that are NULL only for NULL
_STRICT = frozenset(
    {
        "abs",
        "ceil",
        "ceiling",
        "char_length",
        "concat",
        "date_trunc",
        "floor",
        "length",
        "lower",
        "ltrim",
        "round",
        "rtrim",
        "trim",
        "upper",
    }
)
_STRICT_OPERATORS = frozenset(
    {
        operators.add,
        operators.concat_op,
        operators.eq,
        operators.ge,
        operators.gt,
        operators.le,
        operators.lt,
        operators.mul,
        operators.ne,
        operators.sub,
    }
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

    :param column_never_null: says it of a column.
    """

    def known(element: Any) -> bool:
        element = unwrapped(element)
        if isinstance(element, ColumnClause):
            return column_never_null(element)
        if isinstance(element, BindParameter):
            return element.effective_value is not None
        if isinstance(element, Cast | TypeCoerce):
            return known(element.clause)
        if isinstance(element, FunctionElement):
            return _function_is_known(element, known)
        if isinstance(element, Case):
            return element.else_ is not None and all(
                map(known, [element.else_, *(then for _, then in element.whens)])
            )
        if isinstance(element, UnaryExpression):
            return element.operator is operators.neg and known(element.element)
        if isinstance(element, BinaryExpression):
            if element.operator in (operators.is_, operators.is_not):
                return True
            if isinstance(element.right, CollationClause):
                return known(element.left)
            strict = element.operator in _STRICT_OPERATORS
            return strict and known(element.left) and known(element.right)
        return False

    return known(expression)


def _function_is_known(function: Any, known: Callable[[Any], bool]) -> bool:
    name = str(getattr(function, "name", "")).lower()
    arguments = list(getattr(function, "clauses", ()))
    if name == "count":
        return True
    if name == "coalesce":
        return any(map(known, arguments))
    return name in _STRICT and bool(arguments) and all(map(known, arguments))


def raw(expression: Any) -> Any:
    """An expression whose values are as the driver gives and takes them.

    What the database compares is what it stores: a type that rounds, or formats in another way
    than the row was written, would skip rows.
    """
    if isinstance(expression, UnaryExpression):
        # `NOT a = b` is `NOT (a = b)`, and SQLAlchemy sets no parentheses around its left side
        expression = Grouping(expression)
    return type_coerce(expression, NullType())
