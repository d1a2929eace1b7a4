"""What the methods of sessions and factories do, on a synchronous connection.

Each takes the connection and ``eager``, whether mapped eager loads are honoured, and then its own
arguments.  Who calls them, and in what transaction, is not their concern.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.exc import NoResultFound

from naked_sqla import _compat
from naked_sqla.om import lookup as _lookup
from naked_sqla.om import preload as _preload
from naked_sqla.om import statement as _statement
from naked_sqla.om.sessions import checks

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result, ScalarResult
    from sqlalchemy.engine import TupleResult


def execute(
    conn: Connection, eager: bool, statement: Any, parameters: Any, options: Any
) -> Result[Any]:
    """The buffered result of a statement."""
    checks.statement_options(statement, options)
    return _statement.execute(conn, statement, parameters, options, eager=eager)


def tuples(
    conn: Connection, eager: bool, statement: Any, parameters: Any, options: Any
) -> TupleResult[Any]:
    """The same, as far as a type checker sees."""
    # A TupleResult is a Result at run time; 2.1 deprecates the method.
    return cast("TupleResult[Any]", execute(conn, eager, statement, parameters, options))


def scalars(
    conn: Connection, eager: bool, statement: Any, parameters: Any, options: Any
) -> ScalarResult[Any]:
    """The first item of each row."""
    return execute(conn, eager, statement, parameters, options).scalars()


def scalar(conn: Connection, eager: bool, statement: Any, parameters: Any, options: Any) -> Any:
    """The first item of the first row, or None."""
    return execute(conn, eager, statement, parameters, options).scalar()


def exec_(conn: Connection, eager: bool, statement: Any, parameters: Any, options: Any) -> Any:
    """Scalars of one selected item, rows of several, and the result itself where there are none."""
    result = execute(conn, eager, statement, parameters, options)
    if getattr(statement, "is_dml", False) and not _compat.returning_columns(statement):
        # PostgreSQL may return the keys it has made, which nobody has selected
        return result
    if getattr(result, "returns_rows", True) and _compat.width_of(result) == 1:
        return result.scalars()
    return result


def get(
    conn: Connection,
    eager: bool,
    model: Any,
    ident: Any,
    options: Any,
    execution_options: Any,
    with_for_update: Any,
) -> Any:
    """One object by its primary key, or None."""
    if execution_options:
        checks.statement_options(None, execution_options)
    return _lookup.get(
        conn,
        model,
        ident,
        options=options,
        execution_options=execution_options,
        with_for_update=with_for_update,
        eager=eager,
    )


def get_one(conn: Connection, eager: bool, model: Any, ident: Any, *rest: Any) -> Any:
    """One object by its primary key.

    :raises NoResultFound: when there is none.
    """
    found = get(conn, eager, model, ident, *rest)
    if found is None:
        raise NoResultFound(
            f"No row was found for the primary key {ident!r} of {model.__name__}. Use get() where "
            f"there may be none."
        )
    return found


def into(
    conn: Connection,
    eager: bool,
    cls: Any,
    statement: Any,
    parameters: Any,
    validate: bool,
    options: Any,
) -> ScalarResult[Any]:
    """The rows of a statement as objects of a class."""
    # imported when it is first used: services that load entities never pay for it
    from naked_sqla.om import into as _into

    checks.statement_options(statement, options)
    return _into.execute(
        conn, cls, statement, parameters, validate=validate, execution_options=options
    )


def preload(conn: Connection, eager: bool, objects: Any, paths: Any, force: bool) -> None:
    """Relationships of objects in hand."""
    _preload.preload(conn, objects, paths, force=force, eager=eager)


def stream(
    conn: Connection, eager: bool, statement: Any, parameters: Any, options: Any
) -> Result[Any]:
    """A result that reads from the connection while it is read."""
    checks.statement_options(statement, options)
    return _statement.stream(conn, statement, parameters, options, eager=eager)


def stream_into(
    conn: Connection,
    eager: bool,
    cls: Any,
    statement: Any,
    parameters: Any,
    validate: bool,
    options: Any,
) -> Any:
    """:func:`into`, read while it is read: a result of one item, as :func:`stream` gives it."""
    from naked_sqla.om import into as _into

    checks.statement_options(statement, options)
    objects = _into.stream(
        conn, cls, statement, parameters, validate=validate, execution_options=options
    )
    return _compat.sync_result(objects)
