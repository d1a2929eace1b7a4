"""Type variables and aliases that the signatures of sessions and factories share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.engine.interfaces import CoreExecuteOptionsParameter
    from sqlalchemy.orm import QueryableAttribute
    from sqlalchemy.orm.interfaces import ORMOption
    from sqlalchemy.sql.selectable import ForUpdateParameter
    from typing_extensions import TypeVar, TypeVarTuple, Unpack

    # SQLAlchemy 2.0 knows no variadic rows: the defaults make them Any there.
    T = TypeVar("T", default=Any)
    T2 = TypeVar("T2", default=Any)
    Ts = TypeVarTuple("Ts", default=Unpack[tuple[Any, ...]])
    # Of what is given as a class: never guessed.
    C = TypeVar("C")

    Parameters: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
    Options: TypeAlias = CoreExecuteOptionsParameter | None
    LoaderOptions: TypeAlias = Sequence[ORMOption] | None
    ForUpdate: TypeAlias = ForUpdateParameter
    # A relationship, or the steps to one.
    Path: TypeAlias = QueryableAttribute[Any] | Sequence[QueryableAttribute[Any]]
    # An attribute, or its name.
    Field: TypeAlias = str | QueryableAttribute[Any]
    Fields: TypeAlias = Field | Iterable[Field]
