"""INSERT of constructed objects together with the relationships that the caller names.

First all objects are found and checked, then they are stored: each after those that it refers to, a
class at a time, and in the end the rows of the tables in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from naked_sqla._sqlalchemy import relationships
from naked_sqla.exception import InvalidStatement
from naked_sqla.hiding import shown
from naked_sqla.objects.classes import mapper_of, model_of
from naked_sqla.objects.collections import collection_of
from naked_sqla.objects.foreign_keys import foreign_of
from naked_sqla.write.inserting import insert_objects
from naked_sqla.write.keys import chunks
from naked_sqla.write.nodes import Known, NewObject, NotYet, Step
from naked_sqla.write.related import is_loaded, objects_in, related_of, value_of
from naked_sqla.write.values import known, listed, orm_defaults

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("insert_all_related", "insert_related")


def insert_related(
    conn: Connection, obj: Any, *named: Any, model: Any = None, noted: list[Any] | None = None
) -> Any:
    """Insert a constructed object, and those in the named relationships.

    :param named: relationships by their attributes, of its class and of those that they lead to.
    :return: the stored row as a naked object, with the named relationships.
    :param noted: takes a list of the stored objects for each class.
    :raises InvalidStatement: for what can't be stored so, before anything is sent.
    """
    return _Graph("insert", named, model).store(conn, [obj], None, noted)[0]


def insert_all_related(
    conn: Connection,
    objs: Iterable[Any],
    *named: Any,
    batch_size: int | None = None,
    model: Any = None,
    noted: list[Any] | None = None,
) -> list[Any]:
    """Insert constructed objects, and those in the named relationships.

    :param batch_size: at most so many rows in one statement.
    :return: the stored rows of ``objs``, in their order, with the named relationships.
    """
    return _Graph("insert_all", named, model).store(
        conn, listed(objs, "insert_all"), batch_size, noted
    )


class _Graph:
    """The objects of one call."""

    def __init__(self, call: str, named: Sequence[Any], model: Any) -> None:
        if model is not None:
            raise InvalidStatement(
                f"{call}(..., model={getattr(model, '__name__', model)}) with relationships: they "
                f"are those of constructed objects of mapped classes, which need no model. Leave "
                f"it out."
            )
        self.call = call
        self.steps = {step.prop: step for step in (Step(one, call) for one in named)}
        self.nodes: dict[int, NewObject] = {}

    def store(
        self,
        conn: Connection,
        objs: Sequence[Any],
        batch_size: int | None,
        noted: list[Any] | None,
    ) -> list[Any]:
        """Find, check and insert all objects; the stored ones of ``objs``."""
        if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
            raise InvalidStatement(
                f"{self.call}(batch_size={batch_size!r}): the number of rows in one statement is 1 "
                f"or more. Leave it out to have SQLAlchemy choose."
            )
        self._collect(objs)
        self._check_reached(objs)
        for node in self.nodes.values():
            self._row(node, stored=False)
        order = list(self._in_order())
        list(self._links(stored=False))
        for group in order:
            written = group[0].written
            for part in chunks(group, batch_size or len(group)):
                found = insert_objects(conn, written, [self._row(n, stored=True) for n in part])
                for node, stored in zip(part, found, strict=True):
                    node.stored = stored
            if noted is not None:
                noted.append([node.stored for node in group])
        self._insert_links(conn)
        for node in self.nodes.values():
            self._fill(node)
        return [self.nodes[id(obj)].stored for obj in objs]

    # ---- finding

    def _collect(self, objs: Sequence[Any]) -> None:
        waiting = [self._root(obj) for obj in objs]
        for node in waiting:
            for step in self._steps_of(node):
                for target in objects_in(node.values.get(step.prop.key)):
                    found = self._target(node, step, target)
                    if found is not None:
                        waiting.append(found)

    def _root(self, obj: Any) -> NewObject:
        if mapper_of(type(obj)) is None or is_loaded(obj):
            kind = type(obj).__name__
            raise InvalidStatement(
                f"{self.call}() with relationships takes objects that were constructed of mapped "
                f"classes, not a {kind} that "
                f"{'was loaded' if mapper_of(model_of(type(obj))) is not None else 'is none'}. "
                f"Construct it, or store each object by itself."
            )
        return self._node(obj)

    def _node(self, obj: Any) -> NewObject:
        found = self.nodes.get(id(obj))
        if found is None:
            found = self.nodes[id(obj)] = NewObject(obj)
        return found

    def _steps_of(self, node: NewObject) -> Iterator[Step]:
        return (step for prop, step in self.steps.items() if node.mapper.isa(prop.parent))

    def _target(self, node: NewObject, step: Step, target: Any) -> NewObject | None:
        """The node of a related object, where it is new to the graph."""
        name, wanted = step.foreign.name, step.prop.mapper.class_
        kind = model_of(type(target))
        if mapper_of(kind) is None or not issubclass(kind, wanted):
            raise InvalidStatement(
                f"{self.call}(): {name} has a {kind.__name__}, and not a {wanted.__name__}. "
                f"Construct objects of {wanted.__name__}."
            )
        if is_loaded(target):
            if step.foreign.side == "there":
                keys = ", ".join(f"{key}=..." for key, _ in step.foreign.pairs)
                raise InvalidStatement(
                    f"{self.call}(): {name} has a {kind.__name__} that is stored already, and "
                    f"{self.call}() writes new rows. Insert the {step.foreign.model} without it, "
                    f"and then write update({kind.__name__}, key, {keys})."
                )
            return None
        is_new = id(target) not in self.nodes
        found = self._node(target)
        if step.foreign.side == "there":
            self._own(found, step, node)
        return found if is_new else None

    def _own(self, node: NewObject, step: Step, owner: NewObject) -> None:
        others = [owner, node.owners.setdefault(step, owner)]
        for prop in relationships.reverse_of(step.prop):
            other = node.values.get(prop.key)
            if other is not None:
                others.append(self.nodes.get(id(other)) or other)
        if any(other is not owner for other in others):
            raise InvalidStatement(
                f"{self.call}(): a {type(node.obj).__name__} is in {step.foreign.name} of one "
                f"{step.foreign.model}, and refers to another. Set it on one of them."
            )

    def _check_reached(self, objs: Sequence[Any]) -> None:
        """Refuse a relationship that none of the others leads to."""
        reached = {self.nodes[id(obj)].mapper for obj in objs}
        left = dict(self.steps)
        while True:
            found = [
                prop
                for prop in left
                if any(mapper.isa(prop.parent) or prop.parent.isa(mapper) for mapper in reached)
            ]
            if not found:
                break
            for prop in found:
                reached.add(left.pop(prop).prop.mapper)
        for step in left.values() if objs else ():
            raise InvalidStatement(
                f"{self.call}(): {step.foreign.name} is named, and nothing leads to a "
                f"{step.foreign.model}. Name the relationship that does too, before it."
            )

    # ---- rows

    def _row(self, node: NewObject, stored: bool) -> Any:
        """The row of an object; before anything is stored, one that shows whether it can be."""
        values = dict(node.values)
        for prop in node.mapper.relationships:
            value = values.get(prop.key)
            if prop.viewonly or value is None:
                continue
            if foreign_of(prop).side == "here":
                other = self.nodes.get(id(value))
                if other is not None:
                    values[prop.key] = other.stored if stored else Known(other)
            elif prop in self.steps or self._is_told(node, prop, value):
                del values[prop.key]
        row: Any = {**orm_defaults(node.written), **known(values, node.written)}
        related = related_of(node.written)
        if related is not None:
            row = related.completed(self.call, row, values, "made")
        for step, owner in node.owners.items():
            row = self._owned(node, row, step, owner.stored if stored else Known(owner))
        return row

    def _owned(self, node: NewObject, row: Any, step: Step, owner: Any) -> Any:
        added = {}
        for key, referred in step.foreign.pairs:
            value, given = value_of(owner, referred), row.get(key)
            if given is not None and not isinstance(given, NotYet) and given != value:
                raise InvalidStatement(
                    f"{self.call}(): a {type(node.obj).__name__} in {step.foreign.name} has {key} "
                    f"{shown(given)}, and its {step.foreign.model} has {referred} {shown(value)}. "
                    f"Leave {key} out: it is filled."
                )
            added[key] = value
        return {**row, **added}

    def _is_told(self, node: NewObject, prop: Any, value: Any) -> bool:
        """True when the other side of a relationship says all that this side says."""
        for obj in objects_in(value):
            other = self.nodes.get(id(obj))
            if other is None or not any(
                any(back is node.obj for back in objects_in(other.values.get(reverse.key)))
                for reverse in relationships.reverse_of(prop)
                if reverse in self.steps or foreign_of(reverse).side == "here"
            ):
                return False
        return True

    # ---- order

    def _needs(self, node: NewObject) -> set[int]:
        """The objects that have to be stored before another."""
        needed = {id(owner.obj) for owner in node.owners.values()}
        for prop in node.mapper.relationships:
            value = node.values.get(prop.key)
            if not prop.viewonly and id(value) in self.nodes and foreign_of(prop).side == "here":
                needed.add(id(value))
        return needed

    def _in_order(self) -> Iterator[list[NewObject]]:
        """Objects of one class, after all that they refer to."""
        needs = {key: self._needs(node) for key, node in self.nodes.items()}
        left = dict(self.nodes)
        while left:
            waiting: dict[Any, int] = {}
            ready: dict[Any, list[int]] = {}
            for key, node in left.items():
                if needs[key].isdisjoint(left):
                    ready.setdefault(node.mapper, []).append(key)
                else:
                    waiting[node.mapper] = waiting.get(node.mapper, 0) + 1
            if not ready:
                names = ", ".join(sorted({node.written.name for node in left.values()}))
                raise InvalidStatement(
                    f"{self.call}(): objects of {names} refer to each other in a circle, so that "
                    f"none can be stored first. Leave one relationship out, and update() it then."
                )
            # a class whose objects are all ready takes one statement
            mapper = min(ready, key=lambda mapper: waiting.get(mapper, 0) > 0)
            yield [left.pop(key) for key in ready[mapper]]

    # ---- tables in between

    def _links(self, stored: bool) -> Iterator[tuple[Any, dict[str, Any]]]:
        for node in self.nodes.values():
            for step in self._steps_of(node):
                if step.between is None:
                    continue
                for target in objects_in(node.values.get(step.prop.key)):
                    other = self.nodes.get(id(target))
                    if stored:
                        own = step.between.own.key(self.call, node.stored)
                        found = target if other is None else other.stored
                        theirs = step.between.theirs.key(self.call, found)
                        yield step.between.table, step.between.row(self.call, own, theirs)
                    elif other is None:
                        step.between.theirs.key(self.call, target)

    def _insert_links(self, conn: Connection) -> None:
        tables: dict[Any, dict[Any, dict[str, Any]]] = {}
        for table, row in self._links(stored=True):
            # both sides of a relationship may say the same
            tables.setdefault(table, {})[tuple(sorted(row.items()))] = row
        for table, rows in tables.items():
            conn.execute(insert(table), list(rows.values()))

    # ---- what is given back

    def _fill(self, node: NewObject) -> None:
        """Set the named relationships of a stored object."""
        for step in self._steps_of(node):
            if step.prop.lazy in ("dynamic", "write_only"):
                # it is read by statements only
                continue
            objs = objects_in(node.values.get(step.prop.key))
            found = [self.nodes[id(o)].stored if id(o) in self.nodes else o for o in objs]
            collection = collection_of(step.prop)
            if collection is None:
                setattr(node.stored, step.prop.key, found[0] if found else None)
                continue
            held = collection.make()
            append = collection.appender(held)
            for obj in found:
                append(obj)
            setattr(node.stored, step.prop.key, held)
