# Generated from naked_sqla/sessions/_async/lookups.py by tools/async_to_sync.py: do not edit.
"""The methods of a ``Session`` and its factory that give or fill objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.caller import Caller
from naked_sqla.sessions.calls.lookup import LookupCall
from naked_sqla.sessions.calls.statement import IntoCall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Executable, ScalarResult

    from naked_sqla.sessions.types import (
        C,
        ForUpdate,
        LoaderOptions,
        Options,
        Parameters,
        Path,
        Strategy,
    )


class SyncLookups(Caller):
    """Objects by their keys, rows as objects of your own classes, relationships of objects."""

    __slots__ = ()

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

        :param model: the mapped class.
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
            LookupCall("get", model, ident, options, execution_options, with_for_update)
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
        """Load one object by its primary key; a row that is not there is an error.

        Arguments and errors as in :meth:`get`.

        :raises NoResultFound: when there is no such row.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        found: C = self._call(
            LookupCall("get_one", model, ident, options, execution_options, with_for_update, True)
        )
        return found

    @overload
    def get_many(
        self,
        model: type[C],
        idents: Iterable[Any],
        *,
        options: LoaderOptions = None,
        missing: Literal["raise", "skip"] = "raise",
        execution_options: Options = None,
    ) -> list[C]: ...

    @overload
    def get_many(
        self,
        model: type[C],
        idents: Iterable[Any],
        *,
        options: LoaderOptions = None,
        missing: Literal["none"],
        execution_options: Options = None,
    ) -> list[C | None]: ...

    def get_many(
        self,
        model: type[C],
        idents: Iterable[Any],
        *,
        options: LoaderOptions = None,
        missing: Literal["raise", "none", "skip"] = "raise",
        execution_options: Options = None,
    ) -> list[Any]:
        """Load objects by their primary keys, in the order of the keys.

        One SELECT for 10,000 keys of one column, for 500 of several.  A key that comes twice gives
        the same object twice.

        :param idents: keys, each as :meth:`get` takes it; any number.
        :param options: loader options.
        :param missing: what a key without a row gives: ``"raise"`` an error, ``"none"`` a ``None``
            in its place, ``"skip"`` nothing.
        :raises NoResultFound: when a key has no row, with ``"raise"``.
        :raises InvalidRequestError: when a key does not fit the primary key.

        And the errors of :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        # imported when it is first used, as all that loads further objects
        from naked_sqla.sessions.calls.many import ManyCall

        found: list[Any] = self._call(
            ManyCall("get_many", model, list(idents), options, execution_options, missing)
        )
        return found

    def into(
        self,
        cls: type[C],
        statement: Executable,
        parameters: Parameters = None,
        *,
        validate: bool = True,
        strategy: Strategy | None = None,
        execution_options: Options = None,
    ) -> ScalarResult[C]:
        """Run a statement, and fill an object of your own class from each of its rows.

        :param cls: a dataclass, pydantic model, msgspec Struct, attrs class, named tuple,
            ``TypedDict``, or a class with keyword arguments.
        :param statement: any statement that returns rows.
        :param validate: ``False`` makes pydantic models without validation.
        :param strategy: ``"json"``: one statement brings the rows of relationships too, as JSON;
            ``None``: a further statement for each relationship and level.
        :raises UnsupportedOption: for what does not come back from JSON exactly as it was.
        :raises ValueError: for another strategy.
        :raises RowMismatch: when the class and the statement do not fit; before a row is read.

        And the errors of :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        result: ScalarResult[C] = self._call(
            IntoCall(
                "into",
                cls,
                statement,
                parameters,
                validate,
                execution_options,
                strategy=strategy,
            )
        )
        return result

    def preload(self, objs: Any, *paths: Path, force: bool = False) -> None:
        """Load relationships of objects in hand, and set them on these objects.

        One statement for each relationship and level.  A relationship that is loaded already is
        left alone.

        :param objs: an object, or any iterable of objects and ``None``, from any session.
        :param paths: ``User.posts``, or ``(User.posts, Post.comments)`` for several levels.
        :param force: load relationships again that are loaded already.
        :raises InvalidStatement: for a path that is no relationship.
        :raises TypeError: for an object that no statement of this library loaded, or that has no
            such relationship.
        """
        from naked_sqla.sessions.calls.many import PreloadCall

        self._call(PreloadCall("preload", objs, paths, force))
