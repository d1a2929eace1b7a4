"""Named parameters inside loader options: given with the statement, in every way of loading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncSession as OrmSession
from sqlalchemy.orm import (
    contains_eager,
    immediateload,
    joinedload,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    with_loader_criteria,
)

from naked_sqla import AsyncSessionFactory
from naked_sqla.exception import UnsupportedOption

from ..models.blog import Post, User
from ..models.inheritance import Machine, MachinePart, Motor, Turbine
from ..oracle import Oracle

STARS = Post.stars > bindparam("stars")

STATEMENTS: dict[str, Callable[[], Any]] = {
    "selectin": lambda: select(User).options(selectinload(User.posts.and_(STARS))),
    "subquery": lambda: select(User).options(subqueryload(User.posts.and_(STARS))),
    "immediate": lambda: select(User).options(immediateload(User.posts.and_(STARS))),
    "joined": lambda: select(User).options(joinedload(User.posts.and_(STARS))),
    "contains_eager": lambda: (
        select(User).outerjoin(User.posts.and_(STARS)).options(contains_eager(User.posts))
    ),
    "loader criteria, selectin": lambda: select(User).options(
        selectinload(User.posts), with_loader_criteria(Post, STARS)
    ),
    "loader criteria, subquery": lambda: select(User).options(
        subqueryload(User.posts), with_loader_criteria(Post, STARS)
    ),
    "loader criteria, joined": lambda: select(User).options(
        joinedload(User.posts), with_loader_criteria(Post, STARS)
    ),
    "with a value of its own": lambda: select(User).options(
        selectinload(User.posts.and_(Post.stars > bindparam("stars", 100)))
    ),
    "of a list": lambda: select(User).options(
        selectinload(User.posts.and_(Post.stars.not_in(bindparam("few", expanding=True))))
    ),
    "two levels down": lambda: select(User).options(
        selectinload(User.boss).selectinload(User.staff).selectinload(User.posts.and_(STARS)),
        selectinload(User.posts.and_(STARS)),
    ),
    "beside one of the statement": lambda: (
        select(User)
        .where(User.id > bindparam("first"))
        .options(selectinload(User.posts.and_(STARS)))
    ),
}


def posts_of(users: Any) -> dict[int, list[int]]:
    return {user.id: sorted(post.stars for post in user.posts) for user in users}


def expected(oracle: Oracle, stars: int) -> dict[int, list[int]]:
    """Give the stars of each user's posts above a number, by joins of plain columns."""
    found: dict[int, list[int]] = {key: [] for (key,) in oracle.rows(select(User.id))}
    for key, number in oracle.rows(
        select(Post.author_id, Post.stars).where(Post.stars > stars, Post.author_id.is_not(None))
    ):
        found[key].append(number)
    return {key: sorted(numbers) for key, numbers in found.items()}


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("after_the_orm", [False, True], ids=["alone", "after the ORM"])
def test_parameters(oracle: Oracle, name: str, after_the_orm: bool) -> None:
    """Each execution has its own values, though all share what was compiled, with the ORM too."""
    make = STATEMENTS[name]
    if after_the_orm:
        oracle.outcome(
            lambda conn: OrmSession(bind=conn),
            make(),
            given_for(name, 0),
            None,
            lambda result: result.unique().all(),
            (),
        )
    for stars in (0, 3, 4, 0, 99):
        values = given_for(name, stars)
        rows = oracle.rows(make(), values, unique=True)
        assert posts_of(row[0] for row in rows) == expected(oracle, stars)


def given_for(name: str, stars: int) -> dict[str, Any]:
    """Give the parameters of one of the statements."""
    if name == "of a list":
        return {"few": list(range(stars + 1))}
    return {"stars": stars} | ({"first": 0} if name == "beside one of the statement" else {})


@pytest.mark.parametrize("name", ["selectin", "subquery", "immediate", "two levels down"])
def test_other_ways_to_run(oracle: Oracle, name: str) -> None:
    """One-shots, streams, and ``into()``'s kin run the same further statements."""
    make = STATEMENTS[name]
    db = AsyncSessionFactory(oracle.engine)

    async def streamed(stars: int) -> Any:
        async with db.begin() as session:
            result = await session.stream(
                make(), {"stars": stars}, execution_options={"yield_per": 2}
            )
            return [row[0] async for row in result]

    async def one_shot(stars: int) -> Any:
        return (await db.scalars(make(), {"stars": stars})).all()

    for stars in (3, 0):
        for way in (streamed, one_shot):
            assert posts_of(oracle.run(way(stars))) == expected(oracle, stars)


@pytest.mark.parametrize("name", [n for n in STATEMENTS if n != "with a value of its own"])
def test_a_parameter_without_a_value(oracle: Oracle, name: str) -> None:
    """An error as for a parameter of the statement itself, whoever has compiled it before."""
    make = STATEMENTS[name]
    for _ in range(2):
        with pytest.raises(StatementError, match="A value is required for bind parameter"):
            oracle.rows(make(), unique=True)
        oracle.rows(make(), given_for(name, 1), unique=True)


def test_a_name_that_is_taken(oracle: Oracle) -> None:
    """The further statement has a parameter of its own, which must not get the caller's value."""
    criterion = Post.id.in_(bindparam("primary_keys", expanding=True))
    statement = select(User).options(selectinload(User.posts.and_(criterion)))
    with pytest.raises(UnsupportedOption, match="primary_keys"):
        oracle.rows(statement, {"primary_keys": [1]})
    users = oracle.rows(
        select(User)
        .where(User.id.in_(bindparam("primary_keys", expanding=True)))
        .options(selectinload(User.posts)),
        {"primary_keys": [1, 2]},
    )
    assert [user.id for (user,) in users] == [1, 2]
    assert posts_of([users[0][0]])[1] == expected(oracle, -1)[1]


def test_its_own_value(oracle: Oracle) -> None:
    make = STATEMENTS["with a value of its own"]
    oracle.rows(make(), {"stars": 1})
    assert posts_of(row[0] for row in oracle.rows(make())) == expected(oracle, 100)


def test_of_a_subclass(oracle: Oracle) -> None:
    statement = select(Machine).options(
        selectin_polymorphic(Machine, [Motor, Turbine]),
        selectinload(Machine.parts.and_(MachinePart.id > bindparam("part"))),
    )
    for part, found in ((1, {1: [3], 2: [2], 3: [4]}), (3, {1: [], 2: [], 3: [4]})):
        machines = [row[0] for row in oracle.rows(statement, {"part": part})]
        assert {m.id: [p.id for p in m.parts] for m in machines} == found


def test_returning(oracle: Oracle) -> None:
    statement = (
        update(User)
        .where(User.id == bindparam("who"))
        .values(age=1)
        .returning(User)
        .options(selectinload(User.posts.and_(STARS)))
    )
    for stars in (0, 3):
        user = oracle.one(statement, {"who": 1, "stars": stars})
        assert posts_of([user])[1] == expected(oracle, stars)[1]
