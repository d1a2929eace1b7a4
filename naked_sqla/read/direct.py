"""The direct way: a SELECT that has run before goes from its cache key to the driver and the
hydrator.

No cursor, no execution context, no rows of SQLAlchemy's in between.  It is taken where nobody
could tell; everything else goes SQLAlchemy's way, which stays the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select

from naked_sqla._sqlalchemy import compile_states, direct, results
from naked_sqla._sqlalchemy.unopened import Unopened, opened
from naked_sqla.backends import backend_of
from naked_sqla.read.fetching import loading_on
from naked_sqla.read.loader import KnownLoader, Loader, known_loader, to_loaded_result
from naked_sqla.read.quiet import CRITERIA_ONLY, is_quiet, rows_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result
    from sqlalchemy.engine import CursorResult

__all__ = ("remember", "run")


class _Way:
    """The way of one compiled statement: how it is sent, and how its rows are loaded."""

    __slots__ = ("kept", "loader")

    def __init__(self, kept: direct.Kept, loader: KnownLoader) -> None:
        self.kept = kept
        self.loader = loader


def remember(result: CursorResult[Any], statement: Any) -> None:
    """Keep the direct way of a statement, if it has one, with its compiled form.

    :param result: of the statement, whose rows have been loaded.
    """
    if type(statement) is not Select:
        return
    compiled = result.context.compiled
    found = compile_states.entity_state(compiled)
    if found is None:
        return
    cache = compile_states.state_cache(found[0])
    if _Way in cache:
        return
    kept = direct.Kept.of(compiled, results.metadata_of(result))
    loader = known_loader(result)
    cache[_Way] = None if kept is None or loader is None else _Way(kept, loader)


def run(conn: Connection | Unopened, statement: Any, parameters: Any) -> Result[Any] | None:
    """Run a statement without execution options the direct way.

    :param conn: where it only stands for a Connection, nobody listens to its engine.
    :return: None where it has to go SQLAlchemy's way: nothing was sent.
    """
    if type(statement) is not Select:
        return None
    if isinstance(conn, Unopened):
        return _run_unopened(conn, statement, parameters)
    if not is_quiet(conn, statement):
        return None
    ready = _ready(conn, statement, parameters)
    if ready is None:
        return None
    loader, sql, arguments = ready
    return to_loaded_result(loader, rows_of(conn, sql, arguments))


def _run_unopened(unopened: Unopened, statement: Any, parameters: Any) -> Result[Any] | None:
    if statement.get_execution_options():
        return None
    if not direct.has_usual_options(unopened.engine, CRITERIA_ONLY):
        return None
    ready = _ready(unopened, statement, parameters)
    if ready is None:
        return None
    unopened.check_out()
    backend = backend_of(unopened.dialect)
    if not backend.can_fetch(unopened):
        return None
    loader, sql, arguments = ready
    try:
        rows = backend.fetch(unopened, sql, arguments, unopened.in_autocommit)
    except BaseException as error:  # noqa: BLE001 - it comes out again
        conn = unopened.conn
        direct.begin(conn)
        direct.raise_as_sqlalchemy(conn, error, sql, arguments)
    return to_loaded_result(loader, rows)


def _ready(
    conn: Connection | Unopened, statement: Any, parameters: Any
) -> tuple[Loader, str, Any] | None:
    """The loader of a statement, its SQL and its values; None where it has no direct way."""
    found = direct.find(conn, statement, parameters)
    if found is None:
        return None
    compiled, values = found
    state = compile_states.entity_state(compiled)
    way: _Way | None = None
    if state is not None:
        way = compile_states.state_cache(state[0]).get(_Way)
    if way is None:
        return None
    loader = way.loader.of(statement, lambda: loading_on(opened(conn), None, parameters))
    if loader is None:
        return None
    try:
        arguments = way.kept.arguments(parameters, values)
    except Exception:  # noqa: BLE001 - SQLAlchemy meets it again, and says where
        return None
    return None if arguments is None else (loader, way.kept.sql, arguments)
