"""The first connection of a pool, at which SQLAlchemy asks the server what it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ("guard_first_connect",)

_lock = threading.Lock()


def guard_first_connect(pool: Any, mutex: Callable[[], Any]) -> None:
    """Have others who connect wait with a mutex of ours while the first one is at it.

    SQLAlchemy's is an ``asyncio.Lock``, which knows one event loop: in another thread a second
    loop would never be woken, and a third would get a ``RuntimeError``.

    :param mutex: makes a context manager, which is entered in SQLAlchemy's greenlet.
    """
    dispatch = pool.dispatch
    for event in (dispatch.first_connect, dispatch.connect):
        if event:
            listeners = event.for_modify(dispatch)
            if not (listeners._exec_once or listeners._exec_w_sync_once):
                with _lock:
                    if _mutex_of(listeners) is None:
                        listeners._exec_once_mutex = mutex()


def _mutex_of(listeners: Any) -> Any:
    try:
        # reading it in the usual way makes one on 2.0
        return object.__getattribute__(listeners, "_exec_once_mutex")
    except AttributeError:
        return None
