"""The models of the flights data: stock SQLAlchemy, nothing of naked_sqla in here."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, Column, DateTime, Double, ForeignKey, Index, Table, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """The base of all models."""


class Airline(Base):
    """A carrier, by its two-character code."""

    __tablename__ = "airlines"

    carrier: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    # Counts the changes, so that nobody overwrites what they have not seen.
    version: Mapped[int] = mapped_column()

    flights: Mapped[list[Flight]] = relationship(back_populates="airline")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012

    def __repr__(self) -> str:
        return f"Airline({self.carrier!r}, {self.name!r})"


class Airport(Base):
    """An airport, by its FAA code."""

    __tablename__ = "airports"

    faa: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    # SQLAlchemy 2.0 and 2.1 have different types for a plain float
    lat: Mapped[float] = mapped_column(Double)
    lon: Mapped[float] = mapped_column(Double)
    alt: Mapped[int]
    tz: Mapped[int]
    dst: Mapped[str]
    tzone: Mapped[str]

    def __repr__(self) -> str:
        return f"Airport({self.faa!r}, {self.name!r})"


class Plane(Base):
    """A plane, by the number on its tail."""

    __tablename__ = "planes"

    tailnum: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int | None]
    type: Mapped[str]
    manufacturer: Mapped[str]
    model: Mapped[str]
    engines: Mapped[int]
    seats: Mapped[int]
    speed: Mapped[int | None]
    engine: Mapped[str]

    def __repr__(self) -> str:
        return f"Plane({self.tailnum!r}, {self.manufacturer} {self.model}, {self.seats} seats)"


class Flight(Base):
    """A flight that was to leave New York.

    ``tailnum`` and ``dest`` are no foreign keys: some planes and some airports are not in the data.
    """

    __tablename__ = "flights"

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[dt.date]
    # Times are local and read as digits: 517 is 05:17.
    sched_dep_time: Mapped[int]
    dep_time: Mapped[int | None]
    dep_delay: Mapped[int | None]
    sched_arr_time: Mapped[int]
    arr_time: Mapped[int | None]
    arr_delay: Mapped[int | None]
    carrier: Mapped[str] = mapped_column(ForeignKey("airlines.carrier"))
    # The attribute has a better name than the column.
    number: Mapped[int] = mapped_column("flight")
    tailnum: Mapped[str | None]
    origin: Mapped[str] = mapped_column(ForeignKey("airports.faa"))
    dest: Mapped[str]
    air_time: Mapped[int | None]
    distance: Mapped[int]

    airline: Mapped[Airline] = relationship(back_populates="flights")
    start: Mapped[Airport] = relationship()
    plane: Mapped[Plane | None] = relationship(
        primaryjoin="foreign(Flight.tailnum) == Plane.tailnum", viewonly=True
    )
    destination: Mapped[Airport | None] = relationship(
        primaryjoin="foreign(Flight.dest) == Airport.faa", viewonly=True
    )

    @property
    def cancelled(self) -> bool:
        """Whether the flight never left."""
        return self.dep_time is None

    def __repr__(self) -> str:
        how = "cancelled" if self.cancelled else f"{self.dep_delay:+} min"
        return f"Flight({self.carrier}{self.number}, {self.origin}-{self.dest}, {self.day}, {how})"


class OfTenant:
    """What belongs to one of the customers of the service."""

    tenant: Mapped[str] = mapped_column()


class SoftDelete:
    """What stays in its table when it is deleted."""

    deleted_at: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True))


trip_flights = Table(
    "trip_flights",
    Base.metadata,
    Column("trip_id", ForeignKey("trips.id", ondelete="CASCADE"), primary_key=True),
    Column("flight_id", ForeignKey("flights.id", ondelete="CASCADE"), primary_key=True),
)


class Trip(OfTenant, SoftDelete, Base):
    """Flights that somebody takes; a trip may be a part of another one."""

    __tablename__ = "trips"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    part_of_id: Mapped[int | None] = mapped_column(ForeignKey("trips.id"))
    version: Mapped[int] = mapped_column()

    flights: Mapped[list[Flight]] = relationship(secondary=trip_flights, order_by=Flight.id)
    parts: Mapped[list[Trip]] = relationship(back_populates="part_of", order_by="Trip.id")
    part_of: Mapped[Trip | None] = relationship(back_populates="parts", remote_side=[id])

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012
    __table_args__ = (
        CheckConstraint("part_of_id <> id", name="no_part_of_itself"),
        # a title is free again when its trip was deleted
        Index(
            "one_trip_of_a_title",
            "tenant",
            "title",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
            sqlite_where=text("deleted_at IS NULL"),
        ),
    )

    def __repr__(self) -> str:
        return f"Trip({self.id}, {self.title!r})"
