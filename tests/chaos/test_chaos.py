"""A thousand cancellations on each driver, with kills and cuts; ``make chaos`` runs many more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL

from .._postgres import own_schema, url_in_schema
from .._proxy import running_proxy
from .campaign import Campaign

CANCELLATIONS = 1000

# A machine that does other things as well takes its time.
pytestmark = pytest.mark.timeout(180)


async def test_sqlite(tmp_path: Path) -> None:
    files = [str(tmp_path / f"{name}.sqlite") for name in ("first", "second")]
    first, second = (URL.create("sqlite+aiosqlite", database=file) for file in files)
    figures = await Campaign(first, second, seed=1).run(CANCELLATIONS)
    assert figures.found() == {}
    assert figures.cancellations >= CANCELLATIONS


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_postgres(
    postgres_server: URL, postgres_url: Callable[[str], URL], driver: str
) -> None:
    with own_schema(postgres_server) as schema, running_proxy(postgres_server) as proxy:
        other = url_in_schema(postgres_server, driver, schema)
        figures = await Campaign(postgres_url(driver), other, 1, proxy).run(CANCELLATIONS)
    assert figures.found() == {}
    assert figures.cancellations >= CANCELLATIONS
    assert figures.kills > 5
    assert figures.cuts > 5
