"""What ``paginate()`` and ``keyset()`` do, on a synchronous connection; imported when first used.

Functions of the kind that ``_calls`` has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from naked_sqla.om.pages.keyset import KeyFound
    from naked_sqla.om.pages.paginate import Found


def paginate(
    conn: Connection,
    eager: bool,
    statement: Any,
    page: int,
    per_page: int,
    error_out: bool,
    count: bool,
) -> Found:
    """One page by its number."""
    from naked_sqla.om.pages import paginate as _paginate

    return _paginate.paginate(conn, eager, statement, page, per_page, error_out, count)


def keyset(
    conn: Connection,
    eager: bool,
    statement: Any,
    after: str | None,
    before: str | None,
    per_page: int,
) -> KeyFound:
    """One page by the key of a row."""
    from naked_sqla.om.pages import keyset as _keyset

    return _keyset.keyset(conn, eager, statement, after, before, per_page)


def several(statement: Any) -> bool:
    """True when a page by key may take several statements.

    :raises InvalidStatement: for a statement that has no key.
    """
    from naked_sqla.om.pages import keyset as _keyset

    return _keyset.several(statement)


def numbers(page: Any, per_page: Any, max_per_page: Any, error_out: bool) -> tuple[int, int]:
    """The page and the items per page that were asked for."""
    from naked_sqla.om.pages import numbers as _numbers

    return _numbers.numbers(page, per_page, max_per_page, error_out)


def size(per_page: Any) -> int:
    """The items per page that were asked for."""
    from naked_sqla.om.pages import numbers as _numbers

    return _numbers.size(per_page)
