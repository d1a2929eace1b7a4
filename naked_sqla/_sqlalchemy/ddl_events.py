"""CREATE and DROP of tables and views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def names_tables(event: Mapping[str, Any]) -> bool:
    """True for a ``create_all()`` or ``drop_all()`` that names its tables.

    :param event: the keywords of an event of a ``MetaData``; ``tables`` are those that it creates
        or drops, named or not.
    """
    return event["_ddl_runner"].tables is not None


def checks_views(checkfirst: Any) -> bool:
    """True where ``checkfirst`` asks to look for a view before it is created or dropped."""
    views = getattr(type(checkfirst), "VIEWS", None)
    # a flag for each kind of object on 2.1
    return bool(checkfirst if views is None else checkfirst & views)
