"""Rows into the caller's own classes: dataclasses, pydantic models, msgspec Structs, attrs classes,
named tuples, ``TypedDict`` and classes with keyword arguments, with no mapped object in between.

What others build on::

    execute(conn, cls, statement, parameters=None, *, validate=True, execution_options=None)
        -> sqlalchemy.ScalarResult[cls]
    loader_for(result, statement, cls, validate=True)
        -> function(rows) -> list[cls]

``execute`` runs a statement on a synchronous ``Connection`` and is buffered.  ``loader_for`` is for
a stream: ``result`` is the open ``CursorResult`` of ``statement``, and the function takes chunk by
chunk what ``rows_of(result, size)`` gives (the driver's own rows where SQLAlchemy need not see
them), until that gives no rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from naked_sqla.om import statement as _statement

if TYPE_CHECKING:
    from sqlalchemy import Connection, ScalarResult
    from sqlalchemy.engine import CursorResult

__all__ = ("execute", "loader_for", "rows_of")

T = TypeVar("T")


def execute(
    conn: Connection,
    cls: type[T],
    statement: Any,
    parameters: Any = None,
    *,
    validate: bool = True,
    execution_options: Mapping[str, Any] | None = None,
) -> ScalarResult[T]:
    """Run a statement, and fill an object of a class from each of its rows.

    :param conn: a synchronous connection (in an async session: within its greenlet).
    :param cls: the class to fill.
    :param statement: what ``session.execute()`` takes, if it returns rows.
    :param parameters: as ``session.execute()`` takes them.
    :param validate: False makes pydantic models without validation, as ``model_construct()`` does.
    :param execution_options: as ``Connection.execute`` takes them.
    :return: a buffered result, one object for each row.
    """
    result = _statement.execute(conn, statement, parameters, execution_options)
    make: Any = cls
    records = [make(**row._mapping) for row in result]
    frozen: Any = result.freeze()
    frozen.data = [(record,) for record in records]
    scalars: ScalarResult[T] = frozen.with_new_rows(frozen.data)().columns(0).scalars()
    return scalars


def loader_for(
    result: CursorResult[Any], statement: Any, cls: type[T], validate: bool = True
) -> Callable[[Iterable[Any]], list[T]]:
    """The function that fills objects from chunks of rows of an open result.

    :param result: the fresh cursor result of ``statement``; nothing is read from it.
    :return: takes rows that :func:`rows_of` gave, gives a list of objects.
    """
    keys = tuple(result.keys())
    make: Any = cls
    return lambda rows: [make(**dict(zip(keys, row, strict=True))) for row in rows]


def rows_of(result: CursorResult[Any], size: int) -> Iterable[Any]:
    """The next ``size`` rows of an open result, for the function of :func:`loader_for`."""
    return result.fetchmany(size)
