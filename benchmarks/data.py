"""The rows of the benchmark: made up, the same in every process."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from benchmarks.models import Status

ROWS = 1000
LIST = 100
AUTHORS, BOOKS = 100, 10

Row = dict[str, Any]


def users() -> list[Row]:
    """The rows of ``users``; every tenth has no age."""
    return [
        {
            "id": i,
            "name": f"name {i}",
            "email": f"user{i}@example.org",
            "age": None if i % 10 == 0 else 18 + i % 60,
        }
        for i in range(1, ROWS + 1)
    ]


def posts() -> list[Row]:
    """The rows of ``posts``: one for each user."""
    return [
        {"id": i, "user_id": i, "title": f"title of post {i}", "score": i / 8}
        for i in range(1, ROWS + 1)
    ]


def wides() -> list[Row]:
    """The rows of ``wides``; every seventh has NULLs."""
    start = datetime(2013, 1, 1, 5, 17, 3)
    statuses = list(Status)
    return [
        {
            "id": i,
            "token": UUID(int=(i * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128),
            "day": date(2013, 1, 1) + timedelta(days=i % 365),
            "created_at": start + timedelta(minutes=37 * i),
            "updated_at": None if i % 7 == 0 else start + timedelta(minutes=41 * i),
            "price": Decimal(i * 137 % 1000000) / 100,
            "tax": Decimal(i * 13 % 9999) / 10000,
            "ratio": i / 16,
            "active": i % 3 != 0,
            "status": statuses[i % len(statuses)],
            "payload": {"n": i, "tags": ["a", "b"], "nested": {"ok": True}},
            "label": f"label {i}",
            "note": None if i % 7 == 0 else f"a somewhat longer note, the one of row {i}",
        }
        for i in range(1, ROWS + 1)
    ]


def items() -> list[Row]:
    """The rows of ``items``."""
    return [
        {"id": i, "name": f"item {i}", "quantity": i, "price": i / 4} for i in range(1, ROWS + 1)
    ]


def entries(rows: int = ROWS) -> list[Row]:
    """What the insert shapes insert; the database gives the key."""
    return [{"name": f"entry {i}", "quantity": i, "price": i / 4} for i in range(1, rows + 1)]


def authors() -> list[Row]:
    """The rows of ``authors``: the first users."""
    return users()[:AUTHORS]


def books() -> list[Row]:
    """The rows of ``books``, a number for each author, those of one author apart."""
    return [
        {"id": i, "author_id": i % AUTHORS + 1, "title": f"title of book {i}", "score": i / 8}
        for i in range(1, AUTHORS * BOOKS + 1)
    ]
