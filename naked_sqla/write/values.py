"""The values of an object by attribute: mapped instances, loaded ones, dictionaries, others."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NoReturn

from naked_sqla._sqlalchemy import mappings
from naked_sqla.exception import InvalidStatement, UnknownAttribute
from naked_sqla.hiding import shown
from naked_sqla.objects.classes import mapper_of, model_of
from naked_sqla.write.related import related_of
from naked_sqla.write.tables import Written, written_of

__all__ = (
    "ObjectReader",
    "grouped",
    "known",
    "listed",
    "orm_defaults",
    "read_all",
    "reader_of",
    "written_class",
)

_Values = Mapping[str, Any]
_Read = Callable[[Any], _Values]
_Held = Callable[[Iterable[Any]], Sequence[dict[str, Any]] | None]


def written_class(model: Any) -> Written:
    """The description of a class.

    :raises InvalidStatement: it is not mapped, or not to a table (a view, a subquery).
    """
    mapper = mapper_of(model)
    if mapper is None:
        raise InvalidStatement(
            f"{model!r} is not a mapped class. Pass a class like User, or an object of one."
        )
    written = written_of(mapper)
    if not written.parts:
        raise InvalidStatement(
            f"{written.name} is not mapped to a table, so that none of it can be stored."
        )
    if written.is_view:
        raise InvalidStatement(
            f"{written.name} is mapped to a view ({written.parts[0].table}), which stores no rows. "
            f"Write to the tables that it selects from."
        )
    return written


class ObjectReader:
    """Reads the objects of one class: the column attributes that an object has a value for.

    :ivar written: how the mapped class is written.
    :ivar read: all of them, with the foreign keys that relationships give; a relationship that
        can't be stored raises.
    :ivar said: the same without defaults of the class that were not set: for an UPDATE.
    :ivar named: the same where the caller names the attributes to store: no relationship raises.
    :ivar key: the same, without the relationships: for a DELETE.
    :ivar held: the values of several objects as they keep them, not copied, where these are
        column attributes and the state of the ORM; None where an object has more.
    """

    __slots__ = ("held", "key", "named", "read", "said", "written")

    def __init__(
        self,
        written: Written,
        read: _Read,
        said: _Read | None = None,
        named: _Read | None = None,
        key: _Read | None = None,
        held: _Held | None = None,
    ) -> None:
        self.written = written
        self.read = read
        self.said = said or read
        self.named = named or self.said
        self.key = key or self.said
        self.held = held or _nothing_held


def _nothing_held(objs: Iterable[Any]) -> None:
    """Objects that keep their values otherwise."""


def reader_of(kind: type, model: Any, what: str) -> ObjectReader:
    """The reader for objects of a class.

    :param kind: the class of the objects.
    :param model: the mapped class to write them as; None for objects of mapped classes.
    :param what: the caller, for messages.
    :raises InvalidStatement: such an object can't be read as a row of a mapped class.
    """
    found = model_of(kind)
    if mapper_of(found) is not None:
        if model is not None and not issubclass(found, model):
            raise InvalidStatement(
                f"{what}(..., model={model.__name__}) was given a {found.__name__}. Leave model "
                f"out: an object of a mapped class is a row of that class."
            )
        written = written_class(found)
        make = _instances if found is kind else _loaded
        reader: ObjectReader | None = written.readers.get((make, what))
        if reader is None:
            reader = written.readers[make, what] = make(written, what)
        return reader
    read = _plain(kind)
    if read is None:
        _refuse(kind, what)
    if model is None:
        raise InvalidStatement(
            f"{what}() was given a {kind.__name__}, which does not tell the mapped class that it "
            f"is a row of. Write {what}(..., model=User)."
        )
    return _others(written_class(model), kind, what, *read)


def _refuse(kind: type, what: str) -> NoReturn:
    """Raise ``InvalidStatement`` for an object that can't be read as a row."""
    if issubclass(kind, type):
        raise InvalidStatement(f"{what}() was given a class. Pass an object of it.")
    several = ""
    if issubclass(kind, list | tuple | set | frozenset) and not what.endswith("_all"):
        several = f" For several rows write {what}_all(...)."
    name = "None" if kind is type(None) else f"a {kind.__name__}"
    raise InvalidStatement(
        f"{what}() can't tell the columns of {name}. Pass objects of mapped classes, "
        f"dictionaries, dataclasses or pydantic models.{several}"
    )


def orm_defaults(written: Written) -> dict[str, Any]:
    """The defaults of a class that its instances do not hold themselves."""
    return {
        key: value
        for part in written.parts
        for key, value in mappings.orm_defaults(written.mapper, part.table)
    }


def known(values: _Values, written: Written) -> dict[str, Any]:
    """The column attributes among some values, but those that the database computes."""
    columns, computed = written.columns, written.computed
    return {k: v for k, v in values.items() if k in columns and k not in computed}


def _loaded(written: Written, what: str) -> ObjectReader:
    """Objects that this library has loaded."""
    related = related_of(written)

    def key(obj: Any) -> _Values:
        return known(vars(obj), written)

    def read(obj: Any, named: bool = False) -> _Values:
        values = vars(obj)
        row = known(values, written)
        if related is None or len(row) == len(values):
            return row
        return related.completed(what, row, values, "loaded", named, type(obj).__naked__.loaded)

    return ObjectReader(written, read, read, partial(read, named=True), key)


def _instances(written: Written, what: str) -> ObjectReader:
    """Instances that the application has constructed, or that an ORM session has loaded."""
    defaults = orm_defaults(written)
    columns = frozenset(written.columns) - written.computed
    related = related_of(written)

    def said(obj: Any, named: bool = False) -> _Values:
        values: dict[str, Any] = obj.__dict__.copy()
        state = values.pop(mappings.INSTANCE_STATE, None)
        if columns.issuperset(values):
            return values
        row = known(values, written)
        if related is None:
            return row
        for attribute in related.unread.intersection(values):
            values[attribute] = state.attrs[attribute].history.added
        if state is None or not state.has_identity:
            return related.completed(what, row, values, "made", named)
        loaded = values.keys() - state.committed_state
        return related.completed(what, row, values, "loaded", named, loaded)

    def read(obj: Any) -> _Values:
        return {**defaults, **said(obj)}

    def key(obj: Any) -> _Values:
        return known(obj.__dict__, written)

    with_state = columns | {mappings.INSTANCE_STATE}

    def held(objs: Iterable[Any]) -> list[dict[str, Any]] | None:
        rows = [obj.__dict__ for obj in objs]
        return rows if with_state.issuperset(set().union(*rows)) else None

    named = partial(said, named=True)
    return ObjectReader(written, read if defaults else said, said, named, key, held)


_Plain = tuple[_Read, _Read]


def _plain(kind: Any) -> _Plain | None:
    """Two functions that read the fields of a class: all, and those that were set."""
    if issubclass(kind, Mapping):
        return _itself, _itself
    if hasattr(kind, "__pydantic_fields__"):
        fields = tuple(kind.__pydantic_fields__)
    elif dataclasses.is_dataclass(kind):
        fields = tuple(field.name for field in dataclasses.fields(kind))
    elif hasattr(kind, "__attrs_attrs__"):
        fields = tuple(field.name for field in kind.__attrs_attrs__)
    elif issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
        fields = tuple(getattr(kind, "_fields", ()))
    else:
        return None

    def read(obj: Any) -> _Values:
        return {name: getattr(obj, name) for name in fields}

    if not hasattr(kind, "model_fields_set"):
        return read, read
    return read, lambda obj: {n: getattr(obj, n) for n in fields if n in obj.model_fields_set}


def _itself(obj: Any) -> _Values:
    values: _Values = obj
    return values


def _others(
    written: Written,
    kind: type,
    what: str,
    read: _Read,
    said: _Read,
) -> ObjectReader:
    if issubclass(kind, Mapping):
        return ObjectReader(written, written.translate)
    # relationships and other mapped attributes without a column are left out
    left_out = written.mapper.attrs.keys()
    related = related_of(written)

    def translated(values: _Values) -> _Values:
        try:
            return written.translate(values)
        except UnknownAttribute:
            names = set(written.names())
            return written.translate(
                {k: v for k, v in values.items() if k in names or k not in left_out}
            )

    def fitting(values: _Values) -> _Values:
        found = translated(values)
        return known(found, written) if written.computed else found

    def reading(get: _Read, named: bool = False) -> _Read:
        def fill(obj: Any) -> _Values:
            values = get(obj)
            row = fitting(values)
            return row if related is None else related.completed(what, row, values, "other", named)

        return fill

    def key(obj: Any) -> _Values:
        return fitting(said(obj))

    return ObjectReader(written, reading(read), reading(said), reading(said, True), key)


def listed(objs: Any, what: str) -> list[Any]:
    """The objects of an iterable.

    :raises InvalidStatement: ``objs`` is not an iterable of objects.
    """
    if isinstance(objs, str | bytes | Mapping) or not isinstance(objs, Iterable):
        hint = (
            " Collect it first: [obj async for obj in ...]."
            if isinstance(objs, AsyncIterable)
            else ""
        )
        raise InvalidStatement(
            f"{what}() takes an iterable of objects, got {shown(objs)}. Pass a list.{hint}"
        )
    return objs if isinstance(objs, list) else list(objs)


def grouped(objs: Iterable[Any], model: Any, what: str) -> Iterator[tuple[ObjectReader, list[Any]]]:
    """Consecutive objects of one class, with their reader.

    :raises InvalidStatement: ``objs`` is not an iterable of objects.
    """
    rows = listed(objs, what)
    if len(set(map(type, rows))) == 1:
        yield reader_of(type(rows[0]), model, what), rows
        return
    for kind, group in groupby(rows, key=type):
        yield reader_of(kind, model, what), list(group)


def read_all(reader: ObjectReader, objs: Iterable[Any]) -> list[_Values]:
    """The values of objects, by attribute keys."""
    return list(map(reader.read, objs))
