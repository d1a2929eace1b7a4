"""What a database sees of a session, and of a COPY; what it tells of a SELECT."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("Copied", "Fetched", "Prepared", "Stop", "Stoppable")


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


# the rows of a SELECT, and what its cursor tells: rowcount, and lastrowid where the driver has it
Fetched = tuple[Sequence[Any], int, int | None]


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


class Prepared(Protocol):
    """What a database with prepared transactions can be asked about them.

    :ivar names: SQL for the names and ages, in seconds, of this library's that are not ended yet.
    :ivar identity: SQL for what tells this database from every other one: ``server_database``.
    """

    names: str
    identity: str

    def status(self, number: str) -> str:
        """SQL for what became of a transaction; :meth:`outcome` reads it."""
        ...

    def outcome(self, status: str | None) -> Literal["committed", "rolled_back", "unknown"]:
        """What a status means; ``"unknown"`` while the transaction goes on, or is prepared."""
        ...

    def assigned_id(self, conn: Connection) -> str:
        """The number of the open transaction, which gets one where it has none."""
        ...

    def identity_of(self, conn: Connection) -> str | None:
        """The identity of the database, within a transaction; ``None`` where it is not told."""
        ...

    def outcome_of(
        self, conn: Connection, number: str
    ) -> Literal["committed", "rolled_back", "unknown"]:
        """What became of a transaction."""
        ...
