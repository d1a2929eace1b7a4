"""update(Model, key, values): a dictionary beside arguments, and the version that is expected."""

from __future__ import annotations

import inspect as inspection
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, composite, mapped_column
from sqlalchemy.util import greenlet_spawn

from naked_sqla import (
    AsyncSessionFactory,
    InvalidBind,
    InvalidStatement,
    Session,
    UnknownAttribute,
    VersionConflict,
)


class Base(DeclarativeBase):
    pass


class Point:
    def __init__(self, x: int | None, y: int | None) -> None:
        self.x, self.y = x, y

    def __composite_values__(self) -> tuple[int | None, int | None]:
        return self.x, self.y


class Odd(Base):
    """Its attributes are called as the arguments of update() are."""

    __tablename__ = "odd"

    id: Mapped[int] = mapped_column(primary_key=True)
    returning: Mapped[int | None] = mapped_column("returning_")
    model: Mapped[int | None]
    version: Mapped[int | None]
    values: Mapped[int | None] = mapped_column("values_")
    execution_options: Mapped[int | None]
    ident: Mapped[int | None]
    self: Mapped[int | None]
    title: Mapped[str | None] = mapped_column("t")
    x: Mapped[int | None]
    y: Mapped[int | None]
    point: Mapped[Point] = composite("x", "y")


class Other(Base):
    __tablename__ = "other"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]


class Task(Base):
    """Its version is called version."""

    __tablename__ = "task"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class Counted(Base):
    """Its version has another name."""

    __tablename__ = "counted"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    counter: Mapped[int] = mapped_column("n")
    __mapper_args__ = {"version_id_col": counter}


class Both(Base):
    """Its version has another name, and another column the one of the argument."""

    __tablename__ = "both"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str | None]
    counter: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": counter}


class Logs(DeclarativeBase):
    __bind_key__ = "logs"


class Elsewhere(Logs):
    __tablename__ = "elsewhere"

    id: Mapped[int] = mapped_column(primary_key=True)


Update = Callable[..., Any]


def updating(face: Any) -> Update:
    """The ``update()`` of any face, to be awaited."""

    async def update(*args: Any, **kwargs: Any) -> Any:
        value = face.update(*args, **kwargs)
        return await value if inspection.isawaitable(value) else value

    return update


@pytest.fixture(params=["factory", "session", "sync"])
async def update(
    request: pytest.FixtureRequest, engine: AsyncEngine, backend: str
) -> AsyncIterator[Update]:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    rows = [Odd(id=1), Odd(id=2), Other(id=1), Task(id=1), Counted(id=1), Both(id=1)]
    await db.insert_all(rows)
    if request.param == "factory":
        yield updating(db)
    elif request.param == "session":
        async with db.begin() as session:
            yield updating(session)
    else:
        async with engine.connect() as conn:
            yield await conn.run_sync(synchronous)
            await conn.rollback()


def synchronous(conn: Any) -> Update:
    """``update()`` of the synchronous face, on the connection of the asynchronous one."""
    session = Session(conn)

    async def update(*args: Any, **kwargs: Any) -> Any:
        return await greenlet_spawn(session.update, *args, **kwargs)

    return update


async def test_values_in_a_dictionary(update: Update) -> None:
    odd = await update(Odd, 1, {"title": "a", Odd.model: 2, "x": Odd.id + 1})
    assert (odd.title, odd.model, odd.x, odd.version) == ("a", 2, 2, None)
    odd = await update(Odd, (1,), {Odd.__table__.c.t: "b"}, model=3)
    assert (odd.title, odd.model) == ("b", 3)
    odd = await update(Odd, {"id": 1}, {"point": Point(5, 6)}, title=func.upper("c"))
    assert (odd.x, odd.y, odd.title) == (5, 6, "C")
    odd = await update(Odd, 1, {Odd.point: None})
    assert (odd.x, odd.y) == (None, None)
    assert await update(Odd, 2, {"title": "z"}, returning=False) == 1
    assert (await update(Odd, 1, {})).title == "C"


async def test_a_column_may_be_called_as_an_argument_is(update: Update) -> None:
    words = ("returning", "model", "version", "values", "execution_options", "ident", "self")
    odd = await update(Odd, 1, {word: i for i, word in enumerate(words)})
    assert [getattr(odd, word) for word in words] == list(range(len(words)))
    # what has no meaning of its own is a column
    odd = await update(Odd, 1, model=10, version=11, values=12, ident=13)
    assert (odd.model, odd.version, odd.values, odd.ident, odd.returning) == (10, 11, 12, 13, 0)


@pytest.mark.parametrize("how", ["argument", "value", "attribute"])
@pytest.mark.parametrize(("model", "name"), [(Task, "version"), (Counted, "counter")])
async def test_the_version_that_is_expected(
    update: Update, model: Any, name: str, how: str
) -> None:
    async def expecting(version: Any) -> Any:
        if how == "argument":
            return await update(model, 1, {"title": "x"}, version=version)
        if how == "value":
            return await update(model, 1, title="x", **{name: version})
        return await update(model, 1, {model.title: "x", getattr(model, name): version})

    assert getattr(await expecting(1), name) == 2
    assert getattr(await expecting(2), name) == 3
    with pytest.raises(VersionConflict):
        await expecting(2)


async def test_what_is_given_twice_is_refused(update: Update) -> None:
    twice: list[tuple[Any, Any, dict[str, Any], str]] = [
        (Odd, {"title": "a"}, {"title": "a"}, "title"),
        (Odd, {Odd.title: "a"}, {"title": "a"}, "title"),
        (Odd, {"t": "a"}, {"title": "b"}, "title"),
        (Odd, {"title": "a", Odd.title: "b"}, {}, "title"),
        (Odd, {"point": Point(1, 2)}, {"x": 1}, "x"),
        (Task, {"version": 1}, {"version": 1}, "version"),
        (Counted, {"counter": 1}, {"version": 1}, "counter"),
        (Counted, {}, {"version": 1, "counter": 1}, "counter"),
    ]
    for model, values, columns, name in twice:
        with pytest.raises(InvalidStatement, match=rf"\b{name}\b.*twice"):
            await update(model, 1, values, **columns)


async def test_names_that_are_none(update: Update) -> None:
    with pytest.raises(UnknownAttribute, match="titel"):
        await update(Odd, 1, {"titel": "a"})
    with pytest.raises(UnknownAttribute, match=r"Other\.title"):
        await update(Odd, 1, {Other.title: "a"})
    with pytest.raises(InvalidStatement, match="names no attribute"):
        await update(Odd, 1, {1: "a"})
    with pytest.raises(InvalidStatement, match="primary key"):
        await update(Odd, 1, {Odd.id: 2})
    with pytest.raises(InvalidStatement, match="names no attribute"):
        await update(Odd(id=1), {"title": "a"})
    with pytest.raises(InvalidStatement, match="come from the object"):
        await update(Task(id=1, version=1), version=1)
    with pytest.raises(InvalidStatement, match="version_id_col"):
        await update(Other, 1, {"title": "a"}, version=1)
    with pytest.raises(InvalidStatement, match="another column is called version"):
        await update(Both, 1, version=1)
    both = await update(Both, 1, {"version": "a", "counter": 1})
    assert (both.version, both.counter) == ("a", 2)


async def test_values_say_the_database(engine: AsyncEngine) -> None:
    """SQL in the dictionary is looked at as SQL in an argument is."""
    db = AsyncSessionFactory(engine, binds={"logs": engine})
    value = select(func.max(Elsewhere.id)).scalar_subquery()
    for args, columns in (((Odd, 1), {"x": value}), ((Odd, 1, {"x": value}), {})):
        with pytest.raises(InvalidBind, match="logs"):
            await db.update(*args, **columns)  # type: ignore[call-overload]
