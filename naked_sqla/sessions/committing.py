"""COMMIT: whether it was sent, whether an answer came, and what became of the transaction."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from naked_sqla._sqlalchemy import connections
from naked_sqla.backends import backend_of
from naked_sqla.exception import CommitOutcomeUnknown
from naked_sqla.sessions.ending import Ending
from naked_sqla.sessions.idle import discard_torn, raise_instead

if TYPE_CHECKING:
    from sqlalchemy import Connection

logger = logging.getLogger("naked_sqla")

NO_ANSWER = (
    "COMMIT was sent, and no answer came: all that the session did is stored, or nothing of it. "
    "Look in the database for a row that only this session writes before you do it again. On "
    "PostgreSQL `begin(resolve_commit=True)` asks the server itself."
)


class Committing(Ending):
    """A transaction on one connection that notes its outcome as it ends."""

    __slots__ = ()

    conn: Connection

    def end_transaction(self, commit: bool) -> None:
        """Send COMMIT or ROLLBACK; all checks are done."""
        # What is not committed is rolled back, at the latest when the connection goes.
        self.outcome = "rolled_back"
        if commit:
            self.send_commit()
        else:
            self.conn.rollback()

    def send_commit(self) -> None:
        """Send COMMIT, and note what became of it."""
        conn = self.conn
        backend = backend_of(conn.dialect)
        cut = backend.is_cut(conn)
        self.outcome = "unknown"
        try:
            conn.commit()
        except BaseException as error:
            if cut or not connections.was_sent(error) or backend.answers_commit(error):
                self.outcome = "rolled_back"
                raise_instead(error, discard_torn(conn, error))
                raise
            self.no_answer(error)
        else:
            self.outcome = "committed"

    def no_answer(self, error: BaseException) -> None:
        """Raise what a COMMIT that got no answer comes to: a cancellation goes on as it is.

        :param error: what came instead of the answer.
        :raises CommitOutcomeUnknown: for an error of the driver.
        """
        if isinstance(error, Exception):
            raise CommitOutcomeUnknown(NO_ANSWER) from error
        logger.warning("a session was stopped before the answer to its COMMIT: %s", NO_ANSWER)
        raise error
