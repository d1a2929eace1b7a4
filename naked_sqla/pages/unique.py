"""The key that tells the rows of a SELECT apart.

Primary keys of the tables it selects from, as many as it takes: a table that a join reaches by all
of its own key adds no row, so that its key is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BinaryExpression, CompoundSelect, Join, Select, Table, UniqueConstraint
from sqlalchemy.orm import lazyload
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.selectable import AliasedReturnsRows, FromGrouping

from naked_sqla._sqlalchemy import select_clauses, statements
from naked_sqla.pages.expressions import (
    columns_of,
    conjuncts,
    has_aggregate,
    has_grouping_sets,
    is_opaque,
    never_null,
    unwrapped,
)

__all__ = ("Sources", "UnknownRows", "group_keys")


class UnknownRows(Exception):
    """Nothing is known to tell the rows of a table or subquery apart."""

    def __init__(self, source: Any) -> None:
        super().__init__(source)
        self.source = source


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A table, an alias or a subquery that a SELECT selects from.

    :ivar nullable: an outer join may put NULLs in its place.
    """

    source: Any
    nullable: bool


@dataclass(frozen=True, slots=True)
class _Equal:
    """Two sides that a condition makes equal.

    :ivar about: the leaves whose rows are only there when it holds; None for all.
    :ivar same: equal in every row, or both NULL.
    """

    left: Any
    right: Any
    about: frozenset[int] | None
    same: bool


@dataclass(slots=True)
class Sources:
    """The tables and subqueries that a SELECT selects from."""

    leaves: list[_Leaf] = field(default_factory=list)
    equal: list[_Equal] = field(default_factory=list)
    passing: frozenset[int] = frozenset()

    @classmethod
    def of(cls, select: Any) -> Sources:
        """The sources of a SELECT, without those that eager loading adds."""
        if not statements.is_orm_statement(select):
            return cls().filled(select)
        select = statements.without_options(select).options(lazyload("*"))
        sources = cls().filled(select)
        # an alias that a relationship makes for its secondary table is another one each time
        again = {hash(leaf.source) for leaf in cls().filled(select).leaves}
        sources.passing = frozenset(hash(leaf.source) for leaf in sources.leaves) - again
        return sources

    def filled(self, select: Any) -> Sources:
        for source in select.get_final_froms():
            self.add(source, False)
        self.note(select.whereclause, None, True)
        return self

    def add(self, source: Any, nullable: bool) -> None:
        """Take in one of the things that are selected from."""
        if isinstance(source, FromGrouping):
            self.add(source.element, nullable)
        elif isinstance(source, Join):
            start = len(self.leaves)
            self.add(source.left, nullable or source.full)
            middle = len(self.leaves)
            self.add(source.right, nullable or source.isouter or source.full)
            if source.full:
                return
            if source.isouter:
                self.note(source.onclause, self.since(middle), False)
            else:
                self.note(source.onclause, self.since(start) if nullable else None, True)
        else:
            self.leaves.append(_Leaf(source, nullable))

    def since(self, start: int) -> frozenset[int]:
        return frozenset(hash(leaf.source) for leaf in self.leaves[start:])

    def note(self, criterion: Any, about: frozenset[int] | None, same: bool) -> None:
        """Take in the equalities of a condition."""
        for condition in conjuncts(criterion):
            if isinstance(condition, BinaryExpression) and condition.operator is operators.eq:
                left, right = condition.left, condition.right
                self.equal += (_Equal(left, right, about, same), _Equal(right, left, about, same))

    def key(self) -> list[Any]:
        """Columns that tell the rows of the FROM clause apart.

        :raises UnknownRows: when there are none.
        """
        covered: set[int] = set()
        key: list[Any] = []
        for leaf in self.leaves:
            follows = [self.follows(leaf, u, covered) for u in _candidates(leaf.source)]
            if not any(follows):
                more = _key_of(leaf.source)
                more = [column for column in more if not self.follows(leaf, (column,), covered)]
                key += map(self.lasting, more)
            covered.add(hash(leaf.source))
        if not key and self.leaves:
            # a condition leaves one row: any key of it will do
            key = list(next((u for u in _candidates(self.leaves[0].source) if u), ()))
        return key

    def missing(self, wider: Sources) -> Any:
        """A source that only a SELECT of more columns has, or None."""
        there = {hash(leaf.source) for leaf in self.leaves}
        more = [leaf.source for leaf in wider.leaves if hash(leaf.source) not in there]
        return more[-1] if len(wider.leaves) > len(self.leaves) else None

    def lasting(self, column: Any) -> Any:
        """A column, or an equal one, that another run of the statement has too.

        :raises UnknownRows: when there is no such column.
        """
        if hash(column.table) not in self.passing:
            return column
        for equal in self.equal:
            if equal.same and hash(equal.left) == hash(column):
                table = getattr(equal.right, "table", None)
                if table is not None and hash(table) not in self.passing:
                    return equal.right
        raise UnknownRows(column.table)

    def follows(self, leaf: _Leaf, unique: tuple[Any, ...], covered: set[int]) -> bool:
        """True when the leaves before a leaf determine its row."""
        return bool(unique) and all(
            any(
                hash(equal.left) == hash(column) and self.reaches(equal, leaf, covered)
                for equal in self.equal
                if isinstance(equal.left, ColumnClause)
            )
            for column in unique
        )

    def reaches(self, equal: _Equal, leaf: _Leaf, covered: set[int]) -> bool:
        if equal.about is not None and hash(leaf.source) not in equal.about:
            return False
        if is_opaque(equal.right):
            return False
        return all(hash(column.table) in covered for column in columns_of(equal.right))

    def same(self, column: Any) -> Iterator[int]:
        """The hashes of a column and of those that are equal to it in every row."""
        yield hash(column)
        for equal in self.equal:
            if equal.same and hash(equal.left) == hash(column):
                yield hash(equal.right)

    def never_null(self, expression: Any) -> bool:
        """True for an expression that no row has a NULL for."""
        return never_null(expression, self._column_never_null)

    def _column_never_null(self, column: Any) -> bool:
        table = hash(column.table)
        for leaf in self.leaves:
            if hash(leaf.source) == table:
                return not leaf.nullable and _never_null_in(leaf.source, column)
        return False


def _never_null_in(source: Any, column: Any) -> bool:
    """True when a table or subquery has no NULL in a column."""
    inner = _inner(source)
    if isinstance(inner, Select):
        selected = statements.selected_columns(inner)
        if _adds_nulls(inner, selected):
            return False
        for position, other in enumerate(source.c):
            if hash(other) == hash(column) and position < len(selected):
                return Sources.of(inner).never_null(selected[position])
        return False
    return isinstance(inner, Table) and not getattr(column, "nullable", True)


def _adds_nulls(select: Any, selected: Iterable[Any]) -> bool:
    """True for a SELECT that has NULLs for columns without any."""
    groups = select_clauses.group_by_of(select)
    # SQLite has a row for an aggregate of nothing, and NULLs beside it
    return has_grouping_sets(groups) if groups else has_aggregate(selected)


def _inner(source: Any) -> Any:
    """The table or SELECT under aliases."""
    while isinstance(source, AliasedReturnsRows):
        source = source.element
    while isinstance(source, FromGrouping) or hasattr(source, "element"):
        source = source.element
    return source


def _candidates(source: Any) -> Iterator[tuple[Any, ...]]:
    """Each set of columns that no two rows of a table or subquery agree in, NULLs aside."""
    inner = _inner(source)
    if not isinstance(inner, Table):
        try:
            yield tuple(_key_of(source))
        except UnknownRows:
            return
        return
    yield tuple(source.primary_key)
    for constraint in inner.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield tuple(source.c[column.key] for column in constraint.columns)


def _key_of(source: Any) -> list[Any]:
    """The columns that tell the rows of a table or subquery apart.

    :raises UnknownRows: when there are none.
    """
    inner = _inner(source)
    if isinstance(inner, Table):
        for unique in _candidates(source):
            if unique and not any(column.nullable for column in unique):
                return list(unique)
    elif isinstance(inner, CompoundSelect):
        # rows of UNION ALL may still be equal, which is seen when they are read
        return list(source.c)
    elif isinstance(inner, Select):
        return _outside(source, inner)
    raise UnknownRows(source)


def _outside(source: Any, inner: Any) -> list[Any]:
    """The key of a subquery, in terms of its columns."""
    columns = list(source.c)
    if select_clauses.is_distinct(inner) and not select_clauses.is_distinct_on(inner):
        return columns
    selected = [unwrapped(column) for column in statements.selected_columns(inner)]
    if len(selected) != len(columns):
        raise UnknownRows(source)
    groups = group_keys(inner)
    key = []
    for expression in Sources.of(inner).key() if groups is None else groups:
        found = _find(expression, selected)
        if found is None:
            raise UnknownRows(source)
        key.append(columns[found])
    return key


def _find(expression: Any, among: list[Any]) -> int | None:
    expression = unwrapped(expression)
    for position, other in enumerate(among):
        if hash(other) == hash(expression) or expression.compare(other):
            return position
    return None


def group_keys(select: Any) -> list[Any] | None:
    """The expressions of GROUP BY, which tell groups apart; None without one.

    :raises UnknownRows: for a name that is not a label of the SELECT.
    """
    clauses = select_clauses.group_by_of(select)
    if not clauses:
        return None
    return [unwrapped(named(select, clause)) for clause in clauses]


def named(select: Any, element: Any) -> Any:
    """The expression that an element of ORDER BY or GROUP BY names by a label or a column's name.

    :raises UnknownRows: for a name that the SELECT has not, or has twice.
    """
    element = select_clauses.referred_label(element)
    if not isinstance(element, str):
        return element
    found = [
        column
        for column in statements.selected_columns(select)
        if element in (getattr(column, "key", None), getattr(column, "name", None))
    ]
    if len(found) != 1:
        raise UnknownRows(element)
    return found[0]
