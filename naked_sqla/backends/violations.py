"""What a driver's error tells of the constraint that it is about."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple, TypeAlias

__all__ = ("Kind", "Violation", "violation_of")

Kind: TypeAlias = Literal["unique", "foreign key", "not null", "check", "exclusion"]

_POSTGRESQL: dict[str, Kind] = {
    "23502": "not null",
    "23503": "foreign key",
    "23505": "unique",
    "23514": "check",
    "23P01": "exclusion",
}
# Key (a, lower(b))=(1, x) already exists.  Only the words around it are translated.
_KEY = re.compile(r"\((.+?)\)=\(", re.DOTALL)

_SQLITE: tuple[tuple[str, Kind], ...] = (
    ("UNIQUE constraint failed", "unique"),
    ("NOT NULL constraint failed", "not null"),
    ("CHECK constraint failed", "check"),
    ("FOREIGN KEY constraint failed", "foreign key"),
)


class Violation(NamedTuple):
    """A constraint, as far as the database names it."""

    kind: Kind
    name: str | None = None
    schema: str | None = None
    table: str | None = None
    columns: tuple[str, ...] = ()


def violation_of(error: BaseException) -> Violation | None:
    """The constraint that an error of a driver names; None for any other error."""
    kind = _POSTGRESQL.get(getattr(error, "sqlstate", None) or "")
    # psycopg has the fields of the answer there, asyncpg in the error itself
    fields: Any = getattr(error, "diag", error)
    if kind is not None and hasattr(fields, "constraint_name"):
        return _from_fields(kind, fields)
    for said, kind in _SQLITE:
        message = str(error)
        if type(error).__module__ == "sqlite3" and message.startswith(said):
            return _from_message(kind, message[len(said) :].removeprefix(": "))
    return None


def _from_fields(kind: Kind, fields: Any) -> Violation:
    column = fields.column_name
    columns: tuple[str, ...] = () if column is None else (column,)
    detail = getattr(fields, "message_detail", None) or getattr(fields, "detail", None) or ""
    found = _KEY.search(detail)
    if not columns and found is not None and kind != "check":
        columns = tuple(_unquoted(name) for name in found[1].split(", "))
    return Violation(kind, fields.constraint_name, fields.schema_name, fields.table_name, columns)


def _unquoted(name: str) -> str:
    quoted = name.startswith('"') and name.endswith('"')
    return name[1:-1].replace('""', '"') if quoted else name


def _from_message(kind: Kind, named: str) -> Violation:
    if kind == "check":
        # its name, or its expression where it has none
        return Violation(kind, named or None)
    if kind == "unique" and named.startswith("index '"):
        return Violation(kind, named.removeprefix("index '").removesuffix("'"))
    pairs = [part.rpartition(".") for part in named.split(", ") if part]
    table = pairs[0][0] if pairs else None
    return Violation(kind, None, None, table or None, tuple(column for _, _, column in pairs))
