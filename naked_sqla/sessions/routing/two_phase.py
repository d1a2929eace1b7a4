"""Committing in several PostgreSQL databases so that all of them store it, or none.

Each transaction is prepared first: it has left its connection then, and the database promises to
commit it when it is asked to, also after a crash.  The commands are sent as SQL: SQLAlchemy's own
way differs by driver and version, and fails on some.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from naked_sqla.backends import own
from naked_sqla.exception import PartialCommit
from naked_sqla.sessions.idle import give_back
from naked_sqla.sessions.routing.tables import Key, database_name

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from naked_sqla.sessions.transaction import Transaction

logger = logging.getLogger("naked_sqla")

# PostgreSQL's "undefined_object": there is no prepared transaction of this name.
_UNKNOWN = "42704"


def commit(transactions: Mapping[Key, Transaction], decide: Callable[[], None]) -> None:
    """Commit the open transactions of several databases.

    :param decide: called as soon as it is settled how they end, before that is sent.

    From the moment when all have prepared, the commits are brought to their end: nothing of the
    library's cancels them.

    :raises PartialCommit: when a database promised to commit, and can't be reached any more; the
        message says what to send to it.

    The error of a database that can't prepare comes out as it is; nothing is committed then.
    """
    mark = uuid.uuid4().hex
    ids = {key: f"naked_sqla_{mark}_{n}" for n, key in enumerate(transactions)}
    asked: list[Key] = []
    try:
        for key, transaction in transactions.items():
            asked.append(key)
            _prepare(transaction, ids[key])
    except BaseException:
        decide()
        for key in transactions:
            if key in asked:
                # also the one that failed: its answer may have been lost, and not its work
                _take_back(transactions[key], ids[key])
            else:
                transactions[key].rollback_quietly()
        raise
    decide()
    errors: dict[Key, BaseException] = {}
    for key, transaction in transactions.items():
        error = _decide(transaction, f"COMMIT PREPARED '{ids[key]}'")
        if error is None:
            transaction.outcome = "committed"
        else:
            errors[key] = error
            transaction.outcome = "rolled_back" if _is_unknown(error) else "unknown"
    if errors:
        partial = _partial(transactions, errors, ids)
        # the caller may have been cancelled, and hear of nothing
        logger.error("%s", partial)
        raise partial from next(iter(errors.values()))


def _partial(
    transactions: Mapping[Key, Transaction],
    errors: Mapping[Key, BaseException],
    ids: Mapping[Key, str],
) -> PartialCommit:
    todo = "; ".join(f"{database_name(key)}: COMMIT PREPARED '{ids[key]}'" for key in errors)
    outcomes = {key: transaction.outcome for key, transaction in transactions.items()}
    return PartialCommit(
        f"all databases have prepared the commit, and some can't be reached to do it. They "
        f"keep what was prepared, and its locks, until you send them ({todo}).",
        [key for key, outcome in outcomes.items() if outcome == "committed"],
        [key for key, outcome in outcomes.items() if outcome == "rolled_back"],
        [key for key, outcome in outcomes.items() if outcome == "unknown"],
        {key: ids[key] for key in errors},
    )


def _prepare(transaction: Transaction, name: str) -> None:
    transaction.close_streams()
    transaction.outcome = "unknown"
    own.send(transaction.conn, f"PREPARE TRANSACTION '{name}'")
    # The transaction has left the connection; this tells SQLAlchemy and the driver.
    transaction.conn.commit()


def _take_back(transaction: Transaction, name: str) -> None:
    transaction.rollback_quietly()
    error = _decide(transaction, f"ROLLBACK PREPARED '{name}'")
    transaction.outcome = "rolled_back" if error is None else "unknown"
    if error is not None:
        logger.error(
            "a prepared transaction could not be rolled back, and keeps its locks until you send: "
            "ROLLBACK PREPARED '%s'",
            name,
            exc_info=error,
        )


def _decide(transaction: Transaction, sql: str) -> BaseException | None:
    """Send what ends a prepared transaction; a second time on a connection of its own."""
    conn = transaction.conn
    try:
        if not conn.invalidated:
            transaction.set_options({"isolation_level": "AUTOCOMMIT"})
            _send(conn, sql)
            return None
    except BaseException as error:
        if _is_unknown(error):
            # Somebody else has ended it; or what failed was never prepared.
            return None if sql.startswith("ROLLBACK") else error
        logger.info("%s failed, and is sent once more", sql, exc_info=True)
    return _decide_again(conn.engine, sql)


def _decide_again(engine: Engine, sql: str) -> BaseException | None:
    try:
        fresh = engine.connect()
        try:
            _send(fresh.execution_options(isolation_level="AUTOCOMMIT"), sql)
        finally:
            give_back(fresh)
    except BaseException as error:  # noqa: BLE001
        # Unknown by now: the first time was done, and only its answer was lost.
        return None if _is_unknown(error) else error
    return None


def _send(conn: Any, sql: str) -> None:
    own.send(conn, sql)
    conn.commit()


def _is_unknown(error: BaseException) -> bool:
    return getattr(getattr(error, "orig", None), "sqlstate", None) == _UNKNOWN
