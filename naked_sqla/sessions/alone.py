"""One call that only reads, without a transaction, on a connection that is given back at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError, InvalidRequestError

from naked_sqla._sqlalchemy import unopened
from naked_sqla.backends import backend_of
from naked_sqla.exception import BaseNakedSQLAException
from naked_sqla.hiding import hide, show
from naked_sqla.sessions.idle import discard_torn, gave_back_idle, raise_instead
from naked_sqla.sessions.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from naked_sqla.backends.contracts import Stop
    from naked_sqla.sessions.calls.base import Call

logger = logging.getLogger("naked_sqla")


class Alone:
    """Runs one call; a ``Stoppable``.

    :param options: ``isolation_level="AUTOCOMMIT"`` spares BEGIN and COMMIT, where it is given; not
        followed behind a pooler, which needs a transaction to stay with one server.
    """

    __slots__ = ("_eager", "_options", "_unopened")

    def __init__(self, engine: Engine, eager: bool, options: Mapping[str, Any]) -> None:
        self._eager = eager
        self._options = options
        self._unopened = unopened.Unopened(engine, bool(options), self._prepare)

    @property
    def conn(self) -> Connection | None:
        return self._unopened.conn

    @property
    def connected(self) -> bool:
        """False while there is no connection to give back."""
        return self._unopened.connected

    def stopper(self) -> Stop | None:
        """What stops the call when a task is cancelled."""
        return backend_of(self._unopened.dialect).stop(self)

    def run(self, call: Call) -> Any:
        """Run the call."""
        conn = self._unopened
        hidden = hide(conn)
        try:
            if call.goes_directly and unopened.is_unobserved(conn.engine):
                return call.run(conn, self._eager)  # type: ignore[arg-type]
            return call.run(conn.open(), self._eager)
        except DBAPIError:
            if self.conn is not None:
                backend_of(conn.dialect).after_refusal(self.conn)
            raise
        except Exception as error:
            if isinstance(error, BaseNakedSQLAException | InvalidRequestError) or self.conn is None:
                raise
            raise_instead(error, discard_torn(self.conn, error))
            raise
        finally:
            show(hidden)
            self._give_back()

    def _prepare(self, conn: Connection) -> None:
        backend_of(conn.dialect).checked_out(conn)
        if self._options:
            self._as_transaction(conn).take_options(self._options)

    def _as_transaction(self, conn: Connection) -> Transaction:
        transaction = Transaction(eager=self._eager)
        transaction.conn = conn
        return transaction

    def _give_back(self) -> None:
        conn = None if gave_back_idle(self._unopened) else self.conn
        if conn is None:
            return
        # nothing was written: a failure here changes nothing for the caller
        self._as_transaction(conn).finish(pending=True, commit=False, failed=True)
