"""The methods for pages, which an ``AsyncSession`` and its factory share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from naked_sqla.sessions._async.caller import AsyncCaller

if TYPE_CHECKING:
    from sqlalchemy import Executable, Row
    from sqlalchemy.sql.selectable import TypedReturnsRows

    from naked_sqla.pages.cursor import Secrets
    from naked_sqla.sessions._async.pagination import KeysetPage, Pagination
    from naked_sqla.sessions.types import T2, RowOfLine, T, Ts, TupleRows


class AsyncPages(AsyncCaller):
    """Read a statement page by page.

    On a factory, all statements of one page run in one transaction, and see one state of the
    database.
    """

    __slots__ = ("_secrets",)

    _row: RowOfLine
    _secrets: Secrets

    @overload
    async def paginate(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T]],
        *,
        page: int = 1,
        per_page: int = 20,
        max_per_page: int | None = 100,
        error_out: bool = True,
        count: bool = True,
    ) -> Pagination[T]: ...

    @overload
    async def paginate(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, T2, *Ts]],
        *,
        page: int = 1,
        per_page: int = 20,
        max_per_page: int | None = 100,
        error_out: bool = True,
        count: bool = True,
    ) -> Pagination[Row[tuple[T, T2, *Ts]]]: ...

    @overload
    async def paginate(
        self,
        statement: TypedReturnsRows[T],
        *,
        page: int = 1,
        per_page: int = 20,
        max_per_page: int | None = 100,
        error_out: bool = True,
        count: bool = True,
    ) -> Pagination[T]: ...

    @overload
    async def paginate(
        self,
        statement: TypedReturnsRows[*tuple[T, T2, *Ts]],
        *,
        page: int = 1,
        per_page: int = 20,
        max_per_page: int | None = 100,
        error_out: bool = True,
        count: bool = True,
    ) -> Pagination[Row[*tuple[T, T2, *Ts]]]: ...

    @overload
    async def paginate(
        self,
        statement: Executable,
        *,
        page: int = 1,
        per_page: int = 20,
        max_per_page: int | None = 100,
        error_out: bool = True,
        count: bool = True,
    ) -> Pagination[Any]: ...

    async def paginate(
        self,
        statement: Executable,
        *,
        page: int = 1,
        per_page: int = 20,
        max_per_page: int | None = 100,
        error_out: bool = True,
        count: bool = True,
    ) -> Pagination[Any]:
        """Return one page of a statement by its number, with the number of rows and pages.

        The items are objects or values if the statement selects one item, and rows if it selects
        several. Order by columns that are unique together. Otherwise the database may show a row on
        two pages, or on none.

        :param statement: a ``select()``, or a compound select such as ``union()``.
        :param page: the number of the page, from 1.
        :param max_per_page: the largest ``per_page``; a larger one is reduced to it. ``None``: no
            limit.
        :param error_out: ``False`` returns the nearest page that exists, instead of raising an
            error.
        :param count: ``False`` does not count the rows: ``total`` and ``pages`` are ``None``.
        :return: the page: its ``items``, ``total``, ``pages``, and the numbers of the next pages.
        :raises PageNotFound: the page is after the last one, or is not a positive number. The first
            page may be empty.
        :raises InvalidStatement: a ``text()``, or another statement that can't be split.
        :raises UnsupportedOption: ``contains_eager()`` fills a collection.

        And the errors of :meth:`execute`.
        """
        # imported when it is first used: most services have few pages
        from naked_sqla.pages import numbers, paginate
        from naked_sqla.sessions._async.pagination import Pagination
        from naked_sqla.sessions.calls.page import PageCall

        page, size = numbers.numbers(page, per_page, max_per_page, error_out)
        asked = page, size, error_out, count
        found = await self._call(
            PageCall("paginate", paginate.paginate, statement, asked, has_several=None)
        )

        def turn(page: int) -> Any:
            return self.paginate(
                statement,
                page=page,
                per_page=found.per_page,
                max_per_page=None,
                error_out=error_out,
                count=count,
            )

        return Pagination(
            found.items, found.page, found.per_page, found.total, found.has_next, turn
        )

    @overload
    async def keyset(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T]],
        *,
        after: str | None = None,
        before: str | None = None,
        per_page: int = 20,
        max_per_page: int | None = 100,
    ) -> KeysetPage[T]: ...

    @overload
    async def keyset(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, T2, *Ts]],
        *,
        after: str | None = None,
        before: str | None = None,
        per_page: int = 20,
        max_per_page: int | None = 100,
    ) -> KeysetPage[Row[tuple[T, T2, *Ts]]]: ...

    @overload
    async def keyset(
        self,
        statement: TypedReturnsRows[T],
        *,
        after: str | None = None,
        before: str | None = None,
        per_page: int = 20,
        max_per_page: int | None = 100,
    ) -> KeysetPage[T]: ...

    @overload
    async def keyset(
        self,
        statement: TypedReturnsRows[*tuple[T, T2, *Ts]],
        *,
        after: str | None = None,
        before: str | None = None,
        per_page: int = 20,
        max_per_page: int | None = 100,
    ) -> KeysetPage[Row[*tuple[T, T2, *Ts]]]: ...

    @overload
    async def keyset(
        self,
        statement: Executable,
        *,
        after: str | None = None,
        before: str | None = None,
        per_page: int = 20,
        max_per_page: int | None = 100,
    ) -> KeysetPage[Any]: ...

    async def keyset(
        self,
        statement: Executable,
        *,
        after: str | None = None,
        before: str | None = None,
        per_page: int = 20,
        max_per_page: int | None = 100,
    ) -> KeysetPage[Any]:
        """Return the rows of a statement after or before a row that a client has seen.

        The ORDER BY of the statement is the key. The call adds primary keys until it is unique. If
        rows are inserted or deleted between two pages, no other row is skipped or shown twice.

        :param statement: a ``select()``, or a compound select such as ``union()``.
        :param after: the ``next_cursor`` of a page, to read the page after it.
        :param before: the ``prev_cursor`` of a page, to read the page before it.
        :param max_per_page: the largest ``per_page``; a larger one is reduced to it. ``None``: no
            limit.
        :return: the page: its ``items``, ``next_cursor`` and ``prev_cursor``.
        :raises InvalidCursor: the cursor is damaged, belongs to another statement, is not signed by
            the ``secret`` of the factory, or no row can have it; or both cursors are given.
        :raises PageNotFound: ``per_page`` is not a positive number.
        :raises InvalidStatement: the order of the statement is no key: ``text()``, LIMIT, DISTINCT
            ON, window functions, tables without a primary key.
        :raises UnsupportedOption: ``contains_eager()`` fills a collection.

        And the errors of :meth:`execute`.
        """
        from naked_sqla.pages import keyset, numbers
        from naked_sqla.sessions._async.pagination import KeysetPage
        from naked_sqla.sessions.calls.page import PageCall

        size = numbers.size(per_page, max_per_page)
        asked = after, before, size, self._secrets
        found = await self._call(
            PageCall(
                "keyset",
                keyset.keyset,
                statement,
                asked,
                has_several=keyset.takes_several_statements,
            )
        )

        def turn(after: str | None, before: str | None) -> Any:
            return self.keyset(
                statement, after=after, before=before, per_page=size, max_per_page=None
            )

        return KeysetPage(found.items, found.next_cursor, found.prev_cursor, turn)
