"""Rows and statements that Hypothesis draws, next to the ORM session."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    func,
    insert,
    inspect,
    literal,
    null,
    select,
    true,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.orm import (
    Bundle,
    aliased,
    defer,
    joinedload,
    lazyload,
    load_only,
    raiseload,
    selectinload,
    with_polymorphic,
)

from .._examples import examples
from ..models.blog import Post, Profile, User
from ..models.columns import Invoice, Pair, Renamed, Segment
from ..models.inheritance import Animal, Person
from ..models.styles import DataPoint
from ..models.types import Colour, Level, Money, Sample
from ..oracle import Oracle, all_rows, unique_rows

# --- rows ---

FIRST_ID = 100

words = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12
) | st.sampled_from(["", "'", '"', "%s", "%(x)s", ":x", "\\", "☃", "𝄞", "\n", "NULL", "{}"])
ints = st.integers(-(2**31), 2**31 - 1)
moments = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give a value, or NULL."""
    return st.none() | strategy


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": maybe(words),
    "unicode": maybe(words),
    "integer": maybe(ints),
    "big": maybe(st.integers(-(2**63), 2**63 - 1)),
    "real": maybe(st.floats(allow_nan=False)),
    "double": maybe(st.floats(allow_nan=False, allow_infinity=False)),
    "boolean": maybe(st.booleans()),
    "number": maybe(st.decimals(-(10**13), 10**13, places=6)),
    "number_float": maybe(st.floats(-1000, 1000).map(lambda value: round(value, 3))),
    "float_decimal": maybe(st.sampled_from([decimal.Decimal("1.5"), decimal.Decimal("-0.25")])),
    "date": maybe(st.dates()),
    "time": maybe(st.times()),
    "moment": maybe(moments),
    "moment_tz": maybe(
        st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC))
    ),
    "interval": maybe(st.timedeltas(dt.timedelta(days=-10000), dt.timedelta(days=10000))),
    "uid": maybe(st.uuids()),
    "uid_text": maybe(st.uuids().map(str)),
    "colour": maybe(st.sampled_from(Colour)),
    "colour_value": maybe(st.sampled_from(Colour)),
    "word": maybe(st.sampled_from(["yes", "no"])),
    "level": maybe(st.sampled_from(Level)),
    "blob": maybe(st.binary(max_size=20)),
    "pickled": maybe(documents),
    "json": st.just(null()) | st.just(JSON.NULL) | documents,
    "json_sql_null": documents,
    "money": maybe(st.integers(-1000, 1000).map(Money)),
    "never_null": maybe(words.map(lambda word: word[:10])),
    "upper": maybe(st.sampled_from(["", "abc", "ÄÖÜ", "MiXed"])),
}


@st.composite
def new_rows(draw: st.DrawFn) -> list[Any]:
    """Draw INSERTs: users who know each other, posts with and without authors, samples."""
    ids = range(FIRST_ID, FIRST_ID + draw(st.integers(0, 3)))
    others = st.none() | st.sampled_from([1, 3, *ids])
    statements: list[Any] = []
    for key in ids:
        statements.append(
            insert(User.__table__).values(
                id=key,
                name=draw(words),
                nickname=draw(maybe(words)),
                age=draw(maybe(ints)),
                boss_id=draw(st.none() | st.sampled_from([1, 2])),
            )
        )
        statements.append(
            insert(Sample.__table__).values(
                id=key, **{name: draw(values) for name, values in VALUES.items()}
            )
        )
    statements.extend(
        insert(Post.__table__).values(
            id=key + 7,
            author_id=draw(others),
            title=draw(words),
            body=draw(maybe(words)),
            written=draw(maybe(moments)),
            stars=draw(ints),
        )
        for key in ids
    )
    return statements


# --- statements ---

SOURCES: list[Callable[[], Any]] = [
    lambda: User,
    lambda: Post,
    lambda: Sample,
    lambda: Segment,
    lambda: Person,
    lambda: Animal,
    lambda: Invoice,
    lambda: DataPoint,
    lambda: Profile,
    lambda: aliased(User),
    lambda: aliased(Post, name="named"),
    lambda: aliased(Sample),
    lambda: aliased(User, select(User).where(User.id != 2).subquery()),
    lambda: aliased(Sample, select(Sample).cte()),
    lambda: aliased(Post, select(Post).order_by(Post.id).limit(3).subquery()),
    lambda: with_polymorphic(Person, "*"),
    lambda: with_polymorphic(Animal, "*", aliased=True),
    lambda: aliased(Segment),
    lambda: Renamed,
    lambda: Pair,
]


def keys_of(entity: Any) -> list[Any]:
    """Give the primary key attributes of an entity."""
    mapper = inspect(entity).mapper
    return [
        getattr(entity, mapper.get_property_by_column(column).key) for column in mapper.primary_key
    ]


def plain_columns(entity: Any) -> list[Any]:
    """Give the attributes of an entity that are columns of its own table."""
    mapper = inspect(entity).mapper
    return [
        getattr(entity, prop.key)
        for prop in mapper.column_attrs
        if prop.columns[0].table is mapper.local_table
    ]


@st.composite
def sources(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    """Draw what a statement selects from: a join of up to three entities, none of them twice."""
    entities = [make() for make in draw(st.lists(st.sampled_from(SOURCES), min_size=1, max_size=3))]
    seen: set[Any] = set()
    chosen = []
    for entity in entities:
        key = entity if isinstance(entity, type) else id(entity)
        if key not in seen:
            seen.add(key)
            chosen.append(entity)
    return chosen[0], chosen


@st.composite
def items(draw: st.DrawFn, entities: list[Any]) -> list[Any]:
    """Draw what a statement selects: entities, columns, expressions, bundles, in any order."""
    pool: list[Any] = []
    for n, entity in enumerate(entities):
        columns = plain_columns(entity)
        some = draw(st.lists(st.sampled_from(columns), min_size=1, max_size=3, unique_by=str))
        pool.extend([entity, entity, *some, some[0].label(f"label_{n}")])
        pool.append(Bundle(f"bundle_{n}", *some))
        pool.extend(getattr(entity, prop.key) for prop in inspect(entity).mapper.composites)
    pool.extend([literal(1).label("one"), null().label("nothing"), func.lower("A").label("low")])
    return draw(st.lists(st.sampled_from(pool), min_size=1, max_size=5))


@st.composite
def options(draw: st.DrawFn, entities: list[Any]) -> list[Any]:
    """Draw loader options for the entities that are selected."""
    found: list[Any] = []
    for entity in entities:
        columns = [column for column in plain_columns(entity) if column.key != "kind"]
        kind = draw(st.sampled_from(["none", "none", "load_only", "defer", "raise", "lazy"]))
        some = draw(st.lists(st.sampled_from(columns), min_size=1, max_size=3, unique_by=str))
        if kind == "load_only":
            found.append(load_only(*some))
        elif kind == "defer":
            found.extend(defer(column) for column in some)
    if draw(st.booleans()):
        found.append(draw(st.sampled_from([raiseload("*"), lazyload("*")])))
    return found


@st.composite
def selects(draw: st.DrawFn) -> Any:
    """Draw a SELECT of entities and columns from joins, with an order that decides."""
    first, entities = draw(sources())
    chosen = draw(items(entities))
    statement = select(*chosen).select_from(first)
    for entity in entities[1:]:
        condition = draw(
            st.sampled_from(
                [
                    keys_of(entity)[0] == keys_of(first)[0],
                    keys_of(entity)[0] == keys_of(first)[0] + 1,
                    true(),
                ]
            )
        )
        statement = statement.join(entity, condition, isouter=draw(st.booleans()))
    if draw(st.booleans()):
        bound = draw(st.sampled_from([0, 1, 3, FIRST_ID]))
        statement = statement.where(keys_of(first)[0] >= bound)
    selected = [entity for entity in entities if any(item is entity for item in chosen)]
    statement = statement.options(*draw(options(selected))) if selected else statement
    order = [key for entity in entities for key in keys_of(entity)]
    if draw(st.booleans()):
        order = [key.desc() for key in order]
    statement = statement.order_by(*order)
    if draw(st.booleans()):
        statement = statement.limit(draw(st.integers(0, 5))).offset(draw(st.integers(0, 3)))
    return statement


READS: list[Callable[[Any], Any]] = [
    all_rows,
    unique_rows,
    lambda result: result.mappings().all(),
    lambda result: list(result.partitions(2)),
]
# What does not show all places that an object of the ORM session was loaded in.
HIDING_READS: list[Callable[[Any], Any]] = [
    lambda result: result.scalars().all(),
    lambda result: result.first(),
]


@given(rows=new_rows(), statement=selects(), read=st.sampled_from(READS + HIDING_READS))
@examples(40)
def test_selects(oracle: Oracle, rows: list[Any], statement: Any, read: Any) -> None:
    if read in HIDING_READS:
        oracle.compare(statement, before=rows)
    oracle.compare(statement, before=rows, read=read, hidden=read in HIDING_READS)


@given(rows=new_rows(), data=st.data())
@examples(40)
def test_values(oracle: Oracle, rows: list[Any], data: st.DataObject) -> None:
    """Each type's values, as attributes and as columns, from a SELECT and from RETURNING."""
    columns = data.draw(st.lists(st.sampled_from(plain_columns(Sample)), min_size=1, max_size=6))
    oracle.compare(select(Sample, *columns).order_by(Sample.id), before=rows)
    oracle.compare(update(Sample).values(integer=1).returning(Sample), before=rows, ordered=False)


@given(data=st.data())
@examples(40)
def test_inserts(oracle: Oracle, data: st.DataObject) -> None:
    """What is inserted, each row with keys of its own, comes back as it is stored."""
    names = data.draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=8, unique=True))
    count = data.draw(st.integers(1, 3))
    rows = [
        {"id": FIRST_ID + n, **{name: data.draw(VALUES[name]) for name in names}}
        for n in range(count)
    ]
    statement = insert(Sample).returning(Sample, sort_by_parameter_order=True)
    # An SQL expression is no parameter.
    rows = [{k: None if k == "json" else v for k, v in row.items()} for row in rows]
    made = oracle.compare(statement, rows)
    assert [row[0].id for row in made["rows"]] == [row["id"] for row in rows]


EAGER: list[Callable[[], tuple[Any, Any]]] = [
    lambda: (User, selectinload(User.posts)),
    lambda: (User, joinedload(User.posts)),
    lambda: (User, selectinload(User.boss)),
    lambda: (User, joinedload(User.boss)),
    lambda: (User, selectinload(User.staff).selectinload(User.posts)),
    lambda: (User, selectinload(User.posts).selectinload(Post.tags)),
    lambda: (User, joinedload(User.profile)),
    lambda: (Post, selectinload(Post.author)),
    lambda: (Post, joinedload(Post.author).selectinload(User.profile)),
    lambda: (Post, selectinload(Post.tags)),
]


@given(rows=new_rows(), chosen=st.sampled_from(EAGER), data=st.data())
@examples(40)
def test_eager_loading(oracle: Oracle, rows: list[Any], chosen: Any, data: st.DataObject) -> None:
    model, option = chosen()
    statement = select(model).options(option)
    if data.draw(st.booleans()):
        statement = statement.add_columns(model.id)
    if data.draw(st.booleans()):
        statement = statement.limit(data.draw(st.integers(0, 4)))
    key = model.id if data.draw(st.booleans()) else model.id.desc()
    oracle.compare(statement.order_by(key), before=rows, read=unique_rows)


@given(rows=new_rows(), data=st.data())
@examples(40)
def test_compounds(oracle: Oracle, rows: list[Any], data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.sampled_from([0, 1, 3, FIRST_ID]), min_size=1, max_size=3))
    compound = union_all(*(select(User).where(User.id >= bound) for bound in parts))
    for statement in (
        compound,
        select(User).from_statement(compound),
        select(aliased(User, compound.subquery())),
    ):
        oracle.compare(statement, before=rows, ordered=False)


@pytest.mark.parametrize("size", [0, 1, 3])
def test_tuples_of_keys(oracle: Oracle, size: int) -> None:
    found = [(1, "a"), (0, ""), (9, "z")][:size]
    oracle.compare(select(Pair).where(tuple_(Pair.left, Pair.right).in_(found)), ordered=False)
