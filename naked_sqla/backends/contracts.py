"""What a database sees of a session and of a COPY."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ("Copied", "Stop", "Stoppable")


class Stop(Protocol):
    """Stops the await of cancelled work, and gives the error to raise there, or ``None``.

    It shields the await from cancellations only while it ``applies()``.
    """

    def applies(self) -> bool: ...

    async def __call__(self, waits: Any) -> BaseException | None: ...


class Stoppable(Protocol):
    """A transaction whose statement can be stopped.

    :ivar conn: its connection.
    :ivar connected: False while it waits for the pool.
    """

    @property
    def conn(self) -> Any: ...
    @property
    def connected(self) -> bool: ...


class Copied(Protocol):
    """The table and the columns that a COPY fills.

    :ivar names: the names of the columns.
    """

    names: list[str]

    @property
    def table(self) -> str: ...
    @property
    def schema(self) -> str | None: ...

    def sql(self) -> str:
        """The COPY statement."""
        ...
