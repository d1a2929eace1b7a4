"""The environment of naked-sqla 0.1.0, whose import name is the one of this package."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

# How tables and charts call it: by its name on the package index, and the year of its release.
NAME = "naked-sqla 0.1.0 (2024)"
HOME = Path(__file__).parent / ".venv-legacy"
REQUIREMENTS = (
    "naked-sqla==0.1.0",
    "sqlalchemy[asyncio]>=2.0.58,<2.1",
    "aiosqlite",
    "asyncpg",
    "psycopg[binary]",
)


def interpreter() -> Path:
    """Return the Python of the environment, which is made first where it is missing."""
    python = HOME / "bin" / "python"
    done = HOME / "complete"
    if not done.exists():
        print(f"making {HOME} with {', '.join(REQUIREMENTS)}", file=sys.stderr)
        venv.create(HOME, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        done.touch()
    return python


def command() -> list[str]:
    """Return the command that runs a worker in the environment.

    Isolated mode keeps this repository off the front of the path; it goes to the end, so that
    ``benchmarks`` is found here and ``naked_sqla`` in the environment.
    """
    root = str(Path(__file__).parents[1])
    code = (
        f"import sys; sys.path.append({root!r}); from benchmarks.worker import main;"
        " main(*sys.argv[1:])"
    )
    return [str(interpreter()), "-I", "-c", code]
