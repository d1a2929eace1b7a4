"""SQLModel tables: a pydantic model and a mapped class in one."""

import datetime as dt
import uuid
from typing import Any, Optional

from sqlalchemy import JSON, Column
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, SQLModel


class SQLModelBase(SQLModel, registry=registry()):
    pass


class Hero(SQLModelBase, table=True):
    __tablename__ = "sm_heroes"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(index=True)
    age: int | None = None
    born: dt.date | None = None
    token: uuid.UUID | None = None
    extra: Any = Field(default=None, sa_column=Column("extra_json", JSON))
    team_id: int | None = Field(default=None, foreign_key="sm_teams.id")
    team: Optional["Team"] = Relationship(back_populates="heroes")

    def shout(self) -> str:
        return self.name.upper()


class Team(SQLModelBase, table=True):
    __tablename__ = "sm_teams"

    id: int | None = Field(default=None, primary_key=True)
    name: str
    heroes: list["Hero"] = Relationship(back_populates="team")
