"""Record -> Python source -> function.  Nothing is decided here: the source says what a
:class:`~naked_sqla.om.matching.Record` says.

The function takes the driver's rows and gives a list with one object for each.  Its source stands
in :mod:`linecache`, so that a traceback shows the generated line.  Every name in it is made here;
names of fields occur after a dot, as keywords, and as strings only.
"""

from __future__ import annotations

import itertools
import keyword
import linecache
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from naked_sqla.exception import BaseNakedSQLAException, ConversionError, RowMismatch
from naked_sqla.om.fields import Default, Style
from naked_sqla.om.hydrator import hydrator
from naked_sqla.om.matching import Absent, Filling, Made, Record, Source, Whole
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
        self._prologue: list[str] = []
        self._wholes: list[tuple[str, str]] = []
        self._sources: list[tuple[str, str, Cell]] = []

    def source(self) -> str:
        """The module source: one function ``fill(rows)``."""
        body: list[str] = []
        result = self._print(self.record, body)
        body.append(f"append({result})")
        explain = self._bind("explain", _explainer(self._sources))
        row = ", ".join(f"c{i}" if i in self._read else "_" for i in range(self.width))
        loop = f"for {row}, in rows:"
        if self._wholes:
            self._prologue.insert(0, "rows = [*rows]")
            names = ", ".join(name for name, _ in self._wholes)
            made = ", ".join(f"{function}(rows)" for _, function in self._wholes)
            loop = f"for ({row},), {names} in zip(rows, {made}):"
        lines = [
            "def fill(rows):",
            "    result = []",
            "    append = result.append",
            *(f"    {line}" for line in self._prologue),
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

    def _bind(self, prefix: str, value: Any) -> str:
        """A name in the generated module for an object, the same for the same object."""
        name = self._names.get(id(value))
        if name is None:
            name = f"{prefix}_{len(self.bound)}"
            self._names[id(value)] = name
            self.bound[name] = value
        return name

    def _temporary(self, prefix: str) -> str:
        return f"{prefix}{next(self._temporaries)}"

    def _cell(self, cell: Cell) -> str:
        self._read.add(cell.index)
        if cell in self._known:
            return self._known[cell]
        if cell.convert is None:
            return f"c{cell.index}"
        return f"{self._bind('convert', cell.convert)}(c{cell.index})"

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
                body.append(f"{(kept := self._temporary('k'))} = {name}")
                self._known[cell] = kept
        joint = " and " if record.partial else " or "
        missing = joint.join(f"{self._cell(cell)} is None" for cell in record.identity)
        name = self._temporary("n")
        inner: list[str] = []
        made = self._made(record, inner)
        body.append(f"if {missing}:")
        body.append(f"    {self._no_object(name, record.absent)}")
        body.append("else:")
        body += [f"    {line}" for line in (*inner, f"{name} = {made}")]
        self._known = known
        return name

    def _no_object(self, name: str, absent: str | None) -> str:
        if absent is None:
            return f"{name} = None"
        return f"{self._bind('absent', _refuser(absent))}()"

    def _made(self, record: Record, body: list[str]) -> str:
        values = {
            filling.field.name: self._value(record, filling, body) for filling in record.fillings
        }
        extra = [
            (filling.field.keyword, self._value(record, filling, body)) for filling in record.extra
        ]
        return _STYLES[record.style](self, record, values, extra, body)

    def _value(self, record: Record, filling: Filling, body: list[str]) -> str:
        return self._source(record.target.shown, filling.field.name, filling.source, body)

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
            return f"{self._bind('composite', source.build)}({values})"
        if isinstance(source, Absent):
            return "None"
        return self._whole(source, body)

    def _whole(self, whole: Whole, body: list[str]) -> str:
        name = self._temporary("w")
        make = hydrator(Plan(self.width, (whole.item,), scalar=True))
        self._wholes.append((name, self._bind("hydrate", make)))
        if whole.absent is not None:
            body.append(f"if {name} is None:")
            body.append(f"    {self._no_object(name, whole.absent)}")
        return name

    def _note(self, target: str, field: str, cell: Cell) -> None:
        if cell.convert is not None:
            self._sources.append((target, field, cell))

    # -- ways to make an object

    def _call(
        self,
        record: Record,
        values: dict[str, str],
        extra: list[tuple[str, str]],
        body: list[str],
    ) -> str:
        return f"{self._bind('cls', record.target.cls)}({self._arguments(record, values, extra)})"

    def _model_construct(
        self,
        record: Record,
        values: dict[str, str],
        extra: list[tuple[str, str]],
        body: list[str],
    ) -> str:
        made = {f.field.name: (f.field.name, values[f.field.name]) for f in record.fillings}
        return f"{self._bind('cls', record.target.cls)}.model_construct({_keywords([*made.values(), *extra])})"

    def _arguments(
        self, record: Record, values: dict[str, str], extra: list[tuple[str, str]]
    ) -> str:
        by_position: list[str] = []
        by_name: list[tuple[str, str]] = []
        gap = False
        for field in record.target.fields:
            value = values.get(field.name)
            if value is None and field.positional and field.default is not None:
                # it can only be passed by position, and what follows may be
                value = self._bind("default", field.default.value)
            if value is None:
                gap = True
            elif field.positional and not gap:
                by_position.append(value)
            else:
                by_name.append((field.keyword, value))
        return ", ".join(filter(None, [*by_position, _keywords([*by_name, *extra])]))

    def _dict(
        self,
        record: Record,
        values: dict[str, str],
        extra: list[tuple[str, str]],
        body: list[str],
    ) -> str:
        named = [(f.field.keyword, values[f.field.name]) for f in record.fillings]
        return _literal([*named, *extra])

    def _validate(
        self,
        record: Record,
        values: dict[str, str],
        extra: list[tuple[str, str]],
        body: list[str],
    ) -> str:
        cls = self._bind("cls", record.target.cls)
        validate = f"validate_{cls}"
        line = f"{validate} = {cls}.__pydantic_validator__.validate_python"
        if line not in self._prologue:
            # read for each batch, since model_rebuild() makes another
            self._prologue.append(line)
        return f"{validate}({self._dict(record, values, extra, body)})"

    def _tuple(
        self,
        record: Record,
        values: dict[str, str],
        extra: list[tuple[str, str]],
        body: list[str],
    ) -> str:
        new, cls = self._bind("new", tuple.__new__), self._bind("cls", record.target.cls)
        items = (
            values.get(field.name) or self._default(field.default, body, [])
            for field in record.target.fields
        )
        return f"{new}({cls}, ({', '.join(items)},))"

    def _store(
        self,
        record: Record,
        values: dict[str, str],
        extra: list[tuple[str, str]],
        body: list[str],
    ) -> str:
        name = self._empty(record, body)
        for field in record.target.fields:
            if _is_plain_name(field.name):
                body.append(f"{name}.{field.name} = {values[field.name]}")
            else:
                store = self._bind("setattr", setattr)
                body.append(f"{store}({name}, {field.name!r}, {values[field.name]})")
        return name

    def _slots(
        self,
        record: Record,
        values: dict[str, str],
        extra: list[tuple[str, str]],
        body: list[str],
    ) -> str:
        name = self._empty(record, body)
        for field in record.target.fields:
            slot = getattr(record.target.cls, field.name)
            body.append(f"{self._bind('set', slot.__set__)}({name}, {values[field.name]})")
        return name

    def _variables(
        self,
        record: Record,
        values: dict[str, str],
        extra: list[tuple[str, str]],
        body: list[str],
    ) -> str:
        name = self._empty(record, body)
        held = self._temporary("d")
        body.append(f"{held} = {name}.__dict__")
        body += [f"{held}[{f.name!r}] = {values[f.name]}" for f in record.target.fields]
        return name

    def _construct(
        self,
        record: Record,
        values: dict[str, str],
        extra: list[tuple[str, str]],
        body: list[str],
    ) -> str:
        """What ``BaseModel.model_construct()`` does, for the fields at hand."""
        cls = record.target.cls
        name = self._empty(record, body)
        held = self._temporary("d")
        body.append(f"{held} = {name}.__dict__")
        for field in record.target.fields:
            value = values.get(field.name)
            if value is None and field.default is not None:
                value = self._default(field.default, body, [held])
            body.append(f"{held}[{field.name!r}] = {value}")
        takes_any = cls.model_config.get("extra") == "allow"
        for slot, value in (
            ("__pydantic_fields_set__", f"{self._bind('fields', set(values))}.copy()"),
            ("__pydantic_extra__", _literal(extra) if takes_any else "None"),
            ("__pydantic_private__", "None"),
        ):
            store = getattr(cls, slot).__set__
            body.append(f"{self._bind('set', store)}({name}, {value})")
        if cls.__pydantic_post_init__:
            body.append(f"{name}.model_post_init(None)")
        return name

    def _empty(self, record: Record, body: list[str]) -> str:
        name = self._temporary("e")
        new, cls = self._bind("new", object.__new__), self._bind("cls", record.target.cls)
        body.append(f"{name} = {new}({cls})")
        return name

    def _default(self, default: Default | None, body: list[str], data: list[str]) -> str:
        if default is None or (default.make is None and default.value is None):
            return "None"
        if default.make is None:
            return self._bind("default", default.value)
        return f"{self._bind('default', default.make)}({', '.join(data * default.takes_data)})"


_STYLES: dict[Style, Any] = {
    Style.CALL: _Printer._call,
    Style.STORE: _Printer._store,
    Style.SLOTS: _Printer._slots,
    Style.VARIABLES: _Printer._variables,
    Style.TUPLE: _Printer._tuple,
    Style.DICT: _Printer._dict,
    Style.VALIDATE: _Printer._validate,
    Style.CONSTRUCT: _Printer._construct,
    Style.MODEL_CONSTRUCT: _Printer._model_construct,
}


def _is_plain_name(name: str) -> bool:
    # Python folds look-alike letters in source
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)


def _literal(items: Iterable[tuple[str, str]]) -> str:
    return f"{{{', '.join(f'{key!r}: {value}' for key, value in items)}}}"


def _keywords(items: list[tuple[str, str]]) -> str:
    plain = [f"{key}={value}" for key, value in items if _is_plain_name(key)]
    other = [(key, value) for key, value in items if not _is_plain_name(key)]
    return ", ".join([*plain, *([f"**{_literal(other)}"] if other else [])])


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
