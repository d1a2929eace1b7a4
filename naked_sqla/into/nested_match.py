"""Fields and loaded objects: how objects of the caller's classes are filled, to any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from naked_sqla.exception import RowMismatch
from naked_sqla.into import mismatch
from naked_sqla.into.annotations import Alternatives, alternatives, is_fillable
from naked_sqla.into.containers import Container, container_of, is_hashable, iterator_of
from naked_sqla.into.fields import Field, Style, Target
from naked_sqla.into.filling import Made, Record, Source
from naked_sqla.into.matching import Matcher, holds
from naked_sqla.into.reading import filler_from_objects
from naked_sqla.into.related_shape import ObjectShape, RelatedColumn
from naked_sqla.into.row_shape import Column, RowShape, Structure
from naked_sqla.read.plan import Cell
from naked_sqla.read.records import AsRecords

__all__ = ("Matched", "NestedMatcher")

# given a loaded object, or a collection of them: what a field takes
_Make = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Matched:
    """What was decided of rows, or of the objects of a relationship.

    :ivar below: what fills the relationships, by their cells.
    """

    record: Record
    row_shape: RowShape
    below: Mapping[Cell, tuple[RelatedColumn, _Objects]]


class _Objects:
    """Fills objects of one class from the objects of a relationship.

    :ivar matched: what was decided of them; None while it is being decided.
    """

    __slots__ = ("fill", "matched", "records")

    def __init__(self, records: AsRecords) -> None:
        self.matched: Matched | None = None
        self.records = records
        self.fill: Any = None

    def all(self, objects: Iterable[Any]) -> list[Any]:
        filled: list[Any] = self.fill(objects)
        return filled

    def one(self, obj: Any) -> Any:
        return self.fill((obj,))[0]


class NestedMatcher(Matcher):
    """Matches classes with loaded objects.

    :ivar inside: True where pydantic validates what is made, as a part of a model.
    :ivar endless: the objects of relationships that are loaded down to the last level.
    :ivar taken: what a field takes as it is.
    """

    def __init__(
        self,
        row_shape: RowShape,
        validate: bool,
        endless: dict[Any, _Objects] | None = None,
        about: str = "",
        inside: bool = False,
    ) -> None:
        super().__init__(row_shape, validate)
        self.endless = endless or {}
        self.below: dict[Cell, tuple[RelatedColumn, _Objects]] = {}
        self.about = about
        self.inside = inside
        self.taken: list[Structure] = []

    def whole(self, structure: Structure, absent: str | None) -> Source:
        self.taken.append(structure)
        return Made(structure.identity[0], partial(_present, absent) if absent else _itself)

    def column(self, target: Target, wanted: Field, column: Column) -> Source:
        if not isinstance(column, RelatedColumn) or column.cell is None:
            return super().column(target, wanted, column)
        return Made(column.cell, self.maker(target, wanted, column))

    def maker(self, target: Target, wanted: Field, column: RelatedColumn) -> _Make:
        """The function that makes what a field takes."""
        allowed = alternatives(wanted.annotation)
        if column.partial and not allowed.none:
            raise RowMismatch(mismatch.not_of_all(target, wanted, column.shown))
        if column.collection is None:
            found = self.objects(target, wanted, column, allowed, in_set=False)
            absent = None if allowed.none else mismatch.no_object(target, wanted, column.shown)
            if found is None:
                return _itself if absent is None else partial(_present, absent)
            return partial(_one, found.one, absent)
        if all(choice is Any or choice is object for choice in allowed.types):
            column.records.below[column.names[0]] = None
            return _itself
        containers = [found for found in map(container_of, allowed.types) if found is not None]
        if len(containers) != 1:
            raise RowMismatch(mismatch.no_collection(target, wanted, column.shown))
        make = self.collection(target, wanted, column, containers[0])
        if column.partial:
            return partial(_optional, make)
        # what an outer join did not find has none
        return partial(_or_empty, make, column.collection.make) if self.row_shape.joins else make

    def collection(
        self, target: Target, wanted: Field, column: RelatedColumn, container: Container
    ) -> _Make:
        found = self.objects(
            target, wanted, column, alternatives(container.of), in_set=container.is_set
        )
        loaded: Any = column.collection
        convert = list if found is None else found.all
        if container.is_dict:
            if not isinstance(loaded.make(), dict):
                raise RowMismatch(mismatch.no_keys(target, wanted, column.shown))
            return lambda objects: dict(zip(objects, convert(objects.values()), strict=True))
        read = iterator_of(loaded)
        make = container.make
        if make is list:
            return convert if read is iter else lambda objects: convert(read(objects))
        return lambda objects: make(convert(read(objects)))

    def objects(
        self,
        target: Target,
        wanted: Field,
        column: RelatedColumn,
        allowed: Alternatives,
        in_set: bool,
    ) -> _Objects | None:
        """What fills the objects of a relationship; None where a field takes them as they are."""
        shape = column.shape() if column.shape is not None else None
        if shape is None or any(holds(choice, shape.structure) for choice in allowed.types):
            column.records.below[column.names[0]] = None
            return None
        fillable = [choice for choice in allowed.types if is_fillable(choice)]
        if len(fillable) > 1:
            raise RowMismatch(mismatch.several_types(target, wanted, column.shown))
        if not fillable:
            raise RowMismatch(mismatch.not_fillable(target, wanted, column.shown))
        cls = fillable[0]
        if in_set and not is_hashable(cls):
            raise RowMismatch(mismatch.unhashable(target, wanted, cls.__name__))
        inside = not in_set and target.style is Style.VALIDATE and not _is_strict(target.cls)
        return self.filled(column, shape, cls, inside)

    def filled(self, column: RelatedColumn, shape: ObjectShape, cls: Any, inside: bool) -> _Objects:
        """What fills objects of a class from those of a relationship."""
        known = (column.endless, cls, inside) if column.endless is not None else None
        found = self.endless.get(known) or _Objects(shape.records)
        column.records.below.setdefault(column.names[0], found.records)
        if column.cell is not None:
            self.below[column.cell] = column, found
        if known in self.endless:
            return found
        endless = self.endless if known is None else {**self.endless, known: found}
        row_shape = RowShape(len(shape.keys), (shape.structure,), joins=False, sure=None)
        matcher = type(self)(row_shape, self.validate, endless, column.shown, inside)
        record = matcher.root(cls)
        if inside and record.style is Style.VALIDATE:
            # the outer model validates it, and its errors name the place
            record = replace(record, style=Style.DICT)
        found.matched = Matched(record, row_shape, matcher.below)
        found.fill = filler_from_objects(record, [shape], scalar=True, below=True)
        return found


def _is_strict(cls: Any) -> bool:
    # a strict model takes objects of nested models only
    return bool(cls.model_config.get("strict"))


def _itself(value: Any) -> Any:
    return value


def _present(absent: str, value: Any) -> Any:
    if value is None:
        raise RowMismatch(absent)
    return value


def _one(fill: _Make, absent: str | None, obj: Any) -> Any:
    if obj is not None:
        return fill(obj)
    if absent is not None:
        raise RowMismatch(absent)
    return None


def _or_empty(make: _Make, empty: Callable[[], Any], objects: Any) -> Any:
    return make(empty() if objects is None else objects)


def _optional(make: _Make, objects: Any) -> Any:
    return None if objects is None else make(objects)
