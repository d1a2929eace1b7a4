"""Sessions on an asynchronous engine, by the path that documentation elsewhere names."""

from __future__ import annotations

from naked_sqla.sessions._async.factory import AsyncSessionFactory
from naked_sqla.sessions._async.session import AsyncSession

from ..exception import InvalidSessionState

__all__ = ("AsyncSession", "AsyncSessionFactory", "InvalidSessionState")
