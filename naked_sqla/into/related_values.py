"""Loaded objects -> rows of the values that a record reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import inspect

from naked_sqla.into.filling import Composed, Made, Record
from naked_sqla.into.related_shape import ObjectShape
from naked_sqla.objects.naked import description_of
from naked_sqla.read.plan import Cell

__all__ = ("Layout", "layout_of", "moved", "row_reader", "values_reader")

T = TypeVar("T")

_Values = Callable[[Any], Sequence[Any]]


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


def row_reader(layout: Layout, objects: Sequence[ObjectShape | None], scalar: bool) -> _Values:
    """A function that gives the values of a row of loaded items.

    :param objects: the shape of each item; None for a value.
    :param scalar: True when a row is its only item.
    """
    readers = [
        None if shape is None or keys is None else _object_reader(keys, shape.varied)
        for shape, keys in zip(objects, layout.keys, strict=True)
    ]
    first = readers[0]
    if scalar and first is not None:
        return first

    def values(row: Any) -> list[Any]:
        found: list[Any] = []
        for item, read in zip(row, readers, strict=True):
            if read is None:
                found.append(item)
            else:
                found += read(item)
        return found

    return values


def _object_reader(keys: tuple[str, ...], varied: bool) -> _Values:
    """A function that gives an object, and the values of its attributes."""
    if not keys:
        return lambda obj: (obj,)
    read = values_reader(keys, varied)
    nothing = (None,) * (1 + len(keys))
    return lambda obj: nothing if obj is None else (obj, *read(obj))


def values_reader(keys: tuple[str, ...], varied: bool) -> _Values:
    """A function that gives the values of an object's attributes; one None where it has none.

    :param varied: True for objects of several classes, some of which may lack an attribute.
    """
    if not varied:
        return _getter(keys, frozenset())
    by_class: dict[type, _Values] = {}

    def reader_for(cls: type) -> _Values:
        mapper: Any = inspect(description_of(cls).model)
        # a class of a hierarchy has None for what it lacks, as in a row of its tables
        lacking = frozenset(key for key in keys if not mapper.has_property(key))
        read = by_class[cls] = _getter(keys, lacking)
        return read

    def values(obj: Any) -> Sequence[Any]:
        cls = type(obj)
        return (by_class.get(cls) or reader_for(cls))(obj)

    return values


def _getter(keys: tuple[str, ...], lacking: frozenset[str]) -> _Values:
    if lacking:
        return lambda obj: [None if key in lacking else getattr(obj, key) for key in keys]
    if len(keys) > 1:
        return attrgetter(*keys)
    if keys:
        get = attrgetter(*keys)
        return lambda obj: (get(obj),)
    return lambda obj: (None,)
