"""What ``db.observe()`` tells: one frozen event for each thing that sessions do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = (
    "BeginEvent",
    "CommitEvent",
    "DiscardEvent",
    "Event",
    "RetryEvent",
    "RollbackEvent",
    "StatementEvent",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that a session did.

    :ivar session: the number of the session in this process; a single call has one of its own.
    :ivar engine: of the database, the synchronous one.
    :ivar file: of the caller's code, with ``line``; ``None`` where a task was started with the
        call itself (``asyncio.create_task(session.scalars(...))``).
    :ivar started: when it began, in seconds since 1970.
    :ivar duration: in seconds.
    :ivar error: what came out of it.
    """

    session: int | None
    engine: Engine
    file: str | None = None
    line: int | None = None
    started: float
    duration: float = 0.0
    error: BaseException | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginEvent(Event):
    """A connection was checked out, and its transaction begun."""

    outcome: Literal["ok", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementEvent(Event):
    """A call was run; its objects are made.

    :ivar call: the name of the method.
    :ivar statement: what the caller passed, where it is a statement.
    :ivar sql: the text of each statement that was sent, those for relationships included; without
        its parameters, which may be secret.
    """

    call: str
    statement: Any
    sql: tuple[str, ...]
    outcome: Literal["ok", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitEvent(Event):
    """A commit was asked for.

    :ivar outcome: as ``session.outcome`` has it.
    """

    outcome: Literal["open", "committed", "rolled_back", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackEvent(Event):
    """A transaction was rolled back."""

    outcome: Literal["open", "committed", "rolled_back", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryEvent(Event):
    """A transaction has failed, and will be run again.

    :ivar attempt: which one has failed, from 1; ``duration`` is what it took.
    :ivar wait: seconds until the next one begins.
    """

    attempt: int
    wait: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardEvent(Event):
    """A connection was thrown away and will be replaced; ``error`` says why, where it is known.

    ``session`` is ``None`` when no session had it.
    """
