"""Nested objects by one statement: ``into(..., strategy="json")``.

The database writes the rows below a row as JSON.  The values that come back are those of the
row-by-row way (``nested.py``), or the statement is refused before it runs.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select

from naked_sqla import into
from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import compile_states, loader_options, results, statements
from naked_sqla.backends import backend_of
from naked_sqla.into.nested import METADATA
from naked_sqla.into.related_shape import ShapeReader
from naked_sqla.into.tree_root import Root, root_of
from naked_sqla.into.tree_types import Types, types_of
from naked_sqla.into.tree_values import Values, refuse
from naked_sqla.read.criteria import filtered
from naked_sqla.read.fetching import loading_on
from naked_sqla.read.loader import Loader, MakeLoader, entity_result, stream_result
from naked_sqla.read.planner import plan_of
from naked_sqla.read.statement import check_parameters, refuse_streaming
from naked_sqla.read.turns import in_turns

if TYPE_CHECKING:
    from sqlalchemy import Connection, ScalarResult
    from sqlalchemy.engine import CursorResult

__all__ = ("execute", "stream")

_KNOWN = 500

_Fill = Callable[[Iterable[Any]], list[Any]]


class _Tree:
    """A class filled from the trees of one statement.

    :ivar keys: of the bound values of the statement it was made for; see ``bound_values()``.
    :ivar types: still to be compared with the mapping.
    """

    __slots__ = ("_known", "keys", "root", "statement", "types")

    def __init__(self, root: Root, statement: Any, keys: list[str], types: Types | None) -> None:
        self.root = root
        self.types = types
        self.statement = statement
        self.keys = keys
        # one value, since two threads may load the same statement
        self._known: tuple[Any, bool, _Fill] | None = None

    def loader(self, result: CursorResult[Any]) -> Loader:
        """What fills the objects of a result."""
        raw, metadata = results.is_raw_readable(result), results.metadata_of(result)
        known = self._known
        if known is not None and known[0] is metadata and known[1] == raw:
            return Loader(known[2], METADATA, True, False, raw)
        fill = self._filler(result, raw)
        self._known = metadata, raw, fill
        return Loader(fill, METADATA, True, False, raw)

    def _filler(self, result: CursorResult[Any], raw: bool) -> _Fill:
        processors = results.processors_of(results.metadata_of(result)) if raw else ()
        fill = self.root.filler(processors)
        return in_turns(fill) if result.dialect.is_async else fill

    def checking(self, types: Types) -> Callable[[CursorResult[Any]], Loader]:
        """As :meth:`loader`, for rows that tell the types of the columns behind their values."""

        def loader(result: CursorResult[Any]) -> Loader:
            raw = results.is_raw_readable(result)
            fill = self._filler(result, raw)

            def checked(rows: Iterable[Any]) -> list[Any]:
                rows = list(rows)
                if rows:
                    types.check(rows[0][-1])
                    self.types = None
                return fill([row[:-1] for row in rows])

            return Loader(checked, METADATA, True, False, raw)

        return loader


def execute(
    conn: Connection,
    cls: Any,
    statement: Any,
    parameters: Any = None,
    *,
    validate: bool = True,
    execution_options: Mapping[str, Any] | None = None,
) -> ScalarResult[Any]:
    """Run a statement, and fill objects to any depth from its rows alone.

    Arguments and errors are those of :func:`naked_sqla.into.execute`.

    :raises UnsupportedOption: something does not come back from JSON as it was.
    """
    statement = statements.resolved(statement)
    tree = _tree(conn, cls, statement, parameters, validate)
    if tree is None:
        return into.execute(
            conn,
            cls,
            statement,
            parameters,
            validate=validate,
            execution_options=execution_options,
        )
    for options in (conn.get_execution_options(), statement.get_execution_options()):
        refuse_streaming(options)
    made, loader, result = _run(conn, tree, statement, parameters, execution_options)
    loading = loading_on(conn, execution_options, parameters)
    return entity_result(result, made, loading, loader).scalars()


def stream(
    conn: Connection,
    cls: Any,
    statement: Any,
    parameters: Any = None,
    *,
    validate: bool = True,
    execution_options: Mapping[str, Any] | None = None,
) -> ScalarResult[Any]:
    """As :func:`execute`, chunk by chunk."""
    statement = statements.resolved(statement)
    tree = _tree(conn, cls, statement, parameters, validate)
    if tree is None:
        return into.stream(
            conn,
            cls,
            statement,
            parameters,
            validate=validate,
            execution_options=execution_options,
        )
    options = {**(execution_options or {}), "stream_results": True}
    made, loader, result = _run(conn, tree, statement, parameters, options)
    loading = loading_on(conn, options, parameters)
    return stream_result(result, made, loading, loader).scalars()


def _run(
    conn: Connection, tree: _Tree, statement: Any, parameters: Any, options: Any
) -> tuple[Any, MakeLoader, CursorResult[Any]]:
    """The statement that was run, what reads its rows, and its result."""
    if parameters:
        check_parameters(conn, statement, parameters)
    given = parameters or {}
    if statements.is_bound(statement, parameters):
        given = {**statements.bound_values(statement, tree.keys), **given}
    made, types = tree.statement, tree.types
    loader: MakeLoader = tree.loader
    if types is not None:
        made, loader = made.add_columns(types.column), tree.checking(types)
    result = conn.execute(made, given, execution_options=statements.orm_options(options))
    return made, loader, result


_trees: weakref.WeakKeyDictionary[Any, BoundedCache[Any, _Tree | None]]
_trees = weakref.WeakKeyDictionary()


def _tree(
    conn: Connection, cls: Any, statement: Any, parameters: Any, validate: bool
) -> _Tree | None:
    """How a class is filled; None where its rows have nothing below them."""
    trees = backend_of(conn.dialect).trees
    if trees is None:
        refuse(f"{backend_of(conn.dialect)} is not known to write JSON")
    # refuses what does not fit, with the message of the row-by-row way
    found = into.fit_of(conn, cls, statement, parameters, validate)
    if found.nested is None:
        return None
    if not isinstance(statement, Select):
        refuse("the statement is no select(), and only into one further columns can be put")
    if loader_options.criteria_options(filtered(conn, statement)):
        refuse("with_loader_criteria() holds for the statement, or for this factory")
    values = Values(trees, conn.dialect, trees.zone(conn))
    known = _trees.get(conn.dialect)
    if known is None:
        known = _trees[conn.dialect] = BoundedCache(_KNOWN)
    cache_key = None
    if statements.is_bound(statement, parameters):
        cache_key = statements.cache_key_of(statement)
    key = (cls, validate, cache_key, values.zone)
    tree = known.get(key) if cache_key is not None else None
    if tree is None:
        tree = _made(conn, cls, statement, parameters, validate, values)
        if cache_key is not None:
            known[key] = tree
    return tree


def _made(
    conn: Connection, cls: Any, statement: Any, parameters: Any, validate: bool, values: Values
) -> _Tree:
    matched = into.as_matched(statement)
    compiled = matched.compile(dialect=conn.dialect)
    state: Any = (compile_states.entity_state(compiled) or (None,))[0]
    plan = plan_of(state, compile_states.CompiledMetadata(compiled))
    reader = ShapeReader(conn.dialect, state, matched, parameters)
    root = root_of(cls, validate, *reader.row_shape(plan), values, statement)
    made = statements.without_options(statement).with_only_columns(
        *root.columns, maintain_column_froms=True
    )
    types = types_of(values.trees, root.branches)
    return _Tree(root, made, statements.bound_keys(statement), types)
