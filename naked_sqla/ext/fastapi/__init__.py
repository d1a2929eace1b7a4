"""naked_sqla in FastAPI: a session for each handler, 404 for missing rows, pages, shutdown.

Needs FastAPI, which the extra ``fastapi`` installs: ``pip install ".[fastapi]"`` in a checkout.
"""

from __future__ import annotations

from ._found import first_or_404, get_or_404, one_or_404
from ._install import install
from ._pages import PageArguments, PageParams
from ._session import SessionDependency, session_dependency

__all__ = (
    "PageArguments",
    "PageParams",
    "SessionDependency",
    "first_or_404",
    "get_or_404",
    "install",
    "one_or_404",
    "session_dependency",
)
