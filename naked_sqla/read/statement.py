"""The way in: a statement is checked, run on the connection, and its rows are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, TextClause, UpdateBase
from sqlalchemy import Sequence as DatabaseSequence
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import lazyload

from naked_sqla._sqlalchemy import statements
from naked_sqla._sqlalchemy.unopened import opened
from naked_sqla.exception import InvalidStatement, UnknownAttribute, UnsupportedOption
from naked_sqla.objects.classes import mapper_of
from naked_sqla.read import direct
from naked_sqla.read.criteria import filtered

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result

    from naked_sqla.read.loader import MakeLoader

__all__ = (
    "check_parameters",
    "execute",
    "further_options",
    "refuse_streaming",
    "run",
    "stream",
)

_STREAMING = ("yield_per", "stream_results", "max_row_buffer")

_Options = Mapping[str, Any] | None


def execute(
    conn: Connection,
    statement: Any,
    parameters: Any = None,
    execution_options: _Options = None,
    *,
    eager: bool = True,
    make_loader: MakeLoader | None = None,
) -> Result[Any]:
    """Run a statement on a connection; its entities become naked objects.

    :param conn: a synchronous connection (in an async session: within its greenlet).
    :param statement: whatever ``Connection.execute`` takes.
    :param parameters: a dictionary, or for INSERT, UPDATE and DELETE also a list of dictionaries.
    :param execution_options: as ``Connection.execute`` takes them.
    :param eager: load what relationships are mapped to load (``lazy="selectin"`` and its kin);
        False leaves loading to the options of the statement.
    :param make_loader: makes what turns the rows into objects; None: its entities become objects.
    :return: a buffered result.
    :raises InvalidStatement: ``statement`` can't be executed.
    :raises UnsupportedOption: it has an option that can't be honoured.
    :raises UnknownAttribute: a parameter names nothing in the statement or the model.
    :raises ConversionError: a stored value can't be converted by the type of its column.

    All but the last are raised before anything reaches the database.
    """
    statement = filtered(conn, _checked(statement, execution_options, eager), parameters)
    if not execution_options:
        # a statement that has been checked before, and this connection has no option
        found = direct.run(conn, statement, parameters, make_loader)
        if found is not None:
            return found
    conn = opened(conn)
    _check_streaming(conn, statement, execution_options)
    if isinstance(statement, UpdateBase):
        # imported when it is first used: a service that only reads starts faster
        from naked_sqla.write import statement as bulk_persistent

        return bulk_persistent.execute(conn, statement, parameters, execution_options, make_loader)
    if parameters:
        check_parameters(conn, statement, parameters)
    return _run(conn, statement, parameters, execution_options, make_loader)


def run(
    conn: Connection, statement: Any, parameters: Any, execution_options: _Options, *, eager: bool
) -> Result[Any]:
    """:func:`execute` for a SELECT that the library has written: its parameters fit."""
    statement = filtered(conn, _checked(statement, execution_options, eager))
    found = None if execution_options else direct.run(conn, statement, parameters)
    if found is not None:
        return found
    conn = opened(conn)
    _check_streaming(conn, statement, execution_options)
    return _run(conn, statement, parameters, execution_options)


def _run(
    conn: Connection,
    statement: Any,
    parameters: Any,
    execution_options: _Options,
    make_loader: MakeLoader | None = None,
) -> Result[Any]:
    options = execution_options
    if make_loader is not None or statements.is_orm_statement(statement):
        options = statements.orm_options(options)
    result = conn.execute(statement, parameters, execution_options=options)
    if isinstance(statement, DatabaseSequence):
        # a sequence: its next value is the result
        return result
    # imported by the first statement: the direct way of the next ones does without it
    from naked_sqla.read.fetching import loaded_result

    loaded = loaded_result(conn, result, statement, execution_options, parameters, make_loader)
    if not execution_options:
        direct.remember(result, statement, make_loader)
    return loaded


def stream(
    conn: Connection,
    statement: Any,
    parameters: Any = None,
    execution_options: _Options = None,
    *,
    eager: bool = True,
    make_loader: MakeLoader | None = None,
) -> Result[Any]:
    """Run a statement with a server-side cursor; its entities become naked objects chunk by chunk.

    Arguments and errors are those of :func:`execute`; the execution option ``yield_per`` says how
    many rows make a chunk.

    :return: a result that reads from the connection while it is read.
    :raises InvalidRequestError: for joined collections, whose rows can't be told apart in chunks.
    """
    statement = filtered(conn, _checked(statement, execution_options, eager))
    if parameters:
        check_parameters(conn, statement, parameters)
    options = {**(execution_options or {}), "stream_results": True}
    run_with = options
    if make_loader is not None or statements.is_orm_statement(statement):
        run_with = statements.orm_options(options)
    result = conn.execute(statement, parameters, execution_options=run_with)
    from naked_sqla.read.fetching import loading_on
    from naked_sqla.read.loader import stream_result

    loading = loading_on(conn, further_options(options), parameters)
    return stream_result(result, statement, loading, make_loader)


def further_options(options: _Options) -> dict[str, Any]:
    """The execution options of further statements: they are read at once, whatever the caller's
    own is."""
    return {key: value for key, value in (options or {}).items() if key not in _STREAMING}


def _checked(statement: Any, execution_options: _Options, eager: bool) -> Any:
    """The statement, refused or made ready."""
    if execution_options is not None and not isinstance(execution_options, Mapping):
        raise TypeError(
            f"execution_options is a dictionary, got {execution_options!r}. Write "
            f'execution_options={{"schema_translate_map": ...}}.'
        )
    if isinstance(statement, Select):
        if statements.is_empty_select(statement):
            raise InvalidStatement(
                "select() has no columns: there is nothing to select. Name entities or columns: "
                "select(User), select(User.id)."
            )
        if eager or not statements.is_orm_statement(statement):
            return statement
        return statement.options(lazyload("*"))
    if not statements.is_executable(statement):
        raise InvalidStatement(_what_to_write(statement))
    inner = statements.inner_statement(statement)
    if inner is not None and statements.has_options(inner):
        raise UnsupportedOption(
            "An option of a statement inside from_statement() has no effect on what is loaded. "
            "Put it on the outer one: select(...).from_statement(...).options(...)."
        )
    if eager or not statements.is_orm_statement(statement):
        return statement
    if inner is not None and getattr(inner, "is_select", False):
        statement = statements.with_inner_options(statement, lazyload("*"))
    return statement.options(lazyload("*"))


def _what_to_write(statement: Any) -> str:
    fact = f"{statement!r} is not a statement that can be executed."
    if isinstance(statement, str):
        return f"{fact} Wrap SQL text in text(): text({statement!r})."
    if statement is None:
        return f"{fact} Pass a select(), insert(), update(), delete() or text()."
    cls = statement if isinstance(statement, type) else type(statement)
    if mapper_of(cls) is not None:
        if statement is cls:
            return f"{fact} Write select({cls.__name__})."
        return f"{fact} To store it, write insert({cls.__name__}).values(...)."
    if hasattr(statement, "__clause_element__") or hasattr(statement, "compare"):
        return f"{fact} Put the expression into a statement: select(...)."
    return f"{fact} Pass a select(), insert(), update(), delete() or text()."


def _check_streaming(conn: Connection, statement: Any, execution_options: _Options) -> None:
    of_statement: Any = getattr(statement, "get_execution_options", dict)()
    for options in (conn.get_execution_options(), of_statement, execution_options):
        if options:
            refuse_streaming(options)


def refuse_streaming(options: Mapping[str, Any], names: Iterable[str] = _STREAMING) -> None:
    """Raise ``UnsupportedOption`` for an execution option that asks for a server-side cursor."""
    for name in names:
        if options.get(name):
            raise UnsupportedOption(
                f"the execution option {name}={options[name]!r} asks for a server-side cursor, and "
                f"execute() reads all rows at once. Use stream(), or leave it out."
            )


def check_parameters(conn: Connection, statement: Any, parameters: Any) -> None:
    """Refuse parameters that the statement does not have; SQLAlchemy refuses other types."""
    if type(parameters) is dict and statements.knows_binds(statement, parameters):
        return
    sets = [parameters] if isinstance(parameters, Mapping) else parameters
    if not isinstance(sets, Sequence) or not all(isinstance(item, Mapping) for item in sets):
        return
    if sets is parameters and getattr(statement, "is_select", False):
        raise ArgumentError(
            "A SELECT takes one dictionary of parameters, got a list: only INSERT, UPDATE and "
            "DELETE run once for each set. Execute it for each dictionary, or use in_()."
        )
    inner = statements.inner_statement(statement)
    if inner is not None and getattr(inner, "is_dml", False):
        from naked_sqla.write import statement as bulk_persistent

        bulk_persistent.check_keys(inner, sets)
        return
    names = statements.bind_names(statement)
    unknown = {key for item in sets for key in item} - names
    if unknown and not isinstance(statement, TextClause):
        # relationships, column_property() and with_loader_criteria() add binds when compiled
        unknown -= set(statement.compile(dialect=conn.dialect).params)
    if unknown:
        strange = ", ".join(sorted(map(repr, unknown)))
        known = ", ".join(sorted(map(str, names))) or "none"
        raise UnknownAttribute(
            f"The statement has no parameter named {strange}; it has: {known}. Correct the "
            f"name, or add bindparam() with this name to the statement."
        )
