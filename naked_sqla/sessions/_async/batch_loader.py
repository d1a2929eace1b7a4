# ASYNC: a synchronous caller has no turns of an event loop in which keys could be collected.
"""A loader that batches: the keys of one turn of the event loop become one statement."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic

from sqlalchemy.exc import InvalidRequestError, MultipleResultsFound

from naked_sqla.hiding import hide, show, shown
from naked_sqla.read.lookup import key_of
from naked_sqla.read.many import ManyByKey, by_primary_key, key_columns
from naked_sqla.sessions.calls.many import KeyedCall

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    V = TypeVar("V", default=Any)
else:
    from typing import TypeVar

    V = TypeVar("V")

_Key = tuple[Any, ...]

# a session takes one call after the other, whichever of its loaders makes it
_turns: weakref.WeakKeyDictionary[Any, asyncio.Lock] = weakref.WeakKeyDictionary()

# integers beyond these are no keys of any database, and a driver refuses their whole statement
_LARGEST = 2**63


class BatchLoader(Generic[V]):
    """Loads by key, for GraphQL and its kin; it comes from ``db.loader(User)``.

    All keys that are asked for in one turn of the event loop are loaded by one statement, and each
    key once.  A loader keeps what it has loaded: make one for each request.
    """

    __slots__ = (
        "_cache",
        "_host",
        "_how",
        "_many",
        "_options",
        "_primary",
        "_tasks",
        "_waiting",
    )

    def __init__(
        self,
        host: Any,
        model: Any,
        key: Any,
        many: bool,
        order_by: Any,
        options: Iterable[Any] | None,
        execution_options: Mapping[str, Any] | None,
    ) -> None:
        self._host = host
        self._many = many
        self._primary = key is None
        how = by_primary_key(model, options, "loader")
        columns = how.columns if key is None else key_columns(key)
        order = tuple(order_by) if isinstance(order_by, tuple | list) else (order_by,)
        self._how = ManyByKey(model, columns, how.options, order)
        self._options = execution_options
        self._cache: dict[_Key, asyncio.Future[list[Any]]] = {}
        self._waiting: list[_Key] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self, key: Any) -> V:
        """Return the object of a key, or ``None``; with ``many=True`` a list of objects.

        :param key: a value, or a tuple where the loader's key has several attributes.
        :raises InvalidRequestError: for a key that does not fit.
        :raises MultipleResultsFound: when a key that is to have one object has several.

        And the errors of ``execute()``: to those whose keys are in the statement that failed.
        """
        found = await asyncio.shield(self._future(self._key(key)))
        if self._many:
            return list(found)  # type: ignore[return-value]
        if len(found) > 1:
            hidden = hide(self._host._engine.sync_engine)
            try:
                raise MultipleResultsFound(
                    f"loader({self._how.model.__name__}): {len(found)} rows have the key "
                    f"{shown(key)}. Pass many=True for lists."
                )
            finally:
                show(hidden)
        return found[0] if found else None  # type: ignore[return-value]

    async def load_many(self, keys: Iterable[Any]) -> list[V]:
        """Return what :meth:`load` returns for each key, in their order; raise the first error.

        :param keys: any number of keys, as :meth:`load` takes them.
        """
        return list(await asyncio.gather(*map(self.load, list(keys))))

    def prime(self, key: Any, value: V) -> None:
        """Tell the loader what a key has, unless it knows it already.

        :param key: as :meth:`load` takes it.
        :param value: an object or ``None``; with ``many=True`` a list of objects.
        """
        known = self._key(key)
        if known not in self._cache:
            future = asyncio.get_running_loop().create_future()
            given: Any = value
            future.set_result(list(given) if self._many else [] if given is None else [given])
            self._cache[known] = future

    def clear(self, *keys: Any) -> None:
        """Forget what some keys have, or all of it: the next :meth:`load` asks the database.

        :param keys: as :meth:`load` takes them; left out: all.
        """
        if not keys:
            self._cache.clear()
        for key in keys:
            self._cache.pop(self._key(key), None)

    def _key(self, key: Any) -> _Key:
        hidden = hide(self._host._engine.sync_engine)
        try:
            return self._checked(key)
        finally:
            show(hidden)

    def _checked(self, key: Any) -> _Key:
        model, size = self._how.model, len(self._how.columns)
        if self._primary:
            known = key_of(model, key, "loader")
        else:
            known = tuple(key) if size > 1 and isinstance(key, tuple | list) else (key,)
        if len(known) != size or any(value is None for value in known):
            raise InvalidRequestError(
                f"loader({model.__name__}) takes a key of {size} value{'s' * (size > 1)}, none of "
                f"them None, not {shown(key)}."
            )
        try:
            hash(known)
        except TypeError:
            raise InvalidRequestError(
                f"loader({model.__name__}) can't tell the key {shown(key)} from others: it has "
                f"no hash. Select its rows with scalars()."
            ) from None
        return known

    def _future(self, key: _Key) -> asyncio.Future[list[Any]]:
        future = self._cache.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._cache[key] = loop.create_future()
            if not self._waiting:
                loop.call_soon(self._dispatch)
            self._waiting.append(key)
        return future

    def _dispatch(self) -> None:
        """Load, in a task of its own, all that was asked for in this turn."""
        keys, self._waiting = self._waiting, []
        pending = {key: self._cache[key] for key in keys if key in self._cache}
        if pending:
            task = asyncio.get_running_loop().create_task(self._load(pending))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _load(self, pending: dict[_Key, asyncio.Future[list[Any]]]) -> None:
        # a key of another type than the column's fails the statement that it is in: it goes alone
        fitting = [key for key in pending if self._fits(key)]
        batches = [fitting] if fitting else []
        batches += [[key] for key in pending if not self._fits(key)]
        for batch in batches:
            try:
                found = await self._call(batch)
            except BaseException as error:
                for key in batch:
                    self._fail(key, pending[key], error)
                if not isinstance(error, Exception):
                    raise
            else:
                for key in batch:
                    if not pending[key].done():
                        pending[key].set_result(found.get(key, []))

    def _fail(self, key: _Key, future: asyncio.Future[list[Any]], error: BaseException) -> None:
        # what failed is asked for anew by the next load()
        if self._cache.get(key) is future:
            del self._cache[key]
        if future.done():
            return
        if isinstance(error, asyncio.CancelledError):
            future.cancel()
            return
        future.set_exception(error)
        # its caller may have been cancelled
        future.exception()

    async def _call(self, keys: list[_Key]) -> dict[_Key, list[Any]]:
        call = KeyedCall("loader", self._how, keys, self._options)
        found: dict[_Key, list[Any]]
        if hasattr(type(self._host), "state"):
            async with _turns.setdefault(self._host, asyncio.Lock()):
                found = await self._host._call(call)
        else:
            found = await self._host._call(call)
        return found

    def _fits(self, key: _Key) -> bool:
        for column, value in zip(self._how.columns, key, strict=True):
            try:
                wanted = column.type.python_type
            except NotImplementedError:
                continue
            if not isinstance(value, wanted) or (
                isinstance(value, int) and not -_LARGEST <= value < _LARGEST
            ):
                return False
        return True
