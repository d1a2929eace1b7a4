"""An async, connection-level object mapper on SQLAlchemy: rows become plain, untracked objects."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    RowExcluded,
    RowGone,
    RowMismatch,
    TransactionRolledBack,
    TransactionTimeout,
    UnknownAttribute,
    UnsupportedOption,
    VersionConflict,
)
from .om.asession import AsyncSession, AsyncSessionFactory

if TYPE_CHECKING:
    from .constraints import ViolatedConstraint, constraint_of
    from .objects.convert import to_naked, to_orm
    from .om.session import Session, SessionFactory
    from .sessions._async.listening import AsyncNotifications
    from .sessions._async.pagination import KeysetPage, Pagination
    from .sessions._sync.listening import Notifications
    from .sessions._sync.pagination import SyncKeysetPage, SyncPagination
    from .sessions.health import Health, Recovery
    from .sessions.notifications import Notification
    from .write.reports import Relinked, Write

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
    "RowExcluded",
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
    "Write",
    "constraint_of",
    "to_naked",
    "to_orm",
)

# Imported by their first use: the import of a service pays for none of them.
_LATER = {
    "AsyncNotifications": "sessions._async.listening",
    "Health": "sessions.health",
    "KeysetPage": "sessions._async.pagination",
    "Notification": "sessions.notifications",
    "Notifications": "sessions._sync.listening",
    "Pagination": "sessions._async.pagination",
    "Recovery": "sessions.health",
    "Relinked": "write.reports",
    "Write": "write.reports",
    "Session": "om.session",
    "SessionFactory": "om.session",
    "SyncKeysetPage": "sessions._sync.pagination",
    "SyncPagination": "sessions._sync.pagination",
    "ViolatedConstraint": "constraints",
    "constraint_of": "constraints",
    "to_naked": "objects.convert",
    "to_orm": "objects.convert",
}

# Type checkers do not see it: to them any name would be there.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
