"""HTTP written by hand, for clients that hang up in the middle of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator


def request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    """The bytes of a request; its body comes right after them, here or later."""
    lines = [f"{method} {path} HTTP/1.1", "Host: test", f"Content-Length: {len(body)}"]
    if body:
        lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, *headers, "", ""]).encode()


@contextlib.asynccontextmanager
async def hanging_up(
    port: int, receive_buffer: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server on 127.0.0.1 that is cut off, without a goodbye, by the block's end.

    :param receive_buffer: how many bytes, about, are taken from a server before they are read.
    """
    sock = socket.socket()
    sock.setblocking(False)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    limit = 2**16 if receive_buffer is None else receive_buffer
    reader, writer = await asyncio.open_connection(sock=sock, limit=limit)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
