"""The terms of a transaction, as a database sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from naked_sqla._frozen import Frozen

__all__ = ("LIMITS", "Terms")

LIMITS = ("timeout", "statement_timeout", "lock_timeout")


class Terms(Frozen):
    """The terms of a transaction.

    :ivar timeout: seconds that the whole of it may take, from begin() to COMMIT.
    :ivar statement_timeout: seconds that each statement may take.
    :ivar lock_timeout: seconds that a statement may wait for a lock.
    :ivar settings: of the database, for this transaction only.
    :ivar to_write: take the lock of the database's one writer with BEGIN, where it has one.
    :ivar clock: of one transaction with time limits; set where it begins.
    """

    timeout: float | None = None
    statement_timeout: float | None = None
    lock_timeout: float | None = None
    settings: Mapping[str, str] | None = None
    to_write: bool = False
    clock: Any = None

    @property
    def limited(self) -> bool:
        """True where there is a time limit."""
        return any(getattr(self, name) is not None for name in LIMITS)
