"""Cursors: the key of a row as an opaque string that is safe in a URL.

A version byte, a seal, and compact JSON; in URL-safe base64 without padding.  The seal is a
checksum that only the same order gives, or with a secret a signature, which nobody else can make.
A cursor is opaque, but not secret: decoding it gives the key of a row.
"""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2s
from typing import Any

from naked_sqla.exception import InvalidCursor, InvalidStatement
from naked_sqla.hiding import shown

__all__ = ("LONGEST", "Gap", "Secrets", "decode", "encode", "refused", "text_of")

# The first one signs; all of them are accepted.
Secrets = tuple[bytes, ...]

# Letters of a cursor: no client can put as many into a URL.
LONGEST = 2**20

_CHECKED, _SIGNED = b"\x01", b"\x02"
_CHECKSUM = 8
_SIGNATURE = 32


@dataclass(frozen=True, slots=True)
class Gap:
    """A place between two rows.

    :ivar values: the key of a row, as the driver gives it.
    :ivar behind: True for the place after that row, False for the one before it.
    """

    values: tuple[Any, ...]
    behind: bool


def encode(gap: Gap, fingerprint: bytes, secrets: Secrets = ()) -> str:
    """The cursor of a place.

    :param fingerprint: of the order; up to 32 bytes.
    :param secrets: sign the cursor with the first one.
    :raises InvalidStatement: for a value of a kind that has no place in a cursor, and for values
        that make it longer than ``LONGEST``.
    """
    body = _body(gap)
    seal = _signed(body, fingerprint, secrets[0]) if secrets else _checked(body, fingerprint)
    cursor = _base64(seal + body)
    if len(cursor) > LONGEST:
        raise InvalidStatement(
            f"keyset(): a row makes a cursor of {len(cursor)} letters, and the longest has "
            f"{LONGEST}. Order by a shorter value: func.left(column, 100)."
        )
    return cursor


def decode(cursor: Any, fingerprint: bytes, width: int, secrets: Secrets = ()) -> Gap:
    """The place that a cursor stands for.

    :param width: how many values the key has.
    :param secrets: the cursor has to be signed with one of them.
    :raises InvalidCursor: for a string that :func:`encode` can't have made with the same
        fingerprint and one of the secrets.
    """
    try:
        if not isinstance(cursor, str) or len(cursor) > LONGEST:
            raise ValueError("not a string of a cursor's length")
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        body = _opened(data, fingerprint, secrets)
        behind, *packed = json.loads(body.decode("utf-8", "surrogatepass"))
        if len(packed) != width:
            raise ValueError(f"{len(packed)} values")
        gap = Gap(tuple(map(_unpacked, packed)), bool(behind))
        # base64, JSON and the values have one spelling each
        if cursor != _base64(data) or body != _body(gap):
            raise ValueError("another spelling")
        return gap
    except Exception as error:
        raise refused(cursor) from error


def refused(cursor: Any) -> InvalidCursor:
    """The error for a cursor that does not lead to a page of the statement."""
    shown = repr(cursor)
    if len(shown) > 60:
        shown = f"{shown[:60]}..."
    return InvalidCursor(
        f"The cursor {shown} is damaged, or it belongs to another statement, order, database or "
        f"secret. Pass a next_cursor or prev_cursor of a page of the same statement as it is, or "
        f"begin with the first page."
    )


def text_of(value: Any) -> str:
    """A value as a text that is the same in every process."""
    try:
        return json.dumps(_packed(value))
    except InvalidStatement:
        return type(value).__qualname__


def _body(gap: Gap) -> bytes:
    content = [int(gap.behind), *map(_packed, gap.values)]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _opened(data: bytes, fingerprint: bytes, secrets: Secrets) -> bytes:
    """What a seal stands before.

    :raises ValueError: for another seal.
    """
    width = 1 + (_SIGNATURE if secrets else _CHECKSUM)
    seal, body = data[:width], data[width:]
    if secrets:
        seals = [_signed(body, fingerprint, secret) for secret in secrets]
    else:
        seals = [_checked(body, fingerprint)]
    if not any([hmac.compare_digest(seal, right) for right in seals]):  # noqa: C419 - all of them
        raise ValueError("another seal")
    return body


def _checked(body: bytes, fingerprint: bytes) -> bytes:
    checksum = blake2s(body, digest_size=_CHECKSUM, key=fingerprint, person=_CHECKED)
    return _CHECKED + checksum.digest()


def _signed(body: bytes, fingerprint: bytes, secret: bytes) -> bytes:
    content = _SIGNED + bytes([len(fingerprint)]) + fingerprint + body
    return _SIGNED + hmac.digest(secret, content, "sha256")


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
# of a number of PostgreSQL, which has the most digits; of the longest times with their zone
_LONGEST_TEXTS = {"f": 32, "n": 150_000, "t": 64, "d": 64, "c": 64, "i": 3, "u": 32}


def _packed(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    for kind, tag, write, _ in _KINDS:
        if isinstance(value, kind):
            return {tag: write(value)}
    raise InvalidStatement(
        f"keyset() can't put {shown(value)}, which is a {type(value).__name__}, into a cursor. "
        f"Order by a number, text, time, UUID or bytes: cast() gives one."
    )


def _unpacked(packed: Any) -> Any:
    if not isinstance(packed, dict):
        return packed
    ((tag, text),) = packed.items()
    if len(text) > _LONGEST_TEXTS.get(tag, LONGEST):
        raise ValueError(f"{len(text)} letters")
    return _DECODERS[tag](text)
