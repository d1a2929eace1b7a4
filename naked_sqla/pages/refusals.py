"""The errors of ``keyset()`` for statements that it can't page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import JSON, TextClause
from sqlalchemy.sql.elements import ColumnClause, ColumnElement, Tuple
from sqlalchemy.sql.functions import FunctionElement

from naked_sqla.exception import InvalidStatement
from naked_sqla.hiding import shown
from naked_sqla.pages.expressions import parts

if TYPE_CHECKING:
    from naked_sqla.backends.base import Backend

__all__ = ("check_expression", "check_value", "name_of", "refuse", "refuse_kind", "refuse_source")

# each call of them gives another order
_RANDOM = frozenset({"gen_random_uuid", "newid", "rand", "random", "uuid_generate_v4"})


def check_expression(expression: Any) -> None:
    """Refuse an expression that has no value to compare rows by."""
    if isinstance(expression, TextClause | Tuple) or not isinstance(expression, ColumnElement):
        raise InvalidStatement(
            f"keyset() can't compare rows by {str(expression)!r}, which is not a single "
            f"expression. Order by columns and expressions: order_by(User.name.desc())."
        )
    if isinstance(getattr(expression.type, "impl_instance", expression.type), JSON):
        raise InvalidStatement(
            f"keyset() can't go on from the JSON value of {expression!s}: drivers do not tell JSON "
            f"null from NULL. Order by a part of it, as_string() and its kin, or by a cast() of it."
        )
    if isinstance(expression, ColumnClause) and expression.is_literal and expression.name.isdigit():
        raise InvalidStatement(
            f"keyset(): ORDER BY {expression.name} is a position, not a value to compare rows by. "
            f"Order by the column itself."
        )
    for part in parts(expression):
        if isinstance(part, FunctionElement) and str(getattr(part, "name", "")).lower() in _RANDOM:
            raise InvalidStatement(
                f"keyset() can't page ORDER BY {part.name}(): each statement has another order. "
                f"Order by a column, where a random number of each row is stored."
            )


def check_value(backend: Backend, expression: Any, value: Any) -> None:
    """Refuse a value that a driver gives as another one than the database compares."""
    reason = backend.refuses_position(value)
    if reason is not None:
        raise InvalidStatement(
            f"keyset() can't go on from {shown(value)} of {expression!s}, because the row would "
            f"not be found again: that is {reason}. Order by a number: extract('epoch', ...)."
        )


def refuse_kind(expression: Any, value: Any) -> NoReturn:
    """Raise ``InvalidStatement`` for a value that is not of its column's type."""
    raise InvalidStatement(
        f"keyset() can't go on from {shown(value)} of {expression!s}, which the model declares as "
        f"{'NOT NULL' if value is None else expression.type!r}: a client could not be told from "
        f"one that made the cursor up. Declare the column as it is in the database, or sign "
        f"cursors: give the factory a secret=."
    )


def refuse(what: str, why: str) -> NoReturn:
    """Raise ``InvalidStatement`` for a statement that a subquery would help."""
    raise InvalidStatement(
        f"keyset() can't page a statement with {what}: {why}. Put it into a subquery and order "
        f"that: select(statement.subquery()), or for objects "
        f"select(aliased(User, statement.subquery())); or use paginate()."
    )


def refuse_source(source: Any) -> NoReturn:
    """Raise ``InvalidStatement`` for a table whose rows nothing tells apart."""
    raise InvalidStatement(
        f"keyset() can't tell the rows of {name_of(source)} apart: it has no primary key "
        f"(and no unique constraint without NULLs), or the statement does not select it. Use "
        f"distinct() or group_by(), join it by a key, or use paginate()."
    )


def name_of(source: Any) -> str:
    """The name of a table or subquery in a message."""
    name = source if isinstance(source, str) else str(getattr(source, "name", "a subquery"))
    # of an anonymous alias; "anon" for a subquery
    shown = name[2:-2].partition(" ")[2] if name.startswith("%(") else name
    return "a subquery" if shown == "anon" else shown
