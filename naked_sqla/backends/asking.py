"""Asking a server to end the statement of a cancelled task, until it has.

A driver asks once.  A request that comes a moment before its statement begins has no effect, and
the statement would go on, with its locks, after everybody has left.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import connections, greenlets

if TYPE_CHECKING:
    from naked_sqla.backends.contracts import Stoppable

__all__ = ("AskAgain",)

logger = logging.getLogger("naked_sqla")

# Seconds to the second request, and then twice as long each time; how long requests are made; how
# long it takes at most to end a process.
_AGAIN = 0.05
_PATIENCE = 0.9
_LAST = 5.0

# The event loop itself holds tasks weakly.
_ending: set[asyncio.Task[None]] = set()


class AskAgain:
    """Asks until the work has ended; a process that does not answer is ended itself.

    :param pid: the number of the server's process, of the driver's connection.
    :param ask: sends one more request.
    :param end: the SQL that ends a process by its number; gives a row where it has.
    """

    __slots__ = ("_ask", "_end", "_pid", "_transaction")

    def __init__(
        self,
        transaction: Stoppable,
        pid: Callable[[Any], int],
        ask: Callable[[Any], Awaitable[Any]],
        end: str,
    ) -> None:
        self._transaction = transaction
        self._pid = pid
        self._ask = ask
        self._end = end

    def applies(self) -> bool:
        """False: the driver itself is told, and asks first."""
        return False

    async def end(self, waits: Any) -> BaseException | None:
        return asyncio.CancelledError()

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        transaction = self._transaction
        conn = transaction.conn
        if not transaction.connected or conn.closed or conn.invalidated:
            yield
            return
        raw, engine = conn.connection.driver_connection, conn.engine
        loop = asyncio.get_running_loop()
        began, pid = loop.time(), self._pid(raw)
        task = loop.create_task(self._keep_asking(raw))
        try:
            yield
        finally:
            task.cancel()
            if loop.time() - began >= _PATIENCE:
                last = loop.create_task(self._end_process(engine, pid))
                _ending.add(last)
                last.add_done_callback(_ending.discard)

    async def _keep_asking(self, raw: Any) -> None:
        wait = _AGAIN
        while True:
            await asyncio.sleep(wait)
            wait *= 2
            with contextlib.suppress(Exception):
                await self._ask(raw)

    async def _end_process(self, engine: Any, pid: int) -> None:
        """End a process that has not answered, over a connection outside of the pool."""
        try:
            async with asyncio.timeout(_LAST):
                await greenlets.greenlet_spawn(
                    connections.run_outside, engine, self._end.format(pid=pid)
                )
        except Exception as error:  # noqa: BLE001
            logger.warning(
                "the statement of a cancelled task may still run, in process %s of the database, "
                "which did not answer, and could not be ended: %r. The connection was discarded.",
                pid,
                error,
            )
