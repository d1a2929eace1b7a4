"""What a session says of itself: where it stands, and what became of what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from naked_sqla.sessions.ending import Outcome
    from naked_sqla.sessions.transaction import Transaction


class OutcomeOfSession:
    """The properties of a session that tell where it stands."""

    __slots__ = ()

    if TYPE_CHECKING:
        _transaction: Transaction

    @property
    def state(self) -> Literal["open", "closed"]:
        """``"open"`` until commit, rollback, or the end of the block."""
        return self._transaction.state

    @property
    def outcome(self) -> Outcome:
        """What became of what the session did; it stays readable after the block.

        ``"open"`` until the session ends; then ``"committed"`` or ``"rolled_back"``, and
        ``"unknown"`` where COMMIT was sent and no answer came, or has come yet.  On several
        databases it is ``"unknown"`` too when they have ended in different ways.
        """
        return self._transaction.outcome
