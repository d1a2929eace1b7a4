"""Which values a column of PostgreSQL can have given, by its type."""

from __future__ import annotations

import datetime as dt
import math
import struct
import uuid
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Time,
    Uuid,
)
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.types import TypeEngine

__all__ = ("is_of",)

# Subclasses before their bases.
_KINDS: tuple[tuple[type[TypeEngine[Any]], type], ...] = (
    (Boolean, bool),
    (Integer, int),
    (Float, float),
    (Numeric, Decimal),
    (Enum, str),
    (String, str),
    (LargeBinary, bytes),
    (DateTime, dt.datetime),
    (Date, dt.date),
    (Time, dt.time),
    (Interval, dt.timedelta),
    (INTERVAL, dt.timedelta),
)


def is_of(value: Any, of: TypeEngine[Any]) -> bool:
    """True for a value of the kind and range of a type; also for a type that is not known."""
    if isinstance(of, Uuid):
        return isinstance(value, uuid.UUID if of.native_uuid else str)
    for known, kind in _KINDS:
        if isinstance(of, known):
            return _is_exactly(value, kind) and _is_in_range(value, of)
    return True


def _is_exactly(value: Any, kind: type) -> bool:
    """True for a value of a kind: a bool is no int here, and a datetime no date."""
    if isinstance(value, bool | dt.datetime):
        return type(value) is kind
    return isinstance(value, kind)


def _is_in_range(value: Any, of: TypeEngine[Any]) -> bool:
    if isinstance(of, Enum):
        return not of.native_enum or value in of.enums
    if isinstance(of, Integer):
        bits = 63 if isinstance(of, BigInteger) else 15 if isinstance(of, SmallInteger) else 31
        return bool(-(1 << bits) <= value < 1 << bits)
    if isinstance(of, Float):
        return not isinstance(of, REAL) or _fits_single(value)
    if isinstance(of, DateTime | Time):
        return (value.tzinfo is not None) == of.timezone
    return True


def _fits_single(value: float) -> bool:
    """True for a number that a float of four bytes holds, rounded."""
    if not math.isfinite(value) or value == 0:
        return True
    try:
        return bool(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return False
