"""How a factory runs one statement: what it may do without, told from the statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import CompoundSelect, Select

from naked_sqla import _compat
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidSessionState
from naked_sqla.om.facts import Facts, facts_of, keep, kept
from naked_sqla.om.lookup import get_statement
from naked_sqla.om.sessions import calls, checks, page_calls, write_calls

if TYPE_CHECKING:
    from sqlalchemy import Engine

_AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How one call is run.

    :ivar options: execution options of the connection.
    :ivar alone: one statement that only reads: nothing to commit, nothing to keep apart.
    :ivar snapshot: several statements, which are to see one state of the database.
    :ivar commit: commit in the end.
    """

    options: Mapping[str, Any]
    alone: bool = False
    snapshot: bool = False
    commit: bool = True


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a statement does.

    :ivar reads: it only reads.
    :ivar further: it may lead to further statements, which load relationships.
    :ivar writes: it may change something that has to be committed.
    :ivar steady: a page of it takes several statements, which are to see one state.
    """

    reads: bool
    further: bool
    writes: bool
    steady: bool = False


_PRELOAD = _Kind(reads=True, further=True, writes=False)
_UNKNOWN = _Kind(reads=False, further=False, writes=True)


def plan(
    engine: Engine, auto_commit: bool, eager: bool, fn: Callable[..., Any], args: tuple[Any, ...]
) -> Plan:
    """Decide how a factory runs a function of ``_calls``.

    :raises InvalidSessionState: for a statement that may write, where nothing would commit it, or
        where it would be stored as it runs.
    """
    kind = _kind(fn, args, eager)
    if kind.reads:
        level = _isolation_level(engine)
        backend = backend_of(engine.dialect)
        if kind.further:
            options = (level in (None, _AUTO) and backend.snapshot_options) or {}
            return Plan(options, snapshot=True, commit=auto_commit)
        if level == _AUTO:
            return Plan({}, alone=True)
        if level is None and backend.pays_for_transactions and not engine.dispatch.begin:
            # A listener for BEGIN may set what holds in the transaction only: who may see what.
            return Plan(_AUTOCOMMIT, alone=True)
        return Plan({}, alone=not backend.pays_for_transactions, commit=auto_commit)
    checks.refuse_autocommit(engine.dialect, engine.get_execution_options())
    if kind.writes and not auto_commit:
        _refuse(fn)
    if kind.steady and _isolation_level(engine) is None:
        options = backend_of(engine.dialect).snapshot_options or {}
        return Plan(options, snapshot=True, commit=auto_commit)
    return Plan({}, snapshot=kind.steady, commit=auto_commit)


_AUTO = "AUTOCOMMIT"


def _isolation_level(engine: Engine) -> str | None:
    """The isolation level that was asked for on the engine, None for the database's own."""
    level = engine.get_execution_options().get("isolation_level")
    level = level or _compat.engine_isolation_level(engine.dialect)
    if not isinstance(level, str):
        return None
    level = level.replace("_", " ").upper()
    return _AUTO if level == "AUTO COMMIT" else level


def reads(fn: Callable[..., Any], args: tuple[Any, ...], eager: bool) -> bool:
    """True when a function of ``_calls`` only reads, as far as its statement tells."""
    return _kind(fn, args, eager).reads


def _kind(fn: Callable[..., Any], args: tuple[Any, ...], eager: bool) -> _Kind:
    if fn is calls.preload:
        return _PRELOAD
    if fn is page_calls.paginate or fn is page_calls.keyset:
        return _kind_of_page(fn, args, eager)
    if fn is calls.get or fn is calls.get_one:
        model, ident, options, _, with_for_update = args
        if not options and not with_for_update and isinstance(model, type):
            return _kind_of(kept(model) or keep(model, get_statement(model, ident)[0]), eager)
        statement, _ = get_statement(model, ident, options, with_for_update)
    elif fn is calls.into:
        # Rows into other classes never lead to further statements.
        statement, eager = args[1], False
    elif fn in write_calls.WRITES:
        return _UNKNOWN
    else:
        statement = args[0]
    if not isinstance(statement, Select | CompoundSelect):
        return _UNKNOWN
    return _kind_of(facts_of(statement), eager)


def _kind_of_page(fn: Callable[..., Any], args: tuple[Any, ...], eager: bool) -> _Kind:
    """The kind of a statement of which one page is read."""
    statement = _compat.resolved(args[0])
    if not isinstance(statement, Select | CompoundSelect):
        # refused by what is called next, and not run
        return _PRELOAD
    facts = facts_of(statement)
    found = _kind_of(facts, eager)
    if fn is page_calls.paginate or page_calls.several(statement):
        return replace(found, further=True, steady=not facts.locks)
    return found


def _kind_of(facts: Facts, eager: bool) -> _Kind:
    return _Kind(facts.only_reads, facts.loads_further(eager), facts.may_write)


def _refuse(fn: Callable[..., Any]) -> NoReturn:
    name = fn.__name__.strip("_")
    what = "" if fn in write_calls.WRITES else ", for a statement that may write"
    raise InvalidSessionState(
        f"{name}() of a factory with auto_commit=False{what}: nothing would commit it. Run it in a "
        f"block, `begin()`, with session.commit(), or on a factory that commits."
    )
