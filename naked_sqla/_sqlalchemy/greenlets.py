"""The greenlet in which SQLAlchemy's drivers may await."""

from __future__ import annotations

from typing import Any

import sqlalchemy.util

# The greenlet in which SQLAlchemy's drivers may await: 2.1 imports greenlet on first use only.
_concurrency: Any = getattr(sqlalchemy.util.concurrency, "_concurrency_shim", None) or getattr(
    sqlalchemy.util, "_concurrency_py3k", None
)

AsyncIoGreenlet: Any = _concurrency._AsyncIoGreenlet

current_greenlet: Any = _concurrency.getcurrent

# COPY speaks to the driver, which has to be awaited inside of SQLAlchemy's greenlet.
await_only: Any = sqlalchemy.util.await_only

greenlet_spawn: Any = sqlalchemy.util.greenlet_spawn
