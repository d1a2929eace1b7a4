"""As much of PostgreSQL's wire protocol as the proxy of the tests has to understand."""

from __future__ import annotations

import asyncio
import re
import struct
from collections import deque
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from ._proxy import Fault, Proxy

# What a client asks for.  "connect" is a new connection, before its first byte is read, and "fetch"
# a piece of a cursor; "execute" is all that has no name of its own here.
Moment = Literal[
    "connect",
    "begin",
    "execute",
    "fetch",
    "copy",
    "savepoint",
    "release",
    "rollback to",
    "close",
    "commit",
    "rollback",
    "prepare",
    "commit prepared",
    "rollback prepared",
]

# More particular ones come first.
_MOMENTS: Final[tuple[tuple[str, Moment], ...]] = (
    (r"PREPARE\s+TRANSACTION\b", "prepare"),
    (r"COMMIT\s+PREPARED\b", "commit prepared"),
    (r"ROLLBACK\s+PREPARED\b", "rollback prepared"),
    (r"ROLLBACK\s+(WORK\s+|TRANSACTION\s+)?TO\b", "rollback to"),
    (r"(BEGIN|START\s+TRANSACTION)\b", "begin"),
    (r"(COMMIT|END)\b", "commit"),
    (r"(ROLLBACK|ABORT)\b", "rollback"),
    (r"SAVEPOINT\b", "savepoint"),
    (r"RELEASE\b", "release"),
    (r"FETCH\b", "fetch"),
    (r"CLOSE\b", "close"),
    (r"COPY\b", "copy"),
)

# The first packet may ask "may we encrypt?"; the answer is no.
_ENCRYPT: Final = (80877103, 80877104)


# A message that is shorter than the shortest.
_NONSENSE: Final = b"Z\0\0\0\1garbled"


def moments_of(sql: str) -> set[Moment]:
    """Say what a text asks for: one moment for each statement in it."""
    found: set[Moment] = set()
    for part in sql.split(";"):
        statement = re.sub(r"^(\s|--[^\n]*\n|/\*.*?\*/)+", "", part, flags=re.DOTALL)
        if statement:
            named = (m for pattern, m in _MOMENTS if re.match(pattern, statement, re.IGNORECASE))
            found.add(next(named, "execute"))
    return found


class Meaning:
    """Knows what each message of one client asks for, because it has seen those before."""

    def __init__(self) -> None:
        # The SQL of each prepared statement, and the statement of each portal.
        self.statements: dict[bytes, str] = {}
        self.portals: dict[bytes, bytes] = {}

    def of(self, kind: bytes, data: bytes) -> tuple[set[Moment], str]:
        body = data[5:]
        if kind == b"Q":
            sql = body[:-1].decode("utf-8", "replace")
            return moments_of(sql), sql
        if kind == b"P":
            name, sql_bytes, _ = body.split(b"\0", 2)
            self.statements[name] = sql_bytes.decode("utf-8", "replace")
        elif kind == b"B":
            portal, name, _ = body.split(b"\0", 2)
            self.portals[portal] = name
        elif kind == b"E":
            portal = body.split(b"\0", 1)[0]
            sql = self.statements.get(self.portals.get(portal, b""), "")
            # A cursor of asyncpg is a portal with a name.
            return {"fetch"} if portal else moments_of(sql), sql
        return set(), ""


class Reader(asyncio.StreamReader):
    """A reader that knows at once that the other side has hung up, also while nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.gone.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.gone.set()


async def message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)


async def startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Read the first packet of a client, and say no when it asks for encryption before."""
    while True:
        head = await reader.readexactly(8)
        size, code = struct.unpack("!ii", head)
        body = await reader.readexactly(size - 8)
        if code not in _ENCRYPT:
            return head + body
        writer.write(b"N")


class Link:
    """One client, and its connection to the server."""

    def __init__(
        self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        assert isinstance(reader, Reader)
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.server: asyncio.StreamWriter | None = None
        self.meaning = Meaning()
        # What the server has still to answer, oldest first: the kind of message, and its fault.
        self.asked: deque[tuple[bytes, Fault | None]] = deque()
        self.kept: list[bytes] = []
        self.keeping: Fault | None = None

    async def run(self) -> None:
        await self._befalls(self.proxy._fault({"connect"}, "sent"))
        first = await startup(self.reader, self.writer)
        reader, self.server = await self.proxy._connect()
        self.server.write(first)
        pumps = [
            asyncio.ensure_future(self._requests()),
            asyncio.ensure_future(self._answers(reader)),
        ]
        _, pending = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pending:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    def cut(self) -> None:
        for writer in (self.writer, self.server):
            if writer is not None:
                writer.transport.abort()

    async def _requests(self) -> None:
        while True:
            kind, data = await message(self.reader)
            moments, sql = self.meaning.of(kind, data)
            if moments:
                await self._befalls(self.proxy._fault(moments, "sent", sql))
            if kind in (b"Q", b"E", b"S"):
                self.asked.append((kind, self.proxy._fault(moments, "answered", sql)))
            await self._send(self.server, data)

    async def _answers(self, reader: asyncio.StreamReader) -> None:
        while True:
            kind, data = await message(reader)
            fault = self._asked_by(kind)
            self.keeping = self.keeping or fault
            if self.keeping is None:
                await self._send(self.writer, data)
                continue
            self.kept.append(data)
            if kind in (b"Z", b"G", b"H", b"s"):
                # The server is done, or waits: what is kept is the whole answer.
                keeping, self.keeping = self.keeping, None
                await self._befalls(keeping)
                await self._send(self.writer, b"".join(self.kept))
                self.kept.clear()

    def _asked_by(self, kind: bytes) -> Fault | None:
        """Give the fault of the message that this is the answer to, and note what is answered."""
        if not self.asked:
            return None
        asked, fault = self.asked[0]
        if kind == b"E" and asked == b"E":
            # After an error the server passes over all messages up to the next Sync.
            while self.asked and self.asked[0][0] == b"E":
                self.asked.popleft()
        elif kind == b"Z" if asked in (b"Q", b"S") else kind in (b"C", b"I", b"s"):
            self.asked.popleft()
        return fault

    async def _befalls(self, fault: Fault | None) -> None:
        if fault is None:
            return
        if fault.action == "hang":
            await fault._held(self.reader.gone)
            if self.reader.gone.is_set():
                raise ConnectionAbortedError
            return
        fault._happened()
        if fault.action == "garble":
            await self._send(self.writer, _NONSENSE)
        if fault.action == "cut":
            self.cut()
            raise ConnectionAbortedError
        await self.reader.gone.wait()
        raise ConnectionAbortedError

    @staticmethod
    async def _send(writer: asyncio.StreamWriter | None, data: bytes) -> None:
        if writer is not None:
            writer.write(data)
            await writer.drain()
