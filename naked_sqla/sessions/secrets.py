"""The secrets that sign the cursors of a factory."""

from __future__ import annotations

from typing import Any

__all__ = ("secrets",)


def secrets(kind: type, given: object) -> tuple[bytes, ...]:
    """The secrets of a factory, as bytes; no message shows one.

    :raises TypeError: for what is no text, no bytes and no list of them.
    :raises ValueError: for an empty one.
    """
    if given is None:
        return ()
    several: Any = given if isinstance(given, list | tuple) else [given]
    if not all(isinstance(secret, str | bytes) for secret in several):
        raise TypeError(
            f"{kind.__name__}(secret=...) takes a text, bytes, or a list of them, the first of "
            f"which signs; it was given something else."
        )
    if not several or not all(several):
        raise ValueError(
            f"{kind.__name__}(secret=...) was given an empty secret. Pass 32 random bytes, such as "
            f"secrets.token_hex() makes, or None for cursors without signature."
        )
    return tuple(secret.encode() if isinstance(secret, str) else secret for secret in several)
