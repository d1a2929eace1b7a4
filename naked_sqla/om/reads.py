"""Whether a statement only reads, so that it needs no transaction of its own.

Told from the statement alone.  What can't be seen through (text, functions, hints, constructs of
the application's own) counts as writing: a transaction too many costs two round trips, one too few
loses a write.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CompoundSelect, Select, TextClause
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.functions import FunctionElement

from naked_sqla import _compat

__all__ = ("only_reads",)

_REMEMBERED = 1000
_remembered: dict[Any, bool] = {}


def only_reads(statement: Any) -> bool:
    """True for a SELECT, or a compound of them, that changes nothing and locks nothing.

    False for ``FOR UPDATE``, a ``text()``, a function call, an INSERT, UPDATE or DELETE anywhere in
    it (a CTE that writes), hints, and constructs that are not SQLAlchemy's own.
    """
    if not isinstance(statement, Select | CompoundSelect):
        return False
    key = _compat.cache_key_of(statement)
    if key is None:
        return _only_reads(statement)
    found = _remembered.get(key)
    if found is None:
        if len(_remembered) >= _REMEMBERED:
            _remembered.clear()
        found = _remembered[key] = _only_reads(statement)
    return found


def _only_reads(statement: Any) -> bool:
    return all(_is_harmless(element) for element in visitors.iterate(statement)) and not any(
        _calls_functions(mapper) for mapper in _compat.mappers_in(statement)
    )


def _is_harmless(element: Any) -> bool:
    if isinstance(element, TextClause | FunctionElement | UpdateBase):
        return False
    if isinstance(element, ColumnClause) and element.is_literal and element.name != "*":
        # literal_column() is text; exists() writes its star so
        return False
    if _compat.locks_or_hints(element):
        return False
    return type(element).__module__.partition(".")[0] == "sqlalchemy"


def _calls_functions(mapper: Any) -> bool:
    """True when a ``column_property()`` of the class runs more than columns."""
    return any(
        not _is_harmless(element)
        for sub in mapper.self_and_descendants
        for prop in sub.column_attrs
        for element in visitors.iterate(prop.columns[0])
    )
