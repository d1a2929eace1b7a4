"""Many-to-many relationships: which column of the table in between refers to which attribute."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from sqlalchemy import Index, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.orm import QueryableAttribute, RelationshipProperty

from naked_sqla._sqlalchemy import mappings, relationships
from naked_sqla.exception import InvalidStatement
from naked_sqla.hiding import shown
from naked_sqla.objects.classes import mapper_of, model_of
from naked_sqla.objects.foreign_keys import foreign_of, joins_only
from naked_sqla.read.lookup import key_of
from naked_sqla.write.related import UNKNOWN, value_of

__all__ = ("Between", "Side", "between_of", "relationship_of")

_Key = tuple[Any, ...]


class Side:
    """One of the two classes that a table in between relates.

    :ivar mapper: that of the class.
    :ivar model: the class.
    :ivar columns: of the table in between.
    :ivar names: the attributes of the class that they refer to.
    """

    __slots__ = ("_keys", "columns", "mapper", "model", "names")

    def __init__(self, name: str, mapper: Any, pairs: Iterable[tuple[Any, Any]]) -> None:
        found = list(pairs)
        self.mapper = mapper
        self.model = mapper.class_
        self.columns = tuple(column for _, column in found)
        names = [mappings.attribute_of(mapper, of) for of, _ in found]
        if None in names:
            raise InvalidStatement(
                f"{name}: {self.model.__name__} has no attribute for a column that "
                f"{self.columns[0].table} refers to. Map it, or write the rows of "
                f"{self.columns[0].table} by execute()."
            )
        self.names = tuple(map(str, names))
        self._keys = tuple(str(mappings.attribute_of(mapper, c)) for c in mapper.primary_key)

    def key(self, call: str, item: Any) -> _Key:
        """The values that the table in between has for an object, or for a primary key.

        :raises InvalidStatement: an object of another class, or without these values.
        :raises InvalidRequestError: a key that does not fit.
        """
        kind, name = model_of(type(item)), self.model.__name__
        if mapper_of(kind) is None:
            values = dict(zip(self._keys, key_of(self.model, item, call), strict=True))
            lacks = [attribute for attribute in self.names if attribute not in values]
            if lacks:
                raise InvalidStatement(
                    f"{call}(): a row of {self.columns[0].table} has {name}.{lacks[0]}, which "
                    f"the primary key {shown(item)} does not tell. Pass the {name} itself."
                )
        elif not issubclass(kind, self.model):
            raise InvalidStatement(
                f"{call}() was given a {kind.__name__} where a {name} belongs. Pass objects of "
                f"{name}, or primary keys."
            )
        else:
            values = {attribute: value_of(item, attribute) for attribute in self.names}
        for attribute in self.names:
            if values[attribute] is UNKNOWN:
                raise InvalidStatement(
                    f"{call}(): {name}.{attribute} of an object is not loaded. Load it, or pass "
                    f"its primary key."
                )
            if values[attribute] is None:
                raise InvalidStatement(
                    f"{call}(): a {name} without {attribute} is not stored. Store it first, and "
                    f"go on with what insert() gives back."
                )
        return tuple(values[attribute] for attribute in self.names)


class Between:
    """A many-to-many relationship.

    :ivar name: ``"Team.members"``.
    :ivar table: the table in between.
    :ivar own: the side of the class that has the relationship.
    :ivar theirs: the side of the related class.
    :ivar columns: the columns of the table that both sides fill; one may be filled by both.
    """

    __slots__ = ("columns", "name", "own", "table", "theirs")

    def __init__(self, prop: RelationshipProperty[Any]) -> None:
        self.name = f"{prop.parent.class_.__name__}.{prop.key}"
        self.table: Any = prop.secondary
        self.own = Side(self.name, prop.parent, prop.synchronize_pairs)
        self.theirs = Side(self.name, prop.mapper, prop.secondary_synchronize_pairs or ())
        self.columns = tuple(dict.fromkeys((*self.own.columns, *self.theirs.columns)))

    def row(self, call: str, own: _Key, theirs: _Key) -> dict[str, Any]:
        """The row that relates two objects, by column key.

        :raises InvalidStatement: both fill one column, and differ.
        """
        row: dict[str, Any] = dict(zip((c.key for c in self.own.columns), own, strict=True))
        for column, value in zip(self.theirs.columns, theirs, strict=True):
            if row.setdefault(column.key, value) != value:
                raise InvalidStatement(
                    f"{call}(): {self.table}.{column.key} would be {shown(row[column.key])} for "
                    f"the {self.own.model.__name__} and {shown(value)} for a "
                    f"{self.theirs.model.__name__} of {self.name}. Relate objects that agree."
                )
        return row

    def is_unique(self) -> bool:
        """True when the model says that two objects are related by one row at most."""
        wanted = set(self.columns)
        for found in self.table.constraints:
            is_unique = isinstance(found, PrimaryKeyConstraint | UniqueConstraint)
            if is_unique and not found.deferrable and set(found.columns) == wanted:
                return True
        # an index with a condition, or of another form, has arguments of its database
        return any(
            index.unique and not index.dialect_kwargs and set(index.expressions) == wanted
            for index in self.table.indexes
            if isinstance(index, Index)
        )


def relationship_of(attribute: Any, call: str, example: str) -> RelationshipProperty[Any]:
    """The relationship that a caller names: ``Team.members``.

    :raises InvalidStatement: ``attribute`` is no relationship, or has more than its name.
    """
    prop = getattr(attribute, "property", None)
    if not isinstance(attribute, QueryableAttribute) or not isinstance(prop, RelationshipProperty):
        name = str(attribute) if isinstance(attribute, QueryableAttribute) else repr(attribute)
        raise InvalidStatement(
            f"{call}() was given {name}, which is not a relationship. Name one by its attribute, "
            f"such as {example}."
        )
    target, criteria = relationships.attribute_target(attribute)
    if criteria is not None or target is not prop.entity or not attribute.parent.is_mapper:
        raise InvalidStatement(
            f"{call}() stores a relationship as it is mapped, and was given one with an alias, "
            f"of_type() or and_(). Write {prop.parent.class_.__name__}.{prop.key}."
        )
    return prop


def between_of(attribute: Any, call: str) -> Between:
    """The many-to-many relationship that a caller names.

    :raises InvalidStatement: for any other attribute, with what to write instead.
    """
    prop = relationship_of(attribute, call, "Team.members")
    name = f"{prop.parent.class_.__name__}.{prop.key}"
    if prop.secondary is None:
        _refuse_without_table(prop, name, call)
    if prop.viewonly:
        raise InvalidStatement(
            f"{call}(): {name} is viewonly, and stores nothing. Name the relationship that "
            f"writes {prop.secondary}."
        )
    plain = joins_only(prop.primaryjoin, prop.synchronize_pairs) and joins_only(
        prop.secondaryjoin, prop.secondary_synchronize_pairs or ()
    )
    if not isinstance(prop.secondary, Table) or not plain:
        raise InvalidStatement(
            f"{call}(): {name} is joined by more than the foreign keys of a table, so that a row "
            f"in between does not say all. Write the rows by execute()."
        )
    return Between(prop)


def _refuse_without_table(prop: RelationshipProperty[Any], name: str, call: str) -> NoReturn:
    foreign = foreign_of(prop)
    related, model = foreign.target.class_.__name__, foreign.model
    fact = f"{call}(): {name} is not many-to-many: no table lies in between."
    if not foreign.pairs:
        raise InvalidStatement(f"{fact} Write the columns of its foreign key.")
    key, referred = foreign.pairs[0]
    if foreign.side == "here":
        raise InvalidStatement(
            f"{fact} Write update({model}, key, {key}={related.lower()}.{referred})."
        )
    value = f"{key}={model.lower()}.{referred}"
    raise InvalidStatement(
        f"{fact} Write update({related}, key, {value}), or insert({related}({value}, ...)) for a "
        f"new one."
    )
