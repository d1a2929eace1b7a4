"""The blocks of a documentation page: the code, what it prints, and the SQL that it sends.

``python -m tests._pages`` writes into each ``sql`` block of the pages what the code above it sends;
``make docs-sql`` calls it.  The tests compare.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import logging
import os
import re
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

FENCE = re.compile(r"^```(?P<kind>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
# What SQLAlchemy's log says of a statement's age, before its parameters.
PARAMETERS = re.compile(r"^\[(?:generated|cached|no key|caching|raw|dialect|insertmany)[^\]]*\] ")


@dataclass(frozen=True)
class Block:
    """A Python block, where it stands, and what the blocks after it say it prints and sends."""

    path: Path
    line: int
    code: str
    prints: str | None = None
    sends: str | None = None
    # Where the text of the SQL block is, in the text of the page.
    place: tuple[int, int] | None = None


def blocks_of(path: Path) -> list[Block]:
    """Give the Python blocks of a page.  ``ValueError`` for a fence that is never closed."""
    text = path.read_text(encoding="utf-8")
    if len(re.findall(r"^```", text, re.MULTILINE)) % 2:
        raise ValueError(f"{path}: a fence is not closed")
    fences = list(FENCE.finditer(text))
    blocks = []
    for index, this in enumerate(fences):
        if this["kind"].strip() != "python":
            continue
        follow: dict[str, re.Match[str]] = {}
        end = this.end()
        for fence in fences[index + 1 :]:
            kind = fence["kind"].strip()
            if kind not in ("text", "sql") or kind in follow or text[end : fence.start()].strip():
                break
            follow[kind], end = fence, fence.end()
        sql = follow.get("sql")
        blocks.append(
            Block(
                path,
                line=text.count("\n", 0, this.start("body")),
                code=this["body"],
                prints=follow["text"]["body"] if "text" in follow else None,
                sends=sql["body"] if sql else None,
                place=sql.span("body") if sql else None,
            )
        )
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


class Sent(logging.Handler):
    """The statements in SQLAlchemy's log, as a page shows them."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if PARAMETERS.match(message):
            parameters = PARAMETERS.sub("", message)
            if parameters not in ("()", "{}"):
                self.lines[-1] += f"  -- {parameters}"
        elif message.startswith(("BEGIN", "COMMIT", "ROLLBACK")) and "autocommit" in message:
            return
        else:
            message = message.replace("BEGIN (implicit)", "BEGIN")
            if message == "BEGIN" == "".join(self.lines[-1:]):
                # sent to SQLite at once, where reads have to see one state: it is one transaction
                return
            self.lines += [line.strip() for line in message.splitlines() if line.strip()]


@contextlib.contextmanager
def logging_statements(block: Block) -> Iterator[Sent]:
    """Collect what the code of a block sends, if the page shows it."""
    sent, logger = Sent(), logging.getLogger("sqlalchemy.engine.Engine")
    if block.sends is None:
        yield sent
        return
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(sent)
    try:
        yield sent
    finally:
        logger.removeHandler(sent)
        logger.propagate = propagate
        logger.setLevel(level)


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


def run_page(page: str, check: Callable[[Block, str, str], None]) -> None:
    """Run the blocks of a page in the current folder, as the script ``__main__``.

    :param page: its path in the repository.
    :param check: called after each block with what it printed and what it sent.
    """
    # A page is a script: what its classes are pickled by is the module __main__.
    script, main = types.ModuleType("__main__"), sys.modules["__main__"]
    sys.modules["__main__"] = script
    namespace = vars(script)
    try:
        with asyncio.Runner() as runner, disposing_of_engines(runner) as note:
            for block in blocks_of(ROOT / page):
                try:
                    with logging_statements(block) as sent:
                        printed = run(block, runner, namespace)
                finally:
                    note(namespace)
                check(block, printed, "".join(f"{line}\n" for line in sent.lines))
    finally:
        sys.modules["__main__"] = main


def write_sql(page: str) -> int:
    """Write what each block of a page sends into the SQL block below it; how many changed."""
    path, changes = ROOT / page, []

    def note(block: Block, _: str, sent: str) -> None:
        if block.path == path and block.place is not None and sent != block.sends:
            changes.append((block.place, sent))

    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            run_page(page, note)
        finally:
            os.chdir(here)
    text = path.read_text(encoding="utf-8")
    for (start, end), sent in sorted(changes, reverse=True):
        text = text[:start] + sent + text[end:]
    path.write_text(text, encoding="utf-8")
    return len(changes)


def main() -> None:
    for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]:
        if any(block.sends is not None for block in blocks_of(path)):
            page = str(path.relative_to(ROOT))
            print(f"{page}: {write_sql(page)} changed")


if __name__ == "__main__":
    main()
