"""The names by which parameters and ``values()`` may call what a statement writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from naked_sqla import _compat
from naked_sqla.exception import UnknownAttribute
from naked_sqla.om.write.tables import has_own_value

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = ("Names", "names_of")


_Rows = Sequence[Mapping[str, Any]]


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
        found = _compat.discriminator(mapper)
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
    keys = _compat.composite_keys(prop)

    def expand(value: Any) -> dict[str, Any]:
        parts = [None] * len(keys) if value is None else _compat.composite_values(prop, value)
        return {columns.get(k, k): part for k, part in zip(keys, parts, strict=True)}

    return expand


# where a mapper keeps them: gone with the mapped class
_KEPT = "naked_sqla.om.names"


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

    __slots__ = ("_binds", "_model", "_statement")

    def __init__(self, statement: Any, model: _Model | None) -> None:
        self._statement = statement
        self._model = model
        self._binds: frozenset[str] | None = None

    def check_values(self, values: Iterable[Any]) -> None:
        """Refuse string keys of ``values()`` that the model does not have."""
        for key in values:
            if (
                isinstance(key, str)
                and key not in self._columns()
                and (self._model is None or key not in self._model.readable)
            ):
                self._refuse(key)

    def translate(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """One dictionary of parameters, by column keys."""
        return self.translate_groups([[row]])[0][0]

    def translate_groups(self, groups: list[_Rows]) -> list[_Rows]:
        """Lists of dictionaries with the same keys, by column keys."""
        return [self._translate(rows) for rows in groups]

    def _translate(self, rows: _Rows) -> _Rows:
        renamed: dict[str, str] = {}
        composites: list[str] = []
        for key in rows[0]:
            column = self._column_of(key)
            if column is None:
                composites.append(key)
            elif column != key:
                renamed[key] = column
        added = self._added(rows[0], renamed)
        if not (renamed or composites or added):
            return rows
        return [self._renamed(row, renamed, composites, added) for row in rows]

    def _renamed(
        self,
        row: Mapping[str, Any],
        renamed: Mapping[str, str],
        composites: list[str],
        added: Mapping[str, Callable[[], Any]],
    ) -> dict[str, Any]:
        new = {key: make() for key, make in added.items()}
        new.update((renamed.get(key, key), value) for key, value in row.items())
        version = None if self._model is None else self._model.version
        if version is not None and version in added:
            # the first version is the first one, whatever the row says
            new[version] = added[version]()
        for key in composites:
            if self._model is not None:
                new.update(self._model.composites[key](new.pop(key)))
        return new

    def _column_of(self, key: str) -> str | None:
        """The column key, or bind name, that a key stands for; None for a composite."""
        if self._takes_columns:
            column = self._columns().get(key)
            if column is not None:
                return column
            if self._model is not None and key in self._model.composites:
                return None
        if key not in self._bound():
            self._refuse(key)
        return key

    def _added(
        self, row: Mapping[str, Any], renamed: Mapping[str, str]
    ) -> dict[str, Callable[[], Any]]:
        """The discriminator and first version that the ORM's bulk INSERT sets where not given."""
        if self._model is None or not self._model.added or not self._statement.is_insert:
            return {}
        given = {renamed.get(key, key) for key in row} - {self._model.version}
        return {key: make for key, make in self._model.added.items() if key not in given}

    @property
    def omitted(self) -> Iterable[str]:
        """Column keys for which None in a dictionary of an INSERT means "not given"."""
        return () if self._model is None else self._model.omitted

    def by_column(self, values: Mapping[str, Any]) -> dict[Any, Any]:
        """Values by column key, as ``values()`` can't misunderstand them."""
        table = self._statement.table if self._model is None else self._model.table
        return {table.columns[key]: value for key, value in values.items()}

    @property
    def _takes_columns(self) -> bool:
        return not self._statement.is_delete

    def _columns(self) -> Mapping[str, str]:
        if self._model is not None:
            return self._model.columns
        return {column.key: column.key for column in self._statement.table.columns}

    def _bound(self) -> frozenset[str]:
        if self._binds is None:
            self._binds = _compat.bind_names(self._statement)
        return self._binds

    def _refuse(self, key: str) -> None:
        about = self._model.described if self._model else f"table {self._statement.table}"
        if self._takes_columns:
            fact = f"{about} has no attribute {key!r}, so the statement can't store it."
            known: frozenset[str] = self._bound().union(self._columns())
        else:
            fact = f"The DELETE from {about} has no parameter {key!r}."
            known = self._bound()
        # imported here, since it takes as long to import as all of this library
        from difflib import get_close_matches

        close = get_close_matches(str(key), sorted(known), n=1)
        if close:
            raise UnknownAttribute(f"{fact} Did you mean {close[0]!r}?")
        raise UnknownAttribute(f"{fact} It has: {', '.join(sorted(known)) or 'none'}.")
