"""Sessions on a synchronous engine."""

from __future__ import annotations

from ..exception import InvalidSessionState
from .sessions._sync.factory import SessionFactory
from .sessions._sync.session import Session

__all__ = ("InvalidSessionState", "Session", "SessionFactory")
