"""Lookups that answer 404 for a missing row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol, overload

from fastapi import HTTPException
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from naked_sqla._sqlalchemy import results
from naked_sqla.exception import RowGone
from naked_sqla.sessions._async.calls import AsyncCalls
from naked_sqla.sessions._async.writes import AsyncWrites

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from sqlalchemy import Executable, Result
    from sqlalchemy.sql.selectable import TypedReturnsRows

    from naked_sqla.sessions.types import T2, C, T, Ts, TupleRows

    class _TupleRows(TupleRows, Protocol):
        """An asynchronous session or factory where SQLAlchemy is 2.0."""

        def preload(self, objs: Any) -> Coroutine[Any, Any, None]: ...


async def get_or_404(
    session: AsyncCalls,
    model: type[C],
    ident: Any,
    *,
    description: str | None = None,
    **get_options: Any,
) -> C:
    """Return the object with this primary key, or answer 404.

    :param session: a session, or the factory.
    :param ident: the primary key, as ``session.get()`` takes it.
    :param description: the ``detail`` of the 404; ``None``: it names the model and the key.
    :param get_options: the keyword arguments of ``session.get()``: ``options``,
        ``execution_options``, ``with_for_update``.
    :return: the object.
    :raises HTTPException: 404, if the row does not exist.

    And the errors of ``session.get()``.
    """
    found = await _checked(session).get(model, ident, **get_options)
    if found is None:
        _not_found(description or f"{model.__name__} {_shown(ident)} was not found.")
    return found


@overload
async def first_or_404(
    session: _TupleRows, statement: TypedReturnsRows[tuple[T]], *, description: str | None = None
) -> T: ...


@overload
async def first_or_404(
    session: _TupleRows,
    statement: TypedReturnsRows[tuple[T, T2, *Ts]],
    *,
    description: str | None = None,
) -> tuple[T, T2, *Ts]: ...


@overload
async def first_or_404(
    session: AsyncCalls, statement: TypedReturnsRows[T], *, description: str | None = None
) -> T: ...


@overload
async def first_or_404(
    session: AsyncCalls,
    statement: TypedReturnsRows[*tuple[T, T2, *Ts]],
    *,
    description: str | None = None,
) -> tuple[T, T2, *Ts]: ...


@overload
async def first_or_404(
    session: AsyncCalls, statement: Executable, *, description: str | None = None
) -> Any: ...


async def first_or_404(
    session: AsyncCalls | _TupleRows, statement: Executable, *, description: str | None = None
) -> Any:
    """Return the first row of a statement, or answer 404.

    The statement is sent unchanged. If many rows may match, give it a ``limit(1)``.

    :param session: a session, or the factory.
    :param description: the ``detail`` of the 404; ``None``: it names the selected items.
    :return: the object or value if one item is selected, otherwise the row.
    :raises HTTPException: 404, if there is no row.

    And the errors of ``session.execute()``.
    """
    row = (await _rows(session, statement)).first()
    if row is None:
        _not_found(description or f"No {_selected(statement)} was found.")
    return _item(row)


@overload
async def one_or_404(
    session: _TupleRows, statement: TypedReturnsRows[tuple[T]], *, description: str | None = None
) -> T: ...


@overload
async def one_or_404(
    session: _TupleRows,
    statement: TypedReturnsRows[tuple[T, T2, *Ts]],
    *,
    description: str | None = None,
) -> tuple[T, T2, *Ts]: ...


@overload
async def one_or_404(
    session: AsyncCalls, statement: TypedReturnsRows[T], *, description: str | None = None
) -> T: ...


@overload
async def one_or_404(
    session: AsyncCalls,
    statement: TypedReturnsRows[*tuple[T, T2, *Ts]],
    *,
    description: str | None = None,
) -> tuple[T, T2, *Ts]: ...


@overload
async def one_or_404(
    session: AsyncCalls, statement: Executable, *, description: str | None = None
) -> Any: ...


async def one_or_404(
    session: AsyncCalls | _TupleRows, statement: Executable, *, description: str | None = None
) -> Any:
    """Return the only row of a statement, or answer 404.

    :param session: a session, or the factory.
    :param description: the ``detail`` of the 404; ``None``: it names the selected items.
    :return: the object or value if one item is selected, otherwise the row.
    :raises HTTPException: 404, if there is no row, or more than one.

    And the errors of ``session.execute()``.
    """
    rows = await _rows(session, statement)
    try:
        return _item(rows.one())
    except NoResultFound:
        _not_found(description or f"No {_selected(statement)} was found.")
    except MultipleResultsFound:
        _not_found(description or f"More than one {_selected(statement)} was found.")


async def update_or_404(
    session: AsyncWrites,
    model: type[C],
    ident: Any,
    values: Mapping[Any, Any] | None = None,
    /,
    *,
    description: str | None = None,
    **columns: Any,
) -> C:
    """Update the row with this primary key, or answer 404.

    :param session: a session, or the factory.
    :param ident: the primary key; a tuple for a composite one.
    :param values: values by attribute, or by its name.
    :param columns: values by the names of attributes. ``version`` is the version that the row must
        have.
    :param description: the ``detail`` of the 404; ``None``: it names the model and the key.
    :return: a new object with the stored values.
    :raises HTTPException: 404, if the row does not exist.

    And the errors of ``session.update()``. ``install()`` answers ``VersionConflict`` with 409.
    """
    _checked(session)
    try:
        stored: C = await session.update(model, ident, values or {}, **columns)
    except RowGone:
        _not_found(description or f"{model.__name__} {_shown(ident)} was not found.")
    return stored


async def delete_or_404(
    session: AsyncWrites, model: type[Any], ident: Any, *, description: str | None = None
) -> None:
    """Delete the row with this primary key, or answer 404.

    :param session: a session, or the factory.
    :param description: the ``detail`` of the 404; ``None``: it names the model and the key.
    :raises HTTPException: 404, if the row does not exist.

    And the errors of ``session.delete()``.
    """
    _checked(session)
    if not await session.delete(model, ident, missing_ok=True):
        _not_found(description or f"{model.__name__} {_shown(ident)} was not found.")


async def _rows(session: object, statement: Executable) -> Result[Any]:
    result: Result[Any] = await _checked(session).execute(statement)
    return result.unique() if results.has_unique_filter(result) else result


def _item(row: Any) -> Any:
    # Not scalars(): a row with a NULL is not a missing row.
    return row[0] if len(row) == 1 else row


def _checked(session: object) -> AsyncCalls:
    if not isinstance(session, AsyncCalls):
        raise TypeError(
            f"a session or a factory was expected, not {type(session).__name__!r}. Pass what "
            f"`async with db.begin()` gives, or the AsyncSessionFactory."
        )
    return session


def _not_found(detail: str) -> NoReturn:
    raise HTTPException(404, detail) from None


def _shown(ident: Any) -> str:
    return str(ident) if isinstance(ident, int | str) else repr(ident)


def _selected(statement: Any) -> str:
    """The names of the columns and classes that a statement selects; ``"row"`` if it has none."""
    described = getattr(statement, "column_descriptions", None) or ()
    names = [item["name"] for item in described if item.get("entity") is not None]
    return ", ".join(dict.fromkeys(map(str, names))) or "row"
