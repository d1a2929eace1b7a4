"""Links of a factory with criteria: which objects are there, and which rows in between.

The criteria of both classes say which objects may be related, and which links are seen.  Where the
table in between is mapped to a class, its criteria say which of its rows are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, exists, select

from naked_sqla._sqlalchemy.mappings import mappers_on
from naked_sqla.exception import RowExcluded, UnsupportedOption
from naked_sqla.hiding import shown
from naked_sqla.read.criteria import criteria_of, criteria_of_rows, lifting
from naked_sqla.write.between import Between, Side
from naked_sqla.write.finding import equal, find, raise_stale, within
from naked_sqla.write.keys import criteria_for
from naked_sqla.write.tables import written_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("check_free", "check_present", "seen")

_Key = tuple[Any, ...]


def check_present(conn: Connection, side: Side, keys: Sequence[_Key]) -> None:
    """Check that objects are there, where the factory has criteria for their class.

    :raises RowGone: any of them is missing, or outside of the criteria.
    """
    if not keys or not criteria_of(conn):
        return
    written = within(conn, written_of(side.mapper))
    if written.criteria:
        found = find(conn, written, keys, names=side.names)
        gone = [key for key in keys if key not in found]
        if gone:
            raise_stale(written, gone, [], side.names)


def seen(conn: Connection, call: str, between: Between) -> list[Any]:
    """The criteria that a row in between is there, and that it leads to an object that is there."""
    if not criteria_of(conn):
        return []
    found = _of_rows(conn, call, between)[1]
    mapper = between.theirs.mapper
    theirs = criteria_of_rows(conn, mapper)
    if theirs:
        written = written_of(mapper)
        pairs = zip(between.theirs.names, between.theirs.columns, strict=True)
        there = exists().select_from(mapper.persist_selectable)
        there = there.where(*(written.columns[name] == of for name, of in pairs), *theirs)
        found.append(there.correlate(between.table))
    return found


def check_free(
    conn: Connection, call: str, between: Between, own: _Key, theirs: Sequence[_Key]
) -> None:
    """Check that no row in between is in the way of a link, where its class has criteria.

    :raises RowExcluded: a row of these links is there, and outside of the criteria.
    """
    if not theirs or not criteria_of(conn):
        return
    mapper, criteria = _of_rows(conn, call, between)
    if not criteria:
        return
    # a criterion that is NULL excludes a row too
    outside = case((and_(*criteria), 1), else_=0) == 0
    statement = select(*between.columns).where(*equal(between.own.columns, own), outside)
    excluded = [
        tuple(row)
        for part in criteria_for(conn, between.theirs.columns, theirs)
        for row in conn.execute(statement.where(part))
    ]
    if excluded:
        names = ", ".join(column.key for column in between.columns)
        raise RowExcluded(
            f"{call}(): {between.table} has rows with ({names}) = "
            f"{', '.join(map(shown, excluded))}, outside of the criteria of this factory for "
            f"{mapper.class_.__name__}. They are in the way of these links. Update them by a "
            f"factory without these criteria: {lifting(conn, mapper)}.",
            mapper.class_,
            excluded,
        )


def _of_rows(conn: Connection, call: str, between: Between) -> tuple[Any, list[Any]]:
    """The mapper of the table in between, and the criteria that hold for its rows."""
    of, found = None, list[Any]()
    mappers = [mapper for mapper in mappers_on(between.table) if between.table in mapper.tables]
    for mapper in sorted(mappers, key=lambda mapper: len(list(mapper.iterate_to_root()))):
        criteria = criteria_of_rows(conn, mapper)
        if not criteria or len(criteria) == len(found):
            continue
        if found or len(mapper.tables) > 1 or mapper.single:
            tables = ", ".join(map(str, mapper.tables))
            raise UnsupportedOption(
                f"{call}() writes rows of {between.table} by themselves, and this factory has "
                f"criteria for {mapper.class_.__name__}, one of several classes of these rows, or "
                f"stored in several tables ({tables}). Write {mapper.class_.__name__} objects; or "
                f"lift the criteria: {lifting(conn, mapper)}."
            )
        of, found = mapper, criteria
    return of, found
