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
    """``async with sandbox(db) as db`` (``with``, for a ``SessionFactory``): nothing is kept.

    Gives a factory like ``db``, for the application under test.  Its sessions are savepoints on one
    connection, in one transaction that is rolled back at the end.  Later sessions see what
    an earlier one has committed, and a failed statement undoes its own session only.

    A session may be opened inside of another one, also by a task that was started there; it sees
    what the outer one has not committed yet, and is undone with it.  Others wait for their turn.
    Whatever does not go through the factory, such as ``db.engine``, is outside of the sandbox.
    ``db.read()`` reads the data of the sandbox, and refuses writes; it does not use ``reader``.
    Cursors are signed with the ``secret`` of ``db``, and its observers are told.
    With ``binds`` there is one such connection to each database, and no two-phase commit.

    :param patience: seconds that a session waits for others to end before it raises
        ``InvalidSessionState``.
    :param execution_options: of the connection, e.g. ``isolation_level="SERIALIZABLE"``.  A
        ``begin()`` may ask for the isolation level of the sandbox, or for a less strict one.
    :raises TypeError: when ``db`` is no factory, or two of its ``binds`` are one engine.
    :raises InvalidSessionState: in AUTOCOMMIT.
    """
    if isinstance(db, AsyncSessionFactory):
        return AsyncSandbox(db, patience, execution_options)
    if isinstance(db, SessionFactory):
        return Sandbox(db, patience, execution_options)
    raise TypeError(
        f"sandbox() takes an AsyncSessionFactory or a SessionFactory, not {type(db).__name__!r}."
    )
