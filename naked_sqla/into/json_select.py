"""A SELECT whose rows the database itself writes as a JSON array."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, false, literal_column, select
from sqlalchemy.orm import Load, aliased, outerjoin
from sqlalchemy.orm.interfaces import MANYTOONE

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import correlated, statements
from naked_sqla._sqlalchemy.unopened import opened
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
from naked_sqla.read.statement import check_parameters, refuse_streaming, run

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.backends.documents import Documents
    from naked_sqla.backends.trees import Trees
    from naked_sqla.into import Fit

__all__ = ("array_of",)

# by the dialects whose databases write them; False for a statement that the database can't write
_known: weakref.WeakKeyDictionary[Any, BoundedCache[Any, _Array | bool]]
_known = weakref.WeakKeyDictionary()
_KNOWN = 1000


class _Array:
    """A statement for the array of the first statement of its form.

    :ivar keys: of its bound values; see ``bound_values()``.
    :ivar types: of what is written, still to be compared with the mapping.
    """

    __slots__ = ("keys", "statement", "types")

    def __init__(self, statement: Any, keys: list[str], types: _Types | None) -> None:
        self.statement = statement
        self.keys = keys
        self.types = types


@dataclass(frozen=True, slots=True)
class _Types:
    """The types in the database of what is written: the driver's values follow them.

    :ivar column: tells them.
    :ivar kinds: for each of them, those that the database writes as Python does.
    """

    trees: Trees
    column: Any
    kinds: tuple[frozenset[int], ...]

    def agree(self, text: str) -> bool:
        """True when the database writes what Python would.

        :param text: the value of :attr:`column`.
        """
        found = [each for level in json.loads(text) for each in level]
        name = self.trees.name_of_other
        return not any(
            name(kinds, each) is not None for kinds, each in zip(self.kinds, found, strict=True)
        )


def array_of(
    conn: Connection, statement: Any, parameters: Any, fit: Fit, anew: Callable[[], Fit]
) -> bytes | None:
    """Have the database write the rows of a statement.

    :param fit: of a statement of this form, which may have been another one.
    :param anew: makes the one of this statement, with its aliases.
    :return: None where it can't write them as they are written here.
    """
    documents = backend_of(conn.dialect).documents
    if type(statement) is not Select or documents is None:
        return None
    if statement.get_execution_options() or not statements.is_bound(statement, parameters):
        # they are the statement's own
        return None
    known = _known.get(conn.dialect)
    if known is None:
        known = _known[conn.dialect] = BoundedCache(_KNOWN)
    key = (statements.cache_key_of(statement), fit.nested or fit.record)
    array = known.get(key)
    if array is False or criteria_of(conn):
        return None
    if array is None:
        array = known[key] = _made(conn, documents, statement, anew()) or False
    if not isinstance(array, _Array):
        return None
    refuse_streaming(conn.get_execution_options())
    if parameters:
        check_parameters(conn, statement, parameters)
    values = {**statements.bound_values(statement, array.keys), **(parameters or {})}
    types = array.types
    if types is None:
        found: str = run(conn, array.statement, values, None, eager=True).scalar_one()
    else:
        both = array.statement.add_columns(types.column)
        found, told = opened(conn).execute(both, values).one()
        if not types.agree(told):
            known[key] = False
            return None
        array.types = None
    return None if BEYOND in found else found.encode()


def _made(conn: Connection, documents: Documents, statement: Any, fit: Fit) -> _Array | None:
    """The statement for the array; None where there is none."""
    columns = _Columns(documents)
    written = columns.of(fit)
    if not written or not statements.is_plain_select(statement):
        return None
    if statements.names_results(statement):
        # the columns are others
        return None
    options = statements.options_of(statement)
    if not all(isinstance(option, Load) for option in options):
        # criteria do not reach a subquery
        return None
    plain = statements.without_options(statement) if options else statement
    rows = plain.with_only_columns(*written, maintain_column_froms=True).subquery("rows")
    array = select(documents.text(documents.array(rows)))
    types = columns.types(backend_of(conn.dialect).trees, plain)
    try:
        (array if types is None else array.add_columns(types.column)).compile(dialect=conn.dialect)
    except Exception:  # noqa: BLE001 - whatever it is, rows are read without it
        return None
    return _Array(array, statements.bound_keys(statement), types)


class _Columns:
    """What is selected for the array.

    :ivar told: of the rows, and of each relationship: its alias, and its expressions with the
        types for which they are written as they should.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._told: list[tuple[Any, list[tuple[Any, frozenset[int]]]]] = []

    def of(self, fit: Fit) -> list[Any] | None:
        """The columns of the rows, by their names in JSON; None where one is not known so well."""
        if fit.nested is not None:
            items = fit.nested.matched.row_shape.items
            only = items[0] if len(items) == 1 and isinstance(items[0], Structure) else None
            if only is None or only.entity is None:
                return None
            return self._labelled(fit.nested.matched, only.entity.entity)
        if fit.record is None or fit.row_shape is None:
            return None
        if not all(
            statements.is_plain_column(item.expression)
            for item in fit.row_shape.items
            if isinstance(item, Column)
        ):
            # what is left out may make several rows of one, or one of all; of another expression
            # only the database knows the type
            return None
        return self._labelled(Matched(fit.record, fit.row_shape, {}), None)

    def types(self, trees: Trees | None, statement: Any) -> _Types | None:
        """The types of all that is written; None where it is the values that have types.

        :param statement: without its options.
        """
        if trees is None or not any(kinds for _, told in self._told for _, kinds in told):
            return None
        one = select(literal_column("1").label("one")).subquery()
        levels = []
        for entity, told in self._told:
            expressions = [expression for expression, _ in told]
            source = entity
            if source is None:
                named = [each.label(f"c{n}") for n, each in enumerate(expressions)]
                few = statement.with_only_columns(*named, maintain_column_froms=True)
                source = few.subquery()
                expressions = list(source.c)
            # no row is read
            rows = select(trees.row([trees.kind(each) for each in expressions]))
            levels.append(rows.select_from(outerjoin(one, source, false())).scalar_subquery())
        column = trees.text(trees.row(levels)).label("types")
        return _Types(trees, column, tuple(kinds for _, told in self._told for _, kinds in told))

    def _labelled(self, matched: Matched, entity: Any, *, below: bool = False) -> list[Any] | None:
        """The members of the objects that rows fill.

        :param entity: the class, or the alias, that has the relationships among them.
        :param below: it is an alias for a relationship, and has the columns too.
        """
        known = _by_cell(matched.row_shape, below)
        found: dict[str, Any] = {}
        told: list[tuple[Any, frozenset[int]]] = []
        self._told.append((entity if below else None, told))
        for filling in matched.record.fillings:
            name, written = filling.field.keyword, None
            source = filling.source
            if isinstance(source, Made) and source.cell in matched.below:
                written = self._related(*matched.below[source.cell], filling.field, entity)
            elif isinstance(source, Cell) and source in known:
                column = known[source]
                expression = getattr(entity, column.names[0]) if below else column.expression
                written = self._documents.value(expression)
                told.append((expression, self._documents.kinds(expression)))
            if written is None or name in found or not _is_name(name):
                return None
            found[name] = written.label(name)
        if matched.record.extra or len(found) > self._documents.width:
            return None
        return list(found.values()) or None

    def _related(self, column: RelatedColumn, objects: Any, field: Field, parent: Any) -> Any:
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
        to_one = alternatives(field.annotation).none and later.prop.direction is MANYTOONE
        if not many and not to_one:
            return None
        alias = aliased(later.prop.mapper.class_)
        order = correlated.order_of(later.prop, alias)
        members = self._labelled(matched, alias, below=True)
        if members is None or order is None:
            return None
        owned = getattr(parent, later.key).of_type(alias)
        rows = select(*members).where(owned).order_by(*order).correlate(parent).subquery()
        documents = self._documents
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
