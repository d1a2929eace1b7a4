# Generated from naked_sqla/om/sessions/aio/calls.py by tools/async_to_sync.py: do not edit.
"""The methods that a ``Session`` and its factory share: one statement each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from naked_sqla.om.sessions import calls, checks

if TYPE_CHECKING:
    from sqlalchemy import Executable, Result, ScalarResult, UpdateBase
    from sqlalchemy.engine import TupleResult
    from sqlalchemy.sql.selectable import TypedReturnsRows

    from naked_sqla.om.sessions.types import (
        T2,
        C,
        ForUpdate,
        LoaderOptions,
        Options,
        Parameters,
        Path,
        T,
        Ts,
    )


class SyncCalls:
    """Runs one statement for each call.

    In a session the statement is part of its transaction.  On a factory each call is a
    transaction of its own, on a connection that goes back to the pool; a statement that only reads
    does without BEGIN and COMMIT where that is cheaper.
    """

    __slots__ = ()

    def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Run a function of ``_calls`` where this object runs its statements."""
        raise NotImplementedError

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
            calls.execute, statement, parameters, execution_options
        )
        return result

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
        """The rows of a statement as tuples, typed; arguments and errors as in :meth:`execute`."""
        if execution_options is not None:
            checks.execution_options(execution_options)
        result: TupleResult[Any] = self._call(
            calls.tuples, statement, parameters, execution_options
        )
        return result

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
        """The first item of each row; arguments and errors as in :meth:`execute`."""
        if execution_options is not None:
            checks.execution_options(execution_options)
        result: ScalarResult[Any] = self._call(
            calls.scalars, statement, parameters, execution_options
        )
        return result

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
        """The first item of the first row, ``None`` when there is no row.

        Arguments and errors as in :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        return self._call(calls.scalar, statement, parameters, execution_options)

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
        """What SQLModel's ``exec()`` gives, decided by the statement.

        One selected item gives a ``ScalarResult``, several a ``TupleResult``, a statement without
        rows its ``Result``.  Arguments and errors as in :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        return self._call(calls.exec_, statement, parameters, execution_options)

    def get(
        self,
        model: type[C],
        ident: Any,
        *,
        options: LoaderOptions = None,
        execution_options: Options = None,
        with_for_update: ForUpdate = None,
    ) -> C | None:
        """Load one object by its primary key; always one SELECT.

        :param model: a mapped class.
        :param ident: the key: a value, a tuple for a composite key, or a dictionary by attribute.
        :param options: loader options, e.g. ``[selectinload(User.posts)]``.
        :param with_for_update: ``True``, or the arguments of ``Select.with_for_update()``.
        :return: the object, ``None`` when there is no such row.
        :raises ArgumentError: when ``model`` is no mapped class.
        :raises InvalidRequestError: when ``ident`` does not fit the primary key.

        And the errors of :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        found: C | None = self._call(
            calls.get, model, ident, options, execution_options, with_for_update
        )
        return found

    def get_one(
        self,
        model: type[C],
        ident: Any,
        *,
        options: LoaderOptions = None,
        execution_options: Options = None,
        with_for_update: ForUpdate = None,
    ) -> C:
        """As :meth:`get`, for a row that has to be there.

        :raises NoResultFound: when it is not.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        found: C = self._call(
            calls.get_one, model, ident, options, execution_options, with_for_update
        )
        return found

    def into(
        self,
        cls: type[C],
        statement: Executable,
        parameters: Parameters = None,
        *,
        validate: bool = True,
        execution_options: Options = None,
    ) -> ScalarResult[C]:
        """Run a statement, and fill an object of your own class from each of its rows.

        :param cls: a dataclass, pydantic model, msgspec Struct, attrs class, named tuple,
            ``TypedDict``, or a class with keyword arguments.
        :param statement: any statement that returns rows.
        :param validate: ``False`` makes pydantic models without validation.
        :raises RowMismatch: when the class and the statement do not fit; before a row is read.

        And the errors of :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        result: ScalarResult[C] = self._call(
            calls.into, cls, statement, parameters, validate, execution_options
        )
        return result

    def preload(self, objs: Any, *paths: Path, force: bool = False) -> None:
        """Load relationships of objects in hand, and set them on these objects.

        One statement for each relationship and level.  What is loaded already is left alone.

        :param objs: an object, or any iterable of objects and ``None``, from whatever session.
        :param paths: ``User.posts``, or ``(User.posts, Post.comments)`` for several levels.
        :param force: load again what is loaded already.
        :raises InvalidStatement: for a path that is no relationship.
        :raises TypeError: for an object that no statement of this library loaded, or that has no
            such relationship.
        """
        self._call(calls.preload, objs, paths, force)
