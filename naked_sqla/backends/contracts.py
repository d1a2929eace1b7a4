"""The parts of a session and of a COPY that a database works with."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ("Copied", "Stop", "Stoppable")


class Stop(Protocol):
    """Ends what cancelled work waits for, and gives the error to go on with, or ``None``.

    What the work awaits is kept from cancellations only while it ``applies()``.
    """

    def applies(self) -> bool: ...

    async def __call__(self, waits: Any) -> BaseException | None: ...


class Stoppable(Protocol):
    """A transaction whose statement may have to be stopped.

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
