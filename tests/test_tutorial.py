"""The tutorial is followed, chapter by chapter, in an empty folder: its files and its commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ._pages import DOCS, FENCE, ROOT

CHAPTERS = sorted((DOCS / "tutorial").glob("*.md"))
TITLE = re.compile(r'title="(?P<name>[^"]+)"')
# The folder is there, the packages are installed; a server would run for ever (a chapter asks it).
LEFT_OUT = ("mkdir", "cd", "python3", ".", "pip", "uvicorn")


def write(folder: Path, kind: str, name: str, body: str) -> None:
    """Write a file of the tutorial, or change the lines of one that alembic has made."""
    path = folder / name
    if not path.exists():
        path.write_text(body, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    if kind == "ini":
        key = body.partition("=")[0].strip()
        text, count = re.subn(rf"^{re.escape(key)} *=.*\n", body, text, flags=re.MULTILINE)
    else:
        text, count = re.subn(r"^target_metadata = None\n", body, text, flags=re.MULTILINE)
    assert count == 1, name
    path.write_text(text, encoding="utf-8")


def command(line: str, folder: Path) -> str:
    """Run a command of the tutorial; gives what it prints."""
    name, *arguments = shlex.split(line)
    module = [] if name == "python" else ["-m", name]
    path = os.pathsep.join([str(ROOT), str(folder)])
    done = subprocess.run(
        [sys.executable, *module, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


# a dozen processes, each of which imports everything
@pytest.mark.timeout(300)
def test_the_tutorial(tmp_path: Path) -> None:
    assert len(CHAPTERS) == 8
    files = commands = 0
    for chapter in CHAPTERS:
        printed = None
        for fence in FENCE.finditer(chapter.read_text(encoding="utf-8")):
            kind, body = fence["kind"].split(" ")[0].strip(), fence["body"]
            title = TITLE.search(fence["kind"])
            if title is not None:
                write(tmp_path, kind, title["name"], body)
                files += 1
            elif kind == "console":
                for line in re.findall(r"^\$ (.+)$", body, re.MULTILINE):
                    if line.split()[0] not in LEFT_OUT:
                        printed = command(line, tmp_path)
                        commands += 1
            elif kind == "text":
                assert printed == body, chapter.name
            else:
                raise AssertionError(f"{chapter.name}: a block of the kind {kind!r}")
    assert files > 10
    assert commands > 8
