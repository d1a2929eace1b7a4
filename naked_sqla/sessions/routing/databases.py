"""The transactions of one session on several databases, which end together.

To the faces this is what ``Work`` is; each database has a ``Work`` of its own in it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from naked_sqla.exception import InvalidSessionState, PartialCommit, TransactionRolledBack
from naked_sqla.sessions import checks
from naked_sqla.sessions.ending import Ending
from naked_sqla.sessions.routing.routes import Routes
from naked_sqla.sessions.routing.tables import Key
from naked_sqla.sessions.transaction import LOST, Work

if TYPE_CHECKING:
    from sqlalchemy.engine import NestedTransaction

logger = logging.getLogger("naked_sqla")


@dataclass(frozen=True, slots=True)
class Databases:
    """What a factory knows of several databases.

    :ivar engines: by bind key, the default one by ``None``.
    :ivar two_phase: commit with prepared transactions.
    """

    engines: Mapping[Key, Any]
    routes: Routes
    two_phase: bool

    def reading(self, engine: Any) -> Databases:
        """The same, with another engine for the default database, and nothing to commit."""
        engines: dict[Key, Any] = {**self.engines, None: engine}
        return Databases(engines, self.routes, two_phase=False)


def databases(name: str, engine: Any, binds: Mapping[str, Any], two_phase: bool) -> Databases:
    """The databases of a factory.

    :param name: of the factory's class, for the error.
    :raises ValueError: for ``two_phase`` where a database has no prepared transactions.
    """
    engines: dict[Key, Any] = {None: engine}
    engines.update(binds.items())
    if two_phase:
        checks.can_prepare(name, {key: one.dialect for key, one in engines.items()})
    return Databases(engines, Routes(binds), two_phase)


class Level:
    """One savepoint of a session: one in each of its databases."""

    __slots__ = ("points",)

    def __init__(self) -> None:
        # Each with the failure that was known before it.
        self.points: dict[Work, tuple[NestedTransaction, BaseException | None]] = {}


class Several(Ending):
    """The transactions of one session, one for each database that it has used, in that order."""

    __slots__ = ("busy", "levels", "two_phase", "works")

    def __init__(self, two_phase: bool) -> None:
        self.two_phase = two_phase
        self.works: dict[Key, Work] = {}
        self.levels: list[Level] = []
        self.open = True
        # The one that is waited for; a cancellation has to know.
        self.busy: Work | None = None

    def in_transaction(self) -> bool:
        """True while there is a transaction to commit."""
        return self.open and any(work.in_transaction() for work in self.works.values())

    def add(self, key: Key, work: Work) -> None:
        """Take in a database whose connection was opened."""
        self.works[key] = work

    def join_savepoints(self, work: Work) -> None:
        """Set the savepoints that the session is in on a new connection."""
        for level in self.levels:
            level.points[work] = work.savepoint()

    def forget(self, work: Work) -> None:
        """Leave out a connection on which the savepoints could not be set."""
        for level in self.levels:
            level.points.pop(work, None)

    def savepoint(self) -> tuple[Any, BaseException | None]:
        """Set a savepoint in each database."""
        level = Level()
        try:
            for work in self._each():
                level.points[work] = work.savepoint()
        except BaseException:
            for point, _ in level.points.values():
                _quietly(point.rollback)
            raise
        self.levels.append(level)
        return level, None

    def end_savepoint(self, level: Any, _: Any, keep: bool, failed: bool) -> None:
        """Release a savepoint in each database, or roll back to it."""
        if not self.open or level not in self.levels:
            return
        del self.levels[self.levels.index(level) :]
        lost = keep and any(
            work.lost_since(point, before) for work, (point, before) in level.points.items()
        )
        first: BaseException | None = None
        for work in self._each(level.points):
            point, before = level.points[work]
            mine = keep and first is None and (not lost or work.lost_since(point, before))
            try:
                # One that has lost its part says so, and the others go back with it.
                work.end_savepoint(point, before, mine, failed or first is not None)
            except BaseException as error:
                if first is not None:
                    logger.warning("the rollback to a savepoint failed", exc_info=True)
                first = first or error
        if first is not None:
            raise first

    def commit(self) -> None:
        """Commit in each database, and close the session whatever comes of it.

        :raises TransactionRolledBack: when one of them has given its transaction up; nothing is
            committed then.
        :raises PartialCommit: when one fails after others have committed.
        """
        self.close()
        failures = [work.failure for work in self.works.values() if work.is_lost()]
        if failures:
            self.rollback_quietly()
            raise TransactionRolledBack(LOST) from failures[0]
        if self.two_phase and len(self.works) > 1:
            from naked_sqla.sessions.routing.two_phase import commit

            commit(self.works)
            return
        done: list[Key] = []
        for key, work in self.works.items():
            self.busy = work
            try:
                work.commit()
            except BaseException as error:
                left = [other for other in self.works if other not in done]
                for other in left:
                    self.works[other].rollback_quietly()
                if done and isinstance(error, Exception):
                    raise _partial(done, left) from error
                if done:
                    logger.error("%s", _partial(done, left))
                raise
            done.append(key)

    def rollback(self) -> None:
        """Roll back in each database, and close the session whatever comes of it."""
        self.close()
        self._all(Work.rollback, "the rollback of a session failed")

    def close(self) -> None:
        """Let no further call in."""
        self.open = False
        for work in self.works.values():
            work.open = False

    def give_back(self) -> None:
        """Give all connections back."""
        self._all(
            lambda work: work.release(quietly=False),
            "a session's connection could not be given back",
        )

    def _all(self, do: Callable[[Work], None], failing: str) -> None:
        """Do it on each, also after one has failed; the first error comes out."""
        first: BaseException | None = None
        for work in self._each():
            try:
                do(work)
            except BaseException as error:
                if first is None:
                    first = error
                elif isinstance(error, Exception) or not isinstance(first, Exception):
                    logger.warning(failing, exc_info=True)
                else:
                    # a cancellation comes out, whatever has failed before
                    logger.warning(failing, exc_info=first)
                    first = error
        if first is not None:
            raise first

    def _each(self, works: Any = None) -> Iterator[Work]:
        for work in list(self.works.values() if works is None else works):
            self.busy = work
            yield work


def _partial(done: list[Key], left: list[Key]) -> PartialCommit:
    return PartialCommit(
        f"the commit was done in {names(done)}, and failed in {names(left[:1])}"
        + (f"; {names(left[1:])} rolled back" if left[1:] else "")
        + ". What the first have stored stays: bring the others up to it, or undo it there. "
        "On PostgreSQL `two_phase=True` keeps this from happening.",
        done,
        left,
    )


def names(keys: list[Key]) -> str:
    """How a message names databases."""
    return ", ".join("the default database" if key is None else repr(key) for key in keys)


def not_opened(write: str) -> InvalidSessionState:
    """What ``session.conn`` says where the default database was not used yet."""
    return InvalidSessionState(
        f"session.conn, of a session on several databases that has not used the default one yet: "
        f"there is no connection. Open it with `{write}`."
    )


def _quietly(do: Callable[[], None]) -> None:
    try:
        do()
    except Exception:
        logger.warning("the rollback to a savepoint failed", exc_info=True)
