"""Rows as JSON, whole and streamed, and streams of objects of the caller's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from naked_sqla.sessions import checks
from naked_sqla.sessions._async.caller import AsyncCaller
from naked_sqla.sessions.calls.statement import IntoCall

if TYPE_CHECKING:
    from sqlalchemy import Executable
    from sqlalchemy.ext.asyncio import AsyncScalarResult

    from naked_sqla.sessions._async.stream import AsyncStreaming
    from naked_sqla.sessions.types import C, Options, Parameters, Strategy


class AsyncDocuments(AsyncCaller):
    """Rows as JSON."""

    __slots__ = ()

    async def json(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        into: type[Any] | None = None,
        validate: bool = True,
        execution_options: Options = None,
    ) -> bytes:
        """Run a statement, and return its rows as a JSON array.

        PostgreSQL writes the array itself, if it writes the values as Python does. Otherwise orjson
        or msgspec writes it.

        :param into: the class whose fields each JSON object has, as in :meth:`into`, with the names
            of aliases; ``None``: all that the statement loads.
        :param validate: ``False`` skips pydantic's validation.
        :return: the array as UTF-8.
        :raises RowMismatch: the class and the statement do not fit, known before a row is read; or
            a value has no form in JSON.
        :raises ImportError: the call needs orjson or msgspec, and neither is installed.

        And the errors of :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        # imported when it is first used, as what it runs
        from naked_sqla.sessions.calls.json import JsonCall

        found: bytes = await self._call(
            JsonCall("json", into, statement, parameters, validate, execution_options)
        )
        return found


class AsyncClassStreams:
    """Objects of the caller's classes, and JSON, chunk by chunk."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _streaming(self, read: Any, call: Any) -> Any: ...
        async def _stream_scalars(self, call: Any) -> Any: ...

    def stream_into(
        self,
        cls: type[C],
        statement: Executable,
        parameters: Parameters = None,
        *,
        validate: bool = True,
        strategy: Strategy | None = None,
        execution_options: Options = None,
    ) -> AsyncStreaming[AsyncScalarResult[C]]:
        """Fill an object of your own class from each row, chunk by chunk. Use it as :meth:`stream`.

        Arguments and errors as in :meth:`into`.
        """
        call = IntoCall(
            "stream_into",
            cls,
            statement,
            parameters,
            validate,
            execution_options,
            streams=True,
            strategy=strategy,
        )
        streaming: AsyncStreaming[AsyncScalarResult[C]] = self._stream_of(call)
        return streaming

    def stream_json(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        into: type[Any] | None = None,
        validate: bool = True,
        execution_options: Options = None,
    ) -> AsyncStreaming[AsyncScalarResult[bytes]]:
        """Read rows chunk by chunk as lines of JSON: one object and a newline each. Use it as
        :meth:`stream`.

        Arguments and errors as in :meth:`json`.
        """
        from naked_sqla.sessions.calls.json import JsonCall

        call = JsonCall(
            "stream_json", into, statement, parameters, validate, execution_options, streams=True
        )
        streaming: AsyncStreaming[AsyncScalarResult[bytes]] = self._stream_of(call)
        return streaming

    def _stream_of(self, call: IntoCall) -> Any:
        if call.options is not None:
            checks.stream_options(call.options)
        return self._streaming(self._stream_scalars, call)
