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
    """Runs one statement for each call.

    In a session the statement is part of its transaction.  On a factory each call is a
    transaction of its own, on a connection that goes back to the pool; a statement that only reads
    does without BEGIN and COMMIT where that is cheaper.
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
        """Run a statement of any kind and return its buffered result.

        :param parameters: a dictionary, or a list of them for INSERT, UPDATE and DELETE.
        :raises InvalidSessionState: on a closed session; on a factory with ``auto_commit=False``,
            for a statement that may write.
        :raises ConcurrentSessionUse: when another thread is inside the session.
        :raises InvalidStatement: for what is no statement.
        :raises UnsupportedOption: for an option that can't be honoured.
        :raises UnknownAttribute: for a parameter that the statement has no use for.
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
        """The rows of a statement as tuples, typed; arguments and errors as in :meth:`execute`.

        Each row is a ``tuple``, made and unpacked faster than a ``Row``, and has what a ``Row``
        has besides: the names of its items as attributes, ``t``, ``_mapping``, ``_asdict()``.
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
        """Run a statement, and return what SQLModel's ``exec()`` returns.

        One selected item gives a ``ScalarResult``, several a ``TupleResult``, a statement without
        rows its ``Result``.  Arguments and errors as in :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        return self._call(StatementCall("exec", statement, parameters, execution_options, items))
