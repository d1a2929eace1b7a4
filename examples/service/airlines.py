"""Airlines: list, create, change, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from examples.models import Airline, Flight
from naked_sqla.ext.fastapi import delete_or_404

from .database import Database
from .schemas import AirlineChange, AirlineIn, AirlineOut, AirlineUse, Carrier

router = APIRouter(prefix="/airlines", tags=["airlines"])


@router.get("", response_model=list[AirlineUse])
async def list_airlines(db: Database) -> Sequence[AirlineUse]:
    """All airlines, and how many flights each has."""
    flights = func.count(Flight.id).label("flights")
    statement = select(Airline, flights).outerjoin(Airline.flights).group_by(Airline.carrier)
    return (await db.into(AirlineUse, statement.order_by(Airline.name))).all()


@router.post("", response_model=AirlineOut, status_code=201)
async def create_airline(new: AirlineIn, db: Database) -> Airline:
    """Store an airline; 409 when there is one of this code."""
    return await db.insert(new, model=Airline)


@router.patch("/{carrier}", response_model=AirlineOut)
async def change_airline(
    carrier: Annotated[Carrier, Path()], change: AirlineChange, db: Database
) -> Airline:
    """Store another name; 409 for a client that has not seen the last change.

    ``version`` is checked, and counted on.  What it raises is answered by ``install()``.
    """
    return await db.update(Airline, carrier, name=change.name, version=change.version)


@router.delete("/{carrier}", status_code=204)
async def delete_airline(carrier: Annotated[Carrier, Path()], db: Database) -> None:
    """Remove an airline; 409 while it has flights."""
    try:
        await delete_or_404(db, Airline, carrier)
    except IntegrityError:
        raise HTTPException(409, f"Airline {carrier} has flights.") from None
