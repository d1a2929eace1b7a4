"""Ending the prepared transactions that a process left behind when it was stopped.

What the first transaction of a commit has come to decides about the others.  While that one is
still prepared, nobody has been told that anything is stored, and no other can be committed: it is
rolled back, and the others after it.  That holds as well when the process is alive after all: its
COMMIT PREPARED fails in the first database, and then it rolls back the others itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from naked_sqla.backends import backend_of
from naked_sqla.exception import UnsupportedOption
from naked_sqla.sessions import checks
from naked_sqla.sessions.health import LeftPrepared, PreparedTransaction, Recovery
from naked_sqla.sessions.routing.gids import Gid, gid_of
from naked_sqla.sessions.routing.tables import Key, database_name
from naked_sqla.sessions.routing.two_phase import under_way

if TYPE_CHECKING:
    from naked_sqla.backends.contracts import Prepared

__all__ = ("age_of", "databases_of", "recovering")


def age_of(older_than: Any) -> float:
    """The seconds of an argument ``older_than``.

    :raises TypeError: for anything else than seconds or a timedelta.
    :raises ValueError: for a negative one.
    """
    given = older_than.total_seconds() if isinstance(older_than, dt.timedelta) else older_than
    return checks.seconds("recover_prepared(older_than=...)", given, note=", or a timedelta")


def databases_of(dialects: Mapping[Key, Any]) -> dict[Key, Prepared]:
    """What to ask of each database.

    :raises UnsupportedOption: where no database has prepared transactions.
    """
    found: dict[Key, Prepared] = {}
    for key, dialect in dialects.items():
        prepared = backend_of(dialect).prepared
        if prepared is not None:
            found[key] = prepared
    if not found:
        names = sorted({backend_of(dialect).name for dialect in dialects.values()})
        raise UnsupportedOption(
            f"recover_prepared(): {', '.join(names)} has no prepared transactions, and keeps none."
        )
    return found


class Question(NamedTuple):
    """SQL for one of the databases; sent back are its rows, or thrown in its error."""

    key: Key
    sql: str


Asking: TypeAlias = Generator[Question, list[Any], Any]


class _Recovering:
    """What is known by now of the databases, and what was done."""

    def __init__(self, databases: Mapping[Key, Prepared], older_than: float) -> None:
        self.databases = databases
        self.older_than = older_than
        self.commits: dict[str, dict[Gid, PreparedTransaction]] = {}
        # which key a database has; None: nobody had to know yet
        self.identities: dict[str, Key] | None = None
        self.ended: dict[str, list[PreparedTransaction]] = {"COMMIT": [], "ROLLBACK": []}
        self.left: list[LeftPrepared] = []
        self.unreachable: dict[str | None, Exception] = {}

    def run(self) -> Generator[Question, list[Any], Recovery]:
        for key, prepared in self.databases.items():
            yield from self._look(key, prepared)
        for mark, found in self.commits.items():
            yield from self._recover(mark, found)
        return Recovery(
            tuple(self.ended["COMMIT"]),
            tuple(self.ended["ROLLBACK"]),
            tuple(self.left),
            self.unreachable,
        )

    def _look(self, key: Key, prepared: Prepared) -> Asking:
        try:
            rows = yield Question(key, prepared.names)
        except Exception as error:  # noqa: BLE001
            self.unreachable[key] = error
            return
        for name, seconds in rows:
            one, gid = PreparedTransaction(name, key, float(seconds)), gid_of(name)
            if gid is None:
                self._leave([one], "its name is not one that this release gives")
            else:
                # once for a database that has several bind keys
                self.commits.setdefault(gid.mark, {}).setdefault(gid, one)

    def _identify(self) -> Generator[Question, list[Any], dict[str, Key]]:
        """Ask the databases which ones they are."""
        found: dict[str, Key] = {}
        for key, prepared in self.databases.items():
            if key in self.unreachable:
                continue
            try:
                ((identity,),) = yield Question(key, prepared.identity)
            except Exception:  # noqa: BLE001
                # it does not say, and then its transactions do not have it in their names
                continue
            found[identity] = key
        return found

    def _recover(self, mark: str, found: Mapping[Gid, PreparedTransaction]) -> Asking:
        ones = list(found.values())
        if mark in under_way:
            self._leave(ones, "its commit goes on in this process")
            return
        if min(one.seconds for one in ones) < self.older_than:
            self._leave(ones, f"prepared less than {self.older_than:g} s ago")
            return
        first = next(iter(found))._replace(place=0)
        how = None
        if first in found:
            how = yield from self._roll_back(found[first])
        if how is None:
            how = yield from self._decided(first, ones)
        if how is not None:
            for gid, one in found.items():
                if gid == first:
                    self.ended[how].append(one)
                else:
                    yield from self._end(one, how)

    def _roll_back(self, first: PreparedTransaction) -> Asking:
        """Roll back the one that decides; ``None``: look whether that, or another end, was done."""
        try:
            yield Question(first.bind_key, f"ROLLBACK PREPARED '{first.name}'")
        except Exception:  # noqa: BLE001
            return None
        return "ROLLBACK"

    def _decided(self, first: Gid, ones: list[PreparedTransaction]) -> Asking:
        """How the first one has ended; ``None``, and all are left, where that is not known."""
        identities: dict[str, Key] | None = self.identities
        if identities is None:
            self.identities = identities = yield from self._identify()
        key = identities.get(first.database, _MISSING)
        if key is _MISSING:
            self._leave(
                ones,
                f"{first} decides about it, in a database that this factory does not have, or "
                f"could not ask",
            )
            return None
        prepared = self.databases[key]
        try:
            ((status,),) = yield Question(key, prepared.status(first.number))
        except Exception as error:  # noqa: BLE001
            self._leave(ones, f"{first} decides about it, and {database_name(key)} says: {error}")
            return None
        outcome = prepared.outcome(status)
        if outcome == "unknown":
            why = "has forgotten it" if status is None else "has not ended it"
            self._leave(ones, f"{first} decides about it, and {database_name(key)} {why}")
            return None
        return "COMMIT" if outcome == "committed" else "ROLLBACK"

    def _end(self, one: PreparedTransaction, how: str) -> Asking:
        try:
            yield Question(one.bind_key, f"{how} PREPARED '{one.name}'")
        except Exception as error:  # noqa: BLE001
            self._leave([one], f"{how} PREPARED failed: {error}")
        else:
            self.ended[how].append(one)

    def _leave(self, ones: list[PreparedTransaction], reason: str) -> None:
        self.left += [LeftPrepared(*one, reason) for one in ones]


_MISSING: Any = object()


def recovering(
    databases: Mapping[Key, Prepared], older_than: float
) -> Generator[Question, list[Any], Recovery]:
    """Look for prepared transactions and end them; asks its questions one after the other.

    :param databases: by bind key; see :func:`databases_of`.
    :param older_than: seconds.
    """
    return _Recovering(databases, older_than).run()
