"""The tables that a statement names and loads, and the databases they are in.

A model's database is the ``__bind_key__`` of its class; else the ``"bind_key"`` in the ``info`` of
its table; else that of the table's metadata; else the default database, whose key is ``None``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from sqlalchemy import Table
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.elements import ColumnClause

from naked_sqla._sqlalchemy import loader_options, mappings, statements
from naked_sqla.exception import InvalidBind
from naked_sqla.objects.classes import mapper_of
from naked_sqla.sessions.routing import BIND_KEY

Key = str | None
# For each bind key, the name of one thing in its database, for messages.
NamesByKey = dict[Key, str]

_LOADING = frozenset({"selectin", "subquery", "immediate", "joined", False})


def database_name(key: Key) -> str:
    """Name a database in a message."""
    return "the default database" if key is None else repr(key)


def collect(subject: Any, found: NamesByKey) -> None:
    """Add the databases of a statement, a table, a column or a mapped class."""
    mapper = mapper_of(subject)
    if mapper is None and hasattr(subject, "local_table"):
        mapper = subject
    if mapper is not None:
        parts = [*_tables_of(mapper), *_expressions_of(mapper)]
    else:
        parts = [getattr(subject, "__clause_element__", lambda: subject)()]
    for table in _tables_in(parts):
        found.setdefault(key_of_table(table), f"table {table.name!r}")


def _tables_in(waiting: list[Any]) -> Iterator[Any]:
    """Yield the tables that expressions name; some come more than once."""
    seen = {id(part) for part in waiting}
    mappers: set[Any] = set()
    while waiting:
        for part in visitors.iterate(waiting.pop()):
            mapper = statements.mapper_of_part(part)
            if mapper is not None and mapper not in mappers:
                yield from _tables_of(mapper)
                if getattr(part, "is_selectable", False):
                    # the whole entity, and not a column of it
                    mappers.add(mapper)
                    waiting += _expressions_of(mapper)
            if isinstance(part, Table):
                yield part
            elif isinstance(part, ColumnClause) and part.table is not None:
                # an UPDATE names the tables of its WHERE by their columns only
                origin: Any = part.table
                while not isinstance(origin, Table) and hasattr(origin, "element"):
                    origin = origin.element
                if isinstance(origin, Table):
                    yield origin
                elif isinstance(origin, ClauseElement) and id(origin) not in seen:
                    seen.add(id(origin))
                    waiting.append(origin)


def _tables_of(mapper: Any) -> Iterator[Any]:
    for sub in {mapper, *mapper.with_polymorphic_mappers}:
        yield from sub.tables


def _expressions_of(mapper: Any) -> list[Any]:
    """The expressions that a class selects besides its columns: ``column_property()``."""
    return [
        prop.columns[0]
        for prop in mapper.column_attrs
        if not isinstance(prop.columns[0], ColumnClause)
    ]


def key_of_table(table: Any) -> Key:
    """The bind key of a table, by its classes, its ``info``, or its metadata's."""
    keys = {getattr(mapper.class_, "__bind_key__", None) for mapper in mappings.mappers_on(table)}
    if len(keys) > 1:
        names = ", ".join(repr(key) for key in sorted(keys, key=str))
        raise InvalidBind(
            f"the classes of table {table.name!r} have several bind keys: {names}. A table is in "
            f"one database: give all classes on it the same __bind_key__."
        )
    key: Key = keys.pop() if keys else None
    if key is None and isinstance(table, Table):
        key = table.info.get(BIND_KEY) or table.metadata.info.get(BIND_KEY)
    return key


def refuse_several(found: NamesByKey) -> NoReturn:
    """Raise ``InvalidBind`` for a statement that spans several databases."""
    parts = ", ".join(f"{what} in {database_name(key)}" for key, what in found.items())
    raise InvalidBind(
        f"a statement spans several databases: {parts}; nothing was sent. Write a statement "
        f"for each, or name the one that has all of it: "
        f'execution_options={{"{BIND_KEY}": ...}}.'
    )


# ---------------------------------------------------------------- what is loaded besides


def of_paths(paths: Iterable[Any], eager: bool) -> NamesByKey:
    """The databases of the relationships that ``preload()`` loads."""
    found: NamesByKey = {}
    for path in paths:
        for step in path if isinstance(path, tuple | list) else (path,):
            prop: Any = getattr(step, "property", None)
            if hasattr(prop, "mapper"):
                collect(prop.parent, found)
                _related(prop, found)
                eager_loads(prop.mapper.class_, (), eager, found)
    return found


def eager_loads(subject: Any, options: Iterable[Any], eager: bool, found: NamesByKey) -> None:
    """Add the databases of relationships that are loaded by options, or as they are mapped."""
    named: dict[Any, bool] = {}
    wildcard = False
    for prop, lazy in loader_options.relationship_options(options):
        if prop is None:
            wildcard = wildcard or lazy not in _LOADING
        else:
            named[prop] = lazy in _LOADING
            if named[prop]:
                _related(prop, found)
    if not eager or wildcard:
        return
    roots = [mapper_of(subject)] if isinstance(subject, type) else statements.mappers_of(subject)
    waiting = [mapper for mapper in roots if mapper is not None]
    seen = set(waiting)
    while waiting:
        for sub in waiting.pop().self_and_descendants:
            for prop in sub.relationships:
                if prop.lazy in _LOADING and named.get(prop, True):
                    _related(prop, found)
                    if prop.mapper not in seen:
                        seen.add(prop.mapper)
                        waiting.append(prop.mapper)


def _related(prop: Any, found: NamesByKey) -> None:
    where = f"{prop.parent.class_.__name__}.{prop.key}, which is loaded with it,"
    for table in _tables_of(prop.mapper):
        found.setdefault(key_of_table(table), where)
    if prop.secondary is not None and isinstance(prop.secondary, Table):
        found.setdefault(key_of_table(prop.secondary), where)
