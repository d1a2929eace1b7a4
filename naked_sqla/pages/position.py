"""Conditions for the rows from a place in an order on.

A condition is written so that an index on the order gives a range: row values where the columns go
one way, a bound on the leading columns where they do not, and for a leading column with NULLs two
conditions, for two statements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, or_, true, tuple_
from sqlalchemy.sql import operators
from sqlalchemy.types import NullType

from naked_sqla.pages.expressions import raw
from naked_sqla.pages.order import Key

if TYPE_CHECKING:
    from naked_sqla.backends.base import Backend

__all__ = ("Places",)

_Compare = Callable[[Any, Any], Any]
_BACKWARDS: dict[_Compare, _Compare] = {operators.ge: operators.le, operators.gt: operators.lt}
_STRICT: dict[_Compare, _Compare] = {operators.ge: operators.gt, operators.le: operators.lt}


class Places:
    """Conditions on a key, for one database.

    :param keys: in the direction of reading, with their NULLs settled.
    :param values: of a row, as the driver gives them.
    """

    def __init__(self, keys: Sequence[Key], values: Sequence[Any], backend: Backend) -> None:
        self.keys = keys
        self.row_values = backend.has_row_values
        self.values = list(map(backend.position, values))

    def at(self) -> Any:
        """True for the row itself."""
        return and_(*(self.equal(i) for i in range(len(self.keys))))

    def onward(self) -> list[Any]:
        """Conditions for the row and all after it: their rows follow each other."""
        key, value = self.keys[0], self.values[0]
        if not key.nullable:
            return [self.rest(0)]
        expression = raw(key.expression)
        if value is None:
            here = and_(expression.is_(None), self.rest(1))
            return [here, expression.is_not(None)] if key.nulls_first else [here]
        here = self.rest(0, leading=True)
        return [here] if key.nulls_first else [here, expression.is_(None)]

    def rest(self, start: int, leading: bool = False) -> Any:
        """The row and those after it, among the rows that agree in the keys before ``start``.

        :param leading: rows with a NULL for the first key are asked for by another condition.
        """
        if start == len(self.keys):
            return true()
        end = start
        while end < len(self.keys) and self.is_plain(end, start, leading):
            end += 1
        if end == len(self.keys):
            return self.compared(start, end, operators.ge)
        if end > start:
            onward = or_(self.compared(start, end, operators.gt), self.rest(end))
            return and_(self.compared(start, end, operators.ge), onward)
        key, value = self.keys[start], self.values[start]
        expression = raw(key.expression)
        if value is None:
            here = and_(expression.is_(None), self.rest(start + 1))
            return or_(here, expression.is_not(None)) if key.nulls_first else here
        onward = and_(self.equal(start), self.rest(start + 1))
        return or_(self.compared(start, start + 1, operators.gt), expression.is_(None), onward)

    def is_plain(self, i: int, start: int, leading: bool) -> bool:
        """True for a key that a comparison is enough for, and that goes the way of ``start``."""
        key = self.keys[i]
        if key.descending != self.keys[start].descending:
            return False
        if not key.nullable:
            return True
        # a comparison with NULL is not true: right for the NULLs that come before
        return self.values[i] is not None and bool(key.nulls_first or (leading and i == start))

    def compared(self, start: int, end: int, operator: _Compare) -> Any:
        """The keys from ``start`` to ``end``, compared with the row's in the order's direction."""
        if self.keys[start].descending:
            operator = _BACKWARDS[operator]
        expressions = [raw(key.expression) for key in self.keys[start:end]]
        if end - start == 1:
            return operator(expressions[0], self.bound(start))
        bounds = [self.bound(i) for i in range(start, end)]
        if self.row_values:
            return operator(tuple_(*expressions), tuple_(*bounds))
        strict = _STRICT.get(operator, operator)
        condition = operator(expressions[-1], bounds[-1])
        for expression, bound in zip(expressions[-2::-1], bounds[-2::-1], strict=True):
            equal = expression == bound
            condition = or_(strict(expression, bound), and_(equal, condition))
        return condition

    def equal(self, i: int) -> Any:
        expression = raw(self.keys[i].expression)
        if self.values[i] is None:
            return expression.is_(None)
        return expression == self.bound(i)

    def bound(self, i: int) -> Any:
        return bindparam(None, self.values[i], NullType(), unique=True)
