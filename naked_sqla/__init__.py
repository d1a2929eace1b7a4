"""An async, connection-level object mapper on SQLAlchemy: rows become plain, untracked objects."""

from __future__ import annotations

from .exception import (
    BaseNakedSQLAException,
    ConcurrentSessionUse,
    ConversionError,
    InvalidBind,
    InvalidCursor,
    InvalidSessionState,
    InvalidStatement,
    NotLoadedError,
    PageNotFound,
    PartialCommit,
    RowGone,
    RowMismatch,
    TransactionRolledBack,
    UnknownAttribute,
    UnsupportedOption,
    VersionConflict,
)
from .om.asession import AsyncSession, AsyncSessionFactory
from .om.convert import to_naked, to_orm
from .om.session import Session, SessionFactory
from .om.sessions._async.pagination import KeysetPage, Pagination
from .om.sessions._sync.pagination import SyncKeysetPage, SyncPagination

__version__ = "1.0.0"

__all__ = (
    "AsyncSession",
    "AsyncSessionFactory",
    "BaseNakedSQLAException",
    "ConcurrentSessionUse",
    "ConversionError",
    "InvalidBind",
    "InvalidCursor",
    "InvalidSessionState",
    "InvalidStatement",
    "KeysetPage",
    "NotLoadedError",
    "PageNotFound",
    "Pagination",
    "PartialCommit",
    "RowGone",
    "RowMismatch",
    "Session",
    "SessionFactory",
    "SyncKeysetPage",
    "SyncPagination",
    "TransactionRolledBack",
    "UnknownAttribute",
    "UnsupportedOption",
    "VersionConflict",
    "to_naked",
    "to_orm",
)
