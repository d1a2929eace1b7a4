"""Orders by expressions that are NULL for rows whose columns are not: no page may leave these out.

SQLite has no NaN, and its math functions give NULL for what is no number; PostgreSQL has NULLIF,
ranges without an end, JSON null, and GROUP BY ROLLUP.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Date,
    DateTime,
    Double,
    Integer,
    Numeric,
    Select,
    String,
    TryCast,
    case,
    cast,
    func,
    insert,
    literal,
    nulls_first,
    nulls_last,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB, Range
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column
from sqlalchemy.types import TypeDecorator

from naked_sqla import AsyncSession, InvalidStatement
from naked_sqla.pages.order import ordered

from .._examples import examples
from ..oracle import Oracle
from ..pages.test_keyset_oracle import check


class Base(DeclarativeBase):
    pass


class Odd(Base):
    """No column has a NULL."""

    __tablename__ = "odd_values"

    id: Mapped[int] = mapped_column(primary_key=True)
    real: Mapped[float] = mapped_column(Double)
    whole: Mapped[int]
    text: Mapped[str]


INF = math.inf
VALUES: list[tuple[float, int, str]] = [
    (1.5, 1, "a"),
    (INF, 0, ""),
    (-INF, 2, "Abc"),
    (0.0, -1, "12"),
    (1e308, 3, " x "),
    (-1e308, 0, "nan"),
    (INF, 5, "1e999"),
    (2.0, 2, "a"),
]


class Ranged(Base):
    __tablename__ = "ranged_values"

    id: Mapped[int] = mapped_column(primary_key=True)
    span: Mapped[Range[int]] = mapped_column(INT4RANGE)
    data: Mapped[Any] = mapped_column(JSONB)


SPANS = [Range(1, 5), Range(None, 3), Range(2, None), Range(empty=True), Range(0, 1)]
DATA: list[Any] = [1, None, 3, None, 2]


@pytest.fixture(scope="module", autouse=True)
def _odd(oracle: Oracle) -> Iterator[None]:
    async def make() -> None:
        async with oracle.engine.begin() as conn:
            await conn.run_sync(Odd.__table__.create)
            rows = [
                {"id": n, "real": real, "whole": whole, "text": text}
                for n, (real, whole, text) in enumerate(VALUES, 1)
            ]
            await conn.execute(insert(Odd), rows)
            if oracle.postgresql:
                await conn.run_sync(Ranged.__table__.create)
                ranged = [
                    {"id": n, "span": span, "data": data}
                    for n, (span, data) in enumerate(zip(SPANS, DATA, strict=True), 1)
                ]
                await conn.execute(insert(Ranged), ranged)

    async def drop() -> None:
        async with oracle.engine.begin() as conn:
            await conn.run_sync(Base.metadata.drop_all)

    oracle.run(make())
    yield
    oracle.run(drop())


def all_pages(oracle: Oracle, statement: Any, tie: Any = None, per_page: int = 2) -> None:
    ties = () if tie is None else (tie,)
    oracle.naked(lambda session: check(session, statement, statement.order_by(*ties), per_page))


# --- each case that was found ---

EXPRESSIONS: dict[str, Any] = {
    "inf - inf": Odd.real - Odd.real,
    "inf + -inf": Odd.real + -Odd.real,
    "of it": func.abs(Odd.real - Odd.real),
    "negative": -(Odd.real - Odd.real),
    "text of it": cast(Odd.real - Odd.real, String),
    "compared": (Odd.real - Odd.real) > 0,
    "case": case((Odd.whole > 0, Odd.real), else_=Odd.real - Odd.real),
    "case without else": case((Odd.whole > 0, Odd.whole)),
    "nullif": func.nullif(Odd.whole, 0),
    "nan": Odd.whole + literal(math.nan),
}
ON_SQLITE: dict[str, Any] = {
    "cast": cast(Odd.real - Odd.real, Integer),
    "inf * 0": Odd.real * Odd.whole,
    "/ 0": Odd.whole / Odd.whole,
    "// 0": 7 // Odd.whole,
    "% 0": 7 % Odd.whole,
    "ceil of text": func.ceil(Odd.text),
    "ceiling of text": func.ceiling(Odd.text),
    "sqrt": func.sqrt(Odd.real),
    "log": func.log(Odd.whole),
    "date": func.date(Odd.text),
    "max": func.max(Odd.whole, func.nullif(Odd.whole, 0)),
    "json": func.json_extract(literal('{"a": null}'), literal("$.a")) + Odd.whole,
}


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("name", [*EXPRESSIONS, *ON_SQLITE])
def test_expressions_that_are_null(oracle: Oracle, name: str, down: bool) -> None:
    if name in ON_SQLITE and oracle.postgresql:
        # an error there, or no such function
        return
    expression = {**EXPRESSIONS, **ON_SQLITE}[name]
    order, tie = (expression.desc(), Odd.id.desc()) if down else (expression, Odd.id)
    try:
        all_pages(oracle, select(Odd.id).order_by(order), tie)
        all_pages(oracle, select(Odd.id).order_by(Odd.whole, order), tie)
    except OperationalError as error:
        # SQLite may be built without math functions
        assert "no such function" in str(error)  # noqa: PT017 - of the database, not the test


def test_ranges_without_an_end(oracle: Oracle) -> None:
    if not oracle.postgresql:
        return
    for expression in (func.lower(Ranged.span), func.upper(Ranged.span)):
        all_pages(oracle, select(Ranged.id).order_by(expression), Ranged.id)
        all_pages(oracle, select(Ranged.id).order_by(expression.desc()), Ranged.id.desc())


def test_json_null(oracle: Oracle) -> None:
    if not oracle.postgresql:
        return
    expression = cast(Ranged.data, Integer)
    try:
        all_pages(oracle, select(Ranged.id).order_by(expression), Ranged.id)
    except DBAPIError as error:
        # before PostgreSQL 18 it is no number
        assert "jsonb null" in str(error)  # noqa: PT017 - as above


def test_rollup(oracle: Oracle) -> None:
    """Its rows have NULLs for columns that have none."""
    if not oracle.postgresql:
        return
    rolled = select(Odd.whole, func.count().label("n")).group_by(func.rollup(Odd.whole))
    with pytest.raises(InvalidStatement, match="ROLLUP"):
        all_pages(oracle, rolled.order_by(Odd.whole))
    distinct = rolled.distinct().subquery()
    all_pages(oracle, select(distinct).order_by(distinct.c.whole), distinct.c.n)


def test_subqueries(oracle: Oracle) -> None:
    """What is NULL within is NULL outside."""
    inner = select(Odd.id, (Odd.real - Odd.real).label("x")).subquery()
    all_pages(oracle, select(inner.c.id).order_by(inner.c.x), inner.c.id)
    before = func.lag(Odd.whole).over(order_by=Odd.id).label("before")
    inner = select(Odd.id, before).subquery()
    all_pages(oracle, select(inner.c.id).order_by(inner.c.before), inner.c.id)
    other = aliased(Odd)
    joined = select(Odd.id).outerjoin(other, other.id == Odd.whole)
    all_pages(oracle, joined.order_by(other.whole, other.text), Odd.id)
    all_pages(oracle, joined.order_by(func.lower(other.text).desc()), Odd.id.desc())


def test_a_column_beside_an_aggregate_of_nothing(oracle: Oracle) -> None:
    """SQLite has a row for it, whose columns are NULL."""
    if oracle.postgresql:
        return
    nothing = select(Odd.text, func.count().label("n")).where(Odd.id < 0).distinct().subquery()
    all_pages(oracle, select(Odd.id).join(nothing, nothing.c.n == 0).order_by(nothing.c.text))


# --- what is known to be no NULL, and what is not ---


class Lowered(TypeDecorator[str]):
    """Gives NULL for an empty string."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value or None


KNOWN: dict[str, Any] = {
    "column": Odd.real,
    "lower": func.lower(Odd.text),
    "upper": func.upper(Odd.text),
    "trim": func.trim(Odd.text),
    "length": func.length(func.rtrim(Odd.text)),
    "abs": func.abs(Odd.whole),
    "round": func.round(Odd.real),
    "text": Odd.text + "x" + Odd.text,
    "compared": Odd.real > 1,
    "negative": -Odd.real,
    "is": func.nullif(Odd.whole, 1).is_(None),
    "is not": func.nullif(Odd.whole, 1).is_not(None),
    "coalesce": func.coalesce(Odd.real - Odd.real, 0.0),
    "coalesce text": func.coalesce(func.nullif(Odd.text, "a"), ""),
    "cast": cast(Odd.real, String),
    "cast text": cast(Odd.text, Integer),
    "coerced": type_coerce(Odd.real, Numeric),
    "collated": Odd.text.collate("C"),
    "case": case((Odd.whole > 1, Odd.real), else_=literal(1.5)),
}
UNKNOWN: dict[str, Any] = {
    "sum": Odd.whole + Odd.whole,
    "difference": Odd.whole - 1,
    "product": Odd.real * 2,
    "quotient": Odd.real / 2,
    "remainder": Odd.whole % 2,
    "ceil": func.ceil(Odd.real),
    "floor": func.floor(Odd.real),
    "lower of another type": func.lower(type_coerce(Odd.text, INT4RANGE)),
    "abs of text": func.abs(Odd.text),
    "schema": func.mine.lower(Odd.text),
    "no arguments": func.lower(),
    "sum of all": func.sum(Odd.whole),
    "max": func.max(Odd.whole),
    "try_cast": TryCast(Odd.text, Integer),
    "cast of json": cast(type_coerce(Odd.text, JSONB), Integer),
    "date of text": cast(Odd.text, Date),
    "time of text": cast(Odd.text, DateTime),
    "coalesce of nan": func.coalesce(func.nullif(Odd.whole, 1), literal(math.nan)),
    "coalesce of none": func.coalesce(func.nullif(Odd.whole, 1), literal(None, Integer)),
    "own type": func.coalesce(func.nullif(Odd.text, "a"), literal("", Lowered)),
    "like": Odd.text.like("a"),
    "case": case((Odd.whole > 1, Odd.real)),
    "of unknown": func.length(func.nullif(Odd.text, "a")),
    "subquery": select(Odd.id).where(Odd.id == 1).scalar_subquery(),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_known_to_be_no_null(name: str) -> None:
    """It is asked for by a comparison, which an index does."""
    assert not ordered(select(Odd.id).order_by(KNOWN[name])).keys[0].nullable


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_may_be_null(name: str) -> None:
    assert ordered(select(Odd.id).order_by(UNKNOWN[name])).keys[0].nullable


# --- expressions that Hypothesis draws ---

Numbers = ColumnElement[Any]
directions = st.sampled_from(["asc", "desc"])
nulls = st.sampled_from([None, nulls_first, nulls_last])


def of_two(combine: Any, one: Any, other: Any) -> Any:
    return st.builds(combine, one, other)


COMBINED = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / b,
    lambda a, b: a % b,
    func.nullif,
    func.coalesce,
    lambda a, b: case((a > b, a)),
    lambda a, b: case((a > b, a), else_=b),
    lambda a, b: cast(a > b, Integer),
    lambda a, b: cast(a.is_(b), Integer) if b is None else a - b,
]
CHANGED = [
    lambda a: -a,
    func.abs,
    func.round,
    func.ceil,
    func.floor,
    func.sqrt,
    func.sign,
    lambda a: cast(a, Integer),
    lambda a: cast(a, Double),
    lambda a: func.length(cast(a, String)),
    lambda a: cast(a.is_(None), Integer),
]
TEXTS = [
    func.lower,
    func.upper,
    func.trim,
    func.ltrim,
    func.reverse,
    lambda a: a + "x",
    lambda a: func.nullif(a, "a"),
    lambda a: func.coalesce(func.nullif(a, ""), "none"),
    lambda a: case((a > "a", a)),
    lambda a: func.replace(a, "a", ""),
    lambda a: a.collate("NOCASE"),
    func.date,
    func.unhex,
]
texts = st.recursive(
    st.sampled_from([Odd.text]),
    lambda inner: st.builds(lambda change, a: change(a), st.sampled_from(TEXTS), inner),
    max_leaves=3,
)
numbers = st.recursive(
    st.sampled_from([Odd.real, Odd.whole, Odd.id])
    | st.sampled_from([0, 1, -2, 0.5, 1e308]).map(literal)
    | texts.map(func.length)
    | texts.map(lambda a: cast(a, Double)),
    lambda inner: (
        st.builds(lambda change, a: change(a), st.sampled_from(CHANGED), inner)
        | st.builds(lambda change, a, b: change(a, b), st.sampled_from(COMBINED), inner, inner)
    ),
    max_leaves=5,
)
terms = st.lists(
    st.tuples(numbers | texts, directions, nulls, st.booleans()), min_size=1, max_size=3
)


@examples(60)
@given(order=terms, per_page=st.integers(1, 3))
def test_any_expression(oracle: Oracle, order: Any, per_page: int) -> None:
    elements = []
    columns = []
    for number, (term, direction, place, within) in enumerate(order):
        if within:
            columns.append(term.label(f"x{number}"))
        element = getattr(term, direction)()
        elements.append(element if place is None else place(element))
    statement = select(Odd.id, *columns).order_by(*elements)
    # a parameter is the same in every row, and is left out of a key
    parts = [direction for term, direction, *_ in order if not isinstance(term, BindParameter)]
    tie = getattr(Odd.id, parts[-1] if parts else "asc")()

    async def refused(session: AsyncSession) -> bool:
        try:
            await session.execute(statement)
        except DBAPIError:
            # division by zero, out of range, no such function
            return True
        return False

    if oracle.naked(refused):
        return
    if columns:
        inner = statement.order_by(None).subquery()
        outer: Select[Any] = select(inner.c.id)
        elements = []
        for number, (_, direction, place, within) in enumerate(order):
            if within:
                element = getattr(inner.c[f"x{number}"], direction)()
                elements.append(element if place is None else place(element))
        last = [direction for _, direction, _, within in order if within][-1]
        all_pages(oracle, outer.order_by(*elements), getattr(inner.c.id, last)(), per_page)
    bare = select(Odd.id).order_by(*statement._order_by_clauses)
    all_pages(oracle, bare, tie, per_page)


def test_a_key_that_is_null(oracle: Oracle) -> None:
    """The drawn rows have NULLs for expressions over columns that have none."""

    async def count(session: AsyncSession) -> int:
        statement = select(func.count()).where((Odd.real - Odd.real).is_(None))
        return (await session.scalars(statement)).one()

    assert oracle.naked(count) == (0 if oracle.postgresql else 3)
    assert oracle.naked(lambda session: session.execute(text("SELECT 1")))
