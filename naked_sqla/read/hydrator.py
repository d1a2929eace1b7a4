"""Plan -> Python source -> function.  Nothing is decided here: the source does what the plan says.

The function gives objects for a plan that is ``scalar``, tuples otherwise.  For a plan with further
statements to run it takes a list for each of them too, and notes there the objects that wait for
it.  Attribute names occur in its source after a dot only.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from naked_sqla.read.plan import (
    Attribute,
    Cell,
    Constant,
    Entity,
    Group,
    Item,
    Joined,
    Plan,
    Polymorphic,
    Value,
)
from naked_sqla.read.polymorphic import refuser, variant_numbers
from naked_sqla.read.printing import Conversion, Printer, compiled

__all__ = ("Hydrate", "hydrator", "source_of")

Hydrate = Callable[..., list[Any]]


def hydrator(plan: Plan) -> Hydrate:
    """The function for a plan.

    :return: takes driver rows of ``plan.width`` columns, gives a list of result rows.  It raises
        :class:`~naked_sqla.exception.ConversionError` for a value its column type can't convert.
    """
    printer = _Printer(plan)
    source = printer.source()
    function: Hydrate = compiled(source, printer.bound, "hydrate", "hydrator", _title(plan))
    return function


def source_of(plan: Plan) -> str:
    """The source that :func:`hydrator` compiles for a plan."""
    return _Printer(plan).source()


def _title(plan: Plan) -> str:
    return ", ".join(item.name for item in plan.items)


class _Printer(Printer):
    """Prints the source of one plan."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.width)
        self.plan = plan
        self._entities: dict[Entity | Polymorphic, str] = {}
        # by the name of an object: those of its key, and of whether no row before had it
        self._known: dict[str, tuple[str, str]] = {}
        self._later = {later: f"found{i}" for i, later in enumerate(plan.later)}

    def source(self) -> str:
        """The module source: one function ``hydrate(rows)``."""
        body: list[str] = []
        results = [self._item(item, body) for item in self.plan.items]
        if self.plan.scalar and self.plan.multiplied:
            body += self._once(results[0])
        else:
            row = results[0] if self.plan.scalar else f"({', '.join(results)},)"
            body.append(f"append({row})")
        return self.function(
            "hydrate",
            ("rows", *self._later.values()),
            f"for {self.row} in rows:",
            body,
            lambda: _conversions(self.plan.items),
        )

    def _once(self, name: str) -> Iterator[str]:
        """Lines for the object of several rows: where they follow each other it is one result.

        The others are left to ``unique()``, which costs more for each row than all of this.
        """
        last = self._local("last", "None")
        yield f"if {name} is not {last} or {name} is None:"
        yield f"    append({name})"
        yield f"    {last} = {name}"

    # -- items

    def _item(self, item: Item, body: list[str]) -> str:
        """Print the lines that build an item; return the expression that stands for it."""
        if isinstance(item, Value):
            return self.cell(item.cell)
        if isinstance(item, Constant):
            return self.bind("constant", item.value) if item.value is not None else "None"
        if isinstance(item, Group):
            parts = [self._item(part, body) for part in item.items]
            return f"{self.bind('bundle', item.build)}(({', '.join(parts)},))"
        # the same entity twice in a row is one object, as in an ORM session
        name = self._entities.get(item)
        if name is None:
            name = self._entities[item] = self.temporary("e")
            body.extend(self._node(item, name))
        return name

    def _node(self, item: Entity | Polymorphic, name: str) -> Iterator[str]:
        if isinstance(item, Entity):
            return self._entity(item, name)
        return self._polymorphic(item, name)

    def _identity(self, cells: tuple[Cell, ...]) -> tuple[list[str], dict[Cell, str]]:
        """Lines that convert the primary key once, and the name of each of its values."""
        lines: list[str] = []
        names: dict[Cell, str] = {}
        for cell in cells:
            names[cell] = self.cell(cell)
            if cell.convert is not None:
                name = self.temporary("k")
                lines.append(f"{name} = {names[cell]}")
                names[cell] = name
        return lines, names

    def _entity(self, entity: Entity, name: str) -> Iterator[str]:
        lines, identity = self._identity(entity.identity)
        yield from lines
        missing = _missing(entity.partial, [identity[cell] for cell in entity.identity])
        yield f"if {missing}:"
        yield f"    {name} = None"
        yield "else:"
        for line in self._present(entity, name, identity):
            yield f"    {line}"

    def _present(self, entity: Entity, name: str, known: dict[Cell, str]) -> Iterator[str]:
        """Lines for an entity that is not None."""
        if not self.plan.unify:
            yield from self._object(entity, name, known)
            for joined in entity.joined:
                target = yield from self._target(joined)
                yield self._store(entity, name, joined.key, target)
            yield from self._after(entity, name)
            return
        identity = [known[cell] for cell in entity.identity]
        key = identity[0] if len(identity) == 1 else f"({', '.join(identity)})"
        if entity.row:
            key = f"repr(({', '.join(map(self.cell, entity.row))},))"
        seen, ident, fresh = self._local("seen", "{}"), self.temporary("i"), self.temporary("f")
        yield f"{ident} = {key}"
        yield f"{name} = {seen}.get({ident})"
        yield f"{fresh} = {name} is None"
        self._known[name] = ident, fresh
        yield f"if {fresh}:"
        adders: dict[str, str] = {}
        for line in self._new(entity, name, known, f"{seen}[{ident}]", ident, adders):
            yield f"    {line}"
        for joined in entity.joined:
            target = yield from self._target(joined)
            if joined.collection is None:
                yield f"if {fresh}:"
                yield f"    {self._store(entity, name, joined.key, target)}"
                continue
            add = f"{adders[joined.key]}[{ident}]({target})"
            yield f"if {target} is not None:"
            for line in self._added(joined, ident, target, add):
                yield f"    {line}"

    def _added(self, joined: Joined, ident: str, target: str, add: str) -> Iterator[str]:
        """Lines that add an object to a collection, which may have it from another row."""
        pairs = self._local("pairs", "set()")
        if isinstance(joined.target, Polymorphic):
            pair = f"({ident}, id({target}))"
            yield f"if {pair} not in {pairs}:"
        else:
            # most are new, and stay in the collection of one parent
            child, fresh = self._known[target]
            pair, first = f"({ident}, {child})", self._local("first", "{}")
            yield f"if {fresh}:"
            yield f"    {first}[{child}] = {ident}"
            yield f"    {add}"
            yield f"elif {first}[{child}] != {ident} and {pair} not in {pairs}:"
        yield f"    {pairs}.add({pair})"
        yield f"    {add}"

    def _new(
        self,
        entity: Entity,
        name: str,
        known: dict[Cell, str],
        seen: str,
        ident: str,
        adders: dict[str, str],
    ) -> Iterator[str]:
        """Lines for an entity that no row before had: the object, and its empty collections."""
        yield from self._object(entity, name, known)
        yield f"{seen} = {name}"
        for joined in entity.joined:
            if joined.collection is not None:
                made = self.temporary("l")
                adders[joined.key] = self._local("adders", "{}")
                yield f"{made} = {self.bind('collection', joined.collection.make)}()"
                yield self._store(entity, name, joined.key, made)
                appender = self.bind("appender", joined.collection.appender)
                yield f"{adders[joined.key]}[{ident}] = {appender}({made})"
        yield from self._after(entity, name)

    def _target(self, joined: Joined) -> Generator[str, None, str]:
        """Print the lines for the target of a joined relationship; return its name."""
        name = self.temporary("e")
        yield from self._node(joined.target, name)
        return name

    def _after(self, entity: Entity, name: str) -> Iterator[str]:
        for later in entity.later:
            yield f"{self._later[later]}.append({name})"
        if entity.reconstructor is not None:
            yield f"{self.bind('reconstruct', entity.reconstructor)}({name})"

    def _local(self, prefix: str, value: str) -> str:
        """A name that is set once, before the first row."""
        name = self.temporary(prefix)
        self.prologue.append(f"{name} = {value}")
        return name

    def _object(self, entity: Entity, name: str, known: dict[Cell, str]) -> Iterator[str]:
        naked = entity.naked
        yield f"{name} = {self.bind('make', naked.make)}()"
        parts = {part for composite in entity.composites for part in composite.parts}
        values: dict[str, str] = {}
        held = None
        if not naked.slots:
            held = self.temporary("a")
            yield f"{held} = {self.bind('variables', naked.variables)}({name})"
        for attribute in entity.attributes:
            value = known.get(attribute.cell) or self.cell(attribute.cell)
            if attribute.coerce is not None:
                value = yield from self._coerced(attribute, value)
            elif attribute.key in parts and attribute.cell.convert is not None:
                kept = self.temporary("v")
                yield f"{kept} = {value}"
                value = kept
            values[attribute.key] = value
            if held is not None:
                yield f"{held}[{attribute.key!r}] = {value}"
            else:
                yield self._store(entity, name, attribute.key, value)
        for composite in entity.composites:
            arguments = ", ".join(values[part] for part in composite.parts)
            built = f"{self.bind('composite', composite.build)}({arguments})"
            # past the descriptor, which would set the columns again
            yield f"{self.bind('set', naked.setter(composite.key))}({name}, {built})"

    def _coerced(self, attribute: Attribute, value: str) -> Generator[str, None, str]:
        name = self.temporary("m")
        coerce = self.bind("coerce", attribute.coerce)
        yield f"{name} = {value}"
        yield f"if {name} is not None:"
        yield f"    {name} = {coerce}({attribute.key!r}, {name})"
        return name

    def _store(self, entity: Entity, name: str, key: str, value: str) -> str:
        # Python folds look-alike letters in source, so other names go by their setter
        if entity.naked.plain and key.isascii() and not keyword.iskeyword(key):
            return f"{name}.{key} = {value}"
        return f"{self.bind('set', entity.naked.setter(key))}({name}, {value})"

    def _polymorphic(self, item: Polymorphic, name: str) -> Iterator[str]:
        lines, identity = self._identity(item.identity)
        yield from lines
        missing = _missing(item.partial, [identity[cell] for cell in item.identity])
        discriminator = self.temporary("d")
        yield f"{discriminator} = {self.cell(item.discriminator)}"
        known = self.bind("variants", variant_numbers(item))
        chosen = self.temporary("n")
        yield f"{chosen} = {known}.get({discriminator}, -1)"
        branch = "if"
        for number, variant in enumerate(item.variants):
            if variant.entity is None:
                continue
            yield f"{branch} {chosen} == {number}:"
            own = {cell: identity[cell] for cell in variant.entity.identity if cell in identity}
            more, rest = self._identity(
                tuple(cell for cell in variant.entity.identity if cell not in own)
            )
            for line in more:
                yield f"    {line}"
            own |= rest
            test = _missing(variant.entity.partial, [own[c] for c in variant.entity.identity])
            yield f"    if {test}:"
            yield f"        {name} = None"
            yield "    else:"
            for line in self._present(variant.entity, name, own):
                yield f"        {line}"
            branch = "elif"
        yield f"{branch} {missing}:"
        yield f"    {name} = None"
        yield "else:"
        refuse = self.bind("refuse", refuser(item))
        key = ", ".join(identity[cell] for cell in item.identity)
        yield f"    {refuse}({discriminator}, ({key},))"


def _missing(partial: bool, names: list[str]) -> str:
    return (" and " if partial else " or ").join(f"{name} is None" for name in names)


def _conversions(items: Iterable[Item], target: str = "row") -> Iterator[Conversion]:
    """Every conversion of a plan: its target, its name, its cell."""
    for item in items:
        if isinstance(item, Value):
            yield target, item.name, item.cell, None
        elif isinstance(item, Group):
            yield from _conversions(item.items, item.name)
        elif isinstance(item, Polymorphic):
            yield item.name, item.column, item.discriminator, None
            for variant in item.variants:
                if variant.entity is not None:
                    yield from _conversions((variant.entity,))
        elif isinstance(item, Entity):
            for attribute in item.attributes:
                yield item.name, attribute.key, attribute.cell, attribute.coerce
            yield from _conversions(joined.target for joined in item.joined)
