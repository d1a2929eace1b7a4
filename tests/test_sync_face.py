"""The tool that prints the synchronous face, on small cases."""

from __future__ import annotations

import textwrap

import pytest

from tools.async_to_sync import CannotPrint, to_sync, words


def printed(source: str) -> str:
    return to_sync(textwrap.dedent(source).lstrip())


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a session of an AsyncSession", "a session of a Session"),
        ("An ``AsyncSession`` of a task", "A ``Session`` of a thread"),
        ("an :class:`AsyncEngine`", "an :class:`Engine`"),
        ("a Pagination, an async page", "a SyncPagination, a page"),
        ("an asynchronous engine", "a synchronous engine"),
        ("tasks, multitasking, task_name", "threads, multitasking, task_name"),
        ("await x.run(await y)", "x.run(y)"),
        ("async with a as b:", "with a as b:"),
        ("self.__aenter__, __aexit__", "self.__enter__, __exit__"),
        ("from sqlalchemy.ext.asyncio import AsyncEngine", "from sqlalchemy import Engine"),
        ("asyncio.current_task()", "threading.current_thread()"),
        ("engine.sync_engine.pool", "engine.pool"),
        ("class _AsyncBox(AsyncCalls): ...", "class _Box(SyncCalls): ..."),
    ],
)
def test_words(written: str, expected: str) -> None:
    assert words(written) == expected
    assert words(expected) == expected


def test_a_mark_keeps_the_other_branch() -> None:
    source = """
        def f(x):
            # before
            if True:  # ASYNC
                if x:
                    return 1
                else:
                    return hop(1)
            else:
                # inside
                if x:
                    return AsyncSession(x)
            return 2
        """
    assert printed(source) == textwrap.dedent("""\
        def f(x):
            # before
            # inside
            if x:
                return Session(x)
            return 2
        """)


def test_a_mark_without_another_branch_leaves_nothing() -> None:
    source = """
        class AsyncA:
            if True:  # ASYNC

                async def f(self):
                    await asyncio.sleep(1)

            x = 1
            if True:  # ASYNC
                y = asyncio.Event()
        """
    assert printed(source) == "class A:\n\n    x = 1\n"


def test_a_marked_line_is_left_out() -> None:
    source = """
        class AsyncA:
            __slots__ = (
                "_conn",
                "_stop",  # ASYNC
            )
            def f(self, conn):
                self._conn = conn  # of an AsyncA
                self._stop = hop  # ASYNC
        """
    assert printed(source) == textwrap.dedent("""\
        class A:
            __slots__ = (
                "_conn",
            )
            def f(self, conn):
                self._conn = conn  # of an A
        """)


@pytest.mark.parametrize("mark", ["if True:", "if True:  # async", "if False:  # ASYNC", "if 1:"])
def test_what_is_no_mark_is_refused(mark: str) -> None:
    with pytest.raises(CannotPrint, match="line 1: write `if True:  # ASYNC`"):
        printed(f"{mark}\n    x = 1\n")


def test_expressions() -> None:
    source = """
        async def f(rows: Iterable[Any] | AsyncIterable[Any]) -> Coroutine[Any, Any, dict[str, T]]:
            x = await spawn(self.work.finish, True, *args, failed=failed)
            await self.conn.run_sync(begin_now, x)
            return await hop(nothing, stop, work.once, engine)

        def g(make: Callable[[], Coroutine[Any, Any, R]]) -> AsyncStreaming[AsyncResult[R]]: ...
        """
    assert printed(source) == textwrap.dedent("""\
        def f(rows: Iterable[Any]) -> dict[str, T]:
            x = self.work.finish(True, *args, failed=failed)
            begin_now(self.conn, x)
            return work.once(engine)

        def g(make: Callable[[], R]) -> Result[R]: ...
        """)


def test_a_hop_that_gives_something_back_needs_a_mark() -> None:
    with pytest.raises(CannotPrint, match=r"line 2: hop\(\)"):
        printed("async def f():\n    return await hop(guard.leave, stop, work.once)\n")


WRITTEN = '''\
def f():
    """What an AsyncSession does in this task.

    This paragraph says of a task what it does, and also what it does not.  The line gets longer
    here: so a line break moves.  ``await f()`` is a literal that stays in one line, and so is this:
    ``async with f() as x:``.

    On asyncpg it does something else: nobody
    needs to know.

    :param x: no task at all, and nothing that anybody would ever wait for in a task or in two tasks
        or three.
    :raises TypeError: asyncpg only.
    :raises ValueError: as it is,
        line breaks
        and all.
    """
'''

PRINTED = '''\
def f():
    """What a Session does in this thread.

    This paragraph says of a thread what it does, and also what it does not.  The line gets longer
    here: so a line break moves.  ``f()`` is a literal that stays in one line, and so is this:
    ``with f() as x:``.

    :param x: no thread at all, and nothing that anybody would ever wait for in a thread or in two
        threads or three.
    :raises ValueError: as it is,
        line breaks
        and all.
    """
'''


def test_paragraphs_of_docstrings() -> None:
    assert to_sync(WRITTEN) == PRINTED


def test_a_last_paragraph_that_is_left_out() -> None:
    source = 'def f():\n    """It.\n\n    On asyncpg it is so.\n    """\n'
    assert printed(source) == 'def f():\n    """It."""\n'


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("x = asyncio.sleep(1)", "asyncio"),
        ('"""What asyncpg does."""', "asyncpg"),
        ("# run_sync() helps", "run_sync"),
        ("x: AsyncThing[int]\ny = coroutine", "coroutine"),
        ("f('awaited')", "awaited"),
    ],
)
def test_a_foreign_word_is_refused(source: str, word: str) -> None:
    with pytest.raises(CannotPrint, match=f"'{word}' has no synchronous counterpart"):
        printed(source)
