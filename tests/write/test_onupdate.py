"""A column with ``onupdate`` takes that in each UPDATE that does not name it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import FetchedValue, event, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSession, AsyncSessionFactory, InvalidStatement

ticks = itertools.count(100)


class Base(DeclarativeBase):
    pass


class Stamps:
    """An UPDATE that names none of these leaves what is in the second of these dictionaries."""

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str | None]
    scalar: Mapped[str | None] = mapped_column("by_scalar", onupdate="changed")
    sql: Mapped[str | None] = mapped_column(onupdate=func.lower("CHANGED"))
    called: Mapped[int | None] = mapped_column(onupdate=lambda: next(ticks))
    server: Mapped[str | None] = mapped_column(server_onupdate=FetchedValue())


class Plain(Stamps, Base):
    __tablename__ = "on_plain"


class Asking(Stamps, Base):
    """A function that looks at the row."""

    __tablename__ = "on_asking"

    asked: Mapped[str | None] = mapped_column(
        onupdate=lambda context: f"with {context.get_current_parameters()['label']}"
    )


def careful(context: Any) -> str:
    try:
        return f"with {context.get_current_parameters()['label']}"
    except Exception:  # noqa: BLE001 - it has an answer for any other caller
        return "with nothing"


class Careful(Stamps, Base):
    """A function that catches what it can't look at."""

    __tablename__ = "on_careful"

    asked: Mapped[str | None] = mapped_column(onupdate=careful)


class Versioned(Stamps, Base):
    __tablename__ = "on_versioned"

    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


OLD = {"label": "old", "scalar": "old", "sql": "old", "called": 0, "server": "old"}
NEW = {"label": "new", "scalar": "changed", "sql": "changed", "called": 1, "server": "old"}


@dataclasses.dataclass
class Held:
    """What somebody holds of a row, its stamps included."""

    id: int
    label: str
    scalar: str = "held"
    sql: str = "held"
    called: int = -1
    server: str = "held"


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    db = AsyncSessionFactory(engine)
    for model in (Plain, Asking, Careful, Versioned):
        await db.insert_all([{"id": i, **OLD} for i in (1, 2, 3)], model=model)
    return db


async def stamps(session: AsyncSession, model: Any) -> list[dict[str, Any]]:
    """The rows as they are; of ``called`` only that it was, in the order of the rows."""
    rows = (await session.scalars(select(model).order_by(model.id))).all()
    found = []
    for row in rows:
        values = {name: getattr(row, name) for name in OLD}
        values["called"] = min(values["called"], 1)
        if model in (Asking, Careful):
            assert row.asked == (None if values == OLD else "with new")
        found.append(values)
    called = [row.called for row in rows if row.called]
    assert called == sorted(set(called))
    return found


Way = Callable[[AsyncSession, Any, list[Any]], Any]

WAYS: dict[str, Way] = {
    "update": lambda s, m, objs: s.update(objs[0]),
    "a number": lambda s, m, objs: s.update(objs[0], returning=False),
    "named": lambda s, m, objs: s.update(objs[0], "label"),
    "all": lambda s, m, objs: s.update_all(objs),
    "all, a number": lambda s, m, objs: s.update_all(objs, returning=False),
    "all named": lambda s, m, objs: s.update_all(objs, "label"),
    "one of all": lambda s, m, objs: s.update_all(objs[:1]),
    "dataclass": lambda s, m, objs: s.update(Held(1, "new"), model=m),
    "dataclasses": lambda s, m, objs: s.update_all([Held(i, "new") for i in (1, 2, 3)], model=m),
    "instance": lambda s, m, objs: s.update(m(**dataclasses.asdict(Held(1, "new")))),
    "instances": lambda s, m, objs: s.update_all(
        [m(**dataclasses.asdict(Held(i, "new"))) for i in (1, 2, 3)]
    ),
    "by key": lambda s, m, objs: s.update(m, 1, label="new"),
}
SEVERAL = {"all", "all, a number", "all named", "dataclasses", "instances"}


@pytest.mark.parametrize("model", [Plain, Asking, Careful, Versioned])
async def test_what_is_not_named_is_renewed(db: AsyncSessionFactory, model: Any) -> None:
    for name, way in WAYS.items():
        async with db.begin() as session:
            objs = list((await session.scalars(select(model).order_by(model.id))).all())
            for obj in objs:
                obj.label = "new"
            await way(session, model, objs)
            done = 3 if name in SEVERAL else 1
            assert await stamps(session, model) == [NEW] * done + [OLD] * (3 - done), name
            await session.rollback()


@pytest.mark.parametrize("model", [Plain, Asking, Versioned])
async def test_what_is_named_is_stored(db: AsyncSessionFactory, model: Any) -> None:
    """By a name, or by a key of a dictionary."""
    fields = ("label", "scalar", model.sql, "called", model.server)
    values = dataclasses.asdict(Held(1, "new"))
    ways: list[Way] = [
        lambda s, m, objs: s.update(objs[0], *fields),
        lambda s, m, objs: s.update_all(objs[:1], *fields),
        lambda s, m, objs: s.update_all(objs[:2], *fields),
        lambda s, m, objs: s.update(values, model=m),
        lambda s, m, objs: s.update_all([values], model=m),
        lambda s, m, objs: s.update(m, 1, **{k: v for k, v in values.items() if k != "id"}),
    ]
    for way in ways:
        async with db.begin() as session:
            objs = list((await session.scalars(select(model).order_by(model.id))).all())
            for obj in objs:
                for key, value in values.items():
                    if key != "id":
                        setattr(obj, key, value)
            await way(session, model, objs)
            row = await session.get_one(model, 1)
            assert {name: getattr(row, name) for name in values} == values
            await session.rollback()


@pytest.mark.parametrize("model", [Asking, Careful])
async def test_an_upsert_has_no_row_to_look_at(db: AsyncSessionFactory, model: Any) -> None:
    objs = [model(id=1, label="new"), model(id=2, label="new")]
    for call in (lambda: db.upsert(objs[0]), lambda: db.upsert_all(objs)) * 2:
        with pytest.raises(InvalidStatement, match=r"\.asked looks .*current_parameters"):
            await call()
    assert (await db.get_one(model, 1)).label == "old"


async def test_only_stamps_are_no_change(db: AsyncSessionFactory) -> None:
    """As in the ORM: without another value there is no UPDATE, and no stamp."""
    assert (await db.update(Plain, 1)).scalar == "old"
    held = {"id": 1, "scalar": "held"}
    assert (await db.update(held, model=Plain)).called != 0


async def test_functions_of_onupdate_do_not_cost_the_batch(
    db: AsyncSessionFactory, backend: str
) -> None:
    objs = list((await db.scalars(select(Plain).order_by(Plain.id))).all())
    seen: list[str] = []

    def note(conn: Any, cursor: Any, sql: str, *rest: Any) -> None:
        if sql.startswith("UPDATE"):
            seen.append("many" if rest[-1] else "unnest" if "unnest" in sql else "one")

    event.listen(db.engine.sync_engine, "before_cursor_execute", note)
    await db.update_all(objs, returning=False)
    event.remove(db.engine.sync_engine, "before_cursor_execute", note)
    assert seen == ["many" if backend == "sqlite" else "unnest"]
    assert inspect(Plain).columns["called"].onupdate is not None
