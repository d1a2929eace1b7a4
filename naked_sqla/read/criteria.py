"""The criteria of a factory: what ``with_loader_criteria()`` says holds for all its statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import CompoundSelect, Delete, Select, Update

from naked_sqla._sqlalchemy import loader_options, statements
from naked_sqla.exception import UnsupportedOption
from naked_sqla.objects.classes import mapper_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = (
    "CRITERIA",
    "check_criteria",
    "criteria_of",
    "criteria_of_rows",
    "derived",
    "filtered",
    "lifting",
    "refuse_by_key",
    "without",
)

# the execution option of an engine that holds them
CRITERIA = "naked_sqla_criteria"

_FILTERED = (Select, CompoundSelect, statements.FromStatement, Update, Delete)


def criteria_of(bind: Any) -> Sequence[Any]:
    """The criteria that hold on an engine or a connection."""
    found: Sequence[Any] = bind.get_execution_options().get(CRITERIA, ())
    return found


def filtered(conn: Connection, statement: Any, parameters: Any = None) -> Any:
    """The statement with the criteria that hold on the connection.

    :raises UnsupportedOption: for an UPDATE or DELETE of several rows, where they can't hold.
    """
    criteria = conn.get_execution_options().get(CRITERIA)
    if not criteria or not isinstance(statement, _FILTERED):
        return statement
    if isinstance(statement, Update | Delete) and isinstance(parameters, Sequence):
        # imported where it is needed, as all of writing
        from naked_sqla._sqlalchemy import dml

        mapper = dml.subject_mapper(statement)
        if mapper is not None:
            if isinstance(statement, Update) and not (
                dml.has_values(statement) or dml.has_where(statement)
            ):
                # by primary key: its rows are looked for there
                return statement
            word = statement.__visit_name__
            refuse_by_key(criteria, mapper.class_, f"{word}() with a list of parameters")
    return statement.options(*criteria)


def criteria_of_rows(conn: Connection, mapper: Any) -> list[Any]:
    """What holds on a connection for the rows of a mapped class that are found by their keys."""
    found = (loader_options.criteria_of_rows(one, mapper) for one in criteria_of(conn))
    return [criterion for criterion in found if criterion is not None]


def lifting(conn: Connection, mapper: Any) -> str:
    """What to write for a factory without the criteria that hold for the rows of a class."""
    subjects = (
        loader_options.criteria_subject(one).__name__
        for one in criteria_of(conn)
        if loader_options.criteria_of_rows(one, mapper) is not None
    )
    return f"db.with_options(without=[{', '.join(dict.fromkeys(subjects))}])"


def refuse_by_key(criteria: Iterable[Any], model: Any, what: str) -> None:
    """Raise ``UnsupportedOption`` for a write by key of a class that criteria are about."""
    mapper = mapper_of(model)
    for option in criteria if mapper is not None else ():
        subject = loader_options.criteria_subject(option)
        if issubclass(model, subject) or issubclass(subject, model):
            raise UnsupportedOption(
                f"{what} writes rows of {model.__name__}, and the criteria for "
                f"{subject.__name__} of this factory can't hold there. Write a statement with "
                f"where(), where they do; or lift them: "
                f"db.with_options(without={subject.__name__!r})."
            )


def check_criteria(options: Iterable[Any]) -> tuple[Any, ...]:
    """The options of a factory.

    :raises UnsupportedOption: for anything but ``with_loader_criteria()``.
    """
    found = tuple(options)
    for option in found:
        if not loader_options.is_criteria(option):
            raise UnsupportedOption(
                f"a factory takes with_loader_criteria() as options, not {option!r}. Options that "
                f"load relationships or columns belong to a statement: select(...).options(...)."
            )
    return found


def without(criteria: Sequence[Any], names: Any) -> tuple[Any, ...]:
    """The criteria but those of some classes.

    :param names: a class, its name, or several.
    :raises UnsupportedOption: for a class that has none.
    """
    lifted = (names,) if isinstance(names, str | type) else tuple(names)
    for name in lifted:
        if not any(_is_about(option, name) for option in criteria):
            known = sorted({loader_options.criteria_subject(one).__name__ for one in criteria})
            raise UnsupportedOption(
                f"with_options(without={name!r}): this factory has no criteria for it; it has "
                f"criteria for: {', '.join(known) or 'nothing'}."
            )
    return tuple(one for one in criteria if not any(_is_about(one, name) for name in lifted))


def _is_about(option: Any, name: Any) -> bool:
    subject = loader_options.criteria_subject(option)
    return subject is name or subject.__name__ == name


def derived(engine: Any, criteria: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """An engine on the same pool, on which criteria and execution options hold."""
    if not options and tuple(criteria) == tuple(criteria_of(engine)):
        return engine
    return engine.execution_options(**{CRITERIA: tuple(criteria)}, **options)
