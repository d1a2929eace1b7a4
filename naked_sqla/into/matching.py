"""Fields of a class and shape of a row -> :class:`~naked_sqla.into.filling.Record`.

It only decides how each object is filled; :mod:`~naked_sqla.into.emitting` prints the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, get_origin

import typing_extensions

from naked_sqla.exception import RowMismatch
from naked_sqla.into import mismatch
from naked_sqla.into.annotations import alternatives, is_fillable
from naked_sqla.into.fields import Field, Form, Style, Target
from naked_sqla.into.filling import Absent, Composed, Filling, Record, Source, Whole
from naked_sqla.into.row_shape import Column, Computed, EntityName, RowShape, Structure
from naked_sqla.into.targets import target_of

__all__ = ("Candidates", "Claim", "Matcher", "holds", "match")


def match(cls: Any, row_shape: RowShape, validate: bool = True) -> Record:
    """Decide how a class is filled from the rows of a statement.

    :raises RowMismatch: they do not fit; the message names both sides.
    """
    if isinstance(cls, Form):
        found: Record = cls.matcher(Matcher)(row_shape, validate).root(cls.cls)
        return found
    return Matcher(row_shape, validate).root(cls)


@dataclass(slots=True)
class Claim:
    """An entity or bundle that a field takes; ``target`` is None for the naked object itself."""

    structure: Structure
    target: Target | None
    optional: bool
    below: dict[str, Claim] = field(default_factory=dict)


@dataclass(slots=True)
class Candidates:
    """Everything that may fill the fields of one class."""

    target: Target
    about: str
    nested: dict[str, Claim]
    columns: list[Column]
    computed: list[Computed]
    left: list[Structure]


class Matcher:
    """One class and one statement."""

    def __init__(self, row_shape: RowShape, validate: bool) -> None:
        self.row_shape = row_shape
        self.validate = validate
        self.free: list[Structure] = []
        self.about = ""

    def target_of(self, cls: Any) -> Target:
        return target_of(cls, self.validate)

    def root(self, cls: Any) -> Record:
        target = self.target_of(cls)
        columns = [item for item in self.row_shape.items if isinstance(item, Column)]
        structures = [item for item in self.row_shape.items if isinstance(item, Structure)]
        alone = structures[0] if len(self.row_shape.items) == 1 and structures else None
        nested = self.claims(target, structures, _any_name, alone)
        self.free = [item for item in structures if item not in _taken(nested)]
        # relationships loaded with an entity that spreads may fill fields of the class too
        loaded = [below for item in self.free for below in item.below]
        nested = self.claims(target, loaded, _any_name) | nested
        for claim in nested.values():
            self.nest(claim)
        candidates = Candidates(target, self.about, nested, columns, [], [])
        self.spread(candidates, self.free)
        return self.record(candidates)

    # -- which field takes which entity

    def claims(
        self,
        target: Target,
        structures: Iterable[Structure],
        may: Callable[[EntityName, Structure], bool],
        alone: Structure | None = None,
    ) -> dict[str, Claim]:
        """The fields that take an entity or a bundle, by name."""
        wanted: dict[str, list[tuple[int, Claim]]] = {}
        for structure in structures:
            for own in structure.names:
                found = self.taker(target, structure, own) if may(own, structure) else None
                if found is not None and not (structure is alone and _has(structure, own.name)):
                    name, nested = found
                    wanted.setdefault(name, []).append((own.rank, nested))
                    break
        chosen = {}
        for name, claims in wanted.items():
            best = min(rank for rank, _ in claims)
            first, *others = [nested for rank, nested in claims if rank == best]
            if others:
                both = [first.structure.shown, *(other.structure.shown for other in others)]
                raise RowMismatch(mismatch.two_entities(target, name, both))
            chosen[name] = first
        return chosen

    def taker(
        self, target: Target, structure: Structure, own: EntityName
    ) -> tuple[str, Claim] | None:
        """The field of a name, if it can hold an entity."""
        for wanted in target.named(own.name):
            allowed = alternatives(wanted.annotation)
            if any(holds(choice, structure) for choice in allowed.types):
                return wanted.name, Claim(structure, None, allowed.none)
            fillable = [choice for choice in allowed.types if is_fillable(choice)]
            if len(fillable) > 1:
                raise RowMismatch(mismatch.several_types(target, wanted, structure.shown))
            if fillable:
                inner = self.target_of(fillable[0])
                return wanted.name, Claim(structure, inner, allowed.none)
        return None

    def nest(self, nested: Claim) -> None:
        """Let a nested object's own fields take entities that are reached from its entity."""
        if nested.target is None:
            return
        structure = nested.structure

        def reached(own: EntityName, item: Structure) -> bool:
            return item in structure.below or (
                own.parent is not None and own.parent is structure.entity
            )

        nested.below = self.claims(nested.target, [*structure.below, *self.free], reached)
        for claim in nested.below.values():
            if claim.structure in self.free:
                self.free.remove(claim.structure)
        for claim in nested.below.values():
            self.nest(claim)

    def spread(self, candidates: Candidates, structures: Sequence[Structure]) -> None:
        """Let the columns of entities without a field of their own fill fields of this class."""
        for structure in structures:
            if not structure.spreads:
                candidates.left.append(structure)
                continue
            candidates.columns += structure.columns
            candidates.computed += structure.computed
            taken = _taken(candidates.nested)
            self.spread(candidates, [below for below in structure.below if below not in taken])

    # -- the source of each field

    def record(self, candidates: Candidates) -> Record:
        target = candidates.target
        fillings: list[Filling] = []
        used: set[int] = set()
        missing: list[Field] = []
        by_field = self.columns_by_field(candidates)
        for wanted in target.fields:
            columns = by_field.get(wanted.name, [])
            computed = [item for item in candidates.computed if item.name in wanted.names]
            nested = candidates.nested.get(wanted.name)
            self.refuse_two(candidates, wanted, columns, computed, nested)
            used.update(map(id, columns))
            if nested is not None:
                fillings.append(Filling(wanted, self.nested(candidates, wanted, nested)))
            elif columns:
                fillings.append(Filling(wanted, self.column(target, wanted, columns[0])))
            elif computed:
                made = computed[0]
                fillings.append(Filling(wanted, Composed(made.build, made.cells)))
                used.update(id(c) for c in candidates.columns if c.cell in made.cells)
            elif wanted.required:
                missing.append(wanted)
        left = [
            column
            for column in candidates.columns
            if id(column) not in used
            and not column.implied
            and target.quiet.isdisjoint(column.names)
        ]
        extra = self.extra(target, left) if target.extras == "take" else ()
        strange: list[Column | Structure] = []
        if target.extras == "refuse":
            strange += left
        if target.extras != "ignore":
            strange += candidates.left
        if missing or strange:
            raise RowMismatch(
                mismatch.misfit(target, candidates.about, self.row_shape, missing, strange)
            )
        full = len(fillings) == len(target.fields)
        style = target.style if full or target.style not in _NEEDS_ALL else Style.CALL
        return Record(target, style, tuple(fillings), extra)

    def column(self, target: Target, wanted: Field, column: Column) -> Source:
        return column.cell or Absent()

    def whole(self, structure: Structure, absent: str | None) -> Source:
        return Whole(structure.item, absent)

    def columns_by_field(self, candidates: Candidates) -> dict[str, list[Column]]:
        found: dict[str, list[Column]] = {}
        for column in candidates.columns:
            for name in column.names:
                fields = candidates.target.named(name)
                for wanted in fields:
                    found.setdefault(wanted.name, []).append(column)
                if fields:
                    break
        return found

    def refuse_two(
        self,
        candidates: Candidates,
        wanted: Field,
        columns: list[Column],
        computed: list[Computed],
        nested: Claim | None,
    ) -> None:
        cells = {column.cell for column in columns}
        if len(cells) + len(computed) + (nested is not None) > 1:
            shown = [column.shown for column in columns] + [item.name for item in computed]
            if nested is not None:
                shown.append(nested.structure.shown)
            raise RowMismatch(mismatch.two_columns(candidates.target, wanted, shown))

    def extra(self, target: Target, left: list[Column]) -> tuple[Filling, ...]:
        """Columns without a field, for a class that takes any."""
        taken: dict[str, Filling] = {}
        for column in left:
            # the name in the statement: a column of an entity is shown with the entity
            name = column.shown if column.shown in column.names else column.names[0]
            wanted = Field(name, name, (name,))
            if name in taken:
                raise RowMismatch(mismatch.two_columns(target, wanted, [name, column.shown]))
            taken[name] = Filling(wanted, column.cell or Absent())
        return tuple(taken.values())

    def nested(self, candidates: Candidates, wanted: Field, nested: Claim) -> Source:
        structure = nested.structure
        absent = None
        if not nested.optional and structure.identity:
            absent = mismatch.absent(candidates.target, wanted, structure.shown)
        if nested.target is None:
            return self.whole(structure, absent)
        below = Candidates(
            nested.target,
            structure.shown,
            nested.below,
            list(structure.columns),
            list(structure.computed),
            [],
        )
        taken = _taken(nested.below)
        self.spread(below, [item for item in structure.below if item not in taken])
        record = self.record(below)
        return Record(
            record.target,
            record.style,
            record.fillings,
            record.extra,
            structure.identity,
            structure.partial,
            absent,
        )


def _any_name(own: EntityName, structure: Structure) -> bool:
    return True


def _taken(nested: dict[str, Claim]) -> list[Structure]:
    return [claim.structure for claim in nested.values()]


_NEEDS_ALL = (Style.STORE, Style.SLOTS, Style.VARIABLES)


def _has(structure: Structure, name: str) -> bool:
    return any(name in column.names for column in structure.columns) or any(
        computed.name == name for computed in structure.computed
    )


def holds(choice: Any, structure: Structure) -> bool:
    """True when a field of this type takes the whole: a naked object, a bundle's row."""
    if choice is Any or choice is object:
        return True
    if structure.model is None:
        return choice is tuple or get_origin(choice) is tuple
    if not isinstance(choice, type) or typing_extensions.is_typeddict(choice):
        return False
    return typing_extensions.is_protocol(choice) or issubclass(structure.model, choice)
