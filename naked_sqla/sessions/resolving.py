"""Transactions that ask the server what became of a COMMIT whose answer was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from naked_sqla.backends import backend_of
from naked_sqla.exception import TransactionRolledBack, UnsupportedOption
from naked_sqla.sessions.transaction import Transaction


class ResolvingTransaction(Transaction):
    """A transaction that turns a commit of unknown outcome into one that is known."""

    __slots__ = ("_id",)

    _id: Any

    def send_commit(self) -> None:
        self._id = backend_of(self.conn.dialect).transaction_id(self.conn)
        super().send_commit()

    def no_answer(self, error: BaseException) -> None:
        """Ask on another connection; return when the transaction was committed.

        A cancelled task learns the outcome if the server says it before the grace is over: what
        ends a COMMIT that takes too long ends the question too.

        :raises TransactionRolledBack: it was rolled back.
        :raises CommitOutcomeUnknown: nobody could be asked.
        """
        if not isinstance(error, Exception | asyncio.CancelledError):
            # Ctrl-C waits for nothing more
            super().no_answer(error)
        conn = self.conn
        try:
            if not conn.invalidated:
                # its place in the pool is free from here on
                conn.invalidate()
            found = backend_of(conn.dialect).outcome_of(conn.engine, self._id)
        except asyncio.CancelledError as again:
            super().no_answer(again)
            raise
        if found == "unknown":
            super().no_answer(error)
        self.outcome = found
        if not isinstance(error, Exception):
            raise error
        if found == "rolled_back":
            raise TransactionRolledBack(
                "nothing was committed: the answer to COMMIT was lost, and the server says that "
                "the transaction was rolled back. Run the block again."
            ) from error


def check_resolving(asked: object, dialects: Iterable[Any]) -> None:
    """Raise for ``resolve_commit`` where a server can't be asked what became of a transaction.

    :param asked: the argument that was given.
    :param dialects: of the engines.
    :raises TypeError: for anything else than a bool.
    :raises UnsupportedOption: for a database that can't be asked.
    """
    if asked is not True:
        raise TypeError(f"begin(resolve_commit=...) takes True or False, not {asked!r}.")
    for dialect in dialects:
        backend = backend_of(dialect)
        if not backend.resolves_commits:
            raise UnsupportedOption(
                f"begin(resolve_commit=True) asks the server what became of a transaction, and "
                f"{backend.name} can't be asked. Leave it out: CommitOutcomeUnknown says when the "
                f"answer to a COMMIT was lost."
            )
