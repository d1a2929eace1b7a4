"""Who is told by a factory: its observers, and the functions of ``on_write()``."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

    from naked_sqla.sessions.current import Current

__all__ = ("Listener", "Listeners")


class Listeners:
    """Those who are told of one thing; a factory has them while there are any.

    :cvar name: the attribute of :class:`Current` that holds them.
    :ivar all: each of them, a :class:`Listener`.
    """

    __slots__ = ("_current", "all")

    name: str

    def __init__(self, current: Current) -> None:
        self.all: tuple[Any, ...] = ()
        self._current = current
        setattr(current, self.name, self)

    def remove(self, listener: Listener) -> None:
        """Tell one of them no more."""
        if listener not in self.all:
            return
        self.all = tuple(other for other in self.all if other is not listener)
        if not self.all:
            self.end()

    def end(self) -> None:
        """Nobody is told any more: nothing is paid from now on."""
        if getattr(self._current, self.name) is self:
            setattr(self._current, self.name, None)


class Listener:
    """Someone who is told, until :meth:`stop` or the end of ``with``."""

    __slots__ = ("_listeners",)

    def __init__(self, listeners: Listeners) -> None:
        self._listeners: Any = listeners
        listeners.all += (self,)

    def stop(self) -> None:
        """Tell the function no more; a second call does nothing."""
        self._listeners.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
