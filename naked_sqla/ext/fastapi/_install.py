"""Connects an application with its database: shutdown, and answers to errors."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException
from sqlalchemy import MetaData
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    IntegrityError,
    NoResultFound,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import HTTPConnection

from naked_sqla import (
    AsyncSessionFactory,
    InvalidCursor,
    PageNotFound,
    RowExcluded,
    RowGone,
    VersionConflict,
    constraint_of,
)

from ._pages import AFTER


def install(
    app: FastAPI,
    db: AsyncSessionFactory,
    *,
    dispose: bool = True,
    not_found: bool = False,
    stale: bool = True,
    busy: bool = False,
    retry_after: int = 1,
    constraints: bool = True,
    metadata: MetaData | None = None,
) -> None:
    """Connect an application with its database: shutdown, and answers to errors.

    Call it before the application is started, once for each factory. If the application has its own
    handler for one of these errors, added earlier or later, that handler is used instead.

    :param dispose: close the connections of the engine at shutdown, after the application's own
        lifespan has ended.
    :param not_found: answer ``NoResultFound`` and ``PageNotFound`` with 404, and ``InvalidCursor``
        with 400, in all handlers.
    :param stale: answer ``RowGone`` with 404, and ``VersionConflict`` with 409. Both are a
        ``StaleDataError``, for which the application may have its own handler.
    :param busy: answer with 503 if the pool gave no connection in time.
    :param retry_after: the seconds in the header ``Retry-After`` of that 503.
    :param constraints: answer an ``IntegrityError`` of a unique constraint with 409, and of any
        other constraint with 422. ``detail`` names the attributes as FastAPI names fields. Answer
        ``RowExcluded`` with 409. An own handler for ``DBAPIError`` or ``SQLAlchemyError`` is used
        instead.
    :param metadata: the metadata of the models. With it, ``constraint_of()`` finds more attributes
        on SQLite.
    :raises TypeError: ``app`` is not a FastAPI application, or ``db`` is not an
        ``AsyncSessionFactory``.
    :raises RuntimeError: the application has been started.
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
        _answer(app, NoResultFound, lambda _: HTTPException(404))
        _answer(app, PageNotFound, lambda _: HTTPException(404))
        _answer(app, InvalidCursor, lambda _: HTTPException(400, "Invalid cursor"))
    if stale:
        _answer(app, RowGone, lambda _: HTTPException(404), StaleDataError)
        _answer(app, VersionConflict, lambda _: HTTPException(409), StaleDataError)
    if busy:
        later = {"Retry-After": str(retry_after)}
        _answer(app, PoolTimeout, lambda _: HTTPException(503, headers=later))
    if constraints:
        _answer(app, RowExcluded, lambda _: HTTPException(409))
        _answer(app, IntegrityError, partial(_refused, metadata), *_WIDER)
    reads = [404] * not_found + [503] * busy
    writes = [404] * (not_found or stale) + [409] * (stale or constraints) + [422] * constraints
    _tell_openapi(app, reads, [*writes, *[503] * busy], [400] * not_found)


def _tell_openapi(
    app: FastAPI, reads: list[int], writes: list[int], with_cursors: list[int]
) -> None:
    """Name the answers in the application's schema, where a route does not describe them itself.

    :param with_cursors: of routes that take ``CursorParams``.
    """
    make = app.openapi

    def openapi() -> dict[str, Any]:
        schema = make()
        for path in schema.get("paths", {}).values():
            for method, operation in path.items():
                if method not in _METHODS:
                    continue
                responses = operation.setdefault("responses", {})
                codes = reads if method in ("get", "head") else writes
                more = with_cursors if _takes_cursors(operation) else []
                for code in (*more, *codes):
                    responses.setdefault(str(code), {"description": HTTPStatus(code).phrase})
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _takes_cursors(operation: dict[str, Any]) -> bool:
    # of the routes themselves FastAPI keeps a list that is another one in each version
    given = operation.get("parameters", ())
    return any(one.get("description") == AFTER for one in given)


_METHODS = frozenset({"delete", "get", "head", "options", "patch", "post", "put", "trace"})


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
    make: Callable[[Any], HTTPException | None],
    *wider: type[Exception],
) -> None:
    """Answer errors of a kind, unless the application does, by this name or a wider one.

    :param make: gives the answer to an error; None for one that is to go on as it is.
    """

    async def handle(conn: HTTPConnection, error: Exception) -> Any:
        if conn.scope["type"] != "http":
            # A WebSocket's own handler answers it.
            raise error
        for name in wider:
            own = app.exception_handlers.get(name)
            if own is not None:
                return await _called(own, conn, error)
        answer = make(error)
        if answer is None:
            raise error
        return await _as_http_error(app, conn, answer)

    app.exception_handlers.setdefault(kind, handle)


_WIDER = (DatabaseError, DBAPIError, StatementError, SQLAlchemyError)

_SAYINGS = {
    "unique": "Another one has this value",
    "foreign key": "What this names is not there, or is named by others",
    "not null": "A value is required",
    "check": "This value is not allowed",
    "exclusion": "This overlaps with another one",
}


def _refused(metadata: MetaData | None, error: IntegrityError) -> HTTPException | None:
    """The answer to a violated constraint, in the form of FastAPI's own refusals."""
    found = constraint_of(error, metadata)
    if found is None:
        return None
    fields: list[Any] = [("body", name) for name in found.attributes] or [("body",)]
    kind = found.kind.replace(" ", "_")
    detail = [{"type": kind, "loc": field, "msg": _SAYINGS[found.kind]} for field in fields]
    return HTTPException(409 if found.kind == "unique" else 422, detail)


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
