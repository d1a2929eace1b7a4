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
        """Insert one row, and return the stored row.

        The INSERT leaves out attributes that are not set, so that the defaults of their columns
        apply. ``obj`` itself stays as it was.

        :param obj: an instance of a mapped class. With ``model``, a dictionary, or an object that
            has the attributes of the model: a dataclass, an attrs class, a named tuple, a pydantic
            model.
        :param model: the mapped class, if ``obj`` is not an instance of one.
        :param relationships: relationships of a constructed object, whose new objects are stored in
            the same call: ``insert(team, Team.projects, Project.files)``.
        :param execution_options: options of each statement that the call sends.
        :return: a new object with the stored values, its key and server defaults included. It has
            the relationships that are named; reading any other one raises ``NotLoadedError``.
        :raises InvalidStatement: nothing says which mapped class ``obj`` belongs to, or a
            relationship is set that the call does not store. Nothing was sent.
        :raises UnknownAttribute: a dictionary has a key that the model does not have. Nothing was
            sent.
        :raises IntegrityError: a constraint of the database refuses the row.
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
        """Insert rows of one class or of several, and return the stored rows.

        Objects that follow each other and have the same class and the same attributes set share a
        statement. All objects are checked before the first statement is sent.  Errors as in
        :meth:`insert`.

        :param objs: objects, as :meth:`insert` takes them.
        :param model: the mapped class, if the objects are not instances of one.
        :param relationships: relationships to store too, as in :meth:`insert`.
        :param batch_size: the largest number of rows in one statement; ``None`` lets SQLAlchemy
            decide.
        :param execution_options: options of each statement that the call sends.
        :return: new objects with the stored values, in the order of ``objs``.
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
        """Insert a row, or update the row that exists, with one INSERT ... ON CONFLICT.

        Arguments and errors as in :meth:`upsert_all`.

        :return: a new object with the stored values.
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
        """Insert rows, or update those that exist: INSERT ... ON CONFLICT of SQLite and PostgreSQL.

        :param objs: objects, as :meth:`insert` takes them.
        :param model: the mapped class, if the objects are not instances of one.
        :param on: the attributes of a unique constraint, by which an existing row is found;
            ``None``: the primary key.
        :param update: the attributes to update in an existing row; ``None``: all that the object
            has, except its key; ``[]``: none, so that an existing row stays as it is.
        :param execution_options: options of each statement that the call sends.
        :return: new objects with the stored values, in the order of ``objs``.
        :raises InvalidStatement: the database has no ON CONFLICT, or the class is stored in several
            tables. Nothing was sent.
        :raises UnknownAttribute: the model does not have a name. Nothing was sent.
        :raises VersionConflict: an existing row has another version than the object.
        :raises RowExcluded: the criteria of the factory exclude an existing row, which stays as it
            is.
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
        """Store rows with PostgreSQL's COPY, in constant memory. No rows come back.

        :param rows: objects, dictionaries, or tuples in the order of ``columns``. They are read one
            by one while they are sent, and can't use this session.
        :param columns: the attributes to store; ``None``: those of the first row, or for tuples all
            columns of the table. Any other column gets its default.
        :param execution_options: ``schema_translate_map`` says in which schema the table is.
        :return: the number of rows.
        :raises InvalidStatement: another driver than psycopg, a class that is stored in several
            tables, or a row that lacks a column.
        :raises UnknownAttribute: the model does not have a name.

        An error that ``rows`` raises comes out unchanged. After any error, nothing of the call is
        stored.
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
