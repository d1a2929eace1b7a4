"""Which errors a transaction is run again for, after which pause, and what the last one tells."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Iterator
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, StatementError

from naked_sqla.exception import (
    BaseNakedSQLAException,
    CommitOutcomeUnknown,
    InvalidSessionState,
    TransactionRolledBack,
    TransactionTimeout,
)
from naked_sqla.sessions import checks

if TYPE_CHECKING:
    from naked_sqla.backends.base import Backend
    from naked_sqla.sessions.ending import Outcome

__all__ = (
    "Failures",
    "Policy",
    "RetryOn",
    "is_connect_error",
    "is_retryable",
    "not_this_work",
    "policy",
    "refuse_inside",
    "sleep_in_thread",
)

logger = logging.getLogger("naked_sqla")

RetryOn: TypeAlias = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]

# Seconds: twice the longest first pause, and the longest of all.
_FIRST = 0.01
_LONGEST = 1.0

# What a statement says of itself; an error that was handled before does not explain it.
_OWN_FAULT = (IntegrityError, DataError, ProgrammingError)


class Policy(NamedTuple):
    """How often, for which errors and for how long work is tried; see ``run()``."""

    attempts: int
    retry_on: RetryOn | None
    deadline: float | None
    idempotent: bool


_USUAL = Policy(5, None, None, False)


def policy(
    attempts: int, retry_on: RetryOn | None, deadline: float | None, idempotent: bool
) -> Policy:
    """The policy of some arguments of ``run()``.

    :raises TypeError: for a wrong type.
    :raises ValueError: for fewer attempts than one, or a negative deadline.
    """
    number: Any = attempts
    if type(number) is not int or number < 1:
        _refuse("attempts", "the number of times that the work is tried, 1 or more", attempts)
    if deadline is not None:
        deadline = checks.seconds("run(deadline=...)", deadline)
    flag: Any = idempotent
    if type(flag) is not bool:
        _refuse("idempotent", "True or False", idempotent)
    if retry_on is not None and not _names_errors(retry_on):
        _refuse("retry_on", "an exception class, a tuple of them, or a function", retry_on)
    return Policy(attempts, retry_on, deadline, idempotent)


def _names_errors(given: Any) -> bool:
    if isinstance(given, tuple):
        return all(isinstance(one, type) and issubclass(one, Exception) for one in given)
    return issubclass(given, Exception) if isinstance(given, type) else callable(given)


def _refuse(name: str, takes: str, given: object) -> None:
    error = ValueError if checks.is_number(given) and name != "idempotent" else TypeError
    raise error(f"run({name}=...) takes {takes}, not {given!r}.")


class Failures:
    """The attempts that have failed, and whether there is to be another one."""

    __slots__ = ("_began", "_notes", "_policy")

    def __init__(self, policy: Policy | None, began: float) -> None:
        """Note no failure yet.

        :param policy: None: the defaults of ``run()``.
        """
        self._policy = policy or _USUAL
        self._began = began
        self._notes: list[str] = []

    @property
    def count(self) -> int:
        """How many attempts have failed."""
        return len(self._notes)

    def pause(
        self, error: Exception, backends: Iterable[Backend], outcome: Outcome
    ) -> float | None:
        """Note a failed attempt.

        :param outcome: of its session; what it has stored, another one would store again.
        :return: the seconds to wait before the next attempt; ``None``: the error is the last one,
            and tells of those before it.
        """
        number, policy = len(self._notes) + 1, self._policy
        stored = outcome == "committed" or (outcome == "unknown" and not policy.idempotent)
        again = not stored and _is_wanted(error, policy, backends)
        if again and number < policy.attempts:
            pause = random.uniform(0, min(_LONGEST, _FIRST * 2**number))
            if policy.deadline is None or monotonic() + pause < self._began + policy.deadline:
                said = f"attempt {number} of {policy.attempts} failed: {_said(error)}"
                logger.info("%s; the next one begins in %.3f s", said, pause)
                self._notes.append(said)
                return pause
            self._notes.append(
                f"attempt {number} of {policy.attempts} was the last one: the deadline of "
                f"{policy.deadline:g} s is reached"
            )
        elif again and number > 1:
            self._notes.append(f"attempt {number} of {policy.attempts} was the last one")
        for note in self._notes:
            error.add_note(note)
        return None


def _said(error: Exception) -> str:
    # the driver's own words: SQLAlchemy adds the statement with its parameters
    said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {said}"


def _is_wanted(error: Exception, policy: Policy, backends: Iterable[Backend]) -> bool:
    if isinstance(error, CommitOutcomeUnknown) and not policy.idempotent:
        return False
    asked = policy.retry_on
    if asked is not None and (
        isinstance(error, asked) if isinstance(asked, type | tuple) else asked(error)
    ):
        return True
    return isinstance(error, CommitOutcomeUnknown) or is_retryable(error, backends)


def is_retryable(error: BaseException, backends: Iterable[Backend]) -> bool:
    """True for an error after which the same transaction may succeed when it is run again.

    Errors of the driver count, wrapped by SQLAlchemy or not, and errors of ours with one behind.
    """
    if isinstance(error, TransactionTimeout):
        return error.limit == "lock_timeout"
    if isinstance(error, TransactionRolledBack | StatementError):
        return any(_is_transient(one, backends) for one in _behind(error))
    return _is_transient(error, backends)


def _is_transient(error: BaseException, backends: Iterable[Backend]) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return any(backend.is_transient(error) for backend in backends)


def is_connect_error(error: BaseException, backends: Iterable[Backend]) -> bool:
    """True for an error of a connection that could not be made."""
    driver = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(error, BaseNakedSQLAException):
        return False
    return any(backend.is_connect_error(driver) for backend in backends)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """An error, and all that it says to come from."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += (one.__cause__, getattr(one, "orig", None))
        if not one.__suppress_context__ and not isinstance(one, _OWN_FAULT):
            waiting.append(one.__context__)


def not_this_work(work: object, needed: str) -> NoReturn:
    """Raise ``TypeError`` for work that is asynchronous for a synchronous factory, or otherwise."""
    name = getattr(work, "__qualname__", None) or repr(work)
    raise TypeError(
        f"run() of this factory takes work that is written with `{needed}`, and {name} is not. "
        f"What it did is rolled back."
    )


def sleep_in_thread(seconds: float) -> None:
    """The pause of a synchronous face."""
    sleep(seconds)


def refuse_inside(session: Any) -> None:
    """Raise for ``run()`` where the caller has a session of the same factory open."""
    if session.state == "open":
        raise InvalidSessionState(
            "run() inside an open session of the same factory: it would be a transaction of its "
            "own, on a second connection, which does not see what this session has written and may "
            "wait for its locks. Call the work with the session that is open, or run() before or "
            "after the block."
        )
