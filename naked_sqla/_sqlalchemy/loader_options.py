"""Loader options of a statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy.sql.util import _deep_deannotate

# Strategies of loader options that shape the statement itself, and never lead to another one.
_IN_THE_STATEMENT = ("deferred", "instrument", "undefer_group", "query_expression", "raiseload")

_NO_OPTION = object()


def defers_columns(statement: Any) -> bool:
    """True when an option (``load_only``, ``defer``) chooses the columns of entities."""
    return any(
        dict(element.strategy or ()).get("deferred")
        for option in getattr(statement, "_with_options", ())
        for element in getattr(option, "context", ())
    )


def may_load_further(statement: Any) -> bool:
    """True when a loader option of a statement may lead to further statements."""
    for option in getattr(statement, "_with_options", ()):
        for load in getattr(option, "context", ()):
            for name, value in load.strategy or ():
                if name in _IN_THE_STATEMENT or (name == "lazy" and str(value).startswith("raise")):
                    continue
                return True
    return False


def criteria_options(statement: Any) -> Sequence[Any]:
    """The options ``with_loader_criteria()`` of a statement, which hold in its subqueries too."""
    return [option for option in getattr(statement, "_with_options", ()) if is_criteria(option)]


def is_criteria(option: Any) -> bool:
    """True for ``with_loader_criteria()``."""
    return bool(getattr(option, "_is_criteria_option", False))


def criteria_subject(option: Any) -> type:
    """The class that ``with_loader_criteria()`` is about: a mapped one, or a mixin."""
    subject: type = option.root_entity or option.entity.mapper.class_
    return subject


def criteria_of_rows(option: Any, mapper: Any) -> Any:
    """What ``with_loader_criteria()`` says of the rows of a mapped class, in terms of its tables.

    :return: None where it is about other classes.
    """
    if mapper not in set(option._all_mappers()):
        return None
    # SQLAlchemy would take a statement with its annotations for one of the ORM
    return _deep_deannotate(option._resolve_where_criteria(mapper))


def contained_collection(statement: Any) -> str | None:
    """The collection that a ``contains_eager()`` option fills from the rows, or None."""
    for option in getattr(statement, "_with_options", ()):
        for load in getattr(option, "context", ()):
            if "eager_from_alias" not in (load.local_opts or ()):
                continue
            for step in load.path.path:
                if getattr(step, "uselist", False):
                    return str(step)
    return None


def relationship_options(options: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """The relationships that loader options name, and how each is to be loaded.

    The relationship is ``None`` for a wildcard such as ``lazyload("*")``.
    """
    for option in options:
        for load in getattr(option, "context", None) or (option,):
            lazy = dict(getattr(load, "strategy", None) or ()).get("lazy", _NO_OPTION)
            if lazy is _NO_OPTION:
                continue
            steps = getattr(load.path, "path", load.path)
            props = [step for step in steps[-2:] if hasattr(step, "secondary")]
            yield (props[-1] if props else None), lazy
