"""The demo runs, and says what its steps promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from examples.models import Airline, Airport, Base, Flight, Plane
from examples.rows import DATA, rows_of

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def printed() -> str:
    """What ``python -m examples.demo`` prints, with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "examples.demo"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    "line",
    [
        # stored, and counted by a query
        "Flight: 3375 rows",
        "2013-02-08: 472 of 930 flights cancelled",
        # an entity is an instance of its class, with its methods
        "isinstance(_, Flight): True",
        "cancelled: False",
        # an outer join that found nothing
        "Flight(AA301, LGA-ORD, 2013-02-07, -4 min): None",
        "Airline('FL', 'Southwest, was AirTran')",
        "NotLoadedError: ",
        # relationships that the statement asks for, one statement alone, rows into a dataclass
        "Virgin America: 37 flights, on planes with 6734 seats in all",
        "John F Kennedy Intl: 1176 flights",
        "Frontier Airlines Inc.: 173.4 minutes late on average",
        "IntegrityError: UNIQUE constraint failed: airlines.carrier",
        "Zeppelin Lines: None; the session is open",
        "after the block it is closed",
        "ConcurrentSessionUse: ",
    ],
)
def test_the_demo_says(line: str, printed: str) -> None:
    assert line in printed


def test_each_step_shows_its_code(printed: str) -> None:
    assert "async with db.begin() as session:" in printed
    assert "from examples" not in printed


@pytest.mark.parametrize(
    ("model", "count"), [(Airline, 15), (Airport, 91), (Plane, 1203), (Flight, 3375)]
)
def test_the_data_are_whole(model: type[Base], count: int) -> None:
    assert len(rows_of(model)) == count


def test_the_data_have_what_real_data_have() -> None:
    flights = rows_of(Flight)
    planes = {row["tailnum"] for row in rows_of(Plane)}
    airports = {row["faa"] for row in rows_of(Airport)}
    tails = [row["tailnum"] for row in flights]
    assert sum(row["dep_time"] is None for row in flights) == 895
    assert tails.count(None) == 337
    assert sum(tail is not None and tail not in planes for tail in tails) == 484
    assert {row["dest"] for row in flights} - airports == {"BQN", "PSE", "SJU", "STT"}
    assert {row["origin"] for row in flights} <= airports


def test_the_data_are_small() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir() if path.is_file()) < 1_000_000
