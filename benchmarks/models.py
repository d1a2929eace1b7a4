"""The mapped classes that every SQLAlchemy contender uses."""

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Numeric, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """The declarative base of the benchmark's models."""


class Status(enum.Enum):
    """An enum column's values."""

    new = "new"
    paid = "paid"
    shipped = "shipped"


class User(Base):
    """Four columns: the entity that most shapes read."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    email: Mapped[str] = mapped_column(String(100))
    age: Mapped[int | None]


class Post(Base):
    """The other side of the join, four columns as well."""

    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str] = mapped_column(String(100))
    score: Mapped[float]


class Wide(Base):
    """Thirteen columns, most of which a type has to convert."""

    __tablename__ = "wides"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[UUID]
    day: Mapped[date]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    tax: Mapped[Decimal] = mapped_column(Numeric(8, 4))
    ratio: Mapped[float]
    active: Mapped[bool]
    status: Mapped[Status]
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    label: Mapped[str] = mapped_column(String(50))
    note: Mapped[str | None] = mapped_column(Text)


class Item(Base):
    """The table that the update shapes change."""

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    quantity: Mapped[int]
    price: Mapped[float]


class Entry(Base):
    """The table that the insert shapes fill; emptied after each round."""

    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    quantity: Mapped[int]
    price: Mapped[float]


class Author(Base):
    """The parents of the eager loading shapes."""

    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    email: Mapped[str] = mapped_column(String(100))
    age: Mapped[int | None]
    books: Mapped[list[Book]] = relationship(order_by="Book.id")


class Book(Base):
    """Their children."""

    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"), index=True)
    title: Mapped[str] = mapped_column(String(100))
    score: Mapped[float]


class FlightColumns:
    """A flight, all columns of the data, and a number as its key."""

    id: Mapped[int] = mapped_column(primary_key=True)
    year: Mapped[int]
    month: Mapped[int]
    day: Mapped[int]
    dep_time: Mapped[int | None]
    sched_dep_time: Mapped[int]
    dep_delay: Mapped[int | None]
    arr_time: Mapped[int | None]
    sched_arr_time: Mapped[int]
    arr_delay: Mapped[int | None]
    carrier: Mapped[str]
    flight: Mapped[int]
    tailnum: Mapped[str | None]
    origin: Mapped[str]
    dest: Mapped[str]
    air_time: Mapped[int | None]
    distance: Mapped[int]
    hour: Mapped[int]
    minute: Mapped[int]
    time_hour: Mapped[datetime]


class Flown(FlightColumns, Base):
    """The table that the shape of COPY fills; emptied after each round."""

    __tablename__ = "flown"
