"""What only a synchronous session meets: threads, and drivers that are not awaited."""

# A block that fails at its end can only be written inside raises().
# ruff: noqa: PT012, SIM117
from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import StaticPool

from naked_sqla import (
    ConcurrentSessionUse,
    InvalidSessionState,
    Session,
    SessionFactory,
    TransactionRolledBack,
)
from naked_sqla.sessions.guard import ThreadGuard

from .._notes import COUNT, Base, Note, checked_out, stored_sync


@pytest.fixture
def db(sync_engine: Engine) -> SessionFactory:
    Base.metadata.create_all(sync_engine)
    return SessionFactory(sync_engine)


def add(session: Session, words: str) -> None:
    session.execute(insert(Note), {"text": words})


def test_autocommit_is_refused(db: SessionFactory) -> None:
    with pytest.raises(InvalidSessionState, match="AUTOCOMMIT"):
        db.begin(isolation_level="AUTOCOMMIT")
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        with pytest.raises(InvalidSessionState, match="AUTOCOMMIT"):
            Session(conn)


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
def test_a_swallowed_failure(db: SessionFactory) -> None:
    with pytest.raises(TransactionRolledBack) as raised, db.begin() as session:
        add(session, "a")
        with pytest.raises(IntegrityError) as swallowed:
            add(session, "a")
    assert raised.value.__cause__ is swallowed.value
    with db.begin() as session:
        add(session, "a")
        with pytest.raises(IntegrityError), session.conn.begin_nested():
            add(session, "a")
    assert stored_sync(db.engine) == ["a"]


class Pause:
    """Holds a statement in the middle, until it is told to go on."""

    def __init__(self, engine: Engine) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        event.listen(engine, "before_cursor_execute", self)

    def __call__(
        self, conn: Any, cursor: Any, sql: str, params: Any, context: Any, many: Any
    ) -> None:
        if sql.startswith("INSERT"):
            self.reached.set()
            self.go_on.wait(10)


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
def test_two_threads_in_one_session(db: SessionFactory) -> None:
    pause = Pause(db.engine)
    with db.begin() as session:
        first = threading.Thread(target=add, args=(session, "a"), name="first")
        first.start()
        pause.reached.wait(10)
        with pytest.raises(ConcurrentSessionUse, match=r"thread 'MainThread' .* thread 'first'"):
            session.commit()
        pause.go_on.set()
        first.join()
    assert stored_sync(db.engine) == ["a"]


@pytest.mark.parametrize("backend", ["psycopg"], indirect=True)
def test_a_block_left_while_a_thread_is_inside(
    db: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = Pause(db.engine)
    wait_and_enter = ThreadGuard.wait_and_enter

    def going_on(guard: ThreadGuard) -> None:
        # The end of the block has seen the other thread, and is about to wait for it.
        pause.go_on.set()
        wait_and_enter(guard)

    monkeypatch.setattr(ThreadGuard, "wait_and_enter", going_on)
    with pytest.raises(ConcurrentSessionUse, match=r"'first' was inside.*rolled back"):
        with db.begin() as session:
            first = threading.Thread(target=add, args=(session, "a"), name="first")
            first.start()
            pause.reached.wait(10)
    first.join()
    assert stored_sync(db.engine) == []
    assert checked_out(db.engine) == 0


@pytest.mark.parametrize("leaving", ["clean", "failing"])
def test_a_savepoint_left_while_a_thread_is_inside(
    db: SessionFactory, monkeypatch: pytest.MonkeyPatch, leaving: str
) -> None:
    """What the thread does is rolled back with the savepoint; the session goes on from there."""
    pause = Pause(db.engine)
    wait_and_enter = ThreadGuard.wait_and_enter

    def going_on(guard: ThreadGuard) -> None:
        pause.go_on.set()
        wait_and_enter(guard)

    with db.begin() as session:
        with monkeypatch.context() as patch:
            patch.setattr(ThreadGuard, "wait_and_enter", going_on)
            first = threading.Thread(target=add, args=(session, "a"), name="first")
            # an exception that is on its way out already is the one that comes out
            wanted = ConcurrentSessionUse if leaving == "clean" else ValueError
            with pytest.raises(wanted) as raised:
                with session.begin_nested():
                    first.start()
                    pause.reached.wait(10)
                    if leaving == "failing":
                        raise ValueError
        first.join()
        if leaving == "clean":
            told = str(raised.value)
            assert "thread 'MainThread' left the begin_nested() block of a session" in told
            assert "thread 'first' was inside it. The savepoint was rolled back" in told
        add(session, "b")
    assert stored_sync(db.engine) == ["b"]
    assert checked_out(db.engine) == 0


def test_memory_sessions_of_one_thread() -> None:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    db = SessionFactory(engine)
    with db.begin() as session:
        add(session, "a")
        with pytest.raises(InvalidSessionState, match="file::memory:"), db.begin():
            pass
    with db.begin() as session:
        assert session.execute(COUNT).scalar_one() == 1
    engine.dispose()


def test_memory_sessions_of_many_threads() -> None:
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    Base.metadata.create_all(engine)
    inside: list[str] = []
    seen: list[int] = []

    def work(name: str) -> None:
        with SessionFactory(engine).begin() as session:
            inside.append(name)
            seen.append(len(inside))
            add(session, name)
            inside.remove(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 8
    with SessionFactory(engine).begin() as session:
        assert session.execute(COUNT).scalar_one() == 8
    engine.dispose()
