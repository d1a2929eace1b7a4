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
    """Reads a statement page by page.

    On a factory all that one page takes is one transaction, which sees one state of the database.
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
        """Return one page of a statement, by its number, and how many pages there are.

        One entity or column gives objects or values, several give rows.  Without an ORDER BY that
        tells all rows apart the database may show a row on two pages, or on none.

        :param statement: a ``select()``, or a ``union()`` and its kin.
        :param page: from 1.
        :param max_per_page: what a larger ``per_page`` is cut down to; ``None`` for no limit.
        :param error_out: ``False`` gives the nearest sane value for a page that does not exist.
        :param count: ``False`` does not count the rows: ``total`` and ``pages`` are ``None``.
        :raises PageNotFound: for a page after the last one, and for what is no positive number.
            The first page may be empty.
        :raises InvalidStatement: for a ``text()`` and other statements that can't be cut.
        :raises UnsupportedOption: for a collection filled by ``contains_eager()``.

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
        """The rows of a statement that come after, or before, a row that a client has seen.

        The key is the statement's ORDER BY; primary keys are added until it tells all rows apart.
        Rows that come and go between two pages make no other row be skipped or shown twice.

        :param statement: a ``select()``, or a ``union()`` and its kin.
        :param after: the ``next_cursor`` of a page, for the page after it.
        :param before: the ``prev_cursor`` of a page, for the page before it.
        :param max_per_page: what a larger ``per_page`` is cut down to; ``None`` for no limit.
        :raises InvalidCursor: for a cursor that is damaged, of another statement, not signed by the
            factory's ``secret``, or that no row can have; and for both.
        :raises PageNotFound: for a ``per_page`` that is no positive number.
        :raises InvalidStatement: for a statement whose order is no key: ``text()``, LIMIT,
            DISTINCT ON, window functions, tables whose rows nothing tells apart.
        :raises UnsupportedOption: for a collection filled by ``contains_eager()``.

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
