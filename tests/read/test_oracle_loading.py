"""Loading features together: trees of loader options over rows that lead to each other.

Hypothesis draws the rows, and options that nest every way of loading, with criteria, ``of_type()``,
recursion, subclasses and columns left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import insert, inspect, select
from sqlalchemy.orm import (
    aliased,
    immediateload,
    joinedload,
    selectinload,
    subqueryload,
    with_loader_criteria,
    with_polymorphic,
)

from .._examples import examples
from ..models.blog import Comment, Post, Profile, Tag, User, post_tags
from ..models.columns import PairChild
from ..models.inheritance import Engineer, Firm, Manager, Person
from ..models.related import (
    Car,
    City,
    Cook,
    Country,
    Driver,
    Line,
    Member,
    Order,
    Team,
    Worker,
    friends,
    spoken,
)
from ..oracle import Oracle, unique_rows

ROOTS: list[Any] = [
    User,
    Post,
    Tag,
    Comment,
    Profile,
    Member,
    Country,
    City,
    Order,
    Line,
    Team,
    Worker,
    Driver,
    Car,
    Firm,
    Person,
    PairChild,
]
SUBCLASSES: dict[Any, list[Any]] = {
    Worker: [Driver, Cook],
    Person: [Engineer, Manager],
}
OF_KEYS = ("slug", "name", "code", "position")
LOADERS = {
    "selectin": selectinload,
    "subquery": subqueryload,
    "immediate": immediateload,
    "joined": joinedload,
}

# --- rows ---

FIRST = 100


@st.composite
def more_rows(draw: st.DrawFn) -> list[Any]:
    """Draw rows next to those of the zoo, which share what they refer to."""
    statements: list[Any] = []
    new = range(FIRST, FIRST + draw(st.integers(0, 3)))

    def one_of(*keys: Any) -> Any:
        return draw(st.sampled_from([*keys, *new]) if keys or new else st.none())

    def pairs(left: list[int], right: list[int]) -> list[tuple[int, int]]:
        found = st.tuples(st.sampled_from(left), st.sampled_from(right))
        return draw(st.lists(found, max_size=6, unique=True))

    for key in new:
        statements += [
            insert(User.__table__).values(
                id=key, name="n", boss_id=draw(st.sampled_from([None, 1, 2, key]))
            ),
            insert(Tag.__table__).values(id=key, label=f"t{key}"),
            insert(Post.__table__).values(
                id=key,
                title="t",
                stars=draw(st.integers(-1, 6)),
                author_id=draw(st.sampled_from([None, 1, 3, key])),
            ),
            insert(Member.__table__).values(
                id=key,
                name="m",
                parent_id=draw(st.sampled_from([None, 1, 5, 6, *range(FIRST, key)])),
            ),
            insert(City.__table__).values(
                id=key,
                name=f"c{key}",
                country_code=draw(st.sampled_from([None, "AA", "DD"])),
                is_capital=0,
            ),
            insert(Worker.__table__).values(
                id=key, kind="driver", name="w", team_id=draw(st.sampled_from([None, 1, 3]))
            ),
            insert(Driver.__table__).values(id=key, licence=None),
            insert(Car.__table__).values(
                id=key, plate="p", driver_id=draw(st.sampled_from([None, 2, 4, key]))
            ),
            insert(Line.__table__).values(
                id=key,
                position=key,
                order_year=draw(st.sampled_from([None, 2024, 2025])),
                order_number=1,
            ),
        ]
    posts, tags = [2, 4, 5, *new], [1, 2, 3, *new]
    statements += [
        insert(post_tags).values(post_id=post, tag_id=tag) for post, tag in pairs(posts, tags)
    ]
    members = [4, 5, 6, *new]
    statements += [
        insert(friends).values(one=one, other=other) for one, other in pairs(members, members)
    ]
    statements += [
        insert(spoken).values(country="DD", language=language, official=official, rank=language)
        for language, official in draw(
            st.lists(
                st.tuples(st.integers(1, 3), st.integers(0, 1)),
                max_size=3,
                unique_by=lambda pair: pair[0],
            )
        )
    ]
    return statements


# --- options ---


@dataclass
class Tree:
    """What is known while options are drawn.

    :ivar reached: the hierarchies of all entities so far: one that is there twice is met twice.
    :ivar shown: the options, for the reader of a failure.
    """

    reached: list[Any]
    shown: list[str]
    filtered: bool = False


@dataclass
class Step:
    """One relationship and how it is loaded.

    :ivar path: the attribute, with ``of_type()`` or ``and_()``.
    :ivar target: what options below it name.
    :ivar in_orm: the way of the ORM that does the same.
    """

    attribute: Any
    path: Any
    target: Any
    loader: str
    in_orm: str
    recursion: int | None = None

    def options(self) -> tuple[Any, Any]:
        """Give the option for ours and that for the ORM."""
        more = {} if self.recursion is None else {"recursion_depth": self.recursion}
        return LOADERS[self.loader](self.path, **more), LOADERS[self.in_orm](self.path, **more)


def base_of(entity: Any) -> Any:
    return inspect(entity).mapper.base_mapper


def optional_columns(entity: Any) -> list[Any]:
    """Give the attributes that may be left out: keys, and what keys a dictionary, may not."""
    mapper = inspect(entity).mapper
    fixed = {*mapper.primary_key, mapper.polymorphic_on}
    return [
        getattr(entity, prop.key)
        for prop in mapper.column_attrs
        if not fixed & {*prop.columns}
        and prop.columns[0].table is mapper.local_table
        and not is_key(prop)
    ]


def key_attributes(entity: Any) -> list[Any]:
    """Give the attributes that dictionaries and foreign keys go by, which the ORM would load."""
    return [
        getattr(entity, prop.key) for prop in inspect(entity).mapper.column_attrs if is_key(prop)
    ]


def is_key(prop: Any) -> bool:
    # without the foreign key the ORM follows a circle of relationships for ever
    return prop.key in OF_KEYS or bool(getattr(prop.columns[0], "foreign_keys", ()))


def relationships(entity: Any) -> list[Any]:
    return [
        getattr(entity, prop.key)
        for prop in inspect(entity).mapper.relationships
        if prop.lazy == "select"
    ]


@st.composite
def steps(draw: st.DrawFn, attribute: Any, tree: Tree, depth: int) -> Step:
    """Draw how one relationship is loaded."""
    prop = attribute.property
    loader = draw(st.sampled_from(sorted(LOADERS)))
    target: Any = prop.mapper.class_
    step = Step(attribute, attribute, target, loader, loader)
    again = base_of(target) in tree.reached
    if again and loader == "subquery":
        # on the way back the ORM's follows a circle of rows for ever
        loader = step.loader = step.in_orm = "selectin"
    polymorphic = target in SUBCLASSES
    extra = draw(st.sampled_from(["none", "none", "alias", "classes", "and", "recursion"]))
    if extra == "alias" and not polymorphic and loader != "immediate":
        step.target = aliased(target)
        step.path = attribute.of_type(step.target)
    elif extra == "classes" and polymorphic and not again:
        step.target = with_polymorphic(target, SUBCLASSES[target], flat=True)
        step.path = attribute.of_type(step.target)
    elif extra == "and" and not again:
        key, *_ = inspect(target).mapper.primary_key
        if key.type.python_type is int:
            at_least = draw(st.sampled_from([0, 2, FIRST, 2025]))
            column = getattr(target, inspect(target).mapper.get_property_by_column(key).key)
            step.path = attribute.and_(column >= at_least)
            tree.filtered = True
    elif extra == "recursion" and loader == "selectin" and prop.mapper is prop.parent:
        step.recursion = draw(st.integers(1, 3))
        tree.reached.append(base_of(target))
    of_classes = polymorphic or prop.parent.polymorphic_on is not None
    if loader == "immediate" and (depth or of_classes or step.path is not attribute):
        # the ORM's ignores criteria and types, and leaves out relationships of subclasses, and some
        # of those below another
        step.in_orm = "selectin"
    elif loader == "subquery" and depth:
        # below selectinload() the ORM's ignores load_only()
        step.in_orm = "selectin"
    tree.reached.append(base_of(target))
    return step


@st.composite
def branches(draw: st.DrawFn, entity: Any, tree: Tree, depth: int) -> list[tuple[Any, Any]]:
    """Draw the options for one entity: up to two relationships, and what lies below each."""
    found = relationships(entity)
    if not found:
        return []
    number = draw(st.integers(1 if depth == 0 else 0, 2))
    least = min(number, 1)
    chosen = draw(st.lists(st.sampled_from(found), min_size=least, max_size=number, unique_by=str))
    pairs: list[tuple[Any, Any]] = []
    for attribute in chosen:
        again = base_of(attribute.property.mapper) in tree.reached
        step = draw(steps(attribute, tree, depth))
        ours, theirs = step.options()
        tree.shown.append(f"{'.' * depth}{step.loader} {step.path} recursion {step.recursion}")
        columns = optional_columns(step.target)
        if columns and step.recursion is None and not again and draw(st.booleans()):
            some = draw(st.lists(st.sampled_from(columns), min_size=1, max_size=2, unique_by=str))
            left_out = draw(st.sampled_from(["load_only", "defer"]))
            tree.shown.append(f"{'.' * depth} {left_out} {[column.key for column in some]}")
            if left_out == "load_only":
                some += key_attributes(step.target)
            ours, theirs = (leave_out(option, left_out, some) for option in (ours, theirs))
        if depth < 2 and step.recursion is None:
            for mine, its in draw(branches(step.target, tree, depth + 1)):
                ours, theirs = ours.options(mine), theirs.options(its)
        pairs.append((ours, theirs))
    return pairs


def leave_out(option: Any, how: str, columns: list[Any]) -> Any:
    if how == "load_only":
        return option.load_only(*columns)
    for column in columns:
        option = option.defer(column)
    return option


@st.composite
def loads(draw: st.DrawFn) -> tuple[Any, Any, bool, list[str]]:
    """Draw a SELECT with options: for ours, for the ORM, whether rows are met twice, in words."""
    root = draw(st.sampled_from(ROOTS))
    entity = root
    kind = draw(st.sampled_from(["plain", "plain", "plain", "alias", "classes"]))
    if kind == "alias" and root not in SUBCLASSES:
        entity = aliased(root)
    elif kind == "classes" and root in SUBCLASSES:
        entity = with_polymorphic(root, SUBCLASSES[root])
    tree = Tree([base_of(root)], [f"{root.__name__} {kind}"])
    pairs = draw(branches(entity, tree, 0))
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    statement = select(entity)
    keys = [
        getattr(entity, inspect(root).get_property_by_column(column).key)
        for column in inspect(root).primary_key
    ]
    if draw(st.booleans()):
        statement = statement.limit(draw(st.integers(1, 5)))
    if draw(st.booleans()):
        keys = [key.desc() for key in keys]
    again = len(set(tree.reached)) < len(tree.reached)
    if not again and draw(st.integers(0, 2)) == 0:
        filtered = draw(st.sampled_from([Post, Tag, Member, City]))
        criterion = with_loader_criteria(filtered, lambda cls: cls.id != 2)
        ours, theirs = [*ours, criterion], [*theirs, criterion]
        tree.shown.append(f"criteria for {filtered.__name__}")
    # what the ORM has in a collection that two ways lead to is what the first has put there
    assume(not (again and tree.filtered))
    statement = statement.order_by(*keys)
    return statement.options(*ours), statement.options(*theirs), again, tree.shown


@given(rows=more_rows(), load=loads())
@examples(60)
def test_trees(oracle: Oracle, rows: list[Any], load: Any) -> None:
    ours, theirs, again, _ = load
    oracle.compare(ours, orm=theirs, before=rows, read=unique_rows, again=again)
