"""The call that sends a notification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import text

from naked_sqla.backends import backend_of
from naked_sqla.sessions import checks
from naked_sqla.sessions.calls.base import Call
from naked_sqla.sessions.notifications import refuse_notify

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("NotifyCall",)


class _NotifyFields(NamedTuple):
    name: str
    channel: str
    payload: str
    options: Mapping[str, Any] | None


class NotifyCall(_NotifyFields, Call):
    """Send a notification at COMMIT."""

    __slots__ = ()

    def run(self, conn: Connection, eager: bool) -> None:
        checks.statement_options(None, self.options)
        refuse_notify("notify", conn.dialect)
        sql = backend_of(conn.dialect).notify
        conn.execute(text(str(sql)), {"channel": self.channel, "payload": self.payload}).close()

    def is_write(self) -> bool:
        # a replica sends none
        return True
