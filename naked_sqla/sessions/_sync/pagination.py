# Generated from naked_sqla/sessions/_async/pagination.py by tools/async_to_sync.py: do not edit.
"""The pages that ``paginate()`` and ``keyset()`` give, and how they go on to the next one."""

from __future__ import annotations

from typing import TypeVar

from naked_sqla.pages.pagination import Keyed, Numbered

T = TypeVar("T")


class SyncPagination(Numbered[T]):
    """One page of a statement, by its number; :meth:`Session.paginate` gives it."""

    __slots__ = ()

    def prev(self) -> SyncPagination[T]:
        """The page before, read now, by the same session or factory.

        :raises PageNotFound: on the first page.
        :raises InvalidSessionState: when the session is closed.
        """
        page: SyncPagination[T] = self._to(self.prev_num, "before")
        return page

    def next(self) -> SyncPagination[T]:
        """The page after, read now, by the same session or factory.

        :raises PageNotFound: on the last page.
        :raises InvalidSessionState: when the session is closed.
        """
        page: SyncPagination[T] = self._to(self.next_num, "after")
        return page


class SyncKeysetPage(Keyed[T]):
    """One page of a statement, by the key of a row; :meth:`Session.keyset` gives it."""

    __slots__ = ()

    def prev(self) -> SyncKeysetPage[T]:
        """The page before, read now, by the same session or factory.

        :raises PageNotFound: when there is none.
        :raises InvalidSessionState: when the session is closed.
        """
        page: SyncKeysetPage[T] = self._before()
        return page

    def next(self) -> SyncKeysetPage[T]:
        """The page after, read now, by the same session or factory.

        :raises PageNotFound: when there is none.
        :raises InvalidSessionState: when the session is closed.
        """
        page: SyncKeysetPage[T] = self._after()
        return page
