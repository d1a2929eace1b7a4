"""What an object gives for which attribute: mapped instances, loaded ones, dictionaries, others."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, NoReturn

from sqlalchemy import inspect

from naked_sqla import _compat
from naked_sqla.exception import InvalidStatement, UnknownAttribute
from naked_sqla.om.write.tables import Written, written_of

__all__ = ("Reader", "grouped", "listed", "read_all", "reader_of", "written_class")

_Values = Mapping[str, Any]


def written_class(model: Any) -> Written:
    """The description of a class.

    :raises InvalidStatement: it is not mapped, or has no table of its own to write to.
    """
    mapper: Any = inspect(model, raiseerr=False) if isinstance(model, type) else None
    if not hasattr(mapper, "class_manager"):
        raise InvalidStatement(
            f"{model!r} is not a mapped class. Pass a class like User, or an object of one."
        )
    written = written_of(mapper)
    if not written.parts:
        raise InvalidStatement(
            f"{written.name} is not mapped to a table, so that none of it can be stored."
        )
    return written


class Reader:
    """Reads the objects of one class.

    :ivar written: how the mapped class is written.
    :ivar read: gives the column attributes that an object has a value for.
    :ivar said: the same, of those that somebody has said: for an UPDATE.
    """

    __slots__ = ("read", "said", "written")

    def __init__(
        self,
        written: Written,
        read: Callable[[Any], _Values],
        said: Callable[[Any], _Values] | None = None,
    ) -> None:
        self.written = written
        self.read = read
        self.said = said or read


def reader_of(kind: type, model: Any, what: str) -> Reader:
    """What reads objects of a class.

    :param kind: the class of the objects.
    :param model: the mapped class to write them as, or None where they tell themselves.
    :param what: the caller, for messages.
    :raises InvalidStatement: nothing tells what row such an object is.
    """
    naked = getattr(kind, "__naked__", None)
    found: Any = naked.model if naked is not None else kind
    mapper: Any = inspect(found, raiseerr=False)
    if hasattr(mapper, "class_manager"):
        if model is not None and not issubclass(found, model):
            raise InvalidStatement(
                f"{what}(..., model={model.__name__}) was given a {found.__name__}. Leave model "
                f"out: an object of a mapped class is a row of that class."
            )
        written = written_class(found)
        if naked is not None:
            return Reader(written, lambda obj: _known(vars(obj), written))
        return _instances(written)
    read = _plain(kind)
    if read is None:
        _refuse(kind, what)
    if model is None:
        raise InvalidStatement(
            f"{what}() was given a {kind.__name__}, which does not tell the mapped class that it "
            f"is a row of. Write {what}(..., model=User)."
        )
    return _others(written_class(model), kind, *read)


def _refuse(kind: type, what: str) -> NoReturn:
    """Raise ``InvalidStatement`` for what is no row."""
    if issubclass(kind, type):
        raise InvalidStatement(
            f"{what}() was given a class, which is no row. Pass an object of it."
        )
    several = ""
    if issubclass(kind, list | tuple | set | frozenset) and not what.endswith("_all"):
        several = f" For several rows write {what}_all(...)."
    name = "None" if kind is type(None) else f"a {kind.__name__}"
    raise InvalidStatement(
        f"{what}() can't tell the columns of {name}. Pass objects of mapped classes, "
        f"dictionaries, dataclasses or pydantic models.{several}"
    )


def _known(values: _Values, written: Written) -> dict[str, Any]:
    columns, computed = written.columns, written.computed
    return {k: v for k, v in values.items() if k in columns and k not in computed}


def _instances(written: Written) -> Reader:
    """Instances that the application has constructed, or that an ORM session has loaded."""
    defaults = {
        key: value
        for part in written.parts
        for key, value in _compat.orm_defaults(written.mapper, part.table)
    }

    columns = frozenset(written.columns) - written.computed

    def said(obj: Any) -> _Values:
        values: dict[str, Any] = obj.__dict__.copy()
        values.pop(_compat.INSTANCE_STATE, None)
        return values if columns.issuperset(values) else _known(values, written)

    if not defaults:
        return Reader(written, said)
    return Reader(written, lambda obj: {**defaults, **said(obj)}, said)


_Plain = tuple[Callable[[Any], _Values], Callable[[Any], _Values]]


def _plain(kind: Any) -> _Plain | None:
    """How the fields of a class are read: all, and those that somebody has set."""
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
    read: Callable[[Any], _Values],
    said: Callable[[Any], _Values],
) -> Reader:
    if issubclass(kind, Mapping):
        return Reader(written, written.translate)
    # what is related to a row, or computed from it, is no part of it
    left_out = written.mapper.attrs.keys()

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
        return _known(found, written) if written.computed else found

    return Reader(written, lambda obj: fitting(read(obj)), lambda obj: fitting(said(obj)))


def listed(objs: Any, what: str) -> list[Any]:
    """The objects of an iterable.

    :raises InvalidStatement: for what is no iterable of objects.
    """
    if isinstance(objs, str | bytes | Mapping) or not isinstance(objs, Iterable):
        hint = (
            " Collect it first: [obj async for obj in ...]."
            if isinstance(objs, AsyncIterable)
            else ""
        )
        raise InvalidStatement(
            f"{what}() takes an iterable of objects, got {objs!r}. Pass a list.{hint}"
        )
    return objs if isinstance(objs, list) else list(objs)


def grouped(objs: Iterable[Any], model: Any, what: str) -> Iterator[tuple[Reader, list[Any]]]:
    """Consecutive objects of one class, with what reads them.

    :raises InvalidStatement: for what is no iterable of objects.
    """
    rows = listed(objs, what)
    if len(set(map(type, rows))) == 1:
        yield reader_of(type(rows[0]), model, what), rows
        return
    for kind, group in groupby(rows, key=type):
        yield reader_of(kind, model, what), list(group)


def read_all(reader: Reader, objs: Iterable[Any]) -> list[_Values]:
    """What some objects give, by attribute keys."""
    return list(map(reader.read, objs))
