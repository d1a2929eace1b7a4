"""How the rows of a mapped class lie in its tables: which attribute is which column of which table.

A class of joined inheritance has a row in each of its tables, parents first.  Writing by object and
statements for such a class use attribute keys; this module turns them into the columns of each
table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy.schema import Column

from naked_sqla._sqlalchemy import mappings
from naked_sqla.exception import InvalidStatement, UnknownAttribute
from naked_sqla.objects.classes import is_view
from naked_sqla.objects.foreign_keys import foreign_of
from naked_sqla.write.rows import add_parts

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = (
    "Part",
    "Written",
    "parts_of",
    "refuse_name",
    "written_of",
)

# where a mapper keeps its description: gone with the mapped class
_KEPT = "naked_sqla.write.tables"


class Part:
    """One table of a class.

    :ivar table: the table.
    :ivar columns: its columns by attribute key.
    :ivar keys: the attributes of its primary key, in the order of the key.
    :ivar omitted: attributes for which None means "not given": their columns have a default or a
        generated key, which an INSERT that names them would replace by NULL.
    :ivar added: the attributes that an INSERT sets by itself: the discriminator, the first version.
    :ivar version: the attribute of the version counter, if this table has it and the client counts.
    :ivar inherited: (attribute, attribute of a subclass's key that has the same value).
    """

    __slots__ = ("added", "columns", "inherited", "keys", "names", "omitted", "table", "version")

    def __init__(self, mapper: Mapper[Any], table: Any, columns: dict[str, Any], key: Any) -> None:
        self.table = table
        self.columns = columns
        self.names = {attribute: str(column.key) for attribute, column in columns.items()}
        self.keys = tuple(str(mappings.attribute_of(mapper, column)) for column in key)
        self.omitted = frozenset(
            attribute for attribute, column in columns.items() if _has_own_value(column)
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

    def with_values(self, statement: Any, expressions: Mapping[str, Any]) -> Any:
        """The INSERT or UPDATE with the SQL expressions of a row, by column key."""
        if not expressions:
            return statement
        return statement.values({self.table.columns[key]: v for key, v in expressions.items()})

    def values(self, row: Mapping[str, Any], render_nulls: bool = False) -> dict[str, Any]:
        """The values of a row for this table, by column key; without a None that means "not given".

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
            # a new row gets the first version, whatever it has
            if key == self.version or row.get(key) is None:
                values[names[key]] = make()
        return values


def _same(value: Any) -> Any:
    return value


def _has_own_value(column: Any) -> bool:
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
    :ivar all_keys: the attributes of the primary keys of all tables.
    :ivar version: the attribute of its version counter, or None.
    :ivar columns: all column attributes that can be written.
    :ivar computed: those that the database computes (``Computed``): never taken from an object.
    :ivar kind: the attribute of the discriminator, and its value in a row of just this class; or
        None.
    :ivar is_view: its table is a view (:func:`naked_sqla.view.view_table`).
    :ivar renewed: those with ``onupdate``, which an UPDATE sets unless it names them.
    :ivar own_part: the table of the class itself, to which a statement for it goes; None for a
        class that is mapped to a join or a subquery.
    :ivar own_columns: the names of its columns (attributes, column keys, synonyms) -> column key.
    :ivar own_omitted: its columns for which None means "not given", by column key.
    :ivar criteria: what holds besides for the rows that are found by their keys, on one connection.
    :ivar related: its relationships, which :mod:`naked_sqla.write.related` finds and keeps here.
    :ivar forms: statements that write one row, made once, by what they are.
    :ivar readers: what reads its objects, which :mod:`naked_sqla.write.values` keeps here.
    """

    __slots__ = (
        "_aliases",
        "_composites",
        "all_keys",
        "columns",
        "computed",
        "criteria",
        "forms",
        "is_view",
        "keys",
        "kind",
        "mapper",
        "name",
        "own_columns",
        "own_omitted",
        "own_part",
        "parts",
        "readers",
        "related",
        "renewed",
        "version",
    )

    def __init__(self, mapper: Mapper[Any]) -> None:
        self.mapper = mapper
        self.related: Any = None
        self.criteria: Sequence[Any] = ()
        self.forms: dict[Any, Any] = {}
        self.readers: dict[Any, Any] = {}
        self.name: str = mapper.class_.__name__
        self.parts = tuple(Part(mapper, *found) for found in mappings.written_tables(mapper))
        self.keys = tuple(str(mappings.attribute_of(mapper, c)) for c in mapper.primary_key)
        self.all_keys = frozenset(key for part in self.parts for key in part.keys)
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
        self.is_view = is_view(mapper)
        self.renewed = frozenset(
            key
            for key, c in self.columns.items()
            if isinstance(c, Column) and (c.onupdate is not None or c.server_onupdate is not None)
        )
        self._aliases = self._other_names(self.parts)
        self._composites = {prop.key: prop for prop in mapper.composites}
        local = mapper.local_table
        self.own_part = next((part for part in self.parts if part.table is local), None)
        self.own_columns = self._own_columns(local)
        self.own_omitted = frozenset(str(c.key) for c in local.columns if _has_own_value(c))

    def _other_names(self, parts: Sequence[Part]) -> dict[str, str]:
        """Other name -> attribute: column keys, synonyms, attributes that show the same column."""
        columns: dict[str, Any] = {}
        aliases: dict[str, str] = {}
        for part in reversed(parts):
            columns.update(part.columns)
            aliases.update({name: key for key, name in part.names.items()})
        held = {column: key for key, column in columns.items()}
        for prop in self.mapper.column_attrs:
            shown = [held[column] for column in prop.columns if column in held]
            if shown:
                aliases[str(prop.key)] = shown[0]
        for synonym in self.mapper.synonyms:
            if synonym.name in columns:
                aliases.setdefault(str(synonym.key), str(synonym.name))
        return {name: key for name, key in aliases.items() if name not in columns}

    def _own_columns(self, local: Any) -> Mapping[str, str]:
        columns: dict[str, str] = {column.key: column.key for column in local.columns}
        if self.own_part is not None:
            names = self.own_part.names
            others = self._other_names([self.own_part])
            columns |= {name: names[key] for name, key in others.items()}
            columns |= names
        return columns

    @property
    def generated(self) -> bool:
        """True when the client makes the next version of a row."""
        return _makes_versions(self.mapper)

    def unsaid(self, row: Mapping[str, Any]) -> frozenset[str]:
        """The attributes that an UPDATE does not take from an object: those that the UPDATE renews,
        and the discriminator, which SQLAlchemy sets on each new instance.
        """
        kind = self.kind
        if kind is None or row.get(kind[0]) != kind[1]:
            return self.renewed
        return self.renewed | {kind[0]}

    def attribute(self, key: Any) -> str:
        """The attribute that a name stands for.

        :raises UnknownAttribute: for an unknown name.
        """
        if key in self.columns:
            return str(key)
        found = self._aliases.get(key)
        if found is None:
            self.refuse(key)
        return found

    def named(self, keys: Iterable[str]) -> set[str]:
        """The attributes that some names stand for; unknown names are left out."""
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
                add_parts(values, key, parts_of(prop, value), self.name)
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

    def only_part(self, call: str, chooser: str, instead: str) -> Part:
        """The table of a class, for a call that writes one.

        :param chooser: the statement that takes one table, and the verb: ``"COPY writes"``.
        :raises InvalidStatement: the class has several.
        """
        first, *others = self.parts
        if others:
            tables = ", ".join(str(part.table) for part in self.parts)
            raise InvalidStatement(
                f"{call}: a {self.name} is stored in several tables ({tables}), and {chooser} one. "
                f"{instead}"
            )
        return first

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
        fact = f"{self.name} has no attribute {key!r} that could be stored."
        refuse_name(fact, key, self.names())


def refuse_name(fact: str, key: Any, known: Iterable[str]) -> NoReturn:
    """Raise ``UnknownAttribute`` for a name, with the closest one that there is."""
    if key == mappings.INSTANCE_STATE:
        raise UnknownAttribute(
            f"{fact} It is the ORM's own, so that this is the __dict__ of an instance. Pass the "
            f"instance itself to insert(obj), insert_all(objs) or update(obj); for execute(), make "
            f"dictionaries of its attributes."
        )
    # imported here, since it takes as long to import as all of this library
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(str(key), names, n=1)
    if close:
        raise UnknownAttribute(f"{fact} Did you mean {close[0]!r}?")
    raise UnknownAttribute(f"{fact} It has: {', '.join(names) or 'none'}.")


def parts_of(prop: Any, value: Any) -> dict[str, Any]:
    """The attributes of a composite value."""
    keys = mappings.composite_keys(prop)
    parts = [None] * len(keys) if value is None else mappings.composite_values(prop, value)
    return dict(zip(keys, parts, strict=True))


def written_of(mapper: Mapper[Any]) -> Written:
    """The description of a mapped class; made once."""
    found: Written | None = mapper.class_manager.info.get(_KEPT)
    if found is None:
        found = mapper.class_manager.info[_KEPT] = Written(mapper)
    return found


def _makes_versions(mapper: Mapper[Any]) -> bool:
    """True when the client makes the next version of a row."""
    return mapper.version_id_col is not None and mapper.version_id_generator is not False
