"""A session as a dependency, whose transaction has ended before the response is sent.

When the exit of a dependency with ``yield`` runs depends on the version of FastAPI: before the
response is sent (0.106 to 0.117), or after (0.118 and later), when a failing commit comes too late
to be told.  From 0.121 on ``Depends(scope="function")`` asks for the former.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import Any

import fastapi
from fastapi import Depends

from naked_sqla import AsyncSession, AsyncSessionFactory

_HAS_SCOPE = "scope" in inspect.signature(Depends).parameters


class SessionDependency:
    """The result of :func:`session_dependency`, for ``Depends()``.

    Two dependencies of one factory with the same options are equal. In one request, they give the
    same session.
    """

    def __init__(self, db: AsyncSessionFactory, options: dict[str, Any]) -> None:
        self._block = _SessionBlock(db, options)
        # The scope is set here, since a user could forget to write it in Depends().
        inner: Any = Depends(self._block, scope="function") if _HAS_SCOPE else Depends(self._block)
        self.__signature__ = _takes(inner)

    def __call__(self, session: AsyncSession) -> AsyncSession:
        """The session that FastAPI has opened."""
        return session

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SessionDependency) and self._block == other._block

    def __hash__(self) -> int:
        return hash(self._block)

    def __repr__(self) -> str:
        return f"<session_dependency of {self._block.db!r}>"


class _SessionBlock:
    """The dependency underneath: a ``begin()`` block around the handler."""

    def __init__(self, db: AsyncSessionFactory, options: dict[str, Any]) -> None:
        self.db = db
        self.options = options
        self.__signature__ = inspect.Signature()

    async def __call__(self) -> AsyncIterator[AsyncSession]:
        async with self.db.begin(**self.options) as session:
            yield session

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _SessionBlock):
            return NotImplemented
        return self.db is other.db and self.options == other.options

    def __hash__(self) -> int:
        # The options may hold an unhashable value.
        return hash((id(self.db), *sorted(self.options)))


def session_dependency(db: AsyncSessionFactory, **execution_options: Any) -> SessionDependency:
    """Make a dependency that gives each request a session, in a transaction of its own.

    Write ``session: Annotated[AsyncSession, Depends(session_dependency(db))]``. The transaction is
    committed after the handler has returned and its response is made, but before the response is
    sent. Then the connection goes back to the pool: it is not held while a response streams or
    background tasks run. If the commit fails, the request fails. Any exception rolls back,
    ``HTTPException`` too. A request opens one session, however many of its dependencies ask for it.
    On a factory with ``auto_commit=False``, the handler commits.

    :param db: the factory of the application.
    :param execution_options: the arguments of :meth:`AsyncSessionFactory.begin`.
    :return: the dependency.
    :raises TypeError: ``db`` is not an ``AsyncSessionFactory``.
    :raises InvalidSessionState: ``isolation_level="AUTOCOMMIT"``.
    :raises RuntimeError: on FastAPI 0.118 to 0.120, which send the response first, and offer no way
        to change that.
    """
    if not isinstance(db, AsyncSessionFactory):
        raise TypeError(
            f"session_dependency() takes an AsyncSessionFactory, not {type(db).__name__!r}. Make "
            f"one for the application: db = AsyncSessionFactory(engine)."
        )
    if not (_HAS_SCOPE or _exits_first(fastapi.__version__)):
        raise RuntimeError(
            f"FastAPI {fastapi.__version__} ends the dependencies of a request when its response "
            f"has been sent: a commit that failed would be a 200. Install FastAPI 0.121 or later, "
            f"or open the session in the handler: `async with db.begin() as session`."
        )
    # Raise the errors of begin() here, and not with the first request.
    db.begin(**execution_options)
    return SessionDependency(db, execution_options)


def _takes(dependency: Any) -> inspect.Signature:
    session = inspect.Parameter(
        "session",
        inspect.Parameter.KEYWORD_ONLY,
        default=dependency,
        annotation=AsyncSession,
    )
    return inspect.Signature([session], return_annotation=AsyncSession)


def _exits_first(version: str) -> bool:
    """True for a FastAPI that always ends dependencies before it sends the response."""
    major, minor = version.split(".")[:2]
    return (0, 106) <= (int(major), int(minor)) < (0, 118)
