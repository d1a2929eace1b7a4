"""naked_sqla in FastAPI: a session for each handler, 404 for missing rows, pages, shutdown.

Needs FastAPI, which the extra ``fastapi`` installs: ``pip install ".[fastapi]"`` in a checkout.
"""

from __future__ import annotations

from ._found import delete_or_404, first_or_404, get_or_404, one_or_404, update_or_404
from ._install import install
from ._pages import CursorArguments, CursorParams, PageArguments, PageParams
from ._responses import CursorLinks, CursorPage, NumberedLinks, NumberedPage
from ._session import SessionDependency, session_dependency

__all__ = (
    "CursorArguments",
    "CursorLinks",
    "CursorPage",
    "CursorParams",
    "NumberedLinks",
    "NumberedPage",
    "PageArguments",
    "PageParams",
    "SessionDependency",
    "delete_or_404",
    "first_or_404",
    "get_or_404",
    "install",
    "one_or_404",
    "session_dependency",
    "update_or_404",
)
