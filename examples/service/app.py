"""The application: ``uvicorn --factory examples.service.app:create_app``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.requests import ClientDisconnect

from examples.models import Base
from naked_sqla.ext.fastapi import install

from . import airlines, board, flights, health, transfer, trips
from .database import make_factory, prepare_database
from .settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the application; settings that are not given come from the environment."""
    settings = settings or Settings.from_environment()
    db = make_factory(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await prepare_database(db, demo_data=settings.demo_data)
        yield

    app = FastAPI(title="Flights", lifespan=lifespan)
    app.state.db = db
    install(app, db, not_found=True, busy=True, metadata=Base.metadata)
    app.add_exception_handler(ClientDisconnect, client_gone)
    # The download first: "flights.csv" is no key of a flight.
    for part in (transfer, flights, airlines, trips, board, health):
        app.include_router(part.router)
    app.add_api_route("/", home, include_in_schema=False)
    return app


async def home() -> RedirectResponse:
    """Lead to the board; a link there leads to the page where each endpoint can be tried."""
    return RedirectResponse("/board")


async def client_gone(request: Request, error: Exception) -> Response:
    """Nobody reads this answer; the status is for the log."""
    return Response(status_code=499)
