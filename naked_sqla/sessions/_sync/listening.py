# Generated from naked_sqla/sessions/_async/listening.py by tools/async_to_sync.py: do not edit.
"""Notifications of PostgreSQL, while they are listened to."""

from __future__ import annotations

import logging
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import connections
from naked_sqla.backends import backend_of
from naked_sqla.exception import ConcurrentSessionUse, InvalidSessionState
from naked_sqla.sessions import checks
from naked_sqla.sessions.misuse import Block
from naked_sqla.sessions.notifications import (
    Notification,
    check_seconds,
)
from naked_sqla.sessions.retrying import sleep_in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine


logger = logging.getLogger("naked_sqla")

# Seconds: for the answer of a server that is asked whether it is there; for a connection that is
# made anew; to the second try to make one, and between two tries at most.
_PATIENCE = 10.0
_AGAIN = 0.1
_LONGEST = 10.0


class Notifications(Block):
    """The value of :meth:`SessionFactory.listen`: a block, and then an iterator.

    It is entered once, and read by one thread at a time.  A call that is cancelled loses nothing:
    the next one gives what has arrived.
    """

    __slots__ = (
        "_again",
        "_arrived",
        "_busy",
        "_channels",
        "_engine",
        "_heard",
        "_heartbeat",
        "_listener",
        "_state",
        "_tries",
    )

    _WRITTEN = ("db.listen()", "notifications", 'db.listen("jobs") as notifications')

    def __init__(self, engine: Engine, channels: Sequence[str], heartbeat: float | None) -> None:
        self._engine = engine
        self._channels = channels
        self._heartbeat = heartbeat
        self._arrived: deque[Notification] = deque()
        self._listener: Any = None
        self._state = "new"
        self._busy = False
        # When the server was heard last; the tries to reach it again, and when the next one is due.
        self._heard = 0.0
        self._tries = 0
        self._again = 0.0

    def __enter__(self) -> Notifications:
        if self._state != "new":
            checks.entered_twice("listen")
        self._state = "entered"
        self._listener = self._connect()
        self._state = "open"
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._state = "closed"
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def __iter__(self) -> Notifications:
        return self

    def __next__(self) -> Notification:
        while True:
            found = self.get()
            if found is not None:
                return found

    def get(self, timeout: float | None = None) -> Notification | None:
        """The next notification; ``None`` when none has come in time.

        :param timeout: seconds to wait; ``0`` for what is there already, ``None`` for no limit.
        :raises InvalidSessionState: before the block is entered, and after it has ended.
        :raises ConcurrentSessionUse: when another thread waits here.
        :raises TypeError: for another ``timeout``.

        And what the driver says where the server refuses a new connection for good, e.g. for a
        password that was changed.
        """
        check_seconds("timeout", timeout, least="0")
        ends = None if timeout is None else time.monotonic() + timeout
        self._check_open()
        if self._busy:
            raise ConcurrentSessionUse(
                "a second thread waits for the notifications of one listen(). Open a block "
                "for each thread, or have one of them hand out what arrives."
            )
        self._busy = True
        try:
            while not self._arrived:
                left = None if ends is None else max(0.0, ends - time.monotonic())
                if self._listener is None:
                    self._connect_again(left)
                else:
                    self._listen(left)
                self._check_open()
                if not self._arrived and ends is not None and time.monotonic() >= ends:
                    return None
            return self._arrived.popleft()
        finally:
            self._busy = False

    def _listen(self, left: float | None) -> None:
        """Wait for what arrives, and for news of the connection."""
        listener = self._listener
        due = None
        if self._heartbeat is not None:
            due = max(0.0, self._heard + self._heartbeat - time.monotonic())
        limits = [one for one in (left, due) if one is not None]
        listener.wait(min(limits, default=None))
        arrived = listener.take()
        asks = due is not None and time.monotonic() >= self._heard + (self._heartbeat or 0)
        if asks and not arrived and listener.lost is None and self._state == "open":
            listener.check(_PATIENCE)
            arrived = listener.take()
            self._heard = time.monotonic()
        if arrived:
            self._heard = time.monotonic()
            self._arrived.extend(Notification(*one) for one in arrived)
        if listener.lost is not None and self._state == "open":
            self._listener = None
            listener.abandon()
            logger.warning(
                "the connection that listens to %s was lost (%r) and is made anew; notifications "
                "may be missed meanwhile.",
                ", ".join(map(repr, self._channels)),
                listener.lost,
            )

    def _connect_again(self, left: float | None) -> None:
        """Try once to make the connection anew, when it is time for the next try."""
        pause = max(0.0, self._again - time.monotonic())
        if pause:
            pause = pause if left is None else min(pause, left)
            sleep_in_thread(pause)
            if time.monotonic() < self._again:
                return
        try:
            listener = self._connect()
        except Exception as error:
            backend = backend_of(self._engine.dialect)
            if not (backend.is_connect_error(error) or backend.is_transient(error)):
                raise
            wait = min(_AGAIN * 2**self._tries, _LONGEST)
            # 2 ** 7 tenths of a second are longer than the longest wait
            self._tries = min(self._tries + 1, 7)
            self._again = time.monotonic() + wait
            logger.warning("listen() has no connection: %r. It tries again in %g s.", error, wait)
            return
        if self._state != "open":
            listener.abandon()
            return
        self._tries = 0
        self._listener = listener
        missed = [Notification(channel, "", 0, missed=True) for channel in self._channels]
        self._arrived.extend(missed)

    def _connect(self) -> Any:
        """Make a connection beside the pool, which listens."""
        engine = self._engine
        raw = connections.open_outside(engine)
        listener = backend_of(engine.dialect).listener(raw, engine.dialect.is_async)
        try:
            listener.listen(self._channels)
        except BaseException:
            listener.abandon()
            raise
        self._heard = time.monotonic()
        return listener

    def _check_open(self) -> None:
        if self._state != "open":
            ended = "has ended" if self._state == "closed" else "was not entered"
            raise InvalidSessionState(
                f"the block of listen() {ended}: there is no connection. Write `with "
                f"db.listen(...) as notifications:`, and read them in the block."
            )
