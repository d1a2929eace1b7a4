"""An async, connection-level object mapper on SQLAlchemy: rows become plain, untracked objects."""

from __future__ import annotations

from .exception import (
    BaseNakedSQLAException,
    ConcurrentSessionUse,
    ConversionError,
    InvalidCursor,
    InvalidSessionState,
    InvalidStatement,
    NotLoadedError,
    PageNotFound,
    RowMismatch,
    TransactionRolledBack,
    UnknownAttribute,
    UnsupportedOption,
)
from .om.asession import AsyncSession, AsyncSessionFactory
from .om.session import Session, SessionFactory

__version__ = "0.1.0"

__all__ = (
    "AsyncSession",
    "AsyncSessionFactory",
    "BaseNakedSQLAException",
    "ConcurrentSessionUse",
    "ConversionError",
    "InvalidCursor",
    "InvalidSessionState",
    "InvalidStatement",
    "NotLoadedError",
    "PageNotFound",
    "RowMismatch",
    "Session",
    "SessionFactory",
    "TransactionRolledBack",
    "UnknownAttribute",
    "UnsupportedOption",
)
