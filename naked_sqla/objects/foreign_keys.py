"""The foreign keys of a relationship: which attribute has the value of which, and how to write it.

A relationship that is set on an object gives its foreign keys.  Relationships are not stored in any
other way: an error tells the caller what to write instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Table
from sqlalchemy.orm import MANYTOONE, RelationshipProperty
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, Grouping

from naked_sqla._frozen import Frozen
from naked_sqla._sqlalchemy import mappings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.orm import Mapper

__all__ = ("Foreign", "foreign_of", "joins_only")


class Foreign(Frozen):
    """A relationship.

    :ivar name: ``"Post.author"``.
    :ivar model: the name of the class that has it.
    :ivar target: the mapper of the related class.
    :ivar side: where the foreign key is: here, on the related objects, or in a table in between.
    :ivar pairs: (attribute of the foreign key, attribute that it refers to); empty where a column
        has no attribute, and for a table in between.
    :ivar plain: True when the objects are related by the equality of these pairs and nothing else.
    :ivar advice: the next step for someone who set the relationship.
    """

    name: str
    model: str
    target: Mapper[Any]
    side: Literal["here", "there", "between"]
    pairs: tuple[tuple[str, str], ...]
    plain: bool
    advice: str


def foreign_of(prop: RelationshipProperty[Any]) -> Foreign:
    """The foreign keys of a relationship."""
    here, there = prop.parent, prop.mapper
    model, related = here.class_.__name__, there.class_.__name__
    name = f"{model}.{prop.key}"
    if prop.secondary is not None:
        advice = f"Store both, and then link them: {_link(prop)}."
        return Foreign(name, model, there, "between", (), False, advice)
    is_here = prop.direction is MANYTOONE
    holder, owner = (here, there) if is_here else (there, here)
    found = [
        (mappings.attribute_of(holder, foreign), mappings.attribute_of(owner, referred))
        for referred, foreign in prop.synchronize_pairs
    ]
    pairs = tuple((key, value) for key, value in found if key is not None and value is not None)
    if len(pairs) != len(found):
        pairs = ()
    plain = bool(pairs) and _is_plain(prop)
    variable = owner.class_.__name__.lower()
    written = ", ".join(f"{key}={variable}.{value}" for key, value in pairs)
    instead = f"{holder.class_.__name__}({written})"
    if not pairs:
        advice = "Write the columns of its foreign key."
    elif is_here:
        advice = f"Write {instead}."
    else:
        advice = f"Store the {model} first, and then each {related} with its key: {instead}."
    return Foreign(name, model, there, "here" if is_here else "there", pairs, plain, advice)


def _link(prop: RelationshipProperty[Any]) -> str:
    """The call that relates stored objects by a table in between."""
    model, related = prop.parent.class_.__name__, prop.mapper.class_.__name__
    if prop.viewonly or not isinstance(prop.secondary, Table):
        return f"execute(insert({prop.secondary}), ...)"
    return f"link({model.lower()}, {model}.{prop.key}, [{related.lower()}])"


def _is_plain(prop: RelationshipProperty[Any]) -> bool:
    return joins_only(prop.primaryjoin, prop.synchronize_pairs)


def joins_only(criterion: Any, columns: Iterable[tuple[Any, Any]]) -> bool:
    """True when a criterion is the equality of some pairs of columns, and nothing else."""
    pairs = {frozenset(pair) for pair in columns}
    clauses = list(_clauses(criterion))
    return len(clauses) == len(pairs) and all(
        isinstance(clause, BinaryExpression)
        and clause.operator is operators.eq
        and frozenset((clause.left, clause.right)) in pairs
        for clause in clauses
    )


def _clauses(criterion: Any) -> Iterator[Any]:
    """The parts of a criterion that are connected by AND."""
    if isinstance(criterion, Grouping):
        yield from _clauses(criterion.element)
    elif isinstance(criterion, BooleanClauseList) and criterion.operator is operators.and_:
        for clause in criterion.clauses:
            yield from _clauses(clause)
    else:
        yield criterion
