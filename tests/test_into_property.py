"""Whatever columns a statement selects, into(dataclass) has the values that Core reads."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select, text, union_all
from sqlalchemy.orm import aliased

from naked_sqla.om import into

from ._into import Base, Mood, Typed

table: Any = Typed.__table__
NAMES = ("id", "mood", "price", "day", "extra", "x", "y")
NUMBERS = st.integers(-(2**31), 2**31 - 1)

rows_of_typed = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(1, 2**31 - 1),
            "mood": st.sampled_from([None, *Mood]),
            "price": st.decimals(-1000, 1000, places=2),
            "day": st.dates(datetime.date(1, 1, 1)),
            "extra": st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=2),
            "x": NUMBERS,
            "y": NUMBERS,
        }
    ),
    unique_by=lambda row: row["id"],
    max_size=4,
)
columns_of_typed = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)


def of_entity(names: list[str]) -> Any:
    return select(*(getattr(Typed, name) for name in names)).order_by(Typed.id)


def of_alias(names: list[str]) -> Any:
    alias = aliased(Typed)
    return select(*(getattr(alias, name) for name in names)).order_by(alias.id)


def of_table(names: list[str]) -> Any:
    return select(*(table.c[name] for name in names)).order_by(table.c.id)


def of_subquery(names: list[str]) -> Any:
    inner = select(Typed).subquery()
    return select(*(inner.c[name] for name in names)).order_by(inner.c.id)


def of_union(names: list[str]) -> Any:
    return union_all(
        of_table(names).order_by(None), of_table(names).order_by(None).where(text("1=0"))
    )


def of_text(names: list[str]) -> Any:
    typed = text(f"SELECT {', '.join(names)} FROM typed ORDER BY typed.id")
    return typed.columns(*(table.c[name] for name in names))


def target(names: list[str], shuffled: list[str], **options: Any) -> Any:
    """A dataclass with a field for each column, in another order, and one that has a default."""
    own = [name for name in shuffled if name in names]
    fields: list[Any] = [(name, Any) for name in own]
    fields.append(("spare", Any, dataclasses.field(default="spare")))
    return dataclasses.make_dataclass("Out", fields, **options)


def check(conn: Connection, rows: list[dict[str, Any]], cls: Any, statement: Any) -> None:
    conn.execute(table.delete())
    if rows:
        conn.execute(insert(table), rows)
    wanted = [dict(row._mapping) for row in conn.execute(statement)]
    found = into.execute(conn, cls, statement).all()
    assert [dict(vars_of(item), spare=None) for item in found] == [
        dict(row, spare=None) for row in wanted
    ]
    for item, row in zip(found, wanted, strict=True):
        assert item.spare == "spare"
        assert {key: type(value) for key, value in row.items()} == {
            key: type(getattr(item, key)) for key in row
        }


def vars_of(item: Any) -> dict[str, Any]:
    return {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}


@pytest.mark.parametrize(
    "write",
    [of_entity, of_alias, of_table, of_subquery, of_union, of_text],
    ids=lambda f: f.__name__,
)
def test_into_reads_what_core_reads(sync_engine: Engine, write: Any) -> None:
    with sync_engine.connect() as conn:
        Base.metadata.create_all(conn)

        @settings(
            max_examples=25,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        )
        @given(
            rows=rows_of_typed,
            names=columns_of_typed,
            shuffled=st.permutations(NAMES),
            frozen=st.booleans(),
            slots=st.booleans(),
        )
        def read(
            rows: list[dict[str, Any]],
            names: list[str],
            shuffled: list[str],
            frozen: bool,
            slots: bool,
        ) -> None:
            cls = target(names, shuffled, frozen=frozen, slots=slots)
            check(conn, rows, cls, write(names))

        read()


def test_the_check_sees_a_difference(sync_engine: Engine) -> None:
    row = {
        "id": 1,
        "mood": None,
        "price": Decimal(1),
        "day": datetime.date(2026, 1, 1),
        "extra": {},
        "x": 1,
        "y": 2,
    }

    class Wrong:
        def __init__(self, x: int) -> None:
            self.x, self.spare = x + 1, "spare"

    with sync_engine.connect() as conn:
        Base.metadata.create_all(conn)
        cls = dataclasses.dataclass(init=False)(
            type("Wrong", (Wrong,), {"__annotations__": {"x": int}})
        )
        with pytest.raises(AssertionError):
            check(conn, [row], cls, of_entity(["x"]))
