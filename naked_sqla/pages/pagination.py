"""The pages themselves, for every kind of session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from naked_sqla.exception import PageNotFound

T = TypeVar("T")


class Numbered(Generic[T]):
    """One page, and where it stands among the others.

    :ivar items: the objects, or the rows, of this page.
    :ivar page: its number, from 1.
    :ivar per_page: how many items a page holds.
    :ivar total: how many rows the statement has; ``None`` with ``count=False``.
    :ivar has_next: True when there is a page after this one.
    """

    __slots__ = ("_turn", "has_next", "items", "page", "per_page", "total")

    def __init__(
        self,
        items: list[T],
        page: int,
        per_page: int,
        total: int | None,
        has_next: bool,
        turn: Callable[[int], Any],
    ) -> None:
        self.items = items
        self.page = page
        self.per_page = per_page
        self.total = total
        self.has_next = has_next
        self._turn = turn

    @property
    def pages(self) -> int | None:
        """How many pages there are, 0 for no rows; ``None`` with ``count=False``."""
        return None if self.total is None else -(-self.total // self.per_page)

    @property
    def first(self) -> int:
        """The number of the first item on this page, from 1; 0 for an empty page."""
        return (self.page - 1) * self.per_page + 1 if self.items else 0

    @property
    def last(self) -> int:
        """The number of the last item on this page; 0 for an empty page."""
        return (self.page - 1) * self.per_page + len(self.items) if self.items else 0

    @property
    def has_prev(self) -> bool:
        """True when there is a page before this one."""
        return self.page > 1

    @property
    def prev_num(self) -> int | None:
        """The number of the page before; ``None`` for the first one."""
        return self.page - 1 if self.has_prev else None

    @property
    def next_num(self) -> int | None:
        """The number of the page after; ``None`` for the last one."""
        return self.page + 1 if self.has_next else None

    def iter_pages(
        self,
        *,
        left_edge: int = 2,
        left_current: int = 2,
        right_current: int = 4,
        right_edge: int = 2,
    ) -> Iterator[int | None]:
        """The page numbers for a row of links, ``None`` for each gap.

        With ``count=False`` the pages up to this one, and the next one if there is one, are all
        that is known.

        :param left_edge: how many pages from the first one.
        :param left_current: how many pages before this one.
        :param right_current: how many pages after this one.
        :param right_edge: how many pages up to the last one.
        """
        end = (self.page + self.has_next if self.pages is None else self.pages) + 1
        at = 1
        shown = (
            range(1, 1 + left_edge),
            range(self.page - left_current, self.page + right_current + 1),
            range(end - right_edge, end),
        )
        for part in sorted(shown, key=lambda part: part.start):
            start, stop = max(part.start, at), min(part.stop, end)
            if start >= stop:
                continue
            if start > at:
                yield None
            yield from range(start, stop)
            at = stop
        if at < end:
            yield None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __repr__(self) -> str:
        of = "" if self.pages is None else f" of {self.pages}"
        return f"<{type(self).__name__} page {self.page}{of}, {len(self.items)} items>"

    def _to(self, number: int | None, where: str) -> Any:
        if number is None:
            raise PageNotFound(
                f"There is no page {where} page {self.page}. Ask has_{_ASK[where]} first."
            )
        return self._turn(number)


_ASK = {"before": "prev", "after": "next"}


class Keyed(Generic[T]):
    """One page, and the cursors that lead on from it.

    :ivar items: the objects, or the rows, of this page, in the statement's order.
    :ivar next_cursor: for ``after=``; ``None`` when nothing comes after this page.
    :ivar prev_cursor: for ``before=``; ``None`` when nothing comes before this page.
    """

    __slots__ = ("_turn", "items", "next_cursor", "prev_cursor")

    def __init__(
        self,
        items: list[T],
        next_cursor: str | None,
        prev_cursor: str | None,
        turn: Callable[[str | None, str | None], Any],
    ) -> None:
        self.items = items
        self.next_cursor = next_cursor
        self.prev_cursor = prev_cursor
        self._turn = turn

    @property
    def has_next(self) -> bool:
        """True when there were rows after this page."""
        return self.next_cursor is not None

    @property
    def has_prev(self) -> bool:
        """True when there were rows before this page."""
        return self.prev_cursor is not None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __repr__(self) -> str:
        sides = f"has_prev={self.has_prev} has_next={self.has_next}"
        return f"<{type(self).__name__} {len(self.items)} items {sides}>"

    def _after(self) -> Any:
        if self.next_cursor is None:
            raise PageNotFound("There is no page after this one. Ask has_next first.")
        return self._turn(self.next_cursor, None)

    def _before(self) -> Any:
        if self.prev_cursor is None:
            raise PageNotFound("There is no page before this one. Ask has_prev first.")
        return self._turn(None, self.prev_cursor)
