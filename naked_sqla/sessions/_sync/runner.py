# Generated from naked_sqla/sessions/_async/runner.py by tools/async_to_sync.py: do not edit.
"""Work that is run in a transaction of its own, and again where the database asks for that."""

from __future__ import annotations

import functools
import inspect
import threading
import time
from collections.abc import Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from naked_sqla.backends import backend_of

if TYPE_CHECKING:
    from typing import Concatenate

    from sqlalchemy import Engine
    from typing_extensions import ParamSpec, TypeVar, TypeVarTuple

    from naked_sqla.backends.base import Backend
    from naked_sqla.sessions._sync.block import SessionBlock
    from naked_sqla.sessions._sync.session import Session
    from naked_sqla.sessions.current import Current
    from naked_sqla.sessions.retrying import Failures, Policy, RetryOn
    from naked_sqla.sessions.routing.databases import Databases

    R = TypeVar("R")
    P = ParamSpec("P")
    Args = TypeVarTuple("Args")


class Runner:
    """What a factory does with functions that take a session."""

    __slots__ = ()

    if TYPE_CHECKING:
        _engine: Engine
        _databases: Databases | None
        _current: Current

        def begin(self, **execution_options: Any) -> SessionBlock: ...

    def run(
        self,
        work: Callable[[Session, *Args], R],
        *args: *Args,
        attempts: int = 5,
        retry_on: RetryOn | None = None,
        deadline: float | None = None,
        idempotent: bool = False,
        **begin_options: Any,
    ) -> R:
        """Run ``work(session, *args)`` in a block of its own, and again where that may help.

        Run again after an error that says so: a serialization failure, a deadlock, a lock that was
        not to be had, a connection that was lost before COMMIT was sent; a
        ``TransactionRolledBack`` with one of these behind it.  Each attempt has a new session; all
        else that the work does is done again.  The pauses between attempts are random, and grow.

        :param work: a function of a session and ``args``.
        :param args: are passed to the work, after the session.
        :param attempts: how often the work is tried at most.
        :param retry_on: further errors to try again after: a class, a tuple of classes, or a
            function such as :meth:`is_connect_error`.
        :param deadline: seconds after which no attempt is begun.
        :param idempotent: the work may be done twice: try again after ``CommitOutcomeUnknown`` too.
        :param begin_options: for each block, as :meth:`begin` takes them.
        :return: what the work returned, when its transaction is committed.
        :raises InvalidSessionState: inside an open session of this factory.
        :raises TypeError: for wrong arguments, and for work that is not synchronous.

        The error of the last attempt comes out as it is; its notes tell of the attempts before.
        """
        chosen: Policy | None = None
        usual = type(attempts) is int and attempts == 5 and idempotent is False
        if not usual or retry_on is not None or deadline is not None:
            from naked_sqla.sessions.retrying import policy

            chosen = policy(attempts, retry_on, deadline, idempotent)
        returned: R = self._run(work, args, chosen, begin_options)
        return returned

    def transaction(
        self,
        *,
        attempts: int = 5,
        retry_on: RetryOn | None = None,
        deadline: float | None = None,
        idempotent: bool = False,
        **begin_options: Any,
    ) -> Callable[
        [Callable[Concatenate[Session, P], R]],
        Callable[P, R],
    ]:
        """Return a decorator: call the function without its session, and it runs as in :meth:`run`.

        :raises TypeError: for wrong arguments.

        Arguments and errors as in :meth:`run`.
        """
        from naked_sqla.sessions.retrying import policy

        chosen = policy(attempts, retry_on, deadline, idempotent)

        def decorated(
            work: Callable[Concatenate[Session, P], R],
        ) -> Callable[P, R]:
            @functools.wraps(work)
            def called(*args: P.args, **kwargs: P.kwargs) -> R:
                given = functools.partial(work, **kwargs) if kwargs else work
                returned: R = self._run(given, args, chosen, begin_options)
                return returned

            shown = inspect.signature(work)
            rest = [*shown.parameters.values()][1:]
            called.__signature__ = shown.replace(parameters=rest)  # type: ignore[attr-defined]
            return called

        return decorated

    def is_retryable(self, error: BaseException) -> bool:
        """Return True for an error after which :meth:`run` tries again by itself."""
        from naked_sqla.sessions.retrying import is_retryable

        return is_retryable(error, self._backends())

    def is_connect_error(self, error: BaseException) -> bool:
        """Return True if no connection could be made; every ``OSError`` counts as such an error."""
        from naked_sqla.sessions.retrying import is_connect_error

        return is_connect_error(error, self._backends())

    def _run(
        self, work: Callable[..., Any], args: Any, chosen: Policy | None, begin_options: Any
    ) -> Any:
        """Run work; what is needed to try again is made when an attempt has failed.

        :param chosen: None: the defaults.
        """
        around = self._current.session_of(threading.current_thread())
        if around is not None:
            _retrying().refuse_inside(around)
        began = begun = time.monotonic()
        failures: Failures | None = None
        while True:
            block = self.begin(**begin_options)
            if failures is not None:
                from naked_sqla.sessions.terms import to_write

                block._terms = to_write(block._terms)
            try:
                with block as session:
                    returned = work(session, *args)
                    if type(returned) is CoroutineType:
                        returned.close()
                        _retrying().not_this_work(work, "def")
                    return returned
            except Exception as error:
                noted: Failures = failures or _retrying().Failures(chosen, began)
                failures = noted
                pause = noted.pause(error, self._backends(), block.outcome)
                if pause is None:
                    raise
                observers = self._current.observers
                if observers is not None:
                    took, engine = time.monotonic() - begun, self._engine
                    observers.retried(noted.count, engine, took, error, pause)
            _retrying().sleep_in_thread(pause)
            begun = time.monotonic()

    def _backends(self) -> list[Backend]:
        engines = [self._engine] if self._databases is None else self._databases.engines.values()
        return [backend_of(engine.dialect) for engine in engines]


def _retrying() -> Any:
    # imported when something has failed: work that succeeds does without it
    from naked_sqla.sessions import retrying

    return retrying
