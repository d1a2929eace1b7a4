"""ON CONFLICT DO UPDATE ... WHERE: SQLAlchemy's compiler correlates no subquery in it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import Grouping

__all__ = ("has_lists", "of_existing_row")


class _OfExistingRow(Grouping):  # type: ignore[type-arg]
    """Criteria of the row that is there: their subqueries may refer to it."""

    inherit_cache = True


def of_existing_row(criteria: Any) -> Any:
    """The criteria for the WHERE of an ON CONFLICT DO UPDATE.

    Without it, ``EXISTS (SELECT ... WHERE team.id = users.team_id)`` would look at all users.
    """
    return _OfExistingRow(and_(*criteria))


@compiles(_OfExistingRow)
def _compile(element: Any, compiler: Any, **kw: Any) -> str:
    # as visit_update() has it; the names of its tables have their schema
    table = compiler.stack[-1]["selectable"].table
    known = {"correlate_froms": {table}, "asfrom_froms": {table}}
    compiler.stack.append({**compiler.stack[-1], **known})
    try:
        kw = {name: value for name, value in kw.items() if name != "use_schema"}
        return f"({compiler.process(element.element, **kw)})"
    finally:
        compiler.stack.pop()


def has_lists(criteria: Any) -> bool:
    """True for criteria with a list for an IN, which SQLAlchemy refuses in an executemany."""
    return any(
        getattr(part, "expanding", False) for one in criteria for part in visitors.iterate(one)
    )
