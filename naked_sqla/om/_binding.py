"""Which of several databases a statement belongs to, told from the statement alone.

A model's database is the ``__bind_key__`` of its class; else the ``"bind_key"`` in the ``info`` of
its table; else that of the table's metadata; else the default database, whose key is ``None``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NoReturn

from sqlalchemy import Table, inspect
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.elements import ColumnClause

from .. import _compat
from ..exception import InvalidBind
from . import _calls

OPTION = "bind_key"

Key = str | None
# What belongs to which database: a name of something for each key.
Found = dict[Key, str]

_REMEMBERED = 1000

_LOADING = frozenset({"selectin", "subquery", "immediate", "joined", False})

# Where the functions of ``_calls`` that run a statement have it, and its execution options.
_PLACES: dict[Callable[..., Any], tuple[int, int]] = {
    _calls.execute: (0, 2),
    _calls.tuples: (0, 2),
    _calls.scalars: (0, 2),
    _calls.scalar: (0, 2),
    _calls.exec_: (0, 2),
    _calls.stream: (0, 2),
    _calls.into: (1, 4),
    _calls.stream_into: (1, 4),
    _calls.get: (0, 3),
    _calls.get_one: (0, 3),
}


class Routes:
    """Sends each call to a database.

    :param keys: the bind keys that are configured, without the default one.
    """

    __slots__ = ("_keys", "_remembered")

    def __init__(self, keys: Collection[str]) -> None:
        self._keys = frozenset(keys)
        self._remembered: dict[Any, Key] = {}

    def of_call(
        self, fn: Callable[..., Any], args: tuple[Any, ...], eager: bool
    ) -> tuple[Key, tuple[Any, ...]]:
        """The database of a function of ``_calls`` and its kin.

        :return: its bind key, and the arguments to call it with.
        :raises InvalidBind: for what spans two databases, or has a key that is not configured.
        """
        place = _PLACES.get(fn)
        if place is not None:
            key, args, explicit = _explicit(place, args)
            if explicit:
                return self._known(key, "the execution option"), args
            subject = args[place[0]]
            if fn is _calls.get or fn is _calls.get_one:
                # its loader options may lead elsewhere
                return self._of_statement(subject, args[2] or (), eager), args
            return self._of_statement(subject, (), eager and fn is not _calls.into), args
        if fn is _calls.preload:
            return self._one(_of_paths(args[1], eager)), args
        return self._of_objects(args, eager)

    def of(self, *subjects: Any) -> Key:
        """The database of mapped classes, tables, columns and statements."""
        found: Found = {}
        for subject in subjects:
            if subject is not None:
                _collect(subject, found)
        return self._one(found)

    def key(self, key: Key) -> Key:
        """A bind key that a caller has named."""
        return self._known(key, "what was asked for")

    def _of_statement(self, subject: Any, options: Any, eager: bool) -> Key:
        known: Any = None
        if isinstance(subject, type):
            if not options:
                known = subject, eager
        elif not isinstance(subject, ClauseElement):
            # no statement: whoever runs it says so
            return None
        else:
            if (named := _own_key(subject)) is not None:
                return self._known(named, "the execution option")
            options = _compat.options_of(subject)
            cache_key = _compat.cache_key_of(subject)
            if cache_key is not None:
                known = cache_key, eager
        if known is not None and known in self._remembered:
            return self._remembered[known]
        found: Found = {}
        _collect(subject, found)
        _eager_loads(subject, options, eager, found)
        key = self._one(found)
        if known is not None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[known] = key
        return key

    def _of_objects(self, args: tuple[Any, ...], eager: bool) -> tuple[Key, tuple[Any, ...]]:
        """For what takes a model, an object, several of them, or a statement, in first place."""
        classes = [arg for arg in args if _mapper(arg) is not None]
        if len(classes) == 1:
            return self._of_statement(classes[0], (), eager=False), args
        if classes:
            return self.of(*classes), args
        subject = args[0] if args else None
        if isinstance(subject, ClauseElement):
            return self._of_statement(subject, (), eager), args
        if _mapper(subject.__class__) is not None:
            return self._of_statement(subject.__class__, (), eager=False), args
        if isinstance(subject, Iterable) and not isinstance(subject, str | bytes | Mapping):
            # looked at here, and once more by who stores them
            objects = subject if isinstance(subject, list | tuple) else list(subject)
            kinds = {obj.__class__ for obj in objects}
            mapped = [kind for kind in kinds if _mapper(kind) is not None]
            return self.of(*mapped), (objects, *args[1:])
        return None, args

    def _one(self, found: Found) -> Key:
        if not found:
            return None
        if len(found) > 1:
            _refuse_several(found)
        ((key, what),) = found.items()
        return self._known(key, what)

    def _known(self, key: Key, what: str) -> Key:
        if key is None or key in self._keys:
            return key
        known = ", ".join(map(repr, sorted(self._keys)))
        raise InvalidBind(
            f"{what} has the bind key {key!r}, and the binds of this factory are {known}. Mend the "
            f"key, or add the database: binds={{{key!r}: engine}}."
        )


def _explicit(place: tuple[int, int], args: tuple[Any, ...]) -> tuple[Key, tuple[Any, ...], bool]:
    """What the options of a call or of its statement name; the arguments without it."""
    at, options_at = place
    options = args[options_at]
    if options and options.get(OPTION) is not None:
        key = options[OPTION]
        rest = {name: value for name, value in options.items() if name != OPTION}
        args = (*args[:options_at], rest or None, *args[options_at + 1 :])
        return key, _without_own_key(at, args), True
    key = _own_key(args[at])
    return key, _without_own_key(at, args), key is not None


def _own_key(statement: Any) -> Any:
    if isinstance(statement, type):
        return None
    read: Any = getattr(statement, "get_execution_options", None)
    return None if read is None else read().get(OPTION)


def _without_own_key(at: int, args: tuple[Any, ...]) -> tuple[Any, ...]:
    if _own_key(args[at]) is None:
        return args
    statement = args[at].execution_options(**{OPTION: None})
    return (*args[:at], statement, *args[at + 1 :])


def _mapper(subject: Any) -> Any:
    """The mapper of a mapped class, or None."""
    if not isinstance(subject, type):
        return None
    found: Any = inspect(subject, raiseerr=False)
    return found if hasattr(found, "local_table") else None


# ---------------------------------------------------------------- what a statement is about


def _collect(subject: Any, found: Found) -> None:
    """Add the databases of whatever a statement is made of."""
    mapper = _mapper(subject)
    if mapper is None and hasattr(subject, "local_table"):
        mapper = subject
    if mapper is not None:
        tables: Iterable[Any] = _tables_of(mapper)
    else:
        tables = _tables_in(getattr(subject, "__clause_element__", lambda: subject)())
    for table in tables:
        found.setdefault(key_of_table(table), f"table {table.name!r}")


def _tables_in(statement: Any) -> Iterator[Any]:
    """The tables that an expression names, one time or several."""
    waiting, seen = [statement], {id(statement)}
    while waiting:
        for part in visitors.iterate(waiting.pop()):
            mapper = _compat.mapper_of_part(part)
            if mapper is not None:
                yield from _tables_of(mapper)
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


def key_of_table(table: Any) -> Key:
    """The bind key of a table, by its classes, its ``info``, or its metadata's."""
    keys = {getattr(mapper.class_, "__bind_key__", None) for mapper in _compat.mappers_on(table)}
    if len(keys) > 1:
        names = ", ".join(repr(key) for key in sorted(keys, key=str))
        raise InvalidBind(
            f"the classes of table {table.name!r} have several bind keys: {names}. A table is in "
            f"one database: give all classes on it the same __bind_key__."
        )
    key: Key = keys.pop() if keys else None
    if key is None and isinstance(table, Table):
        key = table.info.get(OPTION) or table.metadata.info.get(OPTION)
    return key


def _refuse_several(found: Found) -> NoReturn:
    parts = ", ".join(
        f"{what} in {'the default database' if key is None else repr(key)}"
        for key, what in found.items()
    )
    raise InvalidBind(
        f"a statement spans several databases: {parts}; nothing of it was sent. Write a statement "
        f"for each, or name the one that has all of it: "
        f'execution_options={{"{OPTION}": ...}}.'
    )


# ---------------------------------------------------------------- what is loaded besides


def _of_paths(paths: Iterable[Any], eager: bool) -> Found:
    """The databases of what ``preload()`` reads."""
    found: Found = {}
    for path in paths:
        for step in path if isinstance(path, tuple | list) else (path,):
            prop: Any = getattr(step, "property", None)
            if hasattr(prop, "mapper"):
                _collect(prop.parent, found)
                _related(prop, found)
                _eager_loads(prop.mapper.class_, (), eager, found)
    return found


def _eager_loads(subject: Any, options: Iterable[Any], eager: bool, found: Found) -> None:
    """Add the databases of relationships that are loaded by options, or as they are mapped."""
    named: dict[Any, bool] = {}
    wildcard = False
    for prop, lazy in _compat.relationship_options(options):
        if prop is None:
            wildcard = wildcard or lazy not in _LOADING
        else:
            named[prop] = lazy in _LOADING
            if named[prop]:
                _related(prop, found)
    if not eager or wildcard:
        return
    roots = [_mapper(subject)] if isinstance(subject, type) else _compat.mappers_of(subject)
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


def _related(prop: Any, found: Found) -> None:
    where = f"{prop.parent.class_.__name__}.{prop.key}, which is loaded with it,"
    for table in _tables_of(prop.mapper):
        found.setdefault(key_of_table(table), where)
    if prop.secondary is not None and isinstance(prop.secondary, Table):
        found.setdefault(key_of_table(prop.secondary), where)
