"""``strategy="json"``: one statement, and the objects of the row-by-row way."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from naked_sqla.exception import UnsupportedOption

from ..oracle import Oracle
from ..read.test_oracle_eager import RELATIONSHIPS, keys_of
from .test_nested import _plain, into, struct_of

# what a subquery does not give as the row-by-row way does
REFUSED = {
    "dictionary by function": "collection of its own kind",
    "own list class": "collection of its own kind",
    "ordering list": "collection of its own kind",
    "composite key": "collection of its own kind",
    "polymorphic": "hierarchy",
    "of a subclass": "hierarchy",
    "to a subclass": "hierarchy",
    "of a base class": "hierarchy",
    "inherited": "hierarchy",
    "joined base": "hierarchy",
    "with column properties": "an SQL expression",
}


@pytest.mark.parametrize("name", RELATIONSHIPS)
def test_each_relationship(oracle: Oracle, name: str) -> None:
    model, attribute = RELATIONSHIPS[name]
    prop = attribute.property
    child = struct_of(prop.mapper.class_, "Child")
    kind: Any = child | None
    if prop.uselist:
        collection = prop.collection_class
        keyed = collection is not None and isinstance(collection(), dict)
        kind = dict[str, child] if keyed else list[child]  # type: ignore[valid-type]
    parent = struct_of(model, "Parent", [(attribute.key, kind)])
    statement = select(model).order_by(*keys_of(model)).options(selectinload(attribute))
    if name in REFUSED:
        with pytest.raises(UnsupportedOption, match=REFUSED[name]) as refused:
            into(oracle, parent, statement, strategy="json")
        assert "leave strategy out" in str(refused.value)
        return
    expected = into(oracle, parent, statement)
    for _ in range(2):
        with oracle.recorded() as seen:
            found = into(oracle, parent, statement, strategy="json")
        assert len(seen) == 1
        unordered = prop.uselist and not prop.order_by
        assert [_plain(obj, attribute.key, unordered) for obj in found] == [
            _plain(obj, attribute.key, unordered) for obj in expected
        ]
