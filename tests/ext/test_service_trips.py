"""examples/service: trips of tenants, the board in a browser, migrations."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from examples.models import Airline, Airport, Base, Flight
from examples.rows import rows_of
from examples.service.app import create_app
from examples.service.database import prepare_database
from examples.service.settings import Settings
from naked_sqla import AsyncSessionFactory

from ._server import serving

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium")

on_two = pytest.mark.parametrize("backend", ["sqlite", "asyncpg"], indirect=True)
# All of one airline, and some of the others.
FLIGHTS = [row for n, row in enumerate(rows_of(Flight)) if row["carrier"] == "HA" or n < 60]
ADA = {"X-Tenant": "ada"}
BOB = {"X-Tenant": "bob"}


@pytest.fixture
async def client(database_url: URL) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running service, whose flights are a few of the demo's."""
    app = create_app(Settings(database_url.render_as_string(hide_password=False), demo_data=False))
    async with serving(app) as client:
        db: AsyncSessionFactory = app.state.db
        async with db.begin() as session:
            for model in (Airline, Airport):
                await session.insert_all(rows_of(model), model=model)
            await session.insert_all(FLIGHTS, model=Flight)
        yield client


@on_two
async def test_trips(client: httpx.AsyncClient) -> None:
    assert (await client.get("/trips")).status_code == 422
    made = await client.post("/trips", json={"title": "Home"}, headers=ADA)
    home = made.json()
    assert (made.status_code, home["title"], home["version"]) == (201, "Home", 1)
    path = f"/trips/{home['id']}"
    part = {"title": "Back", "part_of_id": home["id"]}
    back = (await client.post("/trips", json=part, headers=ADA)).json()

    # many-to-many: each call names all flights, and calls that say the same change nothing
    for keys in ([1, 2, 2], [3, 2]):
        chosen = await client.put(f"{path}/flights", json={"flights": keys}, headers=ADA)
        assert [flight["id"] for flight in chosen.json()["flights"]] == sorted(set(keys))
    missing = await client.put(f"{path}/flights", json={"flights": [1, 99999]}, headers=ADA)
    assert (missing.status_code, missing.json()["detail"]) == (422, "There are no flights [99999].")
    await client.put(f"/trips/{back['id']}/flights", json={"flights": [7]}, headers=ADA)

    # a tree: the trip, its flights, its parts with theirs
    (tree,) = (await client.get("/trips", headers=ADA)).json()
    assert [flight["id"] for flight in tree["flights"]] == [2, 3]
    assert [(one["title"], [f["id"] for f in one["flights"]]) for one in tree["parts"]] == [
        ("Back", [7])
    ]
    assert (await client.get(path, headers=ADA)).json() == tree

    # a version
    renamed = await client.patch(path, json={"title": "Away", "version": 1}, headers=ADA)
    assert (renamed.json()["title"], renamed.json()["version"]) == ("Away", 2)
    stale = await client.patch(path, json={"title": "Far", "version": 1}, headers=ADA)
    assert stale.status_code == 409

    # a constraint
    taken = await client.post("/trips", json={"title": "Away"}, headers=ADA)
    assert taken.status_code == 409
    assert ["body", "title"] in [one["loc"] for one in taken.json()["detail"]]

    # soft delete: the title is free again, and the part is still there
    assert (await client.delete(f"/trips/{back['id']}", headers=ADA)).status_code == 204
    assert (await client.delete(f"/trips/{back['id']}", headers=ADA)).status_code == 404
    assert (await client.get(path, headers=ADA)).json()["parts"] == []
    assert (await client.post("/trips", json={"title": "Back"}, headers=ADA)).status_code == 201


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_tenant_sees_and_changes_its_own_trips_only(client: httpx.AsyncClient) -> None:
    path = f"/trips/{(await client.post('/trips', json={'title': 'x'}, headers=ADA)).json()['id']}"
    assert (await client.get("/trips", headers=BOB)).json() == []
    change = {"title": "y", "version": 1}
    part = {"title": "z", "part_of_id": 1}
    for answer in (
        await client.get(path, headers=BOB),
        await client.patch(path, json=change, headers=BOB),
        await client.put(f"{path}/flights", json={"flights": [1]}, headers=BOB),
        await client.delete(path, headers=BOB),
        await client.post("/trips", json=part, headers=BOB),
    ):
        assert answer.status_code == 404
    assert (await client.post("/trips", json={"title": "x"}, headers=BOB)).status_code == 201
    assert (await client.get(path, headers=ADA)).json()["version"] == 1


# ---------------------------------------------------------------- the board

LINK = re.compile(r'<a rel="(next|prev)" href="([^"]+)"')
ROW = re.compile(r'<tr id="(\d+)"')


def links_of(page: str) -> dict[str, str]:
    return {rel: f"/board{unescape(href)}" for rel, href in LINK.findall(page)}


@on_two
async def test_the_board(client: httpx.AsyncClient) -> None:
    answer = await client.get("/board?carrier=HA&per_page=3")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Hawaiian Airlines Inc." in answer.text
    assert "prev" not in links_of(answer.text)
    seen = [ROW.findall(answer.text)]
    while "next" in links_of(answer.text):
        answer = await client.get(links_of(answer.text)["next"])
        seen.append(ROW.findall(answer.text))
    assert [len(rows) for rows in seen] == [3, 1]
    back = await client.get(links_of(answer.text)["prev"])
    assert ROW.findall(back.text) == seen[0]
    for everything in ("/board", "/board?carrier="):
        assert len(ROW.findall((await client.get(everything)).text)) == 20
    assert (await client.get("/board?after=nonsense")).status_code == 400
    script = await client.get("/board", params={"carrier": "<script>"})
    assert script.status_code == 422


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_the_board_in_chromium(client: httpx.AsyncClient) -> None:
    async def opened(path: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            process = await asyncio.create_subprocess_exec(
                *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
                *(f"--user-data-dir={folder}", f"{str(client.base_url).rstrip('/')}{path}"),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            return (await process.communicate())[0].decode()

    # one process: it takes its time to start
    first = await opened("/")
    assert "<title>Departures</title>" in first
    assert first.count("<td>") == 20 * 6
    second = (await client.get(links_of(first)["next"])).text
    rows = ROW.findall(first) + ROW.findall(second)
    assert len(rows) == len(set(rows)) == 40


# ---------------------------------------------------------------- migrations


def differences(conn: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(conn), Base.metadata))


async def test_the_migrations_make_what_the_models_say(engine: AsyncEngine) -> None:
    db = AsyncSessionFactory(engine)
    for _ in range(2):
        await prepare_database(db, demo_data=False)
    async with engine.connect() as conn:
        assert await conn.run_sync(differences) == []


async def test_a_database_from_before_the_migrations(engine: AsyncEngine) -> None:
    old = [table for table in Base.metadata.sorted_tables if not table.name.startswith("trip")]
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all, tables=old)
    await prepare_database(AsyncSessionFactory(engine), demo_data=False)
    async with engine.connect() as conn:
        assert await conn.run_sync(differences) == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_migrations_by_command(database_url: URL, tmp_path: Path) -> None:
    config = str(ROOT / "examples" / "service" / "alembic.ini")
    commands = (["upgrade", "head"], ["current"], ["downgrade", "base"])
    script = "".join(f"main({['-c', config, *command]!r})\n" for command in commands)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"from alembic.config import main\n{script}"],
        cwd=tmp_path,
        env={**os.environ, "DATABASE_URL": str(database_url), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "0002 (head)\n"), done.stderr
