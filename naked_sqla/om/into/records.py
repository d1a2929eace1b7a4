"""Record -> Python source -> function.  Nothing is decided here: the source says what a
:class:`~naked_sqla.om.into.filling.Record` says.

The function takes the driver's rows and gives a list with one object for each.  Its source stands
in :mod:`linecache`, so that a traceback shows the generated line.  Every name in it is made here;
names of fields occur after a dot, as keywords, and as strings only.
"""

from __future__ import annotations

import itertools
import linecache
import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from naked_sqla.exception import BaseNakedSQLAException, ConversionError, RowMismatch
from naked_sqla.om.hydrator import hydrator
from naked_sqla.om.into.fields import Style
from naked_sqla.om.into.filling import Absent, Filling, Made, Record, Source, Whole
from naked_sqla.om.into.making import Parts, made
from naked_sqla.om.plan import Cell, Plan

__all__ = ("Fill", "filler", "source_of")

Fill = Callable[[Iterable[Any]], list[Any]]

_numbers = itertools.count(1)


def filler(record: Record, width: int) -> Fill:
    """The function for a record.

    :param width: the number of columns of a driver's row.
    :return: takes driver rows, gives a list of objects.  It raises
        :class:`~naked_sqla.exception.ConversionError` for a value its column type can't convert,
        :class:`~naked_sqla.exception.RowMismatch` for a nested object that is missing where None is
        not allowed; what the class itself raises comes out as it is.
    """
    printer = _Printer(record, width)
    source = printer.source()
    filename = f"<naked_sqla into {next(_numbers)}: {record.target.shown}>"
    namespace = printer.bound
    exec(compile(source, filename, "exec"), namespace)
    function: Fill = namespace["fill"]
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    weakref.finalize(function, linecache.cache.pop, filename, None).atexit = False
    return function


def source_of(record: Record, width: int) -> str:
    """The source that :func:`filler` compiles."""
    return _Printer(record, width).source()


class _Printer:
    """Prints the source of one record, and collects the objects it refers to."""

    def __init__(self, record: Record, width: int) -> None:
        self.record = record
        self.width = width
        self.bound: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._temporaries = itertools.count()
        self._read: set[int] = set()
        self._known: dict[Cell, str] = {}
        self.prologue: list[str] = []
        self._wholes: list[tuple[str, str]] = []
        self._sources: list[tuple[str, str, Cell]] = []

    def source(self) -> str:
        """The module source: one function ``fill(rows)``."""
        body: list[str] = []
        result = self._print(self.record, body)
        body.append(f"append({result})")
        explain = self.bind("explain", _explainer(self._sources))
        row = ", ".join(f"c{i}" if i in self._read else "_" for i in range(self.width))
        loop = f"for {row}, in rows:"
        if self._wholes:
            self.prologue.insert(0, "rows = [*rows]")
            names = ", ".join(name for name, _ in self._wholes)
            objects = ", ".join(f"{function}(rows)" for _, function in self._wholes)
            loop = f"for ({row},), {names} in zip(rows, {objects}):"
        lines = [
            "def fill(rows):",
            "    result = []",
            "    append = result.append",
            *(f"    {line}" for line in self.prologue),
            "    try:",
            f"        {loop}",
            *(f"            {line}" for line in body),
            "    except Exception as error:",
            f"        {explain}(error, locals())",
            "        raise",
            "    return result",
        ]
        return "\n".join(lines) + "\n"

    # -- names

    def bind(self, prefix: str, value: Any) -> str:
        """A name in the generated module for an object, the same for the same object."""
        name = self._names.get(id(value))
        if name is None:
            name = f"{prefix}_{len(self.bound)}"
            self._names[id(value)] = name
            self.bound[name] = value
        return name

    def temporary(self, prefix: str) -> str:
        """A name for a value of the row."""
        return f"{prefix}{next(self._temporaries)}"

    def _cell(self, cell: Cell) -> str:
        self._read.add(cell.index)
        if cell in self._known:
            return self._known[cell]
        if cell.convert is None:
            return f"c{cell.index}"
        return f"{self.bind('convert', cell.convert)}(c{cell.index})"

    # -- objects

    def _print(self, record: Record, body: list[str]) -> str:
        """Print what an object needs; the expression that makes it."""
        if not record.identity:
            return self._made(record, body)
        known = dict(self._known)
        for cell in record.identity:
            name = self._cell(cell)
            self._note(record.target.shown, "primary key", cell)
            if cell.convert is not None and cell not in self._known:
                body.append(f"{(kept := self.temporary('k'))} = {name}")
                self._known[cell] = kept
        joint = " and " if record.partial else " or "
        missing = joint.join(f"{self._cell(cell)} is None" for cell in record.identity)
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
            return self._cell(source)
        if isinstance(source, Record):
            return self._print(source, body)
        if isinstance(source, Made):
            for cell in source.cells:
                self._note(target, field, cell)
            values = ", ".join(map(self._cell, source.cells))
            return f"{self.bind('composite', source.build)}({values})"
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
            self._sources.append((target, field, cell))


def _inside(record: Record, filling: Filling) -> Source:
    source = filling.source
    if isinstance(source, Record) and record.style is source.style is Style.VALIDATE:
        # the outer model validates it, and its errors say where it is
        return replace(source, style=Style.DICT)
    return source


def _refuser(message: str) -> Callable[[], None]:
    def absent() -> None:
        raise RowMismatch(message)

    return absent


def _explainer(
    sources: list[tuple[str, str, Cell]],
) -> Callable[[Exception, dict[str, Any]], None]:
    """Finds the value that made a row fail, after the fact: the happy path pays nothing."""

    def explain(error: Exception, frame: dict[str, Any]) -> None:
        if isinstance(error, BaseNakedSQLAException):
            return
        for target, field, cell in sources:
            if cell.convert is None or f"c{cell.index}" not in frame:
                continue
            value = frame[f"c{cell.index}"]
            try:
                cell.convert(value)
            except Exception as reason:  # noqa: BLE001 - whatever the type raised is named
                said = f"{type(reason).__name__}: {reason}"
                raise ConversionError(target, field, value, said) from error

    return explain
