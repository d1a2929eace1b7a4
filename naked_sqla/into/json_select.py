"""A SELECT whose rows the database itself writes as a JSON array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Load, aliased
from sqlalchemy.orm.interfaces import MANYTOONE

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import correlated, statements
from naked_sqla.backends import backend_of
from naked_sqla.backends.documents import BEYOND
from naked_sqla.into.annotations import alternatives
from naked_sqla.into.fields import Field
from naked_sqla.into.filling import Made
from naked_sqla.into.nested_match import Matched
from naked_sqla.into.related_shape import RelatedColumn
from naked_sqla.into.row_shape import Column, RowShape, Structure
from naked_sqla.read.criteria import criteria_of
from naked_sqla.read.keys import are_lenient, compares_columns
from naked_sqla.read.plan import Cell
from naked_sqla.read.statement import check_parameters, refuse_streaming

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.backends.documents import Documents
    from naked_sqla.into import Fit

__all__ = ("array_of",)

# statements and what is written of them: the first of its form as a statement for the array, and
# the keys of its values; False where the database can't write it
_known: BoundedCache[Any, Any] = BoundedCache(1000)


def array_of(conn: Connection, statement: Any, parameters: Any, fit: Fit) -> bytes | None:
    """Have the database write the rows of a statement.

    :return: None where it can't write them as they are written here.
    """
    documents = backend_of(conn.dialect).documents
    if type(statement) is not Select or documents is None:
        return None
    if statement.get_execution_options():
        # they are the statement's own
        return None
    key = (statements.cache_key_of(statement), fit.nested or fit.record, documents)
    known = _known.get(key)
    if key[0] is None or known is False or criteria_of(conn):
        return None
    if known is None:
        known = _known[key] = _checked(conn, _array(documents, statement, fit), statement)
        if known is False:
            return None
    array, keys = known
    refuse_streaming(conn.get_execution_options())
    if parameters:
        check_parameters(conn, statement, parameters)
    values = statements.bound_values(statement, keys)
    found: str = conn.execute(array, {**values, **(parameters or {})}).scalar_one()
    return None if BEYOND in found else found.encode()


def _checked(conn: Connection, array: Any, statement: Any) -> Any:
    """A statement for an array, and the keys of its values; False where it can't be."""
    if array is None:
        return False
    try:
        array.compile(dialect=conn.dialect)
    except Exception:  # noqa: BLE001 - such as an order by the label of a column
        return False
    return array, statements.bound_keys(statement)


def _array(documents: Documents, statement: Any, fit: Fit) -> Any:
    """The statement for the array, or None."""
    columns = _columns(documents, fit)
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
    return select(documents.text(documents.array(rows)))


def _columns(documents: Documents, fit: Fit) -> list[Any] | None:
    """The columns of the rows, by their names in JSON; None where one is not known so well."""
    if fit.nested is not None:
        items = fit.nested.matched.row_shape.items
        only = items[0] if len(items) == 1 and isinstance(items[0], Structure) else None
        if only is None or only.entity is None:
            return None
        return _labelled(documents, fit.nested.matched, only.entity.entity)
    if fit.record is None or fit.row_shape is None:
        return None
    return _labelled(documents, Matched(fit.record, fit.row_shape, {}), None)


def _labelled(
    documents: Documents, matched: Matched, entity: Any, *, below: bool = False
) -> list[Any] | None:
    """The members of the objects that rows fill.

    :param entity: the class, or the alias, that has the relationships among them.
    :param below: it is an alias for a relationship, and has the columns too.
    """
    known = _by_cell(matched.row_shape, below)
    found: dict[str, Any] = {}
    for filling in matched.record.fillings:
        name, written = filling.field.keyword, None
        source = filling.source
        if isinstance(source, Made) and source.cell in matched.below:
            written = _related(documents, *matched.below[source.cell], filling.field, entity)
        elif isinstance(source, Cell) and source in known:
            column = known[source]
            expression = getattr(entity, column.names[0]) if below else column.expression
            written = documents.value(expression)
        if written is None or name in found or not _is_name(name):
            return None
        found[name] = written.label(name)
    if matched.record.extra or len(found) > documents.width:
        return None
    return list(found.values()) or None


def _related(
    documents: Documents, column: RelatedColumn, objects: Any, field: Field, parent: Any
) -> Any:
    """The objects of a relationship, as the database writes them; None where it can't."""
    later, matched = column.later, objects.matched
    if later is None or matched is None or not correlated.is_indexed(later.prop):
        return None
    if later.depth is not None or later.target.is_aliased_class:
        return None
    types = [column.type for pair in later.prop.local_remote_pairs for column in pair]
    if compares_columns(later.prop) or are_lenient(types):
        # the database finds keys equal that Python does not
        return None
    if correlated.has_criteria(later.option) or not _is_one_table(later.prop.mapper):
        return None
    many = column.collection is not None
    if many and isinstance(column.collection.make(), dict):  # type: ignore[union-attr]
        return None
    if not many and not (alternatives(field.annotation).none and later.prop.direction is MANYTOONE):
        return None
    alias = aliased(later.prop.mapper.class_)
    order = correlated.order_of(later.prop, alias)
    members = _labelled(documents, matched, alias, below=True)
    if members is None or order is None:
        return None
    owned = getattr(parent, later.key).of_type(alias)
    rows = select(*members).where(owned).order_by(*order).correlate(parent).subquery()
    return documents.within(documents.array(rows) if many else documents.one(rows))


def _by_cell(row_shape: RowShape, below: bool) -> dict[Cell, Column]:
    columns: list[Column] = []
    for item in row_shape.items:
        if isinstance(item, Column):
            columns.append(item)
        elif below or (item.entity is not None and _is_one_table(item.entity.mapper)):
            columns += item.columns
    return {column.cell: column for column in columns if column.cell is not None}


def _is_one_table(mapper: Any) -> bool:
    return mapper.inherits is None and mapper.polymorphic_on is None


def _is_name(name: str) -> bool:
    # PostgreSQL cuts long names, and compares others as they are
    return name.isascii() and name.isidentifier() and len(name) <= 60
