"""ORDER BY, GROUP BY, DISTINCT and LIMIT of a statement; the tables that it selects from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnClause, Join, Label, ScalarSelect, Select, Table
from sqlalchemy.sql import visitors
from sqlalchemy.sql.selectable import FromGrouping, SelectStatementGrouping


def order_by_of(statement: Any) -> Sequence[Any]:
    """The arguments of ``order_by()``, coerced."""
    clauses: Sequence[Any] = statement._order_by_clauses
    return clauses


def group_by_of(statement: Any) -> Sequence[Any]:
    """The arguments of ``group_by()``, coerced; empty for a compound select."""
    clauses: Sequence[Any] = getattr(statement, "_group_by_clauses", ())
    return clauses


def referred_label(element: Any) -> Any:
    """The target of a reference in ORDER BY or GROUP BY: an expression, or the name as a string.

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


def has_ties(statement: Any) -> bool:
    """True for FETCH with ties, whose rows depend on the order, or with percent."""
    return any((getattr(statement, "_fetch_clause_options", None) or {}).values())


def is_grouped(statement: Any) -> bool:
    """True for a SELECT whose number of rows depends on its columns: DISTINCT, GROUP BY, HAVING."""
    return is_distinct(statement) or bool(group_by_of(statement) or statement._having_criteria)


def ends_with_text(statement: Any) -> bool:
    """True for a statement with text of the caller's, or a clause of an extension, at its end."""
    return bool(getattr(statement, "_suffixes", ())) or any(
        getattr(statement, f"_{place}_clause", None) is not None
        for place in ("post_select", "post_criteria", "post_body")
    )


def sure_tables(select: Any) -> frozenset[int]:
    """The tables in whose place a SELECT has no NULLs, by their hashes.

    Outer joins put NULLs there, and so do groups and, on SQLite, an aggregate of no rows.
    """
    sure: set[int] = set()
    unsure: set[int] = set()
    _note_tables(select, False, sure, unsure)
    return frozenset(sure - unsure)


def _note_tables(source: Any, nullable: bool, sure: set[int], unsure: set[int]) -> None:
    if isinstance(source, FromGrouping):
        _note_tables(source.element, nullable, sure, unsure)
    elif isinstance(source, Join):
        _note_tables(source.left, nullable or source.full, sure, unsure)
        _note_tables(source.right, nullable or source.isouter or source.full, sure, unsure)
    elif isinstance(source, Select):
        may_add = bool(source._group_by_clauses) or not all(
            map(_is_of_one_row, source._all_selected_columns)
        )
        for part in source.get_final_froms():
            _note_tables(part, nullable or may_add, sure, unsure)
    elif isinstance(getattr(source, "element", None), Select | SelectStatementGrouping):
        _note_tables(source.element, nullable, sure, unsure)
    elif isinstance(getattr(source, "element", source), Table):
        (unsure if nullable else sure).add(hash(source))


def _is_of_one_row(column: Any) -> bool:
    """True for an expression that is no aggregate."""
    while isinstance(column, Label):
        column = column.element
    return isinstance(column, ColumnClause | BindParameter | ScalarSelect) and not (
        getattr(column, "is_literal", False)
    )


def is_never_null(column: Any, sure: frozenset[int] | None) -> bool:
    """True for a column of a table that is NOT NULL.

    :param sure: of :func:`sure_tables`; None: no table has NULLs in its place.
    """
    if hasattr(column, "__clause_element__"):
        column = column.__clause_element__()
    table = getattr(column, "table", None)
    if getattr(column, "nullable", True) or table is None:
        return False
    return hash(table) in sure if sure is not None else True
