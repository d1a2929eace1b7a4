# Generated from naked_sqla/sessions/_async/notifying.py by tools/async_to_sync.py: do not edit.
"""The methods that send notifications of PostgreSQL, and listen to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.caller import Caller
from naked_sqla.sessions.routing import BIND_KEY

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from naked_sqla.sessions._sync.listening import Notifications
    from naked_sqla.sessions.routing.databases import Databases


class Notifying(Caller):
    """Sends notifications."""

    __slots__ = ()

    def notify(self, channel: str, payload: str = "", *, bind_key: str | None = None) -> None:
        """Tell all who listen to a channel of PostgreSQL, when the transaction commits.

        Nothing is sent by a transaction that is rolled back.  What a transaction sends twice, with
        the same channel and payload, arrives once.

        :param channel: its name: any text of 1 to 63 bytes, as it is.
        :param payload: a text of 7999 bytes at most.
        :param bind_key: of a factory with ``binds``: the database that sends it.
        :raises TypeError: for anything else than strings.
        :raises ValueError: for a name, or a payload, that PostgreSQL does not take.
        :raises InvalidStatement: on another database than PostgreSQL.
        """
        # imported when it is first used, as all that is about notifications
        from naked_sqla.sessions.calls.notify import NotifyCall
        from naked_sqla.sessions.notifications import check_channel, check_payload

        check_channel("notify", channel)
        check_payload(payload)
        options = None if bind_key is None else {BIND_KEY: bind_key}
        self._call(NotifyCall("notify", channel, payload, options))


class Listening:
    """Listens to notifications."""

    __slots__ = ()

    if TYPE_CHECKING:
        _engine: Engine
        _databases: Databases | None

    def listen(
        self, *channels: str, heartbeat: float | None = 30.0, bind_key: str | None = None
    ) -> Notifications:
        """A block, for ``with``, that listens to channels of PostgreSQL.

        It has a connection of its own beside the pool, in no transaction, and hears what is
        committed after the block was entered.  A connection that is lost is made anew; then a
        notification with ``missed`` comes for each channel, since others may have been missed.

        :param channels: their names, as ``notify()`` takes them.
        :param heartbeat: after so many seconds of silence the server is asked whether it is there;
            ``None`` to ask never.
        :param bind_key: of a factory with ``binds``: the database to listen to.
        :raises TypeError: without a channel; for other arguments.
        :raises ValueError: for a name that PostgreSQL does not take.
        :raises InvalidBind: for a bind key that is not configured.
        """
        from naked_sqla.sessions._sync.listening import Notifications
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
        return Notifications(engine, tuple(dict.fromkeys(channels)), heartbeat)
