"""INSERT ... ON CONFLICT of objects: update an existing row, or leave it as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import Index, UniqueConstraint, and_, null, select
from sqlalchemy.orm import lazyload, undefer

from naked_sqla._sqlalchemy import dml, mappings, statements
from naked_sqla._sqlalchemy.conflicts import has_lists, of_existing_row
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidStatement
from naked_sqla.hiding import shown
from naked_sqla.read.fetching import loading_on
from naked_sqla.read.loader import entity_result
from naked_sqla.write.changing import expected_version, next_version
from naked_sqla.write.finding import find, raise_excluded, raise_stale, within
from naked_sqla.write.inserting import insert_objects
from naked_sqla.write.keys import among, by_key, chunks, has_key
from naked_sqla.write.names import names_of_attributes
from naked_sqla.write.rows import Rows, has_expressions, runs
from naked_sqla.write.tables import Written

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("Upsert",)

_Key = tuple[Any, ...]
_Row = Mapping[str, Any]


class Upsert:
    """How the rows of one class are upserted.

    :param on: attributes of a unique constraint; None: the primary key.
    :param update: attributes that an existing row takes from the new one; None: all that the row
        has, besides the key; empty: none, the existing row stays.
    :raises InvalidStatement: the database has no ON CONFLICT, or the class has several tables.
    :raises UnknownAttribute: a name that the class does not have.
    """

    def __init__(
        self, conn: Connection, written: Written, on: Iterable[Any] | None, update: Any
    ) -> None:
        backend = backend_of(conn.dialect)
        self.insert = backend.insert(written.mapper.class_)
        first = written.only_part(
            f"upsert({written.name})",
            "ON CONFLICT decides on",
            "Use get(), and then insert() or update().",
        )
        self.conn = conn
        self.written = written
        self.part = first
        self.on = written.keys if on is None else names_of_attributes(written, on)
        if not self.on:
            raise InvalidStatement(
                f"upsert({written.name}, on=()): name the columns of a unique constraint."
            )
        self.chosen = None if update is None else names_of_attributes(written, update)
        # the attributes that an existing row never takes
        self._fixed = {*self.on, *written.keys, written.version}
        if self.chosen is None:
            self._fixed.update(first.added)
        self._omitted = [key for key in self._updated(first.columns) if key in first.omitted]
        deciding = {first.columns[key] for key in self.on}
        self._nulls_meet = any(
            set(found.columns) == deciding and backend.nulls_meet(found)
            for found in (*first.table.constraints, *first.table.indexes)
            if isinstance(found, UniqueConstraint | Index)
        )
        self._within = within(conn, written)
        self._has_lists = has_lists(self._within.criteria)
        # read the deciding columns, deferred or not: they tell which row is which
        read = (undefer(getattr(written.mapper.class_, key)) for key in self.on)
        self._options = (lazyload("*"), *read)

    def rows(self, rows: Sequence[_Row]) -> list[Any]:
        """Upsert rows; the stored ones as naked objects, in their order."""
        objects: list[Any] = [None] * len(rows)
        plain: list[tuple[int, _Row]] = []
        pending: list[tuple[int, _Row]] = []
        for index, row in enumerate(rows):
            filled = self._filled(row)
            kept = plain if self._meets_nothing(filled) else pending
            kept.append((index, filled))
        while pending:
            keyed: dict[_Key, tuple[int, _Row]] = {}
            later: list[tuple[int, _Row]] = []
            for index, row in pending:
                key = tuple(map(row.get, self.on))
                alone = self._has_lists or self._expected(row) is not None
                if alone or self._is_unclear(key):
                    objects[index] = self._alone(row)
                elif key in keyed:
                    # a statement can't touch a row twice
                    later.append((index, row))
                else:
                    keyed[key] = index, row
            if keyed:
                found = self._upsert({key: row for key, (_, row) in keyed.items()})
                for key, (index, _) in keyed.items():
                    objects[index] = found[key]
            pending = later
        if plain:
            # last, since a generated key could be one that another row names
            stored = insert_objects(self.conn, self.written, [row for _, row in plain])
            for (index, _), obj in zip(plain, stored, strict=True):
                objects[index] = obj
        return objects

    def _filled(self, row: _Row) -> _Row:
        """The row, with constant defaults for deciding columns that it has no value for."""
        for key in self.on:
            default: Any = getattr(self.part.columns[key], "default", None)
            if row.get(key) is None and key in self.part.omitted and default is not None:
                row = {**row, key: default.arg} if default.is_scalar else row
        return row

    def _meets_nothing(self, row: _Row) -> bool:
        """True for a row that can't exist already: it has a NULL, or a key that is generated."""
        for key in self.on:
            if row.get(key) is not None:
                continue
            column = self.part.columns[key]
            generated = key in self.part.keys and (
                len(self.part.keys) == 1 or column.server_default is None
            )
            if generated or not (self._nulls_meet or key in self.part.omitted):
                return True
        return False

    def _expected(self, row: _Row) -> Any:
        """The version that an existing row is expected to have; None: any."""
        version = expected_version(self.written, row)
        return None if version is None or not self._updated(row) else version

    def _alone(self, row: _Row) -> Any:
        """Upsert a row by itself, since its key may be stored in another form."""
        expected = self._expected(row)
        (((statement, (given,))),) = self._statements([row], expected)
        found = self._loaded(statement, given)
        key = tuple(map(row.get, self.on))
        if not found and not self._is_made(key):
            found = self._with_key(key)
            self._check_inside(found, ())
            if expected is not None and len(found) == 1:
                identity = tuple(getattr(found[0], name) for name in self.written.keys)
                raise_stale(self.written, [], [identity])
        if len(found) != 1:
            self._refuse_lost(key)
        return found[0]

    def _loaded(self, statement: Any, params: Any) -> list[Any]:
        result = self.conn.execute(
            statement, params, execution_options=statements.orm_options(None)
        )
        return list(entity_result(result, statement, loading_on(self.conn, None)).scalars())

    def _upsert(self, rows: Mapping[_Key, _Row]) -> dict[_Key, Any]:
        """Upsert rows with different keys; the stored ones by the keys that were given."""
        stored: list[Any] = []
        for statement, group in self._statements(rows.values()):
            stored += self._loaded(statement, group)
        found = by_key(stored, self.on, rows)
        if found is None:
            # existing rows that stay as they are, or keys stored in another form
            found = by_key(self._stored(list(rows)), self.on, rows) or self._one_by_one(rows)
            self._check_inside(found.values(), stored)
        return found

    def _check_inside(self, objs: Iterable[Any], written: Iterable[Any]) -> None:
        """Check that rows which stay as they are lie within the criteria of the factory.

        :param written: those that the statement has stored.
        :raises RowExcluded: some do not.
        """
        if not self._within.criteria:
            return
        key = attrgetter(*self.written.keys)
        kept = dict.fromkeys(map(key, objs))
        for obj in written:
            kept.pop(key(obj), None)
        names = len(self.written.keys)
        keys = [one if names > 1 else (one,) for one in kept]
        inside = find(self.conn, self._within, keys) if keys else {}
        excluded = [one for one in keys if one not in inside]
        if excluded:
            raise_excluded(self.conn, self.written, excluded)

    def _refuse_lost(self, key: _Key) -> NoReturn:
        on = ", ".join(self.on)
        raise InvalidStatement(
            f"upsert({self.written.name}): the stored row with ({on}) = {shown(key)} can't be "
            f"found again: a trigger has left the row out, or changed it, or the database has made "
            f"a part of it. Give all of ({on}), or use execute() with on_conflict_do_update(), "
            f"which does not ask which row is which."
        )

    def _statements(self, rows: Iterable[_Row], expected: Any = None) -> Iterator[tuple[Any, Rows]]:
        """The statements that upsert some rows.

        :param expected: the version of an existing row; None: any.
        """
        for nulls, group in groupby(rows, key=self._nulls):
            for expressions, values in runs(map(self.part.values, group)):
                statement = self._statement([*values[0], *expressions], nulls, expected)
                yield self.part.with_values(statement, expressions), values

    def _nulls(self, row: _Row) -> list[str]:
        """The attributes whose None is the default in a new row, and NULL in an existing one."""
        return [key for key in self._omitted if key in row and row[key] is None]

    def _updated(self, row: Iterable[str]) -> list[str]:
        wanted = row if self.chosen is None else self.chosen
        return [key for key in wanted if key in self.part.columns and key not in self._fixed]

    def _statement(self, given: Sequence[str], nulls: Sequence[str], expected: Any) -> Any:
        table, model = self.part.table, self.written.mapper.class_
        statement = self.insert
        attributes = {name: key for key, name in self.part.names.items()}
        keys = [attributes[name] for name in given]
        updated = [key for key in self._updated(keys) if key not in nulls]
        on = [self.part.columns[key] for key in self.on]
        if not updated and not nulls:
            statement = statement.on_conflict_do_nothing(index_elements=on)
        else:
            columns = [self.part.columns[key] for key in updated]
            changes = {column.key: statement.excluded[column.key] for column in columns}
            changes |= {self.part.names[key]: null() for key in nulls}
            for column in table.columns:
                if column.onupdate is not None and column.key not in changes:
                    changes.update(self._onupdate(column))
            version = self.written.version
            if version is not None and self.written.generated:
                changes[self.part.columns[version].key] = self._version()
            where: list[Any] = []
            if expected is not None and version is not None:
                where += has_key(self.conn, [self.part.columns[version]], (expected,))
            if self._within.criteria:
                where.append(of_existing_row(self._within.criteria))
            statement = statement.on_conflict_do_update(
                index_elements=on, set_=changes, where=and_(*where) if where else None
            )
        statement = dml.as_orm_insert(statement.returning(model))
        return statement.options(*self._options)

    def _onupdate(self, column: Any) -> dict[str, Any]:
        """The value that an UPDATE sets by itself, and ON CONFLICT does not."""
        default = column.onupdate
        if default.is_scalar or default.is_clause_element:
            return {column.key: default.arg}
        if default.is_callable:
            return {column.key: default.arg(_NoContext(f"{self.written.name}.{column.key}"))}
        return {}

    def _version(self) -> Any:
        column = self.written.mapper.version_id_col
        if mappings.counts_versions(self.written.mapper) and column is not None:
            return column + 1
        return next_version(self.written, None)

    def _stored(self, keys: Sequence[_Key]) -> Iterator[Any]:
        columns = [self.part.columns[key] for key in self.on]
        wanted = select(self.written.mapper.class_).options(*self._options)
        for part in chunks(keys):
            yield from self._loaded(wanted.where(among(columns, part)), None)

    def _one_by_one(self, keys: Iterable[_Key]) -> dict[_Key, Any]:
        found: dict[_Key, Any] = {}
        for key in keys:
            objects = self._with_key(key)
            if len(objects) != 1:
                self._refuse_lost(key)
            found[key] = objects[0]
        return found

    def _with_key(self, key: _Key) -> list[Any]:
        """The rows whose key the database finds equal to this one."""
        columns = [self.part.columns[name] for name in self.on]
        statement = select(self.written.mapper.class_)
        statement = statement.where(*has_key(self.conn, columns, key)).options(*self._options)
        return self._loaded(statement, None)

    def _is_made(self, key: _Key) -> bool:
        """True for a key that the database makes in part."""
        parts = zip(self.on, key, strict=True)
        return any(value is None and name in self.part.omitted for name, value in parts)

    def _is_unclear(self, key: _Key) -> bool:
        """True for a key that may be stored in another form, or that can't be hashed."""
        types = set(map(type, key))
        if has_expressions(types) or any(t.__hash__ is None for t in types):
            return True
        return type(None) in types and self._is_made(key)


class _NoContext:
    """The context of an ``onupdate`` function that makes one value for all rows of a statement."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        raise InvalidStatement(
            f"upsert(): the onupdate function of {self._name} looks at the row that is updated "
            f"(.{attribute}), which ON CONFLICT does not have. Give the object a value for "
            f"{self._name}, or use get(), and then insert() or update()."
        )
