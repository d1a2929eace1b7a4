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

# From so many rows on; fewer block the event loop for some milliseconds at most.
LARGE = 10_000
_PART = 1000

# Python keeps the memory of 2000 short rows without telling the collector that they are gone; of a
# row of so many columns it tells, and looking at the values of its object costs more.
_WIDE = 20
_MANY_WIDE = 500

_Load = Callable[..., list[Any]]


def in_turns(load: _Load, width: int = 0) -> _Load:
    """A function of rows that gives way to other tasks, as one that does so for many rows only.

    :param load: takes rows, and lists that it appends to; each row is a matter of its own.
    :param width: of a row, in columns.
    :return: to be called in a greenlet of SQLAlchemy's.
    """
    load_at_once = row_by_row(load, width) if width >= _WIDE else load

    def load_in_turns(rows: Any, *waiting: list[Any]) -> list[Any]:
        if len(rows) < LARGE:
            return load_at_once(rows, *waiting)
        rows = _backwards(rows)
        loaded: list[Any] = []
        while rows:
            loaded += load(_taken(rows, _PART), *waiting)
            await_only(asyncio.sleep(0))
        return loaded

    return load_in_turns


def row_by_row(load: _Load, width: int = 0) -> _Load:
    """A function of rows that lets go of each row of many.

    :param load: reads the rows once, in their order.
    :param width: of a row, in columns.
    """
    wide = width >= _WIDE

    def load_row_by_row(rows: Any, *waiting: list[Any]) -> list[Any]:
        size = len(rows)
        if size >= LARGE or (wide and size >= _MANY_WIDE):
            rows = _backwards(rows)
            rows = _taken(rows, size)
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
