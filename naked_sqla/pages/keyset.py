"""Pages by key: the rows after, or before, the place that a cursor stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2s
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import false
from sqlalchemy.dialects import registry
from sqlalchemy.exc import DBAPIError

from naked_sqla._sqlalchemy import results
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidCursor, InvalidStatement
from naked_sqla.hiding import shown
from naked_sqla.pages.cursor import Gap, Secrets, decode, encode, refused, text_of
from naked_sqla.pages.expressions import raw
from naked_sqla.pages.kinds import fits
from naked_sqla.pages.order import Key, Ordered, ordered
from naked_sqla.pages.paginate import number
from naked_sqla.pages.position import Places
from naked_sqla.pages.refusals import check_value, refuse_kind
from naked_sqla.read import statement as _statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("KeysetPageData", "keyset", "takes_several_statements")


@dataclass(frozen=True, slots=True)
class KeysetPageData:
    """The data of one page by key."""

    items: list[Any]
    next_cursor: str | None
    prev_cursor: str | None


def takes_several_statements(statement: Any) -> bool:
    """True when a page may take several statements; errors as in :func:`keyset`."""
    return ordered(statement).keys[0].nullable


def keyset(
    conn: Connection,
    eager: bool,
    statement: Any,
    after: Any,
    before: Any,
    per_page: int,
    secrets: Secrets = (),
) -> KeysetPageData:
    """The rows of a statement after or before a place; the first ones where none is given.

    :param secrets: cursors are signed with the first one, and have to be signed with one of them.
    :raises InvalidCursor: for a cursor that is not of this statement's order, and for two.
    :raises InvalidStatement: for a statement whose order can't be a key.
    """
    if after is not None and before is not None:
        raise InvalidCursor(
            "keyset() was given after= and before=, and takes one of them. Pass "
            "after=page.next_cursor for the next page, before=page.prev_cursor for the one before."
        )
    pages = _KeysetPages(conn, eager, ordered(statement), secrets)
    cursor = after if before is None else before
    if cursor is None:
        return pages.page(None, False, per_page)
    try:
        return pages.page(pages.gap(cursor), before is not None, per_page)
    except DBAPIError as error:
        # only the database knows the type of an expression
        if secrets or not pages.backend.refuses_values(error):
            raise
        raise refused(cursor) from error


@cache
def _dialect(name: str) -> Any:
    """A dialect that spells an expression the same for all drivers, or None."""
    try:
        return registry.load(name)()
    except Exception:  # noqa: BLE001 - of a dialect that is not SQLAlchemy's own
        return None


@dataclass(slots=True)
class _Row:
    """A row with its key.

    :ivar is_at: it is the row that the cursor was made of.
    """

    items: Any
    key: tuple[Any, ...]
    is_at: bool


class _KeysetPages:
    """Reads the pages of one statement."""

    def __init__(self, conn: Connection, eager: bool, order: Ordered, secrets: Secrets) -> None:
        self.conn = conn
        self.eager = eager
        self.order = order
        self.secrets = secrets
        self.backend = backend_of(conn.dialect)
        self.keys = [key.settled(self.backend) for key in order.keys]
        self.fingerprint = self.of_order()
        self.narrow: Any = None

    def of_order(self) -> bytes:
        """The fingerprint of an order: the same in every process and with every driver."""
        name = self.backend.name
        known = self.order.fingerprints.get(name)
        if known is not None:
            return known
        dialect = _dialect(name) or self.conn.dialect
        digest = blake2s(name.encode())
        for key in self.keys:
            compiled = key.expression.compile(dialect=dialect)
            values = [text_of(value) for _, value in sorted(compiled.params.items())]
            digest.update(repr((str(compiled), values, key.descending, key.nulls_first)).encode())
        found = self.order.fingerprints[name] = digest.digest()
        return found

    def page(self, gap: Gap | None, backward: bool, per_page: int) -> KeysetPageData:
        rows, more, behind = self.side(gap, backward, per_page)
        if behind is None:
            behind = bool(self.side(gap, not backward, 0)[1])
        if backward:
            rows.reverse()
            more, behind = behind, more
        following, previous = gap, gap
        if rows:
            following, previous = Gap(rows[-1].key, True), Gap(rows[0].key, False)
        return KeysetPageData(
            self.items(rows),
            self.cursor(following) if more and following else None,
            self.cursor(previous) if behind and previous else None,
        )

    def gap(self, cursor: Any) -> Gap:
        """The place that a cursor stands for.

        Without a secret anyone can make a cursor: its values are looked at before any use.

        :raises InvalidCursor: for a cursor that no row of the statement has.
        """
        gap = decode(cursor, self.fingerprint, len(self.keys), self.secrets)
        if not self.secrets and not all(map(self.fits, self.keys, gap.values)):
            raise refused(cursor)
        return gap

    def cursor(self, gap: Gap) -> str:
        """The cursor of a place.

        :raises InvalidStatement: for a key that the database can't find again.
        """
        for key, value in zip(self.keys, gap.values, strict=True):
            check_value(self.backend, key.expression, value)
            if not self.secrets and not self.fits(key, value):
                refuse_kind(key.expression, value)
        return encode(gap, self.fingerprint, self.secrets)

    def fits(self, key: Key, value: Any) -> bool:
        return fits(key, value, self.backend, self.conn.dialect)

    def side(
        self, gap: Gap | None, backward: bool, wanted: int
    ) -> tuple[list[_Row], bool, bool | None]:
        """The rows on one side of a place, in the direction of reading.

        :return: the rows; whether there are more; whether there are rows on the other side, None
            where that was not seen.
        """
        if gap is None:
            rows = self.read(None, backward, wanted + 1)
            behind: bool | None = False
        else:
            # the row at the cursor tells, as long as it is there, that there is another side
            rows = self.read(gap.values, backward, wanted + 2)
            behind = None
            if gap.behind is not backward:
                at = [row for row in rows if row.is_at]
                rows = [row for row in rows if not row.is_at]
                behind = True if at else None
        self.check(rows)
        return rows[:wanted], len(rows) > wanted, behind

    def check(self, rows: Sequence[_Row]) -> None:
        """Refuse rows that the key does not tell apart: the next page would leave some out."""
        for row, following in pairwise(rows):
            if row.key == following.key:
                raise InvalidStatement(
                    f"keyset(): two rows of the statement have the same key {shown(row.key)}, so "
                    f"that a page could not go on between them. Order by what tells them apart, "
                    f"use distinct(), or use paginate()."
                )

    def read(self, values: Any, backward: bool, limit: int) -> list[_Row]:
        """Rows from a place on, and the row at the place."""
        keys = [key.reversed() for key in self.keys] if backward else self.keys
        if values is None:
            return self.run(keys, None, false(), limit)
        places = Places(keys, values, self.backend)
        rows: list[_Row] = []
        for condition in places.onward():
            rows += self.run(keys, condition, places.at(), limit - len(rows))
            if len(rows) >= limit:
                break
        return rows

    def run(self, keys: Sequence[Key], condition: Any, at: Any, limit: int) -> list[_Row]:
        order, width = self.order, len(keys)
        labels = [raw(key.expression).label(f"naked_key_{i}") for i, key in enumerate(keys)]
        statement = order.select.add_columns(*labels, at.label("naked_at"))
        if condition is not None:
            statement = (statement.having if order.grouped else statement.where)(condition)
        statement = statement.order_by(
            *(
                key.element(self.backend, label if order.distinct else None)
                for key, label in zip(keys, labels, strict=True)
            )
        ).limit(number(limit))
        result: Any = _statement.execute(self.conn, statement, eager=self.eager)
        if results.has_unique_filter(result):
            result = result.unique()
        count = results.width_of(result) - width - 1
        if self.narrow is None and count > 1:
            self.narrow = results.narrow_metadata(result, count)
        return [
            _Row(
                row[0] if count == 1 else tuple(row[:count]),
                tuple(row[count : count + width]),
                bool(row[count + width]),
            )
            for row in result
        ]

    def items(self, rows: Sequence[_Row]) -> list[Any]:
        """The rows as the statement gives them."""
        items = [row.items for row in rows]
        if self.narrow is None:
            return items
        narrowed: list[Any] = results.IteratorResult(self.narrow, iter(items)).all()
        return narrowed
