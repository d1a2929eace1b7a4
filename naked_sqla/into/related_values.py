"""The values that a record reads, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from naked_sqla.into.filling import Composed, Made, Record
from naked_sqla.into.related_shape import ObjectShape
from naked_sqla.read.plan import Cell

__all__ = ("Layout", "layout_of", "moved")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Layout:
    """The values that a record reads, side by side.

    :ivar record: with its cells where the values are.
    :ivar width: the number of values, one at least.
    :ivar keys: for each item of the row the attributes that are read; None for a value.
    """

    record: Record
    width: int
    keys: tuple[tuple[str, ...] | None, ...]


def layout_of(
    record: Record, objects: Sequence[ObjectShape | None], *, alone: bool = False
) -> Layout:
    """Leave out the attributes that a record does not read.

    :param objects: the shape of each item of its row, None for a value.
    :param alone: the objects are not among the values themselves, only their attributes.
    """
    used: set[int] = set()

    def note(cell: Cell) -> Cell:
        used.add(cell.index)
        return cell

    moved(record, note)
    positions: dict[int, int] = {}
    keys: list[tuple[str, ...] | None] = []
    start = 0
    for shape in objects:
        if not alone:
            positions[start] = len(positions)
            start += 1
        if shape is None:
            keys.append(None)
            continue
        numbers = [number for number in range(len(shape.keys)) if start + number in used]
        for number in numbers:
            positions[start + number] = len(positions)
        keys.append(tuple(shape.keys[number] for number in numbers))
        start += len(shape.keys)
    placed = moved(record, lambda cell: Cell(positions[cell.index], cell.convert))
    return Layout(placed, max(1, len(positions)), tuple(keys))


def moved(source: T, move: Callable[[Cell], Any]) -> T:
    """A source with its cells elsewhere."""
    found: Any = source
    if isinstance(source, Cell):
        found = move(source)
    elif isinstance(source, Made):
        found = replace(source, cell=move(source.cell))
    elif isinstance(source, Composed):
        found = replace(source, cells=tuple(map(move, source.cells)))
    elif isinstance(source, Record):
        found = replace(
            source,
            fillings=tuple(replace(f, source=moved(f.source, move)) for f in source.fillings),
            extra=tuple(replace(f, source=moved(f.source, move)) for f in source.extra),
            identity=tuple(map(move, source.identity)),
        )
    result: T = found
    return result
