"""Large results become objects in parts, so that the event loop turns in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy.util import await_only

__all__ = ("LARGE", "in_turns")

# from so many rows on; fewer block the event loop for some milliseconds at most
LARGE = 10_000
_PART = 1000


def in_turns(load: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """A function of rows that gives way to other tasks, as one that does so for many rows only.

    :param load: takes rows, and lists that it appends to; each row is a matter of its own.
    :return: to be called in a greenlet of SQLAlchemy's.
    """

    def load_in_turns(rows: Any, *waiting: list[Any]) -> list[Any]:
        if len(rows) < LARGE:
            return load(rows, *waiting)
        rows = rows if type(rows) is list else list(rows)
        loaded: list[Any] = []
        for start in range(0, len(rows), _PART):
            part = rows[start : start + _PART]
            # what is loaded goes at once: a full collection looks at all that is there
            rows[start : start + _PART] = [None] * len(part)
            loaded += load(part, *waiting)
            del part
            await_only(asyncio.sleep(0))
        return loaded

    return load_in_turns
