"""What must not be torn runs in the caller's own task, to its end, whatever happens to that."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only

from naked_sqla import AsyncSessionFactory
from naked_sqla.sessions._async.whole import run_whole

from .._cancelling import VARIANTS, Kind, Moment, cancelled_everywhere
from .._notes import Note, create


def counting(loop: asyncio.AbstractEventLoop) -> list[Any]:
    made: list[Any] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> Any:
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **kwargs)

    loop.set_task_factory(factory)
    return made


@pytest.mark.parametrize("way", ["commit", "rollback", "error", "by hand"])
async def test_a_block_makes_no_task(engine: AsyncEngine, way: str) -> None:
    db = AsyncSessionFactory(engine)
    await create(engine)
    await db.scalars(select(Note))
    made = counting(asyncio.get_running_loop())
    with contextlib.suppress(ValueError):
        async with db.begin() as session:
            await session.execute(insert(Note), {"id": 1, "text": "new"})
            if way == "by hand":
                await session.commit()
            elif way == "rollback":
                await session.rollback()
            elif way == "error":
                raise ValueError
    asyncio.get_running_loop().set_task_factory(None)
    assert made == []
    assert len((await db.scalars(select(Note))).all()) == (way in ("commit", "by hand"))


class Work:
    """Three waits, and what came of them."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.ended = 0

    def done(self) -> None:
        self.ended += 1

    def run(self) -> str:
        for wait in (self.soon, self.turn, self.failing, self.limited):
            self.steps.append(await_only(wait()))
        return "end"

    async def soon(self) -> str:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.001, future.set_result, "soon")
        return str(await future)

    async def turn(self) -> str:
        await asyncio.sleep(0)
        return "turn"

    async def failing(self) -> str:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, OSError("no"))
        with contextlib.suppress(OSError):
            await future
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await future
        return "failing"

    async def limited(self) -> str:
        async with asyncio.timeout(5):
            return await self.soon()


STEPS = ["soon", "turn", "failing", "soon"]


@pytest.mark.parametrize(("kind", "moment"), VARIANTS)
async def test_it_comes_to_its_end(kind: Kind, moment: Moment) -> None:
    works: list[Work] = []

    async def make() -> None:
        works.append(Work())
        assert await run_whole(works[-1].done, works[-1].run) == "end"

    async def check(run: Any) -> None:
        assert works[-1].steps == STEPS
        assert works[-1].ended == 1
        assert run.as_asked, run

    assert await cancelled_everywhere(make, kind, moment, check) == 5


async def test_an_error_comes_out_and_a_value_goes_back() -> None:
    work = Work()

    def failing() -> None:
        assert await_only(work.soon()) == "soon"
        raise KeyError(1)

    with pytest.raises(KeyError):
        await run_whole(work.done, failing)
    assert await run_whole(work.done, lambda: 5) == 5
    assert work.ended == 2


async def test_cancelled_again_and_again() -> None:
    """As anyio's scopes do, and a user who does not want to wait."""
    work = Work()
    task = asyncio.ensure_future(run_whole(work.done, work.run))
    await asyncio.sleep(0)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()
    assert work.steps == STEPS
    with anyio.move_on_after(0) as scope:
        await run_whole(work.done, Work().run)
    assert scope.cancelled_caught
    assert work.ended == 2


async def test_a_time_limit_of_the_work_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes after the grace, is the work's own affair, and cancels nobody."""
    monkeypatch.setattr("naked_sqla.sessions._async.greenlet.GRACE", 0.01)
    work = Work()

    async def limited() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return "limit"
        return ""

    assert await run_whole(work.done, lambda: await_only(limited())) == "limit"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert work.ended == 1


@pytest.mark.parametrize("patient", [False, True])
async def test_work_that_hangs(monkeypatch: pytest.MonkeyPatch, patient: bool) -> None:
    for limit in ("GRACE", "_PUSH"):
        monkeypatch.setattr(f"naked_sqla.sessions._async.greenlet.{limit}", 0.01)
    work, go_on = Work(), asyncio.Event()
    run: Callable[[], Any] = lambda: await_only(go_on.wait())  # noqa: E731
    task = asyncio.ensure_future(run_whole(work.done, run, patient=patient))
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait((task,), timeout=0.2)
    assert bool(done) is not patient
    go_on.set()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert work.ended == 1
