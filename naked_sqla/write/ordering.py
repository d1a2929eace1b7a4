"""Rows that an INSERT returns, in the order of its parameters.

PostgreSQL: SQLAlchemy sorts them by a sentinel.  SQLite has none for a generated key, and
SQLAlchemy inserts row by row there.  Here the batch stays one statement, and the order is proven:
what each returned row holds is what the driver was given for it.  Two rows that were given the same
values in every column can't be told apart by anybody, so that it does not matter which is which.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import bindparam, literal, select

from naked_sqla._sqlalchemy import dml, results
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidStatement
from naked_sqla.hiding import shown
from naked_sqla.write.keys import has_key

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult

__all__ = (
    "Order",
    "Returned",
    "check_inserted",
    "in_order",
    "insert_in_order",
    "keys_of",
    "order_of",
)

_Row = Sequence[Any]
_Key = tuple[Any, ...]

# How the order of several rows is found.
Order = Literal["proven", "by keys", "sorted", "row by row"]


class Returned(NamedTuple):
    """What an INSERT of several rows has given back.

    :ivar found: its rows, as the driver gave them or converted.
    :ivar metadata: of its result.
    :ivar processors: how the values of its rows are converted by their types; empty: they are.
    :ivar bound: the parameters of each given row by name, before their types.
    :ivar sent: the names of the values that the driver got for each row, and these values; None
        where it takes them by name.
    """

    found: Sequence[_Row]
    metadata: Any
    processors: Sequence[Any]
    bound: Sequence[Mapping[str, Any]]
    sent: tuple[Sequence[str], Sequence[tuple[Any, ...]]] | None

    @classmethod
    def of(cls, result: Any) -> Returned:
        """Read the rows of a result."""
        metadata, raw = results.metadata_of(result), results.is_raw_readable(result)
        found = list(results.raw_rows(result) if raw else result.all())
        sentinels = results.sentinels_of(result)
        processors = results.processors_of(metadata, sentinels) if raw else ()
        return cls(found, metadata, processors, dml.bound_values(result), dml.bound_rows(result))


def insert_in_order(
    conn: Connection,
    statement: Any,
    returning: Sequence[Any],
    table: Any,
    rows: Sequence[Mapping[str, Any]],
    options: Any,
) -> tuple[CursorResult[Any], Returned]:
    """Insert some rows with one statement.

    :param statement: an INSERT without RETURNING.
    :param returning: what it is to return, the primary key of ``table`` included.
    :param rows: dictionaries with the same column keys.
    :return: the result, which has been read, and what came back, in the order of ``rows``.
    :raises InvalidStatement: fewer rows came back than were inserted, or nothing tells which is
        which.
    """
    order = order_of(conn, table, rows) if len(rows) > 1 else None
    if order == "row by row":
        return _one_by_one(conn, statement, returning, table, rows, options)
    statement = statement.returning(*returning, sort_by_parameter_order=order == "sorted")
    # a list of one is no executemany, so that its row is returned by any dialect that can
    result = conn.execute(statement, rows if order else rows[0], execution_options=options)
    returned = Returned.of(result)
    return result, returned._replace(found=in_order(conn, table, order, returned))


def order_of(conn: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> Order:
    """How the order of some rows, which are several, is found."""
    if backend_of(conn.dialect).returns_in_any_order and not results.logs_rows(conn):
        return "proven"
    if not _gives_keys(table, rows[0]):
        return "sorted"
    return "by keys" if _can_be_looked_up(table, rows[0]) else "row by row"


def in_order(
    conn: Connection, table: Any, order: Order | None, returned: Returned
) -> Sequence[_Row]:
    """The returned rows in the order of the given ones.

    :param order: None for one row.
    :raises InvalidStatement: as in :func:`insert_in_order`.
    """
    check_inserted(table, len(returned.bound), len(returned.found))
    if order == "by keys":
        return _by_keys(conn, table, returned)
    return _Proof(conn, table, returned).rows() if order == "proven" else returned.found


def check_inserted(table: Any, given: int, found: int) -> None:
    """Raise ``InvalidStatement`` unless as many rows came back as were given."""
    if found != given:
        raise InvalidStatement(
            f"INSERT into {table}: {given} rows were given and {found} came back, so that a "
            f"trigger or a rule must have left rows out. Use execute(insert(...), rows), which "
            f"does not ask which row is which."
        )


def _gives_keys(table: Any, row: Mapping[str, Any]) -> bool:
    """True when the client knows the primary keys of the rows before they are stored."""
    return all(
        column.key in row
        or (column.default is not None and (column.default.is_scalar or column.default.is_callable))
        for column in table.primary_key
    )


def _can_be_looked_up(table: Any, row: Mapping[str, Any]) -> bool:
    return all(type(row.get(column.key)).__hash__ is not None for column in table.primary_key)


def _one_by_one(
    conn: Connection,
    statement: Any,
    returning: Sequence[Any],
    table: Any,
    rows: Sequence[Mapping[str, Any]],
    options: Any,
) -> tuple[CursorResult[Any], Returned]:
    inserted = [insert_in_order(conn, statement, returning, table, [row], options) for row in rows]
    result, last = inserted[-1]
    return result, last._replace(found=[row for _, one in inserted for row in one.found])


def _by_keys(conn: Connection, table: Any, returned: Returned) -> Sequence[_Row]:
    """The returned rows in the order of the given ones, whose keys the client knows.

    SQLAlchemy can sort them, too, but not where a key comes back in another form than it was given.
    """
    columns, found = list(table.primary_key), returned.found
    given = [tuple([row[column.key] for column in columns]) for row in returned.bound]
    keys = keys_of(returned, columns)
    if keys == given:
        return found
    stored = dict(zip(keys, found, strict=True))
    if len(stored) == len(found) and stored.keys() == set(given):
        return [stored[key] for key in given]
    # as the driver gives them, since two keys may be read as one
    positions = _positions(returned.metadata, columns)
    stored = {tuple([row[i] for i in positions]): row for row in found}
    ordered: list[_Row] = []
    for key in given:
        asked = Returned.of(conn.execute(select(*columns).where(*has_key(conn, columns, key))))
        row = stored.get(tuple(asked.found[0])) if asked.found else None
        if row is None:
            raise InvalidStatement(
                f"INSERT into {table}: the row with the key {shown(key)} was stored with another "
                f"one, so that nothing tells which of the returned rows it is. Pass batch_size=1."
            )
        ordered.append(row)
    return ordered


def _positions(metadata: Any, columns: Sequence[Any]) -> list[Any]:
    return [results.position_of(metadata, column, required=True) for column in columns]


def keys_of(returned: Returned, columns: Sequence[Any]) -> list[_Key]:
    """The primary keys in the rows that came back, converted by their types."""
    values: list[Iterable[Any]] = []
    for i in _positions(returned.metadata, columns):
        read = [row[i] for row in returned.found]
        convert = returned.processors[i] if returned.processors else None
        values.append(read if convert is None else map(convert, read))
    return list(zip(*values, strict=True))


class _Proof:
    """Finds for each given row the one that was returned for it."""

    def __init__(self, conn: Connection, table: Any, returned: Returned) -> None:
        self.conn = conn
        self.table = table
        self.returned = returned
        self.found = returned.found

    def rows(self) -> Sequence[_Row]:
        """The returned rows in the order of the given ones."""
        if self.returned.sent is None:
            return self._verified()
        names, given = self.returned.sent
        positions = [self._position(self.returned.metadata, name) for name in names]
        if positions and None not in positions:
            returned = itemgetter(*positions) if len(positions) > 1 else _one(positions[0])
            if list(map(returned, self.found)) == given:
                return self.found
        try:
            return self._matched(given, positions)
        except TypeError:
            # a value that can't be hashed
            return self._verified()

    def _position(self, metadata: Any, name: str) -> int | None:
        column = self.table.columns.get(name)
        return None if column is None else results.position_of(metadata, column)

    def _matched(
        self, given: Sequence[tuple[Any, ...]], positions: Sequence[int | None]
    ) -> Sequence[_Row]:
        """Match rows by the columns whose values came back as they were given."""
        kept = [
            (i, position)
            for i, position in enumerate(positions)
            if position is not None
            and Counter(row[i] for row in given) == Counter(row[position] for row in self.found)
        ]
        wanted = [tuple(row[i] for i, _ in kept) for row in given]
        if len(set(wanted)) != len(set(given)):
            return self._verified()
        waiting: dict[tuple[Any, ...], deque[_Row]] = defaultdict(deque)
        for row in self.found:
            waiting[tuple(row[position] for _, position in kept)].append(row)
        if any(not waiting[key] for key in wanted):
            return self._verified()
        counts = Counter(wanted)
        if any(len(waiting[key]) != count for key, count in counts.items()):
            return self._verified()
        return [waiting[key].popleft() for key in wanted]

    def _verified(self) -> Sequence[_Row]:
        """The rows as they came, when the database says of each that it holds what was given."""
        metadata, processors = self.returned.metadata, self.returned.processors
        keys = [
            (column, results.position_of(metadata, column, required=True))
            for column in self.table.primary_key
        ]
        for row, values in zip(self.found, self.returned.bound, strict=True):
            criteria = [
                column == bindparam(None, _converted(row, position, processors), type_=column.type)
                for column, position in keys
            ]
            criteria += [
                self.table.columns[name].is_not_distinct_from(
                    bindparam(None, value, type_=self.table.columns[name].type)
                )
                for name, value in values.items()
                if name in self.table.columns
            ]
            if self.conn.execute(select(literal(1)).where(*criteria)).first() is None:
                raise InvalidStatement(
                    f"INSERT into {self.table}: nothing tells which of the returned rows belongs "
                    f"to which of the given ones, since their values are stored in another form. "
                    f"Pass batch_size=1."
                )
        return self.found


def _one(position: Any) -> Callable[[_Row], tuple[Any]]:
    return lambda row: (row[position],)


def _converted(row: _Row, position: Any, processors: Sequence[Any]) -> Any:
    convert = processors[position] if processors else None
    return row[position] if convert is None else convert(row[position])
