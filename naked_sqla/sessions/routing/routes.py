"""Find the database of a call, from its arguments alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy.sql import ClauseElement

from naked_sqla._cache import BoundedCache
from naked_sqla._sqlalchemy import statements
from naked_sqla.exception import InvalidBind
from naked_sqla.sessions.routing.tables import Key, NamesByKey, collect, eager_loads, refuse_several


class Routes:
    """Sends each call to a database.

    :param keys: the bind keys that are configured, without the default one.
    """

    __slots__ = ("_keys", "_remembered")

    def __init__(self, keys: Collection[str]) -> None:
        self._keys = frozenset(keys)
        self._remembered: BoundedCache[Any, Key] = BoundedCache(1000)

    def of(self, *subjects: Any) -> Key:
        """The database of mapped classes, tables, columns and statements."""
        found: NamesByKey = {}
        for subject in subjects:
            if subject is not None:
                collect(subject, found)
        return self.one(found)

    def of_statement(self, subject: Any, options: Any, eager: bool) -> Key:
        """The database of a statement, or of a mapped class that loader options go with."""
        known: Any = None
        if isinstance(subject, type):
            if not options:
                known = subject, eager
        elif not isinstance(subject, ClauseElement):
            # not a statement: the call refuses it when it runs
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
        """The one database of all that was found.

        :raises InvalidBind: for several.
        """
        if not found:
            return None
        if len(found) > 1:
            refuse_several(found)
        ((key, what),) = found.items()
        return self.known(key, what)

    def known(self, key: Key, what: str) -> Key:
        """Give a bind key back; raise ``InvalidBind`` for one that is not configured.

        :param what: the thing that has the key, for the error.
        """
        if key is None or key in self._keys:
            return key
        known = ", ".join(map(repr, sorted(self._keys)))
        raise InvalidBind(
            f"{what} has the bind key {key!r}, and the binds of this factory are {known}. Correct "
            f"the key, or add the database: binds={{{key!r}: engine}}."
        )
