"""Loops that read every attribute, printed from one list of expressions.

The timed loop and the loop that collects the values for comparison come from the same
expressions, so a contender can't be checked on one thing and timed on another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Read = Callable[[Iterable[Any]], Any]


@dataclass(frozen=True)
class Reader:
    """Two loops over the items of a result."""

    touch: Read
    """Read every expression and keep nothing."""

    collect: Read
    """Read every expression and return a list of tuples of plain values."""


def reader(target: str, expressions: Sequence[str]) -> Reader:
    """Return the loops ``for {target} in items`` that evaluate each of the expressions."""
    if not expressions:
        # A shape that returns nothing has nothing to read.
        return Reader(lambda items: None, lambda items: [])
    stores = "".join(f"\n        v{i} = {text}" for i, text in enumerate(expressions))
    source = (
        f"def touch(items):\n    for {target} in items:{stores}\n"
        f"def collect(items):\n    return [({', '.join(expressions)},) for {target} in items]\n"
    )
    return _compiled(source)


def unpacking(width: int) -> Reader:
    """Return loops that unpack each row into ``width`` names."""
    names = ", ".join(f"v{i}" for i in range(width))
    source = (
        f"def touch(items):\n    for {names} in items:\n        pass\n"
        f"def collect(items):\n    return [({names}) for {names} in items]\n"
    )
    return _compiled(source)


def nested(target: str, expressions: Sequence[str], children: str, inner: Sequence[str]) -> Reader:
    """Return loops over items, and over the ``children`` of each, whose ``inner`` are read."""
    outer = "".join(f"\n        v{i} = {text}" for i, text in enumerate(expressions))
    deeper = "".join(f"\n            w{i} = {text}" for i, text in enumerate(inner))
    of_child = f"[({', '.join(inner)},) for child in {children}]"
    source = (
        f"def touch(items):\n    for {target} in items:{outer}\n"
        f"        for child in {children}:{deeper}\n"
        f"def collect(items):\n"
        f"    return [({', '.join(expressions)}, {of_child}) for {target} in items]\n"
    )
    return _compiled(source)


def _compiled(source: str) -> Reader:
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    return Reader(namespace["touch"], namespace["collect"])
