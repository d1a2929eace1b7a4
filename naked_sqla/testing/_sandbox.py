"""A factory whose commits are savepoints in a transaction that is rolled back."""

from __future__ import annotations

from typing import Any, overload

from ..om.asession import AsyncSessionFactory
from ..om.session import SessionFactory
from ._async_sandbox import AsyncSandbox
from ._sync_sandbox import Sandbox


@overload
def sandbox(
    db: AsyncSessionFactory, *, patience: float = ..., **execution_options: Any
) -> AsyncSandbox: ...


@overload
def sandbox(db: SessionFactory, *, patience: float = ..., **execution_options: Any) -> Sandbox: ...


def sandbox(
    db: AsyncSessionFactory | SessionFactory, *, patience: float = 5.0, **execution_options: Any
) -> AsyncSandbox | Sandbox:
    """A factory whose work is rolled back at the end: ``async with sandbox(db) as db``.

    For a ``SessionFactory``, write ``with``. The block gives a factory like ``db``, for the
    application under test. Its sessions are savepoints on one connection, in one transaction that
    is rolled back at the end. Later sessions see what an earlier one has committed. A failed
    statement rolls back only its own session.

    A session may be opened inside of another one, also by a task that was started there. It sees
    what the outer one has not committed yet, and is rolled back with it. Other sessions wait for
    their turn.

    Statements that do not go through the factory, such as those on ``db.engine``, are outside of
    the sandbox. ``db.read()`` reads the data of the sandbox, and refuses writes; it does not use
    ``reader``. Cursors are signed with the ``secret`` of ``db``, and its observers are called. With
    ``binds``, there is one such connection to each database, and no two-phase commit.

    :param patience: seconds that a session waits for others to end before it raises
        ``InvalidSessionState``.
    :param execution_options: options of the connection, such as ``isolation_level="SERIALIZABLE"``.
        A ``begin()`` may ask for the isolation level of the sandbox, or for a less strict one.
    :raises TypeError: ``db`` is not a factory, or two of its ``binds`` are the same engine.
    :raises InvalidSessionState: AUTOCOMMIT mode.
    """
    if isinstance(db, AsyncSessionFactory):
        return AsyncSandbox(db, patience, execution_options)
    if isinstance(db, SessionFactory):
        return Sandbox(db, patience, execution_options)
    raise TypeError(
        f"sandbox() takes an AsyncSessionFactory or a SessionFactory, not {type(db).__name__!r}."
    )
