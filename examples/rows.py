"""Read the CSV files of ``examples/data`` as dictionaries with Python values."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

from sqlalchemy import inspect

from examples.models import Base, Flight

DATA = Path(__file__).resolve().parent / "data"


def rows_of(model: type[Base]) -> list[dict[str, Any]]:
    """Give the rows of ``model``'s file: attribute name to value, NULL as ``None``."""
    mapper = inspect(model)
    columns = [
        (prop.key, prop.columns[0].name, prop.columns[0].type.python_type)
        for prop in mapper.column_attrs
        if not (model is Flight and prop.key in ("id", "day"))
        and prop.columns[0] is not mapper.version_id_col
    ]
    with (DATA / f"{model.__tablename__}.csv").open(encoding="utf-8", newline="") as file:
        rows = []
        for record in csv.DictReader(file):
            row: dict[str, Any] = {
                key: None if record[column] == "" else convert(record[column])
                for key, column, convert in columns
            }
            if model is Flight:
                row["day"] = dt.date(*(int(record[part]) for part in ("year", "month", "day")))
            rows.append(row)
    return rows
