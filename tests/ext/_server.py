"""A real server for an ASGI application, in the loop of the test, and a real client for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import uvicorn


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()
        self.is_over = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        """Wait for the end; uvicorn's own loop looks for it ten times in a second."""
        await self.is_over.wait()


@contextlib.asynccontextmanager
async def serving(app: Any, *, send_buffer: int | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a server that runs until the block ends; both through TCP on 127.0.0.1.

    :param send_buffer: how many bytes, about, the system takes from the server for a client that
        does not read.
    """
    with socket.socket() as sock:
        if send_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        config = uvicorn.Config(
            app, http="h11", ws="none", lifespan="on", log_config=None, access_log=False
        )
        server = _Server(config)
        running = asyncio.create_task(server.serve(sockets=[sock]))
        up = asyncio.create_task(server.is_up.wait())
        try:
            await asyncio.wait((running, up), return_when=asyncio.FIRST_COMPLETED)
            if running.done() or not server.started:
                raise RuntimeError("the application did not start")
            # One connection for each request: what a request leaves open does not hold the next.
            limits = httpx.Limits(max_keepalive_connections=0)
            base_url = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(base_url=base_url, limits=limits, timeout=30) as client:
                yield client
        finally:
            up.cancel()
            server.is_over.set()
            await running
