"""The methods of an ``AsyncSession`` and its factory that give or fill objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from naked_sqla.sessions import checks
from naked_sqla.sessions._async.caller import AsyncCaller
from naked_sqla.sessions.calls.lookup import LookupCall
from naked_sqla.sessions.calls.statement import IntoCall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Executable, ScalarResult

    from naked_sqla.sessions._async.batch_loader import BatchLoader  # ASYNC
    from naked_sqla.sessions.types import (
        C,
        ForUpdate,
        LoaderOptions,
        Options,
        Parameters,
        Path,
        Strategy,
    )


class AsyncLookups(AsyncCaller):
    """Load objects by their keys, fill objects of your own classes, load relationships."""

    __slots__ = ()

    async def get(
        self,
        model: type[C],
        ident: Any,
        *,
        options: LoaderOptions = None,
        execution_options: Options = None,
        with_for_update: ForUpdate = None,
    ) -> C | None:
        """Load one object by its primary key. The call always sends one SELECT.

        :param model: the mapped class.
        :param ident: the primary key: a value, or for a composite key a tuple or a dictionary by
            attribute.
        :param options: loader options, such as ``[selectinload(User.posts)]``.
        :param with_for_update: ``True``, or the arguments of ``Select.with_for_update()``: lock the
            row.
        :return: the object, or ``None`` if the row does not exist.
        :raises ArgumentError: ``model`` is not a mapped class.
        :raises InvalidRequestError: ``ident`` does not fit the primary key.

        And the errors of :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        found: C | None = await self._call(
            LookupCall("get", model, ident, options, execution_options, with_for_update)
        )
        return found

    async def get_one(
        self,
        model: type[C],
        ident: Any,
        *,
        options: LoaderOptions = None,
        execution_options: Options = None,
        with_for_update: ForUpdate = None,
    ) -> C:
        """Load one object by its primary key, or raise an error if the row does not exist.

        Arguments and errors as in :meth:`get`.

        :return: the object.
        :raises NoResultFound: the row does not exist.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        found: C = await self._call(
            LookupCall("get_one", model, ident, options, execution_options, with_for_update, True)
        )
        return found

    @overload
    async def get_many(
        self,
        model: type[C],
        idents: Iterable[Any],
        *,
        options: LoaderOptions = None,
        missing: Literal["raise", "skip"] = "raise",
        execution_options: Options = None,
    ) -> list[C]: ...

    @overload
    async def get_many(
        self,
        model: type[C],
        idents: Iterable[Any],
        *,
        options: LoaderOptions = None,
        missing: Literal["none"],
        execution_options: Options = None,
    ) -> list[C | None]: ...

    async def get_many(
        self,
        model: type[C],
        idents: Iterable[Any],
        *,
        options: LoaderOptions = None,
        missing: Literal["raise", "none", "skip"] = "raise",
        execution_options: Options = None,
    ) -> list[Any]:
        """Load objects by their primary keys, in the order of the keys.

        One SELECT takes 10,000 keys of one column, or 500 composite keys. If a key comes twice, the
        list has the same object twice.

        :param idents: any number of keys, each as in :meth:`get`.
        :param options: loader options.
        :param missing: the result for a key without a row: ``"raise"`` raises ``NoResultFound``,
            ``"none"`` puts ``None`` in its place, ``"skip"`` leaves it out.
        :return: a list of objects.
        :raises NoResultFound: a key has no row, with ``missing="raise"``.
        :raises InvalidRequestError: a key does not fit the primary key.

        And the errors of :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        # imported when it is first used, as all that loads further objects
        from naked_sqla.sessions.calls.many import ManyCall

        found: list[Any] = await self._call(
            ManyCall("get_many", model, list(idents), options, execution_options, missing)
        )
        return found

    if True:  # ASYNC

        @overload
        def loader(
            self,
            model: type[C],
            key: Any = None,
            *,
            many: Literal[False] = False,
            order_by: Any = (),
            options: LoaderOptions = None,
            execution_options: Options = None,
        ) -> BatchLoader[C | None]: ...

        @overload
        def loader(
            self,
            model: type[C],
            key: Any = None,
            *,
            many: Literal[True],
            order_by: Any = (),
            options: LoaderOptions = None,
            execution_options: Options = None,
        ) -> BatchLoader[list[C]]: ...

        def loader(
            self,
            model: type[C],
            key: Any = None,
            *,
            many: bool = False,
            order_by: Any = (),
            options: LoaderOptions = None,
            execution_options: Options = None,
        ) -> BatchLoader[Any]:
            """Make a loader. It loads all keys of one turn of the event loop with one statement.

            Make one for each request, because it keeps what it has loaded.

            :param key: the attribute that is the key, or a tuple of attributes; ``None``: the
                primary key.
            :param many: ``True``: a key gives a list of objects. ``False``: an object, or ``None``.
            :param order_by: the order of the objects of one key: an expression, or several.
            :raises ArgumentError: ``model`` is not a mapped class.
            :raises InvalidStatement: the key is not a column.
            """
            from naked_sqla.sessions._async.batch_loader import BatchLoader

            if execution_options is not None:
                checks.execution_options(execution_options)
            return BatchLoader(self, model, key, many, order_by, options, execution_options)

    async def into(
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
        :param strategy: ``"json"``: the statement itself loads the rows of relationships, as JSON;
            ``None``: a further statement for each relationship and level.
        :return: SQLAlchemy's ``ScalarResult`` of the objects.
        :raises UnsupportedOption: with ``"json"``: a value does not come back from JSON unchanged.
        :raises ValueError: another strategy.
        :raises RowMismatch: the class and the statement do not fit, known before a row is read.

        And the errors of :meth:`execute`.
        """
        if execution_options is not None:
            checks.execution_options(execution_options)
        result: ScalarResult[C] = await self._call(
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

    async def preload(self, objs: Any, *paths: Path, force: bool = False) -> None:
        """Load relationships of objects that you have, and set them on these objects.

        The call sends one statement for each relationship and level. It skips relationships that
        are loaded already.

        :param objs: an object, or any iterable of objects and ``None``, from any session.
        :param paths: ``User.posts``, or ``(User.posts, Post.comments)`` for several levels.
        :param force: load relationships again that are loaded already.
        :raises InvalidStatement: a path is not a relationship.
        :raises TypeError: no statement of this library has loaded an object, or the class of an
            object does not have the relationship.
        """
        from naked_sqla.sessions.calls.many import PreloadCall

        await self._call(PreloadCall("preload", objs, paths, force))
