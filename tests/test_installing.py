"""Each line that installs something works as written, and none installs the other naked-sqla.

The package index has naked-sqla 0.1.0 of 2024, another library with the same import name.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = set(PROJECT["optional-dependencies"])

# Whatever a user reads: pages, examples, docstrings and messages. The benchmarks install the other.
READ = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*", "naked_sqla/**/*.py", ".ci/run")
    for path in ROOT.glob(pattern)
    if path.suffix in (".md", ".py", ".txt", ".toml", "")
    if path.is_file()
)

# A command up to the end of its line, or of its quotes.
INSTALL = re.compile(r"\b(?:pip|uv|poetry|pdm) (?:pip )?(?:install|add) +([^`#\n]+)")
# The other library, as a requirement.
OTHER = re.compile(r"naked[-_.]+sqla(?:lchemy)?", re.IGNORECASE)
# This one from a checkout, with extras.
CHECKOUT = re.compile(r"\.(?:\[([a-z, ]+)\])?")


def wrong(command: str) -> list[str]:
    """What of a command installs the other library, or an extra that does not exist."""
    found = []
    for word in re.sub(r"[\"']|\.$", "", command.strip()).split():
        here = CHECKOUT.fullmatch(word)
        if here is not None:
            extras = {name.strip() for name in (here[1] or "").split(",")} - {""}
            found += [f"{word}: no extra {name!r}" for name in sorted(extras - EXTRAS)]
        elif OTHER.match(word):
            found.append(f"{word}: the other library")
    return found


def test_lines_that_install() -> None:
    found = {}
    for name in READ:
        text = (ROOT / name).read_text(encoding="utf-8")
        lines = [line for command in INSTALL.findall(text) for line in wrong(command)]
        # "the extra naked_sqla[fastapi]" would be pasted into a command
        lines += re.findall(OTHER.pattern + r"\[[a-z]+\]", text)
        if lines:
            found[name] = lines
    assert len(READ) > 100
    assert found == {}


@pytest.mark.parametrize("name", ["README.md", "docs/index.md", "docs/quickstart.md"])
def test_how_the_two_relate_is_said(name: str) -> None:
    text = " ".join((ROOT / name).read_text(encoding="utf-8").split())
    assert "earlier, separate library with the same import name" in text
    assert "install both in one environment" in text


@pytest.mark.parametrize("name", ["README.md", "docs/quickstart.md", "docs/guide/fastapi.md"])
def test_these_say_how_to_install(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert any(CHECKOUT.search(command) for command in INSTALL.findall(text))


@pytest.mark.parametrize(
    "command",
    ["naked_sqla", '"naked_sqla[fastapi]"', "naked-sqla==0.1.0", "-U naked-sqlalchemy", '".[web]"'],
)
def test_the_wrong_ones_are_found(command: str) -> None:
    assert wrong(command) != []


def test_no_requirement_can_mean_the_other_one() -> None:
    assert int(PROJECT["version"].split(".")[0]) >= 1
