"""The rows of the statement itself: columns as ever, and a column of JSON for each relationship."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import inspect

from naked_sqla._sqlalchemy import mappings, statements
from naked_sqla.backends.trees import Trees
from naked_sqla.into.emitting import filler
from naked_sqla.into.filling import Filling, Made, Record
from naked_sqla.into.related_shape import ObjectShape
from naked_sqla.into.related_values import moved
from naked_sqla.into.row_shape import Column, RowShape, Structure
from naked_sqla.into.tree_match import TreeMatcher, check_class
from naked_sqla.into.tree_select import Branch, put_odd, tree_of
from naked_sqla.into.tree_values import Values, coerced, coercion_of, refuse
from naked_sqla.read.plan import Cell

__all__ = ("Root", "root_of")


@dataclass(frozen=True, slots=True)
class Root:
    """How the rows of a statement fill a class.

    :ivar columns: of the SELECT.
    :ivar coercions: for each column what wraps its value, with the name of the attribute.
    :ivar branches: the relationships that the class takes.
    """

    record: Record
    columns: tuple[Any, ...]
    coercions: tuple[tuple[str, Any] | None, ...]
    branches: tuple[Branch, ...]

    def filler(self, processors: Sequence[Any]) -> Callable[[Iterable[Any]], list[Any]]:
        """The function of rows.

        :param processors: of the columns; none for rows that SQLAlchemy has converted.
        """

        def reads(cell: Cell) -> Cell:
            convert = processors[cell.index] if processors else None
            found = self.coercions[cell.index]
            if found is not None:
                convert = coerced(convert, found[1], found[0])
            return cell._replace(convert=convert)

        return filler(moved(self.record, reads), len(self.columns))


def root_of(
    cls: Any,
    validate: bool,
    row_shape: RowShape,
    objects: Sequence[ObjectShape | None],
    values: Values,
    statement: Any,
) -> Root:
    """Match a class with the rows of a statement.

    :param objects: for each item of a row the shape of its object; None for a value.
    """
    for item, shape in zip(row_shape.items, objects, strict=True):
        if shape is not None:
            check_class(shape, item.shown)
    matcher = TreeMatcher(row_shape, validate, values)
    record = matcher.root(cls)
    cells = _Cells(row_shape, objects, matcher, values)
    if statements.names_results(statement, labels_only=True):
        refuse(
            "order_by() or group_by() has text that may be the place or the label of a column, and "
            "other columns are selected here"
        )
    # DISTINCT compares what is selected; an expression may make several rows of one, or one of all
    cells.add_all(expressions_only=statements.is_plain_select(statement))
    record = moved(_parsed(cells.identified(record), matcher), cells.place)
    branches = tuple(matcher.branches.values())
    return Root(record, tuple(cells.columns), tuple(cells.coercions), branches)


class _Cells:
    """The columns of the SELECT, by the places that the shape of a row has for them.

    :ivar columns: so far, each with a name of its own.
    """

    def __init__(
        self,
        row_shape: RowShape,
        objects: Sequence[ObjectShape | None],
        matcher: TreeMatcher,
        values: Values,
    ) -> None:
        self.columns: list[Any] = []
        self.coercions: list[tuple[str, Any] | None] = []
        self._matcher = matcher
        self._trees = values.trees
        self._places: dict[int, Cell] = {}
        self._sources: dict[int, tuple[Any, ObjectShape | None, Column]] = {}
        self._keys: dict[int, tuple[Cell, ...]] = {}
        for item, shape in zip(row_shape.items, objects, strict=True):
            if isinstance(item, Column):
                if item.cell is not None:
                    self._sources[item.cell.index] = None, None, item
                continue
            self._add(item, shape)

    def _add(self, item: Structure, shape: ObjectShape | None) -> None:
        by_key = {column.names[0]: column for column in item.columns}
        for column in item.columns:
            if column.cell is not None:
                self._sources[column.cell.index] = item.entity.entity, shape, column
        mapper = item.entity.mapper
        keys = [mapper.get_property_by_column(part).key for part in mapper.primary_key]
        found = tuple(by_key[key].cell for key in keys if key in by_key)
        self._keys[item.identity[0].index] = tuple(cell for cell in found if cell is not None)

    def identified(self, record: Record) -> Record:
        """A record whose objects are missing where their primary keys are NULL."""
        fillings = tuple(map(self._filling, record.fillings))
        identity = [key for cell in record.identity for key in self._keys[cell.index]]
        return replace(record, fillings=fillings, identity=tuple(identity))

    def _filling(self, filling: Filling) -> Filling:
        if not isinstance(filling.source, Record):
            return filling
        return replace(filling, source=self.identified(filling.source))

    def add_all(self, expressions_only: bool) -> None:
        for index, (entity, _, column) in self._sources.items():
            if Cell(index) in self._matcher.branches or column.expression is None:
                continue
            is_column = entity is not None or statements.is_plain_column(column.expression)
            if not (expressions_only and is_column):
                self.place(Cell(index))

    def place(self, cell: Cell) -> Cell:
        """Where a value is among the columns."""
        found = self._places.get(cell.index)
        if found is None:
            found = self._places[cell.index] = Cell(len(self.columns))
            self.columns.append(self._column(cell).label(f"c{found.index}"))
        return found

    def _column(self, cell: Cell) -> Any:
        entity, shape, column = self._sources[cell.index]
        coerce = None
        branch = self._matcher.branches.get(cell)
        if branch is not None:
            expression = self._trees.text(tree_of(self._trees, branch, entity))
        else:
            expression = column.expression
            if shape is not None:
                _check(shape, column)
                coerce = coercion_of(shape, column.names[0])
        if expression is None:
            refuse(f"{column.shown} has no expression of its own")
        self.coercions.append(None if coerce is None else (column.names[0], coerce))
        return expression


def _check(shape: ObjectShape, column: Column) -> None:
    mapper: Any = inspect(shape.structure.model)
    if any(prop.key == column.names[0] for prop, _ in mappings.query_expressions(mapper)):
        refuse(f"{column.shown} is what an option says, with_expression()")


def _parsed(record: Record, matcher: TreeMatcher) -> Record:
    """A record whose relationships come as text."""

    def filling(each: Filling) -> Filling:
        source = each.source
        if isinstance(source, Record):
            return replace(each, source=_parsed(source, matcher))
        if isinstance(source, Made):
            branch, trees = matcher.branches[source.cell], matcher.values.trees
            make = (
                _of_text(source.make) if trees.odd is None else _of_any(source.make, trees, branch)
            )
            return replace(each, source=Made(source.cell, make))
        return each

    return replace(
        record,
        fillings=tuple(map(filling, record.fillings)),
        extra=tuple(map(filling, record.extra)),
    )


def _of_text(make: Callable[[Any], Any]) -> Callable[[str | None], Any]:
    loads = _loads()
    return lambda text: make(None if text is None else loads(text))


def _of_any(
    make: Callable[[Any], Any], trees: Trees, branch: Branch
) -> Callable[[str | None], Any]:
    """As :func:`_of_text`, of text that may have odd values."""
    loads, odd = _loads(), trees.odd or ""

    def read(text: str | None) -> Any:
        if text is None:
            return make(None)
        found = loads(text)
        if odd in text:
            put_odd(trees, branch, found)
        return make(found)

    return read


@cache
def _loads() -> Callable[[str], Any]:
    """The fastest parser that is installed: there are no fractions in the JSON, and no numbers
    of more than 64 bits."""
    try:
        found: Callable[[str], Any] = import_module("orjson").loads
    except ImportError:
        return json.loads
    return found
