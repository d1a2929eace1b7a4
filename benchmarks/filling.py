"""Scenes of ``into``: rows into classes of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from benchmarks.byhand import User as Slotted
from benchmarks.contenders import BASELINE, Contender, Operation
from benchmarks.models import User
from benchmarks.readers import Read
from benchmarks.scenes import Scene, Site, contender
from benchmarks.single import OBJECTS, POSITIONS

_users = User.__table__
_CORE = select(_users)
_COLUMNS = select(User.id, User.name, User.email, User.age)


@dataclass
class Plain:
    """What an application writes."""

    id: int
    name: str
    email: str
    age: int | None


class Model(BaseModel):
    """The same, with pydantic."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    email: str
    age: int | None


def scenes() -> list[Scene]:
    """The scenes of this module."""
    return [
        Scene("into_dataclass", "1000 rows of 4 columns into a dataclass", _dataclass),
        Scene("into_pydantic", "1000 rows of 4 columns into a pydantic model", _pydantic),
    ]


def _core(engine: AsyncEngine, build: Any = None) -> Operation:
    async def operation(read: Read, n: int) -> Any:
        async with engine.begin() as conn:
            rows = (await conn.execute(_CORE)).all()
            return read(rows if build is None else build(rows))

    return operation


def _into(site: Site, cls: type, statement: Any = _COLUMNS, **options: Any) -> Operation:
    from naked_sqla import AsyncSessionFactory

    db = AsyncSessionFactory(site.engine())

    async def operation(read: Read, n: int) -> Any:
        async with db.begin() as session:
            return read((await session.into(cls, statement, **options)).all())

    return operation


def _cores(site: Site) -> list[Contender]:
    return [
        contender(BASELINE, "Core, by position", _core(site.engine()), POSITIONS),
        contender("core_again", "Core, by position, again", _core(site.engine()), POSITIONS),
    ]


def _dataclass(site: Site) -> list[Contender]:
    def by_hand(rows: Any) -> list[Plain]:
        return [Plain(a, b, c, d) for a, b, c, d in rows]

    return [
        *_cores(site),
        contender("hand", "Core, dataclass by hand", _core(site.engine(), by_hand), OBJECTS),
        contender("naked_slots", "naked_sqla, slots=True", _into(site, Slotted), OBJECTS),
        contender("naked_core", "naked_sqla, a Core select", _into(site, Plain, _CORE), OBJECTS),
        contender("naked", "naked_sqla", _into(site, Plain), OBJECTS),
    ]


def _pydantic(site: Site) -> list[Contender]:
    def by_hand(rows: Any) -> list[Model]:
        return [Model.model_construct(id=a, name=b, email=c, age=d) for a, b, c, d in rows]

    orm = async_sessionmaker(site.engine(), expire_on_commit=False)
    statement = select(User)

    async def validated(read: Read, n: int) -> Any:
        async with orm.begin() as session:
            found = (await session.scalars(statement)).all()
            return read([Model.model_validate(obj) for obj in found])

    return [
        *_cores(site),
        contender("hand", "Core, model_construct()", _core(site.engine(), by_hand), OBJECTS),
        contender("orm", "ORM AsyncSession, model_validate()", validated, OBJECTS),
        contender("naked_valid", "naked_sqla, validated", _into(site, Model), OBJECTS),
        contender(
            "naked", "naked_sqla, validate=False", _into(site, Model, validate=False), OBJECTS
        ),
    ]
