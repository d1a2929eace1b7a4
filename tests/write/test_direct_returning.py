"""The direct way of a list with RETURNING: SQLAlchemy's batches, rows and errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import (
    Engine,
    delete,
    event,
    func,
    insert,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from naked_sqla import AsyncSession, AsyncSessionFactory, Session
from naked_sqla._sqlalchemy import direct_returning
from naked_sqla._sqlalchemy.direct_returning import KeptReturning

from .._cancelling import VARIANTS, Moment, Run, cancelled_everywhere
from .._cancelling import Kind as KindOfCancellation
from .._notes import checked_out
from .._proxy import Proxy, Side
from ..sessions import test_cancellation as cancellation
from ..sessions.test_cancellation import Witness, witness
from ._both_ways import errors, with_sessions
from ._writing import contents
from .test_direct import (
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
)
from .test_direct_cancelled import fill, stored, through
from .test_direct_cancelled import told as told_of_cut
from .test_direct_lists import ROWS, taken

__all__ = ("engines", "filled", "taken", "through", "witness")

Call = Callable[[AsyncSession], Any]

IS_2_0 = sqlalchemy.__version__.startswith("2.0")


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The SQL and the parameters of each batch that the direct way sends."""
    sent: list[Any] = []
    plain = KeptReturning.batches

    def recording(self: KeptReturning, values: Any) -> Iterator[Any]:
        for batch in plain(self, values):
            sent.append(batch)
            yield batch

    monkeypatch.setattr(KeptReturning, "batches", recording)
    return sent


def listening(engine: AsyncEngine) -> list[Any]:
    """The same of each statement that SQLAlchemy sends for several rows."""
    sent: list[Any] = []

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def note(conn: Any, cursor: Any, sql: str, parameters: Any, context: Any, many: bool) -> None:
        if many:
            sent.append((sql, parameters))

    return sent


def on_conflict(session: AsyncSession, model: Any) -> Any:
    kinds: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    return kinds[session.conn.dialect.name](model)


def numbered(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": n, "number": 10 - n, **more} for n in range(1, count + 1)]


SORTED = {"sort_by_parameter_order": True}
TAKEN: dict[str, Call] = {
    "entities": lambda s: s.scalars(insert(Note).returning(Note), numbered(8)),
    "rows": lambda s: s.execute(insert(Note).returning(Note), numbered(8)),
    "tuples": lambda s: s.tuples(insert(Note).returning(Note.id, Note), numbered(8)),
    "one name": lambda s: s.scalars(insert(Note).returning(Note.id), [{"id": 1}, {"id": 2}]),
    "two rows": lambda s: s.scalars(insert(Note).returning(Note.id), numbered(2)),
    "a full batch": lambda s: s.scalars(insert(Note).returning(Note), numbered(3)),
    "full batches": lambda s: s.scalars(insert(Note).returning(Note), numbered(6)),
    "columns": lambda s: s.execute(
        insert(Note).returning(Note.number + Note.id, Note.digits), numbered(7, digits="3")
    ),
    "names that are other columns'": lambda s: s.scalars(
        insert(Note).returning(Note),
        [{"text": f"t{n}", "words": "w", "other": n, "id": n} for n in range(5)],
    ),
    "what the model adds": lambda s: s.scalars(
        insert(Kind).returning(Kind), [{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}]
    ),
    "defaults": lambda s: s.scalars(insert(Made).returning(Made), numbered(5)),
    "an expression for each row": lambda s: s.scalars(
        insert(Note).values(stored=literal_column("lower('S')")).returning(Note.number), numbered(4)
    ),
    "on conflict do nothing": lambda s: s.scalars(
        on_conflict(s, Note).on_conflict_do_nothing().returning(Note),
        [*numbered(4), {"id": 100, "number": 1}],
    ),
    "on conflict do update": lambda s: s.scalars(
        (new := on_conflict(s, Note))
        .on_conflict_do_update(index_elements=["id"], set_={"number": new.excluded.number})
        .returning(Note),
        [*numbered(4), {"id": 100, "number": 1}],
    ),
}


COMPILED_EACH_TIME = [name for name in TAKEN if name.startswith("on conflict") and IS_2_0]


async def seen(session: AsyncSession, call: Any) -> Any:
    """What a call gives and leaves behind; taken back."""
    point = await session.conn.begin_nested()
    result = described(await call(session))
    left = await session.conn.run_sync(lambda c: [contents(c, m) for m in (Note, Made, Kind)])
    await point.rollback()
    return result, left


def with_small_batches(engine: AsyncEngine, parameters: int | None = None) -> AsyncEngine:
    """An engine on the same database.

    :param parameters: of one statement at most; None: three rows.
    """
    if parameters is None:
        return create_async_engine(engine.url, insertmanyvalues_page_size=3)
    small = create_async_engine(engine.url)
    small.dialect.insertmanyvalues_max_parameters = parameters
    return small


@pytest.mark.parametrize("parameters", [None, 9])
async def test_taken_the_second_time(
    filled: AsyncEngine,
    taken: list[bool],
    batches: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    parameters: int | None,
) -> None:
    if parameters is not None:
        # no SQL is short enough to be kept
        monkeypatch.setattr(direct_returning, "_LONG", 0)
    watched, quiet = (with_small_batches(filled, parameters) for _ in range(2))
    sent = listening(watched)
    for name, call in TAKEN.items():
        told = []
        for engine in (watched, quiet):
            async with AsyncSessionFactory(engine).begin() as session:
                told += [await seen(session, call) for _ in range(3)]
                await session.rollback()
        assert all(one == told[0] for one in told), name
        # 2.0 compiles ON CONFLICT each time
        ways = dict.fromkeys(COMPILED_EACH_TIME, False).get(name, True)
        assert (taken[:3], taken[4:]) == ([False] * 3, [ways] * 2), name
        # an earlier call has sent the same statement
        assert batches == sent[: len(sent) // 3] * sum(taken), name
        taken.clear()
        batches.clear()
        sent.clear()
    await watched.dispose()
    await quiet.dispose()


IN_ORDER: dict[str, Call] = {
    "a generated key": lambda s: s.scalars(
        insert(Note).returning(Note, **SORTED), [{"number": -n} for n in range(8)]
    ),
    "columns": lambda s: s.execute(
        insert(Note).returning(Note.number, Note.digits, **SORTED),
        [{"number": -n, "digits": f"{n}"} for n in range(8)],
    ),
    "defaults": lambda s: s.scalars(
        insert(Made).returning(Made, **SORTED), [{"number": -n} for n in range(8)]
    ),
}


async def test_in_the_order_of_the_list(
    filled: AsyncEngine, taken: list[bool], batches: list[Any]
) -> None:
    watched, quiet = (with_small_batches(filled) for _ in range(2))
    sent = listening(watched)
    # SQLite has nothing to sort by, and SQLAlchemy inserts row by row there
    ways = filled.dialect.name != "sqlite"
    for name, call in IN_ORDER.items():
        told = []
        for engine in (watched, quiet):
            async with AsyncSessionFactory(engine).begin() as session:
                for _ in range(3):
                    found = (await call(session)).all()
                    told.append([getattr(row, "number", row) for row in found])
                await session.rollback()
        assert told == [[-n for n in range(8)]] * 6, name
        assert taken == [False] * 4 + [ways] * 2, name
        assert batches == (sent[: len(sent) // 3] * 2 if ways else []), name
        taken.clear()
        batches.clear()
        sent.clear()
    await watched.dispose()
    await quiet.dispose()


RETURNING = insert(Note).returning(Note)
NOT_TAKEN: dict[str, Call] = {
    "an option": lambda s: s.scalars(RETURNING, ROWS, execution_options={"mine": 1}),
    "a page size": lambda s: s.scalars(
        RETURNING, ROWS, execution_options={"insertmanyvalues_page_size": 1}
    ),
    "an option of the statement": lambda s: s.scalars(RETURNING.execution_options(mine=1), ROWS),
    "other keys": lambda s: s.scalars(RETURNING, [ROWS[0], {"id": 2, "text": "t"}]),
    "an expression": lambda s: s.scalars(RETURNING, [ROWS[0], {"id": 2, "number": func.abs(1)}]),
    "None for a default": lambda s: s.scalars(RETURNING, [ROWS[0], {"id": 2, "number": None}]),
    "a value in the statement": lambda s: s.scalars(
        insert(Note).values(text="t").returning(Note), [{"id": 1}, {"id": 2}]
    ),
    "a value in RETURNING": lambda s: s.execute(
        insert(Note).returning(Note.id, literal("x") + Note.text), ROWS
    ),
    "a table": lambda s: s.execute(insert(NOTES).returning(NOTES), ROWS),
    "keys to sort by": lambda s: s.scalars(insert(Note).returning(Note, **SORTED), ROWS),
    "one row": lambda s: s.scalars(RETURNING, ROWS[:1]),
    "a value in ON CONFLICT": lambda s: s.scalars(
        on_conflict(s, Note)
        .on_conflict_do_update(index_elements=["id"], set_={"text": "t"})
        .returning(Note),
        ROWS,
    ),
}


async def test_not_taken(filled: AsyncEngine, taken: list[bool]) -> None:
    db = AsyncSessionFactory(filled)
    for name, call in NOT_TAKEN.items():
        taken.clear()
        for _ in range(3):
            async with db.begin() as session:
                assert (await call(session)).all()
                await session.rollback()
        assert not any(taken), name
    for options in ({"echo": True}, {"insertmanyvalues_page_size": 1}):
        taken.clear()
        engine = create_async_engine(filled.url, **options)
        async with AsyncSessionFactory(engine).begin() as session:
            for n in range(3):
                await session.scalars(RETURNING, [{"id": 2 * n}, {"id": 2 * n + 1}])
            await session.rollback()
        assert taken == [False] * 3
        await engine.dispose()


FAILING: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "a key that is there": (
        RETURNING,
        numbered(5),
        [*numbered(4), {"id": 100, "number": 1}],
    ),
    "values that can't be converted": (
        RETURNING,
        numbered(2, digits="1"),
        [*numbered(2, digits="2"), {"id": 5, "number": 1, "digits": "one"}],
    ),
    "a default that fails": (
        insert(Made).returning(Made),
        ROWS,
        [{"id": 1, "number": 1}, {"id": 2, "number": {}}],
    ),
}


async def test_an_error_is_sqlalchemys(filled: AsyncEngine, taken: list[bool]) -> None:
    for name, (statement, fine, bad) in FAILING.items():

        async def afterwards(db: AsyncSessionFactory, error: Any) -> Any:
            if not isinstance(error, IntegrityError):
                return None
            found = await after_a_swallowed_error(db, statement, bad)  # noqa: B023
            # the first batch: a statement of its own, which SQLite does not take back
            await db.execute(delete(Note).where(Note.id < 100))
            return found

        listened, quiet = await errors(
            lambda: with_small_batches(filled),
            lambda session, rows: session.scalars(statement, rows),  # noqa: B023
            (fine, bad),
            told,
            afterwards,
        )
        assert listened == quiet, name
        assert taken[len(taken) // 2 :] == [False] + [True] * (len(taken) // 2 - 1)
        taken.clear()


def test_the_synchronous_face(sync_engine: Engine, taken: list[bool]) -> None:
    Base.metadata.create_all(sync_engine)

    def work(session: Session) -> Any:
        for n in range(3):
            rows = [{"id": 10 * n + i, "number": n, "digits": f"{n}"} for i in range(2)]
            yield described(session.scalars(RETURNING, rows))
        yield session.connection().execute(select(NOTES).order_by(NOTES.c.id)).all()

    listened, quiet = with_sessions(sync_engine, lambda session: [*work(session)])
    assert listened == quiet
    assert taken == [False] * 4 + [True] * 2


async def test_a_class_that_is_mapped_later(engine: AsyncEngine, taken: list[bool]) -> None:
    """The next row may be one of a class that the loader does not know yet."""

    class Own(DeclarativeBase):
        pass

    class First(Own):
        __tablename__ = "first"
        __mapper_args__: Any = {"polymorphic_on": "kind", "polymorphic_identity": "first"}
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]

    statement = insert(First).returning(First)
    async with AsyncSessionFactory(engine).begin() as session:
        await session.conn.run_sync(Own.metadata.create_all)
        await session.scalars(statement, [{"id": 1}, {"id": 2}])
        await session.scalars(statement, [{"id": 3}, {"id": 4}])

        class Later(First):
            __mapper_args__: Any = {"polymorphic_identity": "later"}

        rows = [{"id": 5, "kind": "first"}, {"id": 6, "kind": "later"}]
        found = (await session.scalars(statement, rows)).all()
        await session.rollback()
    assert taken == [False, True, False]
    assert [obj.__class__ for obj in found] == [First, Later]


# ------------------------------------------------------------ cancelled


@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_cancelled_anywhere(
    engine: AsyncEngine,
    witness: Witness,
    taken: list[bool],
    kind: KindOfCancellation,
    moment: Moment,
) -> None:
    small = with_small_batches(engine)
    db = AsyncSessionFactory(small)
    statement = insert(cancellation.Note).returning(cancellation.Note)
    new = [{"id": n, "text": "new"} for n in range(10, 15)]
    sessions: list[AsyncSession] = []

    async def block() -> None:
        async with db.begin() as session:
            sessions.append(session)
            assert len((await session.scalars(statement, new)).all()) == 5

    async def before() -> None:
        await fill(witness.engine)
        sessions.clear()
        taken.clear()

    async def check(run: Run) -> None:
        assert run.as_asked, run
        assert checked_out(small) == 0
        await witness.can_write()
        found = set(await stored(witness.engine))
        assert found in ({1, 2, 3}, {1, 2, 3, *range(10, 15)}), run
        for session in sessions:
            outcome = "committed" if 10 in found else "rolled_back"
            assert (session.state, session.outcome) == ("closed", outcome)
        assert all(taken)

    await fill(witness.engine)
    async with db.begin() as session:
        await session.scalars(statement, new)
        await session.rollback()
    assert await cancelled_everywhere(block, kind, moment, check, before) >= 2
    await small.dispose()


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
@pytest.mark.parametrize("side", ["sent", "answered"])
async def test_cut(
    through: list[AsyncSessionFactory],
    witness: Witness,
    proxy: Proxy,
    taken: list[bool],
    side: Side,
) -> None:
    statement = insert(cancellation.Note).returning(cancellation.Note)
    new = [{"id": n, "text": "new"} for n in range(10, 15)]
    seen = []
    for db in through:
        async with db.begin() as session:
            await session.scalars(statement, new)
            await session.rollback()
        taken.clear()
        fault = proxy.on("execute", side, "cut")
        with pytest.raises(DBAPIError) as raised:
            async with db.begin() as session:
                await session.scalars(statement, new)
        assert fault.fired
        assert checked_out(db.engine) == 0
        seen.append(told_of_cut(raised.value))
        await witness.can_write()
        assert set(await stored(witness.engine)) == {1, 2, 3}
    assert seen[0] == seen[1]
    assert taken == [True]
