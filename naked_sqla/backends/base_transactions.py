"""Facts and hooks of a database that concern connections and transactions.

``base.py`` says what a default is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sqlalchemy.exc import DBAPIError

from naked_sqla.backends import own
from naked_sqla.exception import InvalidStatement

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from naked_sqla.backends.contracts import Prepared, Stop, Stoppable
    from naked_sqla.backends.terms import Terms

__all__ = ("ForTransactions",)

_NO_OPTIONS: Mapping[str, Any] = {}


class ForTransactions:
    """What a database does for connections and transactions."""

    #: What is asked of prepared transactions, for ``two_phase=True``; ``None``: it has none.
    prepared: ClassVar[Prepared | None] = None

    #: Execution options of a connection on which several SELECTs see one state of the database;
    #: ``None``: any transaction does.
    snapshot_options: ClassVar[Mapping[str, Any] | None] = None

    #: Has :meth:`transaction_id` and :meth:`outcome_of`: what became of a transaction.
    resolves_commits: ClassVar[bool] = False

    #: BEGIN and COMMIT cost a round trip each, which a single SELECT does without in AUTOCOMMIT.
    pays_for_transactions: ClassVar[bool] = False

    #: Closes its socket when a task is cancelled that connects: an attempt that hangs is given up,
    #: rather than take a place in the pool until it has ended by itself.
    gives_up_connecting: ClassVar[bool] = False

    #: What ``begin()`` may ask for: time limits and settings, by their names.
    terms: ClassVar[frozenset[str]] = frozenset()

    #: Ends a statement by itself when it has had its time, or has waited for a lock too long.
    server_has_limits: ClassVar[bool] = False

    #: SQLSTATEs of errors after which the same transaction may succeed when it is run again.
    transient_states: ClassVar[frozenset[str]] = frozenset({"40001"})

    def checked_out(self, conn: Connection) -> None:
        """Prepare a connection that a session has just been given by its pool.

        The pool, and others who use it, are to see nothing of it.
        """

    def begin_now(self, conn: Connection, to_write: bool = False) -> None:
        """Send the BEGIN that the driver keeps back until the first write.

        :param to_write: take the lock of the one writer with it, where the database has one.
        """

    def begin_on(self, conn: Connection, terms: Terms, snapshot: bool) -> None:
        """Begin a transaction on terms; :attr:`terms` says which there may be.

        :param snapshot: send BEGIN, where the driver keeps it back.
        """
        if snapshot or terms.to_write:
            self.begin_now(conn, terms.to_write)

    def settings_of(self, terms: Terms) -> Mapping[str, str]:
        """The settings of the transaction that the terms are to the database."""
        return {}

    def set_local(self, conn: Connection, settings: Mapping[str, str]) -> None:
        """Set settings for the transaction that is open."""

    def current_settings(self, conn: Connection, names: Iterable[str]) -> dict[str, str]:
        """What some settings are now."""
        return {}

    def limit_behind(self, error: BaseException) -> str | None:
        """The name of the limit that an error may come from; the time it took decides."""
        return None

    def interrupt(self, raw: Any, times: int) -> None:
        """End what the driver waits for; called in another thread, again until it has ended.

        :param raw: the driver's connection.
        :param times: how often it was called before.
        """

    def before_read_only(self, conn: Connection) -> Mapping[str, Any]:
        """Have the database refuse writes in the transaction that begins next.

        A setting of the driver's connection must be undone when that returns to its pool.

        :return: further execution options for the connection.
        """
        return _NO_OPTIONS

    def has_lost_transaction(self, conn: Connection, failure: BaseException | None) -> bool:
        """True when the database would "commit" the open transaction and store nothing of it.

        :param failure: the error of a statement that ran in it, if the session knows one.
        """
        if failure is None:
            return False
        try:
            own.send(conn, "SELECT 1")
        except DBAPIError:
            return True
        return False

    def watch(self, conn: Connection) -> Callable[[], bool] | None:
        """What tells whether the driver's connection is in a transaction, without asking anybody.

        :return: ``None`` where the database ends no transaction by itself under a statement that
            fails, and goes on without one.
        """
        return None

    def is_cut(self, conn: Connection) -> bool:
        """True when the driver can tell that the server is gone; asked before COMMIT is sent."""
        return False

    def answers_commit(self, error: BaseException) -> bool:
        """True for an error that is the database's answer to COMMIT: nothing was stored.

        False where the answer was lost: then nobody knows.
        """
        return isinstance(error, DBAPIError) and not error.connection_invalidated

    def transaction_id(self, conn: Connection) -> Any:
        """What the open transaction is called on the server; ``None``: it has written nothing."""
        raise InvalidStatement(f"{self} gives transactions no names that can be asked for.")

    def outcome_of(
        self, engine: Engine, transaction: Any
    ) -> Literal["committed", "rolled_back", "unknown"]:
        """What became of a transaction, asked on a connection of its own.

        :param transaction: as :meth:`transaction_id` gave it.
        """
        return "unknown"

    def is_idle(self, raw: Any) -> bool:
        """False for a connection that is in a transaction, or in the middle of an exchange.

        Such a connection must not return to the pool.

        :param raw: the driver's connection, after everything else was reset.
        """
        return True

    def torn(self, conn: Connection, error: BaseException) -> BaseException | None:
        """The error to raise for one that left the driver in the middle of an exchange, or None."""
        return None

    def after_refusal(self, conn: Connection) -> None:
        """Clean up after a statement in AUTOCOMMIT that the driver refused."""

    def listener(self, raw: Any, is_async: bool) -> Any:
        """What listens on a driver's connection; called where :attr:`can_listen` says so."""
        raise NotImplementedError

    def is_transient(self, error: BaseException) -> bool:
        """True for the driver's error after which the same transaction may succeed when run again.

        A lost connection is one; SQLAlchemy's wrapping knows of it too.

        :param error: of the driver or of SQLAlchemy's adapter to it; or any other one.
        """
        return getattr(error, "sqlstate", None) in self.transient_states

    def is_connect_error(self, error: BaseException) -> bool:
        """True for the driver's error when a connection could not be made."""
        return isinstance(error, OSError)

    def stop(self, transaction: Stoppable) -> Stop | None:
        """Stops the statement of a cancelled task; ``None``: a ``CancelledError`` does it."""
        return None
