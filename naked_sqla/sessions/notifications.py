"""A notification, and what the arguments of ``listen()`` and ``notify()`` may be."""

from __future__ import annotations

from typing import Any, NamedTuple

from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidStatement
from naked_sqla.sessions import checks

__all__ = ("Notification", "check_channel", "check_payload", "check_seconds", "refuse_notify")

# PostgreSQL's NAMEDATALEN and NOTIFY_PAYLOAD_MAX_LENGTH, each with a zero at its end.
_CHANNEL = 63
_PAYLOAD = 7999


class Notification(NamedTuple):
    """A message that has arrived on a channel.

    :ivar channel: the name of the channel.
    :ivar payload: the text of the message; empty if it has none.
    :ivar pid: the process ID of the server process that has sent it.
    :ivar missed: ``True``: the connection was lost and made again, and notifications of this
        channel may have been missed. Then ``payload`` is empty and ``pid`` is 0.
    """

    channel: str
    payload: str
    pid: int
    missed: bool = False


def check_channel(method: str, channel: Any) -> None:
    """Refuse what can't be the name of a channel.

    :raises TypeError: for anything else than a string.
    :raises ValueError: for an empty one, one with a zero byte, and one of more than 63 bytes.
    """
    if not isinstance(channel, str):
        raise TypeError(f"{method}() takes the name of a channel, a string, got {channel!r}.")
    size = len(channel.encode())
    if not channel or "\x00" in channel or size > _CHANNEL:
        raise ValueError(
            f"{method}(): the channel {channel!r} has {size} bytes. PostgreSQL takes names of 1 to "
            f"{_CHANNEL} bytes, without zero bytes."
        )


def check_payload(payload: Any) -> None:
    """Refuse what can't be sent with a notification.

    :raises TypeError: for anything else than a string.
    :raises ValueError: for more bytes than PostgreSQL takes, and for a zero byte.
    """
    if not isinstance(payload, str):
        raise TypeError(
            f"notify() takes a string as payload, got {type(payload).__name__}. Write it as text, "
            f"e.g. with json.dumps()."
        )
    size = len(payload.encode())
    if size > _PAYLOAD:
        raise ValueError(
            f"notify(): the payload has {size} bytes, and PostgreSQL takes {_PAYLOAD}. Store it "
            f"in a table, and send its key."
        )
    if "\x00" in payload:
        raise ValueError("notify(): the payload has a zero byte, which no text of PostgreSQL has.")


def check_seconds(name: str, seconds: Any, *, least: str) -> None:
    """Refuse what is no number of seconds; None is one for ever.

    :param least: ``"0"``, or ``"more than 0"``.
    :raises TypeError: for anything else.
    """
    if seconds is None:
        return
    if not checks.is_number(seconds) or seconds < 0 or (seconds == 0 and least != "0"):
        raise TypeError(f"{name}= takes seconds, {least} of them, or None, got {seconds!r}.")


def refuse_notify(method: str, dialect: Any) -> None:
    """Refuse a database that has no notifications, and a driver that can't listen.

    :raises InvalidStatement: for these.
    """
    backend = backend_of(dialect)
    if backend.notify is None:
        raise InvalidStatement(
            f"{method}(): {backend.name} has no notifications, which are LISTEN and NOTIFY of "
            f"PostgreSQL. Look into the table from time to time."
        )
    if method == "listen" and not backend.can_listen:
        raise InvalidStatement(f"listen(): {backend} can't. Use asyncpg or psycopg.")
