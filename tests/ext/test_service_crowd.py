"""examples/service under 200 clients at once, of which a quarter hang up in the middle.

Afterwards no connection is out, no transaction is open, whoever was told that a row is stored finds
it, and of an upload there is all or nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import URL, create_engine, event, func, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from examples.models import Flight
from examples.service.app import create_app
from naked_sqla import AsyncSessionFactory

from .._notes import checked_out
from ..ext.test_service import FLIGHT, settings_of
from ._raw_client import hanging_up, request
from ._server import serving

pytestmark = [
    pytest.mark.parametrize("backend", ["sqlite", "asyncpg"], indirect=True),
]

ROWS = 60
DAY = dt.date(2013, 2, 11)


@dataclass
class Crowd:
    """The clients of a server, and what they were told.

    :ivar busy: set when one was told to come back later.
    :ivar created: the keys that a 201 named.
    :ivar uploaded: the tail numbers of the uploads that were answered with 201.
    :ivar torn: the tail numbers of the uploads whose body was not sent whole.
    """

    client: httpx.AsyncClient
    db: AsyncSessionFactory
    busy: asyncio.Event = field(default_factory=asyncio.Event)
    created: list[int] = field(default_factory=list)
    uploaded: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.client.base_url.port or 0

    async def ask(self, method: str, path: str, status: int = 200, **how: Any) -> httpx.Response:
        """Ask until there is a connection for it; the answer has to have this status."""
        while True:
            answer = await self.client.request(method, path, **how)
            if answer.status_code != 503:
                assert answer.status_code == status, answer.text
                return answer
            assert answer.headers["retry-after"] == "1"
            self.busy.set()

    # ---- those who stay

    async def create(self, tail: str) -> None:
        created = await self.ask("POST", "/flights", 201, json={**FLIGHT, "tailnum": tail})
        key = created.json()["id"]
        self.created.append(key)
        assert (await self.ask("GET", f"/flights/{key}")).json()["tailnum"] == tail
        change = {"dep_delay": 7}
        assert (await self.ask("PATCH", f"/flights/{key}", json=change)).json()["dep_delay"] == 7

    async def upload(self, tail: str) -> None:
        stored = await self.ask("POST", "/upload", 201, content=body_of(tail))
        assert stored.json() == {"rows": ROWS}
        self.uploaded.append(tail)

    async def download(self, tail: str) -> None:
        assert (await self.ask("GET", "/flights.csv")).text.count("\n") > 3375

    async def read(self, tail: str) -> None:
        await self.ask("GET", "/flights/search", params={"airline": "Virgin"})
        page = (await self.ask("GET", "/flights/latest")).json()
        await self.ask("GET", "/flights/latest", params={"after": page["next_cursor"]})

    async def hold_a_connection(self) -> None:
        """Keep a connection until somebody could not have one."""
        async with self.db.begin():
            await self.busy.wait()

    # ---- those who leave

    async def leave_at_once(self, tail: str) -> None:
        async with hanging_up(self.port) as (_, writer):
            body = json.dumps({**FLIGHT, "tailnum": tail}).encode()
            writer.write(request("POST", "/flights", body) + body)

    async def leave_when_it_is_written(self, tail: str) -> None:
        """Hang up while the INSERT is on its way to the database."""
        sent = asyncio.Event()

        def watch(conn: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if tail in str(parameters):
                sent.set()

        engine = self.db.engine.sync_engine
        event.listen(engine, "before_cursor_execute", watch)
        try:
            async with hanging_up(self.port) as (reader, writer):
                body = json.dumps({**FLIGHT, "tailnum": tail}).encode()
                writer.write(request("POST", "/flights", body) + body)
                # or it is told that there is no connection
                waiting = [asyncio.create_task(coro) for coro in (sent.wait(), reader.read(1))]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in waiting:
                    task.cancel()
        finally:
            event.remove(engine, "before_cursor_execute", watch)

    async def leave_an_upload(self, tail: str) -> None:
        """Hang up when half of the body was sent, and the handler waits for the rest."""
        self.torn.append(tail)
        body = body_of(tail)
        async with hanging_up(self.port) as (reader, writer):
            writer.write(request("POST", "/upload", body, "Expect: 100-continue"))
            await reader.readuntil(b"\r\n\r\n")
            writer.write(body[: len(body) // 2])
            await writer.drain()

    async def leave_after_an_upload(self, tail: str) -> None:
        body = body_of(tail)
        async with hanging_up(self.port) as (_, writer):
            writer.write(request("POST", "/upload", body) + body)
            await writer.drain()

    async def leave_a_download(self, tail: str) -> None:
        async with hanging_up(self.port, 4096) as (reader, writer):
            writer.write(request("GET", "/flights.csv"))
            await reader.readuntil(b"\r\n\r\n")
            await reader.read(100)

    def all(self) -> list[Callable[[str], Awaitable[None]]]:
        """What twenty of them do, one after the other; five leave."""
        return [
            *(self.create, self.upload, self.leave_at_once, self.read),
            *(self.create, self.download, self.leave_when_it_is_written, self.upload),
            *(self.create, self.read, self.leave_an_upload, self.create),
            *(self.upload, self.create, self.leave_after_an_upload, self.download),
            *(self.create, self.read, self.leave_a_download, self.upload),
        ]


def body_of(tail: str) -> bytes:
    line = json.dumps({**FLIGHT, "tailnum": tail}).encode()
    return b"\n".join([line] * ROWS)


def at_shutdown(app: FastAPI, check: Callable[[], Awaitable[None]]) -> None:
    """Have ``check`` run when the last request has ended and the pool is not disposed of yet."""
    inner = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        async with inner(app) as state:
            yield state
            await check()

    app.router.lifespan_context = lifespan


class Watched:
    """What the requests leave behind in the pool of an engine, and in the database."""

    def __init__(self, db: AsyncSessionFactory, url: URL) -> None:
        self.db = db
        self.url = url
        self.pids: list[int] = []
        self.left: list[Any] | None = None
        if url.get_backend_name() == "postgresql":
            event.listen(db.engine.sync_engine, "connect", self._connected)

    def _connected(self, dbapi_connection: Any, _: Any) -> None:
        self.pids.append(dbapi_connection.driver_connection.get_server_pid())

    async def look(self) -> None:
        """Note in ``left`` whatever is open."""
        self.left = [checked_out(self.db.engine), *self._transactions()]
        if any(self.left):
            return
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(self.db.engine.pool.size()):  # type: ignore[attr-defined]
                session = await stack.enter_async_context(self.db.begin())
                assert await session.scalar(text("SELECT 1")) == 1
        self.left.append(checked_out(self.db.engine))

    def _transactions(self) -> list[str]:
        if self.url.get_backend_name() == "sqlite":
            with contextlib.closing(sqlite3.connect(str(self.url.database), timeout=0)) as conn:
                conn.execute("BEGIN IMMEDIATE")
            return []
        query = text("SELECT state FROM pg_stat_activity WHERE pid = ANY(:pids)")
        engine = create_engine(
            self.url.set(drivername="postgresql+psycopg").difference_update_query(["dsn"])
        )
        with engine.connect() as conn:
            states = list(conn.scalars(query, {"pids": self.pids}))
        engine.dispose()
        return [state for state in states if state != "idle"]


@pytest.mark.parametrize(
    ("clients", "pool_size", "pool_timeout"),
    [(200, 10, 30.0), (40, 1, 0.3)],
    ids=["patient", "short of connections"],
)
async def test_a_crowd(
    database_url: URL, clients: int, pool_size: int, pool_timeout: float
) -> None:
    app = create_app(settings_of(database_url, pool_size=pool_size, pool_timeout=pool_timeout))
    db: AsyncSessionFactory = app.state.db
    watched = Watched(db, database_url)
    at_shutdown(app, watched.look)
    async with serving(app, send_buffer=4096) as client:
        crowd = Crowd(client, db)
        kinds = crowd.all()
        people: Iterable[Any] = (
            kinds[number % len(kinds)](f"X{number}") for number in range(clients)
        )
        if pool_timeout < 1:
            people = chain(people, [crowd.hold_a_connection()])
        await asyncio.gather(*people)
    assert watched.left == [0, 0]
    assert crowd.busy.is_set() == (pool_timeout < 1)

    other = create_async_engine(database_url)
    async with other.connect() as conn:
        keys = set(await conn.scalars(select(Flight.id).where(Flight.day == DAY)))
        counts = select(Flight.tailnum, func.count()).where(Flight.day == DAY)
        rows = (await conn.execute(counts.group_by(Flight.tailnum))).all()
    await other.dispose()
    stored = dict(map(tuple, rows))
    assert keys.issuperset(crowd.created)
    assert len(crowd.created) == clients * 6 // 20
    assert len(crowd.uploaded) == clients * 4 // 20
    assert {stored[tail] for tail in crowd.uploaded} == {ROWS}
    assert not stored.keys() & set(crowd.torn)
    assert set(stored.values()) == {1, ROWS}
