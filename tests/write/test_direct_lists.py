"""The direct way of a list of dictionaries: SQLAlchemy's results and errors, and its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from naked_sqla import AsyncSession, AsyncSessionFactory, RowGone, Session, UnknownAttribute
from naked_sqla.write import direct_batches

from ..oracle import Oracle
from ._both_ways import classes_with_rows, errors, nothing, with_sessions
from ._writing import contents
from .test_direct import (
    MADE,
    NOTES,
    Base,
    Kind,
    Made,
    Note,
    after_a_swallowed_error,
    described,
    engines,
    filled,
    told,
    tried,
    written,
)

__all__ = ("engines", "filled")


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the direct way was taken, for each list."""
    found: list[bool] = []
    run = direct_batches.run

    def counting(*args: Any) -> Any:
        found.append(True)
        result = run(*args)
        found[-1] = result is not None
        return result

    monkeypatch.setattr(direct_batches, "run", counting)
    return found


CHANGE = update(Note).where(Note.id == bindparam("key"))
TAKEN: dict[str, Callable[[AsyncSession], Any]] = {
    "insert": lambda s: s.execute(insert(Note), [{"id": n, "number": n} for n in range(3)]),
    "insert, one name": lambda s: s.execute(insert(NOTES), [{"id": 1}, {"id": 2}]),
    "insert, other names": lambda s: s.execute(
        insert(Note), [{"id": n, "text": f"t{n}", "words": "w", "other": n} for n in range(3)]
    ),
    "insert, converted": lambda s: s.execute(
        insert(Note), [{"id": n, "number": 1, "digits": f"{n}"} for n in range(3)]
    ),
    "insert, one converted": lambda s: s.execute(
        insert(NOTES), [{"digits": "3"}, {"digits": None}]
    ),
    "insert into a table": lambda s: s.execute(
        insert(NOTES), [{"id": n, "number": n} for n in range(3)]
    ),
    "insert, what the model adds": lambda s: s.execute(insert(Kind), [{"id": 1}, {"id": 2}]),
    "insert, defaults": lambda s: s.execute(
        insert(Made), [{"id": 1, "number": 4}, {"id": 2, "number": 5}]
    ),
    "update": lambda s: s.execute(CHANGE, [{"key": 101, "number": 5}, {"key": 102, "number": 6}]),
    "update of nothing": lambda s: s.execute(
        CHANGE, [{"key": -1, "number": 5}, {"key": 101, "number": 5}]
    ),
    "update, defaults": lambda s: s.execute(
        update(Made).where(Made.id == bindparam("key")),
        [{"key": 100, "number": 5}, {"key": 100, "number": 6}],
    ),
    "delete": lambda s: s.execute(
        delete(Note).where(Note.id == bindparam("key")), [{"key": 101}, {"key": 7}]
    ),
}


async def seen(session: AsyncSession, call: Any) -> Any:
    """What a call gives and leaves behind; taken back."""
    point = await session.conn.begin_nested()
    result = described(await call(session))
    stored = await session.conn.run_sync(lambda c: [contents(c, m) for m in (Note, Made, Kind)])
    await point.rollback()
    return result, [sorted(map(str, rows)) for table in stored for rows in table.values()]


async def test_taken_the_second_time(filled: AsyncEngine, taken: list[bool]) -> None:
    watched, quiet = create_async_engine(filled.url), create_async_engine(filled.url)
    event.listen(watched.sync_engine, "before_cursor_execute", nothing)
    for name, call in TAKEN.items():
        told = []
        for engine in (watched, quiet):
            async with AsyncSessionFactory(engine).begin() as session:
                told += [await seen(session, call) for _ in range(3)]
                await session.rollback()
        # PostgreSQL makes a new key for a row without one
        if "one converted" not in name:
            assert all(one == told[0] for one in told), name
        assert not any(taken[:3]), name
        assert all(taken[4:]), name
        taken.clear()
    await watched.dispose()
    await quiet.dispose()


ROWS: list[dict[str, Any]] = [{"id": 1, "number": 1}, {"id": 2, "number": 2}]
NOT_TAKEN: dict[str, Callable[[AsyncSession], Any]] = {
    "an option": lambda s: s.execute(insert(Note), ROWS, execution_options={"mine": 1}),
    "other keys": lambda s: s.execute(insert(Note), [ROWS[0], {"id": 2, "text": "t"}]),
    "an expression": lambda s: s.execute(insert(Note), [ROWS[0], {"id": 2, "number": func.abs(1)}]),
    "None for a default": lambda s: s.execute(insert(Note), [ROWS[0], {"id": 2, "number": None}]),
    "a value in the statement": lambda s: s.execute(
        insert(Note).values(text="t"), [{"id": 1}, {"id": 2}]
    ),
    "a tuple": lambda s: s.execute(insert(Note), tuple(ROWS)),
}


async def test_not_taken(filled: AsyncEngine, taken: list[bool]) -> None:
    db = AsyncSessionFactory(filled)
    for name, call in NOT_TAKEN.items():
        taken.clear()
        for _ in range(3):
            async with db.begin() as session:
                await call(session)
                await session.rollback()
        assert not any(taken), name
    taken.clear()
    async with db.begin() as session:
        for _ in range(3):
            await session.execute(delete(Note))
            await session.execute(insert(Note), ROWS)
        # after the direct way was taken for the same names
        await session.execute(delete(Note))
        await session.execute(insert(Note), [ROWS[0], {"id": 2, "number": None}])
        await session.execute(insert(Note), [{"id": 3, "number": func.abs(-3)}])
        # the tuple of the same names has let it be known
        assert taken == [True] * 3 + [False] * 2
        found = await session.execute(select(Note.id, Note.number).order_by(Note.id))
        assert found.all() == [(1, 1), (2, 7), (3, 3)]
        with pytest.raises(UnknownAttribute):
            await session.execute(insert(Note), [{"id": 5, "numbr": 1}, {"id": 6, "numbr": 1}])


async def test_update_by_primary_key(filled: AsyncEngine, taken: list[bool]) -> None:
    watched, quiet = create_async_engine(filled.url), create_async_engine(filled.url)
    event.listen(watched.sync_engine, "before_cursor_execute", nothing)
    told: list[Any] = []
    for engine in (watched, quiet):
        taken.clear()
        async with AsyncSessionFactory(engine).begin() as session:
            for n in range(3):
                rows = [{"id": 100 + i, "number": n, "digits": f"{n}"} for i in range(3)]
                told.append(described(await session.execute(update(Note), rows)))
                found = await session.execute(select(Note.id, Note.number, Note.digits))
                told.append(sorted(map(str, found)))
            await session.rollback()
    assert told[:6] == told[6:]
    # the caller's statement, and the one that finds the rows by their keys
    assert taken == [False, False, False, True, False, True]
    if quiet.dialect.supports_sane_multi_rowcount:
        rows = [{"id": 100, "number": 1}, {"id": 1, "number": 1}]
        with pytest.raises(RowGone):
            await AsyncSessionFactory(quiet).execute(update(Note), rows)
    await watched.dispose()
    await quiet.dispose()


FAILING: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "a key that is there": (
        insert(Note),
        ROWS,
        [{"id": 7, "number": 1}, {"id": 100, "number": 1}],
    ),
    "values that can't be converted": (
        insert(Note),
        [{"id": 1, "digits": "1"}, {"id": 2, "digits": "2"}],
        [{"id": 1, "digits": "one"}, {"id": 2, "digits": "two"}],
    ),
    "a default that fails": (insert(Made), ROWS, [{"id": 1, "number": 1}, {"id": 2, "number": {}}]),
}


async def test_an_error_is_sqlalchemys(filled: AsyncEngine, taken: list[bool]) -> None:
    for name, (statement, fine, bad) in FAILING.items():

        async def afterwards(db: AsyncSessionFactory, error: Any) -> Any:
            if isinstance(error, IntegrityError):
                return await after_a_swallowed_error(db, statement, bad)  # noqa: B023
            return None

        listened, quiet = await errors(
            lambda: create_async_engine(filled.url),
            lambda session, rows: session.execute(statement, rows),  # noqa: B023
            (fine, bad),
            told,
            afterwards,
        )
        assert listened == quiet, name
        assert taken[len(taken) // 2 :] == [False] + [True] * (len(taken) // 2 - 1)
        taken.clear()


def in_lists(model: Any, rows: Any) -> Callable[[Connection], Any]:
    """Insert rows as a list, also with the objects back; change and delete all."""
    mapper = inspect(model)
    named = {str(mapper.get_property_by_column(c).key): c for c in mapper.primary_key}
    found_by = [
        getattr(model, key) == bindparam(f"naked_{i}", type_=column.type)
        for i, (key, column) in enumerate(named.items())
    ]
    keys = [{f"naked_{i}": row.get(key) for i, key in enumerate(named)} for row in rows]
    changed = {name: value for name, value in rows[0].items() if name not in named}
    unkeyed = [{key: value for key, value in row.items() if key not in named} for row in rows]
    removed = delete(model).where(*found_by), keys
    returning = insert(model).returning(model)

    def work(conn: Connection) -> Any:
        seen = []
        for statement, given in (
            (insert(model), rows),
            (update(model).where(*found_by), [{**key, **changed} for key in keys]),
            removed,
            (insert(model), rows),
            (update(model).where(*found_by), [{**key, **changed} for key in keys]),
            removed,
            (returning, rows),
            removed,
            (returning, rows),
            (returning, unkeyed),
            (returning, unkeyed),
        ):
            if not given[0]:
                continue
            seen.append(tried(conn, statement, given))
            seen.append(contents(conn, model))
        return seen

    return work


# whose classes differ in what is stored, and not only in how they are written
MODULES = ("columns", "types", "pg")


def test_each_class(
    oracle: Oracle, engines: tuple[AsyncEngine, AsyncEngine], taken: list[bool]
) -> None:
    watched, quiet = engines
    for name, model, rows in classes_with_rows(oracle, MODULES, 2):
        work = in_lists(model, rows)
        theirs = written(oracle, watched, model, work)
        assert not any(taken)
        assert written(oracle, quiet, model, work) == theirs, name
        taken.clear()


def test_the_synchronous_face(sync_engine: Engine, taken: list[bool]) -> None:
    Base.metadata.create_all(sync_engine)

    def work(session: Session) -> Any:
        for n in range(3):
            rows = [{"id": 10 * n + i, "number": n, "digits": f"{n}"} for i in range(2)]
            yield described(session.execute(insert(Note), rows))
        yield session.connection().execute(select(NOTES).order_by(NOTES.c.id)).all()
        yield session.connection().execute(select(MADE)).all()

    listened, quiet = with_sessions(sync_engine, lambda session: [*work(session)])
    assert listened == quiet
    assert taken == [False] * 4 + [True] * 2
