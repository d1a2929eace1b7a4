# Generated from naked_sqla/sessions/_async/inserts.py by tools/async_to_sync.py: do not edit.
"""The methods of a ``Session`` and its factory that insert rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from naked_sqla.sessions import checks
from naked_sqla.sessions._sync.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Iterable

    from naked_sqla.sessions.types import C, Field, Fields, Options, Relationship


class SyncInserts(Caller):
    """INSERT of objects, one or many; with ON CONFLICT; and COPY."""

    __slots__ = ()

    # ---- INSERT

    @overload
    def insert(self, obj: object, *, model: type[C], execution_options: Options = None) -> C: ...

    @overload
    def insert(
        self,
        obj: C,
        *relationships: Relationship,
        model: None = None,
        execution_options: Options = None,
    ) -> C: ...

    def insert(
        self, obj: Any, *relationships: Any, model: Any = None, execution_options: Options = None
    ) -> Any:
        """Insert one row; an attribute that was not set is left out, and gets its default.

        :param obj: an instance of a mapped class; with ``model``, any object with its attributes,
            or a dictionary.
        :param model: the mapped class, where ``obj`` is not an instance of it.
        :param relationships: store the new objects in these relationships of a constructed object
            too, its own and those that they lead to:
            ``insert(team, Team.projects, Project.threads)``.  The result has them.
        :param execution_options: of each statement that the call sends.
        :return: the stored row as a new object, its key and server defaults filled in.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import objects

        if relationships:
            return self._call(_related("insert", obj, relationships, {}, model, execution_options))
        named = {"model": model}
        call = WriteCall("insert", objects.insert, obj, (), named, execution_options)
        return self._call(call)

    @overload
    def insert_all(
        self,
        objs: Iterable[object],
        *,
        batch_size: int | None = None,
        model: type[C],
        execution_options: Options = None,
    ) -> list[C]: ...

    @overload
    def insert_all(
        self,
        objs: Iterable[C],
        *relationships: Relationship,
        batch_size: int | None = None,
        model: None = None,
        execution_options: Options = None,
    ) -> list[C]: ...

    def insert_all(
        self,
        objs: Iterable[Any],
        *relationships: Any,
        batch_size: int | None = None,
        model: Any = None,
        execution_options: Options = None,
    ) -> list[Any]:
        """Insert rows, of one class or several, with one statement for each run of one kind.

        :param objs: the objects, as :meth:`insert` takes them.
        :param model: the mapped class, where they are not instances of one.
        :param relationships: store these too, as :meth:`insert` does.
        :param batch_size: at most so many rows in one statement.
        :param execution_options: of each statement that the call sends.
        :return: the stored rows as new objects, in the order of ``objs``.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import objects

        if relationships:
            given = {"batch_size": batch_size}
            call = _related("insert_all", objs, relationships, given, model, execution_options)
            return self._call(call)  # type: ignore[no-any-return]
        named = {"batch_size": batch_size, "model": model}
        call = WriteCall("insert_all", objects.insert_all, objs, (), named, execution_options)
        stored: list[Any] = self._call(call)
        return stored

    # ---- INSERT ... ON CONFLICT

    @overload
    def upsert(
        self,
        obj: object,
        *,
        on: Fields | None = None,
        update: Fields | None = None,
        model: type[C],
        execution_options: Options = None,
    ) -> C: ...

    @overload
    def upsert(
        self,
        obj: C,
        *,
        on: Fields | None = None,
        update: Fields | None = None,
        model: None = None,
        execution_options: Options = None,
    ) -> C: ...

    def upsert(
        self,
        obj: Any,
        *,
        on: Fields | None = None,
        update: Fields | None = None,
        model: Any = None,
        execution_options: Options = None,
    ) -> Any:
        """Insert a row, or update the one that is there.

        Arguments and errors as in :meth:`upsert_all`.

        :return: the stored row as a new object.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import objects

        named = {"on": on, "update": update, "model": model}
        call = WriteCall("upsert", objects.upsert, obj, (), named, execution_options)
        return self._call(call)

    @overload
    def upsert_all(
        self,
        objs: Iterable[object],
        *,
        on: Fields | None = None,
        update: Fields | None = None,
        model: type[C],
        execution_options: Options = None,
    ) -> list[C]: ...

    @overload
    def upsert_all(
        self,
        objs: Iterable[C],
        *,
        on: Fields | None = None,
        update: Fields | None = None,
        model: None = None,
        execution_options: Options = None,
    ) -> list[C]: ...

    def upsert_all(
        self,
        objs: Iterable[Any],
        *,
        on: Fields | None = None,
        update: Fields | None = None,
        model: Any = None,
        execution_options: Options = None,
    ) -> list[Any]:
        """Insert rows; where one is there already, update it.  SQLite and PostgreSQL.

        :param objs: the objects, as :meth:`insert` takes them.
        :param model: the mapped class, where they are not instances of one.
        :param on: the attributes of a unique constraint; left out: the primary key.
        :param update: the attributes that a row takes where it is there already; left out: all
            that the object has, but the key; ``[]``: none, the row stays (insert or ignore).
        :param execution_options: of each statement that the call sends.
        :return: the stored rows as new objects, in the order of ``objs``.
        :raises InvalidStatement: another database, or a class that is stored in several tables.
        :raises RowExcluded: a row is there that the criteria of the factory exclude.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import objects

        named = {"on": on, "update": update, "model": model}
        call = WriteCall("upsert_all", objects.upsert_all, objs, (), named, execution_options)
        stored: list[Any] = self._call(call)
        return stored

    # ---- COPY

    def copy_in(
        self,
        model: type[Any],
        rows: Iterable[Any],
        *,
        columns: Iterable[Field] | None = None,
        execution_options: Options = None,
    ) -> int:
        """Store rows with PostgreSQL's COPY: many rows, in constant memory, and none comes back.

        :param rows: objects, dictionaries, or tuples in the order of ``columns``; they are read
            one by one, as they are sent.
        :param columns: the attributes that are stored; left out: those of the first row, or for
            tuples all columns of the table.  A column that is not among them gets its default.
        :param execution_options: ``schema_translate_map`` says in which schema the table is.
        :return: the number of rows.
        :raises InvalidStatement: another driver than psycopg, a class that is stored in several
            tables, a row that lacks a column.

        An error of ``rows`` itself comes out as it is.  ``rows`` can't use this session.
        """
        if execution_options is not None:
            checks.write_options(execution_options)
        from naked_sqla.sessions.calls.write import WriteCall
        from naked_sqla.write import copying

        named = {"columns": columns}
        call = WriteCall("copy_in", copying.copy_in, model, (rows,), named, execution_options)
        count: int = self._call(call)
        return count


def _related(
    name: str, subject: Any, named: tuple[Any, ...], arguments: Any, model: Any, options: Options
) -> Any:
    """The call that inserts objects with some relationships."""
    from naked_sqla.sessions.calls.related import GraphCall
    from naked_sqla.write import graph

    function = graph.insert_related if name == "insert" else graph.insert_all_related
    return GraphCall(name, function, subject, named, {**arguments, "model": model}, options)
