"""Objects of the caller's classes with the relationships that a statement's options load.

The statement runs as it does for mapped classes, with its further statements.  It makes records,
and mapped objects only where a field takes these, or a collection of the application's own holds
them.  The records fill objects of the caller's class, by the names of attributes, to any depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import compile_states, results
from naked_sqla.exception import NotLoadedError, RowMismatch
from naked_sqla.into.emitting import Fill
from naked_sqla.into.fields import Form
from naked_sqla.into.nested_match import Matched, NestedMatcher
from naked_sqla.into.reading import filler_from_objects
from naked_sqla.into.related_shape import ShapeReader
from naked_sqla.read import statement as _statement
from naked_sqla.read.fetching import loading_on
from naked_sqla.read.kept import KeptLoader, KeptMaker
from naked_sqla.read.loader import Loader, known_loader, loader_of
from naked_sqla.read.planner import plan_of
from naked_sqla.read.records import OfItems
from naked_sqla.read.result import to_result
from naked_sqla.read.statement import further_options
from naked_sqla.read.turns import in_turns

if TYPE_CHECKING:
    from sqlalchemy import Connection, ScalarResult
    from sqlalchemy.engine import CursorResult

__all__ = ("METADATA", "Nested", "execute", "nested", "stream")

METADATA: Any = results.row_metadata(("object",), ((),), (None,))

_Finish = Callable[[list[Any]], list[Any]]


class Nested:
    """Fills objects from loaded ones.

    :ivar scalar: True when a row is one loaded object, not a tuple.
    :ivar multiplied: True when rows repeat their objects.
    :ivar matched: what was decided of the rows.
    :ivar records: which objects of a row are made as records.
    """

    __slots__ = ("_fill", "_finish", "cls", "matched", "multiplied", "records", "scalar")

    def __init__(
        self,
        cls: Any,
        fill: Fill,
        scalar: bool,
        multiplied: bool,
        finish: _Finish,
        matched: Matched,
        records: OfItems,
    ) -> None:
        self._finish = finish
        self.matched = matched
        self.cls = cls
        self._fill = fill
        self.scalar = scalar
        self.multiplied = multiplied
        self.records = records

    def fill(self, items: Iterable[Any]) -> list[Any]:
        """The objects for loaded items.

        :raises RowMismatch: the objects are nested too deep, or hold themselves.
        """
        try:
            return self._finish(self._fill(items))
        except RecursionError:
            raise RowMismatch(
                f"{self.cls.__name__} can't be filled: the loaded objects are nested deeper than "
                f"Python can follow, or one of them holds itself. Next: limit the levels with "
                f"recursion_depth."
            ) from None
        except NotLoadedError as error:
            # of a text(), whose columns only the database knows
            raise RowMismatch(f"{self.cls.__name__} can't be filled: {error}") from error


def nested(
    cls: Any, validate: bool, compiled: Any, state: Any, statement: Any, parameters: Any
) -> Nested | None:
    """Decide how a class is filled from the objects of a statement and their relationships.

    :param compiled: the statement, compiled; nothing has run.
    :param state: its ORM compile state.
    :return: None for a statement that loads no relationship beside its rows.
    :raises RowMismatch: they do not fit, on any level; the message names both sides.
    """
    plan = plan_of(state, compile_states.CompiledMetadata(compiled))
    if not plan.later and not plan.multiplied:
        return None
    finish: _Finish = list
    reader = ShapeReader(compiled.dialect, state, statement, parameters)
    row_shape, objects = reader.row_shape(plan)
    kind: Any = NestedMatcher
    if isinstance(cls, Form):
        kind, finish, cls = cls.matcher(kind), cls.finished, cls.cls
    matcher = kind(row_shape, validate)
    matched = Matched(matcher.root(cls), row_shape, matcher.below)
    fill = filler_from_objects(matched.record, objects, scalar=plan.scalar)
    records = tuple(
        None if shape is None or shape.structure in matcher.taken else shape.records
        for shape in objects
    )
    return Nested(cls, fill, plan.scalar, plan.multiplied, finish, matched, records)


def execute(
    conn: Connection, found: Nested, statement: Any, parameters: Any, options: Any
) -> ScalarResult[Any]:
    """Run a statement with its further statements, and fill the objects."""
    make_loader = _RecordsMaker(found, conn, parameters, options)
    result = _statement.execute(
        conn, statement, parameters, options, eager=False, make_loader=make_loader
    )
    if found.multiplied:
        result = result.unique()
    items: Any = result.scalars().all() if found.scalar else result.all()
    fill = in_turns(found.fill) if conn.dialect.is_async else found.fill
    return to_result(fill([*items]), METADATA, True).scalars()


def stream(
    conn: Connection, found: Nested, statement: Any, parameters: Any, options: Any
) -> ScalarResult[Any]:
    """As :func:`execute`, chunk by chunk."""
    make = _RecordsMaker(found, conn, parameters, further_options(options))

    def make_loader(result: CursorResult[Any]) -> Loader:
        loader = make(result)
        load = loader.load
        return Loader(
            lambda rows: found.fill(load(rows)), METADATA, True, loader.multiplied, loader.raw
        )

    result = _statement.stream(
        conn, statement, parameters, options, eager=False, make_loader=make_loader
    )
    return result.scalars()


class _RecordsMaker(KeptMaker):
    """Makes loaders of the objects that fill others: of records, where they can be."""

    __slots__ = ("_loading", "key")

    def __init__(self, found: Nested, conn: Connection, parameters: Any, options: Any) -> None:
        self.key = found
        self._loading = loading_on(conn, options, parameters)
        self._loading.records = found.records

    def __call__(self, result: CursorResult[Any]) -> Loader:
        loader: Any = loader_of(result, result.context.invoked_statement, self._loading)
        return loader  # type: ignore[no-any-return]

    def known(self, result: CursorResult[Any]) -> KeptLoader | None:
        return known_loader(result, records=self._loading.records)
