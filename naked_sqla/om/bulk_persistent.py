"""INSERT, UPDATE, DELETE, and what they return.

Keys of parameters and of ``values()`` are attribute names of the model, or column keys where no
attribute has that name.  A list of dictionaries with different keys runs as several statements, so
that each row gets what its own dictionary said.  As in the ORM session, None for a column that has
a value of its own (a default, a generated key) means that it is not given; the execution option
``render_nulls=True`` makes it NULL, as ``null()`` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, case, select
from sqlalchemy.exc import InvalidRequestError, StatementError

from naked_sqla import _compat
from naked_sqla.exception import InvalidStatement
from naked_sqla.om.loading import empty_result, entity_result, loading_on
from naked_sqla.om.names import Names, names_of
from naked_sqla.om.write.changing import Change, raise_unmatched, update_rows
from naked_sqla.om.write.inserting import insert_into_tables, returns_whole_rows
from naked_sqla.om.write.tables import (
    Rows,
    Written,
    among,
    has_expressions,
    runs,
    written_of,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result
    from sqlalchemy.orm import Mapper

__all__ = ("check_keys", "execute")

# keys in one SELECT of rows that several INSERTs have stored
_CHUNK = 500

# rows in whose values SQL expressions are looked for, in a list of plain ones
_LOOKED_THROUGH = 1000

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
    :raises StaleDataError: an UPDATE by primary key names a row that is gone, or has moved on.
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
        return _run(conn, statement, parameters, execution_options)
    if not parameters and not isinstance(parameters, Mapping):
        return empty_result(conn, statement)
    if mapper is not None and parameters:
        if statement.is_insert and _needs_tables(statement, mapper):
            rows = [parameters] if isinstance(parameters, Mapping) else parameters
            return _insert_into_tables(conn, statement, mapper, rows, execution_options)
        if not isinstance(parameters, Mapping) and _is_by_primary_key(
            statement, mapper, parameters
        ):
            return _update_by_primary_key(conn, statement, mapper, parameters, execution_options)
    if isinstance(parameters, Mapping):
        return _execute_one(conn, statement, names, parameters, execution_options)
    return _execute_many(conn, statement, names, parameters, execution_options)


def check_keys(statement: Any, parameters: Sequence[Mapping[str, Any]]) -> None:
    """Refuse keys that name nothing in an INSERT, UPDATE or DELETE.

    :raises UnknownAttribute: for the first of them.
    """
    names = names_of(statement, _compat.subject_mapper(statement))
    names.translate_groups([[row] for row in parameters])


def _run(conn: Connection, statement: Any, parameters: Any, options: _Options) -> Result[Any]:
    result = conn.execute(statement, parameters, execution_options=options)
    return entity_result(result, statement, loading_on(conn, options))


def _is_dictionaries(parameters: Any) -> bool:
    if isinstance(parameters, Mapping):
        return True
    if not isinstance(parameters, list | tuple) or parameters == ():
        return False
    return all(issubclass(kind, Mapping) for kind in set(map(type, parameters)))


def _groups(rows: Rows) -> list[Rows]:
    """Runs of dictionaries with the same keys."""
    return [list(group) for _, group in groupby(rows, key=_keys)]


def _keys(row: Mapping[str, Any]) -> Any:
    return row.keys()


def _execute_one(
    conn: Connection, statement: Any, names: Names, row: Mapping[str, Any], options: _Options
) -> Result[Any]:
    ((expressions, (given,)),) = _prepared(statement, names, [names.translate(row)], options)
    return _run(conn, _with(statement, names, expressions), given, options)


def _execute_many(
    conn: Connection, statement: Any, names: Names, parameters: Rows, options: _Options
) -> Result[Any]:
    if len(set(map(len, parameters))) == 1:
        try:
            return _execute_groups(conn, statement, names, [parameters], options)
        except _DifferentKeys:
            pass
        except StatementError as error:
            # as many keys, but others: SQLAlchemy found out before anything was executed
            if not _compat.is_missing_bind(error):
                _explain(parameters, error)
                raise
    return _execute_groups(conn, statement, names, _groups(parameters), options)


def _explain(rows: Rows, error: StatementError) -> None:
    """Say what a driver can't: that a value is an SQL expression, too late to be seen."""
    for number, row in enumerate(rows if len(rows) > _LOOKED_THROUGH else ()):
        for key, value in row.items():
            if has_expressions((type(value),)):
                raise InvalidStatement(
                    f"{key!r} is an SQL expression in row {number} of {len(rows)}: in a list this "
                    f"long they are expected from the first row on. Pass such rows by themselves."
                ) from error


def _execute_groups(
    conn: Connection, statement: Any, names: Names, groups: list[Rows], options: _Options
) -> Result[Any]:
    """Run a statement for lists of dictionaries, each with the keys of its first."""
    prepared = [
        run
        for group in names.translate_groups(groups)
        for run in _prepared(statement, names, group, options)
    ]
    results: list[Result[Any]] = []
    affected = 0
    for expressions, rows in prepared:
        run = _with(statement, names, expressions)
        cursor = conn.execute(run, rows, execution_options=options)
        affected = -1 if cursor.rowcount < 0 or affected < 0 else affected + cursor.rowcount
        results.append(entity_result(cursor, run, loading_on(conn, options)))
    last = results[-1]
    if len(results) == 1:
        return last
    if _compat.returning_columns(statement):
        return results[0].merge(*results[1:])
    _compat.set_rowcount(last, affected)
    return last


def _with(statement: Any, names: Names, expressions: Mapping[str, Any]) -> Any:
    """The statement with the SQL expressions of a row."""
    return statement.values(names.by_column(expressions)) if expressions else statement


def _prepared(
    statement: Any, names: Names, rows: Rows, options: _Options
) -> list[tuple[Mapping[str, Any], Rows]]:
    """What runs for some rows with the same keys: SQL expressions apart, None that says nothing
    left out.
    """
    plain = True
    if statement.is_insert and not _renders_nulls(statement, options):
        given = [key for key in names.omitted if key in rows[0]]
        silent = [key for key in given if type(None) in _types_of(rows, key)]
        if silent:
            plain = False
            rows = [
                {k: v for k, v in row.items() if v is not None or k not in silent} for row in rows
            ]
    # looking at each value of a long list would take a tenth of the time of its INSERT
    looked = rows if len(rows) <= _LOOKED_THROUGH else rows[:1]
    if plain and not has_expressions({type(value) for row in looked for value in row.values()}):
        return [({}, rows)]
    return list(runs(rows))


def _types_of(rows: Rows, key: str) -> set[type]:
    """The types of the values of a key that all rows have.

    :raises _DifferentKeys: a row does not have it.
    """
    try:
        return set(map(type, map(itemgetter(key), rows)))
    except KeyError:
        raise _DifferentKeys from None


class _DifferentKeys(Exception):
    """Dictionaries that were taken to have the same keys do not."""


def _renders_nulls(statement: Any, options: _Options) -> bool:
    return bool(
        (options or {}).get("render_nulls") or statement.get_execution_options().get("render_nulls")
    )


# ---------------------------------------------------------------- several tables


def _needs_tables(statement: Any, mapper: Mapper[Any]) -> bool:
    """True for an INSERT that SQLAlchemy can't run, or return rows of, as it stands."""
    written = written_of(mapper)
    if returns_whole_rows(written):
        return False
    return len(written.parts) > 1 or not _compat.has_post_values(statement)


def _insert_into_tables(
    conn: Connection, statement: Any, mapper: Mapper[Any], rows: Rows, options: _Options
) -> Result[Any]:
    """INSERT with parameters for a class whose rows lie in several tables."""
    written = written_of(mapper)
    if _compat.has_post_values(statement):
        tables = ", ".join(str(part.table) for part in written.parts)
        raise InvalidStatement(
            f"insert({written.name}) with ON CONFLICT: a {written.name} is stored in several "
            f"tables ({tables}), and ON CONFLICT decides on one. Insert into each table."
        )
    translated = [written.translate(row) for row in rows]
    values = {
        _attribute(written, key): value
        for key, value in _compat.values_by_column(statement).items()
    }
    nulls = _renders_nulls(statement, options)
    identities = insert_into_tables(conn, written, translated, options, values, nulls)
    if not _compat.returning_columns(statement):
        return _compat.null_result(len(identities), identities)
    results = [
        _run(
            conn, _select_back(statement, written, identities[start : start + _CHUNK]), {}, options
        )
        for start in range(0, len(identities), _CHUNK)
    ]
    return results[0].merge(*results[1:]) if len(results) > 1 else results[0]


def _attribute(written: Written, key: Any) -> str:
    found = None if isinstance(key, str) else _compat.attribute_of(written.mapper, key)
    return written.attribute(getattr(key, "key", key)) if found is None else found


def _select_back(statement: Any, written: Written, identities: Sequence[tuple[Any, ...]]) -> Any:
    """What an INSERT into several tables returns: a SELECT of its rows, in their order."""
    columns = written.mapper.primary_key
    wanted = select(*_compat.returning_columns(statement)).where(among(columns, identities))
    if len(identities) > 1:
        places = [
            (and_(*(c == value for c, value in zip(columns, key, strict=True))), place)
            for place, key in enumerate(identities)
        ]
        wanted = wanted.order_by(case(*places))
    return wanted.options(*_compat.options_of(statement))


# ---------------------------------------------------------------- UPDATE by primary key


def _is_by_primary_key(statement: Any, mapper: Mapper[Any], parameters: Any) -> bool:
    """True for ``update(Model), [{...}, ...]``: which rows is told by the dictionaries."""
    if not statement.is_update or isinstance(parameters, Mapping):
        return False
    if not _compat.has_values(statement) and not _compat.has_where(statement):
        return True
    # with values() or where() a list may also be meant for their bound parameters
    written = written_of(mapper)
    return all(key in parameters[0] for key in written.keys)


def _update_by_primary_key(
    conn: Connection, statement: Any, mapper: Mapper[Any], parameters: Rows, options: _Options
) -> Result[Any]:
    """ORM bulk UPDATE by primary key: each dictionary names its row by the key it holds."""
    written = written_of(mapper)
    if _compat.returning_columns(statement):
        raise InvalidStatement(
            f"update({written.name}) with a list of dictionaries has no rows to return: databases "
            f"run one UPDATE for each. Leave returning() out, or write the UPDATE with where()."
        )
    if _compat.has_several_tables(mapper) or written.version is not None:
        return _update_tables(conn, statement, written, parameters, options)
    criteria = _compat.has_where(statement)
    keys = {str(column.key): f"naked_pk_{i}" for i, column in enumerate(mapper.primary_key)}
    for column in mapper.primary_key:
        statement = statement.where(column == bindparam(keys[str(column.key)], type_=column.type))
    names = names_of(statement, mapper)
    matched = 0
    result: Any = None
    for rows in names.translate_groups(_groups(parameters)):
        group = [{keys.get(key, key): value for key, value in row.items()} for row in rows]
        if any(row.get(key) is None for row in group for key in keys.values()):
            raise InvalidRequestError(
                f"No primary key value supplied for {', '.join(keys)} of {written.name}: an UPDATE "
                f"with a list of dictionaries finds its rows by them."
            )
        for expressions, part in runs(group):
            run = _with(statement, names, expressions)
            result = conn.execute(run, part, execution_options=options)
            sane = _compat.has_sane_rowcount(result, len(part))
            if sane and not criteria and result.rowcount != len(part):
                identities = [tuple(row[key] for key in keys.values()) for row in part]
                raise_unmatched(conn, written, identities)
            matched = -1 if result.rowcount < 0 or matched < 0 else matched + result.rowcount
    _compat.set_rowcount(result, matched)
    return entity_result(result, statement, loading_on(conn, options))


def _update_tables(
    conn: Connection, statement: Any, written: Written, parameters: Rows, options: _Options
) -> Result[Any]:
    """Bulk UPDATE of a class with several tables, or with a version counter."""
    common = {
        _attribute(written, key): value
        for key, value in _compat.values_by_column(statement).items()
    }
    fixed = written.key_attributes()
    changes = []
    for row in map(written.translate, parameters):
        values = {k: v for k, v in row.items() if k not in fixed and k != written.version}
        changes.append(Change(written, row, {**common, **values}))
    criteria = _compat.where_criteria(statement)
    matched = update_rows(conn, written, changes, options, criteria, strict=False)
    return _compat.null_result(matched)
