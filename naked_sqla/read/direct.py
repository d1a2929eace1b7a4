"""The direct way: a SELECT that has run before goes from its cache key to the driver and the
hydrator.

No cursor, no execution context, no rows of SQLAlchemy's in between; a SELECT without entities gets
its rows in SQLAlchemy's result.  It is taken where nobody could tell; everything else goes
SQLAlchemy's way, which stays the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import compile_states, direct, results
from naked_sqla._sqlalchemy.direct_rows import KeptRows, SentSelect
from naked_sqla._sqlalchemy.unopened import Unopened, opened
from naked_sqla.backends import backend_of
from naked_sqla.read.kept import KeptLoader, KeptMaker
from naked_sqla.read.quiet import CRITERIA_ONLY, is_quiet, rows_of, told_of
from naked_sqla.read.result import to_loaded_result

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result
    from sqlalchemy.engine import CursorResult

    from naked_sqla.read.loader import MakeLoader
    from naked_sqla.read.loading import Loading

__all__ = ("remember", "run")


class _Way:
    """The way of one compiled statement: how it is sent, and what its rows become."""

    __slots__ = ("kept", "rows")

    def __init__(self, kept: direct.Kept, rows: KeptLoader | KeptRows) -> None:
        self.kept = kept
        self.rows = rows


# by the key of what makes their loaders; None: objects of the mapped classes, or rows
_Ways = BoundedCache[Any, _Way | None]
_WAYS = 16


def remember(
    result: CursorResult[Any], statement: Any, make_loader: MakeLoader | None = None
) -> None:
    """Keep the direct way of a statement, if it has one, with its compiled form.

    :param result: of the statement, whose rows have been loaded.
    :param make_loader: made its loader.
    """
    maker = make_loader if isinstance(make_loader, KeptMaker) else None
    if type(statement) is not Select or (maker is None and make_loader is not None):
        return
    compiled = result.context.compiled
    cache = compile_states.made_cache_of(compiled)
    if cache is None:
        return
    ways: _Ways = cache.setdefault(_Way, BoundedCache(_WAYS))
    key = None if maker is None else maker.key
    if key not in ways:
        ways[key] = _way_of(result, maker)


def _way_of(result: CursorResult[Any], maker: KeptMaker | None) -> _Way | None:
    compiled = result.context.compiled
    rows: KeptLoader | KeptRows | None
    if maker is not None:
        rows = maker.known(result)
    elif compile_states.entity_state(compiled) is None:
        rows = KeptRows.known(result)
    else:
        from naked_sqla.read.loader import known_loader

        rows = known_loader(result)
    if rows is None:
        return None
    # the columns of the statement in hand are found beside what is kept
    metadata = rows.metadata if isinstance(rows, KeptRows) else results.metadata_of(result)
    kept = direct.Kept.of(compiled, metadata)
    return None if kept is None else _Way(kept, rows)


def run(
    conn: Connection | Unopened,
    statement: Any,
    parameters: Any,
    make_loader: MakeLoader | None = None,
) -> Result[Any] | None:
    """Run a statement without execution options the direct way.

    :param conn: where it only stands for a Connection, nobody listens to its engine.
    :return: None where it has to go SQLAlchemy's way: nothing was sent.
    """
    if type(statement) is not Select:
        return None
    if isinstance(conn, Unopened):
        return _run_unopened(conn, statement, parameters, make_loader)
    if not is_quiet(conn, statement):
        return None
    ready = _ready(conn, statement, parameters, make_loader)
    if ready is None:
        return None
    loader, sql, arguments = ready
    if type(loader) is SentSelect:
        found: Result[Any] = loader.result(conn, *told_of(conn, sql, arguments))
        return found
    return to_loaded_result(loader, rows_of(conn, sql, arguments))


def _run_unopened(
    unopened: Unopened, statement: Any, parameters: Any, make_loader: MakeLoader | None
) -> Result[Any] | None:
    if statement.get_execution_options():
        return None
    if not direct.has_usual_options(unopened.engine, CRITERIA_ONLY):
        return None
    ready = _ready(unopened, statement, parameters, make_loader)
    if ready is None:
        return None
    if unopened.connected:
        # its loader has asked for one, or it is not the first statement
        return run(unopened.open(), statement, parameters, make_loader)
    unopened.check_out()
    backend = backend_of(unopened.dialect)
    if not backend.can_fetch(unopened):
        return None
    loader, sql, arguments = ready
    are_rows = type(loader) is SentSelect
    fetch = backend.fetch_told if are_rows else backend.fetch
    try:
        found: Any = fetch(unopened, sql, arguments, unopened.in_autocommit)
    except BaseException as error:  # noqa: BLE001 - it comes out again
        conn = unopened.conn
        direct.begin(conn)
        direct.raise_as_sqlalchemy(conn, error, sql, arguments)
    result: Result[Any] = (
        loader.result(unopened, *found) if are_rows else to_loaded_result(loader, found)
    )
    return result


def _ready(
    conn: Connection | Unopened, statement: Any, parameters: Any, make_loader: MakeLoader | None
) -> tuple[Any, str, Any] | None:
    """A statement's loader (or what makes its result of rows), its SQL and its values.

    :return: None where it has no direct way.
    """
    found = direct.find(conn, statement, parameters)
    if found is None:
        return None
    compiled, values = found
    cache = compile_states.cache_of(compiled)
    ways: _Ways | None = None if cache is None else cache.get(_Way)
    if ways is None:
        return None
    way = ways.get(None if make_loader is None else getattr(make_loader, "key", make_loader))
    if way is None:
        return None
    rows = way.rows
    loader: Any = None
    if not isinstance(rows, KeptRows):

        def loading() -> Loading:
            from naked_sqla.read.fetching import loading_on

            return loading_on(opened(conn), None, parameters)

        loader = rows.of(statement, loading)
        if loader is None:
            return None
    try:
        arguments = way.kept.arguments(parameters, values)
    except Exception:  # noqa: BLE001 - SQLAlchemy meets it again, and says where
        return None
    if arguments is None:
        return None
    if isinstance(rows, KeptRows):
        loader = rows.sent(compiled, statement, parameters, values, arguments)
    return loader, way.kept.sql, arguments
