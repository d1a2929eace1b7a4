"""How the rows of a mapped class lie in its tables: which attribute is which column of which table.

A class of joined inheritance has a row in each of its tables, parents first.  Everything that is
written by object, and every statement for such a class, speaks in attribute keys; this module
turns them into the columns of each table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import ClauseElement, bindparam, tuple_
from sqlalchemy.schema import Column

from naked_sqla._sqlalchemy import mappings
from naked_sqla.exception import InvalidStatement, UnknownAttribute
from naked_sqla.objects.foreign_keys import foreign_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = (
    "Part",
    "Rows",
    "Written",
    "add_parts",
    "among",
    "has_expressions",
    "has_own_value",
    "runs",
    "types_by_key",
    "written_of",
)

Rows = Sequence[Mapping[str, Any]]

# where a mapper keeps its description: gone with the mapped class
_KEPT = "naked_sqla.write.tables"


class Part:
    """One table of a class.

    :ivar table: the table.
    :ivar columns: its columns by attribute key.
    :ivar keys: the attributes of its primary key, in the order of the key.
    :ivar omitted: attributes for which None means "not given": their columns have a value of their
        own (a default, a generated key), which an INSERT that names them would replace by NULL.
    :ivar added: what an INSERT sets where it is not given: the discriminator, the first version.
    :ivar version: the attribute of the version counter, where the client counts and it is here.
    :ivar inherited: (attribute, attribute of a subclass's key that has the same value).
    """

    __slots__ = ("added", "columns", "inherited", "keys", "names", "omitted", "table", "version")

    def __init__(self, mapper: Mapper[Any], table: Any, columns: dict[str, Any], key: Any) -> None:
        self.table = table
        self.columns = columns
        self.names = {attribute: str(column.key) for attribute, column in columns.items()}
        self.keys = tuple(str(mappings.attribute_of(mapper, column)) for column in key)
        self.omitted = frozenset(
            attribute for attribute, column in columns.items() if has_own_value(column)
        )
        self.inherited = tuple(
            pair for pair in mappings.inherited_keys(mapper, table) if pair[0] in columns
        )
        self.added: dict[str, Callable[[], Any]] = {}
        self.version: str | None = None
        found = mappings.discriminator(mapper)
        if found is not None and found[0] in columns:
            self.added[found[0]] = partial(_same, found[1])
        if _makes_versions(mapper) and mapper.version_id_col in columns.values():
            self.version = str(mappings.attribute_of(mapper, mapper.version_id_col))
            generate: Any = mapper.version_id_generator
            self.added[self.version] = partial(generate, None)

    def values(self, row: Mapping[str, Any], render_nulls: bool = False) -> dict[str, Any]:
        """What a row says about this table, by column key; None for "not given" is left out.

        :param render_nulls: leave no None out, but that of a primary key.
        """
        omitted: Collection[str] = self.keys if render_nulls else self.omitted
        names = self.names
        values = {
            names[key]: value
            for key, value in row.items()
            if key in names and (value is not None or key not in omitted)
        }
        for key, make in self.added.items():
            # the first version is the first one, whatever the row says
            if key == self.version or row.get(key) is None:
                values[names[key]] = make()
        return values


def _same(value: Any) -> Any:
    return value


def has_own_value(column: Any) -> bool:
    """True when an INSERT that leaves the column out stores more than NULL."""
    if column.type.should_evaluate_none or not isinstance(column, Column):
        return False
    return bool(
        column.primary_key or column.default is not None or column.server_default is not None
    )


class Written:
    """How a mapped class is written.

    :ivar mapper: its mapper.
    :ivar name: the name of the class, for messages.
    :ivar parts: its tables, parents first.
    :ivar keys: the attributes of its primary key, in the order of ``get()``.
    :ivar version: the attribute of its version counter, or None.
    :ivar columns: all column attributes that can be written.
    :ivar computed: those that the database computes (``Computed``): no part of what an object says.
    :ivar kind: the attribute of the discriminator, and its value in a row of just this class; or
        None.
    :ivar is_view: its table is a view (:func:`naked_sqla.view.view_table`).
    :ivar renewed: those that an UPDATE gives a value of their own (``onupdate``) unless it names
        them.
    :ivar related: its relationships, which :mod:`naked_sqla.write.related` finds and keeps here.
    """

    __slots__ = (
        "_aliases",
        "_composites",
        "columns",
        "computed",
        "is_view",
        "keys",
        "kind",
        "mapper",
        "name",
        "parts",
        "related",
        "renewed",
        "version",
    )

    def __init__(self, mapper: Mapper[Any]) -> None:
        self.mapper = mapper
        self.related: Any = None
        self.name: str = mapper.class_.__name__
        self.parts = tuple(Part(mapper, *found) for found in mappings.written_tables(mapper))
        self.keys = tuple(str(mappings.attribute_of(mapper, c)) for c in mapper.primary_key)
        column = mapper.version_id_col
        self.version = None if column is None else mappings.attribute_of(mapper, column)
        self.columns: dict[str, Any] = {}
        for part in reversed(self.parts):
            self.columns.update(part.columns)
        found = mappings.discriminator(mapper)
        self.kind = found if found is not None and found[0] in self.columns else None
        self.computed = frozenset(
            key for key, c in self.columns.items() if getattr(c, "computed", None) is not None
        )
        self.is_view = any(part.table.info.get("is_view") for part in self.parts)
        self.renewed = frozenset(
            key
            for key, c in self.columns.items()
            if isinstance(c, Column) and (c.onupdate is not None or c.server_onupdate is not None)
        )
        self._aliases = self._other_names()
        self._composites = {prop.key: prop for prop in mapper.composites}

    def _other_names(self) -> dict[str, str]:
        """Other name -> attribute: column keys, synonyms, attributes that show the same column."""
        aliases: dict[str, str] = {}
        for part in reversed(self.parts):
            aliases.update({name: key for key, name in part.names.items()})
        held = {column: key for key, column in self.columns.items()}
        for prop in self.mapper.column_attrs:
            shown = [held[column] for column in prop.columns if column in held]
            if shown:
                aliases[str(prop.key)] = shown[0]
        for synonym in self.mapper.synonyms:
            if synonym.name in self.columns:
                aliases.setdefault(str(synonym.key), str(synonym.name))
        return {name: key for name, key in aliases.items() if name not in self.columns}

    @property
    def generated(self) -> bool:
        """True when the client makes the next version of a row."""
        return _makes_versions(self.mapper)

    def unsaid(self, row: Mapping[str, Any]) -> frozenset[str]:
        """The attributes of an object that nobody has said for an UPDATE: what it renews, and the
        discriminator, which SQLAlchemy sets on each new instance.
        """
        kind = self.kind
        if kind is None or row.get(kind[0]) != kind[1]:
            return self.renewed
        return self.renewed | {kind[0]}

    def attribute(self, key: Any) -> str:
        """The attribute that a name stands for.

        :raises UnknownAttribute: for a name that nothing has.
        """
        if key in self.columns:
            return str(key)
        found = self._aliases.get(key)
        if found is None:
            self.refuse(key)
        return found

    def named(self, keys: Iterable[str]) -> set[str]:
        """The attributes that some names stand for; none for a name that nothing has."""
        found = (key if key in self.columns else self._aliases.get(key) for key in keys)
        return {key for key in found if key is not None}

    def translate(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """A dictionary of a caller, by attribute keys; ``row`` itself when it is that already."""
        if row.keys() <= self.columns.keys():
            return row
        values: dict[str, Any] = {}
        for key, value in row.items():
            prop = self._composites.get(key)
            if prop is not None:
                add_parts(values, key, _parts(prop, value), self.name)
                continue
            name = self.attribute(key)
            if values.setdefault(name, value) is not value:
                add_parts(values, key, {name: value}, self.name)
        return values

    def composite(self, key: str) -> Any:
        """The composite attribute of a name, or None."""
        return self._composites.get(key)

    def names(self) -> Iterable[str]:
        """All names that :meth:`translate` understands."""
        return {*self.columns, *self._aliases, *self._composites}

    def key_attributes(self) -> frozenset[str]:
        """The attributes of the primary keys of all tables."""
        return frozenset(key for part in self.parts for key in part.keys)

    def identity(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """The primary key that a row has, by attribute keys; None for what it lacks."""
        return tuple(map(row.get, self.keys))

    def refuse(self, key: Any) -> NoReturn:
        """Raise ``UnknownAttribute`` for a name that is no column."""
        prop = self.mapper.relationships.get(key) if isinstance(key, str) else None
        if prop is not None:
            raise UnknownAttribute(
                f"{self.name} has no attribute {key!r} that could be stored: it is a relationship. "
                f"{foreign_of(prop).advice}"
            )
        # imported here, since it takes as long to import as all of this library
        from difflib import get_close_matches

        known = sorted(self.names())
        fact = f"{self.name} has no attribute {key!r} that could be stored."
        close = get_close_matches(str(key), known, n=1)
        if close:
            raise UnknownAttribute(f"{fact} Did you mean {close[0]!r}?")
        raise UnknownAttribute(f"{fact} It has: {', '.join(known)}.")


def _parts(prop: Any, value: Any) -> dict[str, Any]:
    """The attributes of a composite value."""
    keys = mappings.composite_keys(prop)
    parts = [None] * len(keys) if value is None else mappings.composite_values(prop, value)
    return dict(zip(keys, parts, strict=True))


def add_parts(row: dict[str, Any], key: str, parts: Mapping[str, Any], name: str) -> None:
    """Add what a key of a caller's dictionary says.

    :raises InvalidStatement: another key has said something else.
    """
    for part, value in parts.items():
        other = row.setdefault(part, value)
        if other is not value and (other == value) is not True:
            raise InvalidStatement(
                f"{name} is given two values for {part!r}: {key!r} says {value!r}, another key "
                f"{other!r}. Give one of them."
            )


def among(columns: Sequence[Any], keys: Sequence[tuple[Any, ...]]) -> Any:
    """The criterion that some columns have one of some keys."""
    if len(columns) == 1:
        # typed by the column, as one key in a comparison is
        (column,) = columns
        values = [key[0] for key in keys]
        if has_expressions(set(map(type, values))):
            return column.in_(values)
        return column.in_(bindparam(None, values, type_=column.type, expanding=True))
    return tuple_(*columns).in_(keys)


def written_of(mapper: Mapper[Any]) -> Written:
    """The description of a mapped class; made once."""
    found: Written | None = mapper.class_manager.info.get(_KEPT)
    if found is None:
        found = mapper.class_manager.info[_KEPT] = Written(mapper)
    return found


def types_by_key(rows: Rows) -> dict[str, set[type]] | None:
    """The types of the values of some dictionaries, by key; None when their keys differ."""
    first = rows[0]
    if len(rows) == 1:
        return {key: {type(value)} for key, value in first.items()}
    if len(set(map(len, rows))) != 1:
        return None
    if set(map(type, rows)) != {dict} and any(row.keys() != first.keys() for row in rows):
        # a defaultdict would make the value that it lacks
        return None
    try:
        return {key: set(map(type, map(itemgetter(key), rows))) for key in first}
    except KeyError:
        return None


def has_expressions(types: Iterable[type]) -> bool:
    """True when values of one of these types are SQL expressions."""
    return any(issubclass(t, ClauseElement) or hasattr(t, "__clause_element__") for t in types)


def runs(rows: Iterable[Mapping[str, Any]]) -> Iterable[tuple[dict[str, Any], list[Any]]]:
    """Consecutive dictionaries that one statement can store.

    :return: for each of them the SQL expressions, which stand in the statement, and the rows with
        plain values.  A row with expressions is alone.
    """
    for _, group in groupby(rows, key=lambda row: row.keys()):
        same = list(group)
        types = types_by_key(same) or {}
        if not same[0] or not has_expressions(set().union(*types.values())):
            yield {}, same
            continue
        for row in same:
            found = {key: value for key, value in row.items() if has_expressions((type(value),))}
            yield found, [{key: value for key, value in row.items() if key not in found}]


def _makes_versions(mapper: Mapper[Any]) -> bool:
    """True when the client makes the next version of a row."""
    return mapper.version_id_col is not None and mapper.version_id_generator is not False
