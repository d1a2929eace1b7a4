"""What mypy and pyright say of right uses (nothing), and of wrong ones (something, on each)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

# SQLAlchemy 2.0 and 2.1 name the types of rows differently.
ROWS = "rows_2_0.py" if sqlalchemy.__version__.startswith("2.0.") else "rows_2_1.py"
WRONG = HERE / "typing" / "wrong.py"
RIGHT = [HERE / "typing" / name for name in ("right.py", "exact.py", ROWS)]

Errors = dict[str, dict[int, str]]


def mypy_errors(cache: Path) -> Errors:
    """For each file, the lines that mypy complains about."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary"]
    command += ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(cache)]
    command += ["--no-pretty", *map(str, RIGHT), str(WRONG)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    errors: Errors = {file.name: {} for file in (*RIGHT, WRONG)}
    for line in run.stdout.splitlines():
        found = re.match(r"(.+?):(\d+)(?::\d+)?: error: (.*)", line)
        if found and Path(found[1]).name in errors:
            errors[Path(found[1]).name][int(found[2])] = found[3]
    assert not run.stderr, run.stderr
    return errors


def pyright_errors(_: Path) -> Errors:
    """For each file, the lines that pyright complains about."""
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    command += [*map(str, RIGHT), str(WRONG)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    errors: Errors = {file.name: {} for file in (*RIGHT, WRONG)}
    for item in json.loads(run.stdout)["generalDiagnostics"]:
        if item["severity"] == "error":
            line = item["range"]["start"]["line"] + 1
            errors[Path(item["file"]).name][line] = item["message"]
    return errors


def marked(mark: str) -> set[int]:
    """The lines that a type checker has to complain about."""
    lines = WRONG.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith(mark)}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("checker", [mypy_errors, pyright_errors])
def test_types(checker: Callable[[Path], Errors], tmp_path: Path) -> None:
    errors = checker(tmp_path)
    wrong = set(errors.pop(WRONG.name))
    assert errors == {file.name: {} for file in RIGHT}
    only_pyright = marked("# wrong for pyright") if checker is pyright_errors else set()
    assert wrong == marked("# wrong") | only_pyright
