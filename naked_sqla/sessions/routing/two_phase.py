"""Committing in several PostgreSQL databases so that all of them store it, or none.

Each transaction is prepared first: it has left its connection then, and the database promises to
commit it when it is asked to, also after a crash.  The first one decides: the others are committed
only when that one is known to be, so that whoever finds them later can ask its database what is to
become of them (:mod:`naked_sqla.sessions.recovering`).  The commands are sent as SQL: SQLAlchemy's
own way differs by driver and version, and fails on some.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import greenlets
from naked_sqla.backends import backend_of, own
from naked_sqla.exception import PartialCommit, TransactionRolledBack
from naked_sqla.sessions.idle import give_back
from naked_sqla.sessions.routing.gids import UNKNOWN, Gid
from naked_sqla.sessions.routing.tables import Key, database_name

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.sessions.transaction import Transaction

__all__ = ("commit", "under_way")

logger = logging.getLogger("naked_sqla")

# PostgreSQL's "undefined_object": there is no prepared transaction of this name.
_GONE = "42704"

# Seconds: for a transaction that is neither prepared nor over; between two questions.
_LIMIT = 5.0
_PAUSE = 0.05

#: The marks of the commits that go on in this process.
under_way: set[str] = set()


def commit(transactions: Mapping[Key, Transaction], decide: Callable[[], None]) -> None:
    """Commit the open transactions of several databases.

    :param decide: called as soon as it is settled how they end, before that is sent.

    From the moment when all have prepared, the commits are brought to their end: nothing of the
    library's cancels them.

    :raises PartialCommit: when a database promised to commit, and can't be reached any more; the
        message says what ends it.
    :raises TransactionRolledBack: when somebody else rolled back what was prepared.

    The error of a database that can't prepare comes out as it is; nothing is committed then.
    """
    mark = uuid.uuid4().hex
    under_way.add(mark)
    try:
        _commit(transactions, mark, decide)
    finally:
        under_way.discard(mark)


def _commit(transactions: Mapping[Key, Transaction], mark: str, decide: Callable[[], None]) -> None:
    parts: dict[Key, _Part] = {}
    asked: list[Key] = []
    try:
        parts |= _parts(transactions, mark)
        for key, part in parts.items():
            asked.append(key)
            part.prepare()
    except BaseException:
        decide()
        for key, transaction in transactions.items():
            if key in asked:
                # also the one that failed: its answer may have been lost, and not its work
                parts[key].take_back()
            else:
                transaction.rollback_quietly()
        raise
    decide()
    errors: dict[Key, BaseException] = {}
    for key, part in parts.items():
        error = part.commit()
        if error is not None:
            errors[key] = error
            if part.gid.place == 0:
                # the others must not be ahead of the one that decides
                break
    if errors:
        _raise(parts, errors)


def _parts(transactions: Mapping[Key, Transaction], mark: str) -> dict[Key, _Part]:
    """Ask what the transactions are called on their servers, and name all of them."""
    numbers: dict[Key, str] = {}
    for key, transaction in transactions.items():
        transaction.close_streams()
        ask = _prepared(transaction.conn).assigned_id
        numbers[key] = transaction.watched(ask, transaction.conn)
    first = next(iter(transactions))
    conn = transactions[first].conn
    database = _prepared(conn).identity_of(conn) or UNKNOWN
    return {
        key: _Part(transaction, Gid(mark, place, database, numbers[first]), numbers[key])
        for place, (key, transaction) in enumerate(transactions.items())
    }


def _raise(parts: Mapping[Key, _Part], errors: Mapping[Key, BaseException]) -> None:
    error = next(iter(errors.values()))
    outcomes = {key: part.transaction.outcome for key, part in parts.items()}
    if next(iter(outcomes.values())) == "rolled_back":
        for part in list(parts.values())[1:]:
            part.take_back()
        raise TransactionRolledBack(
            "nothing was committed: all databases had prepared the commit, and somebody else "
            "rolled it back in the first one, as recover_prepared() does. Run the block again."
        ) from error
    left = {key: str(part.gid) for key, part in parts.items() if outcomes[key] == "unknown"}
    ended = [key for key in errors if key not in left]
    todo = "; ".join(
        f"{database_name(key)}: COMMIT PREPARED '{name}'" for key, name in left.items()
    )
    told = (
        f"some can't be reached to do it. They keep what was prepared, and its locks, until "
        f"recover_prepared() ends it, or you send, in this order, and only while each of them "
        f"succeeds ({todo})."
        if left
        else f"somebody else rolled it back in {', '.join(map(database_name, ended))}."
    )
    partial = PartialCommit(
        f"all databases have prepared the commit, and {told}",
        [key for key, outcome in outcomes.items() if outcome == "committed"],
        [key for key, outcome in outcomes.items() if outcome == "rolled_back"],
        list(left),
        left,
    )
    # the caller may have been cancelled, and hear of nothing
    logger.error("%s", partial)
    raise partial from error


class _Part:
    """The transaction of one database, in a commit of several.

    :param number: of the transaction on its server.
    """

    __slots__ = ("gid", "number", "transaction")

    def __init__(self, transaction: Transaction, gid: Gid, number: str) -> None:
        self.transaction = transaction
        self.gid = gid
        self.number = number

    def prepare(self) -> None:
        transaction = self.transaction
        transaction.outcome = "unknown"
        try:
            transaction.watched(own.send, transaction.conn, f"PREPARE TRANSACTION '{self.gid}'")
        except Exception as error:
            if backend_of(transaction.conn.dialect).answers_commit(error):
                transaction.outcome = "rolled_back"
            raise
        # The transaction has left the connection; this tells SQLAlchemy and the driver.
        transaction.conn.commit()

    def commit(self) -> BaseException | None:
        """Commit what was prepared, and note the outcome; gives the error where it is another."""
        error = self._end("COMMIT")
        if error is None:
            self.transaction.outcome = "committed"
        return None if self.transaction.outcome == "committed" else error

    def take_back(self) -> None:
        """Roll back what was, or may have been, prepared."""
        self.transaction.rollback_quietly()
        limit = time.monotonic() + _LIMIT
        while _is_gone(error := self._end("ROLLBACK")) and self.transaction.outcome == "unknown":
            # its server has not noticed that the connection was lost, and may still prepare it
            if time.monotonic() > limit:
                break
            greenlets.sleep(self.transaction.conn.engine, _PAUSE)
        if error is None or _is_gone(error):
            # gone: what failed was never prepared, or somebody else has rolled it back
            self.transaction.outcome = "rolled_back"
            return
        self.transaction.outcome = "unknown"
        logger.error(
            "a prepared transaction could not be rolled back, and keeps its locks until "
            "recover_prepared() ends it, or you send: ROLLBACK PREPARED '%s'",
            self.gid,
            exc_info=error,
        )

    def _end(self, how: str) -> BaseException | None:
        """Send what ends the transaction; a second time on a connection of its own."""
        conn = self.transaction.conn
        try:
            if not conn.invalidated:
                self.transaction.set_options({"isolation_level": "AUTOCOMMIT"})
                self._send(conn, how)
                return None
        except BaseException as error:
            if _is_gone(error):
                return error
            logger.info("%s PREPARED '%s' is sent once more", how, self.gid, exc_info=True)
        try:
            fresh = conn.engine.connect()
            try:
                self._send(fresh.execution_options(isolation_level="AUTOCOMMIT"), how)
            finally:
                give_back(fresh)
        except BaseException as error:  # noqa: BLE001
            return error
        return None

    def _send(self, conn: Connection, how: str) -> None:
        try:
            own.send(conn, f"{how} PREPARED '{self.gid}'")
        except BaseException as error:
            if _is_gone(error):
                # the first time was done and its answer lost, or somebody else has ended it
                self.transaction.outcome = _prepared(conn).outcome_of(conn, self.number)
            raise
        conn.commit()


def _prepared(conn: Connection) -> Any:
    return backend_of(conn.dialect).prepared


def _is_gone(error: Any) -> bool:
    return getattr(getattr(error, "orig", None), "sqlstate", None) == _GONE
