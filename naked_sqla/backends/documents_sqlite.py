"""Rows as JSON on SQLite, where the value, not the column, says of what kind it is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnClause, Text, case, func, literal_column, select, type_coerce
from sqlalchemy import types as sqltypes

from naked_sqla.backends.documents import BEYOND, SAME

__all__ = ("SQLiteDocuments",)

_BOOLEANS = (sqltypes.Boolean,)
_UUIDS = (sqltypes.Uuid,)


class _Json(Text):
    """Text that is JSON already."""


class SQLiteDocuments:
    """``json_group_array()`` and ``json_object()``; a fraction loses digits there."""

    # SQLite takes 127 arguments of a function, later versions 1000
    width = 60

    def value(self, expression: Any) -> Any:
        if hasattr(expression, "__clause_element__"):
            expression = expression.__clause_element__()
        type_: Any = getattr(expression, "type", None)
        if not isinstance(expression, ColumnClause) or expression.is_literal:
            # it is written several times below
            return None
        if type(type_) not in SAME or isinstance(type_, _UUIDS):
            return None
        kind = func.typeof(expression)
        beyond: Any = literal_column(f"'{BEYOND}'")
        if isinstance(type_, _BOOLEANS):
            truth = case(
                (expression == literal_column("0"), literal_column("'false'")),
                else_=literal_column("'true'"),
            )
            whole = kind == literal_column("'integer'")
            other: Any = literal_column(f"'\"{BEYOND}\"'")
            return type_coerce(case((whole, truth), (expression.is_not(None), other)), _Json())
        fraction = kind == literal_column("'real'")
        data = kind == literal_column("'blob'")
        return case((fraction, beyond), (data, beyond), else_=expression)

    def kinds(self, expression: Any) -> frozenset[int]:
        return frozenset()

    def array(self, rows: Any) -> Any:
        return func.json_group_array(self.one(rows))

    def one(self, rows: Any) -> Any:
        members: list[Any] = []
        for column in rows.c:
            is_json = isinstance(column.type, _Json)
            # what comes from a subquery is text again
            members += [
                literal_column(f"'{column.name}'"),
                func.json(column) if is_json else column,
            ]
        return func.json_object(*members)

    def within(self, document: Any) -> Any:
        return type_coerce(select(document).scalar_subquery(), _Json())

    def text(self, document: Any) -> Any:
        return document
