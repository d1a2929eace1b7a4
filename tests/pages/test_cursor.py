"""Cursors: whatever goes in comes out, and nothing else gets in."""

from __future__ import annotations

import base64
import datetime as dt
import math
import subprocess
import sys
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from naked_sqla import InvalidCursor, InvalidStatement
from naked_sqla.pages.cursor import Gap, decode, encode, text_of

ORDER = b"an order"
zones = st.none() | st.integers(-23 * 3600, 23 * 3600).map(
    lambda seconds: dt.timezone(dt.timedelta(seconds=seconds))
)
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False)
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=zones).map(lambda moment: moment.replace(fold=0))
    | st.dates()
    | st.times(timezones=zones).map(lambda time: time.replace(fold=0))
    | st.timedeltas()
    | st.uuids()
    | st.binary()
)
gaps = st.builds(Gap, st.lists(values, max_size=4).map(tuple), st.booleans())


def exact(value: Any) -> Any:
    """A value with its type, so that 1, 1.0 and True differ, and 1.0 from 1.00."""
    if isinstance(value, tuple):
        return [exact(item) for item in value]
    return type(value), repr(value)


@given(gaps)
@example(Gap((dt.datetime(1, 1, 1), math.inf, -0.0, 5e-324, Decimal("1.00"), "\ud800"), True))
@example(Gap((dt.datetime(2024, 1, 1, fold=0, tzinfo=dt.UTC), 2**80, "\x00"), False))
def test_there_and_back(gap: Gap) -> None:
    cursor = encode(gap, ORDER)
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    found = decode(cursor, ORDER, len(gap.values))
    assert found.behind == gap.behind
    assert exact(found.values) == exact(gap.values)


def test_nan() -> None:
    (value,) = decode(encode(Gap((math.nan,), True), ORDER), ORDER, 1).values
    assert math.isnan(value)


@given(gaps, st.data())
def test_damage(gap: Gap, data: st.DataObject) -> None:
    cursor = encode(gap, ORDER)
    at = data.draw(st.integers(0, len(cursor) - 1))
    kind = data.draw(st.sampled_from(["change", "cut", "insert", "swap"]))
    letter = data.draw(st.sampled_from("AZaz09-_=+/ é") | st.characters())
    damaged = {
        "change": cursor[:at] + letter + cursor[at + 1 :],
        "cut": cursor[:at],
        "insert": cursor[:at] + letter + cursor[at:],
        "swap": cursor[at:] + cursor[:at],
    }[kind]
    if damaged != cursor:
        with pytest.raises(InvalidCursor, match="damaged"):
            decode(damaged, ORDER, len(gap.values))


@given(st.text() | st.binary() | st.none() | st.integers() | st.lists(st.text()))
@example("")
@example("=")
@example("A")
@example("[" * 100_000)
@example(base64.urlsafe_b64encode(b"\x01" + b"[" * 100_000).decode())
def test_anything(cursor: Any) -> None:
    with pytest.raises(InvalidCursor) as caught:
        decode(cursor, ORDER, 1)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 400


@given(gaps)
def test_foreign(gap: Gap) -> None:
    cursor = encode(gap, ORDER)
    with pytest.raises(InvalidCursor):
        decode(cursor, b"another order", len(gap.values))
    with pytest.raises(InvalidCursor):
        decode(cursor, ORDER, len(gap.values) + 1)


def test_the_last_letter_has_one_spelling() -> None:
    cursor = encode(Gap((1,), True), ORDER)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    valid = []
    for letter in alphabet:
        try:
            decode(cursor[:-1] + letter, ORDER, 1)
        except InvalidCursor:
            continue
        valid.append(letter)
    assert valid == [cursor[-1]]


@pytest.mark.parametrize("value", [1j, [1], (1,), {"a": 1}])
def test_a_value_that_has_no_place(value: Any) -> None:
    with pytest.raises(InvalidStatement, match="into a cursor"):
        encode(Gap((value,), True), ORDER)
    assert text_of(value) == type(value).__name__


def test_the_same_in_every_process() -> None:
    gap = Gap((1, "a", uuid.UUID(int=5)), True)
    code = (
        "import uuid; from naked_sqla.pages.cursor import *;"
        "print(encode(Gap((1, 'a', uuid.UUID(int=5)), True), b'an order'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == encode(gap, ORDER)
