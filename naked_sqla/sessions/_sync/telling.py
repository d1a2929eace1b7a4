# Generated from naked_sqla/sessions/_async/telling.py by tools/async_to_sync.py: do not edit.
"""The method of a synchronous factory that tells what its sessions write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from naked_sqla.sessions._sync.session import Session
    from naked_sqla.sessions.current import Current
    from naked_sqla.sessions.noting import WriteListener
    from naked_sqla.write.reports import Write


class WriteHooks:
    """The method of a factory that tells what its sessions write."""

    __slots__ = ()

    if TYPE_CHECKING:
        _current: Current

    def on_write(self, fn: Callable[[Session, Sequence[Write]], object]) -> WriteListener:
        """Call a function with what a session has written by object, before its COMMIT.

        ``fn(session, writes)`` is called once for a session of this factory that has written
        something, and for a single call; ``writes`` are :class:`naked_sqla.Write`, in the order of
        the calls.  What it writes by the session is part of the same transaction, and is told to
        nobody.  What it raises rolls the session back, and comes out.  What statements and
        ``copy_in()`` write, and what a savepoint has rolled back, is not told.

        :param fn: a function of the session and the writes.
        :return: what ends it: ``stop()``, or the end of ``with db.on_write(...):``.
        :raises TypeError: for what is no function.
        """
        from naked_sqla.sessions.noting import check_function, listen

        check_function(fn, "on_write", "a session and what it wrote", may_be_awaited=False)
        return listen(self._current, fn)
