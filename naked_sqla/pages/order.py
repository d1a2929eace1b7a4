"""The order of a statement as a key: expressions that no two of its rows agree in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, CompoundSelect, desc, nulls_first, nulls_last, select
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import (
    ClauseList,
    Tuple,
    UnaryExpression,
)

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import select_clauses, statements
from naked_sqla.exception import InvalidStatement
from naked_sqla.pages.expressions import (
    columns_of,
    has_grouping_sets,
    has_window,
    is_fixed,
    is_opaque,
    raw,
    unwrapped,
)
from naked_sqla.pages.paginate import checked
from naked_sqla.pages.refusals import check_expression, name_of, refuse, refuse_source
from naked_sqla.pages.unique import Sources, UnknownRows, group_keys, named

if TYPE_CHECKING:
    from naked_sqla.backends.base import Backend

__all__ = ("Key", "Ordered", "ordered")


@dataclass(frozen=True, slots=True)
class Key:
    """One expression of an order.

    :ivar nullable: some rows may have a NULL for it.
    :ivar nulls_first: NULLs come first; None where the database decides.
    """

    expression: Any
    descending: bool
    nullable: bool = False
    nulls_first: bool | None = None

    def settled(self, backend: Backend) -> Key:
        """The key with its NULLs in a known place.

        :raises InvalidStatement: only the database knows where.
        """
        if self.nulls_first is not None:
            return self
        if backend.nulls_sort is None and self.nullable:
            raise InvalidStatement(
                f"keyset(): {self.expression!s} may be NULL, and nothing tells where "
                f"{backend.name} sorts NULLs. Write order_by(column.nulls_last())."
            )
        return replace(self, nulls_first=self._by_itself(backend))

    def _by_itself(self, backend: Backend) -> bool:
        """Whether NULLs come first without NULLS FIRST or NULLS LAST."""
        return (backend.nulls_sort == "as_largest") == self.descending

    def reversed(self) -> Key:
        """The key of the opposite order."""
        return replace(self, descending=not self.descending, nulls_first=not self.nulls_first)

    def element(self, backend: Backend, named: Any = None) -> Any:
        """The element of ORDER BY.

        :param named: the selected label of the expression, to be named in its place.
        """
        element: Any = self.expression if named is None else named
        if self.descending:
            element = desc(element)
        # written only where the database may sort otherwise: an index has its own order
        known = backend.nulls_sort is not None and self.nulls_first == self._by_itself(backend)
        if self.nullable and not known:
            element = nulls_first(element) if self.nulls_first else nulls_last(element)
        return element


@dataclass(frozen=True, slots=True)
class Ordered:
    """A SELECT without its order, and the key that it is ordered by.

    :ivar grouped: conditions on the key go into HAVING.
    :ivar distinct: ORDER BY has to name selected columns.
    :ivar fingerprints: of the order, by the name of the database.
    """

    select: Any
    keys: tuple[Key, ...]
    grouped: bool = False
    distinct: bool = False
    fingerprints: dict[str, bytes] = field(default_factory=dict)


def ordered(statement: Any) -> Ordered:
    """Take the order of a statement apart.

    :raises InvalidStatement: where it can't be a key, or a condition on it would change other rows.
    :raises UnsupportedOption: for a collection filled by ``contains_eager()``.
    """
    statement = checked(statement, "keyset")
    if isinstance(statement, CompoundSelect):
        return _compound(statement)
    key = statements.cache_key_of(statement)
    known = None if key is None else _known.get(key)
    if known is not None:
        return replace(known, select=statement.order_by(None))
    found = _taken_apart(statement)
    if key is not None and all(is_fixed(key.expression) for key in found.keys):
        _known[key] = replace(found, select=None)
    return found


# orders that are the same in each statement of one cache key: of plain tables, without values
_known: BoundedCache[Any, Ordered] = BoundedCache(500)


def _taken_apart(statement: Any) -> Ordered:
    if select_clauses.is_limited(statement):
        refuse("a LIMIT or OFFSET of its own", "which rows it cuts off depends on the page")
    if select_clauses.is_distinct_on(statement):
        refuse("DISTINCT ON", "which row it keeps depends on the page")
    if select_clauses.is_extended(statement):
        refuse("a clause from ext()", "its effect on the rows is not known")
    if has_grouping_sets(select_clauses.group_by_of(statement)):
        refuse("GROUP BY ROLLUP, CUBE or GROUPING SETS", "nothing tells totals and groups apart")
    keys = [_key(element, statement) for element in _elements(statement)]
    selected = statements.selected_columns(statement)
    if any(map(has_window, [*selected, *(key.expression for key in keys)])):
        refuse("a window function", "its value depends on the rows of the page")
    return _completed(statement, keys, selected)


def _completed(statement: Any, keys: list[Key], selected: Any) -> Ordered:
    """The order, with the keys added that tell all rows apart."""
    sources = Sources.of(statement)
    distinct = select_clauses.is_distinct(statement)
    try:
        groups = group_keys(statement)
        if distinct:
            _check_distinct(keys, selected)
            more = _distinct_keys(selected)
        else:
            more = sources.key() if groups is None else groups
    except UnknownRows as error:
        refuse_source(error.source)
    # a parameter is the same in every row
    keys = [key for key in keys if not isinstance(key.expression, BindParameter)]
    more = [expression for expression in more if not isinstance(expression, BindParameter)]
    descending = bool(keys) and keys[-1].descending
    for expression in more:
        if not _is_among(expression, keys, sources):
            keys.append(Key(expression, descending))
    settled = tuple(replace(key, nullable=not sources.never_null(key.expression)) for key in keys)
    if not settled:
        raise InvalidStatement(
            "keyset(): the statement selects from no table and orders by no column, so there is no "
            "key to go on from. Run it with execute(), or use paginate()."
        )
    for key in settled:
        check_expression(key.expression)
    _check_columns(statement, settled, sources)
    return Ordered(statement.order_by(None), settled, groups is not None, distinct)


def _check_columns(statement: Any, keys: tuple[Key, ...], sources: Sources) -> None:
    """Refuse an order by a table that is not in the FROM clause: adding it would multiply rows."""
    wider = Sources.of(statement.add_columns(*(raw(key.expression) for key in keys)))
    missing = sources.missing(wider)
    if missing is not None:
        raise InvalidStatement(
            f"keyset(): the statement is ordered by a column of {name_of(missing)}, and does not "
            f"select from it. Join {name_of(missing)}, or order by a column of the tables that it "
            f"selects from."
        )


def _compound(statement: Any) -> Ordered:
    """A union as a subquery: its rows are told apart by all of their columns."""
    rows = (
        statement if select_clauses.is_limited(statement) else statement.order_by(None)
    ).subquery()
    keys = []
    for element in _elements(statement):
        key = _stripped(element)
        column = key.expression
        if isinstance(column, str):
            found = rows.c.get(column)
        else:
            check_expression(column)
            found = rows.corresponding_column(unwrapped(column))
            if found is None:
                found = rows.c.get(getattr(column, "name", None))
        if found is None:
            raise InvalidStatement(
                f"keyset(): {column!s} is not a column of the union. Order it by one of: "
                f"{', '.join(rows.c.keys())}."
            )
        keys.append(replace(key, expression=found))
    descending = bool(keys) and keys[-1].descending
    there = {hash(key.expression) for key in keys}
    keys += [Key(column, descending) for column in rows.c if hash(column) not in there]
    for key in keys:
        check_expression(key.expression)
    return Ordered(select(*rows.c), tuple(replace(key, nullable=True) for key in keys))


def _elements(statement: Any) -> Iterator[Any]:
    """The elements of a statement's ORDER BY; a composite stands for its columns."""
    for element in select_clauses.order_by_of(statement):
        if isinstance(element, ClauseList) and not isinstance(element, Tuple):
            yield from element.clauses
        else:
            yield element


def _stripped(element: Any) -> Key:
    """An element of ORDER BY without its direction."""
    descending, first = False, None
    element = select_clauses.referred_label(element)
    while isinstance(element, UnaryExpression):
        if element.modifier is operators.desc_op:
            descending = not descending
        elif element.modifier is operators.nulls_first_op:
            first = True
        elif element.modifier is operators.nulls_last_op:
            first = False
        elif element.modifier is not operators.asc_op:
            break
        element = select_clauses.referred_label(element.element)
    return Key(element, descending, nulls_first=first)


def _key(element: Any, statement: Any) -> Key:
    key = _stripped(element)
    try:
        expression = unwrapped(named(statement, key.expression))
    except UnknownRows as error:
        raise InvalidStatement(
            f"keyset(): the statement is ordered by {error.source!r}, and selects no column of "
            f"that name, or several. Order by the column or label itself: order_by(User.name)."
        ) from None
    check_expression(expression)
    return replace(key, expression=expression)


def _is_among(expression: Any, keys: list[Key], sources: Sources) -> bool:
    same = set(sources.same(expression))
    return any(
        hash(key.expression) in same or bool(expression.compare(key.expression)) for key in keys
    )


# ---------------------------------------------------------------- DISTINCT


def _check_distinct(keys: list[Key], selected: Any) -> None:
    """Refuse an order by an unselected expression: adding it would make more rows distinct."""
    there = {hash(unwrapped(column)) for column in selected}
    for key in keys:
        if hash(key.expression) in there:
            continue
        missing = [str(c) for c in columns_of(key.expression) if hash(c) not in there]
        if missing or is_opaque(key.expression):
            raise InvalidStatement(
                f"keyset(): a DISTINCT statement is ordered by {key.expression!s}, which it does "
                f"not select. Select it too, or leave out distinct()."
            )


def _distinct_keys(selected: Any) -> list[Any]:
    """The key of distinct rows: all columns, or the primary keys that they depend on."""
    columns = [unwrapped(column) for column in selected]
    there = {hash(column) for column in columns}
    found: dict[int, Any] = {}
    for column in columns:
        table = getattr(column, "table", None)
        key = list(getattr(table, "primary_key", ()))
        if not key or _is_derived(table) or any(hash(part) not in there for part in key):
            key = [column]
        for part in key:
            found.setdefault(hash(part), part)
    return list(found.values())


def _is_derived(table: Any) -> bool:
    """True for a subquery, whose primary key columns may come several times."""
    while hasattr(table, "element"):
        table = table.element
    return not hasattr(table, "constraints")
