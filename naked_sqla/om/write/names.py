"""The attributes that a caller names: ``"name"``, ``User.name``, ``User.__table__.c.name``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.schema import Column

from naked_sqla import _compat
from naked_sqla.exception import InvalidStatement, UnknownAttribute
from naked_sqla.om.write.tables import Written

__all__ = ("names_of_attributes",)


def names_of_attributes(written: Written, names: Any) -> tuple[str, ...]:
    """The column attributes that one name, or several, stand for; a composite stands for its own.

    :raises UnknownAttribute: for what the class does not have.
    :raises InvalidStatement: for what is no name.
    """
    if isinstance(names, str | QueryableAttribute | Column) or not isinstance(names, Iterable):
        names = (names,)
    found: list[str] = []
    for name in names:
        found += _named(written, name)
    return tuple(found)


def _named(written: Written, name: Any) -> Iterable[str]:
    if isinstance(name, str):
        key = name
    elif isinstance(name, QueryableAttribute):
        key = name.key
        model: Any = written.mapper.class_
        owner: Any = name.class_
        if not issubclass(model, owner) and not issubclass(owner, model):
            raise UnknownAttribute(
                f"{name} is no attribute of {written.name}. Name one of {written.name} itself."
            )
    elif isinstance(name, Column):
        # its key may be the name of another attribute
        for attribute, column in written.columns.items():
            if column is name:
                return (attribute,)
        raise UnknownAttribute(
            f"{name} is no column that {written.name} writes. Name an attribute of {written.name}."
        )
    else:
        raise InvalidStatement(
            f"{name!r} names no attribute of {written.name}. Write a name, or an attribute such as "
            f"{written.name}.{written.keys[0]}; several are written one after the other."
        )
    composite = written.composite(key)
    return (written.attribute(key),) if composite is None else _compat.composite_keys(composite)
