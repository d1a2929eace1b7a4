# Generated from naked_sqla/sessions/_async/rows.py by tools/async_to_sync.py: do not edit.
"""The methods of a ``Session`` and its factory that give rows, or count them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.caller import Caller
from naked_sqla.sessions.calls.rows import CountCall, FirstCall, RowsCall, every, one, one_or_none

if TYPE_CHECKING:
    from sqlalchemy import Executable, Row
    from sqlalchemy.sql.selectable import TypedReturnsRows

    from naked_sqla.sessions.types import T2, Options, Parameters, RowOfLine, T, Ts, TupleRows


class Rows(Caller):
    """One row, the first one, or all; how many there are, and whether there is any.

    A statement with one selected item gives items, one with several gives rows.  Joined
    collections merge their rows, as ``unique()`` does.
    """

    __slots__ = ()

    _row: RowOfLine

    @overload
    def one(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> T: ...

    @overload
    def one(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, T2, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Row[tuple[T, T2, *Ts]]: ...

    @overload
    def one(
        self,
        statement: TypedReturnsRows[T],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> T: ...

    @overload
    def one(
        self,
        statement: TypedReturnsRows[*tuple[T, T2, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Row[*tuple[T, T2, *Ts]]: ...

    @overload
    def one(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Any: ...

    def one(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Any:
        """Return the only row of a statement.

        :raises NoResultFound: when there is none.
        :raises MultipleResultsFound: when there are several.
        :raises InvalidStatement: for a statement that returns no rows.

        Arguments and further errors as in :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        return self._call(RowsCall("one", statement, parameters, execution_options, one))

    @overload
    def one_or_none(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> T | None: ...

    @overload
    def one_or_none(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, T2, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Row[tuple[T, T2, *Ts]] | None: ...

    @overload
    def one_or_none(
        self,
        statement: TypedReturnsRows[T],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> T | None: ...

    @overload
    def one_or_none(
        self,
        statement: TypedReturnsRows[*tuple[T, T2, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Row[*tuple[T, T2, *Ts]] | None: ...

    @overload
    def one_or_none(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Any: ...

    def one_or_none(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Any:
        """Return the only row of a statement, or ``None`` if there is none.

        :raises MultipleResultsFound: when there are several.
        :raises InvalidStatement: for a statement that returns no rows.

        Arguments and further errors as in :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        return self._call(
            RowsCall("one_or_none", statement, parameters, execution_options, one_or_none)
        )

    @overload
    def first(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> T | None: ...

    @overload
    def first(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, T2, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Row[tuple[T, T2, *Ts]] | None: ...

    @overload
    def first(
        self,
        statement: TypedReturnsRows[T],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> T | None: ...

    @overload
    def first(
        self,
        statement: TypedReturnsRows[*tuple[T, T2, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Row[*tuple[T, T2, *Ts]] | None: ...

    @overload
    def first(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Any: ...

    def first(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> Any:
        """Return the first row of a statement, or ``None`` if there is none.

        A ``select()`` is sent with ``LIMIT 1``, so that no further row is read, or locked.

        :raises InvalidStatement: for a statement that returns no rows.

        Arguments and further errors as in :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        return self._call(FirstCall("first", statement, parameters, execution_options))

    @overload
    def all(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> list[T]: ...

    @overload
    def all(
        self: TupleRows,
        statement: TypedReturnsRows[tuple[T, T2, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> list[Row[tuple[T, T2, *Ts]]]: ...

    @overload
    def all(
        self,
        statement: TypedReturnsRows[T],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> list[T]: ...

    @overload
    def all(
        self,
        statement: TypedReturnsRows[*tuple[T, T2, *Ts]],
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> list[Row[*tuple[T, T2, *Ts]]]: ...

    @overload
    def all(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> list[Any]: ...

    def all(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> list[Any]:
        """Return all rows of a statement, as a list.

        :raises InvalidStatement: for a statement that returns no rows.

        Arguments and further errors as in :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        found: list[Any] = self._call(
            RowsCall("all", statement, parameters, execution_options, every)
        )
        return found

    def exists(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> bool:
        """Return True if a statement has a row.  Sends one small statement, which loads nothing.

        :param statement: a ``select()``, a ``union()`` and its kin, or ``text().columns()``.
        :raises InvalidStatement: for any other statement.

        Further errors as in :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        from naked_sqla.read.shortcuts import exists

        found: bool = self._call(
            CountCall("exists", statement, parameters, execution_options, function=exists)
        )
        return found

    def count(
        self,
        statement: Executable,
        parameters: Parameters = None,
        *,
        execution_options: Options = None,
    ) -> int:
        """Count the rows of a statement.  Sends one small statement, which loads nothing.

        DISTINCT, GROUP BY, LIMIT and OFFSET hold.  Eager loads add no rows; a join does.

        :param statement: a ``select()``, a ``union()`` and its kin, or ``text().columns()``.
        :raises InvalidStatement: for any other statement.
        :raises UnsupportedOption: for a collection filled by ``contains_eager()``, whose objects
            are fewer than the rows.

        Further errors as in :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        from naked_sqla.read.shortcuts import count

        found: int = self._call(
            CountCall("count", statement, parameters, execution_options, function=count)
        )
        return found
