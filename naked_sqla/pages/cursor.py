"""Cursors: the key of a row as an opaque string that is safe in a URL.

A version byte, a checksum that only the same order gives, and compact JSON; in URL-safe base64
without padding.  A cursor is opaque, but not secret: decoding it gives the key of a row.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2s
from typing import Any

from naked_sqla.exception import InvalidCursor, InvalidStatement

__all__ = ("Gap", "decode", "encode", "text_of")

_VERSION = 1
_CHECKSUM = 8


@dataclass(frozen=True, slots=True)
class Gap:
    """A place between two rows.

    :ivar values: the key of a row, as the driver gives it.
    :ivar behind: True for the place after that row, False for the one before it.
    """

    values: tuple[Any, ...]
    behind: bool


def encode(gap: Gap, fingerprint: bytes) -> str:
    """The cursor of a place.

    :param fingerprint: of the order; up to 32 bytes.
    :raises InvalidStatement: for a value of a kind that has no place in a cursor.
    """
    content = [int(gap.behind), *map(_packed, gap.values)]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    body = text.encode("utf-8", "surrogatepass")
    return _base64(_sealed(body, fingerprint))


def decode(cursor: Any, fingerprint: bytes, width: int) -> Gap:
    """The place that a cursor stands for.

    :param width: how many values the key has.
    :raises InvalidCursor: for a string that :func:`encode` did not make with the same fingerprint.
    """
    try:
        if not isinstance(cursor, str):
            raise TypeError(type(cursor))
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        body = data[1 + _CHECKSUM :]
        # a checksum, and the one spelling of the bytes: base64 has several
        if data != _sealed(body, fingerprint) or cursor != _base64(data):
            raise ValueError(data)
        behind, *packed = json.loads(body.decode("utf-8", "surrogatepass"))
        if len(packed) != width:
            raise ValueError(width)
        return Gap(tuple(map(_unpacked, packed)), bool(behind))
    except Exception as error:
        shown = repr(cursor)
        if len(shown) > 60:
            shown = f"{shown[:60]}..."
        raise InvalidCursor(
            f"The cursor {shown} is damaged, or it belongs to another statement, order or "
            f"database. Pass a next_cursor or prev_cursor of a page of the same statement as it "
            f"is, or begin with the first page."
        ) from error


def text_of(value: Any) -> str:
    """A value as a text that is the same in every process."""
    try:
        return json.dumps(_packed(value))
    except InvalidStatement:
        return type(value).__qualname__


def _sealed(body: bytes, fingerprint: bytes) -> bytes:
    checksum = blake2s(body, digest_size=_CHECKSUM, key=fingerprint, person=bytes([_VERSION]))
    return bytes([_VERSION]) + checksum.digest() + body


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


# ---------------------------------------------------------------- values

# Types that JSON does not have: type, tag, to text, from text.  A datetime is a date too.
_KINDS: tuple[tuple[type, str, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    (float, "f", repr, float),
    (Decimal, "n", str, Decimal),
    (dt.datetime, "t", dt.datetime.isoformat, dt.datetime.fromisoformat),
    (dt.date, "d", dt.date.isoformat, dt.date.fromisoformat),
    (dt.time, "c", dt.time.isoformat, dt.time.fromisoformat),
    (
        dt.timedelta,
        "i",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda parts: dt.timedelta(*parts),
    ),
    (uuid.UUID, "u", lambda value: value.hex, uuid.UUID),
    (bytes, "b", _base64, lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))),
)
_DECODERS = {tag: read for _, tag, _, read in _KINDS}


def _packed(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    for kind, tag, write, _ in _KINDS:
        if isinstance(value, kind):
            return {tag: write(value)}
    raise InvalidStatement(
        f"keyset() can't put {value!r}, which is a {type(value).__name__}, into a cursor. Order by "
        f"a number, text, time, UUID or bytes: cast() gives one."
    )


def _unpacked(packed: Any) -> Any:
    if not isinstance(packed, dict):
        return packed
    ((tag, text),) = packed.items()
    return _DECODERS[tag](text)
