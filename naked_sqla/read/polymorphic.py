"""The class of a row by its discriminator, and the error for a row of none of the classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import InvalidRequestError

from naked_sqla.exception import ConversionError
from naked_sqla.hiding import shown

if TYPE_CHECKING:
    from naked_sqla.read.plan import Polymorphic

__all__ = ("refuser", "variant_numbers")


def variant_numbers(item: Polymorphic) -> dict[Any, int]:
    """The positions of the variants by their discriminators."""
    # NULL never is a discriminator, even where None is a polymorphic identity
    return {v.value: i for i, v in enumerate(item.variants) if v.value is not None}


def refuser(item: Polymorphic) -> Callable[[Any, tuple[Any, ...]], None]:
    """Raise for a row of another class than the one asked for; texts as the ORM has them."""
    names = {variant.value: variant.name for variant in item.variants}

    def refuse(value: Any, identity: tuple[Any, ...]) -> None:
        row = f"Row with identity key {item.name}{shown(identity)} can't be loaded into an object; "
        column = f"the polymorphic discriminator column '{item.column}'"
        if value is None:
            raise InvalidRequestError(f"{row}{column} is NULL")
        if value in names:
            raise InvalidRequestError(
                f"{row}{column} refers to {names[value]}, which is not a sub-mapper of the "
                f"requested {item.name}"
            )
        raise ConversionError(
            item.name, item.column, value, "no mapped class has this polymorphic identity"
        )

    return refuse
