"""Every Python block of the README and the docs runs, and prints what the page says."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import os
import re
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from naked_sqla import exception

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
QUICKSTART = DOCS / "quickstart.md"

# The least number of Python blocks of each page; pages in words only are not here.
PAGES = {
    "README.md": 1,
    "docs/index.md": 1,
    "docs/quickstart.md": 6,
    "docs/sessions.md": 6,
    "docs/statements.md": 8,
    "docs/objects.md": 6,
    "docs/errors.md": 3,
    "docs/guide/databases.md": 9,
    "docs/guide/eager.md": 3,
    "docs/guide/fastapi.md": 8,
    "docs/guide/from_flask_sqlalchemy.md": 7,
    "docs/guide/from_orm_session.md": 7,
    "docs/guide/into.md": 5,
    "docs/guide/oneshots.md": 2,
    "docs/guide/pagination.md": 8,
    "docs/guide/sqlmodel.md": 5,
    "docs/guide/streaming.md": 5,
    "docs/guide/views.md": 6,
    "docs/guide/writing.md": 17,
    "docs/guide/testing.md": 5,
}
# These stand alone; all others go on from where the quickstart ends.
ALONE = {"README.md", "docs/index.md", "docs/quickstart.md", "docs/guide/sqlmodel.md"}

FENCE = re.compile(r"^```(?P<kind>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A Python block, where it stands, and what the ``text`` block after it says it prints."""

    path: Path
    line: int
    code: str
    prints: str | None


def blocks_of(path: Path) -> list[Block]:
    """Give the Python blocks of a page.  ``ValueError`` for a fence that is never closed."""
    text = path.read_text(encoding="utf-8")
    if len(re.findall(r"^```", text, re.MULTILINE)) % 2:
        raise ValueError(f"{path}: a fence is not closed")
    fences = list(FENCE.finditer(text))
    blocks = []
    for this, following in zip_longest(fences, fences[1:]):
        if this["kind"].strip() != "python":
            continue
        prints = None
        if following is not None and following["kind"].strip() == "text":
            between = text[this.end() : following.start()]
            prints = following["body"] if between.strip() == "" else None
        line = text.count("\n", 0, this.start("body"))
        blocks.append(Block(path, line, this["body"], prints))
    return blocks


def run(block: Block, runner: asyncio.Runner, namespace: dict[str, Any]) -> str:
    """Run a block, which may ``await`` at its top level, in ``namespace``; give what it prints."""
    tree = ast.parse("\n" * block.line + block.code, str(block.path))
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(tree, str(block.path), "exec", flags=flags, dont_inherit=True)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if code.co_flags & inspect.CO_COROUTINE:
            runner.run(eval(code, namespace))
        else:
            exec(code, namespace)
    return printed.getvalue()


@contextlib.contextmanager
def disposing_of_engines(runner: asyncio.Runner) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Close, at the end, the connections of the engines that blocks made.

    Gives what is called with their namespace after each block: a later one may take the name of an
    engine for something else, and then a thread of aiosqlite keeps the run from ending.
    """
    engines: dict[int, AsyncEngine | Engine] = {}

    def note(namespace: dict[str, Any]) -> None:
        found = (value for value in namespace.values() if isinstance(value, AsyncEngine | Engine))
        engines.update((id(engine), engine) for engine in found)

    async def dispose() -> None:
        for engine in engines.values():
            if isinstance(engine, AsyncEngine):
                await engine.dispose()
            else:
                engine.dispose()

    try:
        yield note
    finally:
        runner.run(dispose())


@pytest.mark.parametrize("page", PAGES)
def test_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = blocks_of(ROOT / page)
    assert len(blocks) >= PAGES[page]
    before = [] if page in ALONE else blocks_of(QUICKSTART)
    # A page is a script: what its classes are pickled by is the module __main__.
    script = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", script)
    namespace = vars(script)
    with asyncio.Runner() as runner, disposing_of_engines(runner) as note:
        for block in [*before, *blocks]:
            try:
                printed = run(block, runner, namespace)
            finally:
                note(namespace)
            if block.prints is not None:
                assert printed == block.prints, f"{block.path}, line {block.line}"


@pytest.mark.parametrize("backend", ["asyncpg", "psycopg"], indirect=True)
async def test_the_copy_of_the_page_on_writing(engine: AsyncEngine) -> None:
    """On the page's own database there is no COPY."""
    blocks = [*blocks_of(QUICKSTART)[:1], *blocks_of(DOCS / "guide" / "writing.md")]
    models = blocks[0].code.partition("engine = ")[0]
    copying = next(block.code for block in blocks if "async def load(" in block.code)
    namespace: dict[str, Any] = {"__name__": "copying"}
    exec(compile(models + copying, "writing.md", "exec", dont_inherit=True), namespace)
    async with engine.begin() as conn:
        await conn.run_sync(namespace["Base"].metadata.create_all)
    db = namespace["AsyncSessionFactory"](engine)
    assert await namespace["load"](db) == 1000
    assert await db.scalar(select(func.count()).select_from(namespace["User"])) == 1000


# What the fixtures of the guide to testing build on, without the quickstart around it.
PRELUDE = """
import asyncio
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from naked_sqla import AsyncSessionFactory
from naked_sqla.testing import sandbox

class Base(DeclarativeBase):
    pass

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

async def create():
    engine = create_async_engine("sqlite+aiosqlite:///blog.db")
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
        await conn.execute(insert(User), [{"name": name} for name in ("ada", "bob", "cy")])
    await engine.dispose()

asyncio.run(create())
"""


@pytest.mark.parametrize("plugin", ["asyncio", "anyio"])
def test_the_fixtures_of_the_guide_to_testing(plugin: str, tmp_path: Path) -> None:
    page = DOCS / "guide" / "testing.md"
    start = page.read_text(encoding="utf-8").partition("## Fixtures")[0].count("\n")
    code = "\n\n".join(block.code for block in blocks_of(page) if block.line > start)
    options = ["-p", "no:cacheprovider", "-W", "error", "-p", "no:xdist"]
    if plugin == "asyncio":
        options += ["-p", "no:anyio", "-o", "asyncio_mode=auto"]
        options += ["-o", "asyncio_default_fixture_loop_scope=function"]
    else:
        options += ["-p", "no:asyncio"]
        code += "\n\npytestmark = pytest.mark.anyio\n"
    (tmp_path / "test_guide.py").write_text(PRELUDE + code, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", *options, "test_guide.py"]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_no_page_is_left_out() -> None:
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    with_code = {str(path.relative_to(ROOT)) for path in pages if blocks_of(path)}
    assert with_code == set(PAGES)


def test_links_between_pages_lead_somewhere() -> None:
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_tree_of_errors_is_the_one_of_the_module() -> None:
    def tree(text: str) -> list[str]:
        return [line.strip() for line in text.splitlines() if line.strip().startswith(("├", "└"))]

    shown = tree((DOCS / "errors.md").read_text(encoding="utf-8"))
    assert shown == tree(str(exception.__doc__))
    assert len(shown) == len(exception.__all__) - 1
