"""Rows that are tuples, and have what a ``Row`` has: attributes, ``t``, ``_mapping``.

They are made at the price of a ``Row`` and unpacked faster; attributes are read ten times as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Row
from sqlalchemy.engine import result as _result

from naked_sqla._cache import BoundedCache

__all__ = ("TupleRow", "as_tuples")

# 2.1 keeps three functions there: for one row, for several, for rows of the ORM; 2.0 the first.
_KEEPS_THREE = hasattr(_result.ResultInternal, "_raw_all_tuples")

_KINDS = 500


class TupleRow(tuple[Any, ...]):
    """A row of ``tuples()``; a subclass for each kind of row has the names of its items."""

    __slots__ = ()

    if TYPE_CHECKING:
        # makes the Row of the same values
        _as_row: Callable[[tuple[Any, ...]], Any]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._as_row(self), name)

    def __reduce__(self) -> tuple[Any, ...]:
        # pickled as a Row is: without what its keys stand for
        return _of_row, (self._as_row(self),)


def _of_row(row: Any) -> TupleRow:
    return _class_of(row._parent)(row)


# a compiled statement mostly has the same metadata for each execution
_classes: BoundedCache[Any, type[TupleRow]] = BoundedCache(_KINDS)


def _class_of(metadata: Any) -> type[TupleRow]:
    """The class of the rows of a result."""
    found = _classes.get(metadata)
    if found is None:
        indexes = metadata._key_to_index
        namespace: dict[str, Any] = {
            key: property(itemgetter(index))
            for key, index in indexes.items()
            # where each Row has an attribute of that name, the item is not found by it there either
            if isinstance(key, str) and not hasattr(Row, key)
        }
        namespace["__slots__"] = ()
        namespace["_as_row"] = staticmethod(partial(Row, metadata, None, indexes))
        found = _classes[metadata] = type("TupleRow", (TupleRow,), namespace)
    return found


class _Tuples:
    """A base in front of a class of results: their rows are tuples."""

    __slots__ = ()

    @property
    def _row_getter(self) -> Any:
        result: Any = self
        base: Any = super()
        found = base._row_getter
        make: Any = _class_of(result._metadata)
        if result._source_supports_scalars or _converts(result):
            make = _after(found[0] if _KEEPS_THREE else found, make)
        elif result._metadata._tuplefilter is not None:
            make = _after(result._metadata._tuplefilter, make)
        return (make, _each(make), found[2]) if _KEEPS_THREE else make

    @property
    def _iterator_getter(self) -> Any:
        result: Any = self
        base: Any = super()
        if result._unique_filter_state is not None or result._post_creational_filter is not None:
            return base._iterator_getter
        return _made


def _made(result: Any) -> Iterator[Any]:
    """Each row of a result; a generator would cost more than what it makes."""
    found = result._row_getter
    return map(found[0] if _KEEPS_THREE else found, result._fetchiter_impl())


def _converts(result: Any) -> bool:
    """True for a cursor result that makes something else of a row than its tuple."""
    metadata = result._metadata
    return not isinstance(result, _result.IteratorResult) and (
        metadata._effective_processors is not None
        or metadata._tuplefilter is not None
        or result._row_logging_fn is not None
    )


def _after(first: Callable[[Any], Any], make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda row: make(first(row))


def _each(make: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda rows: list(map(make, rows))


_results: dict[type[Any], type[Any]] = {}


def as_tuples(result: Any) -> Any:
    """A result, not read yet, whose rows are tuples from now on; gives it back."""
    kind = type(result)
    found = _results.get(kind)
    if found is None:
        found = _results[kind] = type(kind.__name__, (_Tuples, kind), {"__slots__": ()})
    result.__class__ = found
    return result
