"""A version is what the stored row is expected to have, however it is passed."""

from __future__ import annotations

import dataclasses
import pickle
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.orm.exc import StaleDataError

from naked_sqla import (
    AsyncSession,
    AsyncSessionFactory,
    BaseNakedSQLAException,
    InvalidStatement,
    RowGone,
    VersionConflict,
)


class Base(DeclarativeBase):
    pass


class Task(Base):
    __tablename__ = "v_tasks"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str | None] = mapped_column(unique=True)
    title: Mapped[str | None]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class Token(Base):
    """The next version is no number after the last one."""

    __tablename__ = "v_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    version: Mapped[str] = mapped_column()
    __mapper_args__ = {
        "version_id_col": version,
        "version_id_generator": lambda _: uuid.uuid4().hex,
    }


class Own(Base):
    """The application, or a trigger, makes the versions."""

    __tablename__ = "v_own"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    version: Mapped[int | None] = mapped_column()
    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}


@dataclasses.dataclass
class Change:
    id: int
    version: Any
    title: str = "new"


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    await db.insert_all([Task(id=i, code=f"c{i}", title="old") for i in (1, 2)])
    await db.insert_all([Token(id=i, title="old") for i in (1, 2)])
    await db.insert_all([Own(id=i, title="old", version=1) for i in (1, 2)])
    return db


Way = Callable[[AsyncSession, Any, Any], Any]
"""Write the row 1 of a class, of which some version has been seen."""

WAYS: dict[str, Way] = {
    "by key": lambda s, m, v: s.update(m, 1, title="new", version=v),
    "by key, a number": lambda s, m, v: s.update(m, 1, title="new", version=v, returning=False),
    "only the version": lambda s, m, v: s.update(m, 1, version=v),
    "dictionary": lambda s, m, v: s.update({"id": 1, "version": v, "title": "new"}, model=m),
    "instance": lambda s, m, v: s.update(m(id=1, version=v, title="new")),
    "named": lambda s, m, v: s.update(m(id=1, version=v, title="new"), "title", "version"),
    "dataclass": lambda s, m, v: s.update(Change(1, v), model=m),
    "all": lambda s, m, v: s.update_all([{"id": 1, "version": v, "title": "new"}], model=m),
    "all of several": lambda s, m, v: s.update_all(
        [{"id": 2, "title": "new"}, {"id": 1, "version": v, "title": "new"}], model=m
    ),
    "all dataclasses": lambda s, m, v: s.update_all([Change(1, v)], returning=False, model=m),
    "statement": lambda s, m, v: s.execute(update(m), [{"id": 1, "version": v, "title": "new"}]),
    "upsert": lambda s, m, v: s.upsert({"id": 1, "version": v, "title": "new"}, model=m),
    "upsert all": lambda s, m, v: s.upsert_all([Change(3, v), Change(1, v)], model=m),
    "upsert an instance": lambda s, m, v: s.upsert(m(id=1, version=v, title="new")),
    "delete": lambda s, m, v: s.delete({"id": 1, "version": v}, model=m),
}


@pytest.mark.parametrize("model", [Task, Token, Own])
async def test_a_version_is_checked(db: AsyncSessionFactory, model: Any) -> None:
    seen = (await db.get_one(model, 1)).version
    other = "x" if model is Token else 7
    for name, way in WAYS.items():
        async with db.begin() as session:
            with pytest.raises(
                VersionConflict, match="primary key 1 has another version"
            ) as raised:
                async with session.begin_nested():
                    await way(session, model, other)
            assert (raised.value.model, raised.value.moved) == (model, (1,)), name
            rows = await session.execute(select(model.id, model.title, model.version))
            assert {row[:2] for row in rows} == {(1, "old"), (2, "old")}

            await way(session, model, seen)
            row = await session.get(model, 1)
            if name == "delete":
                assert row is None
            elif not (name == "only the version" and model is Own):
                assert row is not None
                assert row.title == ("old" if name == "only the version" else "new")
                expected = {Task: row.version == 2, Own: row.version == 1}
                assert expected.get(model, row.version != seen), name
            await session.rollback()


async def test_none_is_no_version(db: AsyncSessionFactory) -> None:
    """A client that sends null has seen none: it would go past the check."""
    for model in (Task, Token, Own):
        with pytest.raises(InvalidStatement, match="version=None"):
            await db.update(model, 1, title="new", version=None)
    assert (await db.update(Task, 1, title="new")).version == 2


async def test_an_expression_is_no_version(db: AsyncSessionFactory) -> None:
    """Where the mapping makes the next version; elsewhere it is what is stored."""
    for way in (
        lambda: db.update(Task, 1, version=Task.version + 1),
        lambda: db.update({"id": 1, "version": func.abs(5)}, model=Task),
        lambda: db.upsert({"id": 1, "title": "x", "version": func.abs(5)}, model=Task),
    ):
        with pytest.raises(InvalidStatement, match="not an SQL expression"):
            await way()
    assert (await db.update(Own, 1, title="new", version=Own.version + 1)).version == 2
    own = {"id": 1, "version": Own.version + 1}
    assert (await db.update(own, model=Own)).version == 3


async def test_an_upsert_of_a_new_row_begins_with_the_first_version(
    db: AsyncSessionFactory,
) -> None:
    """As merge() does."""
    assert (await db.upsert({"id": 9, "title": "x", "version": 5}, model=Task)).version == 1
    assert (await db.upsert(Task(id=10, code="c9", title="y", version=5), on="code")).version == 1
    kept = await db.upsert({"id": 1, "title": "x", "version": 5}, model=Task, update=[])
    assert (kept.title, kept.version) == ("old", 1)
    with pytest.raises(VersionConflict, match="primary key 1 has another version"):
        await db.upsert({"code": "c1", "title": "x", "version": 5}, model=Task, on="code")


async def test_both_kinds(db: AsyncSessionFactory) -> None:
    """A conflict tells what is gone, too."""
    rows = [{"id": i, "version": 7, "title": "new"} for i in (1, 2, 3)]
    for way in (
        lambda: db.update_all(rows, model=Task),
        lambda: db.delete_all(rows, model=Task),
        lambda: db.execute(update(Task), rows),
    ):
        with pytest.raises(VersionConflict, match=r"3 is gone.* 1, 2 has another") as raised:
            await way()
        assert (raised.value.moved, raised.value.gone) == ((1, 2), (3,))
    with pytest.raises(VersionConflict) as raised:
        await db.delete_all(rows, model=Task, missing_ok=True)
    assert (raised.value.moved, raised.value.gone) == ((1, 2), ())
    with pytest.raises(RowGone) as gone:
        await db.delete_all([{"id": 3}, {"id": 4}], model=Task)
    assert gone.value.gone == (3, 4)
    for error in (raised.value, gone.value):
        assert isinstance(error, StaleDataError)
        assert isinstance(error, BaseNakedSQLAException)
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), vars(copy)) == (str(error), vars(error))


async def test_a_row_is_changed_twice_from_one_version(db: AsyncSessionFactory) -> None:
    task = await db.get_one(Task, 1)
    for first in ({"id": 1, "version": 1, "title": "a"}, {"id": 1, "title": "a"}):
        with pytest.raises(VersionConflict):
            await db.update_all([first, {"id": 1, "version": 1, "title": "b"}], model=Task)
    with pytest.raises(VersionConflict):
        await db.update_all([task, task])
    assert (await db.get_one(Task, 1)).title == "old"
    assert await db.delete_all([task, task]) == 1


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_what_a_trigger_leaves_out(db: AsyncSessionFactory) -> None:
    """The row is there, and is no one's of whom it could be said that it is gone."""
    await db.execute(
        text("CREATE TRIGGER keep BEFORE DELETE ON v_own BEGIN SELECT RAISE(IGNORE); END")
    )
    with pytest.raises(StaleDataError, match="a trigger") as raised:
        await db.delete(Own, 1)
    assert not isinstance(raised.value, BaseNakedSQLAException)


async def test_a_row_is_deleted_with_two_versions(db: AsyncSessionFactory) -> None:
    """One of them is wrong, whichever comes last."""
    rows = [{"id": 1, "version": 7}, {"id": 1, "version": 1}, {"id": 1}]
    for order in (rows, rows[::-1]):
        for missing_ok in (True, False):
            with pytest.raises(VersionConflict):
                await db.delete_all(order, model=Task, missing_ok=missing_ok)
    assert await db.delete_all(rows[1:], model=Task) == 1
