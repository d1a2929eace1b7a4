"""Hydrated rows -> SQLAlchemy's own ``Result``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.types import NullType

from naked_sqla._frozen import Frozen
from naked_sqla._sqlalchemy import compile_states, results
from naked_sqla.objects.classes import is_view

if TYPE_CHECKING:
    from sqlalchemy import Result
    from sqlalchemy.orm import Mapper

__all__ = (
    "Keys",
    "identity_of",
    "to_chunked_result",
    "to_loaded_result",
    "to_result",
    "unhashable",
)


class Keys(Frozen):
    """The keys by which the items of a row are found.

    :ivar labels: the names, ``row.User``, ``row._mapping["id"]``.
    :ivar extra: further keys of each item (the class, the attribute, the column).
    :ivar invoked: for each item the position among the invoked statement's columns of the ad-hoc
        expression it can be looked up by, or None.
    :ivar unique: for each item a function for the key that ``unique()`` compares; None: the value.
    :ivar aliased: for each item whether it belongs to an ``aliased()`` class, which the invoked
        statement may have another one of.
    """

    labels: tuple[str, ...]
    extra: tuple[tuple[Any, ...], ...]
    invoked: tuple[int | None, ...]
    unique: tuple[Callable[[Any], Any] | None, ...]
    aliased: tuple[bool, ...] = ()

    def metadata(self, invoked_columns: Sequence[Any]) -> Any:
        """Result metadata for one execution.

        :param invoked_columns: the columns of the statement in hand, which may be another object
            than the cached one.
        """
        extra = [
            keys if index is None else (*keys, invoked_columns[index])
            for keys, index in zip(self.extra, self.invoked, strict=True)
        ]
        if any(self.aliased) and len(invoked_columns) == len(extra):
            for i, column in enumerate(invoked_columns):
                if self.aliased[i]:
                    extra[i] += compile_states.alias_keys(column)
        return results.row_metadata(self.labels, extra, self.unique)

    @property
    def is_fixed(self) -> bool:
        """True when the metadata is the same for every execution."""
        return all(index is None for index in self.invoked) and not any(self.aliased)


def to_result(rows: list[Any], metadata: Any, scalar: bool) -> Result[Any]:
    """Objects or tuples as a ``Result``.

    :param rows: from a hydrator.
    :param metadata: of :meth:`Keys.metadata`.
    :param scalar: True when ``rows`` holds the single item of each row, not tuples.
    """
    result: Result[Any] = results.IteratorResult(
        metadata, iter(rows), _source_supports_scalars=scalar
    )
    return result


def to_loaded_result(loader: Any, rows: Iterable[Any]) -> Result[Any]:
    """Load rows, and put the objects into a result.

    :param loader: a :class:`~naked_sqla.read.loader.Loader`.
    """
    loaded = to_result(loader.load(rows), loader.metadata, loader.scalar)
    if loader.multiplied:
        results.require_unique(loaded)
    return loaded


def to_chunked_result(
    chunks: Callable[[int | None], Any], metadata: Any, scalar: bool, raw: Any
) -> Result[Any]:
    """A ``Result`` that is read chunk by chunk.

    :param chunks: given a number of rows, or None, gives an iterator over lists of objects or
        tuples.
    :param raw: the cursor result underneath, closed with the result.
    """
    result: Result[Any] = results.ChunkedIteratorResult(
        metadata, chunks, source_supports_scalars=scalar, raw=raw, dynamic_yield_per=True
    )
    size = results.yield_per_of(raw)
    return result.yield_per(size) if size else result


def identity_of(mapper: Mapper[Any]) -> Callable[[Any], Any]:
    """The key that ``unique()`` compares for an entity: class and primary key, as in the ORM.

    For a view the object itself: several rows may have what SQLAlchemy takes for its key.
    """
    if is_view(mapper):
        return id
    key = attrgetter(*(mapper.get_property_by_column(column).key for column in mapper.primary_key))
    base = mapper.base_mapper.class_

    def identity(obj: Any) -> Any:
        return None if obj is None else (base, key(obj))

    return identity


def unhashable(type_: Any) -> Callable[[Any], Any] | None:
    """The key that ``unique()`` compares for a value; as the ORM, refuse types without a hash.

    :return: None for a type whose values are compared as they are.
    """
    if type_.hashable and not isinstance(type_, NullType):
        return None

    def key(value: Any) -> Any:
        if isinstance(type_, NullType):
            try:
                return hash(value)
            except TypeError:
                pass
        raise InvalidRequestError(
            f"Can't apply uniqueness to row tuple containing value of type {type_!r}; this "
            f"datatype produces non-hashable values"
        )

    return key
