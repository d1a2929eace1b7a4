"""Databases and drivers have rooms of their own, and nobody else asks for their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import joinedload, selectinload, with_polymorphic

import naked_sqla
from naked_sqla import AsyncSession, AsyncSessionFactory
from naked_sqla.backends import backend_of
from naked_sqla.backends.base import Backend
from naked_sqla.exception import InvalidStatement

from ..models.blog import Post, Tag, User
from ..models.columns import Pair
from ..models.inheritance import Person
from ..oracle import Oracle, create_zoo, open_oracle, unique_rows
from . import _own_databases

PACKAGE = Path(naked_sqla.__file__).parent
ASKS = re.compile(r"dialect\.(name|driver)\b|\bdialects\.registry\b")


def test_only_the_rooms_ask_for_a_name() -> None:
    asking = [
        f"{path.relative_to(PACKAGE)}:{number}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if "backends" not in path.relative_to(PACKAGE).parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if ASKS.search(line)
    ]
    assert asking == []


@pytest.mark.parametrize(
    ("url", "room"),
    [
        ("sqlite+aiosqlite://", "Aiosqlite"),
        ("sqlite+pysqlite://", "Pysqlite"),
        ("sqlite+pysqlcipher://", "SQLite"),
        ("postgresql+asyncpg://", "Asyncpg"),
        ("postgresql+psycopg://", "Psycopg"),
        ("postgresql+psycopg2://", "PostgreSQL"),
        ("mysql+pymysql://", "Backend"),
    ],
)
def test_the_room_of_a_dialect(url: str, room: str) -> None:
    """A driver without a room is its database; a database without one gets the defaults."""
    dialect: Any = type("Dialect", (), {})()
    dialect.name, _, rest = url.partition("+")
    dialect.driver = rest.partition(":")[0]
    found = backend_of(dialect)
    assert type(found).__name__ == room
    assert str(found) == f"{dialect.name} through {dialect.driver}"
    assert backend_of(dialect) is found


@pytest.fixture(scope="module", params=["plaindb", "roomydb"])
def oracle(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Oracle]:
    path = tmp_path_factory.mktemp("own") / "zoo.sqlite"
    name: str = request.param
    create_zoo(url := URL.create(f"{name}+underneath", database=str(path)))
    with open_oracle("sqlite", url) as found:
        yield found


STATEMENTS = {
    "entities": select(User).order_by(User.id),
    "joined": select(Post).options(joinedload(Post.author)).order_by(Post.id),
    "in a further statement": select(User).options(selectinload(User.posts)).order_by(User.id),
    "polymorphic": select(with_polymorphic(Person, "*")).order_by(text("1")),
    "columns": select(User.name, func.count(Post.id)).join(Post).group_by(User.name),
    "insert": insert(Tag).values(label="new").returning(Tag),
    "update": update(User).values(age=1).where(User.id == 1).returning(User),
    "delete": delete(Tag).where(Tag.id < 0),
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=list(STATEMENTS))
def test_statements_are_as_the_orm_has_them(oracle: Oracle, statement: Any) -> None:
    joins = "JOIN" in str(statement) and getattr(statement, "is_select", False)
    oracle.compare(statement, ordered=False, **({"read": unique_rows} if joins else {}))


def test_rows_by_object(oracle: Oracle) -> None:
    async def work(session: AsyncSession) -> None:
        tags = await session.insert_all([Tag(label=label) for label in "abc"])
        assert [tag.label for tag in tags] == list("abc")
        for tag in tags:
            tag.label *= 2
        assert [tag.label for tag in await session.update_all(tags)] == ["aa", "bb", "cc"]
        assert await session.delete_all(tags[:2]) == 2
        pairs = [Pair(left=70, right=right, value="v") for right in "xy"]
        stored = await session.update_all(await session.insert_all(pairs))
        assert [(pair.left, pair.right) for pair in stored] == [(70, "x"), (70, "y")]

    oracle.naked(work)


def test_what_a_database_lacks_is_refused_before_anything_is_sent(oracle: Oracle) -> None:
    has_upsert = type(backend_of(oracle.engine.dialect)) is _own_databases.Roomy

    async def work(session: AsyncSession) -> None:
        with pytest.raises(InvalidStatement, match=r"copy_in\(\) is PostgreSQL's COPY"):
            await session.copy_in(Tag, [{"label": "a"}])
        if has_upsert:
            assert (await session.upsert(Tag(id=1, label="again"))).label == "again"
            page = await session.keyset(select(User).order_by(User.age, User.id), per_page=2)
            assert len(page.items) == 2
            return
        with pytest.raises(InvalidStatement, match="plaindb has no INSERT"):
            await session.upsert(Tag(id=1, label="again"))
        with pytest.raises(InvalidStatement, match="where plaindb sorts NULLs"):
            await session.keyset(select(User).order_by(User.age, User.id))
        by_age = select(User).order_by(User.age.nulls_last(), User.id)
        assert len((await session.keyset(by_age, per_page=2)).items) == 2

    with oracle.recorded() as sent:
        oracle.naked(work)
    assert not any("INSERT" in sql for sql in sent) or has_upsert


@pytest.mark.parametrize("name", ["plaindb", "roomydb"])
async def test_two_phase_needs_prepared_transactions(name: str, tmp_path: Path) -> None:
    engine = create_async_engine(f"{name}+underneath:///{tmp_path}/a.sqlite")
    with pytest.raises(ValueError, match=f"is {name}, which has none"):
        AsyncSessionFactory(engine, binds={"other": engine}, two_phase=True)
    await engine.dispose()


def test_each_room_changes_what_the_base_names() -> None:
    """A room adds nothing that the base does not name: who reads that knows all of it."""
    rooms = [type(backend_of(type("D", (), {"name": n, "driver": d})())) for n, d in ROOMS]
    for room in rooms:
        for cls in set(room.__mro__) - set(Backend.__mro__):
            own = {name for name in vars(cls) if not name.startswith("_")}
            assert own <= set(dir(Backend)), cls


ROOMS = [("sqlite", "aiosqlite"), ("postgresql", "asyncpg"), ("postgresql", "psycopg")]
