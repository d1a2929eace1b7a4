"""The result of a statement that is given no row to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from naked_sqla._sqlalchemy import compile_states, dml, statements
from naked_sqla.read.planner import keys_of
from naked_sqla.read.result import Keys, to_result

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result

__all__ = ("empty_result",)


def empty_result(conn: Connection, statement: Any) -> Result[Any]:
    """The result of a DML statement that runs for no parameters at all: its keys, and no rows."""
    if not dml.returning_columns(statement):
        return dml.null_result()
    compiled = statement.compile(dialect=conn.dialect)
    found = compile_states.entity_state(compiled)
    if found is None:
        columns = statements.selected_columns(statement)
        labels = tuple(str(column.key) for column in columns)
        keys = Keys(
            labels, tuple((c,) for c in columns), (None,) * len(labels), (None,) * len(labels)
        )
        return to_result([], keys.metadata(()), scalar=False)
    state, is_dml = found
    keys = keys_of(state)
    metadata = keys.metadata(compile_states.translation_columns(state, statement, is_dml))
    entities = compile_states.entities_of(state)
    return to_result([], metadata, len(entities) == 1 and entities[0].supports_single_entity)
