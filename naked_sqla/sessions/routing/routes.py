"""Which of several databases a call goes to, told from its arguments alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from sqlalchemy.sql import ClauseElement

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import statements
from naked_sqla.exception import InvalidBind
from naked_sqla.sessions.routing.tables import Key, NamesByKey, collect, eager_loads, refuse_several

if TYPE_CHECKING:
    from naked_sqla.sessions.calls.base import Call


class Routes:
    """Sends each call to a database.

    :param keys: the bind keys that are configured, without the default one.
    """

    __slots__ = ("_keys", "_remembered")

    def __init__(self, keys: Collection[str]) -> None:
        self._keys = frozenset(keys)
        self._remembered: BoundedCache[Any, Key] = BoundedCache(1000)

    def of_call(self, call: Call, eager: bool) -> tuple[Key, Call]:
        """The database that a call goes to.

        :return: its bind key, and the call as it is to be run.
        :raises InvalidBind: for what spans two databases, or has a key that is not configured.
        """
        key, call = call.named_database()
        if key is not None:
            return self._known(key, "the execution option"), call
        return call.database(self, eager), call

    def of(self, *subjects: Any) -> Key:
        """The database of mapped classes, tables, columns and statements."""
        found: NamesByKey = {}
        for subject in subjects:
            if subject is not None:
                collect(subject, found)
        return self.one(found)

    def key(self, key: Key) -> Key:
        """A bind key that a caller has named."""
        return self._known(key, "what was asked for")

    def of_statement(self, subject: Any, options: Any, eager: bool) -> Key:
        """The database of a statement, or of a mapped class that loader options go with."""
        known: Any = None
        if isinstance(subject, type):
            if not options:
                known = subject, eager
        elif not isinstance(subject, ClauseElement):
            # no statement: whoever runs it says so
            return None
        else:
            options = statements.options_of(subject)
            cache_key = statements.cache_key_of(subject)
            if cache_key is not None:
                known = cache_key, eager
        if known is not None and known in self._remembered:
            return self._remembered[known]
        found: NamesByKey = {}
        collect(subject, found)
        eager_loads(subject, options, eager, found)
        key = self.one(found)
        if known is not None:
            self._remembered[known] = key
        return key

    def one(self, found: NamesByKey) -> Key:
        """The only database among some."""
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
