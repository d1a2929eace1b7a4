"""Values in messages, and ``create_engine(hide_parameters=True)``, which keeps them out."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any

_hides: ContextVar[bool] = ContextVar("naked_sqla.hides", default=False)

_HIDDEN = "[hidden due to hide_parameters=True]"


def shown(value: Any) -> str:
    """A value for a message: its ``repr``, unless it is to be hidden."""
    return _HIDDEN if _hides.get() else repr(value)


def hides() -> bool:
    """True while what runs is to show no values."""
    return _hides.get()


def hide(bind: Any) -> Token[bool] | None:
    """Have the messages show no values from now on, where an engine says so.

    :param bind: the engine, or a connection of it.
    :return: for :func:`show`.
    """
    return _hides.set(True) if bind.engine.hide_parameters else None


def show(token: Token[bool] | None) -> None:
    """Have the messages show values as before."""
    if token is not None:
        _hides.reset(token)
