"""Recursive loading: as deep as the rows are, and of rows that refer to each other in circles."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import load_only, selectinload

from ..models.related import Member
from ..oracle import Oracle

DEPTH = 400
FIRST = 1000


def chain(*links: tuple[int, int | None]) -> list[Any]:
    """Give the INSERT of members, each with the key of its parent."""
    rows = [{"id": key, "name": f"n{key}", "parent_id": parent} for key, parent in links]
    return [insert(Member.__table__).values(row) for row in rows]


def tall() -> list[Any]:
    """Give as many members as the ORM can load, each the child of the one before."""
    return chain((FIRST, None), *((FIRST + n, FIRST + n - 1) for n in range(1, DEPTH)))


@pytest.mark.parametrize("depth", [-1, 1000])
def test_a_long_chain(oracle: Oracle, depth: int) -> None:
    top = select(Member).where(Member.id == FIRST)
    bottom = select(Member).where(Member.id == FIRST + DEPTH - 1)

    async def loaded(session: Any, statement: Any) -> Any:
        for row in tall():
            await session.execute(row)
        return (await session.scalars(statement)).one()

    down = top.options(selectinload(Member.children, recursion_depth=depth))
    member = oracle.naked(lambda session: loaded(session, down))
    for level in range(DEPTH):
        assert member.id == FIRST + level
        (member,) = member.children or [None]
    assert member is None

    up = bottom.options(selectinload(Member.parent, recursion_depth=depth))
    member = oracle.naked(lambda session: loaded(session, up))
    for level in reversed(range(DEPTH)):
        assert member.id == FIRST + level
        member = member.parent
    assert member is None


CIRCLE = ((FIRST, FIRST + 2), (FIRST + 1, FIRST), (FIRST + 2, FIRST + 1))


@pytest.mark.parametrize("first", [FIRST, FIRST + 1])
def test_a_circle_ends(oracle: Oracle, first: int) -> None:
    """Here the ORM runs statements for ever.  Each object has what the first of its row has."""

    async def walked(session: Any, attribute: Any, *more: Any) -> list[int]:
        # parents first: the foreign key is closed at the end
        for row in chain((FIRST, None), *CIRCLE[1:]):
            await session.execute(row)
        await session.execute(
            Member.__table__.update().where(Member.id == FIRST).values(parent_id=FIRST + 2)
        )
        option = selectinload(attribute, recursion_depth=-1)
        statement = select(Member).where(Member.id == first).options(option, *more)
        member = (await session.scalars(statement)).one()
        seen = []
        for _ in range(9):
            seen.append(member.id)
            member = getattr(member, attribute.key)
            if isinstance(member, list):
                (member,) = member
        return seen

    forward = [FIRST, FIRST + 1, FIRST + 2]
    start = first - FIRST
    down = (forward[start:] + forward[:start]) * 3
    up = [down[0], *down[:0:-1]]
    with oracle.recorded() as executed:
        assert oracle.naked(lambda s: walked(s, Member.children)) == down
    assert sum("IN (" in statement for statement in executed) == 3
    with oracle.recorded() as executed:
        assert oracle.naked(lambda s: walked(s, Member.parent)) == up
    assert sum("IN (" in statement for statement in executed) == 3
    # the foreign key of the first is not loaded: it is found by a join
    assert oracle.naked(lambda s: walked(s, Member.parent, load_only(Member.name))) == up


def test_a_row_that_is_its_own_parent(oracle: Oracle) -> None:
    async def loaded(session: Any) -> Any:
        for row in chain((FIRST, FIRST), (FIRST + 1, FIRST)):
            await session.execute(row)
        option = selectinload(Member.children, recursion_depth=-1)
        return (
            await session.scalars(select(Member).where(Member.id >= FIRST).options(option))
        ).all()

    first, second = oracle.naked(loaded)
    assert [child.id for child in first.children] == [FIRST, FIRST + 1]
    assert [child.id for child in first.children[0].children] == [FIRST, FIRST + 1]
    assert second.children == []


def test_shared_by_two_branches(oracle: Oracle) -> None:
    """A row is asked for once, though several lead to it."""
    option = selectinload(Member.parent, recursion_depth=-1)
    oracle.compare(
        select(Member).where(Member.id >= FIRST).order_by(Member.id).options(option),
        before=chain(
            (FIRST, None),
            (FIRST + 1, FIRST),
            (FIRST + 2, FIRST),
            (FIRST + 3, FIRST + 1),
            (FIRST + 4, FIRST + 2),
        ),
    )
