"""The greenlets that calls run in are used again, and keep nothing of what has run in them."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextvars import ContextVar
from typing import Any

import pytest

from naked_sqla._sqlalchemy import greenlets
from naked_sqla._sqlalchemy.greenlets import Worker, await_only, current_greenlet
from naked_sqla.sessions._async.greenlet import nothing, run_in_greenlet, run_to_end
from naked_sqla.sessions._async.whole import run_whole


class Thing:
    """Something that a weak reference can be made to."""


async def turn(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def in_greenlet(fn: Any, *args: Any) -> Any:
    return run_in_greenlet(nothing, None, fn, *args)


def whole(fn: Any, *args: Any) -> Any:
    return run_whole(nothing, fn, *args)


every_way = pytest.mark.parametrize("run", [in_greenlet, run_to_end, whole])


@every_way
async def test_one_call_after_the_other_runs_in_the_same_one(run: Any) -> None:
    first, second = [await run(lambda: await_only(turn(current_greenlet()))) for _ in range(2)]
    assert first is second


@every_way
async def test_calls_at_the_same_time_have_one_each(run: Any) -> None:
    def work(n: int) -> Any:
        return await_only(turn((n, current_greenlet())))

    found = await asyncio.gather(*(run(work, n) for n in range(greenlets._SPARE + 5)))
    assert [n for n, _ in found] == list(range(len(found)))
    assert len({id(greenlet) for _, greenlet in found}) == len(found)
    assert len(greenlets._of_thread.spare) <= greenlets._SPARE


@every_way
async def test_nothing_of_a_call_is_kept(run: Any) -> None:
    seen: list[weakref.ref[Any]] = []
    variable: ContextVar[Any] = ContextVar("variable")

    def work(given: Thing, fails: bool) -> Thing:
        local = Thing()
        seen.extend(map(weakref.ref, (given, local)))
        await_only(turn(None))
        if fails:
            raise RuntimeError(local)
        return local

    async def caller(fails: bool) -> None:
        variable.set(thing := Thing())
        seen.append(weakref.ref(thing))
        await run(work, Thing(), fails)

    gc.disable()
    try:
        for fails in (False, True):
            task = asyncio.create_task(caller(fails))
            await asyncio.wait([task])
            if fails:
                assert isinstance(task.exception(), RuntimeError)
            del task
            await asyncio.sleep(0)
            assert [one() for one in seen] == [None] * len(seen)
    finally:
        gc.enable()


@every_way
async def test_an_error_comes_out_as_it_was(run: Any) -> None:
    async def refuse() -> None:
        await asyncio.sleep(0)
        raise KeyError("inner")

    def work() -> None:
        try:
            await_only(refuse())
        except KeyError as error:
            raise ValueError("outer") from error

    with pytest.raises(ValueError, match="outer") as caught:
        await run(work)
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.__cause__.__context__ is None
    assert await run(lambda: 1) == 1


@every_way
async def test_the_context_is_that_of_the_task(run: Any) -> None:
    variable: ContextVar[int] = ContextVar("variable")

    def work() -> int:
        before = variable.get()
        variable.set(before + 10)
        await_only(turn(None))
        return variable.get()

    async def caller(n: int) -> tuple[int, int]:
        variable.set(n)
        return await run(work), variable.get()

    for n in range(3):
        assert await asyncio.create_task(caller(n)) == (n + 10, n + 10)


@every_way
async def test_a_call_within_a_call(run: Any) -> None:
    async def inner() -> Any:
        return await run(lambda: await_only(turn(current_greenlet())))

    def outer() -> Any:
        return current_greenlet(), await_only(inner())

    first, second = await run(outer)
    assert first is not second


def test_each_thread_has_its_own() -> None:
    found: list[Any] = []

    async def main() -> None:
        found[:] = [
            await run_to_end(lambda: await_only(turn(id(current_greenlet())))) for _ in range(2)
        ]
        found.append(len(greenlets._of_thread.spare))

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join()
    assert found[0] == found[1]
    assert found[2] == 1


def test_one_that_nobody_resumes_ends() -> None:
    ended: list[str] = []

    def work() -> None:
        try:
            current_greenlet().parent.switch()
        finally:
            ended.append("ended")

    greenlets._of_thread.spare.clear()
    worker, _ = Worker.start(work, ())
    gone = weakref.ref(worker)
    del worker
    assert ended == ["ended"]
    assert gone() is None
