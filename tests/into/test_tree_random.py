"""``strategy="json"`` on random trees: the objects of the row-by-row way."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import load_only, selectinload, subqueryload
from typing_extensions import TypedDict

from naked_sqla.exception import NotLoadedError, RowMismatch, UnsupportedOption

from .._examples import examples
from ..oracle import Oracle
from ..read.test_oracle_eager import RELATIONSHIPS, keys_of
from .test_nested import columns_of, into

MODELS = {model for model, _ in RELATIONSHIPS.values()}
RELATED: dict[Any, list[Any]] = {}
for _model, _attribute in RELATIONSHIPS.values():
    if _attribute.key not in [each.key for each in RELATED.setdefault(_model, [])]:
        RELATED[_model].append(_attribute)


@st.composite
def trees(draw: Any, model: Any, depth: int = 0) -> tuple[Any, list[Any]]:
    """A class for the objects of a model, and the loader options that fill it."""
    names = columns_of(model)
    taken = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    fields: dict[str, Any] = dict.fromkeys(taken, Any)
    options: list[Any] = []
    if draw(st.booleans()):
        options.append(load_only(*(getattr(model, name) for name in taken)))
    else:
        fields.update(dict.fromkeys(names, Any))
    related = RELATED.get(model, []) if depth < 3 else []
    few = (
        st.lists(st.sampled_from(related), max_size=2, unique_by=lambda each: each.key)
        if related
        else st.just([])
    )
    for attribute in draw(few):
        prop = attribute.property
        below, further = draw(trees(prop.mapper.class_, depth + 1))
        kind: Any = below | None
        if prop.uselist:
            made: Any = (prop.collection_class or list)()
            kind = dict[Any, below] if isinstance(made, dict) else list[below]  # type: ignore[valid-type]
        fields[attribute.key] = kind
        loader = draw(st.sampled_from([selectinload, subqueryload]))
        options.append(loader(attribute).options(*further))
    if depth and draw(st.booleans()):
        return TypedDict(f"Any{model.__name__}", fields), options  # type: ignore[operator]
    return dataclasses.make_dataclass(f"Any{model.__name__}", fields.items()), options


def plain(found: Any) -> Any:
    """Objects as values, lists in one order: relationships without an order have the database's."""
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        found = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    if isinstance(found, dict):
        return {key: plain(each) for key, each in found.items()}
    return sorted(map(plain, found), key=repr) if isinstance(found, list) else found


def told(oracle: Oracle, cls: Any, statement: Any, **options: Any) -> Any:
    """What comes back as values, or the error."""
    try:
        return plain(into(oracle, cls, statement, **options))
    except (NotLoadedError, RowMismatch, UnsupportedOption) as error:
        return error


def test_random_trees(oracle: Oracle) -> None:
    compared = 0

    @examples(15)
    @given(st.data())
    def read(data: Any) -> None:
        nonlocal compared
        model = data.draw(st.sampled_from(sorted(MODELS, key=lambda each: str(each.__name__))))
        cls, options = data.draw(trees(model))
        statement = select(model).order_by(*keys_of(model)).options(*options)
        expected = told(oracle, cls, statement)
        found = told(oracle, cls, statement, strategy="json")
        # row by row an error: a key of a dictionary, or a column of one subclass, is not loaded
        if not isinstance(expected, Exception) and not isinstance(found, UnsupportedOption):
            assert found == expected
            compared += 1

    read()
    assert compared > 3
