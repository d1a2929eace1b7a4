"""The pages that ``paginate()`` and ``keyset()`` give, and how they go on to the next one."""

from __future__ import annotations

from typing import TypeVar

from naked_sqla.pages.pagination import Keyed, Numbered

T = TypeVar("T")


class Pagination(Numbered[T]):
    """One page of a statement by its number, made by :meth:`AsyncSession.paginate`."""

    __slots__ = ()

    async def prev(self) -> Pagination[T]:
        """Read the previous page, with the same session or factory.

        :raises PageNotFound: this is the first page.
        :raises InvalidSessionState: the session is closed.
        """
        page: Pagination[T] = await self._to(self.prev_num, "before")
        return page

    async def next(self) -> Pagination[T]:
        """Read the next page, with the same session or factory.

        :raises PageNotFound: this is the last page.
        :raises InvalidSessionState: the session is closed.
        """
        page: Pagination[T] = await self._to(self.next_num, "after")
        return page


class KeysetPage(Keyed[T]):
    """One page of a statement by key, made by :meth:`AsyncSession.keyset`."""

    __slots__ = ()

    async def prev(self) -> KeysetPage[T]:
        """Read the previous page, with the same session or factory.

        :raises PageNotFound: there is no previous page.
        :raises InvalidSessionState: the session is closed.
        """
        page: KeysetPage[T] = await self._before()
        return page

    async def next(self) -> KeysetPage[T]:
        """Read the next page, with the same session or factory.

        :raises PageNotFound: there is no next page.
        :raises InvalidSessionState: the session is closed.
        """
        page: KeysetPage[T] = await self._after()
        return page
