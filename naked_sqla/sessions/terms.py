"""What a transaction keeps to besides its execution options."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ("Terms", "to_write")


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one transaction.

    :ivar to_write: take the lock of the database's one writer with BEGIN, where it has one.
    """

    to_write: bool = False


def to_write(terms: Terms | None) -> Terms:
    """The same terms, for a transaction that begins as a writer."""
    return Terms(to_write=True) if terms is None else replace(terms, to_write=True)
