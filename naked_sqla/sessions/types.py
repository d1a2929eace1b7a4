"""Type variables and aliases that the signatures of sessions and factories share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Row
    from sqlalchemy.engine.interfaces import CoreExecuteOptionsParameter
    from sqlalchemy.orm import QueryableAttribute
    from sqlalchemy.orm.interfaces import ORMOption
    from sqlalchemy.sql.selectable import ForUpdateParameter
    from typing_extensions import TypeVar, TypeVarTuple, Unpack

    T = TypeVar("T", default=Any)
    T2 = TypeVar("T2", default=Any)
    Ts = TypeVarTuple("Ts", default=Unpack[tuple[Any, ...]])
    # SQLAlchemy 2.1 types a row as [int, str], and 2.0 as [tuple[int, str]].  A type checker of 2.0
    # takes this for Row[tuple[int]], or for a Row of Any: neither is a row of 2.1.
    RowOfLine: TypeAlias = Row[tuple[int], int]

    class TupleRows(Protocol):
        """Sessions and factories where SQLAlchemy is 2.0: the first overloads are for these."""

        @property
        def _row(self) -> Row[tuple[int]]: ...

    # Of what is given as a class: never guessed.
    C = TypeVar("C")

    Parameters: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
    Options: TypeAlias = CoreExecuteOptionsParameter | None
    LoaderOptions: TypeAlias = Sequence[ORMOption] | None
    ForUpdate: TypeAlias = ForUpdateParameter
    # How nested into() loads what lies below its rows.
    Strategy: TypeAlias = Literal["json"]
    Relationship: TypeAlias = QueryableAttribute[Any]
    # A relationship, or the steps to one.
    Path: TypeAlias = QueryableAttribute[Any] | Sequence[QueryableAttribute[Any]]
    # An attribute, or its name.
    Field: TypeAlias = str | QueryableAttribute[Any]
    Fields: TypeAlias = Field | Iterable[Field]
    # The same as the key of a dictionary, where a union of both would fit no dictionary of one.
    K = TypeVar("K", bound=str | QueryableAttribute[Any])
