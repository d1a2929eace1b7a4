# Generated from naked_sqla/om/sessions/aio/writes.py by tools/async_to_sync.py: do not edit.
"""The methods of a ``Session`` and its factory that write by object."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, overload

from naked_sqla.om.sessions import write_calls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from naked_sqla.om.sessions.types import C, Field, Fields


class SyncWrites:
    """Stores objects: one call, one statement (or one for each batch), nothing kept for later.

    Objects are instances of mapped classes, constructed or loaded; or dictionaries, dataclasses,
    attrs classes, named tuples and pydantic models, for which ``model=`` says the mapped class.
    Their column attributes are written, relationships are not.  They stay as they are: what comes
    back are new objects of what is stored.

    In a session a call is part of its transaction; on a factory it is a transaction of its own.

    All raise ``InvalidSessionState`` on a closed session and on a factory with
    ``auto_commit=False``, ``ConcurrentSessionUse`` when another thread is inside the session,
    ``InvalidStatement`` when nothing tells what row an object is, and ``UnknownAttribute`` for a
    name that the class does not have; before anything is sent.  Errors of the database
    (``IntegrityError``) come out as they are.
    """

    __slots__ = ()

    def _call(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Run a function of ``_write_calls`` where this object runs its statements."""
        raise NotImplementedError

    # ---- INSERT

    @overload
    def insert(self, obj: object, *, model: type[C]) -> C: ...

    @overload
    def insert(self, obj: C, *, model: None = None) -> C: ...

    def insert(self, obj: Any, *, model: Any = None) -> Any:
        """Insert one row; what was not set is left out, so that the database's default applies.

        :return: the stored row as a new object, its key and server defaults filled in.
        """
        return self._call(write_calls.insert, obj, model)

    @overload
    def insert_all(
        self, objs: Iterable[object], *, batch_size: int | None = None, model: type[C]
    ) -> list[C]: ...

    @overload
    def insert_all(
        self, objs: Iterable[C], *, batch_size: int | None = None, model: None = None
    ) -> list[C]: ...

    def insert_all(
        self, objs: Iterable[Any], *, batch_size: int | None = None, model: Any = None
    ) -> list[Any]:
        """Insert rows, of one class or several, with one statement for each run of one kind.

        :param batch_size: at most so many rows in one statement.
        :return: the stored rows as new objects, in the order of ``objs``.
        """
        stored: list[Any] = self._call(write_calls.insert_all, objs, batch_size, model)
        return stored

    # ---- UPDATE

    @overload
    def update(
        self, model: type[C], ident: Any, /, *, returning: Literal[True] = True, **values: Any
    ) -> C: ...

    @overload
    def update(
        self, model: type[Any], ident: Any, /, *, returning: Literal[False], **values: Any
    ) -> int: ...

    @overload
    def update(
        self, obj: object, /, *fields: Field, returning: Literal[True] = True, model: type[C]
    ) -> C: ...

    @overload
    def update(
        self, obj: C, /, *fields: Field, returning: Literal[True] = True, model: None = None
    ) -> C: ...

    @overload
    def update(
        self,
        obj: object,
        /,
        *fields: Field,
        returning: Literal[False],
        model: type[Any] | None = None,
    ) -> int: ...

    def update(self, target: Any, /, *fields: Any, returning: bool = True, **values: Any) -> Any:
        """Update one row by its primary key.

        ``update(obj, *fields)`` stores what the object has for some attributes, or for all of its
        columns but the key.  ``update(User, 1, visits=User.visits + 1)`` stores values, which may
        be SQL expressions; a version among them is the one that the row is expected to have.

        :param fields: attributes or their names; after a class: the key, a tuple for a composite
            one.
        :param returning: False: give the number of rows, which is 1, instead of the stored row.
        :raises RowGone: there is no such row, or it is one of another class.
        :raises VersionConflict: the row has another version by now.
        :raises InvalidRequestError: there is no key, or half of one.
        """
        return self._call(write_calls.update, target, fields, returning, values)

    @overload
    def update_all(
        self,
        objs: Iterable[object],
        *fields: Field,
        returning: Literal[True] = True,
        model: type[C],
    ) -> list[C]: ...

    @overload
    def update_all(
        self,
        objs: Iterable[C],
        *fields: Field,
        returning: Literal[True] = True,
        model: None = None,
    ) -> list[C]: ...

    @overload
    def update_all(
        self,
        objs: Iterable[object],
        *fields: Field,
        returning: Literal[False],
        model: type[Any] | None = None,
    ) -> int: ...

    def update_all(
        self, objs: Iterable[Any], *fields: Any, returning: bool = True, model: Any = None
    ) -> Any:
        """Update rows by their primary keys, one batch for each run of one kind.

        :param fields: attributes or their names; none: all columns that an object has, but the key.
        :param returning: False: give the number of rows, which spares reading them back.
        :return: the stored rows as new objects, in the order of ``objs``.
        :raises RowGone: there are no such rows, or they are of another class; it names their keys.
        :raises VersionConflict: rows have other versions by now; it names all of them.
        :raises InvalidRequestError: an object has no key.
        """
        return self._call(write_calls.update_all, objs, fields, returning, model)

    # ---- INSERT ... ON CONFLICT

    @overload
    def upsert(
        self, obj: object, *, on: Fields | None = None, update: Fields | None = None, model: type[C]
    ) -> C: ...

    @overload
    def upsert(
        self, obj: C, *, on: Fields | None = None, update: Fields | None = None, model: None = None
    ) -> C: ...

    def upsert(
        self,
        obj: Any,
        *,
        on: Fields | None = None,
        update: Fields | None = None,
        model: Any = None,
    ) -> Any:
        """Insert a row, or update the one that is there; arguments as in :meth:`upsert_all`.

        :return: the stored row as a new object.
        """
        return self._call(write_calls.upsert, obj, on, update, model)

    @overload
    def upsert_all(
        self,
        objs: Iterable[object],
        *,
        on: Fields | None = None,
        update: Fields | None = None,
        model: type[C],
    ) -> list[C]: ...

    @overload
    def upsert_all(
        self,
        objs: Iterable[C],
        *,
        on: Fields | None = None,
        update: Fields | None = None,
        model: None = None,
    ) -> list[C]: ...

    def upsert_all(
        self,
        objs: Iterable[Any],
        *,
        on: Fields | None = None,
        update: Fields | None = None,
        model: Any = None,
    ) -> list[Any]:
        """Insert rows; where one is there already, update it.  SQLite and PostgreSQL.

        :param on: the attributes of a unique constraint; left out: the primary key.
        :param update: the attributes that a row takes where it is there already; left out: all
            that the object has, but the key; ``[]``: none, the row stays (insert or ignore).
        :return: the stored rows as new objects, in the order of ``objs``.
        :raises InvalidStatement: another database, or a class that is stored in several tables.
        """
        stored: list[Any] = self._call(write_calls.upsert_all, objs, on, update, model)
        return stored

    # ---- DELETE

    @overload
    def delete(self, model: type[Any], ident: Any, /, *, missing_ok: bool = False) -> bool: ...

    @overload
    def delete(
        self, obj: object, /, *, missing_ok: bool = False, model: type[Any] | None = None
    ) -> bool: ...

    def delete(
        self, target: Any, /, *ident: Any, missing_ok: bool = False, model: Any = None
    ) -> bool:
        """Delete one row by its primary key: ``delete(obj)``, or ``delete(User, 1)``.

        :param missing_ok: give False where there is no such row, instead of raising.
        :return: True when there was one.
        :raises RowGone: there is no such row, or it is one of another class.
        :raises VersionConflict: the row has another version by now.
        :raises InvalidRequestError: there is no key, or half of one.
        """
        found: bool = self._call(write_calls.delete, target, ident, missing_ok, model)
        return found

    def delete_all(
        self,
        objs: Iterable[object],
        *,
        missing_ok: bool = False,
        model: type[Any] | None = None,
    ) -> int:
        """Delete rows by the primary keys of objects, 500 with one statement.

        :param missing_ok: leave out what is not there, instead of raising.
        :return: the number of rows that were there.
        :raises RowGone: there are no such rows, or they are of another class; it names their keys.
        :raises VersionConflict: rows have other versions by now; it names all of them.
        :raises InvalidRequestError: an object has no key.
        """
        count: int = self._call(write_calls.delete_all, objs, missing_ok, model)
        return count

    # ---- COPY

    def copy_in(
        self,
        model: type[Any],
        rows: Iterable[Any],
        *,
        columns: Iterable[Field] | None = None,
    ) -> int:
        """Store rows with PostgreSQL's COPY: many rows, in constant memory, and none comes back.

        :param rows: objects, dictionaries, or tuples in the order of ``columns``; they are read
            one by one, as they are sent.
        :param columns: the attributes that are stored; left out: those of the first row, or for
            tuples all columns of the table.  A column that is not among them gets its default.
        :return: the number of rows.
        :raises InvalidStatement: another driver than psycopg, a class that is stored in several
            tables, a row that lacks a column.

        An error of ``rows`` itself comes out as it is.  ``rows`` can't use this session.
        """
        count: int = self._call(write_calls.copy_in, model, rows, columns)
        return count
