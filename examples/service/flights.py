"""Flights: both kinds of pages, a search, one by its key, create, change, delete."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Response
from sqlalchemy import select

from examples.models import Airline, Airport, Flight, Plane
from naked_sqla import KeysetPage, Pagination
from naked_sqla.ext.fastapi import PageParams, delete_or_404, get_or_404

from .database import Database
from .schemas import (
    Carrier,
    CursorPage,
    Faa,
    FlightChange,
    FlightDetails,
    FlightIn,
    FlightOut,
    Found,
    Page,
)

router = APIRouter(prefix="/flights", tags=["flights"])

# A larger number would be an error of the driver, and a 500.
FlightId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.get("", response_model=Page[FlightOut])
async def list_flights(
    db: Database,
    pages: Annotated[PageParams, Depends()],
    day: dt.date | None = None,
    carrier: Annotated[Carrier | None, Query()] = None,
) -> Pagination[Flight]:
    """Flights by the number of a page, for a row of links."""
    statement = select(Flight).order_by(Flight.day, Flight.sched_dep_time, Flight.id)
    if day is not None:
        statement = statement.where(Flight.day == day)
    if carrier is not None:
        statement = statement.where(Flight.carrier == carrier)
    return await db.paginate(statement, **pages.arguments)


@router.get("/latest", response_model=CursorPage[FlightOut])
async def latest_flights(
    db: Database, after: str | None = None, before: str | None = None, per_page: Limit = 20
) -> KeysetPage[Flight]:
    """Flights from the latest on, for a list that is scrolled: each page costs the same."""
    statement = select(Flight).order_by(Flight.day.desc(), Flight.sched_dep_time.desc())
    return await db.keyset(statement, after=after, before=before, per_page=per_page)


@router.get("/search", response_model=list[Found])
async def search_flights(
    db: Database,
    airline: Annotated[str | None, Query(max_length=50, pattern=r"^[^\x00]+$")] = None,
    dest: Annotated[Faa | None, Query()] = None,
    late_by: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    limit: Limit = 20,
) -> Response:
    """The latest departures, by a part of the airline's name, destination and minutes of delay.

    The JSON is made by the database, or from its rows: there is no object for each.
    """
    statement = (
        select(
            Flight.id,
            Flight.day,
            Airline.name.label("airline"),
            Flight.number,
            Airport.name.label("destination"),
            Flight.dep_delay,
        )
        .join(Flight.airline)
        .outerjoin(Flight.destination)
    )
    if airline is not None:
        statement = statement.where(Airline.name.icontains(airline, autoescape=True))
    if dest is not None:
        statement = statement.where(Flight.dest == dest)
    if late_by is not None:
        statement = statement.where(Flight.dep_delay >= late_by)
    statement = statement.order_by(Flight.dep_delay.desc().nulls_last(), Flight.id)
    found = await db.json(statement.limit(limit), into=Found)
    return Response(found, media_type="application/json")


@router.get("/{flight_id}", response_model=FlightDetails)
async def read_flight(flight_id: FlightId, db: Database) -> FlightDetails:
    """One flight, its airline, its plane and where it goes."""
    statement = (
        select(Flight, Airline, Plane, Airport)
        .join(Flight.airline)
        .outerjoin(Flight.plane)
        .outerjoin(Flight.destination)
        .where(Flight.id == flight_id)
    )
    found = (await db.into(FlightDetails, statement)).one_or_none()
    if found is None:
        raise HTTPException(404, f"Flight {flight_id} was not found.")
    return found


@router.post("", response_model=FlightOut, status_code=201)
async def create_flight(new: FlightIn, db: Database) -> Flight:
    """Store a flight; 422 when there is no such airline or origin."""
    # The commit comes before the answer: a client that has read 201 has its row.
    return await db.insert(new, model=Flight)


@router.patch("/{flight_id}", response_model=FlightOut)
async def change_flight(flight_id: FlightId, change: FlightChange, db: Database) -> Flight:
    """Store what the request names, null included, and leave the rest."""
    async with db.begin() as session:
        flight = await get_or_404(session, Flight, flight_id, with_for_update=True)
        values = change.model_dump(exclude_unset=True)
        return await session.update(Flight, flight_id, values) if values else flight


@router.delete("/{flight_id}", status_code=204)
async def delete_flight(flight_id: FlightId, db: Database) -> None:
    """Remove a flight."""
    await delete_or_404(db, Flight, flight_id)
