"""The method that begins to observe the sessions of a factory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from naked_sqla.observers import Event
    from naked_sqla.sessions.current import Current
    from naked_sqla.sessions.observing import Observation


class Observable:
    """What a factory tells of its sessions."""

    __slots__ = ()

    if TYPE_CHECKING:
        _current: Current
        _databases: Any
        _engine: Any
        _reader: Any

    def observe(self, observer: Callable[[Event], object]) -> Observation:
        """Call a function with an event for each thing that sessions do from now on.

        The events are frozen, in ``naked_sqla.observers``: ``BeginEvent``, ``StatementEvent``,
        ``CommitEvent``, ``RollbackEvent``, ``RetryEvent`` and ``DiscardEvent``.  The function is
        called where the event happens, and has to be quick; what it raises is logged.  Sessions
        that are open already tell nothing.

        :param observer: a plain function of one event.
        :return: what ends it: ``stop()``, or the end of ``with db.observe(...):``.
        :raises TypeError: for what is no function, and for an asynchronous one.
        """
        from naked_sqla.sessions.observing import observe

        used = [self._engine] if self._databases is None else self._databases.engines.values()
        engines = [*used, *([] if self._reader is None else [self._reader])]
        return observe(
            self._current, [getattr(engine, "sync_engine", engine) for engine in engines], observer
        )
