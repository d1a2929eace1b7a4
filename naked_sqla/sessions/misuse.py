"""Errors for blocks entered with the wrong word, and for sessions and factories that are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from naked_sqla.sessions.checks import article


class AsyncBlock:
    """A block for ``async with``: ``with`` and ``await`` raise ``TypeError``."""

    __slots__ = ()

    # The call that gives the block, the thing that it opens, and the code after "async with".
    _WRITTEN: ClassVar[tuple[str, str, str]]

    if not TYPE_CHECKING:
        # Hidden from type checkers.

        def __enter__(self):
            _not_async_with("with", *self._WRITTEN)

        def __exit__(self, *_):
            return None

        def __await__(self):
            _not_async_with("await", *self._WRITTEN)


class Block:
    """A block for ``with``: ``async with`` raises ``TypeError``."""

    __slots__ = ()

    _WRITTEN: ClassVar[tuple[str, str, str]]

    if not TYPE_CHECKING:
        # Hidden from type checkers.

        def __aenter__(self):
            call, opened, block = self._WRITTEN
            raise TypeError(
                f"`async with {call}` can't open {opened} of a SessionFactory. Write "
                f"`with {block}:`, or use an AsyncSessionFactory."
            )

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
            _not_callable(self, *self._CALLED)

        @property
        def __signature__(self):
            _not_callable(self, *self._CALLED)


def _not_async_with(word: str, call: str, opened: str, block: str) -> NoReturn:
    raise TypeError(f"`{word} {call}` can't open {opened}. Write `async with {block}:`.")


def _not_callable(owner: object, name: str, instead: str) -> NoReturn:
    kind = type(owner).__name__.lstrip("_")
    raise TypeError(f"`{name}()`: {article(kind)} {kind} is not callable. Write {instead}.")
