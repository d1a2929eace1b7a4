"""Messages for a class and a statement that do not fit: both sides, and the next step."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from naked_sqla.into.annotations import alternatives, is_fillable
from naked_sqla.into.row_shape import Column, RowItem, RowShape, Structure
from naked_sqla.objects.classes import mapper_of

if TYPE_CHECKING:
    from naked_sqla.into.fields import Field, Target

__all__ = (
    "absent",
    "misfit",
    "no_collection",
    "no_keys",
    "no_object",
    "not_fillable",
    "not_of_all",
    "several_types",
    "two_columns",
    "two_entities",
    "unhashable",
)


def misfit(
    target: Target,
    about: str,
    row_shape: RowShape,
    missing: Sequence[Field],
    left: Sequence[Column | Structure],
) -> str:
    """Fields without a column, columns without a field.

    :param about: the entity that a nested object is filled from; empty for the object of the row.
    """
    facts: list[str] = []
    steps: list[str] = []
    name = target.shown
    if missing:
        wanted = _names(field.name for field in missing)
        facts.append(f"no column for its {_plural('field', missing)} {wanted}")
        steps += _to_fill(missing, row_shape)
    if left:
        given = ", ".join(item.shown for item in left)
        columns = [item for item in left if isinstance(item, Column)]
        kind = f"the {_plural('column', left)} " if len(columns) == len(left) else ""
        facts.append(f"no field in {name} for {kind}{given}")
        how = "" if _are_items(columns, row_shape) else " (load_only() says what an entity loads)"
        steps.append(f"leave {given} out of the statement{how}, or add {_it(left)} to {name}")
        known = {name for column in columns for name in column.names}
        steps += [why for field, why in target.unfillable if field in known]
    source = f"{about} in the statement" if about else "the statement"
    return (
        f"{name} can't be filled from {source}: {'; '.join(facts)}. {name} has {_fields(target)}. "
        f"The statement has {_items(row_shape)}. Next: {'; '.join(steps)}."
    )


def two_columns(target: Target, field: Field, shown: Iterable[str]) -> str:
    """Several columns for one field."""
    steps = ["leave one out, or label it with another name: .label(...)"]
    # an entity that no field takes fills fields column by column
    steps += [_unresolved(other) for other in target.fields if isinstance(other.annotation, str)]
    return (
        f"{target.shown}.{field.name} is ambiguous: the statement has {', '.join(shown)} for it. "
        f"Next: {'; '.join(steps)}."
    )


def two_entities(target: Target, field: str, shown: Iterable[str]) -> str:
    """Several entities for one field."""
    return (
        f"{target.shown}.{field} is ambiguous: the entities {', '.join(shown)} go by this name. "
        f'Next: give each the name of the field that it is for: aliased(..., name="{field}").'
    )


def several_types(target: Target, field: Field, shown: str) -> str:
    """A field whose annotation leaves open the class of its object."""
    return (
        f"{target.shown}.{field.name} may hold objects of several classes ({field.annotation}), "
        f"and {shown} can fill any of them. Next: annotate it with one of them, or with one of "
        f"them and None."
    )


def absent(target: Target, field: Field, shown: str) -> str:
    """A nested object that a row does not have."""
    kind = field.annotation
    kind = kind.__name__ if isinstance(kind, type) else kind
    return (
        f"{target.shown}.{field.name} is a {kind}, and a row has no {shown}: its primary key is "
        f"NULL, as it is where an outer join finds nothing. Next: annotate the field with "
        f"{kind} | None, or use an inner join."
    )


def no_object(target: Target, field: Field, shown: str) -> str:
    """A to-one relationship without an object."""
    kind = _kind(field)
    return (
        f"{target.shown}.{field.name} is a {kind}, and {shown} is None in an object that was "
        f"loaded. Next: annotate the field with {kind} | None, or leave such objects out of the "
        f"statement."
    )


def no_collection(target: Target, field: Field, shown: str) -> str:
    """A to-many relationship, and a field that holds no collection, or one of several."""
    return (
        f"{target.shown}.{field.name} is a {_kind(field)}, and {shown} has any number of objects. "
        f"Next: annotate the field with one collection: list[...], tuple[..., ...], set[...]."
    )


def no_keys(target: Target, field: Field, shown: str) -> str:
    """A dictionary for a relationship whose objects have no keys."""
    return (
        f"{target.shown}.{field.name} is a {_kind(field)}, and the objects of {shown} have no "
        f"keys. Next: annotate the field with list[...], or map the relationship with "
        f"collection_class=attribute_keyed_dict(...)."
    )


def not_fillable(target: Target, field: Field, shown: str) -> str:
    """A field for a relationship, whose type is no class with fields."""
    return (
        f"{target.shown}.{field.name} is a {_kind(field)}, and the objects of {shown} can't fill "
        f"it. Next: annotate it with a class that has fields for them, with a collection of it for "
        f"a to-many relationship, or with Any for the loaded objects as they are."
    )


def unhashable(target: Target, field: Field, shown: str) -> str:
    """A set of objects without a hash."""
    return (
        f"{target.shown}.{field.name} is a {_kind(field)}, and {shown} objects have no hash. "
        f"Next: annotate the field with list[{shown}], or make {shown} frozen."
    )


def not_of_all(target: Target, field: Field, shown: str) -> str:
    """A relationship of some classes of a hierarchy."""
    kind = _kind(field)
    return (
        f"{target.shown}.{field.name} is a {kind}, and not all classes that the statement loads "
        f"have {shown}. Next: annotate the field with {kind} | None."
    )


def _kind(field: Field) -> Any:
    kind = field.annotation
    return kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else kind


def _to_fill(missing: Sequence[Field], row_shape: RowShape) -> list[str]:
    """The next steps for fields without a column."""
    hints = {field.name: hint for field in missing if (hint := _hint(field, row_shape))}
    others = [field for field in missing if field.name not in hints]
    if not others:
        return list(hints.values())
    select = (
        f"select {_names(field.name for field in others)} (a label names any expression: "
        f'.label("{others[0].name}")), or give {_it(others)} a default'
    )
    return [select, *hints.values()]


def _hint(field: Field, row_shape: RowShape) -> str | None:
    """Why an entity does not fill a field that seems to be meant for it."""
    entities = [item for item in row_shape.items if isinstance(item, Structure)]
    if isinstance(field.annotation, str):
        return _unresolved(field)
    for item in entities:
        if item.model is not None and field.name in inspect(item.model).relationships:
            name = f"{item.model.__name__}.{field.name}"
            return f"load {name} with the statement: selectinload({name})"
    if not entities:
        return None
    choices = alternatives(field.annotation).types
    if any(typing.get_origin(item) in (list, set, tuple, frozenset, dict) for item in choices):
        return (
            f"{field.name}: each object is filled from one row and can't collect others; take it "
            f"out of the class, or give it a default"
        )
    models = [item.model.__name__ for item in entities if item.model is not None]
    if models and any(is_fillable(item) or mapper_of(item) for item in choices):
        model = models[0] if len(models) == 1 else "..."
        return (
            f"to fill {field.name} with an entity, name the entity: "
            f'aliased({model}, name="{field.name}")'
        )
    return None


def _unresolved(field: Field) -> str:
    return (
        f"{field.name}: its annotation {field.annotation!r} can't be resolved here; define the "
        f"class at the top of a module"
    )


def _are_items(columns: Iterable[Column], row_shape: RowShape) -> bool:
    """True for columns that are selected one by one, not with an entity."""
    items = list(map(id, row_shape.items))
    return all(id(column) in items for column in columns)


def _fields(target: Target) -> str:
    if not target.fields:
        return "no fields"
    return "the fields " + ", ".join(
        field.name if field.required else f"{field.name} (optional)" for field in target.fields
    )


def _items(row_shape: RowShape) -> str:
    if not row_shape.items:
        return "no columns"
    return ", ".join(map(_item, row_shape.items))


def _item(item: RowItem) -> str:
    if isinstance(item, Column):
        return item.shown
    inside = [column.names[0] for column in item.columns] + [below.shown for below in item.below]
    return f"{item.shown} ({', '.join(inside)})"


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _plural(word: str, items: Sequence[object]) -> str:
    return f"{word}s" if len(items) > 1 else word


def _it(items: Sequence[object]) -> str:
    return "them" if len(items) > 1 else "it"
