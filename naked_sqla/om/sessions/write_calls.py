"""What the methods of sessions and factories that write by object do: see ``write.objects``.

Functions as those of ``_calls``; the last argument of each is the execution options.  What writes
is imported when it is first used: services that only read never pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from naked_sqla import _compat
from naked_sqla.om.sessions import checks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection


_T = TypeVar("_T")


def _run(conn: Connection, options: Any, write: Callable[..., _T], *args: Any, **named: Any) -> _T:
    """Write with execution options that each statement of it has, those that read rows back too."""
    if not options:
        return write(conn, *args, **named)
    checks.statement_options(None, options)
    with _compat.options_meanwhile(conn, options):
        return write(conn, *args, **named)


def insert(conn: Connection, eager: bool, obj: Any, model: Any, options: Any) -> Any:
    """The stored row of an object."""
    from naked_sqla.om.write import objects

    return _run(conn, options, objects.insert, obj, model=model)


def insert_all(
    conn: Connection, eager: bool, objs: Any, batch_size: int | None, model: Any, options: Any
) -> list[Any]:
    """The stored rows of objects, in their order."""
    from naked_sqla.om.write import objects

    return _run(conn, options, objects.insert_all, objs, batch_size=batch_size, model=model)


def update(
    conn: Connection,
    eager: bool,
    target: Any,
    fields: Sequence[Any],
    returning: bool,
    values: Mapping[str, Any],
    options: Any,
) -> Any:
    """The stored row after an UPDATE of it, or 1."""
    from naked_sqla.om.write import objects

    return _run(conn, options, objects.update, target, *fields, returning=returning, **values)


def update_all(
    conn: Connection,
    eager: bool,
    objs: Any,
    fields: Sequence[Any],
    returning: bool,
    model: Any,
    options: Any,
) -> Any:
    """The stored rows after an UPDATE of each, in their order, or their number."""
    from naked_sqla.om.write import objects

    return _run(conn, options, objects.update_all, objs, *fields, returning=returning, model=model)


def upsert(
    conn: Connection, eager: bool, obj: Any, on: Any, update: Any, model: Any, options: Any
) -> Any:
    """The stored row of an object that was inserted, or that has updated one."""
    from naked_sqla.om.write import objects

    return _run(conn, options, objects.upsert, obj, on=on, update=update, model=model)


def upsert_all(
    conn: Connection, eager: bool, objs: Any, on: Any, update: Any, model: Any, options: Any
) -> list[Any]:
    """The stored rows of objects that were inserted, or have updated some, in their order."""
    from naked_sqla.om.write import objects

    return _run(conn, options, objects.upsert_all, objs, on=on, update=update, model=model)


def delete(
    conn: Connection,
    eager: bool,
    target: Any,
    ident: Sequence[Any],
    missing_ok: bool,
    model: Any,
    options: Any,
) -> bool:
    """Whether there was a row to delete."""
    from naked_sqla.om.write import objects

    return _run(conn, options, objects.delete, target, *ident, missing_ok=missing_ok, model=model)


def delete_all(
    conn: Connection, eager: bool, objs: Any, missing_ok: bool, model: Any, options: Any
) -> int:
    """How many rows were deleted."""
    from naked_sqla.om.write import objects

    return _run(conn, options, objects.delete_all, objs, missing_ok=missing_ok, model=model)


def copy_in(
    conn: Connection, eager: bool, model: Any, rows: Any, columns: Any, options: Any
) -> int:
    """How many rows were stored with COPY."""
    from naked_sqla.om.write import copying

    return _run(conn, options, copying.copy_in, model, rows, columns=columns)


# All of them; their first argument is no statement.
WRITES: frozenset[Callable[..., Any]] = frozenset(
    {insert, insert_all, update, update_all, upsert, upsert_all, delete, delete_all, copy_in}
)
