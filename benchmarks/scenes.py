"""The scenes: what is compared with something else than the same statement on Core.

Each scene has contenders of its own. *Core* is what one writes with Core for the same end, and the
baseline. Where statements are counted, the ORM and naked_sqla must run exactly the number that is
named, or the run stops.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.contenders import Contender, Operation
from benchmarks.readers import Reader


@dataclass
class Site:
    """Where contenders run."""

    url: URL
    engine: Callable[[], AsyncEngine]
    """Makes an engine, which is disposed at the end."""
    closers: list[Callable[[], Awaitable[Any]]]
    """Called at the end."""


@dataclass(frozen=True)
class Scene:
    """One thing to do in several ways; ``benchmarks.worker`` treats it as a shape."""

    name: str
    title: str
    entrants: Callable[[Site], list[Contender]]
    repeats: int = 1
    statements: dict[str, int] = field(default_factory=dict)
    """By contender, the statements of one operation, BEGIN and COMMIT not among them."""
    drivers: frozenset[str] = frozenset({"sqlite", "asyncpg", "psycopg"})
    writes: str | None = None
    rounds: int | None = None
    """At most so many, where one takes long."""
    checks: int | None = None
    """At most so many, where much is compared."""


def contender(
    name: str,
    title: str,
    operation: Operation,
    reader: Reader,
    prepare: Callable[[int], Awaitable[None]] | None = None,
) -> Contender:
    """Return a contender that has one operation."""
    return Contender(name, title, lambda scene: operation, lambda scene: reader, prepare=prepare)
