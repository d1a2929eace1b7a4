"""Errors for blocks entered with the wrong word, and for sessions and factories that are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from naked_sqla.sessions import checks


class AsyncBlock:
    """A block for ``async with``: ``with`` and ``await`` raise ``TypeError``."""

    __slots__ = ()

    # The call that gives the block, the thing that it opens, and the code after "async with".
    _WRITTEN: ClassVar[tuple[str, str, str]]

    if not TYPE_CHECKING:
        # Hidden from type checkers.

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
        # Hidden from type checkers.

        def __aenter__(self):
            checks.not_with(*self._WRITTEN)

        def __aexit__(self, *_):
            return None


class NotCallable:
    """A factory or a session: a call of it raises ``TypeError``, as ``inspect.signature()`` does.

    FastAPI reads the signature of the argument of ``Depends()`` long before it calls it.
    """

    __slots__ = ()

    # The name of the object in examples, and the code to write in place of its call.
    _CALLED: ClassVar[tuple[str, str]]

    if not TYPE_CHECKING:
        # Hidden from type checkers.

        def __call__(self, *_, **__):
            checks.not_callable(self, *self._CALLED)

        @property
        def __signature__(self):
            checks.not_callable(self, *self._CALLED)
