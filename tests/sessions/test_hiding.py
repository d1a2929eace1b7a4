"""``create_engine(hide_parameters=True)`` holds for the messages of this library too."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import URL, Enum, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSession, AsyncSessionFactory, SessionFactory


class Base(DeclarativeBase):
    pass


class Kind(enum.Enum):
    ONE = "one"


class Secret(Base):
    __tablename__ = "secret"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[Kind] = mapped_column(Enum(Kind, native_enum=False, length=30))
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}


HIDDEN = "s3cret"


@pytest.fixture(params=[True, False], ids=["hidden", "shown"])
async def either(database_url: URL, request: pytest.FixtureRequest) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database_url, hide_parameters=request.param)
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(text(f"INSERT INTO secret VALUES ('{HIDDEN}', '{HIDDEN}', 1)"))
        await conn.execute(text("INSERT INTO secret VALUES ('1', 'ONE', 1)"))
    yield engine
    await engine.dispose()


def made(key: str) -> Secret:
    return Secret(id=key, kind=Kind.ONE, version=1)


async def converted(db: Any) -> None:
    await db.scalars(select(Secret))


async def missing(db: Any) -> None:
    await db.get_one(Secret, HIDDEN + "4")


async def wrong_key(db: Any) -> None:
    await db.get(Secret, (HIDDEN, HIDDEN))


async def gone(db: Any) -> None:
    await db.update(Secret, HIDDEN + "4", {"kind": Kind.ONE})


async def deleted(db: Any) -> None:
    await db.delete(made(HIDDEN + "4"))


async def moved(db: Any) -> None:
    await db.delete(Secret(id=HIDDEN, kind=Kind.ONE, version=7))


async def streamed(db: Any) -> None:
    if not isinstance(db, AsyncSession):
        await converted(db)
    async with db.stream_scalars(select(Secret)) as rows:
        [row async for row in rows]


Case = Callable[[Any], Awaitable[None]]
CASES = [converted, missing, wrong_key, gone, deleted, moved, streamed]


@pytest.mark.parametrize("single", [False, True], ids=["session", "call"])
@pytest.mark.parametrize("case", CASES)
async def test_values_in_messages(either: AsyncEngine, case: Case, single: bool) -> None:
    db = AsyncSessionFactory(either)

    async def run() -> None:
        if single:
            await case(db)
        else:
            async with db.begin() as session:
                await case(session)

    with pytest.raises(Exception) as caught:  # noqa: PT011
        await run()
    assert (HIDDEN in str(caught.value)) is not either.sync_engine.hide_parameters
    assert "hide_parameters" in str(caught.value) or not either.sync_engine.hide_parameters


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("where", ["engine", "reader", "binds"])
def test_a_password_is_in_no_message(engine: AsyncEngine, where: str) -> None:
    url: Any = f"postgresql://u:{HIDDEN}@h/d"
    for kind, good in ((AsyncSessionFactory, engine), (SessionFactory, engine.sync_engine)):
        arguments: Any = {"engine": {}, "reader": {"reader": url}, "binds": {"binds": {"x": url}}}
        with pytest.raises(TypeError, match=r"postgresql://\.\.\.") as caught:
            kind(url if where == "engine" else good, **arguments[where])  # type: ignore[arg-type]
        assert HIDDEN not in str(caught.value)
