"""Which of several databases a call goes to, told from its arguments alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from sqlalchemy.sql import ClauseElement

from naked_sqla import _compat
from naked_sqla._cache import BoundedCache
from naked_sqla.exception import InvalidBind
from naked_sqla.om.sessions import calls
from naked_sqla.om.sessions.belonging import (
    OPTION,
    Found,
    Key,
    collect,
    eager_loads,
    mapped,
    of_paths,
    refuse_several,
)
from naked_sqla.om.sessions.write_calls import WRITES, update

# Where the functions of ``_calls`` that run a statement have it, and its execution options.
_PLACES: dict[Callable[..., Any], tuple[int, int]] = {
    calls.execute: (0, 2),
    calls.tuples: (0, 2),
    calls.scalars: (0, 2),
    calls.scalar: (0, 2),
    calls.exec_: (0, 2),
    calls.stream: (0, 2),
    calls.into: (1, 4),
    calls.stream_into: (1, 4),
    calls.get: (0, 3),
    calls.get_one: (0, 3),
}


class Routes:
    """Sends each call to a database.

    :param keys: the bind keys that are configured, without the default one.
    """

    __slots__ = ("_keys", "_remembered")

    def __init__(self, keys: Collection[str]) -> None:
        self._keys = frozenset(keys)
        self._remembered: BoundedCache[Any, Key] = BoundedCache(1000)

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
            if fn is calls.get or fn is calls.get_one:
                # its loader options may lead elsewhere
                return self._of_statement(subject, args[2] or (), eager), args
            return self._of_statement(subject, (), eager and fn is not calls.into), args
        if fn is calls.preload:
            return self._one(of_paths(args[1], eager)), args
        if fn in WRITES:
            key, args = _taken(args, len(args) - 1)
            if key is not None:
                return self._known(key, "the execution option"), args
            # after the key of a row come its values, which may be SQL
            key, written = self._of_objects(args[:-1], eager, args[1] if fn is update else ())
            return key, (*written, args[-1])
        return self._of_objects(args, eager)

    def of(self, *subjects: Any) -> Key:
        """The database of mapped classes, tables, columns and statements."""
        found: Found = {}
        for subject in subjects:
            if subject is not None:
                collect(subject, found)
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
        collect(subject, found)
        eager_loads(subject, options, eager, found)
        key = self._one(found)
        if known is not None:
            self._remembered[known] = key
        return key

    def _of_objects(
        self, args: tuple[Any, ...], eager: bool, more: Iterable[Any] = ()
    ) -> tuple[Key, tuple[Any, ...]]:
        """For what takes a model, an object, several of them, or a statement, in first place."""
        classes = [arg for arg in args if mapped(arg) is not None]
        for arg in (*args, *more):
            if isinstance(arg, Mapping):
                # values, which may be SQL, or name the model
                classes += [
                    value
                    for value in arg.values()
                    if isinstance(value, ClauseElement) or mapped(value) is not None
                ]
        subject = args[0] if args else None
        if mapped(subject.__class__) is not None:
            classes.append(subject.__class__)
        if len(classes) == 1:
            return self._of_statement(classes[0], (), eager=False), args
        if classes:
            return self.of(*classes), args
        if isinstance(subject, ClauseElement):
            return self._of_statement(subject, (), eager), args
        if isinstance(subject, Iterable) and not isinstance(subject, str | bytes | Mapping):
            # looked at here, and once more by who stores them
            objects = subject if isinstance(subject, list | tuple) else list(subject)
            kinds = {obj.__class__ for obj in objects}
            models = [kind for kind in kinds if mapped(kind) is not None]
            return self.of(*models), (objects, *args[1:])
        return None, args

    def _one(self, found: Found) -> Key:
        if not found:
            return None
        if len(found) > 1:
            refuse_several(found)
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
    key, args = _taken(args, options_at)
    if key is None:
        key = _own_key(args[at])
    return key, _without_own_key(at, args), key is not None


def _taken(args: tuple[Any, ...], at: int) -> tuple[Any, tuple[Any, ...]]:
    """The bind key among the execution options of a call, or None; the arguments without it."""
    options = args[at]
    if not options or options.get(OPTION) is None:
        return None, args
    rest = {name: value for name, value in options.items() if name != OPTION}
    return options[OPTION], (*args[:at], rest or None, *args[at + 1 :])


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
