"""Calls that open a cursor, from which a stream reads."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from naked_sqla.sessions.calls.base import CallAround

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("OpeningCall",)


class OpeningCall(CallAround):
    """A call whose cursor is closed when the call fails.

    SQLAlchemy closes none of a connection that it gives up, and fetches the first row while it
    executes; psycopg warns of a cursor that is freed and was never closed.
    """

    __slots__ = ()

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
