"""Rows as dictionaries: which of them one statement can store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ClauseElement

from naked_sqla.exception import InvalidStatement
from naked_sqla.hiding import shown

__all__ = (
    "Rows",
    "add_parts",
    "has_expressions",
    "have_same_keys",
    "is_dictionaries",
    "runs",
    "types_by_key",
)

Rows = Sequence[Mapping[str, Any]]


def is_dictionaries(parameters: Any) -> bool:
    """True for a dictionary, and for a list of them."""
    if isinstance(parameters, Mapping):
        return True
    if not isinstance(parameters, list | tuple) or parameters == ():
        return False
    return all(issubclass(kind, Mapping) for kind in set(map(type, parameters)))


def have_same_keys(rows: Rows) -> bool:
    """True when some dictionaries have the same keys."""
    return len(set(map(len, rows))) == 1 and len(set().union(*rows)) == len(rows[0])


def types_by_key(rows: Rows) -> dict[str, set[type]] | None:
    """The types of the values of some dictionaries, by key; None when their keys differ."""
    first = rows[0]
    if len(rows) == 1:
        return {key: {type(value)} for key, value in first.items()}
    if len(set(map(len, rows))) != 1:
        return None
    if set(map(type, rows)) != {dict} and any(row.keys() != first.keys() for row in rows):
        # itemgetter() on a defaultdict would make up a missing value
        return None
    try:
        return {key: set(map(type, map(itemgetter(key), rows))) for key in first}
    except KeyError:
        return None


def has_expressions(types: Iterable[type]) -> bool:
    """True when values of one of these types are SQL expressions."""
    return any(issubclass(t, ClauseElement) or hasattr(t, "__clause_element__") for t in types)


def runs(rows: Iterable[Mapping[str, Any]]) -> Iterable[tuple[dict[str, Any], list[Any]]]:
    """Consecutive dictionaries that one statement can store.

    :return: for each statement its SQL expressions, and the rows with plain values.  A row with
        expressions takes a statement of its own.
    """
    for _, group in groupby(rows, key=lambda row: row.keys()):
        same = list(group)
        types = types_by_key(same) or {}
        if not same[0] or not has_expressions(set().union(*types.values())):
            yield {}, same
            continue
        for row in same:
            found = {key: value for key, value in row.items() if has_expressions((type(value),))}
            yield found, [{key: value for key, value in row.items() if key not in found}]


def add_parts(row: dict[str, Any], key: str, parts: Mapping[str, Any], name: str) -> None:
    """Add the values of one key of a caller's dictionary.

    :raises InvalidStatement: another key has given a different value.
    """
    for part, value in parts.items():
        other = row.setdefault(part, value)
        if other is not value and (other == value) is not True:
            raise InvalidStatement(
                f"{name} is given two values for {part!r}: {shown(value)} by {key!r}, and "
                f"{shown(other)} by another key. Give one of them."
            )
