"""A session's work and its state, on a synchronous connection.

``Session`` calls it directly, ``AsyncSession`` in a greenlet; both hold a guard around it, so that
one caller at a time is in here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy.exc import DBAPIError

from ..exception import InvalidSessionState, TransactionRolledBack
from . import statement as _statement

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Result

logger = logging.getLogger("naked_sqla")

# PostgreSQL's "current transaction is aborted": the echo of an earlier failure, not a cause.
_ABORTED = "25P02"
# libpq's PQTRANS_INERROR.
_IN_ERROR = 3


class Work:
    """One transaction on one connection, and whether it may still be used.

    :param conn: the connection; ``None`` until :meth:`connect`.
    """

    __slots__ = ("conn", "failure", "open")

    def __init__(self, conn: Connection | None = None) -> None:
        self.conn: Connection = conn  # type: ignore[assignment]
        self.open = conn is not None
        self.failure: BaseException | None = None

    @property
    def connected(self) -> bool:
        """False while there is no connection to give back."""
        return self.conn is not None

    @property
    def state(self) -> Literal["open", "closed"]:
        return "open" if self.open else "closed"

    def connect(self, engine: Engine, options: Mapping[str, Any]) -> None:
        """Check a connection out and begin its transaction.

        ``conn`` is set before anything can fail on it, so that the caller can give it back.
        """
        self.conn = conn = engine.connect()
        if options:
            conn.execution_options(**options)
        conn.begin()
        self.open = True

    def check_open(self, what: str) -> None:
        """Raise ``InvalidSessionState`` on a closed session."""
        if not self.open:
            raise InvalidSessionState(
                f"{what}() on a closed session: it was committed, rolled back, or its block has "
                f"ended. Open another one with begin(); results read before stay readable."
            )

    def execute(
        self, statement: Any, parameters: Any, execution_options: Mapping[str, Any] | None
    ) -> Result[Any]:
        """Run a statement, and remember when it fails."""
        try:
            return _statement.execute(self.conn, statement, parameters, execution_options)
        except BaseException as error:
            if self.failure is None or _sqlstate(error) != _ABORTED:
                self.failure = error
            raise

    def commit(self) -> None:
        """Commit, and close the session whatever comes of it.

        :raises TransactionRolledBack: when the database has given the transaction up.
        """
        self.open = False
        failure, self.failure = self.failure, None
        if self._given_up(failure):
            self.rollback_quietly()
            raise TransactionRolledBack(
                "nothing was committed: a statement of this session failed, and the database gave "
                "the whole transaction up. Let the error leave the block, or run what may fail "
                "inside `session.conn.begin_nested()`, whose rollback keeps the rest."
            ) from failure
        self.conn.commit()

    def rollback(self) -> None:
        """Roll back, and close the session whatever comes of it."""
        self.open = False
        self.failure = None
        self.conn.rollback()

    def rollback_quietly(self) -> None:
        """Roll back under another error, which a failure here must not replace."""
        try:
            self.rollback()
        except Exception:
            logger.warning("the rollback of a session failed", exc_info=True)

    def finish(self, pending: bool, commit: bool, failed: bool) -> None:
        """End the block: what is pending is committed or rolled back, the connection goes back.

        :param pending: False when the session was committed or rolled back by hand.
        :param commit: commit what is pending, rather than roll it back.
        :param failed: an exception is on its way out of the block, and must come out.
        """
        try:
            if pending:
                if commit:
                    self.commit()
                elif failed:
                    self.rollback_quietly()
                else:
                    self.rollback()
        except BaseException:
            self.release(quietly=True)
            raise
        self.release(quietly=failed)

    def release(self, quietly: bool) -> None:
        """Give the connection back; quietly when another error is on its way."""
        self.open = False
        self.failure = None
        try:
            self.conn.close()
        except Exception:
            if not quietly:
                raise
            logger.warning("a session's connection could not be given back", exc_info=True)

    def _given_up(self, failure: BaseException | None) -> bool:
        """True when the database would "commit" this transaction and store nothing."""
        conn = self.conn
        if conn.invalidated:
            return True
        if not conn.in_transaction():
            return False
        driver = conn.dialect.driver
        if driver == "psycopg":
            # libpq knows, also of what failed through session.conn.
            raw: Any = conn.connection.driver_connection
            return bool(raw.pgconn.transaction_status == _IN_ERROR)
        if failure is None or conn.dialect.name == "sqlite":
            return False
        try:
            conn.exec_driver_sql("SELECT 1").close()
        except DBAPIError:
            return True
        return False


def _sqlstate(error: BaseException) -> str | None:
    orig = getattr(error, "orig", None)
    state: str | None = getattr(orig, "sqlstate", None)
    return state
