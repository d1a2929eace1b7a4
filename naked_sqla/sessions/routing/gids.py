"""The names of prepared transactions: each says which transaction decides about all of them.

The transactions of one commit have a mark in common, and are numbered.  The first one decides: it
is committed before any other, so that what became of it is what is to become of the others.  Each
name has the database of the first one, and its number there, which the server can be asked for.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ("UNKNOWN", "Gid", "gid_of")

_FORM = re.compile(r"naked_sqla_([0-9a-f]{32})_([0-9]+)_(-?[0-9]+_[0-9]+)_([0-9]+)")

#: Stands for a database that does not say which one it is.
UNKNOWN = "0_0"


class Gid(NamedTuple):
    """The name of a prepared transaction; as a string, what the server knows it by.

    :ivar mark: which commit it belongs to.
    :ivar place: its number in that commit; 0 decides.
    :ivar database: what tells the first one's database from every other, or ``UNKNOWN``.
    :ivar number: of the first one's transaction in that database.
    """

    mark: str
    place: int
    database: str
    number: str

    def __str__(self) -> str:
        # 110 characters at most, of the 199 that the server takes
        return f"naked_sqla_{self.mark}_{self.place}_{self.database}_{self.number}"


def gid_of(name: str) -> Gid | None:
    """Read a name; ``None`` for one of another form."""
    found = _FORM.fullmatch(name)
    if found is None:
        return None
    mark, place, database, number = found.groups()
    return Gid(mark, int(place), database, number)
