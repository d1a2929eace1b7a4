"""Cursor results, their metadata and their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import result as _result
from sqlalchemy.exc import InvalidRequestError

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import CursorResult


# The metadata and result classes the ORM itself builds its results from.
SimpleResultMetaData: Any = _result.SimpleResultMetaData

IteratorResult: Any = _result.IteratorResult

ChunkedIteratorResult: Any = _result.ChunkedIteratorResult

# 2.1 takes a factory for the uniqueness filters, 2.0 the filters.
_FILTERS_BY_FACTORY = "_create_unique_filters" in _result.SimpleResultMetaData.__slots__


def metadata_of(result: Any) -> Any:
    """The metadata of a cursor result; SQLAlchemy caches it on the compiled statement."""
    return result._metadata


def position_of(metadata: Any, column: Any, required: bool = False) -> int | None:
    """Where a column stands in a row; None when it does not, or an error when it is required."""
    index: int | None = metadata._index_for_key(column, required)
    return index


def processors_of(metadata: Any, sentinels: int = 0) -> tuple[Callable[[Any], Any] | None, ...]:
    """The result processor of each column of a driver row.

    :param sentinels: the number of columns at its end that only serve to sort the rows.
    """
    processors = tuple(metadata._processors)
    # 2.1 counts the sentinels in, 2.0 does not
    return processors + (None,) * (len(metadata._keys) + sentinels - len(processors))


def sentinels_of(result: CursorResult[Any]) -> int:
    """The number of columns of a driver row that only serve to sort the rows of an INSERT."""
    return result.context._num_sentinel_cols


def is_raw_readable(result: Any) -> bool:
    """False when SQLAlchemy has to read the rows itself: echo="debug", rearranged columns."""
    return not result._echo and not result._metadata._translated_indexes


def raw_rows(result: Any) -> Iterable[Any]:
    """All rows as the driver gave them, unprocessed; closes the cursor."""
    rows: Iterable[Any] = result._fetchall_impl()
    return rows


def raw_chunk(result: Any, size: int, raw: bool = True) -> Sequence[Any]:
    """Up to ``size`` further rows, as the driver gives them or converted; empty at the end."""
    rows: Sequence[Any] = result._fetchmany_impl(size) if raw else result.fetchmany(size)
    return rows


def yield_per_of(result: Any) -> int | None:
    """The execution option ``yield_per`` that a cursor result was made with."""
    size: int | None = result.context.execution_options.get("yield_per")
    return size


def buffer_rows(result: CursorResult[Any]) -> None:
    """Fetch the rows of a cursor result now, so that it outlives the transaction."""
    from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

    strategy: Any = result.cursor_strategy
    # no cursor: the rows were SQLAlchemy's own, such as the primary key of an INSERT
    if result.cursor is not None and not isinstance(strategy, FullyBufferedCursorFetchStrategy):
        description = result.cursor.description
        # this closes the cursor, so that nothing touches the connection later on
        rows = strategy.fetchall(result, result.cursor)
        result.cursor_strategy = FullyBufferedCursorFetchStrategy(None, description, rows)


def row_metadata(
    keys: Sequence[str],
    extra: Sequence[tuple[Any, ...]],
    filters: Sequence[Callable[[Any], Any] | None],
) -> Any:
    """Result metadata with one uniqueness filter for each item."""
    if _FILTERS_BY_FACTORY:
        return SimpleResultMetaData(keys, extra, _create_unique_filters=lambda result: filters)
    return SimpleResultMetaData(keys, extra, _unique_filters=filters)


def has_key(metadata: Any, column: Any) -> bool:
    """True when a row has this column."""
    return bool(metadata._has_key(column))


def require_unique(result: Any) -> None:
    """Make a result raise unless ``unique()`` is called, as the ORM does for joined collections."""

    def refuse(obj: Any) -> Any:
        raise InvalidRequestError(
            "The unique() method must be invoked on this Result, as it contains results that "
            "include joined eager loads against collections"
        )

    result._unique_filter_state = (set(), refuse)


def has_unique_filter(result: Any) -> bool:
    """True for a result on which ``unique()`` was called, or has to be called."""
    return result._unique_filter_state is not None


def scalars_at_once(result: Any) -> bool:
    """True when a result gives the single item of each row, and no rows."""
    return bool(result._source_supports_scalars)


def sync_result(result: Any) -> Any:
    """The synchronous result that an ``AsyncResult`` or ``AsyncScalarResult`` reads."""
    # in 2.0 the scalars of an AsyncResult read that one
    while (source := getattr(result, "_real_result", None)) is not None:
        result = source
    return result


def next_item(result: Any) -> Any:
    """The next item of an async result whose source has one in hand."""
    return result._onerow_getter(result)


def as_stream(result: Any, factory: Any) -> Any:
    """A result of ``factory(metadata, chunks, size, scalars, raw)`` with the rows of this one.

    :param result: of ``statement.stream()``: a cursor result, or one that loads objects in chunks.
    """
    raw = getattr(result, "raw", None)
    if isinstance(result, ChunkedIteratorResult):
        return factory(
            result._metadata, result.chunks, yield_per_of(raw), scalars_at_once(result), raw
        )

    def chunks(size: int | None) -> Iterator[Sequence[Any]]:
        while rows := result._fetchmany_impl(size):
            yield rows

    return factory(result._metadata, chunks, yield_per_of(result), False, result)


def logs_rows(conn: Connection) -> bool:
    """True when SQLAlchemy logs the rows, so that it has to read them (``echo="debug"``)."""
    return bool(conn._echo and conn.engine._should_log_debug())


def width_of(result: Any) -> int:
    """How many items a row of a result has; ``keys()`` leaves out those without a name."""
    return len(result._metadata._keys)


def narrow_metadata(result: Any, width: int) -> Any:
    """Result metadata for the first columns of a result, with all that they are found by."""
    metadata = result._metadata
    extra: list[tuple[Any, ...]] = [()] * width
    keys = tuple(metadata._keys)[:width]
    for key, record in metadata._keymap.items():
        position = record[0]
        named = isinstance(key, str) and key in keys
        if position is not None and position < width and not named:
            extra[position] += (key,)
    return SimpleResultMetaData(keys, extra)
