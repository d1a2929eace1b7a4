"""The parts that all generated functions share: names, the frame around the loop, linecache.

A function takes the driver's rows and gives a list with one result for each.  Its source stands in
:mod:`linecache`, so that a traceback and a debugger show the generated line.  Every name in it is
made here, so that none of the caller's can collide with it.
"""

from __future__ import annotations

import itertools
import linecache
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from naked_sqla.exception import BaseNakedSQLAException, ConversionError
from naked_sqla.read.plan import Cell

__all__ = ("Conversion", "Printer", "compiled")

Conversion = tuple[str, str, Cell, Callable[[str, Any], Any] | None]
"""What a value is for, by what name, where it is read, and what coerces it when it is stored."""

_numbers = itertools.count(1)


class Printer:
    """Makes the names of one function, and collects the objects that its source refers to.

    :param width: the number of columns of a driver's row.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.bound: dict[str, Any] = {}
        #: lines before the first row
        self.prologue: list[str] = []
        self._names: dict[int, str] = {}
        self._temporaries = itertools.count()
        self._read: set[int] = set()

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

    def cell(self, cell: Cell) -> str:
        """The expression that reads, and converts, a cell of the row."""
        self._read.add(cell.index)
        if cell.convert is None:
            return f"c{cell.index}"
        return f"{self.bind('convert', cell.convert)}(c{cell.index})"

    @property
    def row(self) -> str:
        """The names that a row is unpacked into: one for each column that is read."""
        return ", ".join(f"c{i}" if i in self._read else "_" for i in range(self.width)) + ","

    def function(
        self,
        name: str,
        arguments: Iterable[str],
        loop: str,
        body: Iterable[str],
        conversions: Callable[[], Iterable[Conversion]],
    ) -> str:
        """The source of the function around the lines for one row.

        :param loop: the head of the loop over the rows.
        :param conversions: gives, after a failure, what may have failed.
        """
        explain = self.bind("explain", _explainer(conversions))
        lines = [
            f"def {name}({', '.join(arguments)}):",
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


def compiled(source: str, bound: dict[str, Any], name: str, kind: str, title: str) -> Any:
    """The function of this name in a source, whose lines live as long as it does.

    :param bound: the names that the source refers to; becomes its module's namespace.
    :param kind: the kind of function, and ``title`` its purpose, for the name of its file.
    """
    filename = f"<naked_sqla {kind} {next(_numbers)}: {title}>"
    exec(compile(source, filename, "exec"), bound)
    function = bound[name]
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    weakref.finalize(function, linecache.cache.pop, filename, None).atexit = False
    return function


def _explainer(
    conversions: Callable[[], Iterable[Conversion]],
) -> Callable[[Exception, dict[str, Any]], None]:
    """Finds the value that made a row fail, after the fact: the happy path pays nothing."""

    def explain(error: Exception, frame: dict[str, Any]) -> None:
        if isinstance(error, BaseNakedSQLAException):
            return
        for target, name, cell, coerce in conversions():
            if f"c{cell.index}" not in frame:
                continue
            value = frame[f"c{cell.index}"]
            try:
                converted = value if cell.convert is None else cell.convert(value)
                if coerce is not None and converted is not None:
                    coerce(name, converted)
            except Exception as reason:  # noqa: BLE001 - whatever the type raised is named
                said = f"{type(reason).__name__}: {reason}"
                raise ConversionError(target, name, value, said) from error

    return explain
