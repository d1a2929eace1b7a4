# Generated from tests/sessions/test_session.py by tools/async_to_sync.py: do not edit.
"""The factory, the block, and what a session may still do when."""

# A block that fails at its end can only be written inside raises().
# ruff: noqa: PT012
from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text
from sqlalchemy.engine import Result, ScalarResult
from sqlalchemy.exc import TimeoutError as PoolTimeout

import naked_sqla.om.session
from naked_sqla import (
    InvalidSessionState,
    Session,
    SessionFactory,
)

from .._notes import COUNT, Note, checked_out
from .._notes import create_sync as create
from .._notes import stored_sync as stored

POSTGRESQL = ["psycopg"]
ENDS = [ValueError, KeyboardInterrupt]


@pytest.fixture
def engine(sync_engine: Engine) -> Engine:
    return sync_engine


@pytest.fixture
def db(engine: Engine) -> SessionFactory:
    create(engine)
    return SessionFactory(engine)


def add(session: Session, words: str) -> None:
    session.execute(insert(Note), {"text": words})


def test_the_import_path_that_documentation_uses() -> None:
    assert naked_sqla.om.session.SessionFactory is SessionFactory
    assert naked_sqla.om.session.Session is Session
    assert naked_sqla.om.session.InvalidSessionState is InvalidSessionState


def test_the_factory_shows_what_it_was_made_of(engine: Engine) -> None:
    db = SessionFactory(engine)
    assert db.engine is engine
    assert db.auto_commit is True
    assert SessionFactory(engine, auto_commit=False).auto_commit is False


def test_execute_tuples_scalars(db: SessionFactory) -> None:
    with db.begin() as session:
        assert session.state == "open"
        assert repr(session) == "<Session open>"
        assert isinstance(session.conn, Connection)
        assert session.conn is session.conn
        session.execute(insert(Note), [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}])
        result = session.execute(select(Note).order_by(Note.id))
        assert isinstance(result, Result)
        assert [row.Note.text for row in result] == ["a", "b"]
        notes = session.scalars(select(Note).where(Note.id == 2))
        assert isinstance(notes, ScalarResult)
        assert notes.one().text == "b"
        pairs = session.tuples(select(Note.id, Note.text).order_by(Note.id))
        assert pairs.all() == [(1, "a"), (2, "b")]
    assert session.state == "closed"
    assert repr(session) == "<Session closed>"


def test_results_stay_readable(db: SessionFactory) -> None:
    with db.begin() as session:
        session.execute(insert(Note), [{"text": "a"}, {"text": "b"}])
        result = session.scalars(select(Note).order_by(Note.id))
        rows = session.execute(text("select text from note order by id"))
    assert [note.text for note in result] == ["a", "b"]
    assert rows.scalars().all() == ["a", "b"]


@pytest.mark.parametrize("auto_commit", [True, False])
def test_a_clean_end(db: SessionFactory, auto_commit: bool) -> None:
    with SessionFactory(db.engine, auto_commit=auto_commit).begin() as session:
        add(session, "a")
    assert session.state == "closed"
    assert stored(db.engine) == (["a"] if auto_commit else [])


@pytest.mark.parametrize("auto_commit", [True, False])
@pytest.mark.parametrize("error", ENDS)
def test_an_exception_rolls_back_and_comes_out(
    db: SessionFactory, auto_commit: bool, error: type[BaseException]
) -> None:
    raised = error("mine")
    with pytest.raises(error) as caught:
        with SessionFactory(db.engine, auto_commit=auto_commit).begin() as session:
            add(session, "a")
            raise raised
    assert caught.value is raised
    assert session.state == "closed"
    assert stored(db.engine) == []
    assert checked_out(db.engine) == 0


@pytest.mark.parametrize("auto_commit", [True, False])
def test_commit_by_hand(db: SessionFactory, auto_commit: bool) -> None:
    with SessionFactory(db.engine, auto_commit=auto_commit).begin() as session:
        add(session, "a")
        session.commit()
        assert session.state == "closed"
        assert stored(db.engine) == ["a"]


@pytest.mark.parametrize("auto_commit", [True, False])
def test_rollback_by_hand(db: SessionFactory, auto_commit: bool) -> None:
    with SessionFactory(db.engine, auto_commit=auto_commit).begin() as session:
        add(session, "a")
        session.rollback()
        assert session.state == "closed"
    assert stored(db.engine) == []


@pytest.mark.parametrize("end", ["commit", "rollback", "block"])
@pytest.mark.parametrize("call", ["execute", "tuples", "scalars", "commit", "rollback"])
def test_a_closed_session(db: SessionFactory, end: str, call: str) -> None:
    with db.begin() as session:
        add(session, "a")
        if end != "block":
            getattr(session, end)()
            _refused(session, call)
    _refused(session, call)
    assert stored(db.engine) == ([] if end == "rollback" else ["a"])


def _refused(session: Session, call: str) -> None:
    arguments = () if call in ("commit", "rollback") else (COUNT,)
    with pytest.raises(InvalidSessionState, match=rf"{call}\(\) on a closed session"):
        getattr(session, call)(*arguments)


def test_a_block_is_entered_once(db: SessionFactory) -> None:
    block = db.begin()
    with block as session:
        with pytest.raises(InvalidSessionState, match="second time"):
            block.__enter__()
        add(session, "a")
    with pytest.raises(InvalidSessionState, match="second time"):
        with block:
            pass
    assert stored(db.engine) == ["a"]


def test_an_exit_stack(db: SessionFactory) -> None:
    with ExitStack() as stack:
        session = stack.enter_context(db.begin())
        add(session, "a")
    assert stored(db.engine) == ["a"]


def test_a_connection_that_fails_to_open(db: SessionFactory) -> None:
    with pytest.raises(Exception, match=r"(?i)isolation"):
        with db.begin(isolation_level="NONSENSE"):
            pass
    assert checked_out(db.engine) == 0
    with db.begin() as session:
        add(session, "a")


@pytest.mark.parametrize("backend", POSTGRESQL, indirect=True)
def test_options_hold_for_the_block_only(db: SessionFactory) -> None:
    show = text("select current_setting('transaction_isolation')")
    read_only = text("select current_setting('transaction_read_only')")
    with db.begin(isolation_level="SERIALIZABLE", postgresql_readonly=True) as session:
        first = session.execute(text("select pg_backend_pid()"))
        assert session.execute(show).scalar_one() == "serializable"
        assert session.execute(read_only).scalar_one() == "on"
    with db.begin() as session:
        second = session.execute(text("select pg_backend_pid()"))
        assert session.execute(show).scalar_one() == "read committed"
        assert session.execute(read_only).scalar_one() == "off"
    assert first.scalar_one() == second.scalar_one()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_options_hold_for_the_block_only_on_sqlite(db: SessionFactory) -> None:
    pragma = text("PRAGMA read_uncommitted")
    with db.begin(isolation_level="READ UNCOMMITTED") as session:
        assert session.execute(pragma).scalar_one() == 1
    with db.begin() as session:
        assert session.execute(pragma).scalar_one() == 0


def test_execution_options_reach_the_statement(db: SessionFactory) -> None:
    seen: list[Any] = []

    @event.listens_for(db.engine, "before_cursor_execute")
    def note(conn: Any, cursor: Any, sql: Any, params: Any, context: Any, many: Any) -> None:
        seen.append(context.execution_options.get("mine"))

    with db.begin() as session:
        session.execute(COUNT, execution_options={"mine": 1})
        session.scalars(COUNT, execution_options={"mine": 2})
        session.tuples(COUNT, execution_options={"mine": 3})
    assert seen == [1, 2, 3]


# ---------------------------------------------------------------- a session on a connection


def test_built_on_a_connection_it_begins(db: SessionFactory) -> None:
    with db.engine.connect() as conn:
        session = Session(conn)
        assert session.conn is conn
        assert not conn.in_transaction()
        add(session, "a")
        assert conn.in_transaction()
        session.commit()
        assert session.state == "closed"
        # The connection is the caller's, and goes on.
        another = Session(conn)
        add(another, "b")
        another.rollback()
        with pytest.raises(InvalidSessionState):
            another.execute(COUNT)
    assert stored(db.engine) == ["a"]


def test_built_on_a_connection_it_joins(db: SessionFactory) -> None:
    with db.engine.begin() as conn:
        conn.execute(insert(Note), {"text": "a"})
        session = Session(conn)
        assert session.execute(COUNT).scalar_one() == 1
        add(session, "b")
    assert stored(db.engine) == ["a", "b"]


def test_committed_inside_another_transactions_block(db: SessionFactory) -> None:
    with db.engine.begin() as conn:
        session = Session(conn)
        add(session, "a")
        session.commit()
    assert stored(db.engine) == ["a"]


def test_built_on_a_connection_that_is_not_open(db: SessionFactory) -> None:
    conn = db.engine.connect()
    conn.close()
    with pytest.raises(InvalidSessionState, match="closed"):
        Session(conn)


def test_the_connection_ended_by_hand(db: SessionFactory) -> None:
    with db.begin() as session:
        add(session, "a")
        session.conn.commit()
        add(session, "b")
    assert stored(db.engine) == ["a", "b"]


# ---------------------------------------------------------------- one engine, many sessions


def test_a_disposed_engine_connects_again(db: SessionFactory) -> None:
    with db.begin() as session:
        add(session, "a")
    db.engine.dispose()
    with db.begin() as session:
        assert session.execute(COUNT).scalar_one() == 1
    assert checked_out(db.engine) == 0


def test_failures_of_the_clean_up_are_logged_by_name(
    db: SessionFactory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(conn: Any) -> None:
        raise RuntimeError("no rollback today")

    caplog.set_level(logging.WARNING, "naked_sqla")
    with pytest.raises(ZeroDivisionError):
        with db.begin() as session:
            event.listen(db.engine, "rollback", fails)
            raise ZeroDivisionError
    event.remove(db.engine, "rollback", fails)
    assert session.state == "closed"
    assert checked_out(db.engine) == 0
    assert [r.name for r in caplog.records if "no rollback today" in str(r.exc_info)] == [
        "naked_sqla"
    ]


def test_a_guard_is_free_after_a_failure(db: SessionFactory) -> None:
    with db.begin() as session:
        with pytest.raises(TypeError):
            session.execute("select 1")  # type: ignore[call-overload]
        add(session, "a")
    assert stored(db.engine) == ["a"]


def test_a_pool_that_is_empty_for_too_long_says_so(engine: Engine) -> None:
    """And not that it was cancelled, which is how a timeout ends what it waits for."""
    create(engine)
    small = create_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    db = SessionFactory(small)
    with db.begin() as session:
        session.execute(COUNT)
        with pytest.raises(PoolTimeout, match="limit of size 1 overflow 0 reached"):
            db.scalars(select(Note))
        with pytest.raises(PoolTimeout, match="limit of size 1 overflow 0 reached"):
            with db.begin():
                pytest.fail("there is no second connection")
        add(session, "a")
    assert checked_out(small) == 0
    assert stored(small) == ["a"]
    small.dispose()
