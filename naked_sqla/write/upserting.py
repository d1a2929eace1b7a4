"""INSERT ... ON CONFLICT of objects: update an existing row, or leave it as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import select

from naked_sqla._sqlalchemy import statements
from naked_sqla._sqlalchemy.conflicts import has_lists
from naked_sqla.exception import InvalidStatement
from naked_sqla.hiding import shown
from naked_sqla.read.fetching import loading_on
from naked_sqla.read.loader import entity_result
from naked_sqla.write.changing import expected_version
from naked_sqla.write.conflicts import on_conflict_of
from naked_sqla.write.direct import RowStatement
from naked_sqla.write.direct_objects import remember_many, write_many
from naked_sqla.write.finding import find, raise_excluded, raise_stale, within
from naked_sqla.write.inserting import insert_objects
from naked_sqla.write.keys import among, by_key, chunks, has_key, keys_of_objects
from naked_sqla.write.rows import Rows, has_expressions, types_by_key
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
        self.conn = conn
        self.written = written
        self._within = within(conn, written)
        self._form = on_conflict_of(conn.dialect, self._within, on, update)
        self.part = self._form.part
        self.on = self._form.on
        self._has_lists = has_lists(self._within.criteria)

    def rows(self, rows: Sequence[_Row]) -> list[Any]:
        """Upsert rows; the stored ones as naked objects, in their order."""
        types = types_by_key(rows) if rows else None
        keys = None if types is None else self._clear_keys(rows, types)
        if keys is not None:
            return self._upsert(keys, rows, types)
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
                stored = self._upsert(list(keyed), [row for _, row in keyed.values()])
                for (index, _), obj in zip(keyed.values(), stored, strict=True):
                    objects[index] = obj
            pending = later
        if plain:
            # last, since a generated key could be one that another row names
            stored = insert_objects(self.conn, self.written, [row for _, row in plain])
            for (index, _), obj in zip(plain, stored, strict=True):
                objects[index] = obj
        return objects

    def _clear_keys(
        self, rows: Sequence[_Row], types: Mapping[str, set[type]]
    ) -> list[_Key] | None:
        """The keys of rows that one statement can store; None where they may have to be apart."""
        if self._has_lists or self.written.version is not None:
            return None
        kinds = set().union(*[types.get(key, {type(None)}) for key in self.on])
        if type(None) in kinds or has_expressions(kinds) or any(k.__hash__ is None for k in kinds):
            return None
        keys = list(zip(*([row[key] for row in rows] for key in self.on), strict=True))
        return keys if len(set(keys)) == len(keys) else None

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
            if generated or not (self._form.nulls_meet or key in self.part.omitted):
                return True
        return False

    def _expected(self, row: _Row) -> Any:
        """The version that an existing row is expected to have; None: any."""
        version = expected_version(self.written, row)
        return None if version is None or not self._form.updated(row) else version

    def _alone(self, row: _Row) -> Any:
        """Upsert a row by itself, since its key may be stored in another form."""
        expected = self._expected(row)
        ((statement, given),) = self._form.statements(self.conn, [row], expected)
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

    def _loaded(self, statement: Any, rows: Rows | None = None) -> list[Any]:
        """What a statement gives.

        :param statement: a ``RowStatement`` where it is kept.
        """
        form = statement if isinstance(statement, RowStatement) else None
        several = rows is not None and len(rows) > 1
        if form is not None and rows:
            found = (
                write_many(self.conn, form, rows) if several else form.objects(self.conn, rows[0])
            )
            if found is not None:
                return found
        sent: Any = statement if form is None else form.statement
        result = self.conn.execute(sent, rows, execution_options=statements.orm_options(None))
        objects = list(entity_result(result, sent, loading_on(self.conn, None)).scalars())
        if form is not None and rows:
            if several:
                remember_many(self.conn, form, rows, result)
            else:
                form.remember(self.conn, rows[0], result)
        return objects

    def _upsert(
        self,
        keys: Sequence[_Key],
        rows: Sequence[_Row],
        types: Mapping[str, set[type]] | None = None,
    ) -> list[Any]:
        """Upsert rows with different keys; the stored ones in their order.

        :param types: the types of the values of all rows, if they have the same attributes.
        """
        stored: list[Any] = []
        for statement, group in self._form.statements(self.conn, rows, types=types):
            stored += self._loaded(statement, group)
        found = keys_of_objects(stored, self.on)
        if found == keys:
            return stored
        by = by_key(stored, found, keys)
        if by is None:
            # existing rows that stay as they are, or keys stored in another form
            existing = list(self._stored(keys))
            found = keys_of_objects(existing, self.on)
            by = by_key(existing, found, keys) or self._one_by_one(keys)
            self._check_inside(by.values(), stored)
        return [by[key] for key in keys]

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

    def _stored(self, keys: Sequence[_Key]) -> Iterator[Any]:
        columns = [self.part.columns[key] for key in self.on]
        wanted = select(self.written.mapper.class_).options(*self._form.options)
        for part in chunks(keys):
            yield from self._loaded(wanted.where(among(columns, part)))

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
        statement = statement.where(*has_key(self.conn, columns, key)).options(*self._form.options)
        return self._loaded(statement)

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
