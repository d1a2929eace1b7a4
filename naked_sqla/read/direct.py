"""The direct way: a SELECT that has run before goes from its cache key to the driver and the
hydrator.

No cursor, no execution context, no rows of SQLAlchemy's in between.  It is taken where nobody
could tell; everything else goes SQLAlchemy's way, which stays the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import compile_states, direct, results
from naked_sqla._sqlalchemy.unopened import Unopened, opened
from naked_sqla.backends import backend_of
from naked_sqla.read.kept import KeptLoader, KeptMaker
from naked_sqla.read.quiet import CRITERIA_ONLY, is_quiet, rows_of
from naked_sqla.read.result import to_loaded_result

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result
    from sqlalchemy.engine import CursorResult

    from naked_sqla.read.loader import Loader, MakeLoader
    from naked_sqla.read.loading import Loading

__all__ = ("remember", "run")


class _Way:
    """The way of one compiled statement: how it is sent, and how its rows are loaded."""

    __slots__ = ("kept", "loader")

    def __init__(self, kept: direct.Kept, loader: KeptLoader) -> None:
        self.kept = kept
        self.loader = loader


# by the key of what makes their loaders; None: objects of the mapped classes
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
    found = compile_states.entity_state(compiled)
    if found is None:
        return
    ways: _Ways = compile_states.state_cache(found[0]).setdefault(_Way, BoundedCache(_WAYS))
    key = None if maker is None else maker.key
    if key in ways:
        return
    from naked_sqla.read.loader import known_loader

    kept = direct.Kept.of(compiled, results.metadata_of(result))
    loader = known_loader(result) if maker is None else maker.known(result)
    ways[key] = None if kept is None or loader is None else _Way(kept, loader)


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
    if unopened.has_conn:
        # its loader has asked for one
        return run(unopened.open(), statement, parameters, make_loader)
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
    conn: Connection | Unopened, statement: Any, parameters: Any, make_loader: MakeLoader | None
) -> tuple[Loader, str, Any] | None:
    """The loader of a statement, its SQL and its values; None where it has no direct way."""
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

    def loading() -> Loading:
        from naked_sqla.read.fetching import loading_on

        return loading_on(opened(conn), None, parameters)

    loader = way.loader.of(statement, loading)
    if loader is None:
        return None
    try:
        arguments = way.kept.arguments(parameters, values)
    except Exception:  # noqa: BLE001 - SQLAlchemy meets it again, and says where
        return None
    return None if arguments is None else (loader, way.kept.sql, arguments)
