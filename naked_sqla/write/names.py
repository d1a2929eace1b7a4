"""The attributes that a caller names: ``"name"``, ``User.name``, ``User.__table__.c.name``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.schema import Column

from naked_sqla._sqlalchemy import mappings
from naked_sqla.exception import InvalidStatement, UnknownAttribute
from naked_sqla.write.tables import Written

__all__ = ("given_values", "names_of_attributes")


def names_of_attributes(written: Written, names: Any) -> tuple[str, ...]:
    """The column attributes that one name, or several, stand for; a composite stands for its own.

    :raises UnknownAttribute: the class does not have an attribute.
    :raises InvalidStatement: an item is not a name or an attribute.
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
    return (written.attribute(key),) if composite is None else mappings.composite_keys(composite)


def given_values(
    written: Written, ident: Sequence[Any], keywords: dict[str, Any]
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The values of an UPDATE of one row, from a dictionary and from arguments.

    :param ident: the arguments after the class: the key of the row, and the dictionary.
    :return: ``ident`` without the dictionary, and all values by attribute key.
    :raises InvalidStatement: for a value that is given twice.
    """
    row = written.translate(_with_version(written, keywords))
    if len(ident) != 2 or not isinstance(ident[1], Mapping):
        return ident, row
    named = written.translate(_by_names(written, ident[1]))
    twice = [key for key in named if key in row]
    if twice:
        raise InvalidStatement(
            f"update({written.name}, ...): {twice[0]} is given twice, in the dictionary and as an "
            f"argument. Give it once."
        )
    return ident[:1], {**named, **row}


def _by_names(written: Written, values: Mapping[Any, Any]) -> dict[str, Any]:
    """Values by the names of their attributes, where some have the attribute itself as their key.

    :raises UnknownAttribute: for the attribute of another class.
    :raises InvalidStatement: for a key that names no attribute, and for a name that comes twice.
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = key
        if isinstance(key, QueryableAttribute | Column):
            (name, *_) = _named(written, key)
            # a composite stands for several columns, and takes one value
            name = key.key if written.composite(key.key) is not None else name
        elif not isinstance(key, str):
            _named(written, key)
        if name in found:
            raise InvalidStatement(
                f"update({written.name}, ...): {name} is in the dictionary twice. Give it once."
            )
        found[name] = value
    return found


def _with_version(written: Written, values: dict[str, Any]) -> dict[str, Any]:
    """Values that were given as arguments, with ``version`` by the name of its attribute.

    It is the version that the row is expected to have.  In a class without a ``version_id_col``
    it is an attribute like any other.

    :raises InvalidStatement: the class has neither, or both and they are not the same.
    """
    attribute = written.version
    if "version" not in values or attribute == "version":
        return values
    named = "version" in written.names() and (
        written.composite("version") is not None or written.attribute("version") != attribute
    )
    if attribute is None:
        if named:
            return values
        raise InvalidStatement(
            f"update({written.name}, version=...): {written.name} has no version that its row "
            f"could be expected to have. Map one with version_id_col, or leave it out."
        )
    if named:
        raise InvalidStatement(
            f"update({written.name}, version=...): the version of a row is "
            f"{written.name}.{attribute}, and another column is called version. Put either in a "
            f"dictionary: update({written.name}, key, {{{attribute!r}: ...}})."
        )
    if attribute in values:
        raise InvalidStatement(
            f"update({written.name}, ...): {attribute} is given twice, the other time as version. "
            f"Give it once."
        )
    rest = {name: value for name, value in values.items() if name != "version"}
    return {**rest, attribute: values["version"]}
