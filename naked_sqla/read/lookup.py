"""One object by its primary key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import ClauseElement, bindparam, select
from sqlalchemy.exc import ArgumentError, InvalidRequestError, MultipleResultsFound

from naked_sqla._sqlalchemy import results
from naked_sqla.exception import InvalidStatement
from naked_sqla.hiding import shown
from naked_sqla.objects.classes import is_view, mapper_of
from naked_sqla.read.statement import run

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Mapper

__all__ = ("get", "get_statement", "key_of", "mapped", "why_several")

# where a mapper keeps its SELECT by primary key: gone with the mapped class
_KEPT = "naked_sqla.read.lookup"


def get(
    conn: Connection,
    model: Any,
    ident: Any,
    *,
    options: Iterable[Any] | None = None,
    execution_options: Mapping[str, Any] | None = None,
    with_for_update: Any = None,
    eager: bool = True,
) -> Any:
    """Load one object by its primary key; one SELECT, always.

    :param model: a mapped class.
    :param ident: the key: a value, a tuple for a composite key, or a dictionary by attribute name.
    :param options: loader options.
    :param with_for_update: True, or a dictionary of the arguments of ``Select.with_for_update()``.
    :return: the object, or None.
    :raises ArgumentError: ``model`` is not a mapped class.
    :raises InvalidRequestError: ``ident`` does not fit the primary key, or is None.
    :raises InvalidStatement: it is an SQL expression.
    :raises MultipleResultsFound: several rows have the key (concrete inheritance, a view).
    :raises TypeError: ``with_for_update`` is something else.
    """
    statement, parameters = get_statement(model, ident, options, with_for_update)
    result = run(conn, statement, parameters, execution_options, eager=eager)
    if results.has_unique_filter(result):
        result = result.unique()
    found = result.scalars().all()
    if len(found) > 1:
        raise MultipleResultsFound(
            f"get({model.__name__}, {shown(ident)}): {len(found)} rows have this primary key, "
            f"{why_several(mapped(model))}"
        )
    return found[0] if found else None


def why_several(mapper: Mapper[Any]) -> str:
    """Why rows share a primary key, and what to write: the end of a message."""
    if is_view(mapper):
        return "which nothing keeps unique in a view. Write a select() with where()."
    return "which is unique in each table of its own only. Select from the class of one table."


def get_statement(
    model: Any, ident: Any, options: Iterable[Any] | None = None, with_for_update: Any = None
) -> tuple[Any, dict[str, Any]]:
    """The SELECT of :func:`get` and its parameters; arguments and errors as there."""
    mapper = mapped(model)
    values = key_of(model, ident)
    statement = mapper.class_manager.info.get(_KEPT)
    if statement is None:
        statement = select(mapper.class_).where(
            *(
                column == bindparam(f"naked_pk_{i}", type_=column.type)
                for i, column in enumerate(mapper.primary_key)
            )
        )
        mapper.class_manager.info[_KEPT] = statement
    if options:
        statement = statement.options(*options)
    if with_for_update:
        if with_for_update is not True and not isinstance(with_for_update, Mapping):
            raise TypeError(
                f"with_for_update is True, or a dictionary of the arguments of "
                f'Select.with_for_update(), got {with_for_update!r}. Write {{"nowait": True}}.'
            )
        arguments = with_for_update if isinstance(with_for_update, Mapping) else {}
        statement = statement.with_for_update(**arguments)
    return statement, {f"naked_pk_{i}": value for i, value in enumerate(values)}


def mapped(model: Any, method: str = "get") -> Mapper[Any]:
    """The mapper of a class.

    :raises ArgumentError: ``model`` is not a mapped class.
    """
    mapper: Mapper[Any] | None = mapper_of(model)
    if mapper is None:
        example = "1" if method == "get" else "[1, 2]"
        raise ArgumentError(
            f"Expected mapped class or mapper, got: {model!r}. Write {method}(User, {example})."
        )
    return mapper


def key_of(model: Any, ident: Any, method: str = "get") -> tuple[Any, ...]:
    """The values of a primary key, in the order of its columns.

    :raises InvalidRequestError: ``ident`` does not fit the primary key, or is None.
    :raises InvalidStatement: it is an SQL expression.
    """
    mapper = mapped(model, method)
    keys = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
    name, wanted = mapper.class_.__name__, ", ".join(keys)
    if isinstance(ident, Mapping):
        if set(ident) != set(keys):
            raise InvalidRequestError(
                f"{method}({name}, {shown(dict(ident))}): incorrect names of values in the "
                f"identifier; the primary key is {wanted}."
            )
        values = tuple(ident[key] for key in keys)
    else:
        # a Row and a namedtuple are tuples too
        values = tuple(ident) if isinstance(ident, tuple | list) else (ident,)
    if len(values) != len(keys):
        raise InvalidRequestError(
            f"{method}({name}, {shown(ident)}): incorrect number of values in the identifier; the "
            f"primary key is {wanted}. Pass a tuple in this order, or a dictionary by these names."
        )
    if any(isinstance(v, ClauseElement) or hasattr(v, "__clause_element__") for v in values):
        raise InvalidStatement(
            f"{method}({name}, ...) takes the values of the primary key, and was given an SQL "
            f"expression. Pass values, or write a select() with where()."
        )
    if any(value is None for value in values):
        raise InvalidRequestError(
            f"{method}({name}, {shown(ident)}): a primary key that is None finds no row. Pass the "
            f"key of a stored row."
        )
    return values
