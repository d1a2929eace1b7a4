"""Print the synchronous face of the library from the asynchronous one.

    python -m tools.async_to_sync            write the files
    python -m tools.async_to_sync --check    write nothing; fail when a file would change

Three things turn asynchronous source into synchronous source:

- *Words*, see ``words.py``: ``await`` and ``async`` go, ``AsyncSession`` becomes ``Session``, a
  task a thread; in code, comments, docstrings and messages alike, with the article that fits.
- *Expressions*: ``Coroutine[Any, Any, T]`` becomes ``T``, ``run_to_end(fn, x)`` becomes ``fn(x)``
  (``UNWRAPPED``, ``RUNNERS``), ``conn.run_sync(fn)`` becomes ``fn(conn)``.
- *Marks*, for what truly differs.  A line that ends with ``# ASYNC`` is left out.  Of
  ``if True:  # ASYNC`` the ``else`` remains, or nothing; both are written with the names of the
  asynchronous face.  A module whose first line begins with ``# ASYNC`` is left out.  So is a
  paragraph of a docstring that names one of ``FOREIGN``.

A word of ``FOREIGN`` that is still there at the end is an error.  ruff sorts the imports, takes out
those that are not used any more, and formats.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.docstrings import docstring, indented
from tools.words import CannotPrint, refuse_foreign, words

ROOT = Path(__file__).resolve().parent.parent

# Modules and folders of the asynchronous face, and what is printed from them.
FACES = {
    "naked_sqla/sessions/_async": "naked_sqla/sessions/_sync",
    "naked_sqla/testing/_async_sandbox.py": "naked_sqla/testing/_sync_sandbox.py",
    "tests/sessions/test_session.py": "tests/sessions/test_session_sync.py",
}

# Generic types of the asynchronous face, and which of their arguments stands for them.
UNWRAPPED = {"Coroutine": 2, "AsyncStreaming": 0}

# Functions that run another one, and which of their arguments that is.
RUNNERS = {"run_to_end": 0, "run_in_greenlet": 2}


def to_sync(source: str) -> str:
    """The synchronous counterpart of a module, before ruff has formatted it."""
    source = _repeat(source, _marked)
    source = re.sub(r"^.*  # ASYNC\n", "", source, flags=re.MULTILINE)
    source = _repeat(source, _expression)
    source = _docstrings(source)
    source = words(source)
    source = _repeat(source, _twice)
    refuse_foreign(source, _imports(source))
    return source


def _imports(source: str) -> set[int]:
    """The lines of imports: ruff takes out what is not used any more."""
    return {
        number
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


# ---- the syntax tree

Edit = tuple[int, int, str]


def _repeat(source: str, find: Callable[[str, ast.AST], Edit | None]) -> str:
    """Make one edit after the other, each on the tree that the last one left."""
    while True:
        for node in ast.walk(ast.parse(source)):
            edit = find(source, node)
            if edit is not None:
                break
        else:
            return source
        source = source[: edit[0]] + edit[2] + source[edit[1] :]


def _marked(source: str, node: ast.AST) -> Edit | None:
    """``if True:  # ASYNC``, for which its ``else`` remains."""
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Constant):
        return None
    lines = source.splitlines(keepends=True)
    if node.test.value is not True or "  # ASYNC" not in lines[node.lineno - 1]:
        raise CannotPrint(f"line {node.lineno}: write `if True:  # ASYNC`")
    end = node.end_lineno or node.lineno
    kept = ""
    if node.orelse:
        inside = node.body[-1].end_lineno or node.lineno
        start = next(
            number
            for number in range(inside, end)
            if lines[number].strip() == "else:" and indented(lines[number]) == node.col_offset
        )
        body = textwrap.dedent("".join(lines[start + 1 : end]))
        kept = textwrap.indent(body, " " * node.col_offset)
    before = "".join(lines[: node.lineno - 1])
    return len(before), len(before) + len("".join(lines[node.lineno - 1 : end])), kept


def _expression(source: str, node: ast.AST) -> Edit | None:
    """Unwrap an ``await``, a type that wraps another one, a call that runs another function."""
    if isinstance(node, ast.Await):
        start, end = _span(source, node)
        if re.search(r"(?<![\w\])])\($", source[:start]) and source[end : end + 1] == ")":
            start, end = start - 1, end + 1
        return start, end, _text(source, node.value)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        if node.value.id not in UNWRAPPED:
            return None
        wanted = UNWRAPPED[node.value.id]
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return (*_span(source, node), _text(source, items[wanted]))
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Name) and node.func.id in RUNNERS:
        place = RUNNERS[node.func.id]
        if place and _text(source, node.args[0]) != "nothing":
            raise CannotPrint(f"line {node.lineno}: {node.func.id}() that is not to be left out")
        inner, args = node.args[place], node.args[place + 1 :]
    elif isinstance(node.func, ast.Attribute) and node.func.attr == "run_sync":
        inner, args = node.args[0], [node.func.value, *node.args[1:]]
    else:
        return None
    given = ", ".join(_text(source, arg) for arg in (*args, *node.keywords))
    return (*_span(source, node), f"{_text(source, inner)}({given})")


def _twice(source: str, node: ast.AST) -> Edit | None:
    """A union of two types that have become one."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left = _text(source, node.left)
        if left == _text(source, node.right):
            return (*_span(source, node), left)
    return None


def _span(source: str, node: ast.AST) -> tuple[int, int]:
    """Where the text of a node begins and ends."""
    lines = source.splitlines(keepends=True)

    def at(line: int, column: int) -> int:
        # columns count bytes
        within = len(lines[line - 1].encode()[:column].decode())
        return sum(map(len, lines[: line - 1])) + within

    place: ast.expr = node  # type: ignore[assignment]
    return at(place.lineno, place.col_offset), at(place.end_lineno or 0, place.end_col_offset or 0)


def _text(source: str, node: ast.AST) -> str:
    start, end = _span(source, node)
    return source[start:end]


def _docstrings(source: str) -> str:
    """The source with its docstrings in the words of the synchronous face."""
    edits: list[Edit] = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            start, end = _span(source, first)
            edits.append((start, end, docstring(source[start:end], first.col_offset)))
    for start, end, new in sorted(edits, reverse=True):
        source = source[:start] + new + source[end:]
    return source


# ---- files


def pairs() -> Iterator[tuple[Path, Path]]:
    """Each module that is written, with the one that is printed from it."""
    for written, printed in FACES.items():
        source, target = ROOT / written, ROOT / printed
        if source.is_file():
            yield source, target
            continue
        for module in sorted(source.glob("*.py")):
            if not module.read_text().startswith("# ASYNC"):
                yield module, target / module.name


def raw(source: Path) -> str:
    """The print of a module, before ruff has formatted it."""
    try:
        text = to_sync(source.read_text())
    except CannotPrint as error:
        raise CannotPrint(f"{source.relative_to(ROOT)}: {error}") from None
    by = Path(__file__).resolve().relative_to(ROOT)
    return f"# Generated from {source.relative_to(ROOT)} by {by}: do not edit.\n{text}"


def formatted(text: str, path: Path) -> str:
    """A module as ruff writes it: imports sorted, none unused."""
    ruff = (sys.executable, "-m", "ruff")
    name = ("--stdin-filename", str(path), "-")
    for command in (("check", "--fix", "--quiet", "--select=I,F401"), ("format", "--quiet")):
        done = subprocess.run(
            (*ruff, *command, *name),
            check=False,
            cwd=ROOT,
            input=text,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise CannotPrint(f"ruff {command[0]}: {done.stdout}{done.stderr}")
        text = done.stdout
    refuse_foreign(text, {1})
    return text


def main() -> int:
    """Write the files, or compare them with the print."""
    parser = argparse.ArgumentParser(description="Print the synchronous face.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on differences")
    check = parser.parse_args().check
    differ = 0
    for source, target in pairs():
        new = formatted(raw(source), target)
        old = target.read_text() if target.exists() else ""
        if new == old:
            continue
        differ += 1
        name = str(target.relative_to(ROOT))
        if check:
            before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
            sys.stdout.writelines(difflib.unified_diff(before, after, name, f"{name} (printed)"))
        else:
            target.write_text(new)
            print(f"wrote {name}")
    if check and differ:
        print(f"{differ} files are not what their asynchronous twins print: run `make sync`.")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotPrint as error:
        sys.exit(str(error))
