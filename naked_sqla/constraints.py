"""Which constraint a failed write has violated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    MetaData,
    Table,
    TextClause,
    UniqueConstraint,
)

from naked_sqla._sqlalchemy import mappings
from naked_sqla.backends.violations import Kind, violation_of

__all__ = ("ViolatedConstraint", "constraint_of")

# The table of a statement, as SQLAlchemy writes it.
_TABLE = re.compile(
    r"\s*(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+([\w.]+|\"[^\"]+\")", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ViolatedConstraint:
    """A constraint that a write has violated.

    :ivar kind: ``"unique"`` (also of a primary key), ``"foreign key"``, ``"not null"``, ``"check"``
        or ``"exclusion"``.
    :ivar name: its name in the database; ``None``: neither the database nor the metadata has one.
    :ivar columns: the names of its columns, or the expressions of an index; empty if neither the
        database nor the metadata names them.
    :ivar attributes: the attributes of mapped classes for these columns; the name of the column if
        no class has an attribute for it, or two classes have different ones.
    """

    kind: Kind
    name: str | None
    schema: str | None
    table: str | None
    columns: tuple[str, ...]
    attributes: tuple[str, ...] = ()


def constraint_of(
    error: BaseException, metadata: MetaData | None = None
) -> ViolatedConstraint | None:
    """Return the constraint that an error is about, or ``None`` for any other error.

    :param error: an error of a write, a commit or a driver. The errors behind it are searched too.
    :param metadata: the metadata of the models. It adds the names that SQLite does not report, and
        the columns of checks. The attributes are then those of its own classes.
    """
    seen: Any = None
    for each in _chain(error):
        seen = seen or getattr(each, "statement", None)
        found = violation_of(each)
        if found is not None:
            constraint = ViolatedConstraint(*found)
            if metadata is not None:
                constraint = _completed(constraint, metadata, seen)
            return replace(constraint, attributes=tuple(_attributes(constraint, metadata)))
    return None


def _attributes(constraint: ViolatedConstraint, metadata: MetaData | None) -> Iterator[str]:
    def fits(table: Any) -> bool:
        if metadata is not None and table.metadata is not metadata:
            return False
        return None in (table.schema, constraint.schema) or table.schema == constraint.schema

    for column in constraint.columns:
        found = mappings.attributes_of(constraint.table or "", column, fits)
        yield found.pop() if len(found) == 1 else column


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all behind it: the driver's is in ``orig``, or the cause of that."""
    todo: list[Any] = [error]
    done: set[int] = set()
    while todo:
        each = todo.pop(0)
        if isinstance(each, BaseException) and id(each) not in done:
            done.add(id(each))
            yield each
            todo += (getattr(each, "orig", None), each.__cause__)


def _completed(
    constraint: ViolatedConstraint, metadata: MetaData, statement: str | None
) -> ViolatedConstraint:
    """A constraint with what the metadata knows of it."""
    candidates = [
        (table, *named)
        for table in _tables(constraint, metadata, statement)
        for named in _constraints(table, constraint.kind)
    ]
    for table, name, columns in candidates:
        if constraint.name is not None:
            fits = name == constraint.name
        elif constraint.columns:
            fits = set(columns) == set(constraint.columns)
        else:
            # SQLite says nothing of a foreign key: there may be only one
            fits = len(candidates) == 1
        if fits:
            return replace(
                constraint,
                name=constraint.name or name,
                table=constraint.table or table.name,
                columns=constraint.columns or columns,
            )
    return constraint


def _tables(
    constraint: ViolatedConstraint, metadata: MetaData, statement: str | None
) -> Iterable[Table]:
    name = constraint.table
    if name is None and statement is not None and (found := _TABLE.match(statement)):
        name = found[1].strip('"').rpartition(".")[2]
    return [table for table in metadata.tables.values() if name in (None, table.name)]


def _constraints(table: Table, kind: Kind) -> Iterator[tuple[str | None, tuple[str, ...]]]:
    """The constraints of a kind: names and columns."""
    found: list[Any] = []
    if kind == "unique":
        found += (table.primary_key, *(index for index in table.indexes if index.unique))
    of = _CLASSES.get(kind)
    found += [each for each in table.constraints if of is not None and isinstance(each, of)]
    for each in found:
        columns = _checked_columns(each) if kind == "check" else each.columns
        name = str(each.name) if isinstance(each.name, str) else None
        yield name, tuple(column.name for column in columns)


_CLASSES: dict[str, Any] = {
    "unique": UniqueConstraint,
    "foreign key": ForeignKeyConstraint,
    "check": CheckConstraint,
}


def _checked_columns(check: Any) -> list[Any]:
    """The columns of a check; those whose names its text has, where it is a text."""
    if not isinstance(check.sqltext, TextClause):
        return list(check.columns)
    words = set(re.findall(r"\w+", str(check.sqltext)))
    return [column for column in check.table.columns if column.name in words]
