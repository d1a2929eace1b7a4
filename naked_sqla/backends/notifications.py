"""The connection of ``listen()``: what has arrived on it, whether it is lost, on each driver.

A listener has ``listen()``, ``wait()``, ``check()`` and ``close()``, coroutines on an asynchronous
driver; ``take()``, ``abandon()`` and ``lost``, the error that it was lost with.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import time
from collections.abc import Sequence
from typing import Any

__all__ = ("AsyncPsycopgListener", "AsyncpgListener", "PsycopgListener")

# libpq's CONNECTION_BAD
_BAD = 1
# Seconds for a farewell that the server may not answer.
_FAREWELL = 1.0

# The channel, the payload, and the number of the server's process that has sent it.
Arrived = tuple[str, str, int]


class AsyncpgListener:
    """asyncpg reads by itself, and calls back."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._arrived: list[Arrived] = []
        self._woken = asyncio.Event()
        self.lost: BaseException | None = None

    async def listen(self, channels: Sequence[str]) -> None:
        """Listen on channels; what was sent before is not heard."""
        self._raw.add_termination_listener(self._ended)
        for channel in channels:
            await self._raw.add_listener(channel, self._arrive)

    async def wait(self, seconds: float | None) -> None:
        """Wait until something has arrived, or the connection is lost, or the time is over."""
        if self._arrived or self.lost is not None:
            return
        self._woken.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def check(self, seconds: float) -> None:
        """Ask the server whether it is there; without an answer the connection is lost."""
        try:
            await self._raw.execute("SELECT 1", timeout=seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody can listen here
            self.lost = self.lost or error

    def take(self) -> list[Arrived]:
        """What has arrived since the last time."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def abandon(self) -> None:
        """Give the connection up at once."""
        self._raw.terminate()

    async def close(self) -> None:
        """Say farewell to the server."""
        with contextlib.suppress(Exception):
            await self._raw.close(timeout=_FAREWELL)

    def _arrive(self, _: Any, pid: int, channel: str, payload: str) -> None:
        self._arrived.append((channel, payload, pid))
        self._woken.set()

    def _ended(self, _: Any) -> None:
        self.lost = self.lost or ConnectionError("the connection was closed")
        self._woken.set()


class _OfLibpq:
    """libpq reads when it is told to; what has arrived before waits in the socket."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._arrived: list[Arrived] = []
        # True while the answer to check() is awaited, which may have been cancelled
        self._asked = False
        self.lost: BaseException | None = None

    def take(self) -> list[Arrived]:
        """What has arrived since the last time."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def abandon(self) -> None:
        """Give the connection up at once."""
        self._raw.pgconn.finish()

    def _arrive(self, one: Any) -> None:
        self._arrived.append((one.channel, one.payload, one.pid))

    def _has_news(self) -> bool:
        """Read what is there; True for a notification, an answer, or a connection that is lost."""
        pgconn, asked = self._raw.pgconn, self._asked
        encoding = self._raw.info.encoding
        try:
            pgconn.consume_input()
            while self._asked and not pgconn.is_busy():
                self._asked = pgconn.get_result() is not None
            while (one := pgconn.notifies()) is not None:
                channel, payload = one.relname.decode(encoding), one.extra.decode(encoding)
                self._arrived.append((channel, payload, one.be_pid))
        except Exception as error:  # noqa: BLE001 - libpq raises when the connection is gone
            self.lost = self.lost or error
        if pgconn.status == _BAD:
            self.lost = self.lost or ConnectionError("the connection was closed")
        return bool(self._arrived) or self.lost is not None or asked != self._asked

    def _ask(self) -> None:
        try:
            if not self._asked:
                self._raw.pgconn.send_query(b"SELECT 1")
                self._asked = True
            self._raw.pgconn.flush()
        except Exception as error:  # noqa: BLE001 - as above
            self.lost = self.lost or error

    def _waits(self, ends: float) -> bool:
        """True while the answer to check() is awaited; after its time the connection is lost."""
        if not self._asked or self.lost is not None:
            return False
        if time.monotonic() < ends:
            return True
        self.lost = TimeoutError("the server did not answer")
        return False


class PsycopgListener(_OfLibpq):
    """Of the synchronous face; see :class:`AsyncpgListener`."""

    def listen(self, channels: Sequence[str]) -> None:
        self._raw.set_autocommit(True)
        self._raw.add_notify_handler(self._arrive)
        for channel in channels:
            self._raw.execute(_listen(channel))

    def wait(self, seconds: float | None) -> None:
        if self._has_news():
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._raw.fileno(), selectors.EVENT_READ)
            selector.select(seconds)
        self._has_news()

    def check(self, seconds: float) -> None:
        self._ask()
        ends = time.monotonic() + seconds
        while self._waits(ends):
            self.wait(ends - time.monotonic())

    def close(self) -> None:
        self.abandon()


class AsyncPsycopgListener(_OfLibpq):
    """Of the asynchronous face; see :class:`AsyncpgListener`."""

    def __init__(self, raw: Any) -> None:
        super().__init__(raw)
        self._ready: asyncio.Future[None] | None = None

    async def listen(self, channels: Sequence[str]) -> None:
        await self._raw.set_autocommit(True)
        self._raw.add_notify_handler(self._arrive)
        for channel in channels:
            await self._raw.execute(_listen(channel))

    async def wait(self, seconds: float | None) -> None:
        if self._has_news():
            return
        loop = asyncio.get_running_loop()
        socket = self._raw.fileno()
        self._ready = ready = loop.create_future()
        loop.add_reader(socket, _set, ready)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await ready
        finally:
            self._ready = None
            loop.remove_reader(socket)
        self._has_news()

    async def check(self, seconds: float) -> None:
        self._ask()
        ends = time.monotonic() + seconds
        while self._waits(ends):
            await self.wait(ends - time.monotonic())

    async def close(self) -> None:
        if self._ready is not None:
            # a task that waits is not woken by a socket that is closed
            asyncio.get_running_loop().remove_reader(self._raw.fileno())
            _set(self._ready)
        self.abandon()


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _listen(channel: str) -> str:
    quoted = channel.replace('"', '""')
    return f'LISTEN "{quoted}"'
