"""An async, connection-level object mapper on SQLAlchemy: rows become plain, untracked objects."""

from __future__ import annotations

from naked_sqla.constraints import ViolatedConstraint, constraint_of
from naked_sqla.objects.convert import to_naked, to_orm
from naked_sqla.sessions._async.listening import AsyncNotifications
from naked_sqla.sessions._async.pagination import KeysetPage, Pagination
from naked_sqla.sessions._sync.listening import Notifications
from naked_sqla.sessions._sync.pagination import SyncKeysetPage, SyncPagination
from naked_sqla.sessions.health import Health, Recovery
from naked_sqla.sessions.notifications import Notification
from naked_sqla.write.reports import Relinked

from .exception import (
    BaseNakedSQLAException,
    CommitOutcomeUnknown,
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
    TransactionTimeout,
    UnknownAttribute,
    UnsupportedOption,
    VersionConflict,
)
from .om.asession import AsyncSession, AsyncSessionFactory
from .om.session import Session, SessionFactory

__version__ = "1.0.0"

__all__ = (
    "AsyncNotifications",
    "AsyncSession",
    "AsyncSessionFactory",
    "BaseNakedSQLAException",
    "CommitOutcomeUnknown",
    "ConcurrentSessionUse",
    "ConversionError",
    "Health",
    "InvalidBind",
    "InvalidCursor",
    "InvalidSessionState",
    "InvalidStatement",
    "KeysetPage",
    "NotLoadedError",
    "Notification",
    "Notifications",
    "PageNotFound",
    "Pagination",
    "PartialCommit",
    "Recovery",
    "Relinked",
    "RowGone",
    "RowMismatch",
    "Session",
    "SessionFactory",
    "SyncKeysetPage",
    "SyncPagination",
    "TransactionRolledBack",
    "TransactionTimeout",
    "UnknownAttribute",
    "UnsupportedOption",
    "VersionConflict",
    "ViolatedConstraint",
    "constraint_of",
    "to_naked",
    "to_orm",
)
