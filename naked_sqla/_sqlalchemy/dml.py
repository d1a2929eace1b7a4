"""INSERT, UPDATE and DELETE, and their results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine.interfaces import BindTyping
from sqlalchemy.sql import schema as _schema
from sqlalchemy.sql.compiler import WARN_LINTING

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import Result
    from sqlalchemy.orm import Mapper


# The annotation by which Session.execute() tells the compiler how an ORM INSERT is meant.
_ORM_INSERT = {"dml_strategy": "orm"}


def subject_mapper(statement: Any) -> Mapper[Any] | None:
    """The mapper of the table that an ORM INSERT, UPDATE or DELETE is about."""
    entity = statement.table._annotations.get("parententity")
    mapper: Mapper[Any] | None = None if entity is None else entity.mapper
    return mapper


def as_orm_insert(statement: Any) -> Any:
    """The INSERT annotated as ``Session.execute()`` does it, so that its RETURNING has entities."""
    return statement._annotate(_ORM_INSERT)


def values_of(statement: Any) -> Iterator[Mapping[Any, Any]]:
    """The dictionaries given to ``values()``, as SQLAlchemy keeps them."""
    if getattr(statement, "_values", None):
        yield statement._values
    for block in getattr(statement, "_multi_values", ()):
        for item in block:
            if isinstance(item, Mapping):
                yield item


def has_where(statement: Any) -> bool:
    """True when ``where()`` was called on an UPDATE or DELETE."""
    return bool(statement._where_criteria)


def has_values(statement: Any) -> bool:
    """True when an INSERT or UPDATE has its values in the statement itself."""
    return bool(
        getattr(statement, "_values", None)
        or getattr(statement, "_multi_values", ())
        or getattr(statement, "_ordered_values", None)
        or getattr(statement, "select", None) is not None
    )


def returning_columns(statement: Any) -> Sequence[Any]:
    """The arguments of ``returning()``."""
    columns: Sequence[Any] = statement._returning
    return columns


def set_rowcount(result: Any, rows: int) -> None:
    """Set ``result.rowcount`` to the number of rows that several statements affected together."""
    result.context._rowcount = rows
    # reading it once has memoized it
    vars(result).pop("rowcount", None)


def has_sane_rowcount(result: Any, sets: int) -> bool:
    """True when the driver tells how many rows this many parameter sets matched together."""
    dialect = result.context.dialect
    return bool(
        dialect.supports_sane_rowcount if sets == 1 else dialect.supports_sane_multi_rowcount
    )


def null_result(affected: int = 0, keys: Sequence[Any] = ()) -> Result[Any]:
    """A result without rows, of no statement or of several.

    :param affected: how many rows were written.
    :param keys: the primary keys of inserted rows.
    """
    from sqlalchemy.engine.cursor import null_dml_result

    result: Any = null_dml_result()
    result.rowcount = affected
    result.inserted_primary_key_rows = list(keys)
    return result  # type: ignore[no-any-return]


def values_by_column(statement: Any) -> Mapping[Any, Any]:
    """The arguments of ``values()``, by column or key, of a statement for a single row."""
    return getattr(statement, "_values", None) or {}


def where_criteria(statement: Any) -> Sequence[Any]:
    """The arguments of ``where()`` of an UPDATE or DELETE."""
    criteria: Sequence[Any] = statement._where_criteria
    return criteria


def has_post_values(statement: Any) -> bool:
    """True for an INSERT with ON CONFLICT, or with another database's form of it."""
    return statement._post_values_clause is not None


def bound_rows(result: Any) -> tuple[Sequence[str], list[tuple[Any, ...]]] | None:
    """The names of bound parameters and the values that the driver got for each row.

    :return: None where the driver takes parameters by name.
    """
    compiled = result.context.compiled
    if not compiled.positional:
        return None
    return compiled.positiontup, result.context.parameters


class Batch:
    """An executemany whose parameters go to the driver in the driver's own form.

    SQLAlchemy makes two dictionaries and a tuple for each row of a batch, which takes longer than
    the driver does.  Events of the cursor, logging and errors are those of any statement.

    :ivar order: the names of the parameters, in the order of a row.
    """

    __slots__ = ("_compiled", "order")

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        names = compiled.positiontup if compiled.positional else compiled.bind_names.values()
        self.order: tuple[str, ...] = tuple(names)

    @classmethod
    def of(cls, conn: Connection, statement: Any, names: Iterable[str]) -> Batch | None:
        """The batch of an UPDATE that has nothing but the named parameters.

        :return: None where somebody listens for statements, or where each row needs SQLAlchemy: for
            a default of the client, names that change, sizes that the driver is told.
        """
        options, dialect = conn.get_execution_options(), conn.dialect
        if (
            conn.dispatch.before_execute
            or conn.dispatch.after_execute
            or options.get("schema_translate_map")
            or dialect.bind_typing is BindTyping.SETINPUTSIZES
        ):
            return None
        # compiled as Connection does it: the cache is shared
        compiled: Any = statement._compile_w_cache(
            dialect,
            compiled_cache=options.get("compiled_cache", conn.engine._compiled_cache),
            column_keys=sorted(names),
            for_executemany=True,
            schema_translate_map=None,
            linting=dialect.compiler_linting | WARN_LINTING,
        )[0]
        plain = not (
            compiled.update_prefetch
            or compiled.post_compile_params
            or compiled.literal_execute_params
            or compiled.escaped_bind_names
        )
        batch = cls(compiled)
        return batch if plain and set(batch.order) == set(names) else None

    def run(self, conn: Connection, rows: list[tuple[Any, ...]]) -> int:
        """Execute it with rows in ``order``; how many rows the database has matched, or -1.

        :raises StatementError: a value can't be converted.
        """
        compiled = self._compiled
        processors = [compiled._bind_processors.get(name) for name in self.order]
        given: Any = rows
        if any(processors):
            columns = zip(*rows, strict=True)
            try:
                converted = [
                    values if convert is None else map(convert, values)
                    for convert, values in zip(processors, columns, strict=True)
                ]
                given = list(zip(*converted, strict=True))
            except Exception as error:  # noqa: BLE001 - it is handed on
                conn._handle_dbapi_exception(error, compiled.string, None, None, None)
        if not compiled.positional:
            given = [dict(zip(self.order, row, strict=True)) for row in given]
        result = conn.exec_driver_sql(
            compiled.string, given, execution_options={"preserve_rowcount": True}
        )
        return result.rowcount


def raise_from_driver(conn: Connection, error: Exception, sql: str) -> None:
    """Raise an error of a driver, or of a value, as SQLAlchemy does for its own statements."""
    adapter: Any = conn.connection.dbapi_connection
    translate = getattr(adapter, "_handle_exception", None)
    translated: BaseException = error
    kind: Any = conn.dialect.loaded_dbapi.Error
    if translate is not None and not isinstance(error, kind):
        try:
            translate(error)
        except Exception as raised:  # noqa: BLE001 - it is looked at below
            translated = raised
    try:
        raise translated
    except Exception as raised:  # noqa: BLE001 - it is handed on
        conn._handle_dbapi_exception(raised, sql, None, None, None)


def looks_at_no_row(default: Any) -> bool:
    """True for a default of the client whose function takes no context, and so knows no row.

    SQLAlchemy wraps such a function into one of its own, which takes the context.
    """
    return getattr(default.arg, "__globals__", None) is vars(_schema)


def has_bind_expression(type_: Any) -> bool:
    """True for a type that stores its values through an SQL expression."""
    return bool(type_._has_bind_expression)


def quoted(name: str) -> str:
    """A name as it stands in SQL that goes to the driver as it is."""
    return '"' + name.replace('"', '""') + '"'


def bound_values(result: Any) -> Sequence[Mapping[str, Any]]:
    """The parameters of a result's statement by name, defaults included, before their types."""
    values: Sequence[Mapping[str, Any]] = result.context.compiled_parameters
    return values
