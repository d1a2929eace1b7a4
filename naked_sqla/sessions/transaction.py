"""One transaction on one synchronous connection, and whether it may still be used.

``Session`` calls it directly, ``AsyncSession`` in a greenlet; both hold a guard around it, so that
one caller at a time uses it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import StaticPool

from naked_sqla._sqlalchemy import connections
from naked_sqla.backends import backend_of
from naked_sqla.exception import TransactionRolledBack
from naked_sqla.hiding import hide, show
from naked_sqla.sessions.committing import Committing
from naked_sqla.sessions.idle import discard_torn, give_back, raise_instead
from naked_sqla.sessions.lost import FAILED, FAILED_INSIDE, Lost

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import NestedTransaction

    from naked_sqla.backends.contracts import Stop
    from naked_sqla.sessions.calls.base import Call
    from naked_sqla.sessions.terms import Terms

logger = logging.getLogger("naked_sqla")

# PostgreSQL's "current transaction is aborted": the echo of an earlier failure, not a cause.
_ABORTED = "25P02"


class Transaction(Committing):
    """One transaction on one connection, and whether it may still be used.

    :param conn: the connection; ``None`` until :meth:`connect`.
    :param eager: whether relationships are loaded that are mapped to be loaded eagerly.
    """

    __slots__ = ("conn", "eager", "failure", "in_driver", "streams", "terms")

    def __init__(self, conn: Connection | None = None, *, eager: bool = True) -> None:
        self.conn: Connection = conn  # type: ignore[assignment]
        self.eager = eager
        self.open = conn is not None
        self.outcome = "open"
        self.failure: BaseException | None = None
        self.terms: Terms | None = None
        # Where the database may end a transaction by itself: tells whether it is still there.
        self.in_driver: Callable[[], bool] | Lost | None = None
        if conn is not None:
            self.in_driver = watch(conn)
        # Cursor results that are still being read, each with what closes it.
        self.streams: dict[Any, Callable[[], None]] = {}

    @property
    def connected(self) -> bool:
        """False while there is no connection to give back."""
        return self.conn is not None

    def connect(self, engine: Engine, options: Mapping[str, Any], snapshot: bool = False) -> None:
        """Check a connection out and begin its transaction.

        ``conn`` is set before anything can fail on it, so that the caller can give it back.

        :param snapshot: let several reads see the same state of the database.
        """
        self.conn = conn = connections.check_out(engine.connect)
        backend = backend_of(conn.dialect)
        backend.checked_out(conn)
        if options:
            self.take_options(options)
        self.before_begin()
        conn.begin()
        if self.terms is not None:
            backend.begin_on(conn, self.terms, snapshot)
        elif snapshot:
            backend.begin_now(conn)
        self.in_driver = backend.watch(conn)
        self.open = True

    def stopper(self) -> Stop | None:
        """What stops its statement when a task is cancelled; None: a ``CancelledError`` in it."""
        return backend_of(self.conn.dialect).stop(self)

    def before_begin(self) -> None:
        """Set what the connection needs before its transaction begins."""

    def take_options(self, options: Mapping[str, Any]) -> None:
        """Set the options, but behind a pooler no AUTOCOMMIT, which only spares time."""
        if options.get("isolation_level") == "AUTOCOMMIT" and (
            connections.prepares_in_transactions_only(self.conn)
        ):
            return
        self.set_options(options)

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Set execution options for this use of the connection.

        SQLAlchemy notes which options to set back only after it has set them.  Options that a
        cancellation tears in between would stay on the pooled connection.
        """
        conn = self.conn
        try:
            conn.execution_options(**options)
        except BaseException:
            # a pool of one connection is an in-memory database, which would be gone
            if not isinstance(conn.engine.pool, StaticPool):
                conn.invalidate()
            raise

    def connection(self) -> Connection:
        """The connection, for Core work in the same transaction."""
        self.check_open("connection")
        return self.conn

    def in_transaction(self) -> bool:
        """True while there is a transaction to commit; False on a closed session."""
        return self.open and self.conn.in_transaction()

    def call(self, call: Call) -> Any:
        """Run a call in the transaction.

        :raises TransactionRolledBack: when the transaction was lost.
        """
        began = self.in_driver is not None and self.in_driver()
        hidden = hide(self.conn)
        try:
            return call.run(self.conn, self.eager)
        except BaseException as error:
            raise_instead(error, self._failed(error, began))
            raise
        finally:
            if hidden is not None:
                show(hidden)

    def watched(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Run a function that uses the connection, and remember its failure."""
        began = self._began()
        hidden = hide(self.conn)
        try:
            return fn(*args)
        except BaseException as error:
            raise_instead(error, self._failed(error, began))
            raise
        finally:
            show(hidden)

    def check_not_lost(self) -> None:
        """Raise ``TransactionRolledBack`` when the transaction was lost."""
        if isinstance(self.in_driver, Lost):
            self.in_driver()

    def _began(self) -> bool:
        """True when there is a transaction that the database may end by itself."""
        found = self.in_driver
        return found is not None and not isinstance(found, Lost) and found()

    def _failed(self, error: BaseException, began: bool) -> BaseException:
        """Remember a failure, and that the transaction is lost; gives the error to raise.

        :param began: :meth:`_began` before it.
        """
        error = discard_torn(self.conn, error)
        if self.failure is None or _sqlstate(error) != _ABORTED:
            self.failure = error
        if self.conn.invalidated or (began and not self._began()):
            self.in_driver = Lost(error)
        return error

    def savepoint(self) -> tuple[NestedTransaction, BaseException | None]:
        """Set a savepoint; gives it, and the failure that the session knew of before it.

        :raises TransactionRolledBack: when the transaction was lost.
        """
        self.check_not_lost()
        before = self.failure
        # Else the savepoint would be the transaction, and its release a commit.
        self.watched(backend_of(self.conn.dialect).begin_now, self.conn)
        point: NestedTransaction = self.watched(self.conn.begin_nested)
        return point, before

    def end_savepoint(
        self, point: NestedTransaction, before: BaseException | None, keep: bool, failed: bool
    ) -> None:
        """Release a savepoint, or roll back to it.

        :param before: the failure that the session knew of before the savepoint.
        :param keep: release it; False rolls back, which makes a failed transaction usable again.
        :param failed: an exception is on its way out, which an error here must not replace.
        """
        if self.open and keep and isinstance(self.in_driver, Lost):
            self.in_driver.refuse("nothing since the savepoint was kept")
        if not self.open or not point.is_active or isinstance(self.in_driver, Lost):
            # The session was committed or rolled back inside, or there is nothing to go back to.
            return
        swallowed = self.failure if self.failure is not before else None
        began = self._began()
        try:
            if keep and not self._given_up(swallowed):
                point.commit()
                self.failure = before
                return
            point.rollback()
            self.failure = before
        except BaseException as error:
            self._failed(error, began)
            if not failed or not isinstance(error, Exception):
                raise
            logger.warning("the rollback to a savepoint failed", exc_info=True)
        if keep:
            raise TransactionRolledBack(FAILED_INSIDE) from swallowed

    def check_commit(self) -> None:
        """Raise ``TransactionRolledBack`` when a commit would store nothing."""
        if isinstance(self.in_driver, Lost):
            self.in_driver.refuse("nothing was committed")
        if self._given_up(self.failure):
            raise TransactionRolledBack(FAILED) from self.failure

    def lost_since(self, point: NestedTransaction, before: BaseException | None) -> bool:
        """True when nothing is left of what was done since a savepoint; arguments as below."""
        swallowed = self.failure if self.failure is not before else None
        return point.is_active and self._given_up(swallowed)

    def commit(self) -> None:
        """Commit, and close the session whatever comes of it.

        :raises TransactionRolledBack: when the database has given the transaction up.
        :raises CommitOutcomeUnknown: when COMMIT was sent, and no answer came.
        """
        self.open = False
        self.close_streams()
        try:
            self.check_commit()
        except TransactionRolledBack:
            self.rollback_quietly()
            raise
        self.failure = None
        self.end_transaction(commit=True)

    def rollback(self) -> None:
        """Roll back, and close the session whatever comes of it."""
        self.close()
        self.close_streams()
        self.end_transaction(commit=False)

    def close(self) -> None:
        """Let no further call in."""
        self.open = False
        self.failure = self.in_driver = None
        if self.outcome == "open":
            self.outcome = "rolled_back"

    def give_back(self) -> None:
        """Give the connection back."""
        give_back(self.conn)

    def close_streams(self) -> None:
        """Close what was not read to its end: an open cursor on SQLite holds its lock."""
        streams, self.streams = self.streams, {}
        for close in streams.values():
            try:
                close()
            except Exception:
                logger.info("a stream could not be closed", exc_info=True)

    def _given_up(self, failure: BaseException | None) -> bool:
        """True when the database would "commit" this transaction and store nothing."""
        conn = self.conn
        if conn.invalidated or isinstance(self.in_driver, Lost):
            return True
        if not conn.in_transaction():
            return False
        return backend_of(conn.dialect).has_lost_transaction(conn, failure)


def watch(conn: Connection) -> Callable[[], bool] | None:
    """What tells whether a transaction is still there that the database may end by itself."""
    return backend_of(conn.dialect).watch(conn)


def _sqlstate(error: BaseException) -> str | None:
    orig = getattr(error, "orig", None)
    state: str | None = getattr(orig, "sqlstate", None)
    return state
