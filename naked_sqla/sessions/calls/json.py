"""The call that gives rows as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import results
from naked_sqla.sessions import checks
from naked_sqla.sessions.calls.statement import IntoCall

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("JsonCall",)


class JsonCall(IntoCall):
    """Run a statement, and give the JSON of its rows.

    :ivar cls: the class whose fields they have, or None.
    :ivar streams: give a result of lines that reads from the connection while it is read.
    """

    __slots__ = ()

    @property
    def goes_directly(self) -> bool:
        # the database may write the array, in a statement of its own
        return False

    def run(self, conn: Connection, eager: bool) -> Any:
        # imported when it is first used: services that load entities never pay for it
        from naked_sqla.into import as_json

        checks.statement_options(self.statement, self.options)
        found: Any = (as_json.stream if self.streams else as_json.execute)(
            conn,
            self.cls,
            self.statement,
            self.parameters,
            validate=self.validate,
            execution_options=self.options,
        )
        return results.sync_result(found) if self.streams else found
