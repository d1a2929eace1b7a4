"""Columns in a tree: how each is written, and how its values become those of the row-by-row way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from sqlalchemy import Column

from naked_sqla._sqlalchemy import column_types, mappings
from naked_sqla.backends.trees import Trees
from naked_sqla.exception import UnsupportedOption
from naked_sqla.into.related_shape import ObjectShape
from naked_sqla.into.row_reader import entities_of

__all__ = ("Coded", "Values", "coerced", "coercion_of", "refuse")

_Read = Callable[[Any], Any]
_Coerce = Callable[[str, Any], Any]


def refuse(reason: str) -> NoReturn:
    """Raise the error for what can't go through a tree.

    :param reason: the fact and what it is about, without a period.
    """
    raise UnsupportedOption(f"strategy='json': {reason}. Next: leave strategy out.")


@dataclass(frozen=True, slots=True)
class Coded:
    """How one column goes through JSON.

    :ivar write: an expression -> the one that is written; None: as it is.
    :ivar read: what came -> the value of the attribute; None: the same.
    :ivar kinds: as those of :class:`.Coding`.
    """

    write: Callable[[Any], Any] | None
    read: _Read | None
    kinds: frozenset[int]


@dataclass(frozen=True, slots=True)
class Values:
    """The columns of trees that one dialect writes.

    :ivar zone: the time zone of the connection, see :meth:`.Trees.zone`.
    """

    trees: Trees
    dialect: Any
    zone: Any = None

    def way(self, shape: ObjectShape, key: str, shown: str) -> Coded:
        """How an attribute of an entity goes through JSON.

        :raises UnsupportedOption: it does not come back exactly.
        """
        structure = shape.structure
        model: Any = structure.model
        column = mappings.column_of(model, key)
        if not isinstance(column, Column):
            refuse(
                f"{shown} is an SQL expression, and only columns are known to come back from JSON "
                f"as they were"
            )
        coding = self._coding(column.type)
        if coding is None:
            refuse(
                f"{shown} is of the type {column.type!r}, which is not known to come back from "
                f"JSON exactly as the driver gives it"
            )
        process = column_types.reader(column.type, self.dialect, coding.code)
        read = _joined(coding.read, process)
        coerce = coercion_of(shape, key)
        if coerce is not None:
            read = coerced(read, coerce, key)
        return Coded(coding.write, read, coding.kinds)

    def _coding(self, type_: Any) -> Any:
        inner = column_types.innermost(type_, self.dialect)
        if column_types.rewrites_columns(type_) or not column_types.is_stock(inner):
            return None
        return self.trees.coding(inner, self.dialect, self.zone)


def _joined(read: _Read | None, process: _Read | None) -> _Read | None:
    """One function of two; NULL is a matter of the type alone."""
    if read is None:
        return process
    if process is None:
        return lambda value: None if value is None else read(value)
    return lambda value: process(None if value is None else read(value))


def coercion_of(shape: ObjectShape, key: str) -> _Coerce | None:
    """What wraps the values of an attribute, with its name: ``Mutable``."""
    for entity in entities_of(shape.structure.item):  # type: ignore[arg-type]
        for attribute in entity.attributes:
            if attribute.key == key:
                return attribute.coerce
    return None


def coerced(read: _Read | None, coerce: _Coerce, key: str) -> _Read:
    def value_of(value: Any) -> Any:
        found = value if read is None else read(value)
        return None if found is None else coerce(key, found)

    return value_of
