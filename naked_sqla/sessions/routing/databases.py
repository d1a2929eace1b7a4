"""The transactions of one session on several databases, which end together.

``Transactions`` has the calls of ``Transaction``, and holds one ``Transaction`` for each database.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from naked_sqla.exception import InvalidSessionState, PartialCommit, TransactionRolledBack
from naked_sqla.sessions import checks
from naked_sqla.sessions.ending import Ending, Outcome, together
from naked_sqla.sessions.routing.routes import Routes
from naked_sqla.sessions.routing.tables import Key, database_name
from naked_sqla.sessions.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy.engine import NestedTransaction

    from naked_sqla.backends.contracts import Stop

logger = logging.getLogger("naked_sqla")


@dataclass(frozen=True, slots=True)
class Databases:
    """The databases of a factory, and how calls find theirs.

    :ivar engines: by bind key, the default one by ``None``.
    :ivar two_phase: commit with prepared transactions.
    """

    engines: Mapping[Key, Any]
    routes: Routes
    two_phase: bool

    def derived(self, default: Any, derive: Callable[[Any], Any]) -> Databases:
        """The same databases, on engines that are derived from theirs.

        :param default: the derived engine of the default database.
        """
        engines: dict[Key, Any] = {key: derive(one) for key, one in self.engines.items()}
        return replace(self, engines={**engines, None: default})

    def reading(self, engine: Any) -> Databases:
        """A copy for reading: another engine for the default database, no two-phase commit."""
        engines: dict[Key, Any] = {**self.engines, None: engine}
        return replace(self, engines=engines, two_phase=False)


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


class SavepointGroup:
    """One savepoint of a session: one in each of its databases."""

    __slots__ = ("points",)

    def __init__(self) -> None:
        # Each with the failure that was known before it.
        self.points: dict[Transaction, tuple[NestedTransaction, BaseException | None]] = {}


class Transactions(Ending):
    """The transactions of one session, one for each database that it has used, in that order."""

    __slots__ = ("active", "decided", "groups", "transactions", "two_phase")

    def __init__(self, two_phase: bool) -> None:
        self.two_phase = two_phase
        self.transactions: dict[Key, Transaction] = {}
        self.groups: list[SavepointGroup] = []
        self.open = True
        self.outcome = "open"
        # True once the databases have prepared: what was decided is brought to its end.
        self.decided = False
        # The transaction that the caller waits for: a cancellation stops its statement.
        self.active: Transaction | None = None

    def stopper(self) -> Stop | None:
        """What stops a call when a task is cancelled, in the database that it waits for."""
        return None if self.active is None else self.active.stopper()

    def may_be_torn(self) -> bool:
        """False while what was prepared is committed, or taken back."""
        return not self.decided

    def in_transaction(self) -> bool:
        """True while there is a transaction to commit."""
        return self.open and any(
            transaction.in_transaction() for transaction in self.transactions.values()
        )

    def add(self, key: Key, transaction: Transaction) -> None:
        """Add a database whose connection was opened."""
        self.transactions[key] = transaction

    def join_savepoints(self, transaction: Transaction) -> None:
        """Set the savepoints that the session is in on a new connection."""
        for group in self.groups:
            group.points[transaction] = transaction.savepoint()

    def forget(self, transaction: Transaction) -> None:
        """Leave out a connection on which the savepoints could not be set."""
        for group in self.groups:
            group.points.pop(transaction, None)

    def savepoint(self) -> tuple[Any, BaseException | None]:
        """Set a savepoint in each database."""
        group = SavepointGroup()
        try:
            for transaction in self._each():
                group.points[transaction] = transaction.savepoint()
        except BaseException:
            for point, _ in group.points.values():
                _quietly(point.rollback)
            raise
        self.groups.append(group)
        return group, None

    def end_savepoint(self, group: Any, _: Any, keep: bool, failed: bool) -> None:
        """Release a savepoint in each database, or roll back to it."""
        if not self.open or group not in self.groups:
            return
        del self.groups[self.groups.index(group) :]
        lost = keep and any(
            transaction.lost_since(point, before)
            for transaction, (point, before) in group.points.items()
        )
        first: BaseException | None = None
        for transaction in self._each(group.points):
            point, before = group.points[transaction]
            mine = keep and first is None and (not lost or transaction.lost_since(point, before))
            try:
                # A transaction that has lost its part raises; the others are rolled back then.
                transaction.end_savepoint(point, before, mine, failed or first is not None)
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
        :raises PartialCommit: when one fails after others have committed, or nobody knows of one.
        :raises CommitOutcomeUnknown: when only one was used, and its answer was lost.
        """
        self.open = False
        try:
            self._commit()
        finally:
            outcomes: set[Outcome] = {each.outcome for each in self.transactions.values()}
            self.outcome = together(outcomes, "committed")

    def _decide(self) -> None:
        self.decided = True

    def _commit(self) -> None:
        for transaction in self.transactions.values():
            transaction.open = False
        try:
            for transaction in self.transactions.values():
                transaction.check_commit()
        except TransactionRolledBack:
            self.rollback_quietly()
            raise
        if self.two_phase and len(self.transactions) > 1:
            from naked_sqla.sessions.routing.two_phase import commit

            commit(self.transactions, self._decide)
            return
        done: list[Key] = []
        for key, transaction in self.transactions.items():
            self.active = transaction
            try:
                transaction.commit()
            except BaseException as error:
                left = [other for other in self.transactions if other not in done]
                for other in left:
                    if other != key:
                        self.transactions[other].rollback_quietly()
                unknown = [key] if transaction.outcome == "unknown" else []
                if len(left) == len(self.transactions) and not (unknown and left[1:]):
                    # nothing is stored anywhere, or there was only this one
                    raise
                partial = _partial(done, left, unknown)
                if isinstance(error, Exception):
                    raise partial from error
                logger.error("%s", partial)
                raise
            done.append(key)

    def rollback(self) -> None:
        """Roll back in each database, and close the session whatever comes of it."""
        self.close()
        self._all(Transaction.rollback, "the rollback of a session failed")

    def close(self) -> None:
        """Let no further call in."""
        self.open = False
        if self.outcome == "open":
            self.outcome = "rolled_back"
        for transaction in self.transactions.values():
            transaction.open = False

    def give_back(self) -> None:
        """Give all connections back."""
        self._all(
            lambda transaction: transaction.release(quietly=False),
            "a session's connection could not be given back",
        )

    def _all(self, do: Callable[[Transaction], None], failing: str) -> None:
        """Run a function on each transaction, also after one has failed; raise the first error."""
        first: BaseException | None = None
        for transaction in self._each():
            try:
                do(transaction)
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

    def _each(self, transactions: Any = None) -> Iterator[Transaction]:
        for transaction in list(
            self.transactions.values() if transactions is None else transactions
        ):
            self.active = transaction
            yield transaction


def _partial(done: list[Key], left: list[Key], unknown: list[Key]) -> PartialCommit:
    """The error of a commit that was not done in ``left``, or of which nobody knows."""
    failed = [key for key in left if key not in unknown]
    back = [key for key in left[1:] if key not in unknown]
    told = f"the commit was done in {names(done)}, and " if done else "the commit "
    if unknown:
        told += f"was sent to {names(unknown)}, which may have stored it: the answer was lost"
    else:
        told += f"failed in {names(left[:1])}"
    told += f"; {names(back)} rolled back" if back else ""
    return PartialCommit(
        f"{told}. What some have stored stays: bring the others up to it, or undo it there. "
        "On PostgreSQL `two_phase=True` keeps this from happening.",
        done,
        failed,
        unknown,
    )


def names(keys: list[Key]) -> str:
    """Name databases in a message."""
    return ", ".join(map(database_name, keys))


def not_opened(write: str) -> InvalidSessionState:
    """The error of ``session.conn`` before the first use of the default database."""
    return InvalidSessionState(
        f"session.conn, of a session on several databases that has not used the default one yet: "
        f"there is no connection. Open it with `{write}`."
    )


def _quietly(do: Callable[[], None]) -> None:
    try:
        do()
    except Exception:
        logger.warning("the rollback to a savepoint failed", exc_info=True)
