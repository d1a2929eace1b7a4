"""The pages that ``paginate()`` and ``keyset()`` give, and how they go on to the next one."""

from __future__ import annotations

from typing import TypeVar

from naked_sqla.pages.pagination import Keyed, Numbered

T = TypeVar("T")


class Pagination(Numbered[T]):
    """One page of a statement, by its number; :meth:`AsyncSession.paginate` gives it."""

    __slots__ = ()

    async def prev(self) -> Pagination[T]:
        """The page before, read now, by the same session or factory.

        :raises PageNotFound: on the first page.
        :raises InvalidSessionState: when the session is closed.
        """
        page: Pagination[T] = await self._to(self.prev_num, "before")
        return page

    async def next(self) -> Pagination[T]:
        """The page after, read now, by the same session or factory.

        :raises PageNotFound: on the last page.
        :raises InvalidSessionState: when the session is closed.
        """
        page: Pagination[T] = await self._to(self.next_num, "after")
        return page


class KeysetPage(Keyed[T]):
    """One page of a statement, by the key of a row; :meth:`AsyncSession.keyset` gives it."""

    __slots__ = ()

    async def prev(self) -> KeysetPage[T]:
        """The page before, read now, by the same session or factory.

        :raises PageNotFound: when there is none.
        :raises InvalidSessionState: when the session is closed.
        """
        page: KeysetPage[T] = await self._before()
        return page

    async def next(self) -> KeysetPage[T]:
        """The page after, read now, by the same session or factory.

        :raises PageNotFound: when there is none.
        :raises InvalidSessionState: when the session is closed.
        """
        page: KeysetPage[T] = await self._after()
        return page
