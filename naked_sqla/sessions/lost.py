"""Transactions that are over before their session is, and what a session says of them."""

from __future__ import annotations

from typing import NoReturn

from naked_sqla.exception import TransactionRolledBack

# A statement failed, and the transaction waits for its rollback.
FAILED = (
    "nothing was committed: a statement of this session failed, and the database gave the whole "
    "transaction up. Let the error leave the block, or run a statement that may fail inside "
    "`session.begin_nested()`, whose rollback keeps the rest."
)

# A statement failed inside of a savepoint, and what was done since then waits for its rollback.
FAILED_INSIDE = (
    "nothing since the savepoint was kept: a statement failed inside it, and the database had "
    "given all of it up. The session goes on from the savepoint. Let the error leave the "
    "`begin_nested()` block, or open one around the statement that may fail."
)

_GONE = (
    "a statement of this session failed or was cancelled, and with it the whole transaction was "
    "rolled back: by the database itself, or because the connection was lost. No savepoint keeps "
    "anything from that. Let the error leave the block of the session, and run the block again."
)


class Lost:
    """Stands for a transaction that is over; called, it refuses whatever is asked of it.

    :param cause: the error with which the transaction was lost.
    """

    __slots__ = ("cause",)

    def __init__(self, cause: BaseException) -> None:
        self.cause = cause

    def __call__(self) -> NoReturn:
        self.refuse("nothing was sent")

    def refuse(self, what: str) -> NoReturn:
        """Raise ``TransactionRolledBack``.

        :param what: did not happen.
        """
        raise TransactionRolledBack(f"{what}: {_GONE}") from self.cause
