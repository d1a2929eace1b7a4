"""The same work where somebody listens, so that it goes SQLAlchemy's way, and where nobody does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncEngine

from naked_sqla import AsyncSession, AsyncSessionFactory, Session, SessionFactory

from ..oracle import Oracle
from ._writing import column_attributes, stored_dictionaries, tables_of
from .test_oracle import MODELS, model_of


def nothing(*_: Any) -> None:
    """A listener: who listens sees SQLAlchemy's way."""


def classes_with_rows(
    oracle: Oracle, modules: Collection[str], least: int
) -> Iterator[tuple[str, Any, list[dict[str, Any]]]]:
    """Classes of one table, and up to two of their rows.

    :param modules: of the classes.
    :param least: so many rows each class has.
    """
    for name in MODELS:
        model = model_of(oracle, name)
        if model is None or name.partition(".")[0] not in modules or len(tables_of(model)) > 1:
            continue
        computed = {key for key, c in column_attributes(model).items() if c.computed is not None}
        rows = [
            {key: value for key, value in row.items() if key not in computed}
            for row in stored_dictionaries(oracle, model)[:2]
        ]
        if len(rows) >= least:
            yield name, model, rows


def with_sessions(engine: Engine, work: Callable[[Session], Any]) -> tuple[Any, Any]:
    """What the work gives both ways, on the synchronous face; nothing of it stays."""
    watched = create_engine(engine.url)
    event.listen(watched, "before_cursor_execute", nothing)
    seen = []
    for each in (watched, engine):
        with SessionFactory(each).begin() as session:
            seen.append(work(session))
            session.rollback()
    watched.dispose()
    return seen[0], seen[1]


async def errors(
    new_engine: Callable[[], AsyncEngine],
    call: Callable[[AsyncSession, Any], Awaitable[Any]],
    rows: tuple[Any, Any],
    told: Callable[[Any], Any],
    afterwards: Callable[[AsyncSessionFactory, Any], Awaitable[Any]],
) -> tuple[Any, Any]:
    """What is told both ways of rows that fail, before and after rows that do not.

    :param rows: those that do not fail, those that do.
    :param told: what is told of an error.
    :param afterwards: given the factory and the last error, what else is to be compared.
    """
    fine, bad = rows
    seen = []
    for listen in (True, False):
        engine = new_engine()
        if listen:
            event.listen(engine.sync_engine, "before_cursor_execute", nothing)
        db = AsyncSessionFactory(engine)
        found = []
        for given in (fine, bad, bad, fine):
            async with db.begin() as session:
                if given is fine:
                    await call(session, given)
                else:
                    with pytest.raises(StatementError) as caught:
                        await call(session, given)
                    found.append(told(caught.value))
                await session.rollback()
        found.append(await afterwards(db, caught.value))
        await engine.dispose()
        seen.append(found)
    return seen[0], seen[1]
