"""The oracle finds what is different: two statements that are not the same, taken for the same."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Float, cast, insert, literal, select, type_coerce, update
from sqlalchemy.orm import aliased, defer, joinedload, load_only, selectinload, undefer

from ..models.blog import Post, User
from ..models.columns import Invoice
from ..models.inheritance import Engineer, Person
from ..models.types import Sample
from ..oracle import Oracle, unique_rows

USERS = select(User).order_by(User.id)

# ours, the ORM's
DIFFERENT: dict[str, tuple[Any, Any]] = {
    "a row is missing": (USERS.where(User.id > 1), USERS),
    "a row too many": (USERS, USERS.where(User.id > 1)),
    "another order": (USERS, select(User).order_by(User.id.desc())),
    "a value": (select(User.id), select(User.age.label("id"))),
    "a type": (select(User.id.label("x")), select(cast(User.id, Float).label("x"))),
    "a converted type": (
        select(Sample.id, type_coerce(Sample.level, Sample.integer.type).label("level")),
        select(Sample.id, Sample.level),
    ),
    "a label": (select(User.id.label("a")), select(User.id.label("b"))),
    "a key": (select(aliased(User, name="x")), select(User)),
    "less is loaded": (USERS.options(load_only(User.name)), USERS),
    "more is loaded": (USERS, USERS.options(defer(User.name))),
    "a deferred column": (select(Invoice), select(Invoice).options(undefer(Invoice.memo))),
    "an object for a column": (select(User).where(User.id == 1), select(User.id.label("User"))),
    "none for an object": (
        select(User, Post).outerjoin(Post, Post.id == -1).where(User.id == 1),
        select(User, Post).join(Post, Post.id == 1).where(User.id == 1),
    ),
    "another class": (
        select(Person.id, Person).where(Person.id == 1),
        select(Person.id, Person).where(Person.id == 3),
    ),
    "a column of a subclass": (
        select(Person).where(Person.id == 2),
        select(Engineer).where(Engineer.id == 2),
    ),
    "a relationship": (USERS, USERS.options(selectinload(User.posts))),
    "a relationship too many": (USERS.options(selectinload(User.boss)), USERS),
    "the filter of a relationship": (
        USERS.options(selectinload(User.posts.and_(Post.stars > 3))),
        USERS.options(selectinload(User.posts)),
    ),
    "the relationship of a related object": (
        USERS.options(selectinload(User.posts)),
        USERS.options(selectinload(User.posts).selectinload(Post.tags)),
    ),
    "what a related object has loaded": (
        USERS.options(selectinload(User.posts).load_only(Post.title)),
        USERS.options(selectinload(User.posts)),
    ),
    "an item of a row": (select(User, literal(1)), select(User, literal(2))),
    "what is stored": (
        update(User).values(age=1).where(User.id == 1),
        update(User).values(age=2).where(User.id == 1),
    ),
    "where it is stored": (
        insert(User).values(id=50, name="x"),
        insert(User).values(id=51, name="x"),
    ),
    "an error": (select(User), update(User).values(name=None)),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_difference_is_found(oracle: Oracle, name: str) -> None:
    ours, theirs = DIFFERENT[name]
    with pytest.raises(AssertionError):
        oracle.compare(ours, orm=theirs)


@pytest.mark.parametrize("name", DIFFERENT)
def test_same_is_the_same(oracle: Oracle, name: str) -> None:
    """The statements themselves are all right: it is the difference that is found."""
    for statement in DIFFERENT[name]:
        oracle.compare(statement)


def test_further_statements_are_counted(oracle: Oracle) -> None:
    oracle.compare(USERS.options(selectinload(User.posts)))
    assert oracle.executed == 2
    oracle.compare(USERS.options(joinedload(User.posts)), read=unique_rows)
    assert oracle.executed == 1


def test_a_changed_object_is_found(oracle: Oracle) -> None:
    """Whatever is done to an object of ours before it is compared."""

    def change(name: str, value: Any) -> Any:
        def read(result: Any) -> Any:
            rows = result.all()
            setattr(rows[0][0], name, value)
            return rows

        return read

    for name, value in (("name", "x"), ("age", 40.0), ("age", True), ("posts", []), ("new", 1)):
        with pytest.raises(AssertionError):
            oracle.compare(USERS, read=change(name, value), orm_read=lambda result: result.all())
    oracle.compare(USERS, read=change("age", 40), orm_read=lambda result: result.all())
