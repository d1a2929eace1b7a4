"""The plan that the database has for a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import event

from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidStatement
from naked_sqla.read import statement as _statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("explain",)


class _Stopped(Exception):
    """Carries what would have been sent, out of the call that would have sent it."""

    def __init__(self, sql: str, parameters: Any) -> None:
        super().__init__(sql)
        self.sql = sql
        self.parameters = parameters


def explain(
    conn: Connection, eager: bool, statement: Any, parameters: Any, analyze: bool, as_json: bool
) -> Any:
    """The plan of the first statement that a call of ``execute()`` sends.

    :param analyze: run it; what it writes is taken back.
    :raises InvalidStatement: a batch, or a database whose plans are not known here.
    :raises UnsupportedOption: ``analyze`` where the database has none.
    """
    backend = backend_of(conn.dialect)
    before = backend.explain(analyze, as_json)
    sql, values = _first_sent(conn, eager, statement, parameters)
    if not analyze:
        return backend.plan(conn.exec_driver_sql(before + sql, values).all(), as_json)
    with conn.begin_nested() as point:
        rows = conn.exec_driver_sql(before + sql, values).all()
        point.rollback()
    return backend.plan(rows, as_json)


def _first_sent(conn: Connection, eager: bool, statement: Any, parameters: Any) -> tuple[str, Any]:
    """The text and parameters that a call would send first; nothing is sent."""

    def stop(
        conn: Any, cursor: Any, sql: str, values: Any, context: Any, executemany: bool
    ) -> NoReturn:
        if executemany:
            raise InvalidStatement(
                "explain() was given a list of parameters, and a plan is that of one statement. "
                "Pass a dictionary."
            )
        raise _Stopped(sql, values)

    event.listen(conn, "before_cursor_execute", stop)
    try:
        _statement.execute(conn, statement, parameters, eager=eager)
    except _Stopped as stopped:
        return stopped.sql, stopped.parameters
    finally:
        event.remove(conn, "before_cursor_execute", stop)
    raise InvalidStatement("explain(): the statement sends nothing, so that it has no plan.")
