# Generated from naked_sqla/sessions/_async/plans.py by tools/async_to_sync.py: do not edit.
"""The method of a ``Session`` and its factory that shows how the database goes about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Executable


class Plans(Caller):
    """Show the plans of statements."""

    __slots__ = ()

    @overload
    def explain(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | None = None,
        *,
        analyze: bool = False,
        format: Literal["text"] = "text",
    ) -> str: ...

    @overload
    def explain(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | None = None,
        *,
        analyze: bool = False,
        format: Literal["json"],
    ) -> list[dict[str, Any]]: ...

    def explain(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | None = None,
        *,
        analyze: bool = False,
        format: Literal["text", "json"] = "text",
    ) -> Any:
        """Return the plan of a statement, on PostgreSQL and SQLite.

        It is the plan of the first statement that :meth:`execute` would send. It includes joined
        relationships, but not the further statements that load relationships.

        :param analyze: run the statement, and report what it took (PostgreSQL only). What it writes
            is rolled back.
        :param format: ``"text"`` returns a text. ``"json"`` returns PostgreSQL's JSON, or on SQLite
            a dictionary for each step.
        :raises InvalidStatement: another database, or a statement that sends nothing.
        :raises UnsupportedOption: ``analyze`` on SQLite.

        And the errors of :meth:`execute`.
        """
        from naked_sqla.sessions.calls.explain import ExplainCall

        checks.plan_arguments(analyze, format)
        return self._call(ExplainCall("explain", statement, parameters, analyze, format == "json"))
