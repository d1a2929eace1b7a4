"""Large results: each row goes once its object is there, and the event loop turns in between.

Python's collector looks at all objects again and again while their number grows.  It counts what is
made, less what is gone: rows that go one by one make up for the objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

from sqlalchemy.util import await_only

__all__ = ("LARGE", "in_turns", "row_by_row")

# From so many rows on; fewer block the event loop for some milliseconds at most, and Python keeps
# the memory of 2000 tuples of a size without telling the collector that they are gone.
LARGE = 10_000
_PART = 1000

_Load = Callable[..., list[Any]]


def in_turns(load: _Load) -> _Load:
    """A function of rows that gives way to other tasks, as one that does so for many rows only.

    :param load: takes rows, and lists that it appends to; each row is a matter of its own.
    :return: to be called in a greenlet of SQLAlchemy's.
    """

    def load_in_turns(rows: Any, *waiting: list[Any]) -> list[Any]:
        if len(rows) < LARGE:
            return load(rows, *waiting)
        rows = _backwards(rows)
        loaded: list[Any] = []
        while rows:
            loaded += load(_taken(rows, _PART), *waiting)
            await_only(asyncio.sleep(0))
        return loaded

    return load_in_turns


def row_by_row(load: _Load) -> _Load:
    """A function of rows that lets go of each row of many, as one that may see all rows at once.

    :param load: reads the rows once, in their order.
    """

    def load_row_by_row(rows: Any, *waiting: list[Any]) -> list[Any]:
        if len(rows) >= LARGE:
            rows = _backwards(rows)
            rows = _taken(rows, len(rows))
        return load(rows, *waiting)

    return load_row_by_row


def _backwards(rows: Any) -> list[Any]:
    """The rows, the last one first: what is taken from the end of a list costs nothing."""
    own: list[Any] = rows if type(rows) is list else list(rows)
    own.reverse()
    return own


def _taken(rows: list[Any], size: int) -> Iterator[Any]:
    """Up to so many rows, taken from the end of the list as they are read."""
    return map(list.pop, repeat(rows, min(size, len(rows))))
