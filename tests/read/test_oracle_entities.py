"""Each model of the zoo, loaded in each of the ways that a model can be, next to the ORM."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import inspect, literal, select, true, union_all
from sqlalchemy.orm import Mapper, aliased, defer, load_only

from ..models import data, inheritance
from ..models.blog import Hub, Spoke
from ..oracle import Oracle, all_rows, unique_rows

MODELS = data.models("postgresql")


@pytest.fixture(params=list(MODELS))
def model(request: pytest.FixtureRequest, oracle: Oracle) -> Any:
    """Each model that exists on the backend."""
    name: str = request.param
    if name.startswith("pg.") and not oracle.postgresql:
        return inheritance.Person
    return MODELS[name]


def ordered(statement: Any, entity: Any) -> Any:
    """Order by the whole key, so that both sides give their rows in one order."""
    mapper: Mapper[Any] = inspect(entity).mapper
    keys = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
    return statement.order_by(*(getattr(entity, key) for key in keys))


@pytest.fixture
def plain_model(model: Any) -> Any:
    """Each model but the one with eager loading of every kind.

    With a column left out, or from a statement of its own, the ORM loads what it lacks with a
    SELECT that nobody wrote, or leaves ``lazy="subquery"`` out.
    """
    return Spoke if model is Hub else model


def read_for(model: Any) -> Any:
    """Give how a result is read: what the model joins in repeats its objects."""
    joins = {"Hub", "Spoke", "Node"}
    return unique_rows if inspect(model).mapper.class_.__name__ in joins else all_rows


def plain_columns(model: Any) -> list[str]:
    """Give the keys of the model's plain, unordered columns, but the key."""
    mapper = inspect(model)
    return [
        prop.key
        for prop in mapper.column_attrs
        if prop.columns[0].table is not None
        and not any(column.primary_key for column in prop.columns)
        and prop.columns[0] is not mapper.polymorphic_on
    ]


def test_select_entity(oracle: Oracle, model: Any) -> None:
    statement = ordered(select(model), model)
    value = oracle.compare(statement, read=read_for(model))
    assert value["rows"]


def test_select_entity_twice_gives_other_objects(oracle: Oracle, model: Any) -> None:
    statement = ordered(select(model), model)
    unique = read_for(model) is unique_rows
    first, second = oracle.rows(statement, unique=unique), oracle.rows(statement, unique=unique)
    assert not {id(row[0]) for row in first} & {id(row[0]) for row in second}


def test_aliased_entity(oracle: Oracle, model: Any) -> None:
    alias = aliased(model, name="other")
    statement = ordered(select(alias), alias)
    oracle.compare(statement, read=read_for(alias))


def test_aliased_over_subquery(oracle: Oracle, model: Any) -> None:
    if inspect(model).mapper.with_polymorphic or inspect(model).mapper.concrete:
        # What an alias of a subquery means for these, the ORM does not define.
        model = inheritance.Person
    alias = aliased(model, select(model).subquery())
    statement = ordered(select(alias), alias)
    oracle.compare(statement, read=read_for(alias))


def test_entity_and_columns(oracle: Oracle, model: Any) -> None:
    keys = [
        getattr(model, inspect(model).get_property_by_column(c).key)
        for c in inspect(model).primary_key
    ]
    statement = ordered(select(literal(1).label("one"), model, *keys, literal("two")), model)
    oracle.compare(statement, read=read_for(model))


def test_outer_join_that_misses(oracle: Oracle, model: Any) -> None:
    alias = aliased(model, name="missed")
    statement = ordered(select(model, alias).outerjoin(alias, ~true()), model)
    value = oracle.compare(statement, read=read_for(model))
    assert all(row[1] is None for row in value["rows"])


def test_self_join_on_everything(oracle: Oracle, model: Any) -> None:
    alias = aliased(model, name="twin")
    statement = ordered(ordered(select(model, alias).join(alias, true()), model), alias)
    oracle.compare(statement, read=read_for(model))


def test_load_only_one(oracle: Oracle, plain_model: Any) -> None:
    for key in plain_columns(plain_model)[:3]:
        statement = ordered(
            select(plain_model).options(load_only(getattr(plain_model, key))), plain_model
        )
        oracle.compare(statement, read=read_for(plain_model))


def test_defer_one(oracle: Oracle, plain_model: Any) -> None:
    for key in plain_columns(plain_model)[:3]:
        statement = ordered(
            select(plain_model).options(defer(getattr(plain_model, key))), plain_model
        )
        oracle.compare(statement, read=read_for(plain_model))


def test_from_statement(oracle: Oracle, plain_model: Any) -> None:
    inner = ordered(select(plain_model), plain_model)
    statement = select(plain_model).from_statement(inner)
    oracle.compare(statement, read=read_for(plain_model))


def test_from_compound_statement(oracle: Oracle, plain_model: Any) -> None:
    statement = select(plain_model).from_statement(
        union_all(select(plain_model), select(plain_model))
    )
    oracle.compare(statement, read=read_for(plain_model), ordered=False)


def test_each_column_attribute(oracle: Oracle, model: Any) -> None:
    attributes = [getattr(model, prop.key) for prop in inspect(model).column_attrs]
    oracle.compare(ordered(select(*attributes), model))


def test_each_composite(oracle: Oracle, model: Any) -> None:
    composites = [getattr(model, prop.key) for prop in inspect(model).composites]
    oracle.compare(ordered(select(*inspect(model).primary_key, *composites), model))


def test_table(oracle: Oracle, model: Any) -> None:
    table = inspect(model).local_table
    oracle.compare(select(table).order_by(*table.primary_key))
