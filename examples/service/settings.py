"""What the environment says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The settings of the service.

    :ivar database_url: of an async driver: sqlite+aiosqlite, postgresql+asyncpg or
        postgresql+psycopg.
    :ivar pool_size: how many connections there are at most.
    :ivar pool_timeout: seconds that a request waits for one of them, before it is a 503.
    :ivar demo_data: fill an empty database with the flights of ``examples/data``.
    """

    database_url: str = "sqlite+aiosqlite:///flights.sqlite"
    pool_size: int = 10
    pool_timeout: float = 5.0
    demo_data: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read DATABASE_URL, POOL_SIZE, POOL_TIMEOUT and DEMO_DATA (0 or 1)."""
        return cls(
            database_url=environment.get("DATABASE_URL", cls.database_url),
            pool_size=int(environment.get("POOL_SIZE", cls.pool_size)),
            pool_timeout=float(environment.get("POOL_TIMEOUT", cls.pool_timeout)),
            demo_data=environment.get("DEMO_DATA", "1") != "0",
        )
