"""Connects an application with its database: shutdown, and answers to errors."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI, HTTPException
from sqlalchemy.exc import NoResultFound
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import HTTPConnection

from naked_sqla import (
    AsyncSessionFactory,
    InvalidCursor,
    PageNotFound,
    RowGone,
    VersionConflict,
)


def install(
    app: FastAPI,
    db: AsyncSessionFactory,
    *,
    dispose: bool = True,
    not_found: bool = False,
    stale: bool = True,
    busy: bool = False,
    retry_after: int = 1,
) -> None:
    """Connect an application with its database.

    Call it before the application is started, once for each factory.  An exception handler of the
    application comes first, whether it is added before or afterwards.

    :param dispose: close the connections of the factory at shutdown, after the application's own
        lifespan has ended.
    :param not_found: answer ``NoResultFound`` and ``PageNotFound`` with 404, and ``InvalidCursor``
        with 400, wherever they come from.
    :param stale: answer ``RowGone`` with 404, and ``VersionConflict`` with 409; a handler of the
        application for ``StaleDataError``, which both are, comes first.
    :param busy: answer with 503 when no connection of the pool came free in time.
    :param retry_after: seconds, for the ``Retry-After`` of that 503.
    :raises TypeError: when ``app`` is no FastAPI application, or ``db`` no ``AsyncSessionFactory``.
    :raises RuntimeError: when the application has been started.
    """
    if not isinstance(app, FastAPI) or not isinstance(db, AsyncSessionFactory):
        raise TypeError(
            f"install() takes a FastAPI application and an AsyncSessionFactory, not "
            f"{type(app).__name__!r} and {type(db).__name__!r}."
        )
    if app.middleware_stack is not None:
        raise RuntimeError(
            "install() on an application that has been started: it would have no effect. Call it "
            "where the application is made."
        )
    if dispose:
        _dispose_at_shutdown(app, db)
    if not_found:
        _answer(app, NoResultFound, lambda: HTTPException(404))
        _answer(app, PageNotFound, lambda: HTTPException(404))
        _answer(app, InvalidCursor, lambda: HTTPException(400, "Invalid cursor"))
    if stale:
        _answer(app, RowGone, lambda: HTTPException(404), StaleDataError)
        _answer(app, VersionConflict, lambda: HTTPException(409), StaleDataError)
    if busy:
        later = {"Retry-After": str(retry_after)}
        _answer(app, PoolTimeout, lambda: HTTPException(503, headers=later))


def _dispose_at_shutdown(app: FastAPI, db: AsyncSessionFactory) -> None:
    inner = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        try:
            async with inner(app) as state:
                yield state
        finally:
            await db.engine.dispose()

    app.router.lifespan_context = lifespan


def _answer(
    app: FastAPI,
    kind: type[Exception],
    make: Callable[[], HTTPException],
    wider: type[Exception] | None = None,
) -> None:
    """Answer errors of a kind, unless the application does, by this name or a wider one."""

    async def handle(conn: HTTPConnection, error: Exception) -> Any:
        if conn.scope["type"] != "http":
            # A WebSocket's own handler answers it.
            raise error
        own = app.exception_handlers.get(wider) if wider is not None else None
        if own is not None:
            return await _called(own, conn, error)
        return await _as_http_error(app, conn, make())

    app.exception_handlers.setdefault(kind, handle)


async def _as_http_error(app: FastAPI, request: HTTPConnection, error: HTTPException) -> Any:
    """Answer in the form that the application gives its own ``HTTPException``."""
    handlers = app.exception_handlers
    handle: Any = handlers.get(error.status_code)
    for kind in (HTTPException, AnyHTTPException):
        handle = handle or handlers.get(kind)
    return await _called(handle, request, error)


async def _called(handle: Any, request: HTTPConnection, error: Exception) -> Any:
    """The answer of a handler of the application."""
    if inspect.iscoroutinefunction(handle):
        return await handle(request, error)
    answer = await run_in_threadpool(handle, request, error)
    return await answer if inspect.isawaitable(answer) else answer
