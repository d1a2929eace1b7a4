"""The caller's statement made smaller: its first row, how many rows it has, whether it has any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import CompoundSelect, Select, TextClause, func, literal_column, select
from sqlalchemy.sql import visitors
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import SelectBase

from naked_sqla._sqlalchemy import loader_options, select_clauses, statements
from naked_sqla.exception import InvalidStatement, UnsupportedOption
from naked_sqla.read.statement import check_parameters, run

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("count", "exists", "first_of", "of_rows", "shown")

_Options = Mapping[str, Any] | None


def first_of(statement: Any, parameters: Any) -> Any:
    """The statement with LIMIT 1, or as it is where that could give another row, or an error.

    :param parameters: of the statement; one of them may be its LIMIT.
    """
    found = statements.resolved(statement)
    if not isinstance(found, Select | CompoundSelect) or statements.is_empty_select(found):
        return statement
    own = select_clauses.limit_and_offset(found)
    if (
        own is None
        or (own[0] is not None and own[0] <= 1)
        or (parameters and select_clauses.is_limited(found))
        or select_clauses.ends_with_text(found)
        or loader_options.contained_collection(found) is not None
    ):
        return statement
    return found.limit(1)


def count(
    conn: Connection,
    statement: Any,
    parameters: Any = None,
    execution_options: _Options = None,
    *,
    eager: bool = False,
) -> int:
    """How many rows a statement has; one statement, which loads nothing.

    :raises InvalidStatement: it is no ``select()``, ``union()`` or ``text().columns()``.
    :raises UnsupportedOption: ``contains_eager()`` fills a collection from its rows.
    """
    inner = _rows_of(statement, "count")
    torn = loader_options.contained_collection(inner)
    if torn is not None:
        raise UnsupportedOption(
            f"contains_eager({torn}) fills a collection from joined rows, so that there are fewer "
            f"objects than rows. Leave it out to count the rows, or count the objects: "
            f"select(...).where({torn}.any())."
        )
    counted: int = of_rows(conn, func.count(), inner, parameters, execution_options).scalar_one()
    return counted


def exists(
    conn: Connection,
    statement: Any,
    parameters: Any = None,
    execution_options: _Options = None,
    *,
    eager: bool = False,
) -> bool:
    """True when a statement has a row; one statement, which loads nothing and reads one row.

    :raises InvalidStatement: it is no ``select()``, ``union()`` or ``text().columns()``.
    """
    inner = _rows_of(statement, "exists")
    found = of_rows(conn, literal_column("1"), inner, parameters, execution_options, limit=1)
    return found.first() is not None


def of_rows(
    conn: Connection,
    column: Any,
    statement: Any,
    parameters: Any = None,
    execution_options: _Options = None,
    limit: int | None = None,
) -> Any:
    """The result of a SELECT of one column from the rows of a statement, in any order."""
    if parameters:
        # the statement that is sent has no ORDER BY, whose parameters the caller gives all the same
        check_parameters(conn, statement, parameters)
    outer = select(column).select_from(_small(statement).subquery()).limit(limit)
    # a subquery takes both from the statement that it is in
    outer = outer.options(*loader_options.criteria_options(statement))
    outer = outer.execution_options(**statement.get_execution_options())
    return run(conn, outer, parameters, execution_options, eager=True)


def _rows_of(statement: Any, method: str) -> Any:
    """The SELECT whose rows are counted."""
    found = statements.resolved(statement)
    inner = statements.inner_statement(found)
    found = found if inner is None else inner
    if not isinstance(found, SelectBase) or statements.is_empty_select(found):
        raise InvalidStatement(
            f"{method}() takes a select(), a union() and its kin, or a text() that names its "
            f"columns, not {shown(found)}. Write text(...).columns(...), or run it with execute()."
        )
    return found


def shown(statement: Any) -> str:
    """What was passed in place of a statement, for a message."""
    if isinstance(statement, type):
        return f"the class {statement.__name__}"
    found = repr(statement) if isinstance(statement, str) else type(statement).__name__
    return found if len(found) <= 60 else f"{found[:60]}..."


def _small(statement: Any) -> Any:
    """The statement with as few columns, and as little order, as its number of rows needs."""
    if not isinstance(statement, Select | CompoundSelect) or select_clauses.has_ties(statement):
        return statement
    order = select_clauses.order_by_of(statement)
    # a function that returns a set multiplies the rows, in ORDER BY too
    if not any(
        isinstance(element, FunctionElement | TextClause)
        for clause in order
        for element in visitors.iterate(clause)
    ):
        statement = statement.order_by(None)
    if not isinstance(statement, Select) or statements.names_results(statement, labels_only=True):
        return statement
    return _with_keys(statement)


def _with_keys(statement: Any) -> Any:
    """The SELECT with the primary keys of its entities in place of all their columns."""
    if select_clauses.is_grouped(statement) or select_clauses.is_extended(statement):
        return statement
    columns: list[Any] = []
    for part in statements.raw_columns(statement):
        entity = statements.entity_of_part(part)
        if entity is None or not getattr(part, "is_selectable", False):
            columns.append(part)
            continue
        mapper = entity.mapper
        if mapper.with_polymorphic is not None or len(entity.with_polymorphic_mappers) > 1:
            return statement
        keys = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
        columns += [getattr(entity.entity, key) for key in keys]
    return statement.with_only_columns(*columns)
