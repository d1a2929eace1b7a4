# Generated from naked_sqla/sessions/_async/calls.py by tools/async_to_sync.py: do not edit.
"""The methods that a ``Session`` and its factory share: one statement each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.documents import Documents
from naked_sqla.sessions._sync.lookups import SyncLookups
from naked_sqla.sessions._sync.plans import Plans
from naked_sqla.sessions._sync.rows import Rows
from naked_sqla.sessions.calls.statement import StatementCall, items, scalar, scalars, tuples

if TYPE_CHECKING:
    from sqlalchemy import Executable, Result, ScalarResult, UpdateBase
    from sqlalchemy.engine import TupleResult
    from sqlalchemy.sql.selectable import TypedReturnsRows

    from naked_sqla.sessions.types import T2, Options, Parameters, RowOfLine, T, Ts, TupleRows


class SyncCalls(Rows, SyncLookups, Plans, Documents):
    """Run one statement with each call.

    In a session, the statement is part of its transaction. On a factory, each call is a transaction
    of its own, on a connection that goes back to the pool. A statement that only reads is sent
    without BEGIN and COMMIT, if that is cheaper.
    """

    __slots__ = ()

    _row: RowOfLine

    @overload
    def execute(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Result[tuple[T, *Ts]]: ...

    @overload
    def execute(
        self,
        statement: TypedReturnsRows[*tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Result[*tuple[T, *Ts]]: ...

    @overload
    def execute(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Result[*tuple[Any, ...]]: ...

    def execute(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Result[*tuple[Any, ...]]:
        """Run a statement of any kind, and return its buffered result.

        :param parameters: a dictionary; for INSERT, UPDATE and DELETE also a list of dictionaries.
        :return: SQLAlchemy's ``Result``, or its ``CursorResult`` for a statement without rows.
        :raises InvalidSessionState: the session is closed; or the statement may write, on a factory
            with ``auto_commit=False``.
        :raises ConcurrentSessionUse: another thread is inside the session.
        :raises InvalidStatement: ``statement`` is not a statement.
        :raises UnsupportedOption: the call can't honour an option.
        :raises UnknownAttribute: the statement does not use a parameter.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        result: Result[*tuple[Any, ...]] = self._call(
            StatementCall("execute", statement, parameters, execution_options)
        )
        return result

    @overload
    def tuples(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> TupleResult[tuple[T, *Ts]]: ...

    @overload
    def tuples(
        self,
        statement: TypedReturnsRows[*tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> TupleResult[tuple[T, *Ts]]: ...

    @overload
    def tuples(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> TupleResult[Any]: ...

    def tuples(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> TupleResult[Any]:
        """Return rows as typed tuples; arguments and errors as in :meth:`execute`.

        Each row is a ``tuple``, which is faster to make and to unpack than a ``Row``. It also has
        the attributes of a ``Row``: the names of its items, ``t``, ``_mapping``, ``_asdict()``.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        result: TupleResult[Any] = self._call(
            StatementCall("tuples", statement, parameters, execution_options, tuples)
        )
        return result

    @overload
    def scalars(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> ScalarResult[T]: ...

    @overload
    def scalars(
        self,
        statement: TypedReturnsRows[*tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> ScalarResult[T]: ...

    @overload
    def scalars(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> ScalarResult[Any]: ...

    def scalars(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> ScalarResult[Any]:
        """Return the first item of each row; arguments and errors as in :meth:`execute`."""
        if execution_options is not None:
            checks.execution_options(execution_options)
        result: ScalarResult[Any] = self._call(
            StatementCall("scalars", statement, parameters, execution_options, scalars)
        )
        return result

    @overload
    def scalar(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> T | None: ...

    @overload
    def scalar(
        self,
        statement: TypedReturnsRows[*tuple[T, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> T | None: ...

    @overload
    def scalar(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Any: ...

    def scalar(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Any:
        """Return the first item of the first row, or ``None`` if there is no row.

        Arguments and errors as in :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        return self._call(StatementCall("scalar", statement, parameters, execution_options, scalar))

    @overload
    def exec(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> ScalarResult[T]: ...

    @overload
    def exec(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, T2, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> TupleResult[tuple[T, T2, *Ts]]: ...

    @overload
    def exec(
        self,
        statement: TypedReturnsRows[T],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> ScalarResult[T]: ...

    @overload
    def exec(
        self,
        statement: TypedReturnsRows[*tuple[T, T2, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> TupleResult[tuple[T, T2, *Ts]]: ...

    @overload
    def exec(
        self,
        statement: UpdateBase,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Result[*tuple[Any, ...]]: ...

    @overload
    def exec(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Any: ...

    def exec(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Any:
        """Run a statement, and return what ``exec()`` of SQLModel returns.

        A ``ScalarResult`` for one selected item, a ``TupleResult`` for several, and the ``Result``
        for a statement without rows.  Arguments and errors as in :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        return self._call(StatementCall("exec", statement, parameters, execution_options, items))
