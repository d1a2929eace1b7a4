"""Calls that open a cursor, from which a stream reads."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from naked_sqla.sessions.calls.base import Call, Effects

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("OpeningCall",)


class OpeningCall(Call):
    """A call whose cursor is closed when the call fails.

    SQLAlchemy closes none of a connection that it gives up, and fetches the first row while it
    executes; psycopg warns of a cursor that is freed and was never closed.
    """

    __slots__ = ("call", "name", "options")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.name = call.name
        self.options = call.options

    def run(self, conn: Connection, eager: bool) -> Any:
        cursors: list[Any] = []

        def opening(_conn: Any, cursor: Any, *_: Any) -> None:
            cursors.append(cursor)

        event.listen(conn, "before_cursor_execute", opening)
        try:
            return self.call.run(conn, eager)
        except BaseException:
            for cursor in cursors:
                with contextlib.suppress(Exception):
                    cursor.close()
            raise
        finally:
            event.remove(conn, "before_cursor_execute", opening)

    def effects(self, eager: bool) -> Effects:
        return self.call.effects(eager)

    def sent(self) -> Any:
        return self.call.sent()

    def is_write(self) -> bool:
        return self.call.is_write()
