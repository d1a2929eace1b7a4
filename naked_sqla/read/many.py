"""Objects by many keys: one statement for each part of the keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import and_, bindparam, or_, select, tuple_
from sqlalchemy.exc import InvalidRequestError, MultipleResultsFound, NoResultFound

from naked_sqla._frozen import Frozen
from naked_sqla._sqlalchemy import results
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidStatement
from naked_sqla.hiding import shown
from naked_sqla.read.keys import are_lenient, same_keys, spelled_otherwise
from naked_sqla.read.lookup import key_of, mapped, why_several
from naked_sqla.read.statement import run

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("ManyByKey", "Missing", "by_primary_key", "get_many", "key_columns")

Missing = Literal["raise", "none", "skip"]

# keys in one message
_SHOWN = 10


class ManyByKey(Frozen):
    """How objects are found by keys.

    :ivar columns: the attributes whose values are a key.
    :ivar options: loader options.
    :ivar order_by: of the objects of one key.
    """

    model: Any
    columns: tuple[Any, ...]
    options: tuple[Any, ...] = ()
    order_by: tuple[Any, ...] = ()

    def statement(self) -> Any:
        """The SELECT of the objects, each with its key; without the criterion for the keys."""
        statement = select(self.model, *self.columns).options(*self.options)
        return statement.order_by(*self.order_by) if self.order_by else statement

    def find(
        self,
        conn: Connection,
        keys: Sequence[tuple[Any, ...]],
        execution_options: Mapping[str, Any] | None,
        eager: bool,
    ) -> dict[tuple[Any, ...], list[Any]]:
        """The objects of each key; nothing for a key without a row.

        :param keys: without ``None``, each once.
        """
        found: dict[tuple[Any, ...], list[Any]] = {}
        for part, criterion in self._parts(conn, keys):
            statement = self.statement().where(criterion)
            result = run(conn, statement, None, execution_options, eager=eager)
            if results.has_unique_filter(result):
                result = result.unique()
            grouped: dict[tuple[Any, ...], list[Any]] = {}
            for row in result:
                grouped.setdefault(tuple(row[1:]), []).append(row[0])
            found.update(self._as_asked(conn, part, grouped, execution_options))
        return found

    def _as_asked(
        self,
        conn: Connection,
        keys: Sequence[tuple[Any, ...]],
        grouped: dict[tuple[Any, ...], list[Any]],
        execution_options: Mapping[str, Any] | None,
    ) -> dict[tuple[Any, ...], list[Any]]:
        """The objects by the keys that were asked for, which the database may spell otherwise."""
        types = [column.type for column in self.columns]
        if not grouped or not spelled_otherwise(
            set(keys), grouped.keys(), lambda: are_lenient(types)
        ):
            return grouped
        wanted = list(keys) if len(types) > 1 else [key for (key,) in keys]
        same = same_keys(conn, execution_options, self.columns, types, wanted)
        asked: dict[tuple[Any, ...], list[Any]] = {}
        for stored, objects in grouped.items():
            for key in same.get(stored if len(types) > 1 else stored[0], ()):
                asked.setdefault(key if len(types) > 1 else (key,), []).extend(objects)
        return asked

    def _parts(
        self, conn: Connection, keys: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[Sequence[tuple[Any, ...]], Any]]:
        """Parts of the keys, and the criterion that finds their rows."""
        backend, version = backend_of(conn.dialect), conn.dialect.server_version_info
        if len(self.columns) == 1:
            (column,) = self.columns
            size = backend.keys_per_array
            for start in range(0, len(keys), size):
                part = keys[start : start + size]
                criterion = backend.with_keys(column, [key for (key,) in part], version)
                if criterion is None:
                    break
                yield part, criterion
            else:
                return
        size = backend.keys_per_statement
        for start in range(0, len(keys), size):
            part = keys[start : start + size]
            yield part, self._among(part, backend.has_row_values)

    def _among(self, keys: Sequence[tuple[Any, ...]], has_row_values: bool) -> Any:
        if len(self.columns) == 1:
            (column,) = self.columns
            values = [key for (key,) in keys]
            return column.in_(bindparam(None, values, type_=column.type, expanding=True))
        if has_row_values:
            return tuple_(*self.columns).in_(keys)
        return or_(
            *(and_(*(c == v for c, v in zip(self.columns, key, strict=True))) for key in keys)
        )


def by_primary_key(model: Any, options: Iterable[Any] | None, method: str) -> ManyByKey:
    """How objects of a mapped class are found by primary key.

    :raises ArgumentError: ``model`` is not a mapped class.
    """
    mapper = mapped(model, method)
    keys = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
    return ManyByKey(model, tuple(getattr(model, key) for key in keys), tuple(options or ()))


def key_columns(key: Any) -> tuple[Any, ...]:
    """The attributes that a caller named as key.

    :raises InvalidStatement: for anything but a column, or a tuple of them.
    """
    columns = tuple(key) if isinstance(key, tuple | list) else (key,)
    for column in columns:
        if not hasattr(column, "in_") or not hasattr(column, "type"):
            raise InvalidStatement(
                f"loader(key={column!r}): the key is an attribute of the class, or a tuple of "
                f"them. Write key=Post.author_id; for a relationship, name its foreign key."
            )
    return columns


def get_many(
    conn: Connection,
    model: Any,
    idents: Sequence[Any],
    *,
    options: Iterable[Any] | None = None,
    missing: Missing = "raise",
    execution_options: Mapping[str, Any] | None = None,
    eager: bool = True,
) -> list[Any]:
    """Load objects by their primary keys, in the order of the keys.

    :param idents: as :func:`~naked_sqla.read.lookup.get` takes each; a key that comes twice gives
        the same object twice.
    :param missing: for a key without a row: ``"raise"``, ``None`` in its place, or leave it out.
    :raises NoResultFound: a key has no row, and ``missing`` is ``"raise"``.
    :raises InvalidRequestError: a key does not fit the primary key, or is None.
    :raises MultipleResultsFound: several rows have a key (concrete inheritance, a view).
    :raises ValueError: for another word as ``missing``.
    """
    if missing not in ("raise", "none", "skip"):
        raise ValueError(
            f"get_many(missing={missing!r}): pass 'raise' for NoResultFound, 'none' for None in "
            f"the place of a key without a row, or 'skip' to leave it out."
        )
    how = by_primary_key(model, options, "get_many")
    keys = [key_of(model, ident, "get_many") for ident in idents]
    try:
        wanted = list(dict.fromkeys(keys))
    except TypeError:
        raise InvalidRequestError(
            f"get_many({model.__name__}): a key has no hash, so that it can't be told from the "
            f"others. Load such a row with get()."
        ) from None
    found = how.find(conn, wanted, execution_options, eager)
    gone = []
    for key in wanted:
        objects = found.get(key, ())
        if len(objects) > 1:
            raise MultipleResultsFound(
                f"get_many({model.__name__}): {len(objects)} rows have the primary key "
                f"{shown(key)}, {why_several(mapped(model))}"
            )
        if not objects:
            gone.append(key)
    if gone and missing == "raise":
        raise NoResultFound(
            f"No row was found for {_shown(gone)} of {model.__name__}. Pass missing='none' or "
            f"missing='skip' where there may be none."
        )
    if missing == "none":
        return [found[key][0] if found.get(key) else None for key in keys]
    return [found[key][0] for key in keys if found.get(key)]


def _shown(keys: Sequence[tuple[Any, ...]]) -> str:
    named = [shown(key[0] if len(key) == 1 else key) for key in keys[:_SHOWN]]
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"the primary key{'s' if len(keys) > 1 else ''} {', '.join(named)}{more}"
