"""Dictionaries and objects -> JSON, by orjson or msgspec, whichever is installed."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import importlib
import sys
import uuid
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any

from naked_sqla.exception import RowMismatch
from naked_sqla.into.plain import is_model

__all__ = ("encode", "encode_objects")

Encode = Callable[[Any], bytes]


def encode(value: Any) -> bytes:
    """The JSON of dictionaries, lists and values.

    :raises ImportError: neither orjson nor msgspec is installed.
    :raises RowMismatch: it holds a value that has no JSON.
    """
    try:
        return _encoder()(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise RowMismatch(
            f"The rows have a value that JSON can't hold: {error}. Next: select something else, "
            f"such as cast(..., String), or leave it out with load_only()."
        ) from error


def encode_objects(cls: Any) -> Encode:
    """What gives the JSON of an object of a class, or a list of them, with the names of aliases.

    :raises RowMismatch: its objects have no JSON.
    :raises ImportError: msgspec makes it, and is not installed.
    """
    if is_model(cls) or hasattr(cls, "__pydantic_serializer__"):
        pydantic: Any = sys.modules["pydantic"]
        adapter = pydantic.TypeAdapter(Any)
        return lambda value: bytes(adapter.dump_json(value, by_alias=True))
    shown = cls.__name__
    if not (
        dataclasses.is_dataclass(cls)
        or hasattr(cls, "__struct_config__")
        or hasattr(cls, "__attrs_attrs__")
    ):
        raise RowMismatch(
            f"json() can't write {shown} objects: it is no dataclass, pydantic model, "
            f"msgspec Struct, attrs class, NamedTuple or TypedDict. Next: pass one of these, or "
            f"none for all columns."
        )
    msgspec = _module("msgspec")
    if msgspec is None:
        raise ImportError(
            f"json() writes {shown} objects, which have code of their own, by msgspec, "
            f"which is not installed: pip install msgspec."
        )
    return msgspec.json.encode  # type: ignore[no-any-return]


@cache
def _encoder() -> Encode:
    orjson, msgspec = _module("orjson"), _module("msgspec")
    if orjson is None and msgspec is None:
        raise ImportError(
            "json() writes JSON by orjson or msgspec, and neither is installed: pip install orjson."
        )
    if orjson is None:
        encoder = msgspec.json.Encoder(enc_hook=_default)
        return encoder.encode  # type: ignore[no-any-return]
    options = orjson.OPT_UTC_Z

    def write(value: Any) -> bytes:
        try:
            return orjson.dumps(value, _default, options)  # type: ignore[no-any-return]
        except TypeError:
            # keys that are no text take twice the time of all
            return orjson.dumps(value, _default, options | orjson.OPT_NON_STR_KEYS)  # type: ignore[no-any-return]

    return write


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _default(value: Any) -> Any:
    """A value that the library itself does not write, in the form that msgspec gives it."""
    if isinstance(value, decimal.Decimal | uuid.UUID):
        # asyncpg has a UUID of its own
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, set | frozenset | deque):
        return list(value)
    if isinstance(value, datetime.timedelta):
        return _duration(value)
    raise TypeError(f"a {type(value).__name__}: {value!r}")


def _duration(value: datetime.timedelta) -> str:
    """ISO 8601, in days and seconds."""
    sign = ""
    if value < datetime.timedelta():
        sign, value = "-", -value
    days = f"{value.days}D" if value.days else ""
    seconds = f"{value.seconds}.{value.microseconds:06d}".rstrip("0").rstrip(".")
    if value.microseconds == 0:
        seconds = str(value.seconds)
    time = f"T{seconds}S" if seconds != "0" or not days else ""
    return f"{sign}P{days}{time}"
