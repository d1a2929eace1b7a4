"""The methods of an ``AsyncSession`` and its factory that write by object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from naked_sqla.sessions import checks
from naked_sqla.sessions._async.inserts import AsyncInserts
from naked_sqla.sessions._async.links import AsyncLinks
from naked_sqla.sessions._async.notifying import AsyncNotifying

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from naked_sqla.sessions.types import C, Field, K, Options


class AsyncWrites(AsyncInserts, AsyncLinks, AsyncNotifying):
    """Writes by object: each call sends its statements at once, and keeps nothing for later.

    Pass instances of mapped classes, constructed or loaded. With ``model=``, you can also pass
    dictionaries, dataclasses, attrs classes, named tuples and pydantic models. The calls store
    column attributes, and the relationships that are named. They do not change the objects that you
    pass, and return new objects of the stored rows.

    In a session, a call is part of its transaction. On a factory, it is a transaction of its own.

    All calls raise these errors before they send anything: ``InvalidSessionState`` on a closed
    session, and on a factory with ``auto_commit=False``; ``ConcurrentSessionUse`` if another task
    is inside the session; ``InvalidStatement`` if nothing says which row an object belongs to;
    ``UnknownAttribute`` for a name that the class does not have. Errors of the database, such as
    ``IntegrityError``, come out unchanged.
    """

    __slots__ = ()

    # ---- UPDATE

    @overload
    async def update(
        self,
        model: type[C],
        ident: Any,
        values: Mapping[K, Any] = ...,
        /,
        *,
        version: Any = ...,
        returning: Literal[True] = True,
        execution_options: Options = None,
        **columns: Any,
    ) -> C: ...

    @overload
    async def update(
        self,
        model: type[Any],
        ident: Any,
        values: Mapping[K, Any] = ...,
        /,
        *,
        version: Any = ...,
        returning: Literal[False],
        execution_options: Options = None,
        **columns: Any,
    ) -> int: ...

    @overload
    async def update(
        self,
        obj: object,
        /,
        *fields: Field,
        returning: Literal[True] = True,
        model: type[C],
        execution_options: Options = None,
    ) -> C: ...

    @overload
    async def update(
        self,
        obj: C,
        /,
        *fields: Field,
        returning: Literal[True] = True,
        model: None = None,
        execution_options: Options = None,
    ) -> C: ...

    @overload
    async def update(
        self,
        obj: object,
        /,
        *fields: Field,
        returning: Literal[False],
        model: type[Any] | None = None,
        execution_options: Options = None,
    ) -> int: ...

    async def update(
        self,
        target: Any,
        /,
        *fields: Any,
        returning: bool = True,
        execution_options: Options = None,
        **columns: Any,
    ) -> Any:
        """Update one row by its primary key, and return the stored row.

        ``update(obj, *fields)`` stores the attributes of the object that are named. Without names,
        it stores all columns that the object has, except the key and columns with ``onupdate``.

        ``update(User, 1, visits=User.visits + 1)`` and ``update(User, 1, {"visits": 2})`` store
        values, which may be SQL expressions. Use the dictionary for a column that has the name of
        an argument.

        :param fields: attributes, or their names.
        :param model: the mapped class. After an object that is not an instance of one, pass it by
            name.
        :param ident: the primary key; a tuple for a composite one.
        :param values: values by attribute, or by its name.
        :param columns: values by the names of attributes.
        :param version: the version that the row must have, for a class with a ``version_id_col``. A
            version among the values, or on the object, means the same.
        :param returning: ``False`` returns the number of rows, which is 1, instead of the stored
            row.
        :param execution_options: options of each statement that the call sends.
        :raises RowGone: the row does not exist, or belongs to another class.
        :raises VersionConflict: the row has another version.
        :raises InvalidRequestError: the primary key is missing, or is not complete.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import objects

        named = {**columns, "returning": returning}
        call = WriteCall("update", objects.update, target, fields, named, execution_options)
        return await self._call(call)

    @overload
    async def update_all(
        self,
        objs: Iterable[object],
        *fields: Field,
        returning: Literal[True] = True,
        model: type[C],
        execution_options: Options = None,
    ) -> list[C]: ...

    @overload
    async def update_all(
        self,
        objs: Iterable[C],
        *fields: Field,
        returning: Literal[True] = True,
        model: None = None,
        execution_options: Options = None,
    ) -> list[C]: ...

    @overload
    async def update_all(
        self,
        objs: Iterable[object],
        *fields: Field,
        returning: Literal[False],
        model: type[Any] | None = None,
        execution_options: Options = None,
    ) -> int: ...

    async def update_all(
        self,
        objs: Iterable[Any],
        *fields: Any,
        returning: bool = True,
        model: Any = None,
        execution_options: Options = None,
    ) -> Any:
        """Update rows by their primary keys, and return the stored rows.

        Objects that follow each other and have the same class and attributes share a batch.

        :param fields: attributes, or their names; none: all columns that an object has, except its
            key and columns with ``onupdate``.
        :param returning: ``False`` returns the number of rows, and does not read the rows back.
        :param execution_options: options of each statement that the call sends.
        :return: new objects with the stored values, in the order of ``objs``.
        :raises RowGone: rows do not exist, or belong to another class. The error names their keys.
        :raises VersionConflict: rows have other versions. The error names the keys of all of them.
        :raises InvalidRequestError: an object has no primary key.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import objects

        named = {"returning": returning, "model": model}
        call = WriteCall("update_all", objects.update_all, objs, fields, named, execution_options)
        return await self._call(call)

    # ---- DELETE

    @overload
    async def delete(
        self,
        model: type[Any],
        ident: Any,
        /,
        *,
        missing_ok: bool = False,
        execution_options: Options = None,
    ) -> bool: ...

    @overload
    async def delete(
        self,
        obj: object,
        /,
        *,
        missing_ok: bool = False,
        model: type[Any] | None = None,
        execution_options: Options = None,
    ) -> bool: ...

    async def delete(
        self,
        target: Any,
        /,
        *ident: Any,
        missing_ok: bool = False,
        model: Any = None,
        execution_options: Options = None,
    ) -> bool:
        """Delete one row by its primary key: ``delete(obj)``, or ``delete(User, 1)``.

        :param missing_ok: return ``False`` if the row does not exist, instead of raising
            ``RowGone``.
        :param execution_options: options of each statement that the call sends.
        :return: ``True`` if the row existed.
        :raises RowGone: the row does not exist, or belongs to another class.
        :raises VersionConflict: the row has another version than the object.
        :raises InvalidRequestError: the primary key is missing, or is not complete.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import objects

        named = {"missing_ok": missing_ok, "model": model}
        call = WriteCall("delete", objects.delete, target, ident, named, execution_options)
        found: bool = await self._call(call)
        return found

    async def delete_all(
        self,
        objs: Iterable[object],
        *,
        missing_ok: bool = False,
        model: type[Any] | None = None,
        execution_options: Options = None,
    ) -> int:
        """Delete rows by the primary keys of objects, up to 500 with one statement.

        :param missing_ok: ignore rows that do not exist, instead of raising ``RowGone``.
        :param execution_options: options of each statement that the call sends.
        :return: the number of rows that existed.
        :raises RowGone: rows do not exist, or belong to another class. The error names their keys.
        :raises VersionConflict: rows have other versions. The error names the keys of all of them.
        :raises InvalidRequestError: an object has no primary key.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import objects

        named = {"missing_ok": missing_ok, "model": model}
        call = WriteCall("delete_all", objects.delete_all, objs, (), named, execution_options)
        count: int = await self._call(call)
        return count
