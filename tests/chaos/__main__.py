"""``make chaos``: campaigns, their figures as rows of a table; fails where one finds something.

python -m tests.chaos --drivers asyncpg psycopg sqlite --cancellations 10000 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy
from sqlalchemy import URL

from .._postgres import own_schema, running_server, url_in_schema
from .._proxy import Proxy, running_proxy
from .campaign import Campaign, Figures

DRIVERS = ("asyncpg", "psycopg", "sqlite")
COLUMNS = (
    "driver, SQLAlchemy, Python | seed | cancelled | transactions | reads | kills | cuts | "
    "lost | phantoms | torn | wrong reads | strange errors | left | median | worst"
)


@contextlib.contextmanager
def databases(driver: str) -> Iterator[tuple[URL, URL, Proxy | None]]:
    """Give two empty databases, and the proxy in front of their server."""
    if driver == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            files = [str(Path(folder) / f"{name}.sqlite") for name in ("first", "second")]
            first, second = (URL.create("sqlite+aiosqlite", database=file) for file in files)
            yield first, second, None
        return
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_server())
        schemas = [stack.enter_context(own_schema(server)) for _ in range(2)]
        first, second = (url_in_schema(server, driver, schema) for schema in schemas)
        yield first, second, stack.enter_context(running_proxy(server))


def row_of(driver: str, seed: int, figures: Figures) -> str:
    """One row of the table in docs/reliability.md."""
    zeros = [value for name, value in vars(figures).items() if name.startswith("zero_")]
    cells = [
        f"{driver}, {sqlalchemy.__version__}, {platform.python_version()}",
        seed,
        *(figures.cancellations, figures.jobs, figures.reads, figures.kills, figures.cuts),
        *map(len, zeros),
        f"{figures.median_ms:.0f} ms",
        f"{figures.worst_ms:.0f} ms",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--drivers", nargs="*", choices=DRIVERS, default=DRIVERS)
    parser.add_argument("--cancellations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    bad = False
    print(f"| {COLUMNS} |\n|{'---|' * (COLUMNS.count('|') + 1)}")
    for driver in asked.drivers:
        with databases(driver) as (first, second, proxy):
            campaign = Campaign(first, second, asked.seed, proxy)
            figures = asyncio.run(campaign.run(asked.cancellations))
        print(row_of(driver, asked.seed, figures), flush=True)
        for kind, found in figures.found().items():
            bad = True
            print(kind, *found[:20], sep="\n    ", file=sys.stderr)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
