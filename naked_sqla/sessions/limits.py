"""Time limits of a transaction: what ends a statement that takes too long, and what is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import event

from naked_sqla.backends import backend_of
from naked_sqla.exception import TransactionTimeout
from naked_sqla.sessions.timers import Watch

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from naked_sqla.sessions.calls.base import Call
    from naked_sqla.sessions.terms import Terms
    from naked_sqla.sessions.timers import TaskTimer
    from naked_sqla.sessions.transaction import Transaction as _Transaction
else:
    _Transaction = object

__all__ = ("Clock", "limited")

# Seconds that a server has beyond its own limit before the client ends the wait.
GRACE = 1.0
# Seconds by which the clocks of a server and of a client may differ in what they measure.
_CLOCKS = 0.005

T = TypeVar("T")


class Clock:
    """The time that one transaction has, on each of its connections.

    :param terms: with the limits.
    :param timer: cancels the caller; ``None``: nobody can, and drivers are interrupted.
    """

    __slots__ = (
        "_backend",
        "_connections",
        "_timer",
        "_watch",
        "committing",
        "deadline",
        "inside",
        "since",
        "statement",
        "terms",
    )

    def __init__(self, terms: Terms, timer: TaskTimer | None) -> None:
        self.terms = terms
        self.since = monotonic()
        self.deadline = None if terms.timeout is None else self.since + terms.timeout
        self.statement: str | None = None
        # True while a call is going on; what runs on session.conn has no clock.
        self.inside = False
        # From the first COMMIT on the others follow, whatever time it is.
        self.committing = False
        self._timer = timer
        self._watch: Watch | None = None
        self._backend: Any = None
        self._connections: dict[Connection, tuple[Any, Watch | None]] = {}
        self.stop()

    def attach(self, conn: Connection) -> None:
        """Take the time of the statements on a connection."""
        backend = backend_of(conn.dialect)
        watch: Watch | None = None
        if self._timer is None or not backend.server_has_limits:
            raw = conn.connection.driver_connection
            watch = Watch(lambda times: backend.interrupt(raw, times))
        self._connections[conn] = backend, watch
        event.listen(conn, "before_cursor_execute", self._before)

    def detach(self, conn: Connection) -> None:
        """Take no time of a connection any more."""
        if self._connections.pop(conn, None) is not None:
            event.remove(conn, "before_cursor_execute", self._before)

    def _before(self, conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        if self.inside:
            self.start(conn, statement)

    def start(self, conn: Connection, statement: str) -> None:
        """Begin to take the time of a statement."""
        self._backend, self._watch = self._connections.get(conn, (backend_of(conn.dialect), None))
        if not self.expired:
            self.statement, self.since = statement, monotonic()
        own = self.terms.statement_timeout
        end = None if own is None else self.since + own
        late = None if end is None else end + GRACE
        if self._watch is not None:
            due = late if self._backend.server_has_limits else end
            self._watch.set(due if self._timer is not None else _earlier(due, self.deadline))
        if self._timer is not None:
            self._timer.set(_earlier(late, self.deadline))

    @property
    def expired(self) -> bool:
        """True when the timer has cancelled the caller."""
        return self._timer is not None and self._timer.expired

    @property
    def to_roll_back(self) -> float:
        """The seconds that a ROLLBACK may take, whatever time it is."""
        return (self.terms.statement_timeout or 0) + GRACE

    def stop(self) -> None:
        """Take the time of the statement no longer."""
        self.inside = False
        if self._watch is not None:
            self._watch.set(None)
        if self._timer is None or self._timer.set(self.deadline):
            # the statement of a caller who was cancelled is told when the block has ended
            self.statement = None

    @property
    def overdue(self) -> bool:
        """True when the transaction has had its time."""
        return self.deadline is not None and monotonic() >= self.deadline

    def check(self, what: str) -> None:
        """Raise ``TransactionTimeout`` when the transaction has had its time.

        :param what: is to be done now.
        """
        if self.overdue:
            raise self.error("timeout", what)

    def explain(self, error: Exception) -> TransactionTimeout | None:
        """The error of the limit that ended a statement; ``None`` where it was none."""
        taken = monotonic() - self.since + _CLOCKS
        kind = self._backend and self._backend.limit_behind(error)
        if kind is None:
            own = self.terms.statement_timeout
            if not getattr(error, "connection_invalidated", False):
                return None
            if own is not None and taken >= own + GRACE:
                # the connection was given up, see Backend.interrupt()
                return self.error("statement_timeout", self.statement)
        else:
            # SQLite waits for a lock no longer than any of the limits allows
            for limit in (kind, "statement_timeout"):
                own = getattr(self.terms, limit)
                if own is not None and taken >= own:
                    return self.error(limit, self.statement)
        return self.error("timeout", self.statement) if self.overdue else None

    def cancelled(self) -> TransactionTimeout:
        """The error of a caller that the timer has cancelled."""
        limit = "timeout" if self.overdue else "statement_timeout"
        return self.error(limit, self.statement)

    async def leave(self, error: BaseException | None) -> bool:
        """Leave the timer, with the error that is on its way; True when that is the timer's."""
        return self._timer is not None and await self._timer.leave(error)

    def error(self, limit: str, statement: str | None) -> TransactionTimeout:
        """The error of one limit."""
        seconds: float = getattr(self.terms, limit)
        where = "between two statements" if statement is None else f"in {_short(statement)}"
        return TransactionTimeout(
            f"the {limit} of {seconds:g} s was reached {where}. Give it more time with "
            f"begin({limit}=...), or have it do less.",
            limit,
            seconds,
            statement,
        )


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _short(statement: str) -> str:
    line = " ".join(statement.split())
    return repr(line if len(line) <= 200 else f"{line[:197]}...")


class Limited(_Transaction):
    """A transaction with a clock: a base in front of any kind of transaction."""

    __slots__ = ()

    @property
    def clock(self) -> Clock:
        clock: Any = self.terms and self.terms.clock
        found: Clock = clock
        return found

    def before_begin(self) -> None:
        super().before_begin()
        self.clock.attach(self.conn)
        self.clock.start(self.conn, "BEGIN")

    def connect(self, engine: Engine, options: Mapping[str, Any], snapshot: bool = False) -> None:
        self._timed(super().connect, engine, options, snapshot)

    def call(self, call: Call) -> Any:
        self.clock.check(f"{call.name}()")
        return self._timed(super().call, call)

    def watched(self, fn: Callable[..., Any], *args: Any) -> Any:
        self.clock.check("reading a stream")
        return self._timed(super().watched, fn, *args)

    def commit(self) -> None:
        clock = self.clock
        if clock.overdue and not clock.committing:
            self.rollback_quietly()
            raise clock.error("timeout", "COMMIT")
        clock.committing = True
        super().commit()

    def end_transaction(self, commit: bool) -> None:
        if not self.conn.invalidated:
            self.clock.start(self.conn, "COMMIT" if commit else "ROLLBACK")
        self._timed(super().end_transaction, commit)

    def give_back(self) -> None:
        self.clock.detach(self.conn)
        super().give_back()

    def _timed(self, fn: Callable[..., T], *args: Any) -> T:
        clock = self.clock
        clock.inside = True
        try:
            return fn(*args)
        except TransactionTimeout:
            raise
        except Exception as error:
            timeout = clock.explain(error)
            if timeout is None:
                raise
            raise timeout from error
        finally:
            clock.stop()


_kinds: dict[type[Any], type[Any]] = {}


def limited(kind: type[Any]) -> type[Any]:
    """A kind of transaction, with a clock."""
    found = _kinds.get(kind)
    if found is None:
        found = _kinds[kind] = type(f"Limited{kind.__name__}", (Limited, kind), {"__slots__": ()})
    return found
