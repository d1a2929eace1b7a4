"""Record -> Python source -> function, for rows of loaded objects in place of values.

Nothing is decided here either; see :mod:`~naked_sqla.into.emitting`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import inspect

from naked_sqla.into.emitting import Fill, RecordPrinter
from naked_sqla.into.filling import Record
from naked_sqla.into.making import is_plain
from naked_sqla.into.related_shape import ObjectShape
from naked_sqla.objects.naked import description_of
from naked_sqla.read.plan import Cell
from naked_sqla.read.printing import compiled

__all__ = ("filler_from_objects",)


def filler_from_objects(
    record: Record, items: Sequence[ObjectShape | None], *, scalar: bool, below: bool = False
) -> Fill:
    """The function for a record whose cells are the attributes of loaded objects.

    :param items: the shape of each item of a row; None for a value.
    :param scalar: True when a row is its only item.
    :param below: the rows are the objects of a relationship: none is None.
    :return: takes rows, gives a list of objects; errors are those of
        :func:`~naked_sqla.into.emitting.filler`.
    """
    printer = _ObjectPrinter(record, items, scalar, below)
    source = printer.source()
    function: Fill = compiled(source, printer.bound, "fill", "into", record.target.shown)
    return function


class _ObjectPrinter(RecordPrinter):
    """Prints the source of one record."""

    def __init__(
        self, record: Record, items: Sequence[ObjectShape | None], scalar: bool, below: bool
    ) -> None:
        super().__init__(record, 0)
        self.scalar = scalar
        self.places: dict[int, tuple[str, ObjectShape | None, str | None]] = {}
        self.names = [f"o{number}" for number in range(len(items))]
        self.optional: dict[str, tuple[str, ObjectShape]] = {}
        position = -1 if below else 0
        for name, shape in zip(self.names, items, strict=True):
            self.places[position] = name, None, None
            position += 1
            holder = name
            if shape is not None and not below:
                holder = f"a{name}"
                self.optional[holder] = name, shape
            for key in () if shape is None else shape.keys:
                self.places[position] = holder, shape, key
                position += 1

    @property
    def row(self) -> str:
        """The names that a row is unpacked into."""
        return self.names[0] if self.scalar else f"{', '.join(self.names)},"

    def head(self) -> list[str]:
        """Lines before those of each row: an outer join may have found no object."""
        return [
            f"{holder} = {self.bind('nothing', _nothing(shape))} if {name} is None else {name}"
            for holder, (name, shape) in self.optional.items()
        ]

    def cell(self, cell: Cell) -> str:
        """The expression that reads an attribute, or the object itself."""
        holder, shape, key = self.places[cell.index]
        if shape is None or key is None:
            return holder
        if key in shape.lacking:
            return f"{self.bind('read', _reader(key))}({holder})"
        if is_plain(key):
            return f"{holder}.{key}"
        return f"{self.bind('getattr', getattr)}({holder}, {key!r})"


def _nothing(shape: ObjectShape) -> Any:
    return SimpleNamespace(**dict.fromkeys(shape.keys))


def _reader(key: str) -> Callable[[Any], Any]:
    """Reads an attribute that classes of a hierarchy lack: None, as in a row of its tables."""
    lack: dict[type, bool] = {SimpleNamespace: False}

    def read(obj: Any) -> Any:
        cls = type(obj)
        lacks = lack.get(cls)
        if lacks is None:
            mapper: Any = inspect(description_of(cls).model)
            lacks = lack[cls] = not mapper.has_property(key)
        return None if lacks else getattr(obj, key)

    return read
