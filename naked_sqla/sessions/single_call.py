"""How a factory runs one call: with which options, and whether it needs a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from naked_sqla._frozen import Frozen
from naked_sqla._sqlalchemy import connections
from naked_sqla.backends import backend_of
from naked_sqla.exception import InvalidSessionState
from naked_sqla.hiding import hide, show
from naked_sqla.sessions import checks

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from naked_sqla.sessions.calls.base import Call


class Manner(Frozen):
    """The manner in which one call is run.

    :ivar options: execution options of the connection.
    :ivar alone: one statement that only reads, and needs no transaction.
    :ivar snapshot: several statements, which need to see one state of the database.
    :ivar commit: commit in the end.
    """

    options: Mapping[str, Any]
    alone: bool = False
    snapshot: bool = False
    commit: bool = True


_ALONE = Manner({}, alone=True)
_ALONE_AUTOCOMMIT = Manner({"isolation_level": "AUTOCOMMIT"}, alone=True)
# by alone, commit: made once, since each call takes one
_IN_TRANSACTION = {
    (alone, commit): Manner({}, alone=alone, commit=commit)
    for alone in (False, True)
    for commit in (False, True)
}


def manner_of(engine: Engine, auto_commit: bool, eager: bool, call: Call) -> Manner:
    """Decide how a factory runs a call.

    :raises InvalidSessionState: for a statement that may write, where nothing would commit it, or
        where it would be stored as it runs.
    """
    hidden = hide(engine)
    try:
        does = call.effects(eager)
    finally:
        show(hidden)
    if does.reads:
        level = _isolation_level(engine)
        backend = backend_of(engine.dialect)
        if does.further:
            options = (level in (None, _AUTO) and backend.snapshot_options) or {}
            return Manner(options, snapshot=True, commit=auto_commit)
        if level == _AUTO:
            return _ALONE
        if level is None and backend.pays_for_transactions and not engine.dispatch.begin:
            # A listener for BEGIN may set what holds in the transaction only: who may see what.
            return _ALONE_AUTOCOMMIT
        return _IN_TRANSACTION[not backend.pays_for_transactions, auto_commit]
    checks.refuse_autocommit(engine.dialect, engine.get_execution_options())
    if does.writes and not auto_commit:
        _refuse(call)
    if does.steady and _isolation_level(engine) is None:
        options = backend_of(engine.dialect).snapshot_options or {}
        return Manner(options, snapshot=True, commit=auto_commit)
    return Manner({}, snapshot=does.steady, commit=auto_commit)


_AUTO = "AUTOCOMMIT"


def _isolation_level(engine: Engine) -> str | None:
    """The isolation level that was asked for on the engine, None for the database's own."""
    level = engine.get_execution_options().get("isolation_level")
    level = level or connections.engine_isolation_level(engine.dialect)
    if not isinstance(level, str):
        return None
    level = level.replace("_", " ").upper()
    return _AUTO if level == "AUTO COMMIT" else level


def _refuse(call: Call) -> NoReturn:
    """Raise for a call that nothing would commit."""
    what = "" if call.is_write() else ", for a statement that may write"
    raise InvalidSessionState(
        f"{call.name}() of a factory with auto_commit=False{what}: nothing would commit it. Run it "
        f"in a block, `begin()`, with session.commit(), or on a factory that commits."
    )
