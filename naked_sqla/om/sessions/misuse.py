"""Blocks that are entered with the wrong word say which one to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from naked_sqla.om.sessions import checks


class AsyncBlock:
    """A block for ``async with``: ``with`` and ``await`` raise ``TypeError``."""

    __slots__ = ()

    # The call that gives the block, what it opens, and what is written after "async with".
    _WRITTEN: ClassVar[tuple[str, str, str]]

    if not TYPE_CHECKING:
        # A type checker is not to find these.

        def __enter__(self):
            written, *rest = self._WRITTEN
            checks.not_async_with(f"with {written}", *rest)

        def __exit__(self, *_):
            return None

        def __await__(self):
            written, *rest = self._WRITTEN
            checks.not_async_with(f"await {written}", *rest)


class Block:
    """A block for ``with``: ``async with`` raises ``TypeError``."""

    __slots__ = ()

    _WRITTEN: ClassVar[tuple[str, str, str]]

    if not TYPE_CHECKING:
        # A type checker is not to find these.

        def __aenter__(self):
            checks.not_with(*self._WRITTEN)

        def __aexit__(self, *_):
            return None
