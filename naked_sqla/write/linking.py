"""Rows of a table in between: objects that are stored, related to each other or no longer.

All functions take a synchronous ``Connection`` first (in an async session: within its greenlet).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    not_,
    select,
    union_all,
)

from naked_sqla.backends import backend_of
from naked_sqla.write.between import Between
from naked_sqla.write.finding import equal
from naked_sqla.write.keys import chunks, criteria_for
from naked_sqla.write.linking_within import check_free, check_present, seen
from naked_sqla.write.reports import Relinked
from naked_sqla.write.values import listed

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("link", "relink", "unlink")

# rows in one INSERT ... SELECT: SQLite combines 500 SELECTs
_ROWS = 250
# rows in the WITH of one statement, each with parameters of its own
_TOGETHER = 1000

# else SQLAlchemy keeps the number of rows of an UPDATE or DELETE only
_COUNTED = {"preserve_rowcount": True}

_Key = tuple[Any, ...]
_Rows = Sequence[Mapping[str, Any]]


def link(conn: Connection, obj: Any, between: Between, objs: Iterable[Any]) -> int:
    """Relate an object to others; those that it is related to already stay as they are.

    :param obj: an object, or its primary key.
    :param objs: objects of the related class, or primary keys.
    :return: how many links are new.
    :raises InvalidStatement: for an object of another class, and for one that is not stored.
    :raises RowGone: for an object that the criteria of the factory exclude.
    :raises RowExcluded: for a link whose row is there, and excluded.
    """
    own, rows = _rows("link", conn, between, obj, objs)
    check_free(conn, "link", between, own, _theirs(between, rows))
    return _insert(conn, between, rows)


def unlink(conn: Connection, obj: Any, between: Between, objs: Iterable[Any]) -> int:
    """Take the links between an object and others away; arguments and errors as in :func:`link`.

    :return: how many links there were.
    """
    own, rows = _rows("unlink", conn, between, obj, objs)
    theirs = _theirs(between, rows)
    columns = between.theirs.columns
    criteria = criteria_for(conn, columns, theirs) if theirs else ()
    statement = _delete(conn, "unlink", between, own)
    return sum(int(conn.execute(statement.where(found)).rowcount) for found in criteria)


def relink(conn: Connection, obj: Any, between: Between, objs: Iterable[Any]) -> Relinked:
    """Relate an object to others, and to nothing else; arguments and errors as in :func:`link`."""
    own, rows = _rows("relink", conn, between, obj, objs)
    theirs = _theirs(between, rows)
    check_free(conn, "relink", between, own, theirs)
    statement = _delete(conn, "relink", between, own)
    if theirs:
        kept = criteria_for(conn, between.theirs.columns, theirs)
        statement = statement.where(*map(not_, kept))
    make = _maker(conn, between)
    # in a WITH, SQLAlchemy leaves the defaults of columns out
    together = 0 < len(rows) <= _TOGETHER and not _defaults(between)
    if not together or not backend_of(conn.dialect).writes_in_with:
        removed = int(conn.execute(statement).rowcount)
        return Relinked(_insert(conn, between, rows), removed)
    column = between.columns[0]
    added = make(conn, between, rows) if make is _absent else make(conn, between, rows).values(rows)
    counts = [
        select(func.count()).select_from(one.returning(column).cte(name)).scalar_subquery()
        for one, name in ((added, "naked_added"), (statement, "naked_removed"))
    ]
    return Relinked(*conn.execute(select(*counts)).one())


def _rows(
    call: str, conn: Connection, between: Between, obj: Any, objs: Iterable[Any]
) -> tuple[_Key, list[dict[str, Any]]]:
    """The values of an object in the table in between, and the rows, each of them once."""
    own = between.own.key(call, obj)
    given = [between.theirs.key(call, item) for item in listed(objs, call)]
    theirs = list(dict.fromkeys(given))
    rows = [between.row(call, own, key) for key in theirs]
    check_present(conn, between.own, [own])
    check_present(conn, between.theirs, theirs)
    return own, rows


def _delete(conn: Connection, call: str, between: Between, own: _Key) -> Any:
    """The DELETE of all links of an object that are seen."""
    criteria = (*equal(between.own.columns, own), *seen(conn, call, between))
    return delete(between.table).where(*criteria)


def _theirs(between: Between, rows: _Rows) -> list[_Key]:
    return [tuple(row[column.key] for column in between.theirs.columns) for row in rows]


_Make = Callable[["Connection", Between, _Rows], Any]


def _maker(conn: Connection, between: Between) -> _Make:
    """What makes the INSERT: where no constraint tells what is there already, a search."""
    if not backend_of(conn.dialect).has_on_conflict or not between.is_unique():
        return _absent
    return _ignoring if conn.dialect.insert_executemany_returning else _absent


def _insert(conn: Connection, between: Between, rows: _Rows) -> int:
    """Insert the rows that are not there; how many these were."""
    if not rows:
        return 0
    make = _maker(conn, between)
    if make is _ignoring:
        statement = make(conn, between, rows).returning(between.columns[0])
        return len(conn.execute(statement, rows).all())
    # a function is called once for a statement
    size = 1 if any(default.is_callable for default in _defaults(between)) else _ROWS
    statements = (_absent(conn, between, part) for part in chunks(rows, size))
    return sum(int(conn.execute(one, execution_options=_COUNTED).rowcount) for one in statements)


def _defaults(between: Between) -> list[Any]:
    """The defaults of the columns that a link does not fill."""
    others = (column for column in between.table.columns if column not in between.columns)
    return [column.default for column in others if column.default is not None]


def _ignoring(conn: Connection, between: Between, rows: _Rows) -> Any:
    statement = backend_of(conn.dialect).insert(between.table)
    # of these columns: a row that another constraint refuses is an error
    return statement.on_conflict_do_nothing(index_elements=between.columns)


def _absent(conn: Connection, between: Between, rows: _Rows) -> Any:
    columns = between.columns
    selects = [
        select(
            *(
                bindparam(None, row[column.key], type_=column.type).label(f"v{i}")
                for i, column in enumerate(columns)
            )
        )
        for row in rows
    ]
    whole = union_all(*selects) if len(selects) > 1 else selects[0]
    given = whole.subquery("naked_given")
    there: Any = select(literal_column("1")).select_from(between.table)
    there = there.where(*(c == given.c[f"v{i}"] for i, c in enumerate(columns))).correlate(given)
    return insert(between.table).from_select(
        [column.key for column in columns], select(*given.c).where(~there.exists())
    )
