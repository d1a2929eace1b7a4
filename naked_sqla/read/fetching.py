"""Runs further statements, which are sent with the keys of many objects.

On the direct way each number of keys is another SQL, which is kept with the statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import compile_states, direct, relationships, results, statements
from naked_sqla._sqlalchemy.direct_lists import KeptOfList
from naked_sqla.read.loader import (
    KnownLoader,
    Loader,
    MakeLoader,
    entity_result,
    known_loader,
    loader_of,
)
from naked_sqla.read.loading import KEYS, Loading
from naked_sqla.read.quiet import is_quiet, rows_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result
    from sqlalchemy.engine import CursorResult

__all__ = ("loaded_result", "loading_on", "run")


def loading_on(
    conn: Connection, options: Mapping[str, Any] | None, parameters: Any = None
) -> Loading:
    """Say how the further statements of a statement are run.

    :param options: the execution options of the statement; further statements get them too.
    :param parameters: of the statement, which its loader options may use.
    """
    return Loading(_fetch, conn, options, parameters if isinstance(parameters, Mapping) else None)


def loaded_result(
    conn: Connection,
    result: CursorResult[Any],
    statement: Any,
    options: Mapping[str, Any] | None,
    parameters: Any,
    make_loader: MakeLoader | None = None,
) -> Result[Any]:
    """:func:`~.loader.entity_result` of a statement that has run; arguments as of both."""
    return entity_result(result, statement, loading_on(conn, options, parameters), make_loader)


def _fetch(loading: Loading, statement: Any, parameters: Mapping[str, Any]) -> list[Any]:
    if loading.parameters:
        named = statements.bind_names(statement)
        given = {key: value for key, value in loading.parameters.items() if key in named}
        parameters = {**given, **parameters}
    found = run(loading, statement, parameters)
    if found is None:
        options = statements.orm_options(loading.options)
        if relationships.is_deep(statement):
            options = options.union({"compiled_cache": None})
        result = loading.conn.execute(statement, parameters, execution_options=options)
        loader = loader_of(result, statement, loading)
        if loader is None:
            return list(result)
        _remember(result, statement, loading)
        found = loader, results.raw_rows(result) if loader.raw else result.all()
    loader, sent = found
    rows = loader.load(sent)
    if not loader.multiplied:
        return rows
    if loader.scalar:
        return list({id(row): row for row in rows}.values())
    # the related object comes last, after the key of its parent
    return list({(*row[:-1], id(row[-1])): row for row in rows}.values())


class _Way:
    """The way of one compiled statement: how it is sent, and how its rows are loaded."""

    __slots__ = ("kept", "loader")

    def __init__(self, kept: KeptOfList, loader: KnownLoader) -> None:
        self.kept = kept
        self.loader = loader


# by what makes their loaders
_Ways = BoundedCache[Any, _Way | None]
_WAYS = 16


def _remember(result: CursorResult[Any], statement: Any, loading: Loading) -> None:
    """Keep the direct way of a further statement, if it has one, with its compiled form.

    :param result: of the statement, whose loader was found and has not been used.
    """
    if type(statement) is not Select or loading.options or loading.depths:
        return
    compiled = result.context.compiled
    found = compile_states.entity_state(compiled)
    if found is None:
        return
    ways: _Ways = compile_states.state_cache(found[0]).setdefault(_Way, BoundedCache(_WAYS))
    key = loading.shared, loading.records
    if key in ways:
        return
    kept = KeptOfList.of(compiled, results.metadata_of(result), KEYS)
    loader = known_loader(result, loading.shared, loading.records)
    ways[key] = None if kept is None or loader is None else _Way(kept, loader)


def run(
    loading: Loading, statement: Any, parameters: Mapping[str, Any]
) -> tuple[Loader, Iterable[Any]] | None:
    """Run a further statement the direct way.

    :param parameters: with the keys.
    :return: its loader and its rows; None where it has to go SQLAlchemy's way: nothing was sent.
    """
    conn = loading.conn
    if type(statement) is not Select or loading.options or loading.depths:
        return None
    found = direct.find(conn, statement, parameters) if is_quiet(conn, statement) else None
    if found is None:
        return None
    compiled, values = found
    state = compile_states.entity_state(compiled)
    ways: _Ways | None = None if state is None else compile_states.state_cache(state[0]).get(_Way)
    way = None if ways is None else ways.get((loading.shared, loading.records))
    loader = None if way is None else way.loader.of(statement, lambda: loading)
    if way is None or loader is None:
        return None
    try:
        sent = way.kept.arguments(parameters, values)
    except Exception:  # noqa: BLE001 - SQLAlchemy meets it again, and says where
        return None
    return None if sent is None else (loader, rows_of(conn, *sent))
