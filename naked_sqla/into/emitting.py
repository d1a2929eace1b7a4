"""Record -> Python source -> function.  Nothing is decided here: the source does what a
:class:`~naked_sqla.into.filling.Record` says.

Names of fields occur in its source after a dot, as keywords, and as strings only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from naked_sqla.exception import RowMismatch
from naked_sqla.into.fields import Style
from naked_sqla.into.filling import Absent, Composed, Filling, Made, Record, Source, Whole
from naked_sqla.into.making import Parts, made
from naked_sqla.read.hydrator import hydrator
from naked_sqla.read.plan import Cell, Plan
from naked_sqla.read.printing import Conversion, Printer, compiled

__all__ = ("Fill", "RecordPrinter", "filler", "source_of")

Fill = Callable[[Iterable[Any]], list[Any]]


def filler(record: Record, width: int) -> Fill:
    """The function for a record.

    :param width: the number of columns of a driver's row.
    :return: takes driver rows, gives a list of objects.  It raises
        :class:`~naked_sqla.exception.ConversionError` for a value its column type can't convert,
        :class:`~naked_sqla.exception.RowMismatch` for a nested object that is missing where None is
        not allowed; errors of the class itself pass through.
    """
    printer = RecordPrinter(record, width)
    source = printer.source()
    function: Fill = compiled(source, printer.bound, "fill", "into", record.target.shown)
    return function


def source_of(record: Record, width: int) -> str:
    """The source that :func:`filler` compiles."""
    return RecordPrinter(record, width).source()


class RecordPrinter(Printer):
    """Prints the source of one record."""

    def __init__(self, record: Record, width: int) -> None:
        super().__init__(width)
        self.record = record
        self._known: dict[Cell, str] = {}
        self._wholes: list[tuple[str, str]] = []
        self._conversions: list[Conversion] = []

    def source(self) -> str:
        """The module source: one function ``fill(rows)``."""
        body: list[str] = []
        result = self._print(self.record, body)
        body.append(f"append({result})")
        body[:0] = self.head()
        loop = f"for {self.row} in rows:"
        if self._wholes:
            self.prologue.insert(0, "rows = [*rows]")
            names = ", ".join(name for name, _ in self._wholes)
            objects = ", ".join(f"{function}(rows)" for _, function in self._wholes)
            loop = f"for ({self.row}), {names} in zip(rows, {objects}):"
        return self.function("fill", ("rows",), loop, body, lambda: self._conversions)

    def head(self) -> list[str]:
        """Lines before those of each row."""
        return []

    def cell(self, cell: Cell) -> str:
        """As for every function; a value that is converted already goes by its name."""
        expression = super().cell(cell)
        return self._known.get(cell, expression)

    # -- objects

    def _print(self, record: Record, body: list[str]) -> str:
        """Print the lines that an object needs; return the expression that makes it."""
        if not record.identity:
            return self._made(record, body)
        known = dict(self._known)
        for cell in record.identity:
            name = self.cell(cell)
            self._note(record.target.shown, "primary key", cell)
            if cell.convert is not None and cell not in self._known:
                body.append(f"{(kept := self.temporary('k'))} = {name}")
                self._known[cell] = kept
        joint = " and " if record.partial else " or "
        missing = joint.join(f"{self.cell(cell)} is None" for cell in record.identity)
        name = self.temporary("n")
        inner: list[str] = []
        result = self._made(record, inner)
        body.append(f"if {missing}:")
        body.append(f"    {self._no_object(name, record.absent)}")
        body.append("else:")
        body += [f"    {line}" for line in (*inner, f"{name} = {result}")]
        self._known = known
        return name

    def _no_object(self, name: str, absent: str | None) -> str:
        if absent is None:
            return f"{name} = None"
        return f"{self.bind('absent', _refuser(absent))}()"

    def _made(self, record: Record, body: list[str]) -> str:
        shown = record.target.shown
        values = {
            filling.field.name: self._source(
                shown, filling.field.name, _inside(record, filling), body
            )
            for filling in record.fillings
        }
        extra = [
            (filling.field.keyword, self._source(shown, filling.field.name, filling.source, body))
            for filling in record.extra
        ]
        return made(self, Parts(record, values, extra, body))

    def _source(self, target: str, field: str, source: Source, body: list[str]) -> str:
        if isinstance(source, Cell):
            self._note(target, field, source)
            return self.cell(source)
        if isinstance(source, Record):
            return self._print(source, body)
        if isinstance(source, Composed):
            for cell in source.cells:
                self._note(target, field, cell)
            values = ", ".join(map(self.cell, source.cells))
            return f"{self.bind('composite', source.build)}({values})"
        if isinstance(source, Made):
            return f"{self.bind('objects', source.make)}({self.cell(source.cell)})"
        if isinstance(source, Absent):
            return "None"
        return self._whole(source, body)

    def _whole(self, whole: Whole, body: list[str]) -> str:
        name = self.temporary("w")
        make = hydrator(Plan(self.width, (whole.item,), scalar=True))
        self._wholes.append((name, self.bind("hydrate", make)))
        if whole.absent is not None:
            body.append(f"if {name} is None:")
            body.append(f"    {self._no_object(name, whole.absent)}")
        return name

    def _note(self, target: str, field: str, cell: Cell) -> None:
        if cell.convert is not None:
            self._conversions.append((target, field, cell, None))


def _inside(record: Record, filling: Filling) -> Source:
    source = filling.source
    if isinstance(source, Record) and record.style is source.style is Style.VALIDATE:
        # the outer model validates it, and its errors name the place
        return replace(source, style=Style.DICT)
    return source


def _refuser(message: str) -> Callable[[], None]:
    def absent() -> None:
        raise RowMismatch(message)

    return absent
