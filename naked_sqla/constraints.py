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

    :ivar kind: ``"unique"`` (of a primary key too), ``"foreign key"``, ``"not null"``, ``"check"``
        or ``"exclusion"``.
    :ivar name: in the database; ``None`` where it tells none and no metadata has one.
    :ivar columns: the names of the columns, or the expressions of an index; empty where neither
        the database nor metadata tells them.
    :ivar attributes: the attributes that mapped classes have for these columns; the name of the
        column where no class has one, or two have different ones.
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
    """The constraint that an error is about; ``None`` for an error of another kind.

    :param error: what a write, a commit or a driver raised; the errors behind it are looked at too.
    :param metadata: of the models: tells the names that SQLite does not, and the columns of checks;
        the attributes are those of its classes, and not of any in the process.
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
