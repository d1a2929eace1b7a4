"""The method of an ``AsyncSession`` and its factory that shows how the database goes about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from naked_sqla.sessions import checks
from naked_sqla.sessions._async.caller import AsyncCaller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Executable


class AsyncPlans(AsyncCaller):
    """Plans of statements."""

    __slots__ = ()

    @overload
    async def explain(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | None = None,
        *,
        analyze: bool = False,
        format: Literal["text"] = "text",
    ) -> str: ...

    @overload
    async def explain(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | None = None,
        *,
        analyze: bool = False,
        format: Literal["json"],
    ) -> list[dict[str, Any]]: ...

    async def explain(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | None = None,
        *,
        analyze: bool = False,
        format: Literal["text", "json"] = "text",
    ) -> Any:
        """The plan of a statement, on PostgreSQL and SQLite.

        It is the plan of what :meth:`execute` sends, and sends first: joined relationships are in
        it, those of further statements are not.

        :param analyze: run the statement, and tell what it took; PostgreSQL only.  What it writes
            is taken back.
        :param format: ``"json"`` gives what PostgreSQL's JSON has; on SQLite a dictionary for each
            step.
        :raises InvalidStatement: on another database; for a statement that sends nothing.
        :raises UnsupportedOption: for ``analyze`` on SQLite.

        And the errors of :meth:`execute`.
        """
        from naked_sqla.sessions.calls.explain import ExplainCall

        checks.plan_arguments(analyze, format)
        return await self._call(
            ExplainCall("explain", statement, parameters, analyze, format == "json")
        )
