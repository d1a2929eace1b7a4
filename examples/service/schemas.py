"""What comes in and what goes out.  The limits are those of the database's columns, or closer."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")

Carrier = Annotated[str, Field(pattern=r"^[A-Z0-9]{2}$", examples=["UA"])]
Faa = Annotated[str, Field(pattern=r"^[A-Z0-9]{3}$", examples=["JFK"])]
TailNumber = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,6}$", examples=["N14228"])]
# 517 is 05:17
Clock = Annotated[int, Field(ge=0, le=2400, examples=[517])]
Title = Annotated[str, Field(pattern=r"^[^\x00]+$", max_length=100)]
# A larger number would be an error of the driver, and a 500.
Key = Annotated[int, Field(ge=1, le=2**31 - 1)]
Minutes = Annotated[int, Field(ge=-1440, le=10_000)]


class AirlineIn(BaseModel):
    """An airline to be stored."""

    model_config = ConfigDict(extra="forbid")

    carrier: Carrier
    name: Annotated[str, Field(pattern=r"^[^\x00]+$", max_length=100)]


class AirlineChange(BaseModel):
    """Another name, and the version of the airline that the client has seen."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[^\x00]+$", max_length=100)]
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]


class AirlineOut(BaseModel):
    """An airline."""

    carrier: str
    name: str
    version: int


class AirlineUse(AirlineOut):
    """An airline, and how many flights it has."""

    flights: int


class FlightChange(BaseModel):
    """What becomes known of a flight later.  What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    tailnum: TailNumber | None = None
    dep_time: Clock | None = None
    dep_delay: Minutes | None = None
    arr_time: Clock | None = None
    arr_delay: Minutes | None = None
    air_time: Minutes | None = None


class FlightIn(FlightChange):
    """A flight to be stored."""

    day: dt.date
    carrier: Carrier
    number: Annotated[int, Field(ge=1, le=9999)]
    origin: Faa
    dest: Faa
    sched_dep_time: Clock
    sched_arr_time: Clock
    distance: Annotated[int, Field(ge=0, le=20_000)]


class FlightOut(BaseModel):
    """A flight, as it is stored."""

    id: int
    day: dt.date
    carrier: str
    number: int
    origin: str
    dest: str
    sched_dep_time: int
    sched_arr_time: int
    dep_time: int | None
    dep_delay: int | None
    arr_time: int | None
    arr_delay: int | None
    tailnum: str | None
    air_time: int | None
    distance: int


class PlaneOut(BaseModel):
    """A plane."""

    tailnum: str
    manufacturer: str
    model: str
    seats: int


class AirportOut(BaseModel):
    """An airport."""

    faa: str
    name: str


class FlightDetails(FlightOut):
    """A flight with what it refers to, where that is known."""

    airline: AirlineOut
    plane: PlaneOut | None
    destination: AirportOut | None


class TripIn(BaseModel):
    """A trip to be stored."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    part_of_id: Key | None = None


class TripChange(BaseModel):
    """Another title, and the version of the trip that the client has seen."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    version: Key


class FlightKeys(BaseModel):
    """The flights of a trip, by their keys."""

    flights: Annotated[list[Key], Field(max_length=100)]


class TripOut(BaseModel):
    """A trip."""

    id: int
    title: str
    version: int


class TripPart(TripOut):
    """A trip with its flights."""

    flights: list[FlightOut]


class TripTree(TripPart):
    """A trip with its flights, and the trips that are parts of it."""

    parts: list[TripPart]


class Found(BaseModel):
    """A line of a search."""

    id: int
    day: dt.date
    airline: str
    number: int
    destination: str | None
    dep_delay: int | None


class Page(BaseModel, Generic[T]):
    """A page by its number."""

    items: list[T]
    page: int
    per_page: int
    total: int
    pages: int


class CursorPage(BaseModel, Generic[T]):
    """A page by the key of a row: ``?after=`` the one cursor, or ``?before=`` the other."""

    items: list[T]
    next_cursor: str | None
    prev_cursor: str | None


class Stored(BaseModel):
    """How many rows an upload has stored."""

    rows: int
