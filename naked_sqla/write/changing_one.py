"""UPDATE of one row of a class with one table, by its primary key: with what is stored now, or not.

Each is one statement for a class, which is made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import update
from sqlalchemy.orm import lazyload

from naked_sqla._sqlalchemy import statements
from naked_sqla.read.criteria import criteria_of
from naked_sqla.read.fetching import loading_on
from naked_sqla.read.loader import entity_result
from naked_sqla.write.changing import Change, raise_missed
from naked_sqla.write.direct import RowStatement, has_values_only
from naked_sqla.write.finding import bound, class_criteria, within
from naked_sqla.write.rows import runs
from naked_sqla.write.tables import Written

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ("can_match_one", "match_one", "update_one")


def update_one(conn: Connection, written: Written, change: Change) -> Any:
    """UPDATE one row of a class with one table, and load what is stored now.

    :raises RowGone: it is not there.
    :raises VersionConflict: its version has moved on.
    """
    written = within(conn, written)
    form, keys = _form_of_one(written, change, returning=True)
    values = {written.parts[0].names[key]: value for key, value in change.values.items()}
    plain = has_values_only(values.values())
    found: Sequence[Any] | None = form.objects(conn, {**values, **keys}) if plain else None
    if found is None:
        ((expressions, (given,)),) = runs([values])
        statement = written.parts[0].with_values(form.statement, expressions)
        options = statements.orm_options(None)
        result = conn.execute(statement, {**given, **keys}, execution_options=options)
        found = entity_result(result, statement, loading_on(conn, None)).scalars().all()
        if plain:
            form.remember(conn, {**values, **keys}, result)
    if not found:
        raise_missed(conn, written, [change])
    return found[0]


def can_match_one(conn: Connection, written: Written, change: Change) -> bool:
    """False for a class with several tables, for SQL expressions, and where criteria hold."""
    if len(written.parts) > 1 or criteria_of(conn):
        return False
    return has_values_only(change.values.values())


def match_one(conn: Connection, written: Written, change: Change) -> int:
    """UPDATE one row of a class with one table; its values are no SQL expressions.

    :return: 1.
    :raises RowGone: it is not there.
    :raises VersionConflict: its version has moved on.
    """
    form, keys = _form_of_one(written, change, returning=False)
    values = {written.parts[0].names[key]: value for key, value in change.values.items()}
    if 0 <= form.matched(conn, {**values, **keys}) != 1:
        raise_missed(conn, written, [change])
    return 1


def _form_of_one(
    written: Written, change: Change, returning: bool
) -> tuple[RowStatement, dict[str, Any]]:
    """The UPDATE of one row, and the parameters that find it."""
    part, version = written.parts[0], change.version
    names = part.keys if version is None else (*part.keys, str(written.version))
    kind = "update", returning, version is None
    form: RowStatement | None = written.forms.get(kind)
    if form is None:
        found_by = bound([part.columns[name] for name in names], "naked_key_")
        statement: Any = update(part.table).where(*class_criteria(written), *found_by)
        if returning:
            model = written.mapper.class_
            statement = update(model).where(*found_by, *written.criteria).returning(model)
            statement = statement.options(lazyload("*"))
        form = written.forms[kind] = RowStatement(statement, once=bool(written.criteria))
    values = [change.key[name] for name in part.keys]
    if version is not None:
        values.append(version)
    return form, {f"naked_key_{i}": value for i, value in enumerate(values)}
