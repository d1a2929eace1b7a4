"""Sessions on an asynchronous engine, by the path that documentation elsewhere names."""

from __future__ import annotations

from ..exception import InvalidSessionState
from .sessions._async.factory import AsyncSessionFactory
from .sessions._async.session import AsyncSession

__all__ = ("AsyncSession", "AsyncSessionFactory", "InvalidSessionState")
