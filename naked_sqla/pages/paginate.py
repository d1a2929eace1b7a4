"""Pages by number: LIMIT and OFFSET, and the count of the statement's rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, CompoundSelect, Select, bindparam

from naked_sqla._sqlalchemy import loader_options, results, select_clauses, statements
from naked_sqla.exception import InvalidStatement, PageNotFound, UnsupportedOption
from naked_sqla.pages.numbers import LARGEST
from naked_sqla.read import shortcuts
from naked_sqla.read import statement as _statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("PageData", "checked", "number", "paginate")

# up to here SQLAlchemy's own parameter will do; it is an INTEGER on PostgreSQL
_INTEGER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class PageData:
    """The data of one numbered page."""

    items: list[Any]
    page: int
    per_page: int
    total: int | None
    has_next: bool


def paginate(
    conn: Connection,
    eager: bool,
    statement: Any,
    page: int,
    per_page: int,
    error_out: bool,
    count: bool,
) -> PageData:
    """One page of a statement, and how many rows there are.

    :param page: positive, as is ``per_page``.
    :param error_out: raise for a page after the last one; False gives the last one.
    :param count: count the rows; False reads one row more, to know whether there is a next page.
    :raises PageNotFound: for an empty page that is not the first one.
    :raises InvalidStatement: for a statement that can't be paged.
    :raises UnsupportedOption: for a ``contains_eager()`` collection.
    """
    pages = _NumberedPages(conn, eager, checked(statement, "paginate"), per_page)
    found = pages.page(page, count)
    if not found.items and page > 1:
        if error_out:
            raise PageNotFound(
                f"page={page} has no items: it lies after the last page of {per_page} items each. "
                f"Ask for page 1, or pass error_out=False for the last page."
            )
        last = max(1, -(-pages.count() // per_page))
        found = pages.page(min(last, page - 1), count)
    return found


class _NumberedPages:
    """Reads the pages of one statement, and counts its rows."""

    def __init__(self, conn: Connection, eager: bool, statement: Any, per_page: int) -> None:
        self.conn = conn
        self.eager = eager
        self.statement = statement
        self.per_page = per_page
        own = select_clauses.limit_and_offset(statement)
        if own is None:
            raise InvalidStatement(
                "paginate() can't cut pages out of a LIMIT, OFFSET or FETCH that is an expression, "
                "or has ties or percent. Write it with numbers, or put the statement into a "
                "subquery: select(aliased(User, statement.subquery()))."
            )
        self.limit, self.offset = own

    def page(self, page: int, count: bool) -> PageData:
        start = (page - 1) * self.per_page
        wanted = self.per_page if count else self.per_page + 1
        items, merged = self.read(start, wanted)
        if count:
            total = start + len(items)
            if items and (merged or len(items) == self.per_page):
                # the rows that were read are there, whatever else was deleted meanwhile
                total = max(self.count(), total)
            return PageData(items, page, self.per_page, total, page * self.per_page < total)
        more = len(items) > self.per_page
        if merged and not more and self.exists(start + self.per_page):
            # a row that came twice has become one object: the one too many may be among them
            more = True
            items, _ = self.read(start, self.per_page)
        return PageData(items[: self.per_page], page, self.per_page, None, more)

    def read(self, start: int, wanted: int) -> tuple[list[Any], bool]:
        """Some items of the statement, and whether it has collections that merge rows."""
        cut = self.cut(start, wanted)
        if cut is None:
            return [], False
        result: Any = _statement.execute(self.conn, cut, eager=self.eager)
        merged = results.has_unique_filter(result)
        if merged:
            result = result.unique()
        single = results.width_of(result) == 1
        return list(result.scalars() if single else result), merged

    def exists(self, start: int) -> bool:
        """True when the statement has a row after so many."""
        cut = self.cut(start, 1)
        return cut is not None and shortcuts.exists(self.conn, statements.without_lock(cut))

    def count(self) -> int:
        """How many rows the statement has."""
        # the rows of its pages are locked, and no others
        return shortcuts.count(self.conn, statements.without_lock(self.statement))

    def cut(self, start: int, wanted: int) -> Any:
        """Some rows of the statement; None where there can't be any."""
        if self.limit is not None:
            wanted = min(wanted, self.limit - start)
        if wanted <= 0 or self.offset + start > LARGEST - wanted:
            return None
        cut = self.statement.limit(number(wanted))
        start += self.offset
        return cut.offset(number(start)) if start else cut.offset(None)


def number(value: int) -> Any:
    """A LIMIT or OFFSET as the database takes it."""
    return value if value <= _INTEGER else bindparam(None, value, BigInteger, unique=True)


def checked(statement: Any, method: str) -> Any:
    """A statement that can be paged.

    :raises InvalidStatement: for anything but a ``select()``, or a ``union()`` and its kin.
    :raises UnsupportedOption: for a collection that joined rows fill, which a page would tear.
    """
    statement = statements.resolved(statement)
    if not isinstance(statement, Select | CompoundSelect) or statements.is_empty_select(statement):
        raise InvalidStatement(
            f"{method}() takes a select(), or a union() and its kin, not "
            f"{shortcuts.shown(statement)}. Select from it: "
            f"select(text(...).columns(...).subquery()), or for objects "
            f"select(aliased(User, text(...).columns(...).subquery()))."
        )
    torn = loader_options.contained_collection(statement)
    if torn is not None:
        raise UnsupportedOption(
            f"contains_eager({torn}) fills a collection from joined rows, and a page would tear it "
            f"apart. Use selectinload({torn}), which loads whole collections."
        )
    return statement
