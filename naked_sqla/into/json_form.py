"""JSON in place of objects: the matchers and the form of :mod:`~naked_sqla.into.as_json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from naked_sqla.exception import RowMismatch
from naked_sqla.into.containers import Container, iterator_of
from naked_sqla.into.encoding import encode, encode_objects
from naked_sqla.into.fields import Field, Form, Style, Target
from naked_sqla.into.filling import Composed, Record, Whole
from naked_sqla.into.matching import Candidates, Claim, Matcher
from naked_sqla.into.nested_match import NestedMatcher
from naked_sqla.into.plain import NotPlain, holds_value, is_model, plain_target
from naked_sqla.into.related_shape import RelatedColumn
from naked_sqla.into.row_shape import Column, EntityName, RowShape, Structure

__all__ = ("JsonForm",)


@dataclass(frozen=True, slots=True)
class JsonForm(Form):
    """The JSON of a class.

    :ivar of: the class; None for all that the statement loads.
    :ivar plain: it is made of dictionaries, not of objects.
    :ivar lines: each object is a line of JSON; otherwise it is left to the caller.
    """

    of: Any
    plain: bool
    lines: bool = False

    @property
    def cls(self) -> Any:
        return self.of

    def matcher(self, kind: Any) -> Any:
        if not self.plain:
            return kind
        return _NestedPlain if kind is NestedMatcher else _FlatPlain

    def finished(self, objects: list[Any]) -> list[Any]:
        if not self.lines:
            return objects
        write = encode if self.plain else encode_objects(self.of)
        return [write(obj) + b"\n" for obj in objects]


class _Plain(Matcher):
    """Matches rows with dictionaries."""

    def target_of(self, cls: Any) -> Target:
        if cls is None:
            return _everything(self.row_shape)
        return plain_target(cls, self.validate)

    def record(self, candidates: Candidates) -> Record:
        record = super().record(candidates)
        target = record.target
        if len(record.fillings) < len(target.fields) and not _may_lack(target.cls):
            # the class has a default, which only its objects have
            raise NotPlain
        if is_model(target.cls) and any(
            isinstance(filling.source, Composed | Whole) for filling in record.fillings
        ):
            raise NotPlain
        return record

    def taker(
        self, target: Target, structure: Structure, own: EntityName
    ) -> tuple[str, Claim] | None:
        if target.cls is not None:
            return super().taker(target, structure, own)
        if structure.spreads or not target.named(own.name):
            return None
        return own.name, Claim(structure, _fields_of(_attributes(structure)), True)

    def column(self, target: Target, wanted: Field, column: Column) -> Any:
        checked = is_model(target.cls) and self.validate and not isinstance(column, RelatedColumn)
        if checked and not holds_value(wanted, column.expression, self.row_shape.sure):
            raise NotPlain
        return super().column(target, wanted, column)


class _FlatPlain(_Plain):
    """Matches rows of values."""


class _NestedPlain(_Plain, NestedMatcher):
    """Matches loaded objects."""

    def collection(
        self, target: Target, wanted: Field, column: RelatedColumn, container: Container
    ) -> Any:
        if not container.is_dict:
            # an array, whatever the class has; no set holds dictionaries
            container = Container(list, container.of)
        return super().collection(target, wanted, column, container)

    def maker(self, target: Target, wanted: Field, column: RelatedColumn) -> Any:
        if target.cls is not None:
            return super().maker(target, wanted, column)
        shape = column.shape() if column.shape is not None else None
        if shape is None:
            return super().maker(target, wanted, column)
        found = self.filled(column, shape, None, inside=False)
        return _written(found, column)


def _written(found: Any, column: RelatedColumn) -> Any:
    """What makes dictionaries of the objects of a relationship."""
    if column.collection is None:
        return lambda obj: None if obj is None else found.one(obj)
    if isinstance(column.collection.make(), dict):

        def write(objects: Any) -> Any:
            return dict(zip(objects, found.all(objects.values()), strict=True))
    else:
        read = iterator_of(column.collection)

        def write(objects: Any) -> Any:
            return found.all(read(objects))

    empty = column.collection.make

    def written(objects: Any) -> Any:
        if objects is not None:
            return write(objects)
        # another class has none; what an outer join did not find has it, and nothing in it
        return None if column.partial else write(empty())

    return written


def _may_lack(cls: Any) -> bool:
    """True for a TypedDict, whose keys may be absent."""
    return hasattr(cls, "__required_keys__")


def _everything(row_shape: RowShape) -> Target:
    """A field for each column of a row, and each attribute of its entity."""
    columns: list[Column] = []
    for item in row_shape.items:
        if isinstance(item, Column):
            columns.append(item)
            continue
        if len(row_shape.items) > 1 or item.model is None:
            raise RowMismatch(
                f"json() writes one entity, or columns, and the statement has {item.shown} beside "
                f"others. Next: name the fields with into=..., or select columns."
            )
        columns += _attributes(item)
    return _fields_of(columns)


def _fields_of(columns: list[Column]) -> Target:
    names = dict.fromkeys(column.names[0] for column in columns)
    fields = tuple(Field(name, name, (name,)) for name in names)
    return Target(None, "json()", Style.DICT, fields, "ignore")


def _attributes(item: Structure) -> list[Column]:
    found = {column.names[0]: column for column in item.columns}
    # what is loaded of a relationship in the same row is an object of its own
    return [
        *found.values(),
        *(Column((below.names[0].name,), below.shown, None) for below in item.below),
    ]
