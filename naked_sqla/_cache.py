"""The one cache of this library: of a bounded size, the oldest item goes first."""

from __future__ import annotations

from typing import TypeVar

__all__ = ("BoundedCache",)

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(dict[K, V]):
    """A dictionary of at most ``size`` items, for several threads; read it with ``get()``."""

    __slots__ = ("_size",)

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def __setitem__(self, key: K, value: V) -> None:
        while len(self) >= self._size and key not in self:
            try:
                self.pop(next(iter(self)), None)
            except (RuntimeError, StopIteration):
                # another thread has changed it in between
                continue
        super().__setitem__(key, value)
