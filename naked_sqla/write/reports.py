"""What calls that write tell of what they did."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ("Relinked",)


class Relinked(NamedTuple):
    """What ``relink()`` has done.

    :ivar added: how many links are new.
    :ivar removed: how many links are gone.
    """

    added: int
    removed: int
