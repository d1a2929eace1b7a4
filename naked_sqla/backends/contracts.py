"""What a database sees of a session and of a COPY."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

__all__ = ("Copied", "Stop", "Stoppable")


class Stop(Protocol):
    """What a database is told when a task is cancelled that waits for it."""

    def applies(self) -> bool:
        """True to keep the cancellation from what the work awaits: :meth:`end` ends it instead."""
        ...

    async def end(self, waits: Any) -> BaseException | None:
        """End what the work awaits; gives the error to go on with, ``None`` for no error."""
        ...

    def asking(self) -> AbstractContextManager[Any]:
        """Entered when the work goes on after a cancellation, and left when it has ended."""
        ...


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
