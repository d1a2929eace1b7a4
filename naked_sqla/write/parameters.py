"""The names in parameters and ``values()``, and the columns that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from operator import methodcaller
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from sqlalchemy import BindParameter

from naked_sqla._sqlalchemy import dml, statements
from naked_sqla.exception import InvalidStatement
from naked_sqla.write.rows import add_parts, types_by_key
from naked_sqla.write.tables import Written, parts_of, refuse_name, written_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = ("Names", "Same", "Sent", "groups_of", "names_of")


_Rows = Sequence[Mapping[str, Any]]


class Same(NamedTuple):
    """Dictionaries with the same keys.

    :ivar rows: the dictionaries.
    :ivar types: the types of their values, by key.
    """

    rows: _Rows
    types: Mapping[str, set[type]]


class Sent(NamedTuple):
    """How the parameters of a caller become those of the statement that is sent.

    :ivar names: of the sent ones -> of the caller's; None: they are the same.
    :ivar added: what the model adds to each row, by its name in the statement.
    :ivar silent: of the caller's, those for which None means "not given".
    """

    names: Mapping[str, str] | None = None
    added: Mapping[str, Callable[[], Any]] = MappingProxyType({})
    silent: tuple[str, ...] = ()


def groups_of(rows: _Rows) -> list[Same]:
    """Runs of dictionaries with the same keys."""
    types = types_by_key(rows)
    if types is not None:
        return [Same(rows, types)]
    groups = [list(group) for _, group in groupby(rows, key=methodcaller("keys"))]
    return [Same(group, types_by_key(group) or {}) for group in groups]


def names_of(statement: Any, mapper: Mapper[Any] | None) -> Names:
    """The names that a statement's parameters may use.

    :param mapper: of the entity that it writes, or None for a plain table.
    """
    return Names(statement, None if mapper is None else written_of(mapper))


class Names:
    """The names of one statement.

    :raises UnknownAttribute: from each method, for a key that names nothing.
    """

    __slots__ = ("_binds", "_columns", "_fixed", "_part", "_statement", "_table", "_written")

    def __init__(self, statement: Any, written: Written | None) -> None:
        self._statement = statement
        self._written = written
        self._part = None if written is None else written.own_part
        self._binds: frozenset[str] | None = None
        self._fixed: frozenset[str] | None = None
        self._table: Any = statement.table if written is None else written.mapper.local_table
        # attribute or column key -> column key
        self._columns: Mapping[str, str] = (
            {column.key: column.key for column in statement.table.columns}
            if written is None
            else written.own_columns
        )

    def check_sets(self, parameters: Any) -> None:
        """Refuse an UPDATE that sets nothing: SQL has no such statement.

        :raises InvalidStatement: it has no values, no parameters, and no column with ``onupdate``.
        """
        if not self._statement.is_update or dml.has_values(self._statement):
            return
        if parameters is not None and (parameters or not isinstance(parameters, Mapping)):
            # an empty list runs nothing
            return
        if all(column.onupdate is None for column in self._table.columns):
            raise InvalidStatement(
                f"the UPDATE of {self._described} sets nothing. Give it values(), or parameters."
            )

    def check_values(self, values: Iterable[Any]) -> None:
        """Refuse string keys of ``values()`` that the model does not have."""
        for key in values:
            if (
                isinstance(key, str)
                and key not in self._columns
                and (self._written is None or key not in self._written.mapper.all_orm_descriptors)
            ):
                self._refuse(key)

    def translate(self, same: Same) -> Same:
        """Dictionaries of parameters by column keys, with the values that the model adds.

        :raises InvalidStatement: two keys give a column different values.
        """
        columns = {key: self._column_of(key) for key in same.types}
        added = self._added(columns.values())
        if not added and all(key == column for key, column in columns.items()):
            return same
        plain = [(key, column) for key, column in columns.items() if column is not None]
        rows = [{column: row[key] for key, column in plain} for row in same.rows]
        if len(plain) < len(columns) or len(set(columns.values())) < len(columns):
            self._fill(rows, same.rows, columns)
        for key, make in added.items():
            for row in rows:
                row[key] = make()
        return Same(rows, types_by_key(rows) or {})

    def sent(self, given: Mapping[str, Any], sent: Mapping[str, Any]) -> Sent | None:
        """How :meth:`translate` made a dictionary of another, for all with the same names.

        :return: None where that is not all that was done to it.
        """
        columns = {key: self._column_of(key) for key in given}
        added = self._added(columns.values())
        names = {column: key for key, column in columns.items() if column is not None}
        if len(names) < len(columns) or sent.keys() != names.keys() | added.keys():
            # a composite, two names of one column, a None that means "not given"
            return None
        omitted = set(self.omitted) if self._statement.is_insert else ()
        silent = tuple([key for key, column in columns.items() if column in omitted])
        same = all(column == key for column, key in names.items())
        return Sent(None if same else names, added, silent)

    def _fill(
        self, rows: list[dict[str, Any]], given: _Rows, columns: Mapping[str, str | None]
    ) -> None:
        """Add the columns of composites, and refuse two values for one column."""
        for row, said in zip(rows, given, strict=True):
            for key, column in columns.items():
                parts = self._parts(key, said[key]) if column is None else {column: said[key]}
                add_parts(row, key, parts, self._described)

    def _parts(self, key: str, value: Any) -> dict[str, Any]:
        parts = parts_of(self._composite(key), value)
        return {self._columns.get(name, name): part for name, part in parts.items()}

    def _composite(self, key: str) -> Any:
        return None if self._written is None else self._written.composite(key)

    def _column_of(self, key: str) -> str | None:
        """The column key, or bind name, that a key stands for; None for a composite."""
        column = self._columns.get(key) if self._takes_columns else None
        # SQLAlchemy itself refuses a bound parameter that has the name of a column
        if column == key or key in self.bound:
            return key
        if column is None and self._composite(key) is None:
            self._refuse(key)
        return column

    def _added(self, given: Collection[str | None]) -> Mapping[str, Callable[[], Any]]:
        """The discriminator and first version that the ORM's bulk INSERT sets where not given."""
        part = self._part
        if part is None or not part.added or not self._statement.is_insert:
            return {}
        added = {part.names[key]: (key, make) for key, make in part.added.items()}
        # a new row gets the first version, whatever its dictionary has
        return {
            column: make
            for column, (key, make) in added.items()
            if key == part.version or column not in given
        }

    @property
    def omitted(self) -> Iterable[str]:
        """Column keys for which None in a dictionary of an INSERT means "not given"."""
        return () if self._written is None else self._written.own_omitted

    def by_column(self, values: Mapping[str, Any]) -> dict[Any, Any]:
        """Values by column, so that ``values()`` can't take a name for another attribute.

        :raises InvalidStatement: a key is that of a bound parameter.
        """
        columns = self._table.columns
        other = [key for key in values if key not in columns]
        if other:
            raise InvalidStatement(
                f"{self._described}: the parameter {other[0]!r} takes a value, and was given an "
                f"SQL expression. Write the expression into the statement, in where() or values()."
            )
        return {columns[key]: value for key, value in values.items()}

    @property
    def fixed(self) -> frozenset[str]:
        """Column keys that ``values()`` gives an SQL expression, and no plain value."""
        if self._fixed is None:
            values = dml.values_by_column(self._statement)
            self._fixed = frozenset(
                self._columns.get(key, key) if isinstance(key, str) else key.key
                for key, value in values.items()
                if not (isinstance(value, BindParameter) and value.unique)
            )
        return self._fixed

    @property
    def _described(self) -> str:
        return f"table {self._table}" if self._written is None else self._written.name

    @property
    def _takes_columns(self) -> bool:
        return not self._statement.is_delete

    @property
    def bound(self) -> frozenset[str]:
        """The names of the caller's own parameters in the statement."""
        if self._binds is None:
            self._binds = statements.bind_names(self._statement)
        return self._binds

    def _refuse(self, key: str) -> NoReturn:
        about = self._described
        if self._takes_columns:
            fact = f"{about} has no attribute {key!r}, so the statement can't store it."
            known: frozenset[str] = self.bound.union(self._columns)
        else:
            fact = f"The DELETE from {about} has no parameter {key!r}."
            known = self.bound
        refuse_name(fact, key, known)
