"""A proxy in front of PostgreSQL that cuts, hangs, delays or garbles at a message of your choice.

::

    with running_proxy(server) as proxy:
        engine = create_async_engine(proxy.url(postgres_url("asyncpg")))
        fault = proxy.on("commit", "answered", "cut")  # stored, and nobody is told
        ...
        assert fault.fired

It runs in a thread of its own, so that synchronous and asynchronous tests use it alike, and it
reads the wire protocol: simple queries, and Parse, Bind and Execute.  Requests to cancel pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from sqlalchemy import URL

from ._wire import Link, Moment, Reader

T = TypeVar("T")

# "sent": the server does not get the message.  "answered": it has done what was asked, and the
# client does not get the answer.
Side = Literal["sent", "answered"]
# "hang": nothing goes on until the test calls release(), or the client hangs up.
Action = Literal["cut", "hang", "garble"]


@dataclass
class Fault:
    """What happens at a message; made by :meth:`Proxy.on`."""

    moment: Moment
    side: Side
    action: Action
    containing: str
    skip: int
    times: int | None
    # How often it happened.
    count: int = 0
    _reached: threading.Event = field(default_factory=threading.Event)
    _released: threading.Event = field(default_factory=threading.Event)
    _waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=list)

    @property
    def fired(self) -> bool:
        """Whether it has happened."""
        return self._reached.is_set()

    def wait(self, seconds: float = 10) -> None:
        """Wait in a thread until it happens; ``TimeoutError`` when it does not."""
        if not self._reached.wait(seconds):
            raise TimeoutError(f"no client came to {self.moment!r} in {seconds} seconds")

    async def happens(self, seconds: float = 10) -> None:
        """Wait in a task until it happens; ``TimeoutError`` when it does not."""
        await asyncio.to_thread(self.wait, seconds)

    def release(self) -> None:
        """Let go on what hangs here; whoever comes later does not hang any more."""
        self._released.set()
        for loop, event in list(self._waiting):
            with contextlib.suppress(RuntimeError):  # the proxy is closed
                loop.call_soon_threadsafe(event.set)

    def _takes(self, moments: set[Moment], side: Side, sql: str) -> bool:
        if self.moment not in moments or self.side != side or self.containing not in sql:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    async def _held(self, gone: asyncio.Event) -> None:
        """Wait for release(), or until the client hangs up."""
        loop, released = asyncio.get_running_loop(), asyncio.Event()
        self._waiting.append((loop, released))
        self._happened()
        if self._released.is_set():
            return
        ends = [asyncio.ensure_future(event.wait()) for event in (released, gone)]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()

    def _happened(self) -> None:
        self.count += 1
        self._reached.set()


class Proxy:
    """Listens on a port of this machine; made by :func:`running_proxy`."""

    def __init__(self, server: URL) -> None:
        host, port = str(server.query.get("host") or server.host), server.port or 5432
        self._server = str(Path(host) / f".s.PGSQL.{port}") if host.startswith("/") else host
        self._server_port = port
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._links: set[Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def url(self, url: URL) -> URL:
        """Give the URL that reaches the same database through this proxy."""
        return url.difference_update_query(["host", "port"]).set(host="127.0.0.1", port=self._port)

    def on(
        self,
        moment: Moment,
        side: Side,
        action: Action,
        *,
        containing: str = "",
        skip: int = 0,
        times: int | None = 1,
    ) -> Fault:
        """Let something happen at a message of any client, from now on.

        :param containing: a part of the SQL; other statements pass.
        :param skip: how many such messages pass before.
        :param times: how often it happens; ``None`` for always.
        """
        fault = Fault(moment, side, action, containing, skip, times)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all faults, and let go on what hangs."""
        with self._lock:
            faults, self._faults = self._faults, []
        for fault in faults:
            fault.release()

    def cut_all(self) -> None:
        """Cut each connection that is open now."""
        self._run(self._cut_all())

    def send_all(self, answer: bytes) -> None:
        """Send each connection that is open now an answer that it did not ask for."""

        async def send() -> None:
            for link in list(self._links):
                await link._send(link.writer, answer)

        self._run(send())

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._links)

    def start(self) -> None:
        self._thread.start()
        self._listener = self._run(self._listen())
        self._port: int = self._listener.sockets[0].getsockname()[1]

    def stop(self) -> None:
        self.clear()
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, coro: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coro, self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(self._protocol, "127.0.0.1", 0)

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(Reader(), self._connected)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self, reader, writer)
        self._links.add(link)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await link.run()
        link.cut()
        self._links.discard(link)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._server.startswith("/"):
            return await asyncio.open_unix_connection(self._server)
        return await asyncio.open_connection(self._server, self._server_port)

    async def _cut_all(self) -> None:
        for link in list(self._links):
            link.cut()

    async def _end(self) -> None:
        self._listener.close()
        await self._cut_all()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=5)

    def _fault(self, moments: set[Moment], side: Side, sql: str = "") -> Fault | None:
        with self._lock:
            live = [fault for fault in self._faults if fault.times != 0]
            return next((fault for fault in live if fault._takes(moments, side, sql)), None)


@contextlib.contextmanager
def running_proxy(server: URL) -> Iterator[Proxy]:
    """Give a proxy in front of a server, that runs until the block ends.

    :param server: the URL of the server, as the fixture ``postgres_server`` gives it.
    """
    proxy = Proxy(server)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
