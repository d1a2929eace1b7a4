"""Who observes the sessions of a factory.  Where nobody does, this module is not imported."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidRequestError

from naked_sqla.observers import DiscardEvent, Event, RetryEvent
from naked_sqla.sessions.listeners import Listener, Listeners
from naked_sqla.sessions.observed import KEY, Observed, caller

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from naked_sqla.sessions.current import Current

logger = logging.getLogger("naked_sqla")


class Observers(Listeners):
    """The observers of one factory."""

    __slots__ = ("engines", "listeners")

    name = "observers"

    def __init__(self, current: Current, engines: Iterable[Engine]) -> None:
        super().__init__(current)
        self.listeners: list[tuple[Any, Any]] = []
        self.engines = tuple(dict.fromkeys(engines))
        for engine in self.engines:
            # connections that are thrown away
            listener = partial(self.discarded, engine)
            event.listen(engine.pool, "invalidate", listener)
            self.listeners.append((engine.pool, listener))

    def session(self) -> Observed:
        """What is noted of a session that the caller begins now."""
        return Observed(self)

    def tell(self, told: Event) -> None:
        """Call each observer; what one raises is logged, and changes nothing."""
        for observation in self.all:
            try:
                observation.observer(told)
            except Exception:
                logger.exception("an observer failed: %r", observation.observer)

    def discarded(
        self, engine: Engine, _connection: Any, record: Any, error: BaseException | None
    ) -> None:
        """Tell of a connection that its pool throws away."""
        observed: Observed | None = record.info.get(KEY)
        if observed is not None and observed.observers is self:
            observed.tell(DiscardEvent, engine, time.time(), 0.0, error)
        else:
            self.tell(DiscardEvent(session=None, engine=engine, started=time.time(), error=error))

    def retried(
        self, attempt: int, engine: Engine, took: float, error: BaseException, wait: float
    ) -> None:
        """Tell that a transaction has failed, and will be run again.

        :param attempt: which one has failed, from 1.
        :param took: seconds that it took.
        :param wait: seconds until the next one.
        """
        file, line = caller()
        self.tell(
            RetryEvent(
                session=None,
                engine=engine,
                file=file,
                line=line,
                started=time.time() - took,
                duration=took,
                error=error,
                attempt=attempt,
                wait=wait,
            )
        )

    def end(self) -> None:
        """Hear of nothing any more."""
        super().end()
        for pool, listener in self.listeners:
            with suppress(InvalidRequestError):
                event.remove(pool, "invalidate", listener)


Observer = Callable[[Event], object]


class Observation(Listener):
    """An observer at work, until :meth:`stop`, or the end of ``with db.observe(...):``."""

    __slots__ = ("observer",)

    def __init__(self, observers: Observers, observer: Observer) -> None:
        self.observer = observer
        super().__init__(observers)

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines of the databases that are observed, the synchronous ones."""
        observers: Observers = self._listeners
        return observers.engines


def observe(current: Current, engines: Iterable[Engine], observer: Any) -> Observation:
    """Begin to tell an observer.

    :raises TypeError: for what can't be called, and for a coroutine function.
    """
    if not callable(observer) or _is_async(observer):
        raise TypeError(
            f"observe() takes a function of one event, which is not awaited, not {observer!r}. "
            f"Write def on_event(event): ..., and put what takes long into a queue."
        )
    observers = current.observers
    if observers is None or not observers.all:
        observers = Observers(current, engines)
    return Observation(observers, observer)


def _is_async(observer: Any) -> bool:
    return inspect.iscoroutinefunction(observer) or inspect.iscoroutinefunction(
        getattr(observer, "__call__", None)  # noqa: B004 - it is looked at, not called
    )
