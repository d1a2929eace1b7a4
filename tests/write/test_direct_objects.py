"""The direct way of ``insert_all()`` and ``upsert_all()``: as SQLAlchemy's way in all they give."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, event, func, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import Mapped, mapped_column

from naked_sqla import AsyncSession, AsyncSessionFactory, InvalidStatement, Session
from naked_sqla.write import inserting, upserting
from naked_sqla.write import objects as writing

from ..oracle import Oracle
from ._both_ways import classes_with_rows, nothing, with_sessions
from ._writing import contents, tables_of
from .test_direct import Base, Kind, Made, Note, engines, filled, shown_deeply
from .test_direct import told as told_of
from .test_direct import written as left_by
from .test_direct_lists import MODULES
from .test_direct_returning import batches, listening, with_small_batches

__all__ = ("batches", "engines", "filled")

Call = Callable[[AsyncSession], Any]


class Keyed(Base):
    """A key that the client makes, and one column of the same type."""

    __tablename__ = "keyed"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    other: Mapped[uuid.UUID]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the direct way was taken, for each list of objects of one class."""
    found: list[bool] = []
    write = inserting.write_many

    def counting(*args: Any) -> Any:
        found.append(True)
        stored = write(*args)
        found[-1] = stored is not None
        return stored

    for module in (inserting, upserting):
        monkeypatch.setattr(module, "write_many", counting)
    return found


async def upsert_again(session: AsyncSession) -> Any:
    await session.upsert_all([Note(id=n, number=n) for n in range(1, 5)])
    return await session.upsert_all([Note(id=n, number=-n) for n in (9, 3, 8, 1, 7)])


async def upsert_or_ignore(session: AsyncSession) -> Any:
    await session.upsert_all([Made(id=n, number=n) for n in range(1, 5)], update=[])
    return await session.upsert_all([Made(id=n, number=-n) for n in range(3, 8)], update=[])


OTHER = [uuid.UUID(int=n) for n in range(8)]
TAKEN: dict[str, Call] = {
    "a generated key": lambda s: s.insert_all([Note(number=10 - n) for n in range(8)]),
    "one column": lambda s: s.insert_all([Note(stored=str(n % 3)) for n in range(8)]),
    "a key": lambda s: s.insert_all([Note(id=10 - n, digits=f"{n}") for n in range(8)]),
    "a key and nothing else": lambda s: s.insert_all([Kind(id=10 - n) for n in range(8)]),
    "a converted key that the client makes": lambda s: s.insert_all(
        [Keyed(other=one) for one in OTHER]
    ),
    "a converted key": lambda s: s.insert_all([Keyed(id=one, other=one) for one in OTHER]),
    "defaults": lambda s: s.insert_all([Made(number=n) for n in range(8)]),
    "dictionaries": lambda s: s.insert_all([{"number": 10 - n} for n in range(8)], model=Note),
    "equal rows": lambda s: s.insert_all([Note(number=n % 2) for n in range(8)]),
    "upsert": upsert_again,
    "upsert, or ignore": upsert_or_ignore,
    "batches": lambda s: s.insert_all([Note(number=n, text="t") for n in range(8)], batch_size=4),
}


def without_key(obj: Any) -> Any:
    """What an object holds but its key, which the database or the client makes anew each time."""
    return sorted((name, str(value)) for name, value in vars(obj).items() if name != "id")


async def test_taken_the_second_time(
    filled: AsyncEngine, taken: list[bool], batches: list[Any]
) -> None:
    watched, quiet = (with_small_batches(filled) for _ in range(2))
    sent = listening(watched)
    for name, call in TAKEN.items():
        told = []
        for engine in (watched, quiet):
            async with AsyncSessionFactory(engine).begin() as session:
                # the next keys are those of notes, on PostgreSQL
                await session.execute(delete(Note))
                for _ in range(3):
                    point = await session.conn.begin_nested()
                    objects = await call(session)
                    told.append(list(map(without_key, objects)))
                    # each key is that of its row
                    stored = await session.get_many(type_of(objects), [obj.id for obj in objects])
                    assert list(map(without_key, stored)) == told[-1], name
                    await point.rollback()
                await session.rollback()
        assert all(one == told[0] for one in told), name
        calls = len(taken) // 6
        assert not any(taken[: 3 * calls]), name
        # an earlier call has sent the same statement, or the first part of this one
        assert all(taken[4 * calls :]), name
        own = [sql for sql, _ in sent][: len(sent) // 3]
        assert [sql for sql, _ in batches][-len(own) :] == own, name
        for seen in (taken, batches, sent):
            seen.clear()
    await watched.dispose()
    await quiet.dispose()


def type_of(objects: list[Any]) -> Any:
    return objects[0].__class__


async def test_not_taken(filled: AsyncEngine, taken: list[bool]) -> None:
    db = AsyncSessionFactory(filled)
    calls: dict[str, Call] = {
        "one row": lambda s: s.insert_all([Note(number=1)]),
        "expressions": lambda s: s.insert_all(
            [{"number": func.abs(-n)} for n in range(2)], model=Note
        ),
        "other columns in each": lambda s: s.insert_all([Note(number=1), Note(text="t")]),
    }
    for name, call in calls.items():
        taken.clear()
        for _ in range(3):
            async with db.begin() as session:
                await call(session)
                await session.rollback()
        assert not any(taken), name
    for options in ({"echo": True}, {"insertmanyvalues_page_size": 1}):
        taken.clear()
        engine = create_async_engine(filled.url, **options)
        async with AsyncSessionFactory(engine).begin() as session:
            for _ in range(3):
                await session.insert_all([Note(number=1), Note(number=2)])
            await session.rollback()
        assert taken == [False] * 3
        await engine.dispose()


FAILING: dict[str, tuple[list[Any], list[Any]]] = {
    "a key that is there": (
        [Note(id=n, number=1) for n in range(5)],
        [Note(id=n, number=1) for n in (1, 2, 3, 4, 100)],
    ),
    "values that can't be converted": (
        [Note(digits="1"), Note(digits="2")],
        [Note(digits="1"), Note(digits="one")],
    ),
    "a default that fails": (
        [{"id": 1, "number": 1}, {"id": 2, "number": 2}],
        [{"id": 1, "number": 1}, {"id": 2, "number": {}}],
    ),
}


async def test_an_error_is_sqlalchemys(filled: AsyncEngine, taken: list[bool]) -> None:
    for name, (fine, bad) in FAILING.items():
        seen = []
        model = Made if isinstance(bad[0], dict) else None
        for listen in (True, False):
            engine = with_small_batches(filled)
            if listen:
                event.listen(engine.sync_engine, "before_cursor_execute", nothing)
            db = AsyncSessionFactory(engine)
            for rows in (fine, bad, fine):
                async with db.begin() as session:
                    if rows is fine:
                        await session.insert_all(rows, model=model)
                        await session.rollback()
                        continue
                    with pytest.raises(StatementError) as caught:
                        await session.insert_all(rows, model=model)
                    seen.append(told_of(caught.value))
                    await session.rollback()
            await engine.dispose()
        assert isinstance(caught.value, IntegrityError) == name.startswith("a key")
        assert seen[0] == seen[1], name
        assert taken == [False] * 4 + [True] * 2, name
        taken.clear()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_rows_that_a_trigger_leaves_out(filled: AsyncEngine, taken: list[bool]) -> None:
    db = AsyncSessionFactory(filled)
    async with db.begin() as session:
        await session.insert_all([Note(text="a"), Note(text="c")])
        await session.execute(
            text(
                "CREATE TRIGGER no_b BEFORE INSERT ON note WHEN NEW.words = 'b' "
                "BEGIN SELECT RAISE(IGNORE); END"
            )
        )
        with pytest.raises(InvalidStatement, match="2 rows were given and 1 came back"):
            await session.insert_all([Note(text="a"), Note(text="b")])
        await session.rollback()
    assert taken == [False, True]


def twice(model: Any, rows: Any) -> Callable[[Connection], Any]:
    """Insert rows by object with their keys, and without those that are generated."""
    generated = {
        str(column.key)
        for table in tables_of(model)
        for column in table.primary_key
        if column is table.autoincrement_column
    }
    without = [{key: value for key, value in row.items() if key not in generated} for row in rows]

    def work(conn: Connection) -> Any:
        seen: list[Any] = []
        for given in (rows, rows, without, without):
            point = conn.begin_nested()
            try:
                stored = writing.insert_all(conn, given, model=model)
                # PostgreSQL makes a new key each time
                keyed = given is rows
                seen.append([shown_deeply(obj) for obj in stored] if keyed else len(stored))
                seen.append(contents(conn, model) if keyed else None)
            except Exception as error:  # noqa: BLE001 - it is compared
                seen.append((type(error), str(error)))
            point.rollback()
        return seen

    return work


def test_each_class(
    oracle: Oracle, engines: tuple[AsyncEngine, AsyncEngine], taken: list[bool]
) -> None:
    watched, quiet = engines
    count = 0
    for name, model, rows in classes_with_rows(oracle, MODULES, 2):
        work = twice(model, rows)
        theirs = left_by(oracle, watched, model, work)
        assert not any(taken)
        assert left_by(oracle, quiet, model, work) == theirs, name
        count += any(taken)
        taken.clear()
    assert count > 5


def test_the_synchronous_face(sync_engine: Engine, taken: list[bool]) -> None:
    Base.metadata.create_all(sync_engine)

    def work(session: Session) -> Any:
        for n in range(3):
            objects = [Note(id=10 * n + i, number=n, digits=f"{n}") for i in range(2)]
            yield [shown_deeply(obj) for obj in session.insert_all(objects)]

    listened, quiet = with_sessions(sync_engine, lambda session: [*work(session)])
    assert listened == quiet
    assert taken == [False] * 4 + [True] * 2
