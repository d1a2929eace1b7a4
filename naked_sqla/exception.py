"""Every error that naked_sqla raises itself.

::

    BaseNakedSQLAException
    ├── InvalidSessionState        a session or begin() block is used outside of its life
    ├── ConcurrentSessionUse       a second task is inside the session
    ├── TransactionRolledBack      a commit was asked for, the database had given the transaction up
    ├── CommitOutcomeUnknown       COMMIT was sent, and no answer came: it may be stored, or not
    ├── TransactionTimeout         a time limit of the transaction was reached  (a TimeoutError)
    ├── PartialCommit              some databases of a session have committed, and others have not
    ├── InvalidBind                a statement spans two databases, or belongs to none that is known
    ├── InvalidStatement           not an executable statement              (also a TypeError)
    ├── UnsupportedOption          a loader or execution option that can't be honoured here
    ├── UnknownAttribute           a key that the model, or the statement, does not have
    ├── RowMismatch                a class and a statement's columns do not fit  (also a TypeError)
    ├── PageNotFound               a page number that does not exist (a 404 in a web service)
    ├── InvalidCursor              a damaged or foreign cursor of keyset()  (also a ValueError)
    ├── RowGone                    a row to be changed is not there     (also a StaleDataError)
    ├── VersionConflict            a row to be changed has another version  (a StaleDataError)
    ├── RowExcluded                a row in the way that the criteria of the factory exclude
    ├── NotLoadedError             reading an attribute that the statement did not load
    └── ConversionError            a stored value its column type can't read  (also a ValueError)

Errors of the driver and of SQLAlchemy (``IntegrityError``, ``CompileError``, ``NoResultFound``...)
are not wrapped: they pass through.  A message gives the fact, the thing it is about, and the next
step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy.orm.exc import StaleDataError

from naked_sqla.hiding import hides

__all__ = (
    "BaseNakedSQLAException",
    "CommitOutcomeUnknown",
    "ConcurrentSessionUse",
    "ConversionError",
    "InvalidBind",
    "InvalidCursor",
    "InvalidSessionState",
    "InvalidStatement",
    "NotLoadedError",
    "PageNotFound",
    "PartialCommit",
    "RowExcluded",
    "RowGone",
    "RowMismatch",
    "TransactionRolledBack",
    "TransactionTimeout",
    "UnknownAttribute",
    "UnsupportedOption",
    "VersionConflict",
)


class BaseNakedSQLAException(Exception):
    """The root of all errors of this library.

    Shown as text, an error ends with the place in this documentation that says what to do:
    ``(docs: errors#rowgone)`` is the section ``RowGone`` of the page ``errors``.
    """

    _section: ClassVar[str] = "basenakedsqlaexception"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__ == __name__:
            # a class of an application has the section of the class that it derives from
            cls._section = cls.__name__.lower()

    def __str__(self) -> str:
        message = self._text()
        return f"{message} (docs: errors#{self._section})" if message else message

    def _text(self) -> str:
        return super().__str__()


class InvalidSessionState(BaseNakedSQLAException):
    """A session was used after it was closed, a ``begin()`` object was entered twice, or a
    session was asked for that could not keep its promise (an AUTOCOMMIT engine, a second session
    on the one connection of an in-memory database that the same task already holds, a write in
    a session that reads).
    """


class ConcurrentSessionUse(BaseNakedSQLAException):
    """A second task called a session while a first one was inside it.

    Raised before anything of the second call reaches the database.  The message names both tasks.
    """


class TransactionRolledBack(BaseNakedSQLAException):
    """A commit was asked for, or a statement, but the transaction was over already.

    PostgreSQL aborts a transaction at its first failing statement; a COMMIT of an aborted
    transaction "succeeds" and stores nothing.  SQLite ends one by itself, when a write is
    interrupted or a conflict asks for it, and would go on without.  A lost connection takes its
    transaction with it.  ``__cause__`` is the error that was swallowed.
    """


class CommitOutcomeUnknown(BaseNakedSQLAException):
    """COMMIT was sent, and no answer came: all of what the session did is stored, or none of it.

    ``__cause__`` is the error of the driver.
    """


class TransactionTimeout(BaseNakedSQLAException, TimeoutError):
    """A time limit of a transaction was reached, and what it did is rolled back.

    :ivar limit: ``"timeout"``, ``"statement_timeout"`` or ``"lock_timeout"``.
    :ivar seconds: the limit.
    :ivar statement: the SQL that was running, without its parameters; ``None``: there was none.
    """

    def __init__(self, message: str, limit: str, seconds: float, statement: str | None) -> None:
        super().__init__(message)
        self.limit = limit
        self.seconds = seconds
        self.statement = statement

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.limit, self.seconds, self.statement)


class PartialCommit(BaseNakedSQLAException):
    """A session on several databases was committed in some of them, and could not be in others.

    :ivar committed: bind keys of the databases that have committed, ``None`` for the default one.
    :ivar failed: bind keys of those that have stored nothing.
    :ivar unknown: bind keys of those that were asked to commit, and whose answer was lost.
    :ivar prepared: with ``two_phase``, the names of prepared transactions that may be left, by
        bind key: ``recover_prepared()`` ends them.

    ``__cause__`` is the error of the first that did not commit.
    """

    def __init__(
        self,
        message: str,
        committed: Sequence[str | None],
        failed: Sequence[str | None],
        unknown: Sequence[str | None] = (),
        prepared: Mapping[str | None, str] | None = None,
    ) -> None:
        self.committed = tuple(committed)
        self.failed = tuple(failed)
        self.unknown = tuple(unknown)
        self.prepared = dict(prepared or {})
        super().__init__(message, self.committed, self.failed, self.unknown, self.prepared)

    def _text(self) -> str:
        return str(self.args[0])


class InvalidBind(BaseNakedSQLAException):
    """A statement spans two databases, or its bind key is one that the factory does not have.

    Raised before anything of it is sent.
    """


class InvalidStatement(BaseNakedSQLAException, TypeError):
    """What was passed as a statement is not one: a string, a class, an instance, ``None``, an
    empty ``select()``.
    """


class UnsupportedOption(BaseNakedSQLAException):
    """A loader option or an execution option that can't be honoured.  None is ever ignored."""


class UnknownAttribute(BaseNakedSQLAException):
    """A parameter names an attribute that the model, or a bind that the statement, has not."""


class RowMismatch(BaseNakedSQLAException, TypeError):
    """A class can't be filled from the rows of a statement: a field without default has no column,
    a column has no field, two columns stand for one field, a nested object that may not be None is
    missing.  The message names both sides: the fields of the class, the columns of the statement.
    """


class PageNotFound(BaseNakedSQLAException):
    """``paginate()`` was asked for a page that does not exist: a number below 1, no number at all,
    or one after the last page.  A client asked for it, so a web service answers 404.
    """


class InvalidCursor(BaseNakedSQLAException, ValueError):
    """A cursor that ``keyset()`` did not make for this statement: damaged, or of another statement,
    order or database.  What a client sent, so a 400 in a web service.
    """


class RowGone(BaseNakedSQLAException, StaleDataError):
    """A row that was to be changed or deleted is not there, or is one of another class.

    :ivar model: the mapped class.
    :ivar gone: the keys of the rows that are not there, as ``get()`` takes them.
    """

    def __init__(self, message: str, model: type[Any] | None = None, gone: Iterable[Any] = ()):
        super().__init__(message)
        self.model = model
        self.gone = tuple(gone)


class VersionConflict(BaseNakedSQLAException, StaleDataError):
    """A row that was to be changed or deleted has another version than the caller has seen.

    Where a call finds rows that are gone besides, this is raised, and tells both.

    :ivar model: the mapped class.
    :ivar moved: the keys of the rows that have another version, as ``get()`` takes them.
    :ivar gone: the keys of the rows that are not there.
    """

    def __init__(
        self,
        message: str,
        model: type[Any] | None = None,
        moved: Iterable[Any] = (),
        gone: Iterable[Any] = (),
    ):
        super().__init__(message)
        self.model = model
        self.moved = tuple(moved)
        self.gone = tuple(gone)


class RowExcluded(BaseNakedSQLAException):
    """A row is in the way that the criteria of the factory exclude.

    A row with its key can't be stored, and it can't be changed: for this factory it is not there.

    :ivar model: the mapped class.
    :ivar excluded: the keys of these rows, as ``get()`` takes them.
    """

    def __init__(self, message: str, model: type[Any] | None = None, excluded: Iterable[Any] = ()):
        super().__init__(message)
        self.model = model
        self.excluded = tuple(excluded)


class NotLoadedError(BaseNakedSQLAException):
    """An attribute was read that the statement did not load.

    Not an ``AttributeError``, so that ``getattr(obj, name, default)``, ``hasattr()`` and pydantic
    do not turn it into "there is nothing".
    """


class ConversionError(BaseNakedSQLAException, ValueError):
    """A value of a row could not be converted by the type of its column.

    :param target: the entity or row item the value was for, e.g. ``"User"``.
    :param attribute: the attribute or column name, e.g. ``"status"``.
    :param value: the value as the driver gave it.

    All three are attributes of the error; ``__cause__`` is the error of the type.
    """

    def __init__(self, target: str, attribute: str, value: Any, reason: str) -> None:
        self.target = target
        self.attribute = attribute
        self.value = value
        self.reason = reason
        # printed later, and elsewhere
        self._hides = hides()
        super().__init__(target, attribute, value, reason)

    def _text(self) -> str:
        if self._hides:
            return (
                f"{self.target}.{self.attribute}: the stored value can't be converted by the type "
                f"of its column (hide_parameters=True hides it). Correct the stored value, or map "
                f"the attribute with a type that can read it."
            )
        shown = repr(self.value)
        if len(shown) > 200:
            shown = f"{shown[:200]}... ({len(shown)} characters)"
        return (
            f"{self.target}.{self.attribute}: the stored value {shown} can't be converted by the "
            f"type of its column ({self.reason}). Correct the stored value, or map the attribute "
            f"with a type that can read it."
        )
