"""JSON that SQLite writes: what it holds is what the rows, read one by one, give."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import ForeignKey, event, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from naked_sqla import AsyncSessionFactory, ConversionError

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None]
    label: Mapped[str | None]
    done: Mapped[bool | None]
    parts: Mapped[list[Part]] = relationship(order_by="Part.label.desc()")


class Part(Base):
    __tablename__ = "parts"

    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int] = mapped_column(ForeignKey("things.id"), index=True)
    label: Mapped[str | None]
    done: Mapped[bool | None]
    thing: Mapped[Thing] = relationship(viewonly=True)


@pytest.fixture
async def db(engine: AsyncEngine) -> AsyncSessionFactory:
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    return AsyncSessionFactory(engine)


THINGS = select(Thing).order_by(Thing.id).options(selectinload(Thing.parts))

# SQL of a number, a label, and whether it is done; True where SQLite writes them
VALUES: dict[str, tuple[str, str, str, bool]] = {
    "usual": ("7", "'seven'", "1", True),
    "nulls": ("NULL", "NULL", "NULL", True),
    "large": ("9223372036854775807", "''", "0", True),
    "negative": ("-9223372036854775808", "' '", "5", True),
    "quotes": ("1", "'\"\\ / '' <>&'", "1", True),
    "controls": ("1", "char(0, 1, 8, 9, 10, 12, 13, 27, 31, 127, 8232)", "1", True),
    "letters": ("1", "'äß€😀'", "1", True),
    "looks_like_json": ("1", "json('[1, {\"a\": null}]')", "1", True),
    "text_in_a_number": ("'many'", "'x'", "1", True),
    "fraction": ("0.1 + 0.2", "'x'", "1", False),
    "bytes": ("1", "x'00ff'", "1", False),
    "bytes_in_a_number": ("x'00ff'", "'x'", "1", False),
    "true_as_a_fraction": ("1", "'x'", "0.5", False),
}


@pytest.mark.parametrize("name", VALUES)
async def test_values(db: AsyncSessionFactory, name: str) -> None:
    number, label, done, written = VALUES[name]
    async with db.begin() as session:
        for key in (1, 2):
            row = f"({key}, {number}, {label}, {done})"
            await session.execute(
                text(f"INSERT INTO things (id, number, label, done) VALUES {row}")
            )
        for key in (1, 2, 3):
            row = f"({key}, 1, {label}, {done})"
            await session.execute(
                text(f"INSERT INTO parts (id, thing_id, label, done) VALUES {row}")
            )
    seen: list[str] = []
    event.listen(db.engine.sync_engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    found = msgspec.json.decode(await db.json(THINGS))
    sent = [sql for sql in seen if sql.startswith("SELECT")]
    assert len(sent) == (1 if written else 3)
    assert "json_group_array" in sent[0]
    async with db.begin() as session, session.stream_json(THINGS) as lines:
        expected = [msgspec.json.decode(line) async for line in lines]
    assert found == expected
    assert len(found[0]["parts"]) == 3
    assert found[1]["parts"] == []


async def test_text_that_is_no_boolean(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.execute(text("INSERT INTO things (id, done) VALUES (1, 'perhaps')"))
    found: Any = msgspec.json.decode(await db.json(select(Thing.id, Thing.done)))
    try:
        expected = [row._asdict() for row in (await db.execute(select(Thing.id, Thing.done))).all()]
    except ConversionError as error:
        expected = [error]
    assert found == expected


async def test_one_of_many_and_values_of_the_statement(db: AsyncSessionFactory) -> None:
    async with db.begin() as session:
        await session.execute(text("INSERT INTO things (id, done) VALUES (1, 0), (2, 1)"))
        for key, thing, label in [(1, 1, "a"), (2, 1, "c"), (3, 2, "b"), (4, 1, "b")]:
            row = f"({key}, {thing}, '{label}')"
            await session.execute(text(f"INSERT INTO parts (id, thing_id, label) VALUES {row}"))
    for key, labels in [(1, ["c", "b", "a"]), (2, ["b"])]:
        (thing,) = msgspec.json.decode(await db.json(THINGS.where(Thing.id == key)))
        assert [part["label"] for part in thing["parts"]] == labels
    parts = select(Part).order_by(Part.label.desc(), Part.id).limit(3)
    found = msgspec.json.decode(await db.json(parts.options(selectinload(Part.thing))))
    assert [(part["label"], part["thing"]["done"]) for part in found] == [
        ("c", False),
        ("b", True),
        ("b", False),
    ]
