"""Hand-written objects: the classes that one writes without a mapper, and what fills them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from benchmarks.models import Status

Build = Callable[[Sequence[Any]], list[Any]]


@dataclass(slots=True)
class User:
    """A row of ``users``."""

    id: int
    name: str
    email: str
    age: int | None


@dataclass(slots=True)
class Post:
    """A row of ``posts``."""

    id: int
    user_id: int
    title: str
    score: float


@dataclass(slots=True)
class Stock:
    """A row of ``items`` or ``entries``."""

    id: int
    name: str
    quantity: int
    price: float


@dataclass(slots=True)
class Wide:
    """A row of ``wides``."""

    id: int
    token: UUID
    day: date
    created_at: datetime
    updated_at: datetime | None
    price: Decimal
    tax: Decimal
    ratio: float
    active: bool
    status: Status
    payload: dict[str, Any]
    label: str
    note: str | None


def users(rows: Sequence[Any]) -> list[Any]:
    """Build users."""
    return [User(a, b, c, d) for a, b, c, d in rows]


def stock(rows: Sequence[Any]) -> list[Any]:
    """Build items or entries."""
    return [Stock(a, b, c, d) for a, b, c, d in rows]


def pairs(rows: Sequence[Any]) -> list[Any]:
    """Build users with their posts."""
    return [(User(a, b, c, d), Post(e, f, g, h)) for a, b, c, d, e, f, g, h in rows]


def wides(rows: Sequence[Any]) -> list[Any]:
    """Build wide objects."""
    return [
        Wide(a, b, c, d, e, f, g, h, i, j, k, m, n)
        for a, b, c, d, e, f, g, h, i, j, k, m, n in rows
    ]


def builder(shape: str) -> Build:
    """Return what builds the objects of a shape's rows, whose values are converted already."""
    special: dict[str, Build] = {"wide": wides, "join": pairs}
    common = users if shape in ("one", "one_built", "thousand") else stock
    return special.get(shape, common)
