"""The base of immutable values with named fields."""

from __future__ import annotations

import copy
import dataclasses
import pprint
import sys
from typing import Any

import pytest

from naked_sqla._frozen import Frozen


class Point(Frozen):
    x: int
    y: int = 0


def test_other_fields() -> None:
    point = Point(1)
    assert point._replace(y=2) == Point(1, 2)
    assert point._replace() == point
    with pytest.raises(TypeError, match="Point takes x, y"):
        point._replace(z=3)
    if sys.version_info >= (3, 13):
        assert copy.replace(point, y=2) == Point(1, 2)


@pytest.mark.parametrize("function", [dataclasses.replace, dataclasses.asdict])
def test_it_is_no_dataclass(function: Any) -> None:
    """Type checkers take it for one; the error names what to write."""
    with pytest.raises(TypeError, match=r"Point is no dataclass.*value\._replace\(field=\.\.\.\)"):
        function(Point(1))
    assert not dataclasses.is_dataclass(Point)
    assert not dataclasses.is_dataclass(Point(1))
    assert pprint.pformat(Point(1)) == repr(Point(1)) == "Point(x=1, y=0)"
    with pytest.raises(AttributeError, match="'Point' has no attribute 'z'"):
        Point.z  # type: ignore[attr-defined] # noqa: B018
