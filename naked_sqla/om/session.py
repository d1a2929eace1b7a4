"""Sessions on a synchronous engine."""

from __future__ import annotations

from naked_sqla.sessions._sync.factory import SessionFactory
from naked_sqla.sessions._sync.session import Session

from ..exception import InvalidSessionState

__all__ = ("InvalidSessionState", "Session", "SessionFactory")
