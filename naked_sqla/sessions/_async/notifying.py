"""The methods that send notifications of PostgreSQL, and listen to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from naked_sqla.sessions import checks
from naked_sqla.sessions._async.caller import AsyncCaller
from naked_sqla.sessions.routing import BIND_KEY

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from naked_sqla.sessions._async.listening import AsyncNotifications
    from naked_sqla.sessions.routing.databases import Databases


class AsyncNotifying(AsyncCaller):
    """Sends notifications."""

    __slots__ = ()

    async def notify(self, channel: str, payload: str = "", *, bind_key: str | None = None) -> None:
        """Send a notification to a channel of PostgreSQL, when the transaction commits.

        A transaction that is rolled back sends nothing. If a transaction sends the same payload to
        the same channel twice, it arrives once.

        :param channel: the name of the channel: a text of 1 to 63 bytes. Upper and lower case
            differ.
        :param payload: a text of at most 7999 bytes.
        :param bind_key: the database that sends it, for a factory with ``binds``.
        :raises TypeError: the channel or the payload is not a string.
        :raises ValueError: the channel or the payload is too long, or PostgreSQL can't store it.
        :raises InvalidStatement: the database is not PostgreSQL.
        """
        # imported when it is first used, as all that is about notifications
        from naked_sqla.sessions.calls.notify import NotifyCall
        from naked_sqla.sessions.notifications import check_channel, check_payload

        check_channel("notify", channel)
        check_payload(payload)
        options = None if bind_key is None else {BIND_KEY: bind_key}
        await self._call(NotifyCall("notify", channel, payload, options))


class AsyncListening:
    """Listens to notifications."""

    __slots__ = ()

    if TYPE_CHECKING:
        _engine: AsyncEngine
        _databases: Databases | None

    def listen(
        self, *channels: str, heartbeat: float | None = 30.0, bind_key: str | None = None
    ) -> AsyncNotifications:
        """Listen to channels of PostgreSQL, in an ``async with`` block.

        The block has its own connection outside of the pool, in no transaction. It receives
        notifications that are committed after the block was entered. If the connection is lost, the
        block connects again. Then one notification with ``missed=True`` arrives for each channel,
        because others may have been missed.

        :param channels: the names of the channels, as in :meth:`notify`.
        :param heartbeat: seconds of silence after which the server is asked whether it still
            answers; ``None``: never.
        :param bind_key: the database to listen to, for a factory with ``binds``.
        :raises TypeError: no channel is given, or an argument has the wrong type.
        :raises ValueError: the name of a channel is empty, or too long.
        :raises InvalidStatement: another database than PostgreSQL, or another driver than asyncpg
            and psycopg.
        :raises InvalidBind: the bind key is not configured.
        """
        from naked_sqla.sessions._async.listening import AsyncNotifications
        from naked_sqla.sessions.notifications import check_channel, check_seconds, refuse_notify

        if not channels:
            raise TypeError('listen() takes the names of channels: db.listen("jobs").')
        for channel in channels:
            check_channel("listen", channel)
        check_seconds("heartbeat", heartbeat, least="more than 0")
        engine = self._engine
        if bind_key is not None:
            if self._databases is None:
                checks.no_such_bind(bind_key)
            engine = self._databases.engines[self._databases.routes.known(bind_key, "bind_key")]
        refuse_notify("listen", engine.dialect)
        return AsyncNotifications(engine, tuple(dict.fromkeys(channels)), heartbeat)
