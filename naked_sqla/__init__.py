"""An async, connection-level object mapper on SQLAlchemy: rows become plain, untracked objects."""

from __future__ import annotations

from .exception import (
    BaseNakedSQLAException,
    ConcurrentSessionUse,
    ConversionError,
    InvalidSessionState,
    InvalidStatement,
    NotLoadedError,
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
    "InvalidSessionState",
    "InvalidStatement",
    "NotLoadedError",
    "RowMismatch",
    "Session",
    "SessionFactory",
    "TransactionRolledBack",
    "UnknownAttribute",
    "UnsupportedOption",
)
