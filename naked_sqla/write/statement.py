"""INSERT, UPDATE, DELETE, and what they return.

Keys of parameters and of ``values()`` are attribute names of the model, or column keys where no
attribute has that name.  A list of dictionaries with different keys runs as several statements, so
that each row gets the values of its own dictionary.  As in the ORM session, None for a column with
a default or a generated key means "not given"; the execution option ``render_nulls=True`` makes it
NULL, as ``null()`` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, case, select
from sqlalchemy.exc import InvalidRequestError

from naked_sqla._sqlalchemy import dml, mappings, statements
from naked_sqla.exception import InvalidStatement
from naked_sqla.read.fetching import loading_on
from naked_sqla.read.loader import MakeLoader, entity_result
from naked_sqla.write import direct, direct_batches
from naked_sqla.write.changing import Change, update_rows
from naked_sqla.write.empty import empty_result
from naked_sqla.write.finding import bound, class_values, raise_unmatched, within
from naked_sqla.write.inserting import insert_into_tables, returns_whole_rows
from naked_sqla.write.keys import among, chunks
from naked_sqla.write.parameters import Names, Same, groups_of, names_of
from naked_sqla.write.rows import Rows, has_expressions, is_dictionaries, runs
from naked_sqla.write.tables import Written, written_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result
    from sqlalchemy.orm import Mapper

__all__ = ("check_keys", "execute")

_Options = Mapping[str, Any] | None

# SQL expressions, which stand in the statement, and rows with plain values
_Run = tuple[Mapping[str, Any], Rows]


def execute(
    conn: Connection,
    statement: Any,
    parameters: Any,
    execution_options: _Options,
    make_loader: MakeLoader | None = None,
) -> Result[Any]:
    """Run an INSERT, UPDATE or DELETE.

    :param parameters: None, a dictionary, or a list of dictionaries; of an empty list nothing runs.
    :param make_loader: makes what turns the rows of RETURNING into objects.
    :return: the rows of RETURNING, entities as naked objects; without RETURNING SQLAlchemy's
        ``CursorResult``.
    :raises UnknownAttribute: a key names neither an attribute nor a column nor a bound parameter.
    :raises InvalidStatement: the statement can't be run with these parameters as they are meant.
    :raises RowGone: an UPDATE by primary key names a row that is not there.
    :raises VersionConflict: it names one that has another version.
    """
    asked = None
    if make_loader is None and not execution_options:
        taken = direct_batches.run if type(parameters) is list else direct.run
        found = taken(conn, statement, parameters)
        if found is not None:
            return found
        asked = direct.Asked(statement, parameters)
    mapper = dml.subject_mapper(statement)
    names = names_of(statement, mapper)
    names.check_sets(parameters)
    for values in dml.values_of(statement):
        names.check_values(values)
    if mapper is not None or make_loader is not None:
        execution_options = statements.orm_options(execution_options)
        if mapper is not None and statement.is_insert and dml.returning_columns(statement):
            statement = dml.as_orm_insert(statement)
    if not is_dictionaries(parameters):
        # None runs the statement once; SQLAlchemy refuses anything but dictionaries
        return _run(conn, statement, parameters, execution_options, make_loader, asked)
    one = isinstance(parameters, Mapping)
    rows: Rows = [parameters] if one else parameters
    if not rows:
        return empty_result(conn, statement)
    if mapper is not None and parameters and _needs_tables(statement, mapper):
        return _insert_into_tables(conn, statement, mapper, rows, execution_options, make_loader)
    groups = groups_of(rows)
    if mapper is not None and not one and _is_by_primary_key(statement, names, mapper, groups):
        return _update_by_primary_key(
            conn, statement, names, mapper, groups, execution_options, asked is not None
        )
    prepared = [
        run
        for same in [names.translate(same) for same in groups]
        for run in _prepared(statement, names, same, execution_options)
    ]
    ready = [_with(statement, names, *run) for run in prepared]
    if asked is not None:
        same = len(ready) == 1 and ready[0][0] is statement
        sent = names.sent(rows[0], ready[0][1][0]) if same else None
        asked = None if sent is None else asked._replace(sent=sent)
    if one:
        ((written, (given,)),) = ready
        return _run(conn, written, given, execution_options, make_loader, asked)
    return _execute_ready(conn, ready, execution_options, make_loader, asked)


def check_keys(statement: Any, parameters: Sequence[Mapping[str, Any]]) -> None:
    """Refuse keys that name nothing in an INSERT, UPDATE or DELETE.

    :raises UnknownAttribute: for the first of them.
    """
    names = names_of(statement, dml.subject_mapper(statement))
    for same in groups_of(parameters):
        names.translate(same)


def _run(
    conn: Connection,
    statement: Any,
    parameters: Any,
    options: _Options,
    make_loader: MakeLoader | None,
    asked: direct.Asked | None = None,
) -> Result[Any]:
    result = conn.execute(statement, parameters, execution_options=options)
    loading = loading_on(conn, options, parameters)
    loaded = entity_result(result, statement, loading, make_loader)
    if asked is not None:
        direct.remember(conn, asked, result)
    return loaded


def _execute_ready(
    conn: Connection,
    ready: Sequence[tuple[Any, Rows]],
    options: _Options,
    make_loader: MakeLoader | None,
    asked: direct.Asked | None,
) -> Result[Any]:
    """Run a statement in several forms, each with its list of dictionaries."""
    results: list[Result[Any]] = []
    affected = 0
    for statement, rows in ready:
        cursor = conn.execute(statement, rows, execution_options=options)
        affected = -1 if cursor.rowcount < 0 or affected < 0 else affected + cursor.rowcount
        results.append(entity_result(cursor, statement, loading_on(conn, options), make_loader))
        if asked is not None:
            direct_batches.remember(conn, asked, cursor)
    if len(results) == 1:
        return results[0]
    if dml.returning_columns(ready[-1][0]):
        return results[0].merge(*results[1:])
    dml.set_rowcount(results[-1], affected)
    return results[-1]


def _with(
    statement: Any, names: Names, expressions: Mapping[str, Any], rows: Rows
) -> tuple[Any, Rows]:
    """The statement with the SQL expressions of a row, and what is left of some rows.

    A value of a row beats an SQL expression of ``values()``, which Core would take instead.
    """
    own = names.fixed.intersection(rows[0])
    if own:
        named = {key: f"naked_own_{key}" for key in own}
        types = names.by_column(named)
        rows = [{named.get(key, key): value for key, value in row.items()} for row in rows]
        binds = {c: bindparam(name, type_=c.type) for c, name in types.items()}
        statement = statement.values(binds)
    if expressions:
        columns = names.by_column(expressions)
        statement = statement.values(columns)
    return statement, rows


def _prepared(statement: Any, names: Names, same: Same, options: _Options) -> Iterable[_Run]:
    """Rows with the same keys, SQL expressions apart, without a None that means "not given"."""
    silent: list[str] = []
    if statement.is_insert and not _renders_nulls(statement, options):
        silent = [key for key in names.omitted if type(None) in same.types.get(key, ())]
    if silent:
        return runs(
            {k: v for k, v in row.items() if v is not None or k not in silent} for row in same.rows
        )
    if has_expressions(set().union(*same.types.values())):
        return runs(same.rows)
    return [({}, same.rows)]


def _renders_nulls(statement: Any, options: _Options) -> bool:
    return bool(
        (options or {}).get("render_nulls") or statement.get_execution_options().get("render_nulls")
    )


# ---------------------------------------------------------------- several tables


def _needs_tables(statement: Any, mapper: Mapper[Any]) -> bool:
    """True for an INSERT that SQLAlchemy can't run, or can't return the rows of, as it is."""
    written = written_of(mapper)
    if not statement.is_insert or returns_whole_rows(written):
        return False
    return len(written.parts) > 1 or not dml.has_post_values(statement)


def _insert_into_tables(
    conn: Connection,
    statement: Any,
    mapper: Mapper[Any],
    rows: Rows,
    options: _Options,
    make_loader: MakeLoader | None,
) -> Result[Any]:
    """INSERT with parameters for a class whose rows lie in several tables."""
    written = written_of(mapper)
    if dml.has_post_values(statement):
        call = f"insert({written.name}) with ON CONFLICT"
        written.only_part(call, "ON CONFLICT decides on", "Insert into each table.")
    translated = [written.translate(row) for row in rows]
    values = _own_values(statement, written)
    nulls = _renders_nulls(statement, options)
    identities = insert_into_tables(conn, written, translated, options, values, nulls)
    if not dml.returning_columns(statement):
        return dml.null_result(len(identities), identities)
    results = [
        _run(conn, _select_back(statement, written, part), {}, options, make_loader)
        for part in chunks(identities)
    ]
    return results[0].merge(*results[1:]) if len(results) > 1 else results[0]


def _own_values(statement: Any, written: Written) -> dict[str, Any]:
    """The arguments of ``values()``, by attribute."""
    found: dict[str, Any] = {}
    for key, value in dml.values_by_column(statement).items():
        name = None if isinstance(key, str) else mappings.attribute_of(written.mapper, key)
        found[name or written.attribute(getattr(key, "key", key))] = value
    return found


def _select_back(statement: Any, written: Written, identities: Sequence[tuple[Any, ...]]) -> Any:
    """The RETURNING of an INSERT into several tables: a SELECT of its rows, in their order."""
    columns = written.mapper.primary_key
    wanted = select(*dml.returning_columns(statement)).where(among(columns, identities))
    if len(identities) > 1:
        places = [
            (and_(*(c == value for c, value in zip(columns, key, strict=True))), place)
            for place, key in enumerate(identities)
        ]
        wanted = wanted.order_by(case(*places))
    return wanted.options(*statements.options_of(statement))


# ---------------------------------------------------------------- UPDATE by primary key


def _is_by_primary_key(
    statement: Any, names: Names, mapper: Mapper[Any], groups: Sequence[Same]
) -> bool:
    """True for ``update(Model), [{...}, ...]``, whose dictionaries hold the keys of the rows."""
    if not statement.is_update:
        return False
    if not dml.has_values(statement) and not dml.has_where(statement):
        return True
    # with values() or where() a list may also hold values for their bound parameters
    written = written_of(mapper)
    wanted = set(written.keys)
    return any(wanted <= written.named(same.types.keys() - names.bound) for same in groups)


def _update_by_primary_key(
    conn: Connection,
    statement: Any,
    names: Names,
    mapper: Mapper[Any],
    groups: Sequence[Same],
    options: _Options,
    quiet: bool,
) -> Result[Any]:
    """ORM bulk UPDATE by primary key: each dictionary names its row by the key it holds.

    :param quiet: the caller gave no execution options.
    """
    written = written_of(mapper)
    if dml.returning_columns(statement):
        raise InvalidStatement(
            f"update({written.name}) with a list of dictionaries has no rows to return: databases "
            f"run one UPDATE for each. Leave returning() out, or write the UPDATE with where()."
        )
    chosen = class_values(written) is not None
    filtered = bool(within(conn, written).criteria)
    if chosen or filtered or len(mapper.tables) > 1 or written.version is not None:
        rows = [row for same in groups for row in same.rows]
        return _update_tables(conn, statement, written, rows, options)
    criteria = dml.has_where(statement)
    keys = {str(column.key): f"naked_pk_{i}" for i, column in enumerate(mapper.primary_key)}
    statement = statement.where(*bound(mapper.primary_key))
    matched = 0
    result: Any = None
    for same in [names.translate(same) for same in groups]:
        if any(type(None) in same.types.get(key, {type(None)}) for key in keys):
            raise InvalidRequestError(
                f"No primary key value supplied for {', '.join(keys)} of {written.name}: an UPDATE "
                f"with a list of dictionaries finds its rows by them."
            )
        if any(has_expressions(same.types[key]) for key in keys):
            raise InvalidStatement(
                f"update({written.name}) with a list of dictionaries finds rows by the values of "
                f"{', '.join(keys)}, and one is an SQL expression. Write the UPDATE with where()."
            )
        if same.types.keys() <= keys.keys() and not dml.has_values(statement):
            # nothing to store: as in the ORM, no UPDATE
            continue
        for expressions, part in runs(
            [{keys.get(key, key): value for key, value in row.items()} for row in same.rows]
        ):
            run, params = _with(statement, names, expressions, part)
            result = direct_batches.run(conn, run, params) if quiet else None
            if result is None:
                result = conn.execute(run, params, execution_options=options)
                if quiet:
                    direct_batches.remember(conn, direct.Asked(run, params), result)
            sane = dml.has_sane_rowcount(result, len(part))
            if sane and not criteria and result.rowcount != len(part):
                identities = [tuple(row[key] for key in keys.values()) for row in part]
                raise_unmatched(conn, written, identities)
            matched = -1 if result.rowcount < 0 or matched < 0 else matched + result.rowcount
    if result is None:
        return dml.null_result()
    dml.set_rowcount(result, matched)
    return entity_result(result, statement, loading_on(conn, options))


def _update_tables(
    conn: Connection, statement: Any, written: Written, parameters: Rows, options: _Options
) -> Result[Any]:
    """Bulk UPDATE of a class with several tables, a part of one, or with a version counter."""
    common = _own_values(statement, written)
    fixed = written.all_keys
    changes = []
    for row in map(written.translate, parameters):
        values = {k: v for k, v in row.items() if k not in fixed and k != written.version}
        changes.append(Change(written, row, {**common, **values}))
    criteria = dml.where_criteria(statement)
    return dml.null_result(update_rows(conn, written, changes, options, criteria, strict=False))
