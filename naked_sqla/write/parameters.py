"""The names by which parameters and ``values()`` may call what a statement writes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import BindParameter

from naked_sqla._sqlalchemy import dml, mappings, statements
from naked_sqla.exception import InvalidStatement, UnknownAttribute
from naked_sqla.write.tables import add_parts, has_own_value, types_by_key

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = ("Names", "Same", "names_of")


_Rows = Sequence[Mapping[str, Any]]


class Same(NamedTuple):
    """Dictionaries with the same keys.

    :ivar rows: the dictionaries.
    :ivar types: the types of their values, by key.
    """

    rows: _Rows
    types: Mapping[str, set[type]]


class _Model:
    """The names of one mapped class: the same for all of its statements."""

    __slots__ = (
        "__weakref__",
        "added",
        "columns",
        "composites",
        "described",
        "omitted",
        "readable",
        "table",
        "version",
    )

    def __init__(self, mapper: Mapper[Any]) -> None:
        self.described = mapper.class_.__name__
        self.table = local = mapper.local_table
        # attribute name or column key -> column key
        self.columns = {column.key: column.key for column in local.columns}
        for prop in mapper.column_attrs:
            column = prop.columns[0]
            for candidate in prop.columns:
                if getattr(candidate, "table", None) is local:
                    column = candidate
            if getattr(column, "table", None) is local:
                self.columns[prop.key] = column.key
        for synonym in mapper.synonyms:
            if synonym.name in self.columns:
                self.columns.setdefault(synonym.key, self.columns[synonym.name])
        self.composites: dict[str, Callable[[Any], dict[str, Any]]] = {
            prop.key: _composite_columns(prop, self.columns) for prop in mapper.composites
        }
        self.readable = set(mapper.all_orm_descriptors.keys())
        # what an INSERT sets by itself: the discriminator, the first version
        self.added: dict[str, Callable[[], Any]] = {}
        self.version: str | None = None
        # columns for which None says nothing in an INSERT: they have a value of their own
        self.omitted = frozenset(
            str(column.key) for column in local.columns if has_own_value(column)
        )
        found = mappings.discriminator(mapper)
        if found is not None and found[0] in self.columns:
            self.added[self.columns[found[0]]] = partial(_same, found[1])
        version, generate = mapper.version_id_col, mapper.version_id_generator
        key = "" if version is None else str(version.key)
        if callable(generate) and key in local.columns:
            self.added[key] = partial(generate, None)
            self.version = key


def _same(value: Any) -> Any:
    return value


def _composite_columns(prop: Any, columns: Mapping[str, str]) -> Callable[[Any], dict[str, Any]]:
    keys = mappings.composite_keys(prop)

    def expand(value: Any) -> dict[str, Any]:
        parts = [None] * len(keys) if value is None else mappings.composite_values(prop, value)
        return {columns.get(k, k): part for k, part in zip(keys, parts, strict=True)}

    return expand


# where a mapper keeps them: gone with the mapped class
_KEPT = "naked_sqla.write.parameters"


def names_of(statement: Any, mapper: Mapper[Any] | None) -> Names:
    """The names that a statement's parameters may use.

    :param mapper: of the entity that it writes, or None for a plain table.
    """
    model = None
    if mapper is not None:
        model = mapper.class_manager.info.get(_KEPT)
        if model is None:
            model = mapper.class_manager.info[_KEPT] = _Model(mapper)
    return Names(statement, model)


class Names:
    """The names of one statement.

    :raises UnknownAttribute: from each method, for a key that names nothing.
    """

    __slots__ = ("_binds", "_columns", "_fixed", "_model", "_statement")

    def __init__(self, statement: Any, model: _Model | None) -> None:
        self._statement = statement
        self._model = model
        self._binds: frozenset[str] | None = None
        self._fixed: frozenset[str] | None = None
        self._columns: Mapping[str, str] = (
            {column.key: column.key for column in statement.table.columns}
            if model is None
            else model.columns
        )

    def check_values(self, values: Iterable[Any]) -> None:
        """Refuse string keys of ``values()`` that the model does not have."""
        for key in values:
            if (
                isinstance(key, str)
                and key not in self._columns
                and (self._model is None or key not in self._model.readable)
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

    def _fill(
        self, rows: list[dict[str, Any]], given: _Rows, columns: Mapping[str, str | None]
    ) -> None:
        """Add the columns of composites, and refuse what contradicts itself."""
        composites = {} if self._model is None else self._model.composites
        for row, said in zip(rows, given, strict=True):
            for key, column in columns.items():
                parts = composites[key](said[key]) if column is None else {column: said[key]}
                add_parts(row, key, parts, self._described)

    def _column_of(self, key: str) -> str | None:
        """The column key, or bind name, that a key stands for; None for a composite."""
        column = self._columns.get(key) if self._takes_columns else None
        # SQLAlchemy itself refuses a bound parameter that has the name of a column
        if column == key or key in self.bound:
            return key
        if column is None and not (self._model and key in self._model.composites):
            self._refuse(key)
        return column

    def _added(self, given: Collection[str | None]) -> Mapping[str, Callable[[], Any]]:
        """The discriminator and first version that the ORM's bulk INSERT sets where not given."""
        if self._model is None or not self._model.added or not self._statement.is_insert:
            return {}
        # the first version is the first one, whatever the row says
        version = self._model.version
        return {k: make for k, make in self._model.added.items() if k == version or k not in given}

    @property
    def omitted(self) -> Iterable[str]:
        """Column keys for which None in a dictionary of an INSERT means "not given"."""
        return () if self._model is None else self._model.omitted

    def by_column(self, values: Mapping[str, Any]) -> dict[Any, Any]:
        """Values by column key, as ``values()`` can't misunderstand them.

        :raises InvalidStatement: a key is that of a bound parameter.
        """
        table = self._statement.table if self._model is None else self._model.table
        other = [key for key in values if key not in table.columns]
        if other:
            raise InvalidStatement(
                f"{self._described}: the parameter {other[0]!r} takes a value, and was given an "
                f"SQL expression. Write the expression into the statement, in where() or values()."
            )
        return {table.columns[key]: value for key, value in values.items()}

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
        return self._model.described if self._model else f"table {self._statement.table}"

    @property
    def _takes_columns(self) -> bool:
        return not self._statement.is_delete

    @property
    def bound(self) -> frozenset[str]:
        """The names of the caller's own parameters in the statement."""
        if self._binds is None:
            self._binds = statements.bind_names(self._statement)
        return self._binds

    def _refuse(self, key: str) -> None:
        about = self._described
        if self._takes_columns:
            fact = f"{about} has no attribute {key!r}, so the statement can't store it."
            known: frozenset[str] = self.bound.union(self._columns)
        else:
            fact = f"The DELETE from {about} has no parameter {key!r}."
            known = self.bound
        # imported here, since it takes as long to import as all of this library
        from difflib import get_close_matches

        close = get_close_matches(str(key), sorted(known), n=1)
        if close:
            raise UnknownAttribute(f"{fact} Did you mean {close[0]!r}?")
        raise UnknownAttribute(f"{fact} It has: {', '.join(sorted(known)) or 'none'}.")
