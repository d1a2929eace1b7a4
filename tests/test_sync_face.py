"""The synchronous face: what it has is what the asynchronous one has; the tool that prints it."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import naked_sqla.om.asession
import naked_sqla.om.session
from tools.async_to_sync import ROOT, pairs, to_sync
from tools.words import CannotPrint, words

# ---------------------------------------------------------------- the two faces


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


MODULES = {
    module(written): module(printed)
    for written, printed in pairs()
    if written.is_relative_to(ROOT / "naked_sqla")
}

# Names of the asynchronous face that the synchronous one has under another name; written down here
# a second time, so that a mistake in the tool's words shows.
OTHERWISE = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "AsyncCalls": "SyncCalls",
    "AsyncInserts": "SyncInserts",
    "AsyncLookups": "SyncLookups",
    "AsyncPages": "SyncPages",
    "AsyncWrites": "SyncWrites",
    "KeysetPage": "SyncKeysetPage",
    "Pagination": "SyncPagination",
}

# What needs an event loop.
ONLY_ASYNCHRONOUS = {"loader"}


def renamed(name: str) -> str:
    return OTHERWISE.get(name) or re.sub(r"^(_?)Async", r"\1", name)


def classes(module: str) -> dict[str, type]:
    found = vars(importlib.import_module(module)).items()
    return {name: one for name, one in found if getattr(one, "__module__", "") == module}


PAIRS = [
    pytest.param(one, classes(printed).get(renamed(name)), id=name)
    for written, printed in MODULES.items()
    for name, one in classes(written).items()
    if isinstance(one, type)
]


def test_each_module_has_a_twin() -> None:
    for written, printed in MODULES.items():
        assert {renamed(name) for name in classes(written)} == set(classes(printed))
    folder = ROOT / "naked_sqla/sessions/_sync"
    there = {path.relative_to(ROOT) for path in folder.rglob("*.py")}
    assert there <= {printed.relative_to(ROOT) for _, printed in pairs()}


def test_the_import_paths_give_the_same_names() -> None:
    ours = naked_sqla.om.session.__all__
    assert sorted(map(renamed, naked_sqla.om.asession.__all__)) == sorted(ours)


def members(cls: type) -> dict[str, Any]:
    """What a class has by itself, and calls public: names, and the methods that Python calls."""
    return {
        name: member
        for name, member in vars(cls).items()
        if not name.startswith("_")
        or (inspect.isfunction(member) and name.endswith("__") and name != "__getattr__")
    }


def annotation(written: Any) -> str:
    """An annotation of the asynchronous face, as the synchronous one has it."""
    text = re.sub(r"\bAsync(Result|ScalarResult|Engine|Connection)\b", r"\1", str(written))
    if text.startswith("Callable["):
        text = re.sub(r"Coroutine\[Any, Any, (\w+)\]", r"\1", text)
    text = re.sub(r"\w+", lambda word: renamed(word[0]), text)
    for wrapper in ("Coroutine[Any, Any, ", "Streaming["):
        if text.startswith(wrapper):
            text = text.removeprefix(wrapper).removesuffix("]")
    return text.replace("Iterable[Any] | Iterable[Any]", "Iterable[Any]")


def shape(method: Callable[..., Any], said: Callable[[Any], str]) -> list[Any]:
    """The parameters of a function, their kinds, defaults and annotations, and what it gives."""
    signature = inspect.signature(method)
    parameters = [
        (one.name, one.kind, one.default, said(one.annotation))
        for one in signature.parameters.values()
    ]
    return [*parameters, said(signature.return_annotation)]


@pytest.mark.parametrize(("theirs", "ours"), PAIRS)
def test_both_faces_have_the_same_members(theirs: type, ours: type) -> None:
    assert [renamed(base.__name__) for base in theirs.__mro__] == [
        base.__name__ for base in ours.__mro__
    ]
    expected = {
        renamed(name): member
        for name, member in members(theirs).items()
        if name not in ONLY_ASYNCHRONOUS
    }
    found = members(ours)
    assert list(found) == list(expected)
    for name, member in expected.items():
        if isinstance(member, property):
            assert shape(found[name].fget, str) == shape(member.fget, annotation)
            continue
        if not inspect.isfunction(member):
            continue
        assert not inspect.iscoroutinefunction(found[name])
        assert shape(found[name], str) == shape(member, annotation)
        overloads = [shape(one, annotation) for one in typing.get_overloads(member)]
        assert [shape(one, str) for one in typing.get_overloads(found[name])] == overloads


def docstrings(cls: type) -> Iterator[str]:
    for one in (cls, *vars(cls).values()):
        if isinstance(one, (type, property)) or inspect.isfunction(one):
            yield one.__doc__ or ""


@pytest.mark.parametrize(("theirs", "ours"), PAIRS)
def test_docstrings_speak_of_what_there_is(theirs: type, ours: type) -> None:
    assert bool(theirs.__doc__) == bool(ours.__doc__)
    for said in docstrings(ours):
        assert not re.search(
            r"await|\basync|Async|coroutine|greenlet|\btask|run_sync|asyncpg|aiosqlite", said
        )
        assert not re.search(r"\b[Aa]n (``|:\w+:`)?[B-DF-HJ-NP-TV-Z][a-z]", said)
        assert not re.search(r"\b[Aa] (``|:\w+:`)?[AEIO][a-z]", said)


# ---------------------------------------------------------------- the tool


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
                    return run_in_greenlet(1)
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
                self._stop = run_in_greenlet  # ASYNC
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
            x = await run_to_end(self.work.finish, True, *args, failed=failed)
            await self.conn.run_sync(begin_now, x)
            y = (await (await f(x)).g(await h(x))).z
            return await run_in_greenlet(nothing, stop, work.once, engine)

        def g(make: Callable[[], Coroutine[Any, Any, R]]) -> AsyncStreaming[AsyncResult[R]]: ...
        """
    assert printed(source) == textwrap.dedent("""\
        def f(rows: Iterable[Any]) -> dict[str, T]:
            x = self.work.finish(True, *args, failed=failed)
            begin_now(self.conn, x)
            y = f(x).g(h(x)).z
            return work.once(engine)

        def g(make: Callable[[], R]) -> Result[R]: ...
        """)


def test_a_hop_that_gives_something_back_needs_a_mark() -> None:
    with pytest.raises(CannotPrint, match=r"line 2: run_in_greenlet\(\)"):
        printed("async def f():\n    return await run_in_greenlet(guard.leave, stop, work.once)\n")


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
