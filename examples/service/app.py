"""The application: ``uvicorn --factory examples.service.app:create_app``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import RedirectResponse
from sqlalchemy.exc import IntegrityError
from starlette.requests import ClientDisconnect

from naked_sqla.ext.fastapi import install

from . import airlines, flights, health, transfer
from .database import create_tables, make_factory
from .settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the application; settings that are not given come from the environment."""
    settings = settings or Settings.from_environment()
    db = make_factory(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await create_tables(db, demo_data=settings.demo_data)
        yield

    app = FastAPI(title="Flights", lifespan=lifespan)
    app.state.db = db
    install(app, db, not_found=True, busy=True)
    app.add_exception_handler(IntegrityError, conflict)
    app.add_exception_handler(ClientDisconnect, client_gone)
    # The download first: "flights.csv" is no key of a flight.
    for part in (transfer, flights, airlines, health):
        app.include_router(part.router)
    app.add_api_route("/", home, include_in_schema=False)
    return app


async def home() -> RedirectResponse:
    """Lead to the page where each endpoint can be tried."""
    return RedirectResponse("/docs")


async def conflict(request: Request, error: Exception) -> Response:
    """Answer what the database refuses, for the sake of other rows, with 409."""
    detail = "In conflict with what is stored: a duplicate key, or a reference to nothing."
    return await http_exception_handler(request, HTTPException(409, detail))


async def client_gone(request: Request, error: Exception) -> Response:
    """Nobody reads this answer; the status is for the log."""
    return Response(status_code=499)
