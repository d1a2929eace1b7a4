"""Count the statements that reach the database, and find the code that asked for them."""

from __future__ import annotations

import contextlib
import inspect
import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import sqlalchemy
from sqlalchemy import Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine

from naked_sqla._sqlalchemy import connections, greenlets

from ..backends.own import is_own
from ..om.asession import AsyncSessionFactory
from ..om.session import SessionFactory


def _folders(*paths: str) -> tuple[str, ...]:
    """The beginnings of file names in some folders, symbolic links followed or not."""
    both = [name for path in paths for name in (path, os.path.realpath(path))]
    return tuple(name + os.sep for name in dict.fromkeys(both))


_PATHS = sysconfig.get_paths()
_LIBRARIES = _folders(str(Path(__file__).parent.parent), str(Path(sqlalchemy.__file__).parent))
_INSTALLED = _folders(_PATHS["purelib"], _PATHS["platlib"], _PATHS["stdlib"])


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that was sent to the database.

    :ivar sql: its text, as the driver got it.
    :ivar parameters: the number of sets of parameters that it was sent with.
    :ivar origin: ``"file:line in function"`` of the application's code that sent it; ``"unknown"``
        if no such code is on the stack.
    """

    sql: str
    parameters: int
    origin: str

    def __str__(self) -> str:
        times = f" ({self.parameters} sets of parameters)" if self.parameters > 1 else ""
        return f"{' '.join(self.sql.split())}{times}"


class Statements(list[Statement]):
    """Statements in the order in which they were sent. ``str()`` returns a report."""

    def repeated(self) -> dict[str, list[Statement]]:
        """The statements by their text, in the order of their first appearance."""
        found: dict[str, list[Statement]] = {}
        for statement in self:
            found.setdefault(statement.sql, []).append(statement)
        return found

    def __str__(self) -> str:
        lines: list[str] = []
        for same in self.repeated().values():
            lines.append(f"{len(same)} x {same[0]}")
            origins: dict[str, int] = {}
            for statement in same:
                origins[statement.origin] = origins.get(statement.origin, 0) + 1
            for origin, times in origins.items():
                lines.append(f"      {times} x from {origin}")
        return "\n".join(f"  {line}" for line in lines)


@contextlib.contextmanager
def count_statements(
    db: AsyncSessionFactory | SessionFactory | AsyncEngine | Engine,
) -> Iterator[Statements]:
    """Record all statements that are sent in a block: ``with count_statements(db) as seen``.

    Statements that load relationships count. BEGIN, COMMIT, ROLLBACK and savepoints do not. A list
    of parameters counts as often as the driver is asked to run it, which is once if the driver can
    take all of them. The block may contain ``await``.

    :param db: a factory, also that of a sandbox, or an engine.
    :raises TypeError: ``db`` is anything else.
    """
    engine = _engine_of(db)
    seen = Statements()

    def sent(
        conn: Any, cursor: Any, sql: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        if not connections.is_savepoint(context) and not is_own(context):
            sets = len(parameters) if executemany else 1
            seen.append(Statement(sql, sets, _origin(list(_frames()))))

    event.listen(engine, "before_cursor_execute", sent)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", sent)


@contextlib.contextmanager
def expect_statements(
    db: AsyncSessionFactory | SessionFactory | AsyncEngine | Engine,
    *,
    max: int | None = None,
    exactly: int | None = None,
) -> Iterator[Statements]:
    """Fail if a block sends another number of statements: ``with expect_statements(db, max=2)``.

    It counts as :func:`count_statements` does. An exception of the block comes out unchanged,
    whatever was counted.

    :param max: the largest number of statements.
    :param exactly: the exact number of statements. Pass one of the two.
    :raises AssertionError: at the end of the block, with each statement, how often it was sent, and
        from where.
    :raises TypeError: neither is given, or both are.
    """
    if (max is None) == (exactly is None):
        raise TypeError("expect_statements() takes either max=... or exactly=...")
    with count_statements(db) as seen:
        yield seen
    found = len(seen)
    if max is not None and found > max:
        _fail(found, f"at most {max}", seen)
    if exactly is not None and found != exactly:
        _fail(found, str(exactly), seen)


def _fail(found: int, expected: str, seen: Statements) -> None:
    what = "1 statement was" if found == 1 else f"{found} statements were"
    report = f":\n{seen}" if seen else "."
    raise AssertionError(f"{what} sent, and {expected} expected{report}")


def _engine_of(db: Any) -> Engine:
    engine = db.engine if isinstance(db, AsyncSessionFactory | SessionFactory) else db
    if isinstance(engine, AsyncEngine):
        return engine.sync_engine
    if isinstance(engine, Engine):
        return engine
    raise TypeError(f"statements are counted on a factory or an engine, not {type(db).__name__!r}.")


def _frames() -> Iterator[FrameType]:
    """The frames of the running greenlet, and then of those that wait for it, inside out."""
    frame = inspect.currentframe()
    greenlet: Any = greenlets.current_greenlet()
    while greenlet is not None:
        while frame is not None:
            yield frame
            frame = frame.f_back
        greenlet = greenlet.parent
        frame = None if greenlet is None else greenlet.gr_frame


def _origin(frames: list[FrameType]) -> str:
    outside = [frame for frame in frames if not frame.f_code.co_filename.startswith(_LIBRARIES)]
    # An application is rarely in site-packages, and other code is rarely outside of it.
    for skipped in ((*_INSTALLED, "<"), ("<",)):
        for frame in outside:
            if not frame.f_code.co_filename.startswith(skipped):
                return _shown(frame)
    return "unknown"


def _shown(frame: FrameType) -> str:
    path = frame.f_code.co_filename
    with contextlib.suppress(ValueError):
        path = str(Path(path).relative_to(Path.cwd()))
    named = frame
    # A comprehension is a frame of its own, up to Python 3.11.
    while named.f_code.co_name in _NAMELESS and named.f_back is not None:
        named = named.f_back
    return f"{path}:{frame.f_lineno} in {named.f_code.co_name}"


_NAMELESS = ("<listcomp>", "<setcomp>", "<dictcomp>")
