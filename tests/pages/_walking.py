"""What the tests of pages share: walking over all pages of a statement, and comparing rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from naked_sqla import AsyncSession, KeysetPage
from naked_sqla._sqlalchemy import results

from ..oracle import mapper_of


def shown(item: Any) -> Any:
    """An item of a page as a value that compares: objects by class and loaded columns."""
    if isinstance(item, Row):
        return item._fields, tuple(map(shown, item))
    mapper = None if item is None else mapper_of(item)
    if mapper is None:
        return item
    values = vars(item)
    columns = {key: values[key] for key in mapper.column_attrs.keys() & values.keys()}
    related = {
        key: [shown(other) for other in values[key]]
        if isinstance(values[key], list)
        else shown(values[key])
        for key in mapper.relationships.keys() & values.keys()
    }
    return type(item).__name__, sorted(columns.items()), sorted(related.items())


def all_shown(items: Iterable[Any]) -> list[Any]:
    return [shown(item) for item in items]


def items_of(result: Any, single: bool) -> list[Any]:
    """All items of a result: objects of a single item, rows of several."""
    return all_shown(result.scalars() if single else result)


async def whole_of(session: AsyncSession, statement: Any) -> list[Any]:
    """All items of a statement, as one page would give them."""
    result: Any = await session.execute(statement)
    if results.has_unique_filter(result):
        result = result.unique()
    return items_of(result, results.width_of(result) == 1)


async def walk(session: AsyncSession, statement: Any, per_page: int) -> list[KeysetPage[Any]]:
    """All pages of a statement from the first to the last one; checks the way back."""
    page: KeysetPage[Any] = await session.keyset(statement, per_page=per_page)
    assert not page.has_prev
    pages = [page]
    while page.has_next:
        page = await session.keyset(statement, after=page.next_cursor, per_page=per_page)
        assert page.has_prev
        assert page.items
        pages.append(page)
    assert all(len(page.items) == per_page for page in pages[:-1])
    for earlier in pages[-2::-1]:
        page = await session.keyset(statement, before=page.prev_cursor, per_page=per_page)
        assert page.has_next
        assert all_shown(page.items) == all_shown(earlier.items)
        assert page.next_cursor == earlier.next_cursor
        assert page.prev_cursor == earlier.prev_cursor
    assert not page.has_prev
    return pages
