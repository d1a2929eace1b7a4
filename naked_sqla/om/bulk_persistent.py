"""INSERT, UPDATE, DELETE, and what they return.

Keys of parameters and of ``values()`` are attribute names of the model, or column keys where no
attribute has that name.  A list of dictionaries with different keys runs as several statements, so
that each row gets what its own dictionary said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm.exc import StaleDataError

from naked_sqla import _compat
from naked_sqla.exception import InvalidStatement
from naked_sqla.om.loading import empty_result, entity_result, loading_on
from naked_sqla.om.names import Names, names_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result
    from sqlalchemy.orm import Mapper

__all__ = ("execute",)

_Options = Mapping[str, Any] | None


def execute(
    conn: Connection, statement: Any, parameters: Any, execution_options: _Options
) -> Result[Any]:
    """Run an INSERT, UPDATE or DELETE.

    :param parameters: None, a dictionary, or a list of dictionaries; of an empty list nothing runs.
    :return: the rows of RETURNING, entities as naked objects; without RETURNING SQLAlchemy's
        ``CursorResult``.
    :raises UnknownAttribute: a key names neither an attribute nor a column nor a bound parameter.
    :raises InvalidStatement: the statement would not do what its parameters say.
    """
    mapper = _compat.subject_mapper(statement)
    names = names_of(statement, mapper)
    for values in _compat.values_of(statement):
        names.check_values(values)
    if mapper is not None:
        execution_options = _compat.orm_options(execution_options)
        if statement.is_insert and _compat.returning_columns(statement):
            statement = _compat.as_orm_insert(statement)
    if not _is_dictionaries(parameters):
        # None runs the statement once; what is no dictionary at all SQLAlchemy refuses
        result = conn.execute(statement, parameters, execution_options=execution_options)
        return entity_result(result, statement, loading_on(conn, execution_options))
    if mapper is not None and parameters:
        _check_tables(statement, mapper)
        if _is_by_primary_key(statement, parameters):
            return _update_by_primary_key(conn, statement, mapper, parameters, execution_options)
    if isinstance(parameters, Mapping):
        parameters = names.translate(parameters)
        result = conn.execute(statement, parameters, execution_options=execution_options)
        return entity_result(result, statement, loading_on(conn, execution_options))
    if not parameters:
        return empty_result(conn, statement)
    return _execute_many(conn, statement, names, parameters, execution_options)


def check_keys(statement: Any, parameters: Sequence[Mapping[str, Any]]) -> None:
    """Refuse keys that name nothing in an INSERT, UPDATE or DELETE.

    :raises UnknownAttribute: for the first of them.
    """
    names = names_of(statement, _compat.subject_mapper(statement))
    names.translate_groups([[row] for row in parameters])


def _is_dictionaries(parameters: Any) -> bool:
    if isinstance(parameters, Mapping):
        return True
    if not isinstance(parameters, list | tuple) or parameters == ():
        return False
    return all(type(item) is dict or isinstance(item, Mapping) for item in parameters)


def _groups(rows: Sequence[Mapping[str, Any]]) -> list[Sequence[Mapping[str, Any]]]:
    """Runs of dictionaries with the same keys."""
    keys = rows[0].keys()
    if all(row.keys() == keys for row in rows):
        return [rows]
    return [list(group) for _, group in groupby(rows, key=_keys)]


def _check_tables(statement: Any, mapper: Mapper[Any]) -> None:
    if statement.is_insert and _compat.has_several_tables(mapper):
        name = mapper.class_.__name__
        tables = ", ".join(str(table) for table in mapper.tables)
        raise InvalidStatement(
            f"insert({name}) with parameters: a {name} is stored in several tables ({tables}), and "
            f"an INSERT writes one. Insert into each table: "
            + ", then ".join(f"insert({table})" for table in mapper.tables)
            + "."
        )


def _execute_many(
    conn: Connection,
    statement: Any,
    names: Names,
    parameters: Sequence[Mapping[str, Any]],
    execution_options: _Options,
) -> Result[Any]:
    results: list[Result[Any]] = []
    affected = 0
    for group in names.translate_groups(_groups(parameters)):
        cursor = conn.execute(statement, group, execution_options=execution_options)
        affected = -1 if cursor.rowcount < 0 or affected < 0 else affected + cursor.rowcount
        results.append(entity_result(cursor, statement, loading_on(conn, execution_options)))
    last = results[-1]
    if len(results) == 1:
        return last
    if _compat.returning_columns(statement):
        return results[0].merge(*results[1:])
    _compat.set_rowcount(last, affected)
    return last


def _is_by_primary_key(statement: Any, parameters: Any) -> bool:
    """True for ``update(Model), [{...}, ...]``: which rows is told by the dictionaries."""
    return (
        statement.is_update
        and not isinstance(parameters, Mapping)
        and not _compat.has_values(statement)
    )


def _update_by_primary_key(
    conn: Connection,
    statement: Any,
    mapper: Mapper[Any],
    parameters: Sequence[Mapping[str, Any]],
    execution_options: _Options,
) -> Result[Any]:
    """ORM bulk UPDATE by primary key: each dictionary names its row by the key it holds."""
    name = mapper.class_.__name__
    if _compat.has_several_tables(mapper) or mapper.version_id_col is not None:
        raise InvalidStatement(
            f"update({name}) with a list of dictionaries: {name} is stored in several tables, or "
            f"has a version counter. Write the UPDATE with where() and values() of bindparam()."
        )
    if _compat.returning_columns(statement):
        raise InvalidStatement(
            f"update({name}) with a list of dictionaries has no rows to return: databases run one "
            f"UPDATE for each. Leave returning() out, or write the UPDATE with where()."
        )
    keys = {str(column.key): f"naked_pk_{i}" for i, column in enumerate(mapper.primary_key)}
    for column in mapper.primary_key:
        statement = statement.where(column == bindparam(keys[str(column.key)], type_=column.type))
    names = names_of(statement, mapper)
    matched = 0
    result: Any = None
    for rows in names.translate_groups(_groups(parameters)):
        group = [{keys.get(key, key): value for key, value in row.items()} for row in rows]
        if not set(keys.values()) <= group[0].keys():
            raise InvalidRequestError(
                f"No primary key value supplied for {', '.join(keys)} of {name}: an UPDATE with a "
                f"list of dictionaries finds its rows by them."
            )
        result = conn.execute(statement, group, execution_options=execution_options)
        if _compat.has_sane_rowcount(result, len(group)) and result.rowcount != len(group):
            raise StaleDataError(
                f"UPDATE statement on table {mapper.local_table} expected to update {len(group)} "
                f"row(s); {result.rowcount} were matched."
            )
        matched += result.rowcount
    _compat.set_rowcount(result, matched)
    return entity_result(result, statement, loading_on(conn, execution_options))


def _keys(row: Mapping[str, Any]) -> Any:
    return row.keys()
