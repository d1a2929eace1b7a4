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
    """The base class of all errors of this library.

    The message of an error ends with its section in the documentation: ``(docs: errors#rowgone)``
    is the section ``RowGone`` of the page ``errors``.
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
    """A session or a block was used in a state that does not allow it.

    The session is closed; a ``begin()`` block is entered twice; the engine is in AUTOCOMMIT mode; a
    task opens a second session on an in-memory database, which has one connection; or a session of
    ``read()`` is to write.
    """


class ConcurrentSessionUse(BaseNakedSQLAException):
    """A second task called a session while another task was inside it.

    Nothing of the second call reached the database. The message names both tasks.
    """


class TransactionRolledBack(BaseNakedSQLAException):
    """A commit or a statement came too late: the database had already ended the transaction.

    PostgreSQL aborts a transaction at its first failed statement; a COMMIT after that "succeeds"
    and stores nothing. SQLite ends a transaction if a write is interrupted, or if a conflict asks
    for it. A lost connection ends its transaction. ``__cause__`` is the error that ended it.
    """


class CommitOutcomeUnknown(BaseNakedSQLAException):
    """COMMIT was sent, and no answer came: everything that the session did is stored, or nothing.

    ``__cause__`` is the error of the driver.
    """


class TransactionTimeout(BaseNakedSQLAException, TimeoutError):
    """A transaction reached a time limit, and was rolled back.

    :ivar limit: ``"timeout"``, ``"statement_timeout"`` or ``"lock_timeout"``.
    :ivar seconds: the length of the limit.
    :ivar statement: the SQL that was running, without its parameters; ``None``: none was running.
    """

    def __init__(self, message: str, limit: str, seconds: float, statement: str | None) -> None:
        super().__init__(message)
        self.limit = limit
        self.seconds = seconds
        self.statement = statement

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.limit, self.seconds, self.statement)


class PartialCommit(BaseNakedSQLAException):
    """A session on several databases has committed in some of them, and not in others.

    :ivar committed: the bind keys of the databases that have committed; ``None``: the default one.
    :ivar failed: the bind keys of the databases that have stored nothing.
    :ivar unknown: the bind keys of the databases whose answer to COMMIT was lost.
    :ivar prepared: with ``two_phase``, the names of transactions that may still be prepared, by
        bind key. ``recover_prepared()`` ends them.

    ``__cause__`` is the error of the first database that did not commit.
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
    """A statement belongs to two databases, or has a bind key that the factory does not have.

    Nothing was sent.
    """


class InvalidStatement(BaseNakedSQLAException, TypeError):
    """A call can't run a statement, or can't store an object, in the way that was asked for.

    For example, the statement is a string, a class, an instance, ``None`` or an empty ``select()``;
    or an object has a relationship that the call does not store. Nothing was sent.
    """


class UnsupportedOption(BaseNakedSQLAException):
    """A call can't honour an option or an argument. No option is ever ignored."""


class UnknownAttribute(BaseNakedSQLAException):
    """A parameter names no attribute of the model, or the statement does not use it."""


class RowMismatch(BaseNakedSQLAException, TypeError):
    """The rows of a statement can't fill a class, or have a value that can't be written as JSON.

    A field without a default has no column, a column has no field, two columns belong to one field,
    or a nested object is missing that must not be ``None``. The message names the fields of the
    class and the columns of the statement.
    """


class PageNotFound(BaseNakedSQLAException):
    """The page for ``paginate()`` does not exist: it is not a positive number, or is after the last
    one.

    A web service answers 404.
    """


class InvalidCursor(BaseNakedSQLAException, ValueError):
    """``keyset()`` did not make this cursor for this statement.

    The cursor is damaged, or belongs to another statement, order or database. A web service answers
    400.
    """


class RowGone(BaseNakedSQLAException, StaleDataError):
    """A row to change or delete does not exist, or belongs to another class.

    :ivar model: the mapped class.
    :ivar gone: the keys of the rows that do not exist, as ``get()`` takes them.
    """

    def __init__(self, message: str, model: type[Any] | None = None, gone: Iterable[Any] = ()):
        super().__init__(message)
        self.model = model
        self.gone = tuple(gone)


class VersionConflict(BaseNakedSQLAException, StaleDataError):
    """A row to change or delete has another version than the caller has read.

    If rows are also missing, this error is raised, and names both.

    :ivar model: the mapped class.
    :ivar moved: the keys of the rows that have another version, as ``get()`` takes them.
    :ivar gone: the keys of the rows that do not exist.
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
    """A row that the criteria of the factory exclude is in the way.

    A new row with its key can't be stored, and the existing row is not changed.

    :ivar model: the mapped class.
    :ivar excluded: the keys of these rows, as ``get()`` takes them.
    """

    def __init__(self, message: str, model: type[Any] | None = None, excluded: Iterable[Any] = ()):
        super().__init__(message)
        self.model = model
        self.excluded = tuple(excluded)


class NotLoadedError(BaseNakedSQLAException):
    """The statement did not load the attribute that was read.

    It is not an ``AttributeError``, so that ``getattr(obj, name, default)``, ``hasattr()`` and
    pydantic do not hide it.
    """


class ConversionError(BaseNakedSQLAException, ValueError):
    """The type of a column could not convert a value of a row.

    :param target: the entity or row item, such as ``"User"``.
    :param attribute: the name of the attribute or column, such as ``"status"``.
    :param value: the value that the driver returned.

    All three are attributes of the error. ``__cause__`` is the error of the type.
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
