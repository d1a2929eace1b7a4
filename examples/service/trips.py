"""Trips of a tenant: a tree, many-to-many with flights, versions, soft delete.

``TenantDatabase`` adds the tenant to each statement; the factory itself leaves out what was
deleted.  Both hold for what is changed, too: the trip of another tenant is not there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from examples.models import Flight, OfTenant, SoftDelete, Trip
from naked_sqla.ext.fastapi import get_or_404, update_or_404

from .database import Tenant, TenantDatabase
from .schemas import FlightKeys, TripChange, TripIn, TripOut, TripTree

router = APIRouter(prefix="/trips", tags=["trips"])

TripId = Annotated[int, Path(ge=1, le=2**31 - 1)]

# Two levels: a statement for each relationship, however many trips there are.
TREE = select(Trip).options(
    selectinload(Trip.flights), selectinload(Trip.parts).selectinload(Trip.flights)
)


@router.get("", response_model=list[TripTree])
async def list_trips(db: TenantDatabase) -> Sequence[TripTree]:
    """The trips that are parts of no other, with their parts."""
    trips = TREE.where(Trip.part_of_id.is_(None)).order_by(Trip.id)
    return (await db.into(TripTree, trips)).all()


@router.get("/{trip_id}", response_model=TripTree)
async def read_trip(trip_id: TripId, db: TenantDatabase) -> TripTree:
    """One trip; ``install()`` answers 404 for none."""
    return (await db.into(TripTree, TREE.where(Trip.id == trip_id))).one()


@router.post("", response_model=TripOut, status_code=201)
async def create_trip(new: TripIn, tenant: Tenant, db: TenantDatabase) -> Trip:
    """Store a trip; 409 when the tenant has one of this title."""
    async with db.begin() as session:
        if new.part_of_id is not None:
            # a foreign key would take the trip of another tenant
            await get_or_404(session, Trip, new.part_of_id)
        return await session.insert(Trip(tenant=tenant, **new.model_dump()))


@router.patch("/{trip_id}", response_model=TripOut)
async def change_trip(trip_id: TripId, change: TripChange, db: TenantDatabase) -> Trip:
    """Store another title; 409 for a client that has not seen the last change."""
    return await update_or_404(db, Trip, trip_id, title=change.title, version=change.version)


@router.put("/{trip_id}/flights", response_model=TripTree)
async def choose_flights(trip_id: TripId, chosen: FlightKeys, db: TenantDatabase) -> TripTree:
    """Make these the flights of a trip; 422 when one of them is not there."""
    trip = await get_or_404(db, Trip, trip_id)
    flights = await db.get_many(Flight, set(chosen.flights), missing="skip")
    missing = set(chosen.flights) - {flight.id for flight in flights}
    if missing:
        raise HTTPException(422, f"There are no flights {sorted(missing)}.")
    # links know no criteria, which have let this trip through above
    await db.with_options(without=(OfTenant, SoftDelete)).relink(trip, Trip.flights, flights)
    return await read_trip(trip_id, db)


@router.delete("/{trip_id}", status_code=204)
async def delete_trip(trip_id: TripId, db: TenantDatabase) -> None:
    """Mark a trip as deleted: nobody sees it any more, and its title is free again."""
    await update_or_404(db, Trip, trip_id, deleted_at=dt.datetime.now(dt.UTC))
