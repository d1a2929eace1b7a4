"""Random spellings of keys, on SQLite in memory: what the ORM loads, in each way of loading."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, Integer, String, create_engine, insert, select
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import immediateload, joinedload, selectinload, subqueryload
from sqlalchemy.pool import StaticPool

from naked_sqla import Session

from .._examples import examples
from ..oracle import Comparison
from .test_eager_keys import Kind, attributes, in_orm, models, without_foreign_keys

TYPES: dict[str, Any] = {
    "plain": String(),
    "NOCASE": String(collation="NOCASE"),
    "RTRIM": String(collation="RTRIM"),
    "number": Integer(),
}
words = st.text("aA ", max_size=3) | st.sampled_from(["1", "01", "1.0", "", "é", "É"])
KEYS = {
    "plain": words,
    "NOCASE": words,
    "RTRIM": words,
    "number": st.integers(0, 2),
}
FOLD = {
    "plain": lambda key: key,
    "number": lambda key: key,
    # of ASCII letters only
    "NOCASE": lambda key: key.replace("A", "a"),
    "RTRIM": lambda key: key.rstrip(" "),
}


class Zoo:
    """The classes for one pair of types, with their tables in a database of their own."""

    def __init__(self, key: str, reference: str, named: bool) -> None:
        kind = Kind(TYPES[key], TYPES[reference], (), ())
        tables = models(kind)
        self.kind = kind
        # the mapping may not name the collations that somebody else has given the tables
        self.made = tables if named else models(kind._replace(key=String(), reference=String()))
        self.engine: Engine = create_engine("sqlite://", poolclass=StaticPool)
        without_foreign_keys(tables[0])
        tables[0].metadata.create_all(self.engine)


@pytest.fixture(scope="module")
def zoos() -> Any:
    found: dict[Any, Zoo] = {}
    yield found
    for zoo in found.values():
        zoo.engine.dispose()


SPELLED = ("plain", "NOCASE", "RTRIM")
PAIRS = [(one, other) for one in SPELLED for other in SPELLED]
PAIRS += [("number", "number"), ("number", "plain")]


@st.composite
def stored(draw: st.DrawFn) -> Any:
    """Draw the types of two sides, whether the mapping names them, and the keys of each."""
    key, reference = draw(st.sampled_from(PAIRS))
    named = key == "number" or draw(st.booleans())
    keys = draw(st.lists(KEYS[key], max_size=5, unique_by=FOLD[key]))
    spellings = (
        st.sampled_from(["0", "1", "x"]) if key == "number" != reference else KEYS[reference]
    )
    references = draw(st.lists(st.none() | spellings, max_size=6))
    return key, reference, named, keys, references


@given(drawn=stored(), number=st.integers(0, 3))
@examples(60)
def test_spellings(zoos: dict[Any, Zoo], drawn: Any, number: int) -> None:
    key, reference, named, keys, references = drawn
    zoo = zoos.get(drawn[:3])
    if zoo is None:
        zoo = zoos[drawn[:3]] = Zoo(key, reference, named)
    loader = (selectinload, subqueryload, immediateload, joinedload)[number]
    with zoo.engine.connect() as conn:
        _, owner, thing, tag, tagged, *_ = zoo.made
        for model in (owner, tag):
            if keys:
                conn.execute(insert(model.__table__), [{"code": each} for each in keys])
        for n, each in enumerate(references):
            conn.execute(insert(thing.__table__), {"id": n, "owner_code": each})
            for m, other in enumerate(references[:2]):
                row = {"id": n * 10 + m, "owner_code": each, "tag_code": other}
                conn.execute(insert(tagged), row)
        for attribute, model, order in attributes(zoo.made):
            if attribute.key in ("halves", "pair"):
                continue
            way = in_orm(loader, attribute, True, zoo.kind)
            if loader is subqueryload and not named and key != reference:
                # only the names of the two collations tell that a join compares otherwise
                way = immediateload
            statement = select(model).order_by(*order)
            with OrmSession(conn) as session:
                theirs = session.scalars(statement.options(way(attribute))).unique().all()
                ours = Session(conn).scalars(statement.options(loader(attribute))).unique().all()
                found = list(Comparison(theirs).differences(theirs, ours))
                assert not found, (loader.__name__, str(attribute), found)
                if loader is immediateload:
                    ours = Session(conn).scalars(statement).all()
                    Session(conn).preload(ours, attribute)
                    found = list(Comparison(theirs).differences(theirs, ours))
                    assert not found, ("preload", str(attribute), found)
                session.expunge_all()
        conn.rollback()
