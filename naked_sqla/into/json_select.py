"""A SELECT whose rows the database itself writes as a JSON array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, Text, case, cast, func, literal_column, select
from sqlalchemy import types as sqltypes
from sqlalchemy.orm import Load

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import statements
from naked_sqla.backends import backend_of
from naked_sqla.into.row_shape import Column, RowShape, Structure
from naked_sqla.read.criteria import criteria_of
from naked_sqla.read.plan import Cell
from naked_sqla.read.statement import check_parameters, refuse_streaming

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.into import Fit

__all__ = ("array_of",)

# types whose values the database writes as Python's are written
_SAME: frozenset[type[Any]] = frozenset(
    (
        sqltypes.Integer,
        sqltypes.BigInteger,
        sqltypes.SmallInteger,
        sqltypes.INTEGER,
        sqltypes.BIGINT,
        sqltypes.SMALLINT,
        sqltypes.String,
        sqltypes.Text,
        sqltypes.Unicode,
        sqltypes.UnicodeText,
        sqltypes.VARCHAR,
        sqltypes.TEXT,
        sqltypes.Boolean,
        sqltypes.BOOLEAN,
        sqltypes.Uuid,
        sqltypes.UUID,
    )
)
_DATES = frozenset((sqltypes.Date, sqltypes.DATE))
_TIMES = frozenset((sqltypes.DateTime, sqltypes.TIMESTAMP, sqltypes.DATETIME))

# written for a date that Python does not have, infinity for one: what a driver makes of it differs
_BEYOND = "<beyond 0001 to 9999>"

# statements and what is written of them: False where the database can't, the statement for the
# array where all that have its form are equal
_known: BoundedCache[Any, Any] = BoundedCache(1000)


def array_of(conn: Connection, statement: Any, parameters: Any, fit: Fit) -> bytes | None:
    """Have the database write the rows of a statement.

    :return: None where it can't write them as they are written here.
    """
    if type(statement) is not Select or not backend_of(conn.dialect).has_json_agg:
        return None
    key = (statements.cache_key_of(statement), fit.record)
    known = _known.get(key)
    if key[0] is None or known is False or criteria_of(conn):
        return None
    array = known if known is not None else _array(statement, fit)
    if array is None:
        _known[key] = False
        return None
    if known is None:
        try:
            array.compile(dialect=conn.dialect)
        except Exception:  # noqa: BLE001 - such as an order by the label of a column
            _known[key] = False
            return None
        if not statements.has_binds(statement):
            _known[key] = array
    for options in (conn.get_execution_options(), statement.get_execution_options()):
        refuse_streaming(options)
    if parameters:
        check_parameters(conn, statement, parameters)
    found: str = conn.execute(array, parameters).scalar_one()
    return None if _BEYOND in found else found.encode()


def _array(statement: Any, fit: Fit) -> Any:
    """The statement for the array, or None."""
    columns = _columns(fit)
    options = statements.options_of(statement)
    if columns is None or not statements.is_plain_select(statement):
        return None
    if not all(isinstance(option, Load) for option in options):
        # criteria do not reach a subquery
        return None
    if options:
        # those for columns are for an entity that is not selected any more
        statement = statements.without_options(statement)
    rows = statement.with_only_columns(*columns, maintain_column_froms=True).subquery("rows")
    array = cast(func.json_agg(rows.table_valued()), Text)
    return select(func.coalesce(array, literal_column("'[]'")))


def _columns(fit: Fit) -> list[Any] | None:
    """The columns of the rows, by their names in JSON; None where one is not known so well."""
    record, row_shape = fit.record, fit.row_shape
    if record is None or row_shape is None or record.extra:
        return None
    known = _by_cell(row_shape)
    found: dict[str, Any] = {}
    for filling in record.fillings:
        name = filling.field.keyword
        column = known.get(filling.source) if isinstance(filling.source, Cell) else None
        written = None if column is None else _written(column.expression)
        if written is None or name in found or not _is_name(name):
            return None
        found[name] = written.label(name)
    return list(found.values()) or None


def _by_cell(row_shape: RowShape) -> dict[Cell, Column]:
    columns: list[Column] = []
    for item in row_shape.items:
        if isinstance(item, Column):
            columns.append(item)
        elif _has_one_table(item):
            columns += item.columns
    return {column.cell: column for column in columns if column.cell is not None}


def _has_one_table(item: Structure) -> bool:
    mapper = item.entity.mapper if item.entity is not None else None
    return mapper is not None and mapper.inherits is None and mapper.polymorphic_on is None


def _is_name(name: str) -> bool:
    # PostgreSQL cuts long names, and compares others as they are
    return name.isascii() and name.isidentifier() and len(name) <= 60


def _written(expression: Any) -> Any:
    """A column as the database writes it in JSON; None where Python writes it otherwise."""
    type_: Any = getattr(expression, "type", None)
    if type(type_) in _SAME and getattr(type_, "as_uuid", True):
        return expression
    if type(type_) in _DATES:
        return _in_range(expression, "date", func.to_json(expression))
    if type(type_) not in _TIMES or type_.timezone:
        return None
    # the database leaves zeros at the end of a fraction out
    whole = func.date_trunc(literal_column("'second'"), expression) == expression
    long = func.to_char(expression, literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US'"""))
    written = case((whole, func.to_json(expression)), else_=func.to_json(long))
    return _in_range(expression, "timestamp", written)


def _in_range(expression: Any, kind: str, written: Any) -> Any:
    """A date that Python has; the mark for any other."""
    first: Any = literal_column(f"{kind} '0001-01-01'")
    last: Any = literal_column(f"{kind} '10000-01-01'")
    has = (expression >= first) & (expression < last)
    beyond = func.to_json(literal_column(f"text '{_BEYOND}'"))
    return case((has, written), (expression.is_not(None), beyond))
