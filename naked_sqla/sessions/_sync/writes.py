# Generated from naked_sqla/sessions/_async/writes.py by tools/async_to_sync.py: do not edit.
"""The methods of a ``Session`` and its factory that write by object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.inserts import SyncInserts
from naked_sqla.sessions._sync.links import Links
from naked_sqla.sessions._sync.notifying import Notifying

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from naked_sqla.sessions.types import C, Field, K, Options


class SyncWrites(SyncInserts, Links, Notifying):
    """Stores objects: one call, one statement (or one for each batch), nothing kept for later.

    Objects are instances of mapped classes, constructed or loaded; or dictionaries, dataclasses,
    attrs classes, named tuples and pydantic models, for which ``model=`` says the mapped class.
    Their column attributes are written, relationships are not.  They stay as they are: the
    calls return new objects of the stored rows.

    In a session a call is part of its transaction; on a factory it is a transaction of its own.

    All raise ``InvalidSessionState`` on a closed session and on a factory with
    ``auto_commit=False``, ``ConcurrentSessionUse`` when another thread is inside the session,
    ``InvalidStatement`` when nothing says which row an object is, and ``UnknownAttribute`` for a
    name that the class does not have; before anything is sent.  Errors of the database
    (``IntegrityError``) come out as they are.
    """

    __slots__ = ()

    # ---- UPDATE

    @overload
    def update(
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
    def update(
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
    def update(
        self,
        obj: object,
        /,
        *fields: Field,
        returning: Literal[True] = True,
        model: type[C],
        execution_options: Options = None,
    ) -> C: ...

    @overload
    def update(
        self,
        obj: C,
        /,
        *fields: Field,
        returning: Literal[True] = True,
        model: None = None,
        execution_options: Options = None,
    ) -> C: ...

    @overload
    def update(
        self,
        obj: object,
        /,
        *fields: Field,
        returning: Literal[False],
        model: type[Any] | None = None,
        execution_options: Options = None,
    ) -> int: ...

    def update(
        self,
        target: Any,
        /,
        *fields: Any,
        returning: bool = True,
        execution_options: Options = None,
        **columns: Any,
    ) -> Any:
        """Update one row by its primary key.

        ``update(obj, *fields)`` stores what the object has for some attributes, or for all of its
        columns but the key.  ``update(User, 1, visits=User.visits + 1)`` and
        ``update(User, 1, {"visits": 2})`` store values, which may be SQL expressions; in the
        dictionary a column may have any name, that of an argument too.  A version among them is the
        one that the row is expected to have.

        :param fields: attributes or their names; left out: all that the object has.
        :param model: the mapped class; after an object that is not an instance of one, by name.
        :param ident: the primary key, a tuple for a composite one.
        :param values: a dictionary of values by attribute or name.
        :param columns: values by the names of attributes.
        :param version: the version that the row is expected to have, of a class with a
            ``version_id_col``; the same as the version among the values.
        :param returning: False: give the number of rows, which is 1, instead of the stored row.
        :param execution_options: of each statement that the call sends.
        :raises RowGone: there is no such row, or it is one of another class.
        :raises VersionConflict: the row has another version by now.
        :raises InvalidRequestError: there is no key, or half of one.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import objects

        named = {**columns, "returning": returning}
        call = WriteCall("update", objects.update, target, fields, named, execution_options)
        return self._call(call)

    @overload
    def update_all(
        self,
        objs: Iterable[object],
        *fields: Field,
        returning: Literal[True] = True,
        model: type[C],
        execution_options: Options = None,
    ) -> list[C]: ...

    @overload
    def update_all(
        self,
        objs: Iterable[C],
        *fields: Field,
        returning: Literal[True] = True,
        model: None = None,
        execution_options: Options = None,
    ) -> list[C]: ...

    @overload
    def update_all(
        self,
        objs: Iterable[object],
        *fields: Field,
        returning: Literal[False],
        model: type[Any] | None = None,
        execution_options: Options = None,
    ) -> int: ...

    def update_all(
        self,
        objs: Iterable[Any],
        *fields: Any,
        returning: bool = True,
        model: Any = None,
        execution_options: Options = None,
    ) -> Any:
        """Update rows by their primary keys, one batch for each run of one kind.

        :param fields: attributes or their names; none: all columns that an object has, but the key.
        :param returning: False: give the number of rows, which spares reading them back.
        :param execution_options: of each statement that the call sends.
        :return: the stored rows as new objects, in the order of ``objs``.
        :raises RowGone: there are no such rows, or they are of another class; it names their keys.
        :raises VersionConflict: rows have other versions by now; it names all of them.
        :raises InvalidRequestError: an object has no key.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import objects

        named = {"returning": returning, "model": model}
        call = WriteCall("update_all", objects.update_all, objs, fields, named, execution_options)
        return self._call(call)

    # ---- DELETE

    @overload
    def delete(
        self,
        model: type[Any],
        ident: Any,
        /,
        *,
        missing_ok: bool = False,
        execution_options: Options = None,
    ) -> bool: ...

    @overload
    def delete(
        self,
        obj: object,
        /,
        *,
        missing_ok: bool = False,
        model: type[Any] | None = None,
        execution_options: Options = None,
    ) -> bool: ...

    def delete(
        self,
        target: Any,
        /,
        *ident: Any,
        missing_ok: bool = False,
        model: Any = None,
        execution_options: Options = None,
    ) -> bool:
        """Delete one row by its primary key: ``delete(obj)``, or ``delete(User, 1)``.

        :param missing_ok: give False where there is no such row, instead of raising.
        :param execution_options: of each statement that the call sends.
        :return: True when there was one.
        :raises RowGone: there is no such row, or it is one of another class.
        :raises VersionConflict: the row has another version by now.
        :raises InvalidRequestError: there is no key, or half of one.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import objects

        named = {"missing_ok": missing_ok, "model": model}
        call = WriteCall("delete", objects.delete, target, ident, named, execution_options)
        found: bool = self._call(call)
        return found

    def delete_all(
        self,
        objs: Iterable[object],
        *,
        missing_ok: bool = False,
        model: type[Any] | None = None,
        execution_options: Options = None,
    ) -> int:
        """Delete rows by the primary keys of objects, 500 with one statement.

        :param missing_ok: leave out rows that are not there, instead of raising.
        :param execution_options: of each statement that the call sends.
        :return: the number of rows that were there.
        :raises RowGone: there are no such rows, or they are of another class; it names their keys.
        :raises VersionConflict: rows have other versions by now; it names all of them.
        :raises InvalidRequestError: an object has no key.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import objects

        named = {"missing_ok": missing_ok, "model": model}
        call = WriteCall("delete_all", objects.delete_all, objs, (), named, execution_options)
        count: int = self._call(call)
        return count
