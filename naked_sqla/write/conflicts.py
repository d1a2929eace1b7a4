"""INSERT ... ON CONFLICT of a class: the statements that store new rows, or change existing ones.

They are made without a connection.  Those without SQL expressions are made once for a class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import Index, UniqueConstraint, and_, bindparam, null
from sqlalchemy.orm import lazyload, undefer

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import dml, mappings
from naked_sqla._sqlalchemy.conflicts import of_existing_row
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidStatement
from naked_sqla.write.changing import next_version
from naked_sqla.write.direct import RowStatement, has_values_only
from naked_sqla.write.inserting import runs_of
from naked_sqla.write.keys import has_key
from naked_sqla.write.names import names_of_attributes
from naked_sqla.write.rows import Rows, types_by_key
from naked_sqla.write.tables import Written

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect

__all__ = ("OnConflict", "on_conflict_of")

# Statements that are kept for one way to upsert a class: each set of attributes has its own.
_FORMS = 32

# What makes a value for each execution, by the name of its parameter.
_Made = dict[str, Callable[[], Any]]

# The types of the values of rows, by key; None where their keys differ.
_Types = Mapping[str, set[type]] | None


def on_conflict_of(
    dialect: Dialect, written: Written, on: Iterable[Any] | None, update: Any
) -> OnConflict:
    """How the rows of a class are upserted, found out once for a class.

    Arguments and errors are those of :class:`OnConflict`.
    """
    names = None if on is None else names_of_attributes(written, on)
    chosen = None if update is None else names_of_attributes(written, update)
    key = "upsert", backend_of(dialect).name, names, chosen
    found: OnConflict | None = written.forms.get(key)
    if found is None:
        found = written.forms[key] = OnConflict(dialect, written, names, chosen)
    return found


class OnConflict:
    """How the rows of one class are upserted.

    :param on: attributes of a unique constraint; None: the primary key.
    :param update: attributes that an existing row takes from the new one; None: all that the row
        has, besides the key; empty: none, the existing row stays.
    :ivar on: the attributes by which an existing row is known.
    :ivar nulls_meet: NULL equals NULL there.
    :ivar options: of a statement that gives the stored rows.
    :raises InvalidStatement: the database has no ON CONFLICT, or the class has several tables.
    """

    def __init__(
        self,
        dialect: Dialect,
        written: Written,
        on: Sequence[str] | None,
        update: Sequence[str] | None,
    ) -> None:
        backend = backend_of(dialect)
        self._insert = backend.insert(written.mapper.class_)
        first = written.only_part(
            f"upsert({written.name})",
            "ON CONFLICT decides on",
            "Use get(), and then insert() or update().",
        )
        self._written = written
        self.part = first
        self.on = written.keys if on is None else on
        if not self.on:
            raise InvalidStatement(
                f"upsert({written.name}, on=()): name the columns of a unique constraint."
            )
        self._chosen = update
        # the attributes that an existing row never takes
        self._fixed = {*self.on, *written.keys, written.version}
        if update is None:
            self._fixed.update(first.added)
        self._omitted = [key for key in self.updated(first.columns) if key in first.omitted]
        deciding = {first.columns[key] for key in self.on}
        self.nulls_meet = any(
            set(found.columns) == deciding and backend.nulls_meet(found)
            for found in (*first.table.constraints, *first.table.indexes)
            if isinstance(found, UniqueConstraint | Index)
        )
        # read the deciding columns, deferred or not: they tell which row is which
        read = (undefer(getattr(written.mapper.class_, key)) for key in self.on)
        self.options = (lazyload("*"), *read)
        # what holds for one connection is not kept, nor a version that is made for one row
        self._is_kept = not written.criteria and (
            not written.generated or mappings.counts_versions(written.mapper)
        )
        # each with what makes the values of its parameters
        self._forms: BoundedCache[Any, tuple[RowStatement, _Made]] = BoundedCache(_FORMS)

    def updated(self, row: Iterable[str]) -> list[str]:
        """The attributes that an existing row takes from a new one."""
        wanted = row if self._chosen is None else self._chosen
        return [key for key in wanted if key in self.part.columns and key not in self._fixed]

    def statements(
        self, conn: Connection, rows: Rows, expected: Any = None, types: _Types = None
    ) -> Iterator[tuple[Any, Rows]]:
        """The statements that upsert some rows; a ``RowStatement`` where it is kept.

        :param expected: the version of an existing row; None: any.
        :param types: the types of the values of all rows, where they are known.
        """
        types = types or types_by_key(rows)
        for nulls, group, kinds in self._by_nulls(rows, types):
            for expressions, values in runs_of(self.part, group, kinds):
                given = [*values[0], *expressions]
                kept = None
                if self._is_kept and not expressions and expected is None:
                    kept = self._kept(given, nulls, values)
                if kept is not None:
                    yield kept
                    continue
                where: list[Any] = []
                if expected is not None and self._written.version is not None:
                    version = self.part.columns[self._written.version]
                    where += has_key(conn, [version], (expected,))
                statement = self._statement(given, nulls, where)
                yield self.part.with_values(statement, expressions), values

    def _kept(
        self, given: Sequence[str], nulls: Sequence[str], rows: Rows
    ) -> tuple[Any, Rows] | None:
        """The kept statement for some rows, and its parameters; None where no kept one fits."""
        key = tuple(given), tuple(nulls)
        found = self._forms.get(key)
        if found is None:
            made: _Made = {}
            found = RowStatement(self._statement(given, nulls, (), made)), made
            self._forms[key] = found
        form, made = found
        if len(rows) > 1:
            # as a parameter, what a function makes would be one of each row
            return None if made else (form, rows)
        values = {**rows[0], **{name: make() for name, make in made.items()}} if made else rows[0]
        return (form, [values]) if has_values_only(values.values()) else None

    def _by_nulls(self, rows: Rows, types: _Types) -> Iterable[tuple[list[str], Rows, _Types]]:
        """Runs of rows with the same :meth:`_nulls`, and the types of their values."""
        if types is None or any(type(None) in types.get(key, ()) for key in self._omitted):
            groups = [(nulls, list(group)) for nulls, group in groupby(rows, key=self._nulls)]
            return [(nulls, group, types_by_key(group)) for nulls, group in groups]
        return [([], rows, types)]

    def _nulls(self, row: Mapping[str, Any]) -> list[str]:
        """The attributes whose None is the default in a new row, and NULL in an existing one."""
        return [key for key in self._omitted if key in row and row[key] is None]

    def _statement(
        self,
        given: Sequence[str],
        nulls: Sequence[str],
        where: Sequence[Any],
        made: _Made | None = None,
    ) -> Any:
        """The statement for rows with some columns.

        :param made: takes what makes a value for each execution, by the name of its parameter;
            None: the values are part of the statement.
        """
        statement, written = self._insert, self._written
        attributes = {name: key for key, name in self.part.names.items()}
        keys = [attributes[name] for name in given]
        updated = [key for key in self.updated(keys) if key not in nulls]
        on = [self.part.columns[key] for key in self.on]
        if not updated and not nulls:
            statement = statement.on_conflict_do_nothing(index_elements=on)
        else:
            columns = [self.part.columns[key] for key in updated]
            changes = {column.key: statement.excluded[column.key] for column in columns}
            changes |= {self.part.names[key]: null() for key in nulls}
            for column in self.part.table.columns:
                if column.onupdate is not None and column.key not in changes:
                    changes.update(self._onupdate(column, made))
            version = written.version
            if version is not None and written.generated:
                changes[self.part.columns[version].key] = self._version()
            if written.criteria:
                where = [*where, of_existing_row(written.criteria)]
            statement = statement.on_conflict_do_update(
                index_elements=on, set_=changes, where=and_(*where) if where else None
            )
        statement = dml.as_orm_insert(statement.returning(written.mapper.class_))
        return statement.options(*self.options)

    def _onupdate(self, column: Any, made: _Made | None) -> dict[str, Any]:
        """The value that an UPDATE sets by itself, and ON CONFLICT does not."""
        default = column.onupdate
        if default.is_scalar or default.is_clause_element:
            return {column.key: default.arg}
        if not default.is_callable:
            return {}
        make = partial(_of_no_row, default.arg, f"{self._written.name}.{column.key}")
        if made is None:
            return {column.key: make()}
        name = f"naked_made_{len(made)}"
        made[name] = make
        return {column.key: bindparam(name, type_=column.type)}

    def _version(self) -> Any:
        column = self._written.mapper.version_id_col
        if mappings.counts_versions(self._written.mapper) and column is not None:
            return column + 1
        return next_version(self._written, None)


class _NoContext:
    """The context of an ``onupdate`` function that makes one value for all rows of a statement.

    :ivar asked: what the function has asked it for.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, attribute: str) -> Any:
        self.asked.append(attribute)
        raise InvalidStatement(f".{attribute}")


def _of_no_row(function: Callable[[Any], Any], name: str) -> Any:
    context, value = _NoContext(), None
    try:
        value = function(context)
    except Exception:
        if not context.asked:
            raise
    if context.asked:
        # it may have caught the error, and made up a value
        raise InvalidStatement(
            f"upsert(): the onupdate function of {name} looks at the row that is updated "
            f"(.{context.asked[0]}), which ON CONFLICT does not have. Give the object a value for "
            f"{name}, or use get(), and then insert() or update()."
        )
    return value
