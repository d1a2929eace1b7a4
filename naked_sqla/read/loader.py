"""Cursor result -> objects -> ``Result``: where plan, hydrator and further statements meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import is_not
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import InvalidRequestError

from naked_sqla._cache import BoundedCache
from naked_sqla._frozen import Frozen
from naked_sqla._sqlalchemy import compile_states, results
from naked_sqla.read.loading import Loading
from naked_sqla.read.result import Keys, to_chunked_result, to_loaded_result
from naked_sqla.read.turns import in_turns, row_by_row

if TYPE_CHECKING:
    from sqlalchemy import Result

    from naked_sqla.read.hydrator import Hydrate
    from naked_sqla.read.plan import Plan
    from naked_sqla.read.records import Below, OfItems

__all__ = (
    "KnownLoader",
    "Loader",
    "MakeLoader",
    "entity_result",
    "known_loader",
    "loader_of",
    "stream_result",
)

# plans of one compiled statement differ only where a driver tells column types per execution
_PLANS_PER_STATEMENT = 8

# rows of a stream that are loaded together without yield_per
_CHUNK = 1000


class Loader(Frozen):
    """Turns the rows of one cursor result into objects, all at once or chunk by chunk.

    :ivar load: takes rows as they come from the cursor result, gives objects or tuples, with the
        relationships that further statements load.
    :ivar metadata: of the ``Result`` that holds the objects.
    :ivar scalar: True when :attr:`load` gives the single item of each row, not tuples.
    :ivar multiplied: True when rows repeat their objects, so that the result needs ``unique()``.
    :ivar raw: True when :attr:`load` takes rows as the driver gives them, False for rows that
        SQLAlchemy has converted.
    """

    load: Callable[[Iterable[Any]], list[Any]]
    metadata: Any
    scalar: bool
    multiplied: bool
    raw: bool


# makes the loader of a cursor result in place of loader_of()
MakeLoader = Callable[[CursorResult[Any]], Loader]


class _CompiledPlan:
    """The part of a loader that is the same for each execution of one plan.

    :ivar below: which objects of further statements are made as records.
    :ivar metadata: of the results, where it is the same for each execution, or None.
    :ivar loader: the whole loader, where nothing of it differs between executions, or None.
    """

    __slots__ = (
        "_last",
        "below",
        "hydrate",
        "later",
        "loader",
        "metadata",
        "multiplied",
        "raw",
        "scalar",
    )

    def __init__(self, plan: Plan, keys: Keys, raw: bool, turns: bool, records: OfItems) -> None:
        from naked_sqla.read.hydrator import hydrator

        self.below: Below = {}
        if records:
            from naked_sqla.read.records import with_records

            plan, self.below = with_records(plan, records)
        # rows of one object may lie far from each other
        parts = in_turns if turns and not plan.unify else row_by_row
        self.hydrate: Hydrate = parts(hydrator(plan), plan.width)
        self.later = plan.later
        self.scalar = plan.scalar
        self.multiplied = plan.multiplied
        self.raw = raw
        self.metadata = keys.metadata(()) if keys.is_fixed else None
        self._last: tuple[tuple[Any, ...], Any] | None = None
        self.loader: Loader | None = None
        if keys.is_fixed and not self.later:
            self.loader = self.loader_with(self.hydrate, self.metadata)

    def metadata_for(self, keys: Keys, columns: Sequence[Any]) -> Any:
        """The metadata of one execution, the same one while the statement stays the same.

        :param columns: of the statement in hand.
        """
        # one value, since two threads may load the same statement
        last = self._last
        if last is None or len(last[0]) != len(columns) or any(map(is_not, last[0], columns)):
            last = self._last = (tuple(columns), keys.metadata(columns))
        return last[1]

    def loader_with(self, load: Callable[[Iterable[Any]], list[Any]], metadata: Any) -> Loader:
        """The loader of one execution."""
        return Loader(load, metadata, self.scalar, self.multiplied, self.raw)


class _Loaders:
    """The loaders of one compiled statement; kept with it, and gone with it."""

    __slots__ = ("by_plan", "current", "keys")

    def __init__(self, state: Any) -> None:
        # imported when they are first used, as the hydrator: with the first entity
        from naked_sqla.read.planner import keys_of

        self.keys = keys_of(state)
        # one value, since two threads may load the same statement
        self.current: _LastFound | None = None
        self.by_plan: BoundedCache[tuple[Plan, OfItems], _CompiledPlan]
        self.by_plan = BoundedCache(_PLANS_PER_STATEMENT)

    def find(
        self, state: Any, result: CursorResult[Any], raw: bool, loading: Loading
    ) -> _CompiledPlan:
        """The function for the metadata of a result, which SQLAlchemy mostly caches too."""
        metadata = results.metadata_of(result)
        sentinels = results.sentinels_of(result)
        stamp: tuple[Any, ...] = (raw, sentinels, loading.shared, loading.records)
        if loading.depths:
            stamp = (*stamp, *loading.depths.items())
        current = self.current
        if (
            current is not None
            and current.metadata is metadata
            and current.stamp == stamp
            and (not current.sizes or current.sizes == _sizes(current.plan))
        ):
            return current.compiled
        from naked_sqla.read.planner import plan_of

        plan = plan_of(state, metadata, raw, loading.depths, loading.shared, sentinels)
        found = self.by_plan.get((plan, loading.records))
        if found is None:
            found = _CompiledPlan(plan, self.keys, raw, result.dialect.is_async, loading.records)
            self.by_plan[plan, loading.records] = found
        self.current = _LastFound(metadata, stamp, plan, _sizes(plan), found)
        return found


class _LastFound(Frozen):
    """The compiled plan that was found last, and the result that it was found for.

    :ivar sizes: of the plan's hierarchies: a class that was mapped since then is not in the plan.
    """

    metadata: Any
    stamp: tuple[Any, ...]
    plan: Plan
    sizes: list[int]
    compiled: _CompiledPlan


def _sizes(plan: Plan) -> list[int]:
    return [len(classes) for classes in plan.hierarchies]


def loader_of(result: CursorResult[Any], statement: Any, loading: Loading) -> Loader | None:
    """Find the loader that turns the rows of a cursor result into objects.

    :param result: of ``statement``, fresh.
    :param statement: the statement as the caller passed it.
    :param loading: how further statements are run.
    :return: None when its rows hold no entities and stay as they are.
    """
    found = compile_states.entity_state(result.context.compiled)
    if found is None:
        return None
    state, is_dml = found
    cache = compile_states.state_cache(state)
    loaders: _Loaders | None = cache.get(_Loaders)
    if loaders is None:
        loaders = cache[_Loaders] = _Loaders(state)
    raw = results.is_raw_readable(result)
    compiled = loaders.find(state, result, raw, loading)
    if compiled.loader is not None:
        return compiled.loader
    return _loader_of_one(state, is_dml, loaders, compiled, statement, loading)


def _loader_of_one(
    state: Any,
    is_dml: bool,
    loaders: _Loaders,
    compiled: _CompiledPlan,
    statement: Any,
    loading: Loading | None,
) -> Loader:
    """The loader of one execution, where not all of it is the same for each.

    :param loading: how further statements are run, where the plan has any.
    """
    metadata = compiled.metadata
    if metadata is None:
        columns = compile_states.translation_columns(state, statement, is_dml)
        metadata = compiled.metadata_for(loaders.keys, columns)
    load = compiled.hydrate
    if loading is not None and compiled.later:
        # imported when it is first used: many services load no relationships
        from naked_sqla.read.eager import load_later

        load = load_later(load, compiled.later, compiled.below, state, statement, loading)
    return compiled.loader_with(load, metadata)


class KnownLoader:
    """What is known of the loader of a compiled statement, before a further execution of it."""

    __slots__ = ("_found", "_is_dml", "_loaders", "_state")

    def __init__(self, state: Any, is_dml: bool, loaders: _Loaders, found: _LastFound) -> None:
        self._state = state
        self._is_dml = is_dml
        self._loaders = loaders
        self._found = found

    def of(self, statement: Any, loading: Callable[[], Loading]) -> Loader | None:
        """The loader of an execution that is to come; it takes rows as the driver gives them.

        :param loading: makes what says how further statements are run.
        :return: None when classes were mapped since then, which the loader does not know.
        """
        found = self._found
        if found.sizes and found.sizes != _sizes(found.plan):
            return None
        compiled = found.compiled
        if compiled.loader is not None:
            return compiled.loader
        how = loading() if compiled.later else None
        return _loader_of_one(self._state, self._is_dml, self._loaders, compiled, statement, how)


def known_loader(
    result: CursorResult[Any], shared: bool = False, records: OfItems = ()
) -> KnownLoader | None:
    """What the next execution of a statement need not find out.

    :param result: of the statement, after :func:`loader_of`.
    :param shared: as :attr:`.Loading.shared` was, and ``records`` as :attr:`.Loading.records`.
    :return: None where SQLAlchemy has to read the rows, or each execution has other columns.
    """
    found = compile_states.entity_state(result.context.compiled)
    if found is None:
        return None
    state, is_dml = found
    loaders: _Loaders | None = compile_states.state_cache(state).get(_Loaders)
    current = None if loaders is None else loaders.current
    stamp = True, results.sentinels_of(result), shared, records
    if loaders is None or current is None or current.stamp != stamp:
        return None
    if current.metadata is not results.metadata_of(result):
        return None
    return KnownLoader(state, is_dml, loaders, current)


def _loader(
    result: CursorResult[Any], statement: Any, loading: Loading, make_loader: MakeLoader | None
) -> Loader | None:
    if make_loader is None:
        return loader_of(result, statement, loading)
    try:
        return make_loader(result)
    except Exception:
        result.close()
        raise


def entity_result(
    result: CursorResult[Any],
    statement: Any,
    loading: Loading,
    make_loader: MakeLoader | None = None,
) -> Result[Any]:
    """The result of a statement, with its entities as naked objects.

    :param result: the fresh cursor result of ``statement``; it is read to its end.
    :param statement: the statement as the caller passed it.
    :param loading: how further statements are run.
    :param make_loader: makes the loader of the result; None: :func:`loader_of` does.
    :return: ``result`` itself, buffered, when its rows hold no entities.
    :raises ConversionError: a value can't be converted by the type of its column.
    """
    loader = _loader(result, statement, loading, make_loader)
    if loader is None:
        if result.returns_rows:
            results.buffer_rows(result)
        return result
    return to_loaded_result(loader, results.raw_rows(result) if loader.raw else result.all())


def stream_result(
    result: CursorResult[Any],
    statement: Any,
    loading: Loading,
    make_loader: MakeLoader | None = None,
) -> Result[Any]:
    """The result of a statement that is read chunk by chunk.

    :param result: the fresh cursor result of ``statement``, with a server-side cursor.
    :param make_loader: as in :func:`entity_result`.
    :return: ``result`` itself when its rows hold no entities.
    :raises InvalidRequestError: for joined collections.
    """
    loader = _loader(result, statement, loading, make_loader)
    if loader is None:
        return result
    if loader.multiplied:
        result.close()
        raise InvalidRequestError(
            "Can't stream joined eager loads against collections: the rows of one object may lie "
            "in two chunks. Use selectinload(), or execute()."
        )

    def chunks(size: int | None) -> Iterator[list[Any]]:
        while True:
            rows = results.raw_chunk(result, size or _CHUNK, loader.raw)
            if not rows:
                break
            yield loader.load(rows)

    return to_chunked_result(chunks, loader.metadata, loader.scalar, result)
