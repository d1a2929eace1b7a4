"""The rows of a SELECT that has no entities and ran before, in SQLAlchemy's own ``CursorResult``.

Metadata, rows and their conversion are SQLAlchemy's; what only a few look at is made for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import is_not
from typing import Any

from sqlalchemy.engine import CursorResult
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

from naked_sqla._sqlalchemy.unopened import Unopened

__all__ = ("DirectResult", "KeptRows", "SentSelect")

_CursorResult: Any = CursorResult
_Buffered: Any = FullyBufferedCursorFetchStrategy


class DirectResult(_CursorResult):  # type: ignore[misc]
    """A result that was read from its cursor at once, without a cursor.

    :ivar connection: of a single call: closed, as any is after its call.
    """

    _echo = False
    _soft_closed = True
    cursor = None

    def __init__(self, conn: Any, sent: SentSelect, rows: Sequence[Any], *told: Any) -> None:
        """Make a result of rows.

        :param told: ``rowcount`` and ``lastrowid`` of the cursor.
        """
        self._metadata = sent.metadata
        self.dialect = conn.dialect
        self.cursor_strategy = _Buffered(None, sent.description, rows)
        self._made = conn, sent, told

    @cached_property
    def connection(self) -> Any:
        conn = self._made[0]
        return conn.closed() if type(conn) is Unopened else conn

    @cached_property
    def context(self) -> Any:
        _, sent, told = self._made
        return sent.context(self.connection, _ReadCursor(sent.description, *told))


class SentSelect:
    """A SELECT that is sent, and what its result and its execution context are made of."""

    __slots__ = ("_arguments", "_of_context", "description", "metadata")

    def __init__(self, metadata: Any, description: Any, arguments: Any, *of_context: Any) -> None:
        """Note what is sent.

        :param description: of the cursor.
        :param arguments: the values that it is sent with.
        :param of_context: the compiled form, the statement, its parameters, the values in it.
        """
        self.metadata = metadata
        self.description = description
        self._arguments = arguments
        self._of_context = of_context

    def result(
        self, conn: Any, rows: Sequence[Any], rowcount: int, lastrowid: int | None
    ) -> DirectResult:
        """The result of its rows, and of what its cursor would tell besides."""
        return DirectResult(conn, self, rows, rowcount, lastrowid)

    def context(self, conn: Any, cursor: _ReadCursor) -> Any:
        """The execution context, as it is after its rows were read."""
        dialect = conn.dialect
        compiled, statement, parameters, values = self._of_context
        context = dialect.execution_ctx_cls._init_compiled(
            dialect,
            conn,
            cursor,
            statement._execution_options.merge_with(conn._execution_options),
            compiled,
            [parameters] if parameters else [],
            statement,
            values,
            cache_hit=dialect.CACHE_HIT,
        )
        # a value may be computed when it is asked for
        context.parameters = [self._arguments]
        return context


class _ReadCursor:
    """What a cursor tells after its rows were read; also the connection that gives it."""

    arraysize = 1

    def __init__(self, description: Any, rowcount: int, lastrowid: int | None) -> None:
        self.description = description
        self.rowcount = rowcount
        if lastrowid is not None:
            self.lastrowid = lastrowid

    def cursor(self) -> _ReadCursor:
        return self

    def close(self) -> None:
        """Nothing is open."""


class _Pair:
    """As much of an execution context as metadata asks for."""

    __slots__ = ("compiled", "invoked_statement")

    def __init__(self, compiled: Any, invoked_statement: Any) -> None:
        self.compiled = compiled
        self.invoked_statement = invoked_statement


class KeptRows:
    """What the rows of a compiled SELECT have in common, whichever statement of its form is sent.

    :ivar metadata: of the compiled statement.
    """

    __slots__ = ("_description", "_last", "metadata")

    def __init__(self, metadata: Any, description: Any) -> None:
        self.metadata = metadata
        self._description = description
        self._last: tuple[Sequence[Any], Any] | None = None

    @classmethod
    def known(cls, result: Any) -> KeptRows | None:
        """What is kept of a result that was read at once; None where each has other columns."""
        metadata = result.context.compiled._cached_metadata
        description = result.cursor_strategy.alternate_cursor_description
        return None if metadata is None else cls(metadata, description)

    def sent(
        self,
        compiled: Any,
        statement: Any,
        parameters: Mapping[str, Any] | None,
        values: Sequence[Any],
        arguments: Any,
    ) -> SentSelect:
        """What becomes of a statement that is about to be sent."""
        # who looks at them later finds what was sent
        given = dict(parameters) if parameters else None
        metadata = self._metadata_for(compiled, statement)
        return SentSelect(
            metadata, self._description, arguments, compiled, statement, given, values
        )

    def _metadata_for(self, compiled: Any, statement: Any) -> Any:
        """The metadata, in which the columns of the statement in hand are found too."""
        if compiled.statement is statement:
            return self.metadata
        columns = statement._all_selected_columns
        # one value, since two threads may send the same statement
        last = self._last
        if last is None or len(last[0]) != len(columns) or any(map(is_not, last[0], columns)):
            adapted = self.metadata._adapt_to_context(_Pair(compiled, statement))
            last = self._last = columns, adapted
        return last[1]
