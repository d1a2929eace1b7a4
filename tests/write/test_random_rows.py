"""Random rows and subsets of keys through the ORM session and through ours: equal tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.orm import Session

from naked_sqla.read import statement as statements
from naked_sqla.write import objects as writing

from .._examples import examples
from ..models.blog import Post, Stamped, Tag, User, Versioned
from ..models.columns import Renamed, Segment
from ..models.inheritance import Cat, Engineer, House
from ..oracle import Oracle
from ._writing import by_unit_of_work, instance_of, outcome

_words = st.none() | st.text(st.characters(min_codepoint=1, exclude_categories=("Cs",)), max_size=8)
_numbers = st.none() | st.integers(-(2**31), 2**31 - 1)

# The attributes of each class that may be there, may be None, or may be left out.
LOOSE: dict[Any, dict[str, Any]] = {
    User: {"nickname": _words, "age": _numbers},
    Post: {"body": _words, "stars": _numbers, "author_id": st.none()},
    Stamped: {"label": _words, "by_client": _words, "by_callable": _numbers, "by_server": _words},
    Renamed: {"a": _words, "b": _words, "klass": _words, "percent": _numbers, "keyed": _words},
    Segment: {"start_x": _numbers, "start_y": _numbers, "low": _numbers, "high": _numbers},
    Versioned: {"name": _words},
    Cat: {"name": _words, "lives": _numbers},
    Engineer: {"language": _words, "note": _words},
    House: {"label": _words, "rooms": _numbers},
}
# What each row needs.
FIRM: dict[Any, dict[str, Any]] = {
    User: {"name": "n"},
    Post: {"title": "t"},
    Engineer: {"name": "n"},
}


@st.composite
def tables(draw: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Draw a class and rows of it; with keys of their own, or with generated ones."""
    model = draw(st.sampled_from(list(LOOSE)))
    keyed = draw(st.booleans())
    rows = []
    for n in range(draw(st.integers(1, 6))):
        row = {**FIRM.get(model, {}), **draw(st.fixed_dictionaries({}, optional=LOOSE[model]))}
        if keyed:
            row["key" if model is Renamed else "id"] = n + 1
        rows.append(row)
    return model, rows


quick = examples(25)


def compared(oracle: Oracle, model: Any, theirs: Any, ours: Any) -> None:
    expected, their_tables = outcome(oracle, model, theirs)
    value, our_tables = outcome(oracle, model, ours)
    assert type(expected) is type(value), f"{expected!r} is not {value!r}"
    assert their_tables == our_tables


@quick
@given(drawn=tables())
def test_objects(oracle: Oracle, drawn: Any) -> None:
    model, rows = drawn

    def ours(conn: Connection) -> None:
        stored = writing.insert_all(conn, [instance_of(model, row) for row in rows])
        for row, obj in zip(rows, stored, strict=True):
            for key, value in row.items():
                assert value is None or vars(obj).get(key, value) == value

    compared(oracle, model, by_unit_of_work(model, rows), ours)


# As many keys, but others, and a None that says nothing.
@example(drawn=(Post, [{"title": "t", "stars": None}, {"title": "t", "body": None}]))
@quick
@given(drawn=tables())
def test_statements(oracle: Oracle, drawn: Any) -> None:
    model, rows = drawn

    def theirs(conn: Connection) -> None:
        with Session(conn) as session:
            session.execute(insert(model), [dict(row) for row in rows])

    def ours(conn: Connection) -> None:
        statements.execute(conn, insert(model), rows)

    compared(oracle, model, theirs, ours)
    compared(oracle, model, theirs, lambda c: writing.insert_all(c, rows, model=model) and None)


@quick
@given(drawn=tables(), changes=st.lists(st.tuples(_words, _numbers), min_size=6, max_size=6))
def test_changes(oracle: Oracle, drawn: Any, changes: Any) -> None:
    """A dirty flush and ``update_all()``; the ORM's bulk UPDATE and ours."""
    model, rows = drawn
    names = {key: 0 for key in LOOSE[model] if LOOSE[model][key] is _words}
    names |= {key: 1 for key in LOOSE[model] if LOOSE[model][key] is _numbers}

    def changed(objects: list[Any]) -> None:
        for obj, change in zip(objects, changes, strict=False):
            for key, kind in names.items():
                setattr(obj, key, change[kind])

    def theirs(conn: Connection) -> None:
        by_unit_of_work(model, rows)(conn)
        with Session(conn) as session:
            changed(list(session.scalars(select(model))))
            session.flush()

    def ours(conn: Connection) -> None:
        by_unit_of_work(model, rows)(conn)
        objects = statements.execute(conn, select(model)).scalars().all()
        changed(objects)
        stored = writing.update_all(conn, objects)
        for obj, new in zip(objects, stored, strict=True):
            for key in names.keys() & vars(new).keys() & vars(obj).keys():
                assert getattr(new, key) == getattr(obj, key)

    if model is not Versioned and not any(None in change for change in changes):
        # an UPDATE of the ORM leaves out what did not change, and onupdate and versions with it
        compared(oracle, model, theirs, ours)


@pytest.mark.parametrize("model", [User, Engineer, House, Tag])
def test_bulk_update(oracle: Oracle, model: Any) -> None:
    loose = {User: "nickname", Engineer: "language", House: "label", Tag: "label"}[model]
    firm = {"name": "n"} if model in (User, Engineer) else {}
    rows = [{"id": i, loose: f"x{i}", **firm} for i in range(1, 6)]
    new = [{"id": i, loose: f"y{i}"} for i in (3, 1, 5)]

    def theirs(conn: Connection) -> None:
        by_unit_of_work(model, rows)(conn)
        with Session(conn) as session:
            session.execute(update(model), new)

    def ours(conn: Connection) -> None:
        by_unit_of_work(model, rows)(conn)
        statements.execute(conn, update(model), new)

    compared(oracle, model, theirs, ours)
