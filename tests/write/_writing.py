"""Rows written through the ORM session and through ours, and what lies in the tables afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, inspect, select, text, type_coerce
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from ..oracle import FIRST_GENERATED_KEY, Oracle

Rows = Sequence[Mapping[str, Any]]


def tables_of(model: Any) -> list[Table]:
    """Give the tables that a class writes to, parents first."""
    mapper = inspect(model)
    return [table for table in mapper.base_mapper._sorted_tables if table in mapper.tables]


def column_attributes(model: Any) -> dict[str, Any]:
    """Give the attributes of a class that are columns of its tables."""
    mapper = inspect(model)
    return {
        attribute.key: attribute.columns[0]
        for attribute in mapper.column_attrs
        if any(c.table is table for table in tables_of(model) for c in attribute.columns)
    }


def instance_of(model: Any, row: Mapping[str, Any]) -> Any:
    """Construct an instance without running the class's own constructor."""
    mapper = inspect(model)
    instance = mapper.class_manager.new_instance()
    # what the ORM's own constructor does for polymorphic classes
    if mapper._set_polymorphic_identity:
        mapper._set_polymorphic_identity(instance._sa_instance_state)
    for key, value in row.items():
        setattr(instance, key, value)
    return instance


def prepare(conn: Connection, model: Any, empty: bool = True) -> None:
    """Empty the tables of a class, let keys be generated from a known start, and forget about
    foreign keys until the end of the transaction.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text("SET LOCAL session_replication_role = replica"))
        for table in tables_of(model):
            column = table.autoincrement_column
            if column is not None:
                name = conn.dialect.identifier_preparer.quote(table.name).replace("'", "''")
                conn.execute(
                    text("SELECT setval(pg_get_serial_sequence(:table, :column), :key, false)"),
                    {"table": name, "column": column.name, "key": FIRST_GENERATED_KEY},
                )
    if empty:
        for table in reversed(tables_of(model)):
            conn.execute(table.delete())


def contents(conn: Connection, model: Any) -> dict[str, list[Any]]:
    """Give the rows of the tables of a class, as the driver reads them."""
    found = {}
    for table in tables_of(model):
        # of no type, so that no result processor comes between
        columns = [type_coerce(column, NullType()) for column in table.columns]
        found[table.name] = sorted(tuple(map(repr, row)) for row in conn.execute(select(*columns)))
    return found


Work = Callable[[Connection], Any]


def outcome(oracle: Oracle, model: Any, work: Work, empty: bool = True) -> tuple[Any, Any]:
    """Give what ``work`` returned, or the class of its error, and what lies in the tables then."""

    def run(conn: Connection) -> tuple[Any, Any]:
        prepare(conn, model, empty)
        try:
            value = work(conn)
        except Exception as error:  # noqa: BLE001 - the error is what is compared
            return error, None
        return value, contents(conn, model)

    async def main() -> tuple[Any, Any]:
        async with oracle.engine.connect() as conn:
            return await conn.run_sync(run)

    return oracle.run(main())


def by_unit_of_work(model: Any, rows: Rows) -> Work:
    """Store rows as the ORM stores objects."""

    def work(conn: Connection) -> Any:
        with Session(conn) as session:
            session.add_all([instance_of(model, row) for row in rows])
            session.flush()

    return work


def stored_dictionaries(oracle: Oracle, model: Any) -> list[dict[str, Any]]:
    """Give the rows of the zoo that are of exactly this class, by attribute."""

    def run(conn: Connection) -> list[dict[str, Any]]:
        mapper = inspect(model)
        keys = column_attributes(model)
        statement = select(*[getattr(model, key).label(f"a{i}") for i, key in enumerate(keys)])
        if mapper.polymorphic_on is not None and mapper.polymorphic_identity is not None:
            statement = statement.where(mapper.polymorphic_on == mapper.polymorphic_identity)
        return [dict(zip(keys, row, strict=True)) for row in conn.execute(statement)]

    async def main() -> list[dict[str, Any]]:
        async with oracle.engine.connect() as conn:
            return await conn.run_sync(run)

    return oracle.run(main())
