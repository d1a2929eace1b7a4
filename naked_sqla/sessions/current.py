"""The sessions that each task, or thread, has opened and not left yet.

Kept by the task itself and not in a context variable: a child task has a copy of its parent's
context, and must not find the parent's session there.
"""

from __future__ import annotations

import asyncio
import threading
from time import monotonic
from typing import Any, NoReturn
from weakref import ref

from naked_sqla.exception import InvalidSessionState

# The id of a task or thread, the task or thread, its session, and when that was opened, by
# monotonic(); neither is kept alive.
Entry = tuple[int, ref[Any], ref[Any], float]


class Current:
    """The open sessions of one factory, by the task or thread that opened them.

    :ivar secrets: of the factory, for the cursors of its sessions.
    :ivar observers: those of its sessions; ``None`` while there are none.
    :ivar writers: the functions of ``on_write()``; ``None`` while there are none.
    """

    __slots__ = ("_open", "observers", "secrets", "writers")

    def __init__(self, secrets: tuple[bytes, ...] = ()) -> None:
        self.secrets = secrets
        self.observers: Any = None
        self.writers: Any = None
        self._open: dict[int, list[Entry]] = {}

    def enter(self, owner: Any, session: Any) -> Entry | None:
        """Make a session the innermost one of a task or thread.

        :return: the entry for :meth:`leave`; ``None`` where there is no task.
        """
        if owner is None:
            return None
        key = id(owner)
        entry = (key, ref(owner), ref(session), monotonic())
        opened = self._open.get(key)
        if opened is None:
            self._open[key] = [entry]
        else:
            # drop entries of blocks that nobody ended, maybe of an earlier owner with this id
            opened[:] = [old for old in opened if old[1]() is owner and old[2]() is not None]
            opened.append(entry)
        return entry

    def leave(self, entry: Entry) -> None:
        """Take a session away, whichever blocks were entered or left meanwhile."""
        opened = self._open.pop(entry[0], None)
        if opened is not None and (len(opened) > 1 or opened[0] is not entry):
            self._open[entry[0]] = [other for other in opened if other is not entry]

    def session_of(self, owner: Any) -> Any:
        """The innermost session of a task or thread, ``None`` where there is none."""
        opened = self._open.get(id(owner))
        for _, opener, session, _ in reversed(opened) if opened else ():
            found = session()
            if found is not None and opener() is owner:
                return found
        return None

    def open_sessions(self) -> list[tuple[str, float]]:
        """The name of the task or thread of each open session, and when that was opened."""
        opened = [entry for entries in [*self._open.values()] for entry in entries]
        found = [(owner(), session(), since) for _, owner, session, since in opened]
        return [
            (owner.get_name() if hasattr(owner, "get_name") else owner.name, since)
            for owner, session, since in found
            if owner is not None and session is not None
        ]

    def explain(self, error: BaseException, owner: Any, kind: str) -> None:
        """Add to the error of a pool that a task, or thread, waits for what it holds itself.

        :param kind: ``"task"`` or ``"thread"``.
        """
        if self.session_of(owner) is None:
            return
        live = [opened for opened in self._open.values() if any(e[2]() is not None for e in opened)]
        error.add_note(
            f"This {kind} has a session open already, and waited for a second connection; "
            f"{len(live)} {kind}s have sessions of this factory open. Where all of them wait for "
            f"a second one, no larger pool helps for long: use the session at hand (pass it on, or "
            f"current_session()), or begin_nested() for a part of its work."
        )


def in_task(current: Current) -> Any:
    """The innermost session of the running task.

    :raises InvalidSessionState: when there is none.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    found = None if task is None else current.session_of(task)
    if found is None:
        who = "outside of a task" if task is None else f"task {task.get_name()!r}"
        _refuse(who, "task", "async with db.begin() as session")
    return found


def in_thread(current: Current) -> Any:
    """The innermost session of the running thread.

    :raises InvalidSessionState: when there is none.
    """
    thread = threading.current_thread()
    found = current.session_of(thread)
    if found is None:
        _refuse(f"thread {thread.name!r}", "thread", "with db.begin() as session")
    return found


def _refuse(who: str, kind: str, write: str) -> NoReturn:
    raise InvalidSessionState(
        f"current_session(), {who}: no block of this factory is open here. A session belongs to "
        f"the {kind} that opened it, and not to those that this {kind} starts. Call it inside of "
        f"`{write}`, or pass the session on."
    )
