# Generated from naked_sqla/sessions/_async/pagination.py by tools/async_to_sync.py: do not edit.
"""The pages that ``paginate()`` and ``keyset()`` give, and how they go on to the next one."""

from __future__ import annotations

from typing import TypeVar

from naked_sqla.pages.pagination import Keyed, Numbered

T = TypeVar("T")


class SyncPagination(Numbered[T]):
    """One page of a statement by its number, made by :meth:`Session.paginate`."""

    __slots__ = ()

    def prev(self) -> SyncPagination[T]:
        """Read the previous page, with the same session or factory.

        :raises PageNotFound: this is the first page.
        :raises InvalidSessionState: the session is closed.
        """
        page: SyncPagination[T] = self._to(self.prev_num, "before")
        return page

    def next(self) -> SyncPagination[T]:
        """Read the next page, with the same session or factory.

        :raises PageNotFound: this is the last page.
        :raises InvalidSessionState: the session is closed.
        """
        page: SyncPagination[T] = self._to(self.next_num, "after")
        return page


class SyncKeysetPage(Keyed[T]):
    """One page of a statement by key, made by :meth:`Session.keyset`."""

    __slots__ = ()

    def prev(self) -> SyncKeysetPage[T]:
        """Read the previous page, with the same session or factory.

        :raises PageNotFound: there is no previous page.
        :raises InvalidSessionState: the session is closed.
        """
        page: SyncKeysetPage[T] = self._before()
        return page

    def next(self) -> SyncKeysetPage[T]:
        """Read the next page, with the same session or factory.

        :raises PageNotFound: there is no next page.
        :raises InvalidSessionState: the session is closed.
        """
        page: SyncKeysetPage[T] = self._after()
        return page
