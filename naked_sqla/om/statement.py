"""The way in: a statement is checked, run on the connection, and its rows are loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import lazyload

from naked_sqla import _compat
from naked_sqla.exception import InvalidStatement, UnknownAttribute, UnsupportedOption
from naked_sqla.om import bulk_persistent
from naked_sqla.om.loading import entity_result, loading_on

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result

__all__ = ("execute",)

_STREAMING = ("yield_per", "stream_results", "max_row_buffer")


def execute(
    conn: Connection,
    statement: Any,
    parameters: Any = None,
    execution_options: Mapping[str, Any] | None = None,
    *,
    eager: bool = True,
) -> Result[Any]:
    """Run a statement on a connection; its entities become naked objects.

    :param conn: a synchronous connection (in an async session: within its greenlet).
    :param statement: whatever ``Connection.execute`` takes.
    :param parameters: a dictionary, or for INSERT, UPDATE and DELETE also a list of dictionaries.
    :param execution_options: as ``Connection.execute`` takes them.
    :param eager: load what relationships are mapped to load (``lazy="selectin"`` and its kin);
        False leaves loading to the options of the statement.
    :return: a buffered result.
    :raises InvalidStatement: ``statement`` can't be executed.
    :raises UnsupportedOption: it has an option that can't be honoured.
    :raises UnknownAttribute: a parameter names nothing in the statement or the model.
    :raises ConversionError: a stored value can't be converted by the type of its column.

    All but the last are raised before anything reaches the database.
    """
    if not _compat.is_executable(statement):
        raise InvalidStatement(_what_to_write(statement))
    if execution_options is not None and not isinstance(execution_options, Mapping):
        raise TypeError(
            f"execution_options is a dictionary, got {execution_options!r}. Write "
            f'execution_options={{"schema_translate_map": ...}}.'
        )
    _check_streaming(conn, statement, execution_options)
    is_orm = _compat.is_orm_statement(statement)
    if getattr(statement, "is_dml", False) and not getattr(statement, "is_from_statement", False):
        if is_orm and not eager:
            statement = statement.options(lazyload("*"))
        return bulk_persistent.execute(conn, statement, parameters, execution_options)
    if getattr(statement, "is_select", False):
        _check_select(conn, statement, parameters)
    elif parameters and getattr(statement, "is_text", False):
        _check_text(statement, parameters)
    if is_orm:
        if not eager:
            statement = statement.options(lazyload("*"))
        execution_options = _compat.orm_options(execution_options)
    result = conn.execute(statement, parameters, execution_options=execution_options)
    return entity_result(result, statement, loading_on(conn, execution_options))


def _what_to_write(statement: Any) -> str:
    fact = f"{statement!r} is not a statement that can be executed."
    if isinstance(statement, str):
        return f"{fact} Wrap SQL text in text(): text({statement!r})."
    if statement is None:
        return f"{fact} Pass a select(), insert(), update(), delete() or text()."
    cls = statement if isinstance(statement, type) else type(statement)
    mapped: Any = inspect(cls, raiseerr=False)
    if hasattr(mapped, "class_"):
        if statement is cls:
            return f"{fact} Write select({cls.__name__})."
        return f"{fact} To store it, write insert({cls.__name__}).values(...)."
    if hasattr(statement, "__clause_element__") or hasattr(statement, "compare"):
        return f"{fact} Put the expression into a statement: select(...)."
    return f"{fact} Pass a select(), insert(), update(), delete() or text()."


def _check_streaming(
    conn: Connection, statement: Any, execution_options: Mapping[str, Any] | None
) -> None:
    given: list[Mapping[str, Any]] = [conn.get_execution_options()]
    if hasattr(statement, "get_execution_options"):
        given.append(statement.get_execution_options())
    if execution_options:
        given.append(execution_options)
    for options in given:
        if options:
            for name in _STREAMING:
                if options.get(name):
                    raise UnsupportedOption(
                        f"The execution option {name}={options[name]!r} asks for a server-side "
                        f"cursor, and execute() reads all rows at once. Use stream(), or leave "
                        f"the option out."
                    )


def _check_select(conn: Connection, statement: Any, parameters: Any) -> None:
    if _compat.is_empty_select(statement):
        raise InvalidStatement(
            "select() has no columns: there is nothing to select. Name entities or columns: "
            "select(User), select(User.id)."
        )
    if not parameters:
        return
    if isinstance(parameters, Sequence) and not isinstance(parameters, str | bytes):
        if all(isinstance(item, Mapping) for item in parameters):
            raise ArgumentError(
                "A SELECT takes one dictionary of parameters, got a list: only INSERT, UPDATE and "
                "DELETE run once for each set. Execute it for each dictionary, or use in_()."
            )
        return
    if isinstance(parameters, Mapping):
        _check_names(conn, statement, parameters)


def _check_text(statement: Any, parameters: Any) -> None:
    sets = [parameters] if isinstance(parameters, Mapping) else parameters
    if not isinstance(sets, Sequence) or not all(isinstance(item, Mapping) for item in sets):
        return
    names = _compat.bind_names(statement)
    for item in sets:
        _refuse_unknown(set(item) - names, names)


def _check_names(conn: Connection, statement: Any, parameters: Mapping[str, Any]) -> None:
    names = _compat.bind_names(statement)
    unknown = set(parameters) - names
    if unknown:
        # relationships, column_property() and with_loader_criteria() add binds when compiled
        unknown -= set(statement.compile(dialect=conn.dialect).params)
        _refuse_unknown(unknown, names)


def _refuse_unknown(unknown: set[str], names: set[str]) -> None:
    if unknown:
        strange = ", ".join(sorted(map(repr, unknown)))
        known = ", ".join(sorted(map(str, names))) or "none"
        raise UnknownAttribute(
            f"The statement has no parameter named {strange}; it has: {known}. Mend the name, or "
            f"use it in the statement with bindparam()."
        )
