"""examples/service over HTTP: a real server, real clients, SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import datetime as dt
import json
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import URL, delete, func, select

from examples.models import Flight
from examples.service.app import create_app
from examples.service.settings import Settings
from naked_sqla import AsyncSessionFactory

from .._notes import checked_out
from .._postgres import own_schema, url_in_schema
from ._raw_client import hanging_up, request
from ._server import serving

# The tests share one service, and so one event loop.
shares_the_service = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).resolve().parents[2]

FLIGHT = {
    "day": "2013-02-11",
    "carrier": "UA",
    "number": 1,
    "origin": "JFK",
    "dest": "SFO",
    "sched_dep_time": 500,
    "sched_arr_time": 830,
    "distance": 2586,
}
COUNT = select(func.count()).select_from(Flight)
LAST = dt.date(2013, 2, 10)
UNSET = ("tailnum", "dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")


def settings_of(url: URL, **changes: Any) -> Settings:
    return Settings(url.render_as_string(hide_password=False), **{"pool_timeout": 20.0} | changes)


def lines(numbers: range, **changes: Any) -> bytes:
    return b"\n".join(json.dumps({**FLIGHT, "number": n, **changes}).encode() for n in numbers)


@pytest.fixture(scope="module", params=["sqlite", "asyncpg"])
def service_url(request: pytest.FixtureRequest, postgres_server: URL) -> Iterator[URL]:
    """An empty database for the tests that leave the data as they found them."""
    if request.param == "asyncpg":
        with own_schema(postgres_server) as schema:
            yield url_in_schema(postgres_server, "asyncpg", schema)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield URL.create("sqlite+aiosqlite", database=str(Path(folder) / "test.sqlite"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(service_url: URL) -> AsyncIterator[tuple[httpx.AsyncClient, AsyncSessionFactory]]:
    """A client of the running service, and the service's own factory, of one connection.

    The buffers are small: of an answer that nobody reads the server can send only a part.
    """
    app = create_app(settings_of(service_url, pool_size=1))
    async with serving(app, send_buffer=4096) as client:
        yield client, app.state.db


@pytest_asyncio.fixture(loop_scope="module")
async def db(service: tuple[httpx.AsyncClient, AsyncSessionFactory]) -> AsyncSessionFactory:
    return service[1]


@pytest_asyncio.fixture(loop_scope="module")
async def client(
    service: tuple[httpx.AsyncClient, AsyncSessionFactory],
) -> AsyncIterator[httpx.AsyncClient]:
    """A client; what the test has stored is gone afterwards, and nothing is left open."""
    client, db = service
    yield client
    await db.execute(delete(Flight).where(Flight.day > LAST))
    assert await db.scalar(COUNT) == 3375
    assert checked_out(db.engine) == 0


@shares_the_service
async def test_flights_by_page_number(client: httpx.AsyncClient) -> None:
    first = (await client.get("/flights", params={"per_page": 3})).json()
    assert {key: first[key] for key in ("page", "per_page", "total", "pages")} == {
        "page": 1,
        "per_page": 3,
        "total": 3375,
        "pages": 1125,
    }
    assert [item["id"] for item in first["items"]] == [2, 4, 3]
    seen = []
    for page in range(1, 13):
        got = await client.get("/flights", params={"page": page, "carrier": "UA", "per_page": 50})
        seen += [item["id"] for item in got.json()["items"]]
    assert len(seen) == len(set(seen)) == got.json()["total"]
    day = (await client.get("/flights", params={"day": "2013-02-08"})).json()
    assert day["total"] == 930
    assert {item["day"] for item in day["items"]} == {"2013-02-08"}
    assert (await client.get("/flights", params={"page": 10_000})).status_code == 404
    for wrong in ("page=0", "per_page=101", "day=x", "carrier=united", "carrier=%00A"):
        assert (await client.get(f"/flights?{wrong}")).status_code == 422, wrong


@shares_the_service
async def test_flights_by_cursor(client: httpx.AsyncClient) -> None:
    seen: list[int] = []
    params: dict[str, Any] = {"per_page": 100}
    pages = []
    while True:
        page = (await client.get("/flights/latest", params=params)).json()
        pages.append(page)
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["after"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 3375
    assert pages[0]["prev_cursor"] is None
    back = {"per_page": 100, "before": pages[-1]["prev_cursor"]}
    assert (await client.get("/flights/latest", params=back)).json()["items"] == pages[-2]["items"]
    assert (await client.get("/flights/latest?after=nonsense")).status_code == 400
    both = {"after": pages[0]["next_cursor"], "before": pages[1]["prev_cursor"]}
    assert (await client.get("/flights/latest", params=both)).status_code == 400
    assert (await client.get("/flights/latest?per_page=0")).status_code == 422


@shares_the_service
async def test_the_root_leads_to_the_board(client: httpx.AsyncClient) -> None:
    answer = await client.get("/", follow_redirects=True)
    assert answer.status_code == 200
    assert answer.url.path == "/board"
    assert (await client.get("/docs")).status_code == 200


@shares_the_service
async def test_search_and_one_flight(client: httpx.AsyncClient) -> None:
    asked = {"airline": "virgin", "late_by": 30, "limit": 2}
    assert (await client.get("/flights/search", params=asked)).json() == [
        {
            "id": 2784,
            "day": "2013-02-10",
            "airline": "Virgin America",
            "number": 407,
            "destination": "Los Angeles Intl",
            "dep_delay": 128,
        },
        {
            "id": 1073,
            "day": "2013-02-08",
            "airline": "Virgin America",
            "number": 11,
            "destination": "San Francisco Intl",
            "dep_delay": 35,
        },
    ]
    # Not in the data: an inner join would lose these flights.
    unknown = (await client.get("/flights/search", params={"dest": "SJU", "limit": 1})).json()
    assert [item["destination"] for item in unknown] == [None]
    for nothing in ("%", "_", "'", "\\"):
        assert (await client.get("/flights/search", params={"airline": nothing})).json() == []
    for wrong in ("dest=x", "limit=0", "late_by=-1", f"late_by={2**40}", "airline=%00"):
        assert (await client.get(f"/flights/search?{wrong}")).status_code == 422, wrong

    flight = (await client.get("/flights/1073")).json()
    assert (flight["carrier"], flight["number"], flight["dest"]) == ("VX", 11, "SFO")
    assert flight["airline"] == {"carrier": "VX", "name": "Virgin America", "version": 1}
    assert flight["destination"] == {"faa": "SFO", "name": "San Francisco Intl"}
    assert flight["plane"]["manufacturer"] == "AIRBUS"
    unknown_too = (await client.get(f"/flights/{unknown[0]['id']}")).json()
    assert unknown_too["destination"] is None
    none = await client.get("/flights/1000000")
    assert (none.status_code, none.json()) == (404, {"detail": "Flight 1000000 was not found."})
    for wrong in ("0", "x", str(2**31), str(2**70)):
        assert (await client.get(f"/flights/{wrong}")).status_code == 422, wrong


@shares_the_service
async def test_create_change_delete(client: httpx.AsyncClient) -> None:
    created = await client.post("/flights", json=FLIGHT)
    assert created.status_code == 201
    key = created.json()["id"]
    expected = {**FLIGHT, **dict.fromkeys(UNSET), "id": key}
    assert created.json() == expected
    # Nothing but what the request names, and NULL where it says so.
    change = {"dep_time": 512, "dep_delay": 12, "tailnum": "N14228"}
    changed = await client.patch(f"/flights/{key}", json=change)
    assert (changed.status_code, changed.json()) == (200, expected | change)
    back = (await client.patch(f"/flights/{key}", json={"dep_delay": None})).json()
    assert back == expected | change | {"dep_delay": None}
    assert (await client.patch(f"/flights/{key}", json={})).json() == back
    details = (await client.get(f"/flights/{key}")).json()
    assert {name: details[name] for name in back} == back
    for wrong in ({"id": 7}, {"carrier": "UA"}, {"dep_time": 2401}, {"tailnum": "\x00"}):
        assert (await client.patch(f"/flights/{key}", json=wrong)).status_code == 422, wrong
    assert (await client.patch("/flights/1000000", json=change)).status_code == 404

    for wrong in ({**FLIGHT, "extra": 1}, {"day": "2013-02-11"}, {**FLIGHT, "number": 10**10}):
        assert (await client.post("/flights", json=wrong)).status_code == 422, wrong
    nobody = await client.post("/flights", json={**FLIGHT, "carrier": "ZZ"})
    assert (nobody.status_code, nobody.json()["detail"][0]["type"]) == (422, "foreign_key")

    assert (await client.delete(f"/flights/{key}")).status_code == 204
    assert (await client.delete(f"/flights/{key}")).status_code == 404
    assert (await client.get(f"/flights/{key}")).status_code == 404
    assert (await client.get("/flights?per_page=1")).json()["total"] == 3375


@shares_the_service
async def test_airlines(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/airlines")).json()
    assert sum(airline["flights"] for airline in listed) == 3375
    assert (len(listed), listed[1]["name"]) == (15, "Alaska Airlines Inc.")
    new = {"carrier": "ZZ", "name": "Zeppelin Lines"}
    created = await client.post("/airlines", json=new)
    assert (created.status_code, created.json()) == (201, {**new, "version": 1})
    twice = await client.post("/airlines", json=new)
    assert twice.status_code == 409
    assert twice.json()["detail"][0]["loc"] == ["body", "carrier"]
    assert {**new, "version": 1, "flights": 0} in (await client.get("/airlines")).json()
    assert (await client.delete("/airlines/ZZ")).status_code == 204
    assert (await client.delete("/airlines/ZZ")).status_code == 404
    assert (await client.delete("/airlines/zeppelin")).status_code == 422
    # It has flights.
    assert (await client.delete("/airlines/UA")).status_code == 409
    assert (await client.get("/airlines")).json() == listed


@shares_the_service
async def test_two_clients_change_one_airline(client: httpx.AsyncClient) -> None:
    """The second has not seen what the first has stored."""
    new = {"carrier": "ZZ", "name": "Zeppelin Lines"}
    seen = (await client.post("/airlines", json=new)).json()["version"]
    first = {"name": "Zeppelin", "version": seen}
    changed = await client.patch("/airlines/ZZ", json=first)
    assert (changed.status_code, changed.json()) == (200, {**new, **first, "version": seen + 1})
    second = {"name": "Blimps", "version": seen}
    stale = await client.patch("/airlines/ZZ", json=second)
    assert (stale.status_code, stale.json()) == (409, {"detail": "Conflict"})
    again = await client.patch("/airlines/ZZ", json={**second, "version": seen + 1})
    assert (again.status_code, again.json()["name"]) == (200, "Blimps")
    assert (await client.patch("/airlines/ZZ", json={"name": "No version"})).status_code == 422
    assert (await client.delete("/airlines/ZZ")).status_code == 204
    assert (await client.patch("/airlines/ZZ", json=first)).status_code == 404


@shares_the_service
async def test_upload_and_download(client: httpx.AsyncClient, db: AsyncSessionFactory) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        body = lines(range(1, 2001)) + b"\n\n"
        for at in range(0, len(body), 7001):
            yield body[at : at + 7001]

    stored = await client.post("/upload", content=in_pieces())
    assert (stored.status_code, stored.json()) == (201, {"rows": 2000})
    assert (await client.post("/upload", content=b"")).json() == {"rows": 0}

    async with client.stream("GET", "/flights.csv") as answer:
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        text = [line async for line in answer.aiter_lines()]
    rows = list(csv.DictReader(text))
    assert len(rows) == 3375 + 2000
    flights = (await db.scalars(select(Flight).order_by(Flight.id))).all()
    columns = list(rows[0])
    assert "number" in columns
    for row, flight in zip(rows, flights, strict=True):
        values = (getattr(flight, name) for name in columns)
        assert list(row.values()) == ["" if value is None else str(value) for value in values]


@shares_the_service
@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (lines(range(1, 1500)) + b"\n{", 422, '"line":1500'),
        (lines(range(1, 1500)) + b"\n" + lines(range(1)), 422, '"line":1500'),
        (lines(range(1, 1500)) + b"\n" + lines(range(1, 2), carrier="ZZ"), 422, "foreign_key"),
        (b"\xff", 422, '"line":1'),
        (b"[" * 20_000, 413, "10000 bytes"),
        (b"\n" * 100_001, 413, "100000 lines"),
    ],
    ids=["no JSON", "no flight", "no airline", "no text", "long line", "many lines"],
)
async def test_a_wrong_upload_stores_nothing(
    client: httpx.AsyncClient, db: AsyncSessionFactory, body: bytes, status: int, says: str
) -> None:
    answer = await client.post("/upload", content=body)
    assert answer.status_code == status
    assert says in answer.text
    assert await db.scalar(COUNT) == 3375
    assert checked_out(db.engine) == 0


@pytest.mark.parametrize("backend", ["sqlite", "asyncpg"], indirect=True)
async def test_when_no_connection_is_free(database_url: URL) -> None:
    settings = settings_of(database_url, pool_size=1, pool_timeout=0.05, demo_data=False)
    app = create_app(settings)
    db: AsyncSessionFactory = app.state.db
    async with serving(app) as client:
        async with db.begin():
            for method, path, body in (
                ("GET", "/flights", b""),
                ("GET", "/flights/1", b""),
                ("GET", "/flights.csv", b""),
                ("POST", "/flights", lines(range(1, 2))),
                ("POST", "/upload", lines(range(1, 2))),
            ):
                headers = {"Content-Type": "application/json"}
                answer = await client.request(method, path, content=body, headers=headers)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), path
            sick = await client.get("/health")
            assert (sick.status_code, sick.json()["detail"]) == (503, "no database: TimeoutError")
        assert (await client.get("/health")).json() == {"status": "ok"}
        assert (await client.get("/flights")).json()["total"] == 0


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_health_when_the_server_is_down(driver: str) -> None:
    # Port 1 is nobody's.
    url = URL.create(f"postgresql+{driver}", "nobody", host="127.0.0.1", port=1, database="none")
    app = create_app(settings_of(url))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/health")
    assert answer.status_code == 503
    assert "no database" in answer.json()["detail"]


@shares_the_service
async def test_a_client_that_leaves_a_download(
    client: httpx.AsyncClient, db: AsyncSessionFactory
) -> None:
    async with hanging_up(client.base_url.port or 0, 4096) as (reader, writer):
        writer.write(request("GET", "/flights.csv"))
        await reader.readuntil(b"\r\n\r\n")
        assert b"id,day" in await reader.read(100)
        assert checked_out(db.engine) == 1
    # The pool has one connection, and gives it to whoever asks next.
    assert (await client.get("/flights?per_page=1")).json()["total"] == 3375
    assert checked_out(db.engine) == 0


@shares_the_service
async def test_a_client_that_leaves_an_upload(
    client: httpx.AsyncClient, db: AsyncSessionFactory
) -> None:
    body = lines(range(1, 3000))
    async with hanging_up(client.base_url.port or 0) as (reader, writer):
        writer.write(request("POST", "/upload", body, "Expect: 100-continue"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body[: len(body) // 2])
        await writer.drain()
    assert (await client.get("/flights?per_page=1")).json()["total"] == 3375
    assert await db.scalar(COUNT) == 3375
    assert checked_out(db.engine) == 0


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_an_empty_database_is_filled_once(database_url: URL) -> None:
    for filled, total in ((False, 0), (True, 3375), (True, 3375)):
        async with serving(create_app(settings_of(database_url, demo_data=filled))) as client:
            assert (await client.get("/flights")).json()["total"] == total


def test_settings_from_the_environment() -> None:
    assert Settings.from_environment({}) == Settings()
    environment = {"DATABASE_URL": "x", "POOL_SIZE": "3", "POOL_TIMEOUT": ".5", "DEMO_DATA": "0"}
    assert Settings.from_environment(environment) == Settings("x", 3, 0.5, False)


def test_the_schema_tells_what_comes_out(tmp_path: Path) -> None:
    schema = create_app(Settings(f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite'}")).openapi()
    paths = schema["paths"]
    assert sorted(paths) == [
        "/airlines",
        "/airlines/{carrier}",
        "/flights",
        "/flights.csv",
        "/flights/latest",
        "/flights/search",
        "/flights/{flight_id}",
        "/health",
        "/trips",
        "/trips/{trip_id}",
        "/trips/{trip_id}/flights",
        "/upload",
    ]
    read = paths["/flights/{flight_id}"]["get"]["responses"]["200"]["content"]
    assert read["application/json"]["schema"]["$ref"].endswith("/FlightDetails")
    # The columns of the answers are those of the model: none was forgotten.
    columns = {column.key for column in Flight.__mapper__.column_attrs}
    assert set(schema["components"]["schemas"]["FlightOut"]["properties"]) == columns


async def test_the_documented_command(tmp_path: Path) -> None:
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", "uvicorn", "--factory", "examples.service.app:create_app"),
        *("--port", "0"),
        cwd=ROOT,
        env={"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'flights.sqlite'}"},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said = b""
        while (found := re.search(rb"running on (http://[\d.:]+)", said)) is None:
            line = await running.stderr.readline()  # type: ignore[union-attr]
            assert line, said.decode()
            said += line
        async with httpx.AsyncClient(base_url=found[1].decode()) as client:
            assert (await client.get("/health")).json() == {"status": "ok"}
            assert (await client.get("/flights?per_page=1")).json()["total"] == 3375
        running.send_signal(signal.SIGINT)
        said += (await running.communicate())[1]
        assert b"Application shutdown complete" in said
        assert b"rror" not in said
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        await running.wait()
