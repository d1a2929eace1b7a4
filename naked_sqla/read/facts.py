"""Facts about a statement, from the statement alone, found once.

Text, functions, hints and constructs of the application's own count as writing, since they may
write: a needless transaction costs two round trips, a missing one loses a write.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import CompoundSelect, Select, TextClause
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.functions import FunctionElement, GenericFunction, next_value

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import loader_options, statements

__all__ = ("Facts", "facts_of", "keep", "kept", "loads_eagerly")


class Facts:
    """Facts about a statement.

    :ivar only_reads: it is a SELECT, or a compound of them, that changes and locks nothing.
    :ivar may_write: it may change something that has to be committed; False for a SELECT that
        locks, or calls functions that SQLAlchemy knows to compute only.
    :ivar has_dml: an INSERT, UPDATE or DELETE is in it.
    :ivar locks: it has FOR UPDATE.
    :ivar loads_by_option: its loader options may lead to further statements.
    :ivar loads_by_mapping: the mappings of its entities may.
    """

    __slots__ = (
        "has_dml",
        "loads_by_mapping",
        "loads_by_option",
        "locks",
        "may_write",
        "only_reads",
    )

    def __init__(self, statement: Any) -> None:
        elements = list(visitors.iterate(statement))
        mappers = list(statements.mappers_in(statement))
        computed = [element for mapper in mappers for element in _expressions_of(mapper)]
        self.has_dml = any(isinstance(element, UpdateBase) for element in elements)
        self.locks = any(map(statements.locks, elements))
        self.only_reads = isinstance(statement, Select | CompoundSelect) and not any(
            _is_opaque(element) or statements.locks(element) or statements.has_hints(element)
            for part in (elements, computed)
            for element in part
        )
        self.may_write = not self.only_reads and any(
            _is_opaque(element) and not _computes_only(element)
            for part in (elements, computed)
            for element in part
        )
        self.loads_by_option = loader_options.may_load_further(statement)
        self.loads_by_mapping = loads_eagerly(mappers)

    def loads_further(self, eager: bool) -> bool:
        """True when it may lead to further statements.

        :param eager: the eager loads of the mapping count too.
        """
        return self.loads_by_option or (eager and self.loads_by_mapping)


_facts: BoundedCache[Any, Facts] = BoundedCache(1000)


def facts_of(statement: Any) -> Facts:
    """The facts about a statement; kept for all statements that differ in their values only."""
    key = statements.cache_key_of(statement)
    if key is None:
        return Facts(statement)
    return _facts.get(key) or keep(key, statement)


def kept(key: Any) -> Facts | None:
    """The facts that :func:`keep` was given, or None."""
    return _facts.get(key)


def keep(key: Any, statement: Any) -> Facts:
    """Work out the facts about a statement, and keep them for a key, such as a mapped class."""
    found = _facts[key] = Facts(statement)
    return found


def loads_eagerly(mappers: Iterable[Any]) -> bool:
    """True when a mapping asks for further statements, or may."""
    return any(
        sub.polymorphic_load == "selectin"
        or any(
            prop.lazy in ("selectin", "subquery", "immediate", "joined", False)
            for prop in sub.relationships
        )
        for mapper in mappers
        for sub in mapper.self_and_descendants
    )


def _is_opaque(element: Any) -> bool:
    """True for an element whose effects are not known: text, functions, writes, foreign classes."""
    if isinstance(element, TextClause | FunctionElement | UpdateBase):
        return True
    if isinstance(element, ColumnClause) and element.is_literal and element.name != "*":
        # literal_column() is text; exists() writes its star so
        return True
    return type(element).__module__.partition(".")[0] != "sqlalchemy"


def _computes_only(function: Any) -> bool:
    """True for a function of SQLAlchemy's own, such as ``count()``; not for ``nextval()``."""
    return isinstance(function, GenericFunction) and not isinstance(function, next_value)


def _expressions_of(mapper: Any) -> Iterable[Any]:
    """All that the ``column_property()`` of a class and its subclasses is made of."""
    return (
        element
        for sub in mapper.self_and_descendants
        for prop in sub.column_attrs
        for element in visitors.iterate(prop.columns[0])
    )
