"""The records that COPY sends: the values of a row, in the order of the columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy.schema import Column

from naked_sqla._sqlalchemy import dml
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidStatement
from naked_sqla.objects.classes import model_of
from naked_sqla.write.names import names_of_attributes
from naked_sqla.write.tables import Part, Written
from naked_sqla.write.values import reader_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("Records",)

# rows of an iterable that are converted together
_CHUNK = 500

_Record = tuple[Any, ...]
_Convert = Callable[[Any], Sequence[Any]]


class Records:
    """Turns the rows of a caller into records.

    :param columns: the attributes that are stored; None: those of the first row.
    :ivar names: the names of the columns of a record; known after :meth:`begin`.
    """

    def __init__(self, conn: Connection, written: Written, columns: Iterable[Any] | None) -> None:
        self._conn = conn
        self._written = written
        self._part: Part = written.parts[0]
        self._count = 0
        self._named = columns is not None
        self._attributes: tuple[str, ...] = ()
        self._kind: type | None = None
        self._read: _Convert
        self._added: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
        self._processors: list[Callable[[Any], Any] | None] = []
        self.names: list[str] = []
        if columns is not None:
            self._settle(names_of_attributes(written, columns))

    @property
    def table(self) -> str:
        """The name of the table."""
        return str(self._part.table.name)

    @property
    def schema(self) -> str | None:
        """The schema of the table, translated as the connection says."""
        schema: str | None = self._part.table.schema
        translated: Mapping[Any, Any] | None = self._conn.get_execution_options().get(
            "schema_translate_map"
        )
        return schema if translated is None else translated.get(schema, schema)

    def sql(self) -> str:
        """The COPY statement."""
        quote = dml.quoted
        names = [name for name in (self.schema, self.table) if name]
        columns = ", ".join(quote(name) for name in self.names)
        return f"COPY {'.'.join(map(quote, names))} ({columns}) FROM STDIN"

    def begin(self, row: Any) -> None:
        """Take the columns from the first row, where the caller has not named them."""
        if self._named:
            return
        if self._is_record(type(row)):
            table = self._part.table
            # as COPY itself does without a list of columns
            stored = [column for column in table.columns if column.computed is None]
            self._settle([self._written.attribute(column.key) for column in stored])
        else:
            self._settle(list(self._reader(type(row))(row)))

    def _settle(self, attributes: Sequence[str]) -> None:
        name = self._written.name
        if not attributes:
            raise InvalidStatement(
                f"copy_in({name}): there is no column to store. Name them with columns=, or give "
                f"rows that have values."
            )
        twice = [key for i, key in enumerate(attributes) if key in attributes[:i]]
        if twice:
            raise InvalidStatement(
                f"copy_in({name}): the column of {twice[0]} is named twice. Name each once."
            )
        self._attributes = tuple(attributes)
        for key in self._attributes:
            self._add(key, self._part.columns[key])
        self._fill()

    def _add(self, key: str, column: Any) -> None:
        dialect, name = self._conn.dialect, self._written.name
        if dml.has_bind_expression(column.type):
            raise InvalidStatement(
                f"copy_in({name}): {name}.{key} is stored through an SQL expression of its "
                f"type, which COPY can't evaluate. Use insert_all()."
            )
        backend = backend_of(dialect)
        if not backend.can_copy(column.type, dialect):
            kind = column.type.compile(dialect)
            raise InvalidStatement(
                f"copy_in({name}): {name}.{key} is a {kind}, which {backend.driver} can't send "
                f"with COPY. Use insert_all(), or leave it out with columns=."
            )
        self.names.append(str(column.name))
        self._processors.append(column.type.dialect_impl(dialect).bind_processor(dialect))

    def _fill(self) -> None:
        """Add the columns that an INSERT adds: discriminator, version, defaults of the client."""
        for key, column in self._part.columns.items():
            if key in self._attributes:
                continue
            make = self._part.added.get(key)
            if make is not None:
                self._added[key] = _constant(make)
            elif isinstance(column, Column) and column.default is not None:
                self._added[key] = self._default(key, column)
            else:
                continue
            self._add(key, column)

    def _default(self, key: str, column: Column[Any]) -> Callable[[Mapping[str, Any]], Any]:
        default: Any = column.default
        if default.is_scalar:
            value = default.arg
            return lambda values: value
        if default.is_callable:
            function = default.arg
            return lambda values: function(_Context(values))
        name = self._written.name
        raise InvalidStatement(
            f"copy_in({name}): the default of {name}.{key} is an SQL expression, which COPY can't "
            f"evaluate. Give {key} with each row, or use insert_all()."
        )

    # -- rows

    def convert_all(self, rows: Iterator[Any]) -> Iterator[Sequence[Any]]:
        """The records of rows, converted in chunks."""
        while chunk := list(islice(rows, _CHUNK)):
            yield from self._same(chunk) or map(self.convert, chunk)

    def _same(self, rows: list[Any]) -> list[Any] | None:
        """The records of rows of one kind that need no conversion, None for others."""
        width = len(self._attributes)
        kinds = set(map(type, rows))
        if self._added or any(self._processors) or not kinds <= {tuple, dict}:
            return None
        if set(map(len, rows)) != {width}:
            return None
        if kinds == {tuple}:
            self._count += len(rows)
            return rows
        if kinds != {dict} or self._named or width == 1:
            return None
        try:
            records = list(map(itemgetter(*self._attributes), rows))
        except KeyError:
            # a synonym or a column key, or a missing value
            return None
        self._count += len(rows)
        return records

    def convert(self, row: Any) -> Sequence[Any]:
        """The record of a row."""
        kind = type(row)
        if kind is not self._kind:
            self._read = self._reader_of_records(kind)
            self._kind = kind
        self._count += 1
        return self._read(row)

    def _is_record(self, kind: type) -> bool:
        """True for a tuple or list of values, False for a named tuple without ``columns=``."""
        if not issubclass(kind, tuple | list):
            return False
        return self._named or not isinstance(getattr(kind, "_fields", None), tuple)

    def _reader(self, kind: type) -> Callable[[Any], Mapping[str, Any]]:
        model = self._written.mapper.class_
        mapped = issubclass(model_of(kind), model)
        return reader_of(kind, None if mapped else model, "copy_in").read

    def _reader_of_records(self, kind: type) -> _Convert:
        read: _Convert
        if self._is_record(kind):
            read = self._sized
        elif issubclass(kind, dict) and not self._named:
            read = self._picked(kind)
        else:
            read = self._chosen(self._reader(kind))
        if not any(self._processors) and not self._added:
            return read
        return lambda row: self._processed(read(row))

    def _sized(self, row: Any) -> Sequence[Any]:
        values: Sequence[Any] = row
        if len(values) != len(self._attributes):
            raise InvalidStatement(
                f"copy_in({self._written.name}): row {self._count} has {len(values)} values for "
                f"{len(self._attributes)} columns ({', '.join(self._attributes)})."
            )
        return values

    def _picked(self, kind: type) -> _Convert:
        """A fast reader for dictionaries by attribute names."""
        width, slow = len(self._attributes), self._chosen(self._reader(kind))
        if width == 1:
            return slow
        get = itemgetter(*self._attributes)

        def read(row: Any) -> Sequence[Any]:
            if len(row) == width:
                try:
                    values: Sequence[Any] = get(row)
                except KeyError:
                    return slow(row)
                return values
            return slow(row)

        return read

    def _chosen(self, read: Callable[[Any], Mapping[str, Any]]) -> _Convert:
        def choose(row: Any) -> Sequence[Any]:
            values = read(row)
            if not self._named and len(values) > len(self._attributes):
                self._refuse(values)
            try:
                return tuple([values[key] for key in self._attributes])
            except KeyError:
                self._refuse(values)

        return choose

    def _processed(self, given: Sequence[Any]) -> _Record:
        values: Iterable[Any] = given
        if self._added:
            known = dict(zip(self._attributes, given, strict=True))
            values = [*given, *(make(known) for make in self._added.values())]
        return tuple(
            [
                value if process is None else process(value)
                for process, value in zip(self._processors, values, strict=True)
            ]
        )

    def _refuse(self, values: Mapping[str, Any]) -> NoReturn:
        name = self._written.name
        missing = [key for key in self._attributes if key not in values]
        if missing:
            raise InvalidStatement(
                f"copy_in({name}): row {self._count} has no value for {missing[0]}, and COPY "
                f"stores the same columns for each row. Name with columns= what all rows have, or "
                f"give it None."
            )
        more = [key for key in values if key not in self._attributes]
        raise InvalidStatement(
            f"copy_in({name}): row {self._count} has a value for {more[0]}, which the first row "
            f"had not. Name the columns with columns=."
        )


class _Context:
    """The part of an execution context that the function of a default reads."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.current_parameters = values

    def get_current_parameters(self, isolate_multiinsert_groups: bool = True) -> Mapping[str, Any]:
        """The values of the row."""
        return self.current_parameters


def _constant(make: Callable[[], Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda values: make()
