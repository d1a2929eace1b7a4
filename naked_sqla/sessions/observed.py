"""What is noted of one session that somebody observes: its guard, its calls, its transactions."""

from __future__ import annotations

import inspect
import itertools
import time
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import event

from naked_sqla.observers import BeginEvent, CommitEvent, RollbackEvent, StatementEvent
from naked_sqla.sessions.calls.base import Call, CallAround

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from naked_sqla.observers import Event
    from naked_sqla.sessions.transaction import Transaction

KEY = "naked_sqla.observed"

_numbers = itertools.count(1)
# Packages between a call and the code that wrote it, and the modules of asyncio that run tasks.
_BETWEEN = frozenset({"naked_sqla", "sqlalchemy", "contextlib", "anyio", "asyncio"})
_LOOP = frozenset({"asyncio.events", "asyncio.base_events", "asyncio.runners"})


def caller() -> tuple[str | None, int | None]:
    """The file and line of the code that called into this package."""
    frame: Any = inspect.currentframe()
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""
        if name in _LOOP:
            return None, None
        if name.partition(".")[0] not in _BETWEEN:
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None, None


class Told(Protocol):
    """Whoever is told of events."""

    def tell(self, told: Event) -> None: ...


class Observed:
    """What is noted of one session.

    :ivar place: the file and line that the running call comes from.
    """

    __slots__ = ("began", "engine", "number", "observers", "place")

    engine: Engine

    def __init__(self, observers: Told) -> None:
        self.observers = observers
        self.number = next(_numbers)
        self.place = self.began = caller()

    def kind(self, base: Any) -> Callable[..., Transaction]:
        """The class of transactions that tell what they do."""
        return partial(_observed(base), observed=self)

    def over(self, session: Any) -> None:
        """Note where the calls of a session come from."""
        kind: Any = type(session._guard)
        guard = session._guard = _noting(kind)()
        guard.observed = self

    def seen(self, call: Call) -> Call:
        """A call that tells what it does."""
        return SeenCall(call, self)

    def tell(
        self,
        kind: Any,
        engine: Engine,
        started: float,
        duration: float,
        error: BaseException | None,
        **more: Any,
    ) -> None:
        """Tell an event of this session."""
        file, line = self.place
        self.observers.tell(
            kind(
                session=self.number,
                engine=engine,
                file=file,
                line=line,
                started=started,
                duration=duration,
                error=error,
                **more,
            )
        )


def outcome_of(error: BaseException | None) -> str:
    if error is None:
        return "ok"
    return "failed" if isinstance(error, Exception) else "cancelled"


class Timed:
    """Takes the time from where it is entered to where it is left, and tells it.

    :param tell: called with the time of the beginning, the seconds taken, and the error.
    :param since: ``now()``, where it has begun before.
    """

    __slots__ = ("_since", "_tell")

    def __init__(
        self,
        tell: Callable[[float, float, BaseException | None], None],
        since: tuple[float, float] | None = None,
    ) -> None:
        self._tell = tell
        self._since = since

    def __enter__(self) -> None:
        self._since = self._since or now()

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        started, clock = self._since or now()
        self._tell(started, time.perf_counter() - clock, error)


def now() -> tuple[float, float]:
    """The time of day, and what durations are measured by."""
    return time.time(), time.perf_counter()


class SeenCall(CallAround):
    """A call that tells what it sent, and how long it took."""

    __slots__ = ("observed",)

    def __init__(self, call: Call, observed: Observed) -> None:
        super().__init__(call)
        self.observed = observed

    def run(self, conn: Connection, eager: bool) -> Any:
        sql: list[str] = []

        def sent(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
            sql.append(statement)

        def tell(started: float, duration: float, error: BaseException | None) -> None:
            event.remove(conn, "before_cursor_execute", sent)
            self.observed.tell(
                StatementEvent,
                conn.engine,
                started,
                duration,
                error,
                call=self.name,
                statement=self.call.sent(),
                sql=tuple(sql),
                outcome=outcome_of(error),
            )

        event.listen(conn, "before_cursor_execute", sent)
        with Timed(tell):
            return self.call.run(conn, eager)


@cache
def _noting(base: Any) -> Any:
    """The class of guards that note where a call comes from."""

    class NotingGuard(base):  # type: ignore[misc]
        __slots__ = ("observed",)

        observed: Observed

        def enter(self) -> None:
            super().enter()
            self.observed.place = caller()

        def wait_and_enter(self) -> Any:
            # the end of the block, which is written where it begins
            self.observed.place = self.observed.began
            return super().wait_and_enter()

    return NotingGuard


@cache
def _observed(base: Any) -> Any:
    """The class of transactions of a kind that tell what they do."""

    class ObservedTransaction(base):  # type: ignore[misc]
        __slots__ = ("asked", "info", "observed")

        def __init__(self, *args: Any, observed: Observed, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.observed = observed
            self.asked: tuple[float, float] | None = None
            self.info: dict[Any, Any] = {}

        def connect(self, engine: Engine, *args: Any) -> None:
            self.observed.engine = engine
            with Timed(partial(self.tell, BeginEvent)):
                super().connect(engine, *args)
                self.info = self.conn.info
                self.info[KEY] = self.observed

        def call(self, call: Call) -> Any:
            return super().call(SeenCall(call, self.observed))

        def check_commit(self) -> None:
            self.asked = now()
            super().check_commit()

        def end_transaction(self, commit: bool) -> None:
            asked, self.asked = self.asked, None
            kind = CommitEvent if commit else RollbackEvent
            with Timed(partial(self.tell, kind), asked if commit else None):
                super().end_transaction(commit)

        def give_back(self) -> None:
            asked, self.asked = self.asked, None
            if asked is not None and self.outcome in ("committed", "unknown"):
                # by a commit in two phases
                with Timed(partial(self.tell, CommitEvent), asked):
                    pass
            try:
                super().give_back()
            finally:
                self.info.pop(KEY, None)

        def tell(
            self, kind: Any, started: float, duration: float, error: BaseException | None
        ) -> None:
            outcome = outcome_of(error) if kind is BeginEvent else self.outcome
            engine = self.engine_of()
            self.observed.tell(kind, engine, started, duration, error, outcome=outcome)

        def engine_of(self) -> Engine:
            engine: Engine = self.observed.engine if self.conn is None else self.conn.engine
            return engine

    return ObservedTransaction
