"""How a session ends, on one database or on several."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Literal, TypeAlias

from naked_sqla.exception import InvalidSessionState

logger = logging.getLogger("naked_sqla")

Outcome: TypeAlias = Literal["open", "committed", "rolled_back", "unknown"]


class Ending(ABC):
    """The calls that end a session: commit, rollback, the end of its block; and its state."""

    __slots__ = ("open", "outcome")

    open: bool
    outcome: Outcome

    @property
    def state(self) -> Literal["open", "closed"]:
        return "open" if self.open else "closed"

    def check_open(self, what: str) -> None:
        """Raise ``InvalidSessionState`` on a closed session.

        :param what: the method that was called, or words, such as ``"reading a stream"``.
        """
        if not self.open:
            call = what if " " in what else f"{what}()"
            raise InvalidSessionState(
                f"{call} on a closed session: it was committed, rolled back, or its block has "
                f"ended. Open another one with begin(); results read before stay readable."
            )

    def may_be_torn(self) -> bool:
        """False while nothing must cancel what is under way, however long it takes."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Let no further call in."""

    @abstractmethod
    def commit(self) -> None:
        """Commit, and close the session whatever comes of it."""

    @abstractmethod
    def rollback(self) -> None:
        """Roll back, and close the session whatever comes of it."""

    @abstractmethod
    def give_back(self) -> None:
        """Give back each connection that is in use."""

    def rollback_quietly(self) -> None:
        """Roll back under another error, which a failure here must not replace."""
        try:
            self.rollback()
        except Exception:
            logger.warning("the rollback of a session failed", exc_info=True)

    def finish(self, pending: bool, commit: bool, failed: bool) -> None:
        """End the block: commit or roll back what is pending, and give each connection back.

        :param pending: False when the session was committed or rolled back by hand.
        :param commit: commit what is pending; False rolls it back.
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
        """Close the session and give each connection back.

        :param quietly: log an error, since another one is on its way.
        """
        self.close()
        try:
            self.give_back()
        except Exception:
            if not quietly:
                raise
            logger.warning("a session's connection could not be given back", exc_info=True)


def together(outcomes: set[Outcome], ended: Outcome) -> Outcome:
    """The outcome of a session on several databases.

    :param ended: how the session ended, for one that has used no database.
    """
    if len(outcomes) > 1:
        return "unknown"
    for outcome in outcomes:
        return outcome
    return ended
